import { describe, expect, test } from '@jest/globals';
import { SimulatedClock } from '../../src/runtime/index.js';

/** Notes names with the time at which they were said. */
function log(clock: SimulatedClock) {
  const lines: string[] = [];
  return { lines, say: (what: string) => () => void lines.push(`${clock.now()} ${what}`) };
}

describe('simulated clock', () => {
  test('time stands still unless it is advanced', async () => {
    const clock = new SimulatedClock(1_000);
    const { lines, say } = log(clock);
    clock.setTimeout(say('timer'), 10);
    await clock.settle();
    expect(clock.now()).toBe(1_000);
    expect(lines).toEqual([]);
    await clock.advance(9);
    expect([clock.now(), lines]).toEqual([1_009, []]);
    await clock.advance(1);
    expect([clock.now(), lines]).toEqual([1_010, ['1010 timer']]);
  });

  test('timers go off in the order of their times, those of one time in the order of the calls', async () => {
    const clock = new SimulatedClock();
    const { lines, say } = log(clock);
    // Enough of them, and shuffled enough, to move them about in the heap.
    const times = Array.from({ length: 200 }, (_, i) => (i * 73) % 50);
    times.forEach((ms, i) => clock.setTimeout(say(String(i)), ms));
    await clock.advance(50);
    const expected = times
      .map((ms, i) => ({ ms, i }))
      .sort((a, b) => a.ms - b.ms || a.i - b.i)
      .map(({ ms, i }) => `${ms} ${i}`);
    expect(lines).toEqual(expected);
  });

  test('a timer set by a timer goes off in the same advance if it falls into it', async () => {
    const clock = new SimulatedClock();
    const { lines, say } = log(clock);
    clock.setTimeout(() => {
      clock.setTimeout(say('inner'), 5);
      clock.setTimeout(say('later'), 6);
    }, 5);
    await clock.advance(10);
    expect(lines).toEqual(['10 inner']);
    await clock.advance(1);
    expect(lines).toEqual(['10 inner', '11 later']);
  });

  test('a cancelled timer never goes off, and cancelling is harmless at any time', async () => {
    const clock = new SimulatedClock();
    const { lines, say } = log(clock);
    const gone = clock.setTimeout(say('gone'), 5);
    const kept = clock.setTimeout(say('kept'), 5);
    clock.clearTimeout(gone);
    clock.clearTimeout(undefined);
    await clock.advance(5);
    clock.clearTimeout(kept);
    await clock.advance(5);
    expect(lines).toEqual(['5 kept']);
  });

  test('a timer cancelled by another one of the same time does not go off', async () => {
    const clock = new SimulatedClock();
    const { lines, say } = log(clock);
    clock.setTimeout(() => clock.clearTimeout(second), 5);
    const second = clock.setTimeout(say('second'), 5);
    await clock.advance(5);
    expect(lines).toEqual([]);
  });

  test('turns run in order, never inside the call, and before the next timer', async () => {
    const clock = new SimulatedClock();
    const { lines, say } = log(clock);
    clock.setTimeout(say('timer'), 0);
    clock.defer(() => {
      say('first')();
      clock.defer(say('third'));
    });
    clock.defer(say('second'));
    expect(lines).toEqual([]);
    await clock.advance(0);
    expect(lines).toEqual(['0 first', '0 second', '0 third', '0 timer']);
  });

  test('promises settle between turns', async () => {
    const clock = new SimulatedClock();
    const { lines, say } = log(clock);
    const work = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) await Promise.resolve();
      say('promise')();
      await new Promise<void>((resolve) => clock.defer(resolve));
      say('turn')();
    };
    void work();
    clock.setTimeout(say('timer'), 1);
    await clock.advance(1);
    expect(lines).toEqual(['0 promise', '0 turn', '1 timer']);
  });

  test('a livelock fails instead of hanging', async () => {
    const clock = new SimulatedClock(42);
    const again = (): void => clock.defer(again);
    clock.defer(again);
    await expect(clock.settle(100)).rejects.toThrow('not idle after 100 turns at 42 ms');
  });

  test('runUntilIdle goes from timer to timer, within its bound', async () => {
    const clock = new SimulatedClock();
    const { lines, say } = log(clock);
    clock.setTimeout(() => clock.setTimeout(say('second'), 1_000), 1_000);
    clock.setTimeout(say('too late'), 5_000);
    await clock.runUntilIdle(4_000);
    expect(lines).toEqual(['2000 second']);
    await clock.runUntilIdle();
    expect(lines).toEqual(['2000 second', '5000 too late']);
  });

  test('until goes as far as the promise needs and no further', async () => {
    const clock = new SimulatedClock();
    const value = new Promise<string>((resolve) => clock.setTimeout(() => resolve('here'), 300));
    const { lines, say } = log(clock);
    clock.setTimeout(say('not yet'), 301);
    expect(await clock.until(value)).toBe('here');
    expect([clock.now(), lines]).toEqual([300, []]);
  });

  test('until hands on a rejection, and fails when there is nothing left to wait for', async () => {
    const clock = new SimulatedClock();
    const failing = new Promise<never>((_, reject) =>
      clock.setTimeout(() => reject(new Error('no luck')), 10),
    );
    await expect(clock.until(failing)).rejects.toThrow('no luck');
    await expect(clock.until(new Promise(() => undefined))).rejects.toThrow('still waiting at 10 ms');
    clock.setTimeout(() => undefined, 100);
    await expect(clock.until(new Promise(() => undefined), 50)).rejects.toThrow('still waiting');
  });

  test('stands still while the host is at work outside of it', async () => {
    const clock = new SimulatedClock();
    const { lines, say } = log(clock);
    clock.setTimeout(say('timer'), 1);
    let loaded!: () => void;
    const code = new Promise<void>((resolve) => (loaded = resolve)).then(say('loaded'));
    clock.standStill(code);
    // A real turn of the host, of which this clock knows nothing.
    setImmediate(() => setImmediate(() => setImmediate(() => setImmediate(loaded))));
    await clock.advance(1);
    expect(lines).toEqual(['0 loaded', '1 timer']);
    const failing = Promise.reject(new Error('no such module'));
    clock.standStill(failing);
    await expect(failing).rejects.toThrow('no such module');
    await clock.advance(1);
    expect(clock.now()).toBe(2);
  });

  test('C-10 timers up to 2^32−1 ms', async () => {
    const clock = new SimulatedClock();
    const { lines, say } = log(clock);
    clock.setTimeout(say('longest'), 2 ** 32 - 1);
    await clock.advance(2 ** 32 - 2);
    expect(lines).toEqual([]);
    await clock.advance(1);
    expect(lines).toEqual([`${2 ** 32 - 1} longest`]);
  });
});
