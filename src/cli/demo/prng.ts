/** A small seeded generator for the demo's characters: chance is an argument here, so that a seed tells one story. */

/** Mixes numbers into one 32-bit seed (FNV-1a over their bytes). */
export function mixSeed(...parts: readonly number[]): number {
  let hash = 0x811c9dc5;
  for (const part of parts) {
    for (let shift = 0; shift < 32; shift += 8) {
      hash = Math.imul(hash ^ ((part >>> shift) & 0xff), 0x01000193);
    }
  }
  return hash >>> 0;
}

/** xorshift32, warmed up; the same seed gives the same numbers everywhere. */
export class Dice {
  #state: number;

  constructor(...seed: readonly number[]) {
    this.#state = mixSeed(...seed) || 1;
    for (let i = 0; i < 8; i++) this.#next();
  }

  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + (this.#next() % (most - least + 1));
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.between(1, n) === 1;
  }

  /** One of the items. */
  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.between(0, items.length - 1)] as T;
  }
}
