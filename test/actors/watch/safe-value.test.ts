import { describe, expect, test } from '@jest/globals';
import { SAFE_LIMITS, safeBytes, safeText, safeValue } from '../../../src/actors/watch/safe-value.js';

/** What a reader gets: through JSON, as everything is sent on. */
const shown = (value: unknown): unknown => JSON.parse(JSON.stringify(safeValue(value)));

describe('a value made safe is JSON, whatever it was', () => {
  test.each<[string, unknown, unknown]>([
    ['a big integer', { n: 2n ** 70n }, { n: '1180591620717411303424n' }],
    ['bytes that are one CBOR item', { value: Uint8Array.of(0x82, 1, 0x61, 0x78) }, { value: '[1, "x"]' }],
    ['bytes that are none', { value: Uint8Array.of(0xff, 0) }, { value: "h'ff00'" }],
    ['no bytes', { value: new Uint8Array(0) }, { value: "h''" }],
    ['part of a buffer', new Uint8Array([9, 9, 5, 9]).subarray(2, 3), '5'],
    ['the port of a machine', { port: { send: () => undefined }, name: 'EX3' }, { name: 'EX3' }],
    ['functions, symbols and undefined', { f: () => 1, s: Symbol('x'), u: undefined, a: 1 }, { a: 1 }],
    ['numbers JSON has no word for', [NaN, Infinity, -Infinity, -0], ['NaN', 'Infinity', '-Infinity', '-0']],
    ['a map', new Map([['a', 1n]]), [['a', '1n']]],
    ['a set', new Set([1, 2]), [1, 2]],
    ['an error', new RangeError('out'), 'RangeError: out'],
    ['an owner', { owner: new (class Owner {})(), a: 1 }, { a: 1 }],
    ['null', null, null],
    ['nothing', undefined, null],
  ])('%s', (_what, value, expected) => expect(shown(value)).toEqual(expected));

  test('names that mean something to JavaScript are names like others', () => {
    const value: unknown = JSON.parse('{"__proto__":{"polluted":1},"constructor":2}');
    const safe = safeValue(value) as object;
    expect(Object.keys(safe)).toEqual(['__proto__', 'constructor']);
    expect('polluted' in {}).toBe(false);
    expect((safe as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('markup stays text: it is for whoever shows it to treat it so', () => {
    expect(shown({ name: '<img src=x onerror=alert(1)>' })).toEqual({ name: '<img src=x onerror=alert(1)>' });
  });

  test('a property that throws is told as unreadable, the rest is there', () => {
    const value = {
      a: 1,
      inner: Object.defineProperty({}, 'x', {
        enumerable: true,
        get() {
          throw new Error('no');
        },
      }),
    };
    expect(shown(value)).toEqual({ a: 1, inner: '…' });
  });
});

describe('and bounded in size', () => {
  test('depth, members, texts and bytes are cut off, and say so', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100; i++) deep = [deep];
    expect(JSON.stringify(shown(deep))).toBe(
      `${'['.repeat(SAFE_LIMITS.depth)}"…"${']'.repeat(SAFE_LIMITS.depth)}`,
    );
    const list = shown(Array.from({ length: 1000 }, (_, i) => i)) as unknown[];
    expect(list).toHaveLength(SAFE_LIMITS.members + 1);
    expect(list.at(-1)).toBe('…');
    const record = shown(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i]))) as object;
    expect(Object.keys(record)).toHaveLength(SAFE_LIMITS.members + 1);
    expect(safeText('x'.repeat(10_000))).toBe(`${'x'.repeat(SAFE_LIMITS.text)}…`);
    expect(safeBytes(new Uint8Array(5000))).toBe(`h'${'00'.repeat(SAFE_LIMITS.bytes)}'… (5000 bytes)`);
  });

  test('a character is not cut in two', () => {
    const text = safeText(`${'x'.repeat(SAFE_LIMITS.text - 1)}😀😀`);
    expect(text).toBe(`${'x'.repeat(SAFE_LIMITS.text - 1)}…`);
  });

  test('what refers to itself ends, and a wide tree has an end too', () => {
    const self: { self?: unknown; n: bigint } = { n: 1n };
    self.self = self;
    expect(JSON.stringify(shown(self)).length).toBeLessThan(500);
    const wide = (depth: number): unknown =>
      depth === 0 ? 'x'.repeat(1000) : Array(40).fill(wide(depth - 1));
    expect(JSON.stringify(shown(wide(5))).length).toBeLessThan(SAFE_LIMITS.values * (SAFE_LIMITS.text + 16));
  });
});
