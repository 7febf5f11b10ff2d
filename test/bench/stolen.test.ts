/** How much processor time others had, from what Linux tells. */
import { describe, expect, test } from '@jest/globals';
import { stolenShare, ticksOf } from '../../bench/support/stolen.js';

const stat = (cpu: string): string => `${cpu}\ncpu0 1 2 3 4 5 6 7 8 0 0\nintr 12345\n`;

describe('stolen time', () => {
  test('of the time that was wanted, idle and waiting for disks not counted', () => {
    const before = ticksOf(stat('cpu  100 10 50 1000 30 5 5 20 7 0'));
    expect(before).toEqual({ wanted: 190, stolen: 20 });
    const after = ticksOf(stat('cpu  160 10 60 1500 90 5 10 45 7 0'));
    expect(stolenShare(before, after)).toBe(0.25);
  });

  test('nothing wanted, nothing stolen; a system that tells nothing', () => {
    const still = ticksOf(stat('cpu  100 10 50 1000 30 5 5 20 7 0'));
    expect(stolenShare(still, still)).toBe(0);
    expect(ticksOf('no such line')).toBeUndefined();
    expect(stolenShare(undefined, still)).toBeUndefined();
    expect(stolenShare(still, undefined)).toBeUndefined();
  });
});
