/**
 * Time and turns as the engine sees them. Everything outside `substrate/plain` and `workers` takes a
 * {@link Clock} as an argument, so the same code runs under real and under virtual time.
 */

/** Returned by {@link Clock.setTimeout}; opaque. */
export type TimerId = object;

/** The one source of time, timers and turns of a thread. */
export interface Clock {
  /** Milliseconds since the epoch (wall clock that never runs backwards within one process). */
  now(): number;
  /** Calls `fn` after `ms` (0 … 2^32−1; longer than a host timer can hold is chained, C-10). */
  setTimeout(fn: () => void, ms: number): TimerId;
  /** Does nothing for undefined, and for a timer that has gone off. */
  clearTimeout(id: TimerId | undefined): void;
  /**
   * Calls `fn` in a later turn of this thread, after what is running now has returned and after input
   * that has already arrived. In the order of the calls.
   */
  defer(fn: () => void): void;
  /**
   * Calls `fn` as soon as what is running now has returned, without waiting for a turn. In the order of the calls. Those who
   * call one another for ever this way are interrupted by turns all the same, so that input is never shut out.
   */
  soon(fn: () => void): void;
  /**
   * Virtual time only: it stands still until `work` has settled. For what the host does outside of every turn and
   * timer, such as loading code: it takes no virtual time, but real turns, and no timer may go off meanwhile.
   */
  standStill?(work: Promise<unknown>): void;
}

/** Code that is being loaded: to a clock of virtual time no time passes. */
export function loading<T>(clock: Clock, code: Promise<T>): Promise<T> {
  clock.standStill?.(code);
  return code;
}

/** The one source of chance: fills `target` with random bytes (cryptographically strong in production). */
export type RandomFill = (target: Uint8Array) => void;
