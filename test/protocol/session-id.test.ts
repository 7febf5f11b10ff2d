import { describe, expect, test } from '@jest/globals';
import { GraspError, SessionIdSource } from '../../src/protocol/index.js';

/** Fills with the given 32-bit numbers, one after the other. */
function scripted(...ids: number[]): (target: Uint8Array) => void {
  return (target) => {
    const view = new Uint32Array(target.buffer, target.byteOffset, target.byteLength / 4);
    for (let i = 0; i < view.length; i++) view[i] = ids.length > 1 ? ids.shift()! : ids[0]!;
  };
}

/** A sequence that never repeats: 1, 2, 3, … */
function counting(): (target: Uint8Array) => void {
  let n = 0;
  return (target) => {
    const view = new Uint32Array(target.buffer, target.byteOffset, target.byteLength / 4);
    for (let i = 0; i < view.length; i++) view[i] = ++n;
  };
}

describe('§2.7 session IDs', () => {
  test('a block has 1024 different IDs by default, and they are own', () => {
    const source = new SessionIdSource(counting());
    const block = source.drawBlock();
    expect(new Set(block).size).toBe(1024);
    expect(block.every((id) => source.isOwn(id))).toBe(true);
    expect(source.isOwn(5000)).toBe(false);
  });

  test('all values from 0 to 2^32−1 may occur', () => {
    expect([...new SessionIdSource(scripted(0, 0xffffffff)).drawBlock(2)]).toEqual([0, 0xffffffff]);
  });

  test('on a clash, draw again: within a block, with a live block, with a reserved ID', () => {
    const source = new SessionIdSource(scripted(7, 7, 8, 7, 9, 10, 11));
    expect([...source.drawBlock(2)]).toEqual([7, 8]);
    source.reserve(Uint32Array.of(9));
    expect(source.isOwn(9)).toBe(true);
    expect([...source.drawBlock(2)]).toEqual([10, 11]);
  });

  test('a retired ID is not own any more, and not drawn for 120 s', () => {
    const source = new SessionIdSource(scripted(1, 1, 2, 3, 1, 4));
    const first = source.drawBlock(1);
    source.retire(first, 1000);
    expect(source.isOwn(1)).toBe(false);
    const second = source.drawBlock(1);
    expect([...second]).toEqual([2]);
    // Retiring is when the recent ones are looked through: at 120,999 the first is still remembered …
    source.retire(second, 120_999);
    expect(source.recentSize).toBe(2);
    const third = source.drawBlock(1);
    expect([...third]).toEqual([3]);
    // … and at 121,000 it may be drawn again.
    source.retire(third, 121_000);
    expect(source.recentSize).toBe(2);
    expect([...source.drawBlock(1)]).toEqual([1]);
  });

  test('recentLimit: memory stays flat over any number of blocks, the oldest are forgotten first', () => {
    const source = new SessionIdSource(counting(), { recentLimit: 250 });
    for (let i = 0; i < 1000; i++) {
      source.retire(source.drawBlock(100), 0);
      expect(source.recentSize).toBeLessThanOrEqual(250);
    }
    const source2 = new SessionIdSource(scripted(1, 2, 3, 1, 2, 3, 4), { recentLimit: 2 });
    const blocks = [source2.drawBlock(1), source2.drawBlock(1), source2.drawBlock(1)];
    for (const block of blocks) source2.retire(block, 0);
    expect([...source2.drawBlock(1)]).toEqual([1]);
    expect([...source2.drawBlock(1)]).toEqual([4]);
  });

  test('the caller may change a retired block', () => {
    const source = new SessionIdSource(scripted(1, 1, 2));
    const block = source.drawBlock(1);
    source.retire(block, 0);
    block[0] = 99;
    source.retire(new Uint32Array(0), 120_000);
    expect(source.recentSize).toBe(0);
  });

  test('a random source that repeats itself is an error, and leaves nothing live', () => {
    const source = new SessionIdSource(scripted(5));
    expect(() => source.drawBlock(2)).toThrow(GraspError);
    expect(source.isOwn(5)).toBe(false);
    expect([...source.drawBlock(1)]).toEqual([5]);
  });
});
