/** What a node has heard of the network: other nodes, what they offer, what was flooded, and how long it is remembered. */
import type { EngineStatus, InspectedLocator, InspectedMessage } from '../feed.js';

/** Most of each that are kept; the one heard of longest ago goes first. */
export const PEERS_KEPT = 200;
export const FLOODS_KEPT = 60;
export const REMEMBERED_KEPT = 500;
const DISCOVERIES_KEPT = 500;

/**
 * `relay`: passes on what others began. A `neighbour` passed on what one other address began: a relay, or that very node
 * by its address on this link.
 */
export type PeerRole = 'initiator' | 'responder' | 'relay' | 'neighbour';

/** Another node: a watched one by its name, any other by the address it is known by. */
export interface Peer {
  readonly name: string;
  readonly addresses: Set<string>;
  readonly roles: Set<PeerRole>;
  /** Whose messages it passed on. */
  readonly passedOn: Set<string>;
  /** `NODE INTERFACE`: where it was heard. */
  readonly links: Set<string>;
  /** Objectives it asked for, offered or flooded. */
  readonly objectives: Set<string>;
  heardAt: number;
}

/** One time a flood came to, or left, a watched node. */
export interface Hop {
  readonly node: string;
  readonly interface: string | undefined;
  readonly direction: 'sent' | 'received';
  /** The neighbour it came from. */
  readonly from: string | undefined;
  readonly loopCount: number;
  readonly at: number;
}

/** A flood, by (session id, initiator). */
export interface Flood {
  readonly key: string;
  readonly initiator: string;
  /** Of its first hop. */
  at: number;
  readonly ttl: number;
  readonly objectives: readonly { readonly name: string; readonly value: string | undefined }[];
  /** In the order of time. */
  readonly hops: Hop[];
}

/** What a node remembers of another one. */
export interface Remembered {
  readonly key: string;
  readonly node: string;
  readonly kind: 'flood' | 'locator';
  readonly objective: string;
  readonly value: string | undefined;
  readonly locator: string | undefined;
  readonly at: number;
  /** ms since the epoch; undefined: for ever. */
  readonly expiresAt: number | undefined;
}

/** The address alone, of `[fe80::1%eth0]:7017` or `192.0.2.1:7017`. */
export function addressOf(peer: string): string {
  const bracketed = /^\[([^\]%]+)(?:%[^\]]*)?\]/.exec(peer);
  if (bracketed?.[1] !== undefined) return bracketed[1];
  return peer.replace(/:\d+$/, '');
}

export function locatorText({ address, port, kind }: InspectedLocator): string {
  if (port === null) return address;
  return kind === 'ipv6' ? `[${address}]:${port}` : `${address}:${port}`;
}

export class Network {
  readonly peers = new Map<string, Peer>();
  readonly floods = new Map<string, Flood>();
  readonly remembered = new Map<string, Remembered>();
  /** What a discovery asked for, by its session id: an M_RESPONSE often does not repeat it. */
  readonly #asked = new Map<number, string>();
  /** Addresses of the watched nodes. */
  readonly #own = new Map<string, string>();
  version = 0;

  /** A watched node's name, else the address. */
  nameOf(address: string): string {
    return this.#own.get(address) ?? address;
  }

  /** The watched node that has this address. */
  nodeAt(address: string): string | undefined {
    return this.#own.get(address);
  }

  status(node: string, status: EngineStatus): void {
    for (const { addresses, linkLocal } of status.interfaces) {
      for (const address of [...addresses, ...(linkLocal === undefined ? [] : [linkLocal])]) {
        this.#own.set(address, node);
      }
    }
    this.version++;
  }

  heard(node: string, item: InspectedMessage): void {
    const names = item.objectives.map(({ name }) => name);
    switch (item.message) {
      case 'M_DISCOVERY':
        if (item.session !== undefined && names[0] !== undefined)
          keep(this.#asked, item.session, names[0], DISCOVERIES_KEPT);
        if (item.direction === 'received') this.#asking(node, item, names);
        break;
      case 'M_RESPONSE':
        if (item.direction === 'received') this.#answered(node, item);
        break;
      case 'M_FLOOD':
        if (item.direction === 'received') this.#asking(node, item, names);
        this.#flooded(node, item);
        break;
      default:
        if (item.peer !== undefined) {
          this.#peer(
            node,
            addressOf(item.peer),
            item,
            item.role === 'initiator' ? 'responder' : 'initiator',
            names,
          );
        }
    }
    this.version++;
  }

