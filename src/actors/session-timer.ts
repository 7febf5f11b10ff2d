import type { Clock, TimerId } from '../runtime/index.js';

/** ms that sums of times may differ by. */
const ROUNDING_MS = 0.001;

/** Whose timer it is. */
export interface Expiring {
  timerExpired(): void;
}

/**
 * The one timer of a session. A step starts it and the answer stops it, over and over, and it hardly ever expires: so the clock's
 * timer is left alone where it does not go off too late, and set again when it has gone off too early.
 */
export class SessionTimer {
  readonly #clock: Clock;
  readonly #owner: Expiring;
  /** A timer of the clock; it may go off before {@link #deadline}, and then another follows. */
  #timer: TimerId | undefined;
  /** When {@link #timer} goes off. */
  #timerAt = Infinity;
  /** Infinity: stopped. */
  #deadline = Infinity;
  /** Tells a timer that is due from one that was stopped or started anew in the same turn. */
  #round = 0;

  constructor(clock: Clock, owner: Expiring) {
    this.#clock = clock;
    this.#owner = owner;
  }

  /** Starts it, anew if it runs. */
  start(ms: number): void {
    this.#round++;
    const now = this.#clock.now();
    this.#deadline = now + ms;
    if (this.#timer !== undefined && this.#timerAt <= this.#deadline) return;
    this.#clock.clearTimeout(this.#timer);
    this.#set(now);
  }

  stop(): void {
    this.#round++;
    this.#deadline = Infinity;
  }

  /** Stops it for good: nothing of it is left with the clock. */
  end(): void {
    this.stop();
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #set(now: number): void {
    this.#timerAt = this.#deadline;
    this.#timer = this.#clock.setTimeout(this.#due, this.#deadline - now);
  }

  readonly #due = (): void => {
    this.#timer = undefined;
    if (this.#deadline === Infinity) return;
    const now = this.#clock.now();
    if (this.#deadline - now > ROUNDING_MS) return this.#set(now);
    const round = this.#round;
    // In a later turn: input that has already arrived counts, also with M_WAIT 0 (C-10).
    this.#clock.defer(() => {
      if (round === this.#round) this.#owner.timerExpired();
    });
  };
}
