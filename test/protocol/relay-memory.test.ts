import { describe, expect, test } from '@jest/globals';
import { RelayMemory } from '../../src/protocol/index.js';

const LIFETIME = 120_000;

function random(seed = 1): (target: Uint8Array) => void {
  return (target) => target.forEach((_, i) => (target[i] = (seed * 31 + i * 7) & 255));
}
const memory = (maxKeys = 100_000, lifetimeMs?: number): RelayMemory =>
  new RelayMemory({ maxKeys, lifetimeMs, random: random() });

const v6 = (n: number): Uint8Array => {
  const address = new Uint8Array(16);
  address[0] = 0xfd;
  new DataView(address.buffer).setUint32(12, n);
  return address;
};
const from = v6(1);

describe('G-2.5.6.2-13 what has been relayed is remembered', () => {
  test('for at least 120,000 ms, and not for ever', () => {
    const seen = memory();
    expect(seen.add(7, from, 1_000)).toBe('added');
    expect(seen.has(7, from, 1_000 + LIFETIME - 1)).toBe(true);
    expect(seen.add(7, from, 1_000 + LIFETIME - 1)).toBe('known');
    expect(seen.has(7, from, 1_000 + LIFETIME)).toBe(false);
    expect(seen.add(7, from, 1_000 + LIFETIME)).toBe('added');
  });

  test('coming again does not make it younger', () => {
    const seen = memory();
    seen.add(7, from, 0);
    seen.add(7, from, 60_000);
    expect(seen.has(7, from, LIFETIME)).toBe(false);
  });

  test('never less than its lifetime on a clock with fractions, and at once', () => {
    const seen = memory();
    seen.add(7, from, 0.5);
    expect(seen.has(7, from, 0.6)).toBe(true);
    seen.add(8, from, 0.75);
    expect(seen.has(7, from, LIFETIME + 0.4)).toBe(true);
    expect(seen.has(7, from, LIFETIME + 1.5)).toBe(false);
  });

  test('across every wrap of the 31-bit time', () => {
    for (const wrap of [2 ** 31, 2 ** 32, 1_700_000_000_000 - (1_700_000_000_000 % 2 ** 31)]) {
      const seen = memory();
      for (let at = wrap - 300_000; at < wrap + 300_000; at += 20_000) {
        expect(seen.add(at / 20_000, from, at)).toBe('added');
        expect(seen.size).toBeLessThanOrEqual(6);
        expect(seen.has(at / 20_000 - 5, from, at)).toBe(at >= wrap - 200_000);
        expect(seen.has(at / 20_000 - 6, from, at)).toBe(false);
      }
    }
  });

  test('after a silence of any length', () => {
    for (const silence of [LIFETIME, 2 ** 30, 2 ** 31, 2 ** 31 + 60_000, 2 ** 40]) {
      const seen = memory();
      seen.add(7, from, 5);
      expect(seen.has(7, from, 5 + silence)).toBe(false);
      expect(seen.add(7, from, 5 + silence)).toBe('added');
    }
  });

  test('a lifetime of its own', () => {
    const seen = memory(10, 500);
    seen.add(7, from, 0);
    expect(seen.has(7, from, 499)).toBe(true);
    expect(seen.has(7, from, 500)).toBe(false);
  });
});

