import type { Watcher } from './watcher.js';

/**
 * Named counts of what an actor did, dropped or refused. Names are dotted: `<where>.<what>`. All owners of a host share
 * one of these, and find here whom they tell what they do.
 */
export class Counters {
  readonly #counts = new Map<string, number>();

  /** Undefined while nobody watches this host. */
  watcher: Watcher | undefined = undefined;

  add(name: string, n = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + n);
    this.watcher?.counted(name, n);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** A copy, sorted by name. */
  snapshot(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
