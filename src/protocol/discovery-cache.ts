/**
 * What discovery has found (RFC 8990 §2.5.4.3): an entry per objective, locator, protocol and port, with the
 * interface it was learnt on and its expiry. State and rules only; `now` (ms) comes from outside.
 */
import { isLinkLocal } from './address.js';
import {
  IPPROTO_TCP,
  MAX_UINT32,
  O_IPv4_LOCATOR,
  O_IPv6_LOCATOR,
  RESPONSE_TTL_ZERO_MS,
} from './constants.js';
import { locatorKey, ownLocator, usableInDivert } from './locator.js';
import type { WireLocator } from './messages.js';
import { Link, RecencyList } from './recency-list.js';

/** What a response says. */
export interface DiscoveredLocator {
  readonly locator: WireLocator;
  /** The interface the response came by. */
  readonly interface: string;
  /** ms, of the M_RESPONSE; 0 means 600,000. §2.8.5 */
  readonly ttlMs: number;
  /** It stood in an O_DIVERT. */
  readonly diverted: boolean;
  /** Came with it, and is taken for the value (see `rapidValue`). */
  readonly rapid?: RapidValue | undefined;
}

export interface CachedLocator {
  readonly locator: WireLocator;
  readonly interface: string;
  /** ms, on the clock of `now`. */
  readonly expiresAt: number;
  readonly diverted: boolean;
  /** The value that its M_RESPONSE carried (C-04, §9.5 conditions met), encoded. */
  readonly rapid?: RapidValue | undefined;
}

/** A value that came with a discovery's answer: RFC 8990 §2.5.6.3, or `rapid` of the older API (C-04). */
export interface RapidValue {
  readonly flags: number;
  readonly loopCount: number;
  /** Encoded. */
  readonly value: Uint8Array;
}

/** When a response of this ttl (ms) ends: "a value of zero … a time much more than" the default (§2.8.5). */
export function responseExpiry(ttlMs: number, now: number): number {
  return now + (ttlMs === 0 ? RESPONSE_TTL_ZERO_MS : ttlMs);
}

export interface DiscoveryCacheOptions {
  /** Entries of all objectives together; the one first learnt goes when a new one needs room. Default 10,000. */
  readonly maxEntries?: number | undefined;
  /** Entries of one objective, likewise, so that one busy name cannot drive out the others. Default 256. */
  readonly maxPerObjective?: number | undefined;
  /** Locators of one divert; more would not fit a message of 2048 bytes. Default 32. */
  readonly maxDivertLocators?: number | undefined;
}

export const DEF_CACHE_ENTRIES = 10_000;
export const DEF_CACHE_PER_OBJECTIVE = 256;
export const DEF_DIVERT_LOCATORS = 32;

interface Entry extends CachedLocator {
  readonly name: string;
  readonly key: string;
  /** Its place in the order of arrival, kept when it is renewed. */
  readonly place: Link<EntryKey>;
}

interface EntryKey {
  readonly name: string;
  readonly key: string;
}

export class DiscoveryCache {
  readonly #maxEntries: number;
  readonly #maxPerObjective: number;
  readonly #maxDivert: number;
  /** By objective, then by key, in the order of arrival. */
  readonly #names = new Map<string, Map<string, Entry>>();
  /** All of them in the order of arrival, for eviction. */
  readonly #order = new RecencyList<EntryKey>();

  constructor(options: DiscoveryCacheOptions = {}) {
    this.#maxEntries = options.maxEntries ?? DEF_CACHE_ENTRIES;
    this.#maxPerObjective = options.maxPerObjective ?? DEF_CACHE_PER_OBJECTIVE;
    this.#maxDivert = options.maxDivertLocators ?? DEF_DIVERT_LOCATORS;
  }

  /** Entries, those included that have expired but not been looked at since. */
  get size(): number {
    return this.#order.size;
  }

  /**
   * Takes what a response said. A known locator keeps its place and gets the new expiry; learnt both ways, it counts
   * as direct. `added` counts new locators, `evicted` those that had to go for them. The locators are copied.
   */
  add(name: string, entries: readonly DiscoveredLocator[], now: number): { added: number; evicted: number } {
    let added = 0;
    let evicted = 0;
    for (const found of entries) {
      const key = discoveredKey(found);
      const expiresAt = responseExpiry(found.ttlMs, now);
      let known = this.#names.get(name);
      const old = known?.get(key);
      if (old && old.expiresAt > now && found.diverted && !old.diverted) {
        const rapid = found.rapid ?? old.rapid;
        this.#put({ ...old, rapid, expiresAt: Math.max(expiresAt, old.expiresAt) });
        continue;
      }
      if (!old) {
        added++;
        if (known && known.size >= this.#maxPerObjective)
          evicted += this.#evict(known.values().next().value, now);
        if (this.#order.size >= this.#maxEntries) evicted += this.#evict(this.#oldest(), now);
        known = this.#names.get(name);
      }
      if (!known) this.#names.set(name, new Map());
      this.#put({
        name,
        key,
        locator: ownLocator(found.locator),
        interface: found.interface,
        expiresAt,
        diverted: found.diverted,
        rapid: found.rapid,
        place: old?.place ?? this.#newPlace({ name, key }),
      });
    }
    return { added, evicted };
  }

