/** A seeded source of chance for the simulated network (mulberry32): small, fast, the same on every machine. */
export class Prng {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** True with the given probability; draws nothing for 0, so that a fault switched off changes no other one. */
  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability;
  }
}
