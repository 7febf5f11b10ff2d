import { beforeEach, describe, expect, test } from '@jest/globals';
import { SessionTimer } from '../../src/actors/session-timer.js';
import { SimulatedClock } from '../../src/runtime/index.js';

/** A clock that counts the timers it is asked for, and lets something happen before each turn, as input that has arrived does. */
class WatchedClock extends SimulatedClock {
  timers = 0;
  beforeTurn: (() => void) | undefined;
  override defer(fn: () => void): void {
    super.defer(() => {
      this.beforeTurn?.();
      fn();
    });
  }
  override setTimeout(fn: () => void, ms: number): ReturnType<SimulatedClock['setTimeout']> {
    this.timers++;
    return super.setTimeout(fn, ms);
  }
}

let clock: WatchedClock;
let timer: SessionTimer;
/** When it expired. */
let expired: number[];

beforeEach(() => {
  clock = new WatchedClock();
  expired = [];
  timer = new SessionTimer(clock, { timerExpired: () => expired.push(clock.now()) });
});

describe('the timer of a session (C-27)', () => {
  test('expires once, at its time', async () => {
    timer.start(100);
    await clock.advance(99);
    expect(expired).toEqual([]);
    await clock.advance(1_000);
    expect(expired).toEqual([100]);
  });

  test('§2.8.9 started anew it counts from then, whether the new time is longer or shorter', async () => {
    timer.start(100);
    await clock.advance(50);
    timer.start(100);
    await clock.advance(99);
    expect(expired).toEqual([]);
    timer.start(10);
    await clock.advance(1_000);
    expect(expired).toEqual([159]);
  });

  test('stopped it does not expire, and can be started again', async () => {
    timer.start(100);
    timer.stop();
    await clock.advance(1_000);
    timer.start(100);
    await clock.advance(1_000);
    expect(expired).toEqual([1_100]);
  });

  test('C-10 what arrives in the turn in which it is due counts', async () => {
    clock.beforeTurn = () => timer.stop();
    timer.start(100);
    await clock.advance(1_000);
    expect(expired).toEqual([]);
    clock.beforeTurn = () => {
      clock.beforeTurn = undefined;
      timer.start(50);
    };
    timer.start(0);
    await clock.advance(1_000);
    expect(expired).toEqual([1_050]);
  });

  test('a thousand steps ask the clock for one timer, and after it for one more', async () => {
    for (let step = 0; step < 1_000; step++) {
      timer.start(60_000);
      await clock.advance(1);
      timer.stop();
    }
    expect(clock.timers).toBe(1);
    timer.start(60_000);
    await clock.advance(100_000);
    expect(expired).toEqual([61_000]);
    expect(clock.timers).toBe(2);
  });

  test('ended it has nothing left with the clock', async () => {
    timer.start(100);
    timer.end();
    await clock.advance(1_000);
    expect(expired).toEqual([]);
    timer.end();
  });
});