  /** The unexpired locators of an objective: direct ones before diverted ones, each group in order of arrival. */
  get(name: string, now: number): CachedLocator[] {
    const direct: CachedLocator[] = [];
    const diverted: CachedLocator[] = [];
    for (const entry of this.#unexpired(name, now)) {
      const { locator, interface: interfaceName, expiresAt, rapid } = entry;
      (entry.diverted ? diverted : direct).push({
        locator,
        interface: interfaceName,
        expiresAt,
        diverted: entry.diverted,
        ...(rapid && { rapid }),
      });
    }
    return direct.concat(diverted);
  }

  /**
   * What may be told to a discovery that came in by `incomingInterface` (§2.5.4.3): not what was learnt there, and
   * nothing that means something on one link only (§2.9.5.1–4). `ttl` is the shortest remaining lifetime in ms. IPv6
   * TCP locators stand first, because simple peers use the first alone. Undefined if there is nothing to tell.
   */
  forDivert(
    name: string,
    incomingInterface: string,
    now: number,
  ): { locators: WireLocator[]; ttl: number } | undefined {
    const usable = this.get(name, now).filter(
      (entry) => entry.interface !== incomingInterface && usableInDivert(entry.locator),
    );
    const chosen = usable
      .sort((a, b) => simplePeerRank(a.locator) - simplePeerRank(b.locator))
      .slice(0, this.#maxDivert);
    if (chosen.length === 0) return undefined;
    let ttl = MAX_UINT32;
    for (const { expiresAt } of chosen) ttl = Math.min(ttl, Math.max(1, Math.floor(expiresAt - now)));
    return { locators: chosen.map((entry) => entry.locator), ttl };
  }

  /**
   * Forgets entries whose remaining lifetime is at most `minimumTtlMs`; 0 forgets all of the objective (RFC 8991
   * §2.3.4, D-06). Returns how many unexpired ones went.
   */
  dropExpiring(name: string, minimumTtlMs: number, now: number): number {
    let dropped = 0;
    for (const entry of this.#unexpired(name, now)) {
      if (minimumTtlMs === 0 || entry.expiresAt - now <= minimumTtlMs) {
        this.#delete(entry);
        dropped++;
      }
    }
    return dropped;
  }

  /**
   * Forgets one locator of an objective, or all of them. For a link-local locator the interface belongs to it.
   * Returns how many went.
   */
  remove(name: string, entry?: { readonly locator: WireLocator; readonly interface: string }): number {
    const known = this.#names.get(name);
    if (!known) return 0;
    const gone = entry ? [known.get(discoveredKey(entry))] : [...known.values()];
    let removed = 0;
    for (const e of gone) {
      if (!e) continue;
      this.#delete(e);
      removed++;
    }
    return removed;
  }

  /** Forgets what was learnt on an interface that is gone. Returns how many entries went. */
  removeInterface(interfaceName: string): number {
    let removed = 0;
    for (const known of [...this.#names.values()]) {
      for (const entry of [...known.values()]) {
        if (entry.interface !== interfaceName) continue;
        this.#delete(entry);
        removed++;
      }
    }
    return removed;
  }

  /** Forgets everything. */
  clear(): void {
    for (const name of [...this.#names.keys()]) this.remove(name);
  }

  #unexpired(name: string, now: number): Entry[] {
    const entries: Entry[] = [];
    for (const entry of [...(this.#names.get(name)?.values() ?? [])]) {
      if (entry.expiresAt > now) entries.push(entry);
      else this.#delete(entry);
    }
    return entries;
  }

  /** Setting an existing key of a Map keeps its place. */
  #put(entry: Entry): void {
    this.#names.get(entry.name)!.set(entry.key, entry);
  }

  #newPlace(key: EntryKey): Link<EntryKey> {
    const place = new Link(key);
    this.#order.push(place);
    return place;
  }

  #oldest(): Entry | undefined {
    const oldest = this.#order.oldest?.value;
    return oldest && this.#names.get(oldest.name)?.get(oldest.key);
  }

  #evict(entry: Entry | undefined, now: number): number {
    if (!entry) return 0;
    this.#delete(entry);
    return entry.expiresAt > now ? 1 : 0;
  }

  #delete(entry: Entry): void {
    this.#order.remove(entry.place);
    const known = this.#names.get(entry.name);
    known?.delete(entry.key);
    if (known?.size === 0) this.#names.delete(entry.name);
  }
}

/** Equal for what is one entry. A link-local address is another one on every link: its interface is part of it. */
export function discoveredKey({
  locator,
  interface: name,
}: {
  readonly locator: WireLocator;
  readonly interface: string;
}): string {
  const isAddress = locator.type === O_IPv6_LOCATOR || locator.type === O_IPv4_LOCATOR;
  const key = locatorKey(locator);
  return isAddress && isLinkLocal(locator.address) ? `${name}|${key}` : key;
}

/** In an order that suits peers which use the first one only: IPv6 TCP in front, else as given. */
export function simplePeersFirst(locators: readonly WireLocator[]): WireLocator[] {
  return [...locators].sort((a, b) => simplePeerRank(a) - simplePeerRank(b));
}

function simplePeerRank(locator: WireLocator): number {
  return locator.type === O_IPv6_LOCATOR && locator.protocol === IPPROTO_TCP ? 0 : 1;
}
