import { describe, expect, test } from '@jest/globals';
import { LastInFirstOut } from '../../src/actors/last-in-first-out.js';

describe('a bounded waiting place', () => {
  test('the newest is taken first; when it is full the oldest goes', () => {
    const place = new LastInFirstOut<number>(3);
    expect([1, 2, 3, 4, 5].map((item) => place.push(item))).toEqual([undefined, undefined, undefined, 1, 2]);
    expect(place.size).toBe(3);
    expect([place.pop(), place.shift(), place.pop(), place.pop(), place.shift()]).toEqual([
      5,
      3,
      4,
      undefined,
      undefined,
    ]);
    expect(place.size).toBe(0);
  });

  test('without any place nobody waits', () => {
    const place = new LastInFirstOut<number>(0);
    expect(place.push(1)).toBe(1);
    expect(place.size).toBe(0);
  });

  test('like an array from which items are taken at both ends, over many of them', () => {
    const place = new LastInFirstOut<number>(100);
    const model: number[] = [];
    let state = 7;
    for (let i = 0; i < 3_000; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const choice = (state >>> 24) % 5;
      if (choice < 3) {
        const gone = model.length === 100 ? model.shift() : undefined;
        model.push(i);
        expect(place.push(i)).toBe(gone);
      } else if (choice === 3) expect(place.pop()).toBe(model.pop());
      else expect(place.shift()).toBe(model.shift());
      expect(place.size).toBe(model.length);
    }
    while (model.length > 0) expect(place.pop()).toBe(model.pop());
  });
});
