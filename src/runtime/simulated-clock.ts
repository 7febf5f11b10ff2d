import type { Clock, TimerId } from './clock.js';

interface Timer {
  readonly at: number;
  readonly order: number;
  fn: () => void;
  cancelled: boolean;
}

/**
 * Virtual time: nothing happens until {@link advance} or {@link settle} is awaited. Between two turns the host's
 * promises settle, so code under test may use `await` freely.
 *
 * @example
 * const clock = new SimulatedClock();
 * const grasp = await Grasp.start({ substrate, placement: 'inline', clock });
 * const found = asa.discover('EX3');
 * await clock.advance(600);
 */
export class SimulatedClock implements Clock {
  #now: number;
  #order = 0;
  #turns: (() => void)[] = [];
  readonly #heap: Timer[] = [];
  /** Work outside of the clock that is under way. */
  #outside = 0;

  /** @param startMs the time at the beginning, ms since the epoch; default 0. */
  constructor(startMs = 0) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(fn: () => void, ms: number): TimerId {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, fn, cancelled: false };
    this.#push(timer);
    return timer;
  }

  clearTimeout(id: TimerId | undefined): void {
    if (!id) return;
    const timer = id as Timer;
    timer.cancelled = true;
    // It stays in the heap until it is due, which may be long; what it would have done need not.
    timer.fn = nothing;
  }

  soon(fn: () => void): void {
    this.defer(fn);
  }

  defer(fn: () => void): void {
    this.#turns.push(fn);
  }

  standStill(work: Promise<unknown>): void {
    this.#outside++;
    const over = (): void => void this.#outside--;
    work.then(over, over);
  }

  /** Lets `ms` of virtual time pass, running every turn and timer that falls into it, in order. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.settle();
    for (let timer = this.#due(end); timer; timer = this.#due(end)) {
      this.#now = timer.at;
      timer.fn();
      await this.settle();
    }
    this.#now = end;
  }

  /** Runs all turns that are due now, until none is left and no code is being loaded. A livelock fails after `maxTurns`. */
  async settle(maxTurns = 1_000_000): Promise<void> {
    let left = maxTurns;
    do {
      while (this.#turns.length > 0) {
        const turns = this.#turns;
        this.#turns = [];
        for (const turn of turns) {
          if (left-- === 0) throw new Error(`not idle after ${maxTurns} turns at ${this.#now} ms`);
          turn();
        }
        await hostTurn();
      }
      await hostTurn();
    } while (this.#turns.length > 0 || this.#outside > 0);
  }

  /** Advances from timer to timer until nothing is left to do, at most `maxMs` of virtual time. */
  async runUntilIdle(maxMs = 3_600_000): Promise<void> {
    const end = this.#now + maxMs;
    await this.settle();
    for (let timer = this.#due(end); timer; timer = this.#due(end)) {
      this.#now = timer.at;
      timer.fn();
      await this.settle();
    }
  }

  /** Runs until `promise` has settled, advancing as far as needed, at most `maxMs`; for tests and demos. */
  async until<T>(promise: Promise<T>, maxMs = 3_600_000): Promise<T> {
    let settled = false;
    const mark = (): void => void (settled = true);
    promise.then(mark, mark);
    const end = this.#now + maxMs;
    await this.settle();
    while (!settled) {
      const timer = this.#due(end);
      if (!timer) throw new Error(`still waiting at ${this.#now} ms of virtual time, and nothing left to do`);
      this.#now = timer.at;
      timer.fn();
      await this.settle();
    }
    return promise;
  }

  #due(end: number): Timer | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (!first || (!first.cancelled && first.at > end)) return undefined;
      this.#pop();
      if (!first.cancelled) return first;
    }
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let i = heap.push(timer) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(timer, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}

function nothing(): void {}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** One real turn of the host: lets every promise settle. No time is read or waited for. */
function hostTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
