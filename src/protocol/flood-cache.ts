/**
 * What floods have brought (RFC 8990 §2.8.11): an entry per objective and tag, for the ASAs of this node. "If an
 * objective is received with the same name and tag, it is overwritten"; another tag makes another entry. State and
 * rules only; `now` (ms) comes from outside.
 */
import { locatorKey, ownLocator } from './locator.js';
import type { FloodEntry, WireLocator } from './messages.js';
import { Link, RecencyList } from './recency-list.js';

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

/** What the cache keeps of one entry: its place among all, and among those of its name. */
interface Entry {
  readonly key: string;
  record: CachedFlood;
  readonly inAll: Link<Entry>;
  readonly inName: Link<Entry>;
}

export class FloodCache {
  readonly #maxEntries: number;
  readonly #maxPerObjective: number;
  readonly #byKey = new Map<string, Entry>();
  readonly #all = new RecencyList<Entry>();
  readonly #names = new Map<string, RecencyList<Entry>>();
  #sweptAt = -Infinity;

  constructor(options: FloodCacheOptions = {}) {
    this.#maxEntries = options.maxEntries ?? DEF_FLOOD_ENTRIES;
    this.#maxPerObjective = options.maxPerObjective ?? DEF_FLOODS_PER_OBJECTIVE;
  }

  /** Entries, with those that have expired but not been looked at since. */
  get size(): number {
    return this.#all.size;
  }

  /**
   * Takes the pairs of one flood, all of them synchronization objectives. Returns how many unexpired entries had to
   * go for them. Everything is copied.
   */
  add(pairs: readonly FloodEntry[], origin: FloodOrigin, now: number): number {
    const initiator = new Uint8Array(origin.initiator);
    // §2.8.11: "zero indicates an indefinite lifetime".
    const expiresAt = origin.ttl === 0 ? 0 : now + origin.ttl;
    let evicted = 0;
    for (const { objective, locator } of pairs) {
      const { name, flags, loopCount, value } = objective;
      const record: CachedFlood = {
        objective: { name, flags, loopCount },
        value: value && new Uint8Array(value),
        locator: locator && ownLocator(locator),
        interface: origin.interface,
        expiresAt,
        initiator,
      };
      const key = entryKey(name, locator);
      const known = this.#byKey.get(key);
      if (known) {
        known.record = record;
        this.#renew(known, this.#names.get(name)!);
      } else {
        evicted += this.#makeRoom(name, now);
        this.#insert(key, record);
      }
    }
    return evicted;
  }

  /** The unexpired entries of an objective, flooded last first (D-13). */
  get(name: string, now: number): CachedFlood[] {
    const records: CachedFlood[] = [];
    let link = this.#names.get(name)?.newest;
    while (link) {
      const { older, value: entry } = link;
      if (hasExpired(entry, now)) this.#delete(entry);
      else records.push(entry.record);
      link = older;
    }
    return records;
  }

  /** Forgets the entry with this name and tag, whatever its ttl (api.md 4.18). Whether an unexpired one was there. */
  remove(name: string, locator: WireLocator | undefined, now: number): boolean {
    const entry = this.#byKey.get(entryKey(name, locator));
    if (!entry) return false;
    this.#delete(entry);
    return !hasExpired(entry, now);
  }

  #makeRoom(name: string, now: number): number {
    const ofName = this.#names.get(name);
    if (ofName && ofName.size >= this.#maxPerObjective) return this.#evict(ofName.oldest!.value, now);
    if (this.#all.size < this.#maxEntries) return 0;
    if (now - this.#sweptAt >= SWEEP_INTERVAL_MS) {
      this.#sweptAt = now;
      for (const entry of this.#byKey.values()) if (hasExpired(entry, now)) this.#delete(entry);
      if (this.#all.size < this.#maxEntries) return 0;
    }
    return this.#evict(this.#all.oldest!.value, now);
  }

  /** Returns how many unexpired entries went. */
  #evict(entry: Entry, now: number): number {
    this.#delete(entry);
    return hasExpired(entry, now) ? 0 : 1;
  }

  #insert(key: string, record: CachedFlood): void {
    const entry = { key, record } as { -readonly [K in keyof Entry]: Entry[K] };
    entry.inAll = new Link(entry);
    entry.inName = new Link(entry);
    this.#byKey.set(key, entry);
    this.#all.push(entry.inAll);
    const { name } = record.objective;
    let ofName = this.#names.get(name);
    if (!ofName) this.#names.set(name, (ofName = new RecencyList()));
    ofName.push(entry.inName);
  }

  /** What was flooded last stands in front (D-13), and goes last. */
  #renew(entry: Entry, ofName: RecencyList<Entry>): void {
    this.#all.remove(entry.inAll);
    this.#all.push(entry.inAll);
    ofName.remove(entry.inName);
    ofName.push(entry.inName);
  }

  #delete(entry: Entry): void {
    this.#byKey.delete(entry.key);
    this.#all.remove(entry.inAll);
    const { name } = entry.record.objective;
    const ofName = this.#names.get(name)!;
    ofName.remove(entry.inName);
    if (ofName.size === 0) this.#names.delete(name);
  }
}

function hasExpired({ record }: Entry, now: number): boolean {
  return record.expiresAt !== 0 && record.expiresAt <= now;
}

/** A name holds any character; its length keeps it apart from the tag. */
function entryKey(name: string, locator: WireLocator | undefined): string {
  return `${name.length} ${name}${locator ? locatorKey(locator) : ''}`;
}
