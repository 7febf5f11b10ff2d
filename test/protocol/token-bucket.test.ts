import { describe, expect, test } from '@jest/globals';
import { TokenBucket } from '../../src/protocol/index.js';

function taken(bucket: TokenBucket, now: number, tries: number): number {
  let count = 0;
  for (let i = 0; i < tries; i++) if (bucket.take(now)) count++;
  return count;
}

describe('G-2.5.6.2-12 the rate of relaying', () => {
  test('the burst at once, then as many as the time brings', () => {
    const bucket = new TokenBucket(2_000, 100);
    expect(taken(bucket, 5_000, 1_000)).toBe(100);
    expect(taken(bucket, 5_001, 1_000)).toBe(2);
    expect(taken(bucket, 5_011, 1_000)).toBe(20);
  });

  test('a pause fills it, to the burst and not beyond', () => {
    const bucket = new TokenBucket(10, 5);
    expect(taken(bucket, 0, 10)).toBe(5);
    expect(taken(bucket, 1_000_000, 10)).toBe(5);
  });

  test('over ten seconds of a storm exactly the rate and the first burst, however often one asks', () => {
    for (const step of [1, 0.25, 7]) {
      const bucket = new TokenBucket(2_000, 200);
      let count = 0;
      for (let now = 0; now <= 10_000; now += step) count += taken(bucket, now, 50);
      expect(Math.abs(count - 20_200)).toBeLessThanOrEqual(step * 2 + 1);
    }
  });

  test('a rate below one per second', () => {
    const bucket = new TokenBucket(0.5, 1);
    expect(taken(bucket, 0, 3)).toBe(1);
    expect(taken(bucket, 1_999, 3)).toBe(0);
    expect(taken(bucket, 2_000, 3)).toBe(1);
  });
});
