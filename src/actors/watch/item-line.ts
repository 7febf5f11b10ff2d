import type { Clock } from '../../runtime/index.js';
import type { InspectionItem } from '../inspection-items.js';
import { Rate } from './selection.js';
import type { LineCounts, ViewerLine } from './viewer-line.js';

/** Snapshots that are owed to a reader that is behind; beyond, the one owed longest is let go. */
const MOST_OWED = 10_000;

/** Who tells a snapshot later than it was there. `S`: the snapshot. */
export interface Debtor<S> {
  pay(snapshot: S): void;
}

export interface ItemLineOptions {
  readonly line: ViewerLine;
  readonly clock: Clock;
  /** Name of the thread. */
  readonly thread: string;
  readonly maxPerSecond: number;
}

/**
 * The way of an inspection's items out of a thread: whether another may leave is asked before it is made, and to a reader
 * that is behind the newest snapshot of each actor is owed.
 */
export class ItemLine<S> {
  readonly thread: string;
  readonly #line: ViewerLine;
  readonly #clock: Clock;
  readonly #rate: Rate;
  /** Latest snapshot of what has moved on while the line was stalled. */
  readonly #owed = new Map<Debtor<S>, S>();
  #seq = 0;

  constructor({ line, clock, thread, maxPerSecond }: ItemLineOptions) {
    this.#line = line;
    this.#clock = clock;
    this.thread = thread;
    this.#rate = new Rate(maxPerSecond, () => clock.now());
  }

  get stalled(): boolean {
    return this.#line.stalled;
  }

  /** Whether enough is left of the rate to begin with another actor. */
  get roomy(): boolean {
    return this.#rate.roomy;
  }

  count(what: keyof LineCounts): void {
    this.#line.count(what);
  }

  /** Whether another item may leave; what may not is counted, and never made. */
  mayAdd(): boolean {
    if (this.#line.stalled) this.count('slow');
    else if (this.#rate.take()) return true;
    else this.count('rate');
    return false;
  }

  now(): number {
    return this.#clock.now();
  }

  /** The number of the next item. */
  next(): number {
    return this.#seq++;
  }

  add(item: InspectionItem): void {
    this.#line.add(item);
  }

  /** The newest state of each is kept; those in between are lost. */
  owe(debtor: Debtor<S>, snapshot: S): void {
    this.count('slow');
    this.#owed.delete(debtor);
    this.#owed.set(debtor, snapshot);
    if (this.#owed.size <= MOST_OWED) return;
    for (const oldest of this.#owed.keys()) {
      this.#owed.delete(oldest);
      return;
    }
  }

  /** The reader takes items again. */
  resume(): void {
    for (const [debtor, snapshot] of this.#owed) {
      if (this.#line.stalled) return;
      this.#owed.delete(debtor);
      debtor.pay(snapshot);
    }
  }

  close(): void {
    this.#owed.clear();
    this.#line.close();
  }
}
