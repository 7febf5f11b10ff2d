/** Slots that stay when everything has gone. */
const LEAST_SLOTS = 256;

/**
 * Objects by number, for what comes and goes at a high rate: sessions, calls. What is removed is forgotten at once,
 * which is not so with a `Map` (see `RecencyList` in `src/protocol`). Open addressing with linear probing; an entry that
 * goes lets those behind it move up, so that nothing is ever left to be cleaned away.
 */
export class NumberTable<V extends object> {
  #keys: number[] = new Array<number>(LEAST_SLOTS).fill(0);
  #values: (V | undefined)[] = new Array<V | undefined>(LEAST_SLOTS).fill(undefined);
  #mask = LEAST_SLOTS - 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: number): V | undefined {
    return this.#values[this.#find(key)];
  }

  has(key: number): boolean {
    return this.get(key) !== undefined;
  }

  set(key: number, value: V): void {
    const slot = this.#find(key);
    if (this.#values[slot] === undefined) {
      this.#keys[slot] = key;
      this.#size++;
    }
    this.#values[slot] = value;
    // At most half full: searches stay short.
    if (this.#size * 2 > this.#mask) this.#resize((this.#mask + 1) * 2);
  }

  delete(key: number): boolean {
    let hole = this.#find(key);
    if (this.#values[hole] === undefined) return false;
    this.#values[hole] = undefined;
    this.#size--;
    for (
      let slot = (hole + 1) & this.#mask;
      this.#values[slot] !== undefined;
      slot = (slot + 1) & this.#mask
    ) {
      // What would not be found behind the hole moves into it.
      const home = this.#home(this.#keys[slot]!);
      if (((slot - home) & this.#mask) < ((slot - hole) & this.#mask)) continue;
      this.#keys[hole] = this.#keys[slot]!;
      this.#values[hole] = this.#values[slot];
      this.#values[slot] = undefined;
      hole = slot;
    }
    if (this.#mask >= LEAST_SLOTS && this.#size * 16 < this.#mask) this.#resize((this.#mask + 1) / 2);
    return true;
  }

  clear(): void {
    this.#size = 0;
    this.#resize(LEAST_SLOTS);
  }

  /** A copy, in no particular order. */
  values(): V[] {
    return this.#values.filter((value) => value !== undefined);
  }

  #home(key: number): number {
    const mixed = Math.imul(key, 0x9e37_79b1);
    return (mixed ^ (mixed >>> 15)) & this.#mask;
  }

  /** The key's slot, or the free one where it would be. */
  #find(key: number): number {
    let slot = this.#home(key);
    while (this.#values[slot] !== undefined && this.#keys[slot] !== key) slot = (slot + 1) & this.#mask;
    return slot;
  }

  #resize(slots: number): void {
    const [keys, values] = [this.#keys, this.#values];
    this.#keys = new Array<number>(slots).fill(0);
    this.#values = new Array<V | undefined>(slots).fill(undefined);
    this.#mask = slots - 1;
    if (this.#size === 0) return;
    for (const [i, value] of values.entries()) {
      if (value === undefined) continue;
      const slot = this.#find(keys[i]!);
      this.#keys[slot] = keys[i]!;
      this.#values[slot] = value;
    }
  }
}
