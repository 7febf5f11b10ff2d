/** How often something may be done: "MUST limit the total rate at which it relays […] messages" (RFC 8990 §2.5.4.4, §2.5.6.2). */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #at: number | undefined;

  /** `ratePerSecond` in the long run, and `burst` at once after a pause. */
  constructor(ratePerSecond: number, burst: number) {
    this.#perMs = ratePerSecond / 1_000;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Whether it may be done at `now` (ms); nothing is counted. */
  ready(now: number): boolean {
    const passed = this.#at === undefined ? 0 : now - this.#at;
    if (this.#at === undefined || passed > 0) {
      this.#tokens = Math.min(this.#burst, this.#tokens + passed * this.#perMs);
      this.#at = now;
    }
    return this.#tokens >= 1;
  }

  /** Whether it may be done at `now` (ms); if so, it counts as done. */
  take(now: number): boolean {
    if (!this.ready(now)) return false;
    this.#tokens -= 1;
    return true;
  }

  /** How often it may be done at `now` (ms), one after the other; with a fraction. */
  left(now: number): number {
    this.ready(now);
    return this.#tokens;
  }

  /** What was counted does not count after all. */
  giveBack(): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + 1);
  }

  /** ms from `now` until it may be done again, 0 if it may be done now. */
  wait(now: number): number {
    return this.ready(now) ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs);
  }
}
