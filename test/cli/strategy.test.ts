import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  MAX_STEPS,
  NOTHING_SAID,
  decideNegotiate,
  decideOffer,
  parseAmount,
  stepsLeft,
  towards,
  type Decision,
  type Demand,
  type History,
} from '../../src/cli/strategy.js';

interface Bargain {
  readonly values: readonly unknown[];
  readonly loopCounts: readonly number[];
  readonly outcome: 'accepted' | 'declined';
  readonly by: 'offer' | 'negotiate';
  readonly value: unknown;
  readonly reason: string | undefined;
}

/** Plays both strategies against each other; fails if a step leaves with loop count 0. */
function bargain(own: unknown, demand: Demand, loopCount = 6): Bargain {
  const values: unknown[] = [demand.want];
  const loopCounts = [loopCount];
  const histories: Record<'offer' | 'negotiate', History> = {
    offer: NOTHING_SAID,
    negotiate: { steps: 0, sent: demand.want, receivedBefore: undefined },
  };
  for (let turn = 0; ; turn++) {
    const by = turn % 2 === 0 ? 'offer' : 'negotiate';
    const received = values.at(-1);
    const decision: Decision =
      by === 'offer'
        ? decideOffer(own, received, loopCount, histories.offer)
        : decideNegotiate(demand, received, loopCount, histories.negotiate);
    if (decision.kind !== 'step') {
      return {
        values,
        loopCounts,
        outcome: decision.kind === 'accept' ? 'accepted' : 'declined',
        by,
        value: decision.kind === 'accept' ? received : undefined,
        reason: decision.kind === 'decline' ? decision.reason : undefined,
      };
    }
    loopCount--;
    expect(loopCount).toBeGreaterThan(0);
    values.push(decision.value);
    loopCounts.push(loopCount);
    histories[by] = { steps: histories[by].steps + 1, sent: decision.value, receivedBefore: received };
  }
}

