/**
 * Who wants to be told of an objective's floods (`flood.watch`). However many floods change an entry in one turn,
 * a watcher is told once; one that is behind is told when it has caught up, and then only how things are.
 */
import type { Clock } from '../runtime/index.js';

export interface FloodWatchesOptions {
  readonly clock: Clock;
  readonly isCongested: (client: string) => boolean;
  /** Tells what the cache holds now. */
  readonly tell: (watch: FloodWatch) => void;
}

export interface FloodWatch {
  readonly client: string;
  readonly call: number;
  readonly objective: string;
}

export class FloodWatches {
  readonly #options: FloodWatchesOptions;
  /** By objective, then by client and call. */
  readonly #watches = new Map<string, Map<string, FloodWatch>>();
  readonly #byCall = new Map<string, FloodWatch>();
  /** To be told at the end of the turn, or when their client has caught up. */
  #due = new Set<FloodWatch>();
  #scheduled = false;

  constructor(options: FloodWatchesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#byCall.size;
  }

  add(watch: FloodWatch): void {
    const key = keyOf(watch.client, watch.call);
    this.#byCall.set(key, watch);
    const known = this.#watches.get(watch.objective);
    if (known) known.set(key, watch);
    else this.#watches.set(watch.objective, new Map([[key, watch]]));
    this.#due.add(watch);
    this.#schedule();
  }

  cancel(client: string, call: number): void {
    const watch = this.#byCall.get(keyOf(client, call));
    if (watch) this.#remove(watch);
  }

  /** The entries of an objective have changed. */
  changed(objective: string): void {
    const watches = this.#watches.get(objective);
    if (!watches) return;
    for (const watch of watches.values()) this.#due.add(watch);
    this.#schedule();
  }

  /** The client has caught up. */
  credit(): void {
    if (this.#due.size > 0) this.#schedule();
  }

  clientGone(client: string): void {
    for (const watch of [...this.#byCall.values()]) if (watch.client === client) this.#remove(watch);
  }

  /** Ends all; returns them, to be told. */
  clear(): FloodWatch[] {
    const watches = [...this.#byCall.values()];
    this.#byCall.clear();
    this.#watches.clear();
    this.#due.clear();
    return watches;
  }

  #remove(watch: FloodWatch): void {
    const key = keyOf(watch.client, watch.call);
    this.#byCall.delete(key);
    this.#due.delete(watch);
    const ofObjective = this.#watches.get(watch.objective);
    ofObjective?.delete(key);
    if (ofObjective?.size === 0) this.#watches.delete(watch.objective);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.clock.defer(() => {
      this.#scheduled = false;
      const due = this.#due;
      this.#due = new Set();
      for (const watch of due) {
        if (this.#options.isCongested(watch.client)) this.#due.add(watch);
        else this.#options.tell(watch);
      }
    });
  }
}

function keyOf(client: string, call: number): string {
  return `${call} ${client}`;
}
