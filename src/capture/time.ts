/** Times of captures: text without loss, and observations in their order. */
import type { Observation } from './observation.js';

/** RFC 3339 in UTC with 6 or, where they are not 0, 9 digits. */
export function formatTime(ns: bigint): string {
  const perSecond = 1_000_000_000n;
  const fraction = ((ns % perSecond) + perSecond) % perSecond;
  const seconds = (ns - fraction) / perSecond;
  const digits = fraction.toString().padStart(9, '0');
  const date = new Date(Number(seconds) * 1000);
  // Beyond what a calendar date can be: the number itself.
  if (Number.isNaN(date.getTime())) return `${seconds}.${digits}`;
  return `${date.toISOString().slice(0, -5)}.${digits.endsWith('000') ? digits.slice(0, 6) : digits}Z`;
}

/**
 * Puts observations into the order of time. Captures of several interfaces are not quite in order; so the latest are
 * held back, and each leaves when as many others are behind it. What has no time is of the time of the one before.
 */
export class TimeOrder {
  readonly #emit: (observation: Observation) => void;
  readonly #held: { readonly time: bigint; readonly observation: Observation }[] = [];
  readonly #window: number;
  #latest = 0n;

  constructor(emit: (observation: Observation) => void, window = 1000) {
    this.#emit = emit;
    this.#window = window;
  }

  push(observation: Observation): void {
    const time = observation.place?.time ?? this.#latest;
    this.#latest = time;
    let at = this.#held.length;
    while (at > 0 && this.#held[at - 1]!.time > time) at--;
    this.#held.splice(at, 0, { time, observation });
    if (this.#held.length > this.#window) this.#emit(this.#held.shift()!.observation);
  }

  end(): void {
    for (const { observation } of this.#held.splice(0)) this.#emit(observation);
  }
}
