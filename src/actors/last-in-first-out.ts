/** A bounded waiting place: the newest is taken first, and when it is full the oldest makes room. */
export class LastInFirstOut<T> {
  /** From `#oldest` on; what stands before has gone. */
  #items: (T | undefined)[] = [];
  #oldest = 0;

  constructor(private readonly limit: number) {}

  get size(): number {
    return this.#items.length - this.#oldest;
  }

  /** The oldest, which stays. */
  get first(): T | undefined {
    return this.#items[this.#oldest];
  }

  /** Returns what had to go: the oldest, or the new one where there is no place at all. */
  push(item: T): T | undefined {
    if (this.limit <= 0) return item;
    const gone = this.size >= this.limit ? this.shift() : undefined;
    this.#items.push(item);
    return gone;
  }

  /** Takes the newest. */
  pop(): T | undefined {
    if (this.size === 0) return undefined;
    const newest = this.#items.pop();
    if (this.size === 0) this.clear();
    return newest;
  }

  /** Takes the oldest. */
  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const oldest = this.#items[this.#oldest];
    this.#items[this.#oldest++] = undefined;
    if (this.#oldest > 64 && this.#oldest * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#oldest);
      this.#oldest = 0;
    }
    return oldest;
  }

  clear(): void {
    this.#items = [];
    this.#oldest = 0;
  }
}
