import ipaddr from 'ipaddr.js';
import type { Clock, TimerId } from '../../runtime/clock.js';
import { SubstrateError, type StreamErrorKind, type Target } from '../types.js';
import type { Connection } from './connection.js';
import type { SimulatedLink } from './link.js';
import { isOnSubnet } from './ipv4.js';
import type { Acceptor, Attachment, SimulatedNode } from './node.js';

/** Where a target leads from a node. */
export type Route =
  | { readonly to: 'self'; readonly local: Target; readonly remote: Target; readonly usable: () => boolean }
  | {
      readonly to: 'peer';
      readonly node: SimulatedNode;
      readonly link: SimulatedLink;
      readonly local: Target;
      readonly remote: Target;
      readonly usable: () => boolean;
    }
  /** On the link, but nobody answers for the address: the stack asks for its neighbour and gives up at last. */
  | { readonly to: 'silence' }
  | { readonly to: 'error'; readonly kind: StreamErrorKind; readonly message: string };

/** The route from a node to a target as things are now. `local.port` is still 0. */
export function findRoute(from: SimulatedNode, target: Target): Route {
  if (!ipaddr.isValid(target.address) || !(target.port > 0 && target.port <= 65_535)) {
    return { to: 'error', kind: 'local', message: `bad target ${target.address} port ${target.port}` };
  }
  const parsed = ipaddr.parse(target.address);
  const address = parsed.toString();
  const range = parsed.range();
  if (range === 'loopback' || (range !== 'linkLocal' && from.isOwn(address))) {
    const end = { address, port: target.port };
    const usable = (): boolean => range === 'loopback' || from.isOwn(address);
    return { to: 'self', remote: end, local: { ...end, port: 0 }, usable };
  }
  return range === 'linkLocal'
    ? linkLocalRoute(from, { ...target, address })
    : globalRoute(from, { ...target, address });
}

function linkLocalRoute(from: SimulatedNode, target: Target): Route {
  const { address, port, interface: name } = target;
  if (name === undefined) {
    return { to: 'error', kind: 'local', message: `link-local ${address} needs an interface` };
  }
  const own = from.attachments.find((a) => a.link.name === name && a.up);
  if (!own) return { to: 'error', kind: 'unreachable', message: `interface ${name} is down or gone` };
  const remote: Target = { address, port, interface: name };
  const localAddress = own.linkLocal;
  if (localAddress === undefined) {
    return { to: 'error', kind: 'unreachable', message: `interface ${name} has no IPv6 address` };
  }
  const local: Target = { address: localAddress, port: 0, interface: name };
  if (address === own.linkLocal) {
    return { to: 'self', local, remote, usable: () => own.up && own.linkLocal === address };
  }
  for (const [attachment, node] of own.link.members) {
    if (!attachment.up || attachment.linkLocal !== address) continue;
    const usable = (): boolean =>
      own.up && attachment.up && own.linkLocal === localAddress && attachment.linkLocal === address;
    return { to: 'peer', node, link: own.link, local, remote, usable };
  }
  return { to: 'silence' };
}

function globalRoute(from: SimulatedNode, target: Target): Route {
  const { address, port } = target;
  const remote: Target = { address, port };
  for (const own of from.attachments) {
    if (!own.up) continue;
    for (const [attachment, node] of own.link.members) {
      if (!attachment.up || !attachment.addresses.includes(address)) continue;
      const isV6 = address.includes(':');
      const source = own.addresses.find((candidate) => candidate.includes(':') === isV6);
      // Without an address of that family nothing leaves; IPv6 may use a link-local one.
      const fallback = isV6 ? own.linkLocal : undefined;
      const local: Target | undefined = source
        ? { address: source, port: 0 }
        : fallback === undefined
          ? undefined
          : { address: fallback, port: 0, interface: own.link.name };
      if (!local) continue;
      const usable = (): boolean =>
        own.up &&
        attachment.up &&
        attachment.addresses.includes(address) &&
        (own.addresses.includes(local.address) || own.linkLocal === local.address);
      return { to: 'peer', node, link: own.link, local, remote, usable };
    }
  }
  const onLink = (own: Attachment): boolean =>
    (own.ipv4 !== undefined && isOnSubnet(address, own.ipv4)) ||
    own.addresses.some((a) => samePrefix(a, address));
  if (from.attachments.some((own) => own.up && onLink(own))) {
    return { to: 'silence' };
  }
  return { to: 'error', kind: 'unreachable', message: `no route to ${address}` };
}

