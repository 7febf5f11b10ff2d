import type { Clock } from '../../runtime/clock.js';
import { GRASP_LISTEN_PORT } from '../../protocol/constants.js';
import { SubstrateError, type Target } from '../types.js';
import { ConnectAttempt, findRoute, type Route } from './connect.js';
import { NamedAttempt } from './named-attempt.js';
import { Connection } from './connection.js';
import { SimulatedLink, type LinkCounters } from './link.js';
import { NodePort, type Switchboard, type Way } from './node-port.js';
import { SimulatedNode, type Acceptor, type Attachment, type NodeOptions } from './node.js';
import { Prng } from './prng.js';

export interface SimulatedNetworkOptions {
  /** The clock of the creator's thread; virtual time only where every thread is inline. */
  readonly clock: Clock;
  /** Decides loss, delay, duplication and reordering: same seed, same behaviour. Default 1. */
  readonly seed?: number | undefined;
  /** Bytes of datagrams one engine thread may leave unhandled; beyond, they are dropped. Default 4 MiB. */
  readonly receiveBufferBytes?: number | undefined;
  /** The group's port, and that of unicasts. Default 7017, GRASP_LISTEN_PORT (RFC 8990 §2.6). */
  readonly port?: number | undefined;
}

/** Something sent, as {@link SimulatedNetwork.onTraffic} tells it. `bytes` is valid only during the call. */
export interface Traffic {
  readonly atMs: number;
  /** Name of the link; `lo` for what stays within a node. */
  readonly link: string;
  readonly kind: 'datagram' | 'stream';
  readonly node: string;
  readonly address: string;
  readonly port: number;
  /** The other node; absent for multicasts, which go to all. */
  readonly to?: { readonly node: string; readonly address: string; readonly port: number };
  readonly bytes: Uint8Array;
}

/**
 * Links and nodes in the memory of the thread that makes it. Each engine thread of a node gets one end of an
 * endpoint: `node.connectPort(endpoint)` here, `openSimulatedSubstrate(otherEnd, …)` there.
 *
 * Datagrams may be lost, delayed, doubled and reordered, from a seed; streams are reliable and in order, and wait
 * while their path is broken. What a node sends to itself is neither lost nor delayed.
 *
 * @example
 * const network = new SimulatedNetwork({ seed: 7, clock });
 * const gray = network.addNode('gray', { links: ['l1'] });
 * network.link('l1').set({ delayMs: 2, lossRate: 0.1 });
 */
export class SimulatedNetwork {
  readonly clock: Clock;
  readonly #links = new Map<string, SimulatedLink>();
  readonly #nodes = new Map<string, SimulatedNode>();
  readonly #names = new Map<string, readonly string[]>();
  readonly #connections = new Set<Connection>();
  readonly #parties = new WeakMap<Connection, readonly [Traffic['to'], Traffic['to']]>();
  readonly #observers = new Set<(traffic: Traffic) => void>();
  readonly #prng: Prng;
  readonly #receiveBufferBytes: number;
  readonly #port: number;
  /** What nodes send to themselves. */
  readonly #loopback: SimulatedLink;
  #closed = false;

  constructor(options: SimulatedNetworkOptions) {
    this.clock = options.clock;
    this.#prng = new Prng(options.seed ?? 1);
    this.#receiveBufferBytes = options.receiveBufferBytes ?? 4 * 1024 * 1024;
    this.#port = options.port ?? GRASP_LISTEN_PORT;
    this.#loopback = new SimulatedLink('lo', 0, this.#prng);
  }

