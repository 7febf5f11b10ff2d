import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { nodeClock } from '../../src/workers/node-clock.js';

const MAX_HOST_TIMER_MS = 2 ** 31 - 1;

describe('timers', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('a timer goes off once, at its time', () => {
    const fn = jest.fn();
    nodeClock.setTimeout(fn, 100);
    jest.advanceTimersByTime(99);
    expect(fn).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    jest.advanceTimersByTime(1_000);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  test('a cleared timer does not', () => {
    const fn = jest.fn();
    nodeClock.clearTimeout(nodeClock.setTimeout(fn, 100));
    nodeClock.clearTimeout(undefined);
    jest.advanceTimersByTime(1_000);
    expect(fn).not.toHaveBeenCalled();
    expect(jest.getTimerCount()).toBe(0);
  });

  test.each([
    ['the longest a host timer can hold', MAX_HOST_TIMER_MS],
    ['one more', MAX_HOST_TIMER_MS + 1],
    ['twice that', 2 * MAX_HOST_TIMER_MS],
    ['the longest of the protocol', 2 ** 32 - 1],
  ])('C-10 %s: %i ms', (_, ms) => {
    const hostTimer = jest.spyOn(globalThis, 'setTimeout');
    const fn = jest.fn();
    nodeClock.setTimeout(fn, ms);
    jest.advanceTimersByTime(ms - 1);
    expect(fn).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(fn).toHaveBeenCalledTimes(1);
    // Node takes anything longer for 1 ms; the fake timers do not.
    for (const [, delay] of hostTimer.mock.calls) expect(delay).toBeLessThanOrEqual(MAX_HOST_TIMER_MS);
    expect(jest.getTimerCount()).toBe(0);
    hostTimer.mockRestore();
  });

  test('C-10 a long timer can be cleared in each of its legs', () => {
    const fn = jest.fn();
    const first = nodeClock.setTimeout(fn, 2 ** 32 - 1);
    nodeClock.clearTimeout(first);
    expect(jest.getTimerCount()).toBe(0);
    const second = nodeClock.setTimeout(fn, 2 ** 32 - 1);
    jest.advanceTimersByTime(2 ** 31 + 5);
    nodeClock.clearTimeout(second);
    expect(jest.getTimerCount()).toBe(0);
    jest.advanceTimersByTime(2 ** 32);
    expect(fn).not.toHaveBeenCalled();
  });
});

test('turns run in the order of the calls, after what runs now and what promises do', async () => {
  const log: string[] = [];
  const done = new Promise<void>((resolve) => {
    nodeClock.defer(() => log.push('first'));
    nodeClock.defer(() => {
      log.push('second');
      nodeClock.defer(resolve);
    });
  });
  void Promise.resolve().then(() => log.push('promise'));
  log.push('now');
  await done;
  expect(log).toEqual(['now', 'promise', 'first', 'second']);
});

describe('soon', () => {
  test('comes after what runs now and before any turn, in the order of the calls', async () => {
    const log: string[] = [];
    const turn = new Promise<void>((resolve) => nodeClock.defer(() => (log.push('turn'), resolve())));
    nodeClock.soon(() => log.push('first'));
    nodeClock.soon(() => log.push('second'));
    log.push('now');
    await turn;
    expect(log).toEqual(['now', 'first', 'second', 'turn']);
  });

  test('for ever is interrupted by turns, and the order stays', async () => {
    const log: number[] = [];
    let turns = 0;
    const count = (): void => void (turns++, turns < 3 && nodeClock.defer(count));
    nodeClock.defer(count);
    await new Promise<void>((resolve) => {
      let n = 0;
      // Two at a time: the second of a pair must not be overtaken by what the first calls for.
      const pair = (): void => {
        if (turns === 3) return resolve();
        const [a, b] = [n++, n++];
        nodeClock.soon(() => (log.push(a), pair()));
        if (n < 200) nodeClock.soon(() => void log.push(b));
      };
      pair();
    });
    expect(turns).toBe(3);
    const even = log.filter((n) => n % 2 === 0);
    expect(even).toEqual([...even].sort((a, b) => a - b));
    expect(log.indexOf(1)).toBe(log.indexOf(0) + 1);
  });
});

test('now is the time since the epoch and never runs backwards, whatever the wall clock does', () => {
  const first = nodeClock.now();
  expect(Math.abs(first - Date.now())).toBeLessThan(60_000);
  const wall = jest.spyOn(Date, 'now').mockReturnValue(0);
  const second = nodeClock.now();
  wall.mockRestore();
  expect(second).toBeGreaterThanOrEqual(first);
});
