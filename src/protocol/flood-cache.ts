/**
 * What floods have brought (RFC 8990 §2.8.11): an entry per objective and tag, for the ASAs of this node. "If an
 * objective is received with the same name and tag, it is overwritten"; another tag makes another entry. State and
 * rules only; `now` (ms) comes from outside.
 */
import { locatorKey, ownLocator } from './locator.js';
import type { FloodEntry, WireLocator } from './messages.js';

/** One entry. Immutable, and shares no memory with a message. */
export interface CachedFlood {
  readonly objective: {
    readonly name: string;
    readonly flags: number;
    /** As received. */
    readonly loopCount: number;
  };
  /** Encoded; undefined: it was flooded without value (D-12). */
  readonly value: Uint8Array | undefined;
  /** The tag; undefined: none. */
  readonly locator: WireLocator | undefined;
  /** Interface it came by; '' for what was flooded here. */
  readonly interface: string;
  /** ms, on the clock of `now`; 0: never. */
  readonly expiresAt: number;
  /** Initiator field of the flood, 4 or 16 bytes. */
  readonly initiator: Uint8Array;
}

/** What the pairs of one flood have in common. */
export interface FloodOrigin {
  readonly interface: string;
  /** ms; 0: never expires. §2.8.11 */
  readonly ttl: number;
  readonly initiator: Uint8Array;
}

export interface FloodCacheOptions {
  /** Entries of all objectives together; the one flooded longest ago goes when a new one needs room. */
  readonly maxEntries?: number | undefined;
  /** Entries of one objective, likewise, so that one busy name cannot drive out the others. */
  readonly maxPerObjective?: number | undefined;
}

export const DEF_FLOOD_ENTRIES = 10_000;
export const DEF_FLOODS_PER_OBJECTIVE = 1_000;

/** ms between two searches of a full cache for what has expired. */
const SWEEP_INTERVAL_MS = 1_000;

interface Entry {
  readonly key: string;
  readonly record: CachedFlood;
}

export class FloodCache {
  readonly #maxEntries: number;
  readonly #maxPerObjective: number;
  /** By objective, then by key, the one flooded longest ago first. */
  readonly #names = new Map<string, Map<string, Entry>>();
  /** All of them by key, in the same order, for eviction. */
  readonly #order = new Map<string, Entry>();
  #sweptAt = -Infinity;

  constructor(options: FloodCacheOptions = {}) {
    this.#maxEntries = options.maxEntries ?? DEF_FLOOD_ENTRIES;
    this.#maxPerObjective = options.maxPerObjective ?? DEF_FLOODS_PER_OBJECTIVE;
  }

  /** Entries, with those that have expired but not been looked at since. */
  get size(): number {
    return this.#order.size;
  }

  /**
   * Takes the pairs of one flood, all of them synchronization objectives. Returns how many unexpired entries had to
   * go for them. Everything is copied.
   */
  add(pairs: readonly FloodEntry[], origin: FloodOrigin, now: number): number {
    const initiator = Uint8Array.from(origin.initiator);
    // §2.8.11: "zero … indefinite".
    const expiresAt = origin.ttl === 0 ? 0 : now + origin.ttl;
    let evicted = 0;
    for (const { objective, locator } of pairs) {
      const { name, flags, loopCount, value } = objective;
      const key = entryKey(name, locator);
      const known = this.#order.get(key);
      // Taken out first, so that it moves to the end: what was flooded last is listed first (D-13).
      if (known) this.#delete(known);
      else evicted += this.#makeRoom(name, now);
      const entry: Entry = {
        key,
        record: {
          objective: { name, flags, loopCount },
          value: value && Uint8Array.from(value),
          locator: locator && ownLocator(locator),
          interface: origin.interface,
          expiresAt,
          initiator,
        },
      };
      this.#order.set(key, entry);
      const ofName = this.#names.get(name);
      if (ofName) ofName.set(key, entry);
      else this.#names.set(name, new Map([[key, entry]]));
    }
    return evicted;
  }

  /** The unexpired entries of an objective, flooded last first. */
  get(name: string, now: number): CachedFlood[] {
    const records: CachedFlood[] = [];
    for (const entry of [...(this.#names.get(name)?.values() ?? [])]) {
      if (hasExpired(entry, now)) this.#delete(entry);
      else records.push(entry.record);
    }
    return records.reverse();
  }

  /** Forgets the entry with this name and tag, whatever its ttl (api.md 4.18). Whether an unexpired one was there. */
  remove(name: string, locator: WireLocator | undefined, now: number): boolean {
    const entry = this.#order.get(entryKey(name, locator));
    if (!entry) return false;
    this.#delete(entry);
    return !hasExpired(entry, now);
  }

  #makeRoom(name: string, now: number): number {
    const ofName = this.#names.get(name);
    if (ofName && ofName.size >= this.#maxPerObjective) return this.#evictFirst(ofName, now);
    if (this.#order.size < this.#maxEntries) return 0;
    if (now - this.#sweptAt >= SWEEP_INTERVAL_MS) {
      this.#sweptAt = now;
      for (const entry of this.#order.values()) if (hasExpired(entry, now)) this.#delete(entry);
      if (this.#order.size < this.#maxEntries) return 0;
    }
    return this.#evictFirst(this.#order, now);
  }

  /** Returns how many unexpired entries went. */
  #evictFirst(entries: ReadonlyMap<string, Entry>, now: number): number {
    for (const entry of entries.values()) {
      this.#delete(entry);
      return hasExpired(entry, now) ? 0 : 1;
    }
    return 0;
  }

  #delete({ key, record }: Entry): void {
    this.#order.delete(key);
    const { name } = record.objective;
    const ofName = this.#names.get(name);
    ofName?.delete(key);
    if (ofName?.size === 0) this.#names.delete(name);
  }
}

function hasExpired({ record }: Entry, now: number): boolean {
  return record.expiresAt !== 0 && record.expiresAt <= now;
}

/** A name holds any character; its length keeps it apart from the tag. */
function entryKey(name: string, locator: WireLocator | undefined): string {
  return `${name.length} ${name}${locator ? locatorKey(locator) : ''}`;
}