  /** Adds a node; its links are made on first use. Throws a RangeError for a name in use. */
  addNode(name: string, options: NodeOptions): SimulatedNode {
    if (this.#closed) throw new SubstrateError('local', 'the network is closed');
    if (this.#nodes.has(name)) throw new RangeError(`node '${name}' exists`);
    const switchboard = this.#switchboard();
    const node = new SimulatedNode(name, this.#nodes.size + 1, options, {
      link: (linkName) => this.link(linkName),
      connect: (self, endpoint) => void new NodePort(self, endpoint, switchboard),
      unicast: (self, target, port, bytes) => this.#unicast(self, target, port, bytes),
      onChange: () => {
        for (const connection of this.#connections) connection.pump();
      },
    });
    this.#nodes.set(name, node);
    return node;
  }

  /** The node of that name; throws a RangeError if there is none. */
  node(name: string): SimulatedNode {
    const node = this.#nodes.get(name);
    if (!node) throw new RangeError(`no node '${name}'`);
    return node;
  }

  /** The link of that name, made if need be: its settings and counters. */
  link(name: string): SimulatedLink {
    let link = this.#links.get(name);
    if (!link) {
      link = new SimulatedLink(name, this.#links.size + 1, this.#prng);
      this.#links.set(name, link);
    }
    return link;
  }

  /** Gives a domain name its addresses, in order; none: the name is forgotten. What a resolver would tell. */
  setName(name: string, addresses: readonly string[]): void {
    if (addresses.length === 0) this.#names.delete(name.toLowerCase());
    else this.#names.set(name.toLowerCase(), [...addresses]);
  }

  /** A copy of the counters of every link, and of `lo`, what nodes said to themselves. */
  counters(): Record<string, LinkCounters> {
    const all = [...this.#links.values(), this.#loopback];
    return Object.fromEntries(all.map((link) => [link.name, { ...link.counters }]));
  }

  /** Calls back for everything sent, before its fate is known; returns the way to stop. */
  onTraffic(observer: (traffic: Traffic) => void): () => void {
    this.#observers.add(observer);
    return () => void this.#observers.delete(observer);
  }

  /** Ends the network: every thread's substrate is lost. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const node of this.#nodes.values()) for (const port of [...node.ports]) port.close();
    this.#observers.clear();
  }

  #switchboard(): Switchboard {
    return {
      clock: this.clock,
      receiveBufferBytes: this.#receiveBufferBytes,
      groupPort: this.#port,
      multicast: (node, from, way, port, bytes) => this.#multicast(node, from, way, port, bytes),
      connect: (port, streamId, target, timeoutMs) => {
        const { address: name, fqdn, port: number } = target;
        if (fqdn !== true) return this.#connect(port, streamId, target, timeoutMs);
        const found = (this.#names.get(name.toLowerCase()) ?? []).map((address) => ({
          address,
          port: number,
        }));
        return new NamedAttempt(this.clock, name, found, timeoutMs, (one, ms) =>
          this.#connect(port, streamId, one, ms),
        );
      },
      countStreamWrite: (connection, end, bytes, part) => this.#streamWrite(connection, end, bytes, part),
    };
  }

  #multicast(node: SimulatedNode, from: Attachment, way: Way, port: number, bytes: Uint8Array): void {
    const { link } = from;
    const { address, family } = way;
    link.counters.datagrams++;
    link.counters.datagramBytes += bytes.length;
    for (const observer of this.#observers) {
      const { name } = node;
      observer({
        atMs: this.clock.now(),
        link: link.name,
        kind: 'datagram',
        node: name,
        address,
        port,
        bytes,
      });
    }
    for (const [attachment, receiver] of link.members) {
      const arrive = (): void => {
        const speaks = family === 'ipv6' ? attachment.linkLocal : attachment.ipv4;
        if (!attachment.up || speaks === undefined || !receiver.hears(family)) return;
        // An IPv4 stack tells no interface: as on a real host, the source's subnet has to.
        const by = family === 'ipv6' ? attachment : receiver.onLink(address);
        for (const thread of receiver.ports) {
          if (!by) thread.unknownLink();
          else if (!thread.datagram(by, address, port, bytes)) link.counters.overflowed++;
        }
      };
      // The stack loops a node's own copies back without touching the link.
      if (attachment === from) arrive();
      else for (const delay of link.datagramDelays()) this.#after(delay, arrive);
    }
  }

  #unicast(node: SimulatedNode, target: Target, port: number, bytes: Uint8Array): void {
    const route = findRoute(node, target);
    if (route.to === 'error') throw new SubstrateError(route.kind, route.message);
    if (route.to === 'silence') return;
    const { address } = route.local;
    const link = route.to === 'peer' ? route.link : this.#loopback;
    link.counters.datagrams++;
    link.counters.datagramBytes += bytes.length;
    const to = { node: (route.to === 'peer' ? route.node : node).name, ...route.remote };
    for (const observer of this.#observers) {
      const { name } = node;
      const atMs = this.clock.now();
      observer({ atMs, link: link.name, kind: 'datagram', node: name, address, port, to, bytes });
    }
    const receiver = this.node(to.node);
    const arrive = (): void => {
      const held = receiver.holder(route.remote.address);
      if (!held || target.port !== this.#port || !route.usable()) return;
      for (const thread of receiver.ports) {
        if (!thread.unicast(held, address, port, bytes)) link.counters.overflowed++;
      }
    };
    if (route.to === 'self') arrive();
    else for (const delay of link.datagramDelays()) this.#after(delay, arrive);
  }

  #connect(port: NodePort, streamId: number, target: Target, timeoutMs: number): ConnectAttempt {
    const { node } = port;
    const route = (): Route => findRoute(node, target);
    const delay = (found: Route): number => (found.to === 'peer' ? found.link.delay() : 0);
    const establish = (
      found: Route & { to: 'self' | 'peer' },
      acceptor: Acceptor,
    ): { connection: Connection; local: Target } => {
      const peer = found.to === 'peer' ? found.node : node;
      const link = found.to === 'peer' ? found.link : undefined;
      const local: Target = { ...found.local, port: node.takePort() };
      // Interfaces bear their link's name, so each end's view is the other's turned round.
      const far = acceptor.owner.offer(acceptor, local, found.remote);
      const connection = new Connection(
        this.clock,
        link,
        [port.end(streamId), far],
        found.usable,
        (closed) => {
          this.#connections.delete(closed);
          node.returnPort(local.port);
        },
      );
      acceptor.owner.own(far.id, connection, 1);
      this.#connections.add(connection);
      this.#parties.set(connection, [
        { node: node.name, address: local.address, port: local.port },
        { node: peer.name, address: found.remote.address, port: found.remote.port },
      ]);
      (link ?? this.#loopback).counters.streams++;
      return { connection, local };
    };
    return new ConnectAttempt(this.clock, target, timeoutMs, route, delay, establish, node);
  }

  #streamWrite(connection: Connection, end: 0 | 1, bytes: Uint8Array, part: boolean): void {
    const link = connection.link ?? this.#loopback;
    if (!part) link.counters.streamMessages++;
    link.counters.streamBytes += bytes.length;
    if (this.#observers.size === 0) return;
    const parties = this.#parties.get(connection)!;
    const from = parties[end]!;
    const to = parties[1 - end]!;
    for (const observer of this.#observers) {
      observer({ atMs: this.clock.now(), link: link.name, kind: 'stream', ...from, to, bytes });
    }
  }

  #after(ms: number, fn: () => void): void {
    if (ms <= 0) fn();
    else this.clock.setTimeout(fn, ms);
  }
}