function samePrefix(a: string, b: string): boolean {
  if (!ipaddr.IPv6.isValid(a) || !ipaddr.IPv6.isValid(b)) return false;
  return ipaddr.IPv6.parse(b).match(ipaddr.IPv6.parse(a), 64);
}

/** A connect under way. */
export interface Attempt {
  start(outcome: ConnectOutcome): void;
  /** Stops; no outcome is told. */
  cancel(): void;
}

/** Told once, by one of the two. */
export interface ConnectOutcome {
  connected(connection: Connection, remote: Target, local: Target): void;
  failed(kind: StreamErrorKind, message: string): void;
}

/** After so long without a neighbour the stack gives up, ms: three solicitations, one second each (RFC 4861 §10). */
const NEIGHBOUR_GIVES_UP_MS = 3000;
/** A SYN that found the backlog full is repeated after so long, then after twice as long each time, ms (RFC 6298). */
const FIRST_RETRY_MS = 1000;

/** One connect under way: the SYN, its repetitions, its timeout. */
export class ConnectAttempt implements Attempt {
  readonly #timers = new Set<TimerId>();
  #outcome: ConnectOutcome | undefined;

  constructor(
    readonly clock: Clock,
    readonly target: Target,
    readonly timeoutMs: number,
    readonly route: () => Route,
    readonly delay: (route: Route) => number,
    /** Makes the connection with the listener found. */
    readonly establish: (
      route: Route & { to: 'self' | 'peer' },
      acceptor: Acceptor,
    ) => {
      connection: Connection;
      local: Target;
    },
    readonly self: SimulatedNode,
  ) {}

  start(outcome: ConnectOutcome): void {
    this.#outcome = outcome;
    this.#knock(FIRST_RETRY_MS);
    if (!this.#outcome) return;
    const timer = this.clock.setTimeout(() => {
      this.#fail('timeout', `no answer within ${this.timeoutMs} ms`);
    }, this.timeoutMs);
    this.#timers.add(timer);
  }

  /** Stops; no outcome is told. */
  cancel(): void {
    this.#outcome = undefined;
    for (const timer of this.#timers) this.clock.clearTimeout(timer);
    this.#timers.clear();
  }

  #knock(retryMs: number): void {
    const route = this.route();
    if (route.to === 'error') return this.#fail(route.kind, route.message);
    if (route.to === 'silence') {
      const { address } = this.target;
      return this.#after(NEIGHBOUR_GIVES_UP_MS, () =>
        this.#fail('unreachable', `${address} does not answer`),
      );
    }
    this.#after(this.delay(route), () => this.#arrive(route, retryMs));
  }

  #arrive(route: Route & { to: 'self' | 'peer' }, retryMs: number): void {
    const { port } = this.target;
    if (!route.usable()) return this.#after(retryMs, () => this.#knock(2 * retryMs));
    const acceptor = (route.to === 'self' ? this.self : route.node).acceptor(port);
    if (!acceptor) {
      return this.#after(this.delay(route), () => this.#fail('refused', `nobody listens on port ${port}`));
    }
    // The host's stack takes one more than the backlog says, then it drops what comes.
    if (acceptor.pending > acceptor.backlog) {
      return this.#after(retryMs, () => this.#knock(2 * retryMs));
    }
    const outcome = this.#outcome;
    try {
      const { connection, local } = this.establish(route, acceptor);
      this.cancel();
      outcome?.connected(connection, route.remote, local);
    } catch (error) {
      if (!(error instanceof SubstrateError)) throw error;
      this.#fail('local', error.message);
    }
  }

  #fail(kind: StreamErrorKind, message: string): void {
    const outcome = this.#outcome;
    this.cancel();
    outcome?.failed(kind, `connect to ${this.target.address} port ${this.target.port}: ${message}`);
  }

  #after(ms: number, fn: () => void): void {
    if (ms <= 0) return fn();
    const timer = this.clock.setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, ms);
    this.#timers.add(timer);
  }
}
