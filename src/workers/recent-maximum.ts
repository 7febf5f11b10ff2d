/** The largest of what was noted lately: in the last period, and in the one before it. */
export class RecentMaximum {
  readonly #periodMs: number;
  #since: number | undefined;
  #now: number | undefined;
  #before: number | undefined;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  note(value: number, now: number): void {
    this.#turn(now);
    this.#now = Math.max(this.#now ?? 0, value);
  }

  /** Undefined: nothing was noted in one to two periods. */
  at(now: number): number | undefined {
    this.#turn(now);
    if (this.#now === undefined) return this.#before;
    return Math.max(this.#now, this.#before ?? 0);
  }

  #turn(now: number): void {
    this.#since ??= now;
    const passed = now - this.#since;
    if (passed < this.#periodMs) return;
    this.#before = passed < 2 * this.#periodMs ? this.#now : undefined;
    this.#now = undefined;
    this.#since = now;
  }
}