describe('offer against negotiate, amounts', () => {
  test('a request up to VALUE is accepted at once', () => {
    expect(bargain(['NZD', 400], { want: ['NZD', 300] })).toMatchObject({
      outcome: 'accepted',
      by: 'offer',
      value: ['NZD', 300],
      values: [['NZD', 300]],
    });
    expect(bargain(['NZD', 400], { want: ['NZD', 400] }).outcome).toBe('accepted');
  });

  test('offers rise in steps up to VALUE, and no minimum within them ends in a decline', () => {
    const result = bargain(['NZD', 400], { want: ['NZD', 900], min: 800 });
    expect(result).toMatchObject({
      outcome: 'declined',
      by: 'negotiate',
      reason: 'at least NZD 800 is needed',
    });
    expect(result.values).toEqual([
      ['NZD', 900],
      ['NZD', 200],
      ['NZD', 850],
      ['NZD', 300],
      ['NZD', 800],
      ['NZD', 400],
    ]);
    expect(result.loopCounts).toEqual([6, 5, 4, 3, 2, 1]);
  });

  test('a minimum within VALUE ends in agreement between the two', () => {
    const result = bargain(['NZD', 400], { want: ['NZD', 900], min: 350 });
    expect(result.outcome).toBe('accepted');
    expect((result.value as [string, number])[1]).toBeGreaterThanOrEqual(350);
    expect((result.value as [string, number])[1]).toBeLessThanOrEqual(400);
  });

  test('without --min less than VALUE is not accepted', () => {
    expect(bargain(['NZD', 400], { want: ['NZD', 401] })).toMatchObject({
      outcome: 'declined',
      by: 'negotiate',
    });
  });

  test('another unit is declined by either side', () => {
    expect(bargain(['NZD', 400], { want: ['USD', 1] })).toMatchObject({
      by: 'offer',
      reason: 'only NZD is offered, not USD',
    });
    expect(decideNegotiate({ want: ['NZD', 5] }, ['USD', 9], 5, NOTHING_SAID)).toEqual({
      kind: 'decline',
      reason: 'NZD is needed, not USD',
    });
  });

  test('RFC 8990 §2.8.7 with no step left both sides decline, they do not run into the loop count', () => {
    expect(decideOffer(['NZD', 4], ['NZD', 5], 1, NOTHING_SAID)).toEqual({
      kind: 'decline',
      reason: 'at most NZD 4 is offered',
    });
    expect(decideOffer(['NZD', 4], ['NZD', 5], 0, NOTHING_SAID).kind).toBe('decline');
    expect(decideOffer(['NZD', 4], ['NZD', 5], 2, NOTHING_SAID)).toEqual({ kind: 'step', value: ['NZD', 4] });
    expect(decideNegotiate({ want: ['NZD', 9], min: 5 }, ['NZD', 4], 1, NOTHING_SAID).kind).toBe('decline');
    expect(decideNegotiate({ want: ['NZD', 9], min: 5 }, ['NZD', 5], 1, NOTHING_SAID).kind).toBe('accept');
  });

  test('any pair ends: agreed exactly when the minimum is within VALUE, at a value both can bear', () => {
    const amount = fc.oneof(
      fc.integer({ min: -1000, max: 1000 }),
      fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      fc.bigInt({ min: 2n ** 60n, max: 2n ** 70n }),
    );
    fc.assert(
      fc.property(amount, amount, amount, fc.integer({ min: 2, max: 255 }), (limit, a, b, loopCount) => {
        const [min, want] = a <= b ? [a, b] : [b, a];
        const result = bargain(['u', limit], { want: ['u', want], min }, loopCount);
        expect(result.values.length).toBeLessThanOrEqual(2 * MAX_STEPS + 2);
        // With one step left the offer is the whole VALUE and the demand its minimum: nothing possible is missed.
        expect(result.outcome).toBe(min <= limit ? 'accepted' : 'declined');
        if (result.outcome === 'accepted') {
          const [, agreed] = result.value as [string, number | bigint];
          expect(agreed >= min && agreed <= limit).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('other values', () => {
  test('offer accepts an equal value, else counter-offers its own', () => {
    const own = new Map<unknown, unknown>([['a', 1]]);
    expect(decideOffer(own, new Map([['a', 1n]]), 6, NOTHING_SAID)).toEqual({ kind: 'accept' });
    expect(decideOffer(own, null, 6, NOTHING_SAID)).toEqual({ kind: 'step', value: own });
    expect(decideOffer(own, null, 1, NOTHING_SAID)).toEqual({
      kind: 'decline',
      reason: 'only {"a":1} is offered',
    });
    expect(decideOffer(['NZD', 400], null, 6, NOTHING_SAID)).toEqual({ kind: 'step', value: ['NZD', 400] });
  });

  test('negotiate accepts what it asked for, and anything with --accept-any', () => {
    expect(bargain('x', { want: 'x' })).toMatchObject({ outcome: 'accepted', by: 'offer' });
    expect(bargain('x', { want: 'y' })).toMatchObject({ outcome: 'declined', reason: '"y" is needed' });
    expect(bargain('x', { want: 'y', acceptAny: true })).toMatchObject({ outcome: 'accepted', value: 'x' });
    expect(bargain(['NZD', 1], { want: ['NZD', 5], acceptAny: true })).toMatchObject({ value: ['NZD', 1] });
  });

  test('a peer that never gives in is declined after the last step', () => {
    const history = { steps: MAX_STEPS, sent: 'x', receivedBefore: 'y' };
    expect(decideOffer('x', 'y', 200, history).kind).toBe('decline');
    const stuck = { steps: 4, sent: ['u', 5], receivedBefore: ['u', 3] };
    expect(decideNegotiate({ want: ['u', 9], min: 5 }, ['u', 3], 100, stuck).kind).toBe('decline');
    expect(decideNegotiate({ want: ['u', 9], min: 5 }, ['u', 4], 100, stuck).kind).toBe('step');
  });
});

test('an amount is [text, finite number]', () => {
  expect(parseAmount(['NZD', 3])).toEqual({ unit: 'NZD', quantity: 3 });
  expect(parseAmount(['NZD', 3n])).toEqual({ unit: 'NZD', quantity: 3n });
  for (const other of [null, 'NZD', ['NZD'], [3, 'NZD'], ['NZD', Number.NaN], ['NZD', 1, 2], new Map()]) {
    expect(parseAmount(other)).toBeUndefined();
  }
});

test('steps towards a goal: whole numbers stay whole and always move', () => {
  expect(towards(0, 10, 3)).toBe(3);
  expect(towards(9, 10, 3)).toBe(10);
  expect(towards(10, 9, 4)).toBe(9);
  expect(towards(0.5, 1.5, 2)).toBe(1);
  expect(towards(5, 5, 9)).toBe(5);
  expect(towards(2n ** 53n, 2n ** 53n + 10n, 2)).toBe(2n ** 53n + 5n);
  expect(stepsLeft(6)).toBe(3);
  expect(stepsLeft(1)).toBe(0);
});