  /** Initiators, and relays: whoever passes on what another one began. */
  #asking(node: string, item: InspectedMessage, names: readonly string[]): void {
    const from = item.peer === undefined ? undefined : addressOf(item.peer);
    if (item.initiator !== undefined) this.#peer(node, item.initiator, item, 'initiator', names);
    if (from === undefined || item.initiator === undefined) return;
    const initiator = this.nameOf(item.initiator);
    if (this.nameOf(from) === initiator) return;
    const peer = this.#peer(node, from, item, 'neighbour', []);
    if (peer === undefined) return;
    if (peer.passedOn.size < 2) peer.passedOn.add(initiator);
    // A watched node is known by all its addresses.
    if (peer.passedOn.size < 2 && !this.#own.has(from)) return;
    peer.roles.delete('neighbour');
    peer.roles.add('relay');
  }

  #answered(node: string, item: InspectedMessage): void {
    const objective =
      item.objectives[0]?.name ?? (item.session === undefined ? undefined : this.#asked.get(item.session));
    const names = objective === undefined ? [] : [objective];
    const from = item.peer === undefined ? undefined : addressOf(item.peer);
    if (from !== undefined)
      this.#peer(node, from, item, item.diverted === true ? 'relay' : 'responder', names);
    for (const locator of item.locators ?? []) {
      if (item.diverted === true) this.#peer(node, locator.address, item, 'responder', names);
      if (objective === undefined) continue;
      const key = `${node} locator ${objective} ${locatorText(locator)}`;
      this.#remember({
        key,
        node,
        kind: 'locator',
        objective,
        value: undefined,
        locator: locatorText(locator),
        at: item.at,
        expiresAt: item.at + (item.ttl ?? 0),
      });
    }
  }

  #flooded(node: string, item: InspectedMessage): void {
    const { initiator = '', session = 0, ttl = 0, at } = item;
    const key = `${session} ${initiator}`;
    let flood = this.floods.get(key);
    if (flood === undefined) {
      const objectives = item.objectives.map(({ name, value }) => ({ name, value }));
      flood = { key, initiator, at, ttl, objectives, hops: [] };
      keep(this.floods, key, flood, FLOODS_KEPT);
    }
    flood.hops.push({
      node,
      interface: item.interface,
      direction: item.direction,
      from: item.peer === undefined ? undefined : addressOf(item.peer),
      loopCount: item.objectives[0]?.loopCount ?? 0,
      at,
    });
    // Threads tell at their own pace.
    flood.hops.sort((a, b) => a.at - b.at);
    flood.at = Math.min(flood.at, at);
    if (item.direction === 'sent') return;
    for (const { name, value, locator } of item.objectives) {
      const tag = locator === undefined ? undefined : locatorText(locator);
      this.#remember({
        // §2.8.11: one entry per name and locator.
        key: `${node} flood ${name} ${tag ?? ''}`,
        node,
        kind: 'flood',
        objective: name,
        value,
        locator: tag,
        at,
        expiresAt: ttl === 0 ? undefined : at + ttl,
      });
    }
  }

  #remember(entry: Remembered): void {
    keep(this.remembered, entry.key, entry, REMEMBERED_KEPT);
  }

  #peer(
    node: string,
    address: string,
    item: InspectedMessage,
    role: PeerRole,
    objectives: readonly string[],
  ): Peer | undefined {
    // One's own address comes back in answers.
    if (this.#own.get(address) === node) return undefined;
    const name = this.nameOf(address);
    const peer = this.peers.get(name) ?? {
      name,
      addresses: new Set(),
      roles: new Set(),
      passedOn: new Set(),
      links: new Set(),
      objectives: new Set(),
      heardAt: item.at,
    };
    peer.addresses.add(address);
    if (role !== 'neighbour' || !peer.roles.has('relay')) peer.roles.add(role);
    if (item.interface !== undefined) peer.links.add(`${node} ${item.interface}`);
    for (const objective of objectives) peer.objectives.add(objective);
    peer.heardAt = Math.max(peer.heardAt, item.at);
    keep(this.peers, name, peer, PEERS_KEPT);
    return peer;
  }
}

/** Sets it as the newest one, and lets the oldest go. */
function keep<K, V>(map: Map<K, V>, key: K, value: V, most: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