describe('G-2.7-09 the key is session ID and initiator', () => {
  test('both count, every byte of them, and the family', () => {
    const seen = memory();
    seen.add(7, from, 0);
    for (let i = 0; i < 16; i++) {
      const other = Uint8Array.from(from);
      other[i]! ^= 1;
      expect(seen.has(7, other, 0)).toBe(false);
    }
    for (let bit = 0; bit < 32; bit++) expect(seen.has((7 ^ (1 << bit)) >>> 0, from, 0)).toBe(false);
    const short = Uint8Array.of(10, 0, 0, 1);
    const long = Uint8Array.of(10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    seen.add(1, short, 0);
    expect(seen.has(1, long, 0)).toBe(false);
    seen.add(2, long, 0);
    expect(seen.has(2, short, 0)).toBe(false);
    expect(seen.has(0xffff_ffff, from, 0)).toBe(false);
    seen.add(0xffff_ffff, from, 0);
    expect(seen.has(0xffff_ffff, from, 0)).toBe(true);
  });

  test('a view into a larger buffer is read where it lies', () => {
    const seen = memory();
    const datagram = Uint8Array.from([9, 9, 9, ...from, 9]);
    seen.add(7, datagram.subarray(3, 19), 0);
    expect(seen.has(7, from, 0)).toBe(true);
  });
});

describe('its limit', () => {
  test('when full a new key is refused, and none is forgotten early', () => {
    const seen = memory(1_000);
    for (let id = 0; id < 1_000; id++) expect(seen.add(id, from, id)).toBe('added');
    expect(seen.add(5_000, from, LIFETIME - 1)).toBe('full');
    expect(seen.add(3, from, LIFETIME - 1)).toBe('known');
    for (let id = 0; id < 1_000; id++) expect(seen.has(id, from, LIFETIME - 1)).toBe(true);
    expect(seen.add(5_000, from, LIFETIME)).toBe('added');
    expect(seen.add(5_001, from, LIFETIME)).toBe('full');
    expect(seen.size).toBe(1_000);
  });

  test('a model with Map agrees, at random, over many times its size', () => {
    const limit = 2_000;
    const seen = memory(limit);
    const model = new Map<string, number>();
    let state = 42;
    const draw = (n: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    let now = 1_000;
    let wrong = 0;
    const outcomes = { added: 0, known: 0, full: 0 };
    for (let i = 0; i < 30_000; i++) {
      now += draw(100);
      for (const [key, at] of model) {
        if (now - at < LIFETIME) break;
        model.delete(key);
      }
      const id = draw(8_000);
      const initiator = v6(draw(2));
      const key = `${id} ${initiator[15]}`;
      const expected = model.has(key) ? 'known' : model.size >= limit ? 'full' : 'added';
      if (seen.add(id, initiator, now) !== expected) wrong++;
      outcomes[expected]++;
      if (expected === 'added') model.set(key, now);
      if (seen.size !== model.size) wrong++;
    }
    expect(wrong).toBe(0);
    expect(outcomes.added).toBeGreaterThan(10_000);
    expect(outcomes.known).toBeGreaterThan(1_000);
    expect(outcomes.full).toBeGreaterThan(1_000);
  });

  test('memory is given back, and stays flat under a steady load', () => {
    const seen = memory(500_000);
    const idle = seen.bytes;
    expect(idle).toBeLessThan(2_000);
    let id = 0;
    let largest = 0;
    for (let now = 0; now < 10 * LIFETIME; now += 10) {
      seen.add(id++, from, now);
      if (now > LIFETIME) largest = Math.max(largest, seen.bytes);
    }
    // 12,000 keys, of 28 bytes and a bucket of at most 8, and the unfilled ends of two chunks.
    expect(seen.size).toBe(12_000);
    expect(largest).toBeLessThan(12_000 * 36 + 2 * 28_672 + 16_384 * 4);
    expect(seen.has(id, from, 11 * LIFETIME)).toBe(false);
    expect(seen.bytes).toBe(idle);
  });

  test('a table that was large becomes small again while it is used', () => {
    const seen = memory(500_000);
    for (let id = 0; id < 50_000; id++) seen.add(id, from, id / 1_000);
    const large = seen.bytes;
    for (let now = LIFETIME - 1; now < LIFETIME + 1_000; now += 10) seen.add(100_000 + now, from, now);
    expect(seen.size).toBe(101);
    expect(seen.bytes).toBeLessThan(large / 20);
    expect(seen.has(100_000 + LIFETIME + 9, from, LIFETIME + 1_000)).toBe(true);
  });
});

test('the seed decides where keys lie', () => {
  // Not visible from outside but through time; at least it is drawn, all of it.
  let drawn = 0;
  new RelayMemory({ maxKeys: 1, random: (target) => (drawn += target.length) });
  expect(drawn).toBe(8);
});
