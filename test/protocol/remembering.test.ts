import { describe, expect, test } from '@jest/globals';
import { remembering } from '../../src/protocol/index.js';

/** Remembers lengths, and notes what it had to compute. */
function lengths(most: number): { of: (key: string) => number | undefined; computed: string[] } {
  const computed: string[] = [];
  const of = remembering(most, (key) => (computed.push(key), key === 'none' ? undefined : key.length));
  return { of, computed };
}

describe('a memory of what was computed lately', () => {
  test('computes each key once, undefined too', () => {
    const { of, computed } = lengths(3);
    for (const key of ['a', 'none', 'a', 'none']) expect(of(key)).toBe(key === 'none' ? undefined : 1);
    expect(computed).toEqual(['a', 'none']);
  });

  test('beyond its limit of keys it forgets them all, and goes on', () => {
    const { of, computed } = lengths(3);
    for (const key of ['a', 'bb', 'ccc', 'dddd', 'dddd', 'a']) expect(of(key)).toBe(key.length);
    expect(computed).toEqual(['a', 'bb', 'ccc', 'dddd', 'a']);
  });

  test('a key longer than any address is answered and not kept', () => {
    const { of, computed } = lengths(3);
    const long = 'x'.repeat(65);
    const longest = 'y'.repeat(64);
    for (const key of [long, long, longest, longest]) expect(of(key)).toBe(key.length);
    expect(computed).toEqual([long, long, longest]);
  });
});
