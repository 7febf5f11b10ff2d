// Imported, though global: Node asks a getter each time a global of its own is used.
import { performance } from 'node:perf_hooks';
import type { Clock, TimerId } from '../runtime/clock.js';

/** The longest delay a Node timer can hold, ms; longer ones are chained (C-10). */
const MAX_HOST_TIMER_MS = 2 ** 31 - 1;

/** Held while a chained timer runs its legs. */
interface Chained {
  handle: NodeJS.Timeout;
}

/** Of this thread, to the microsecond, so that processes of one machine agree on the time. */
const started = performance.timeOrigin;

/** What follows it runs among the promises, which costs less than Node's own queue (process.nextTick). */
const now = Promise.resolve();
/** Calls of {@link Clock.soon} in a row without a turn between them. */
const SOON_IN_A_ROW = 32;
let soonInARow = 0;
/** Those that wait for a turn; whoever comes after them does so too. */
let soonInTurn = 0;

/** Real time. `now` never runs backwards, whatever happens to the wall clock. */
export const nodeClock: Clock = {
  now: () => started + performance.now(),
  setTimeout(fn: () => void, ms: number): TimerId {
    if (ms <= MAX_HOST_TIMER_MS) return setTimeout(fn, ms);
    const chained: Chained = { handle: undefined as unknown as NodeJS.Timeout };
    const leg = (left: number): void => {
      const step = Math.min(left, MAX_HOST_TIMER_MS);
      chained.handle = setTimeout(() => (left > step ? leg(left - step) : fn()), step);
    };
    leg(ms);
    return chained;
  },
  clearTimeout(id: TimerId | undefined): void {
    if (id === undefined) return;
    const chained = id as Partial<Chained>;
    clearTimeout(chained.handle ?? (id as NodeJS.Timeout));
  },
  defer: (fn) => void setImmediate(fn),
  soon(fn: () => void): void {
    if (soonInARow < SOON_IN_A_ROW) {
      soonInARow++;
      void now.then(fn);
      return;
    }
    soonInTurn++;
    setImmediate(() => {
      if (--soonInTurn === 0) soonInARow = 0;
      fn();
    });
  },
};
