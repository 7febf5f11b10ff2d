/** The table that sessions and calls are kept in: as good as a Map, whatever comes and goes. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { NumberTable } from '../../src/runtime/index.js';

const sorted = (values: Iterable<object>): string[] =>
  [...values].map((value) => JSON.stringify(value)).sort();

// Few keys of each kind, so that they meet: one home slot for many, negative ones, those beyond 32 bits.
const key = fc.oneof(
  fc.integer({ min: -40, max: 40 }),
  fc.integer({ min: 0, max: 20 }).map((n) => n * 2 ** 32),
  fc.integer({ min: 0, max: 300 }),
);
const step = fc.record({ do: fc.constantFrom('set', 'set', 'delete', 'get'), key });

describe('NumberTable', () => {
  test('does what a Map does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
        const table = new NumberTable<{ n: number }>();
        const map = new Map<number, { n: number }>();
        steps.forEach(({ do: what, key }, n) => {
          if (what === 'set') {
            table.set(key, { n });
            map.set(key, { n });
          } else if (what === 'delete') expect(table.delete(key)).toBe(map.delete(key));
          expect(table.get(key)).toEqual(map.get(key));
          expect(table.has(key)).toBe(map.has(key));
          expect(table.size).toBe(map.size);
        });
        expect(sorted(table.values())).toEqual(sorted(map.values()));
        for (const [key, value] of map) expect(table.get(key)).toEqual(value);
      }),
    );
  });

  test('grows with what it holds, shrinks with what goes, and finds everything meanwhile', () => {
    const table = new NumberTable<{ n: number }>();
    for (let n = 0; n < 20_000; n++) table.set(-n, { n });
    expect(table.size).toBe(20_000);
    for (let n = 0; n < 20_000; n += 2) expect(table.delete(-n)).toBe(true);
    for (let n = 1; n < 20_000; n += 2) expect(table.get(-n)).toEqual({ n });
    for (let n = 1; n < 20_000; n += 2) expect(table.delete(-n)).toBe(true);
    expect([table.size, table.values()]).toEqual([0, []]);
    table.set(7, { n: 7 });
    table.clear();
    expect([table.size, table.get(7)]).toEqual([0, undefined]);
  });
});
