import { describe, expect, test } from '@jest/globals';
import { assertEvent, callOf } from '../../src/actors/session-rules.js';
import type { NegotiationEvent } from '../../src/actors/negotiation-port.js';

describe('what an action may ask of its event: a machine that gives it another is at fault, and says so', () => {
  const taken = (): NegotiationEvent => ({ type: 'request.taken', listen: 1 });

  test('one type, or either of two', () => {
    expect(() => assertEvent(taken(), 'request.taken')).not.toThrow();
    expect(() => assertEvent(taken(), 'step', 'request.taken')).not.toThrow();
    expect(() => assertEvent(taken(), 'step')).toThrow('request.taken where step');
    expect(() => assertEvent(taken(), 'step', 'end')).toThrow('request.taken where step or end');
  });

  test('a call of the client, the first of which is 0', () => {
    expect(callOf({ type: 'end', call: 0 })).toBe(0);
    expect(() => callOf(taken())).toThrow('request.taken where a call');
  });
});
