/**
 * Owner of the discovery cache and of every discovery session of the engine (RFC 8990 §2.5.4), in the core.
 * Clients ask over their data ports; what is found goes back as it arrives.
 */
import type { Actor } from 'xstate';
import {
  DiscoveryCache,
  DISCOVERY_TIMEOUT_PER_HOP_MS,
  encodeMessage,
  ErrorCode,
  GRASP_DEF_MAX_SIZE,
  M_DISCOVERY,
  MAX_MULTICAST_SIZE,
  MessageFramer,
  RESPONSE_TTL_ZERO_MS,
  decodeMessage,
  parseAddress,
  locatorKey,
  ownLocator,
  M_RESPONSE,
  type CachedLocator,
  type DiscoveredLocator,
  type ResponseMessage,
  type WireLocator,
} from '../protocol/index.js';
import type { Clock, TimerId, Counters } from '../runtime/index.js';
import type { PortPair, Stream, Substrate } from '../substrate/types.js';
import type { FromCore, ToCore } from './core-protocol.js';
import { discoverySessionMachine, type DiscoverySessionPort } from './discovery-session.js';
import type { CoreLimits } from './limits.js';
import { census, startActor, type ActorCount, type QueueStatus } from './machine-host.js';
import { responseConnectionMachine, type ResponseConnectionPort } from './response-connection.js';
import type { Failure } from './session-protocol.js';
import { StreamLinger } from './stream-linger.js';

export interface DiscoveriesOptions {
  readonly clock: Clock;
  readonly substrate: Substrate;
  readonly counters: Counters;
  readonly limits: CoreLimits;
  readonly nextSessionId: () => number;
  /** The ports discoveries are sent from. */
  readonly pairs: () => readonly PortPair[];
  /** Initiator field of a discovery sent on this interface, or undefined while there is no address. */
  readonly initiatorFor: (interfaceName: string) => Uint8Array | undefined;
  /** Locators of the objective at other ASAs of this node (D-07). */
  readonly localLocators: (objective: string, asa: number) => readonly CachedLocator[];
  readonly send: (client: string, event: FromCore) => void;
}

type DiscoverCall = Extract<ToCore, { t: 'discover' }>;

/** A discovery under way. */
interface Session {
  readonly sessionId: number;
  readonly client: string;
  readonly call: DiscoverCall;
  readonly timeoutMs: number;
  /** Initiator fields sent, one per interface if the node has only link-local addresses. */
  readonly initiators: Uint8Array[];
  readonly seen: Set<string>;
  timer: TimerId | undefined;
  actor: Actor<typeof discoverySessionMachine> | undefined;
}

export class Discoveries {
  readonly cache: DiscoveryCache;
  readonly #options: DiscoveriesOptions;
  readonly #sessions = new Map<number, Session>();
  readonly #byCall = new Map<string, Session>();
  readonly #recent = new Map<number, readonly Uint8Array[]>();
  readonly #connections = new Map<number, Actor<typeof responseConnectionMachine>>();
  /** Connections that have said their word, until the responder closes too. */
  readonly #linger: StreamLinger;
  #nextConnection = 1;

  constructor(options: DiscoveriesOptions) {
    this.#options = options;
    this.#linger = new StreamLinger(options.clock, options.counters, options.limits);
    this.cache = new DiscoveryCache({ maxEntries: options.limits.discoveryCache });
  }

  cancel(client: string, call: number): void {
    this.#byCall.get(`${client} ${call}`)?.actor?.send({ type: 'cancelled' });
  }

  clientGone(client: string): void {
    for (const session of [...this.#sessions.values()]) {
      if (session.client === client) session.actor?.send({ type: 'cancelled' });
    }
  }

  /** Whether (session id, initiator) is a discovery of this engine, under way or recent (§2.7). */
  isOwn(sessionId: number, initiator: Uint8Array): boolean {
    const initiators = this.#sessions.get(sessionId)?.initiators ?? this.#recent.get(sessionId);
    return initiators?.some((own) => equal(own, initiator)) ?? false;
  }

  securityLost(): void {
    for (const session of [...this.#sessions.values()]) {
      session.actor?.send({ type: 'security.lost', code: ErrorCode.noSecurity });
    }
  }

  /** A stream accepted on a discovery port: RFC 8990 §2.8.5. */
  accept(stream: Stream, interfaceName: string): void {
    const { clock, counters, limits } = this.#options;
    if (this.#connections.size >= limits.responseConnections) {
      counters.add('response.connections-full');
      stream.setHandlers({ onData: () => undefined, onEnd: () => undefined, onClose: () => undefined });
      stream.abort();
      return;
    }
    const id = this.#nextConnection++;
    const framer = new MessageFramer({ maxBytes: GRASP_DEF_MAX_SIZE });
    let timer: TimerId | undefined;
    let over = false;
    const port: ResponseConnectionPort = {
      startTimer: () => {
        timer = clock.setTimeout(() => actor.send({ type: 'timer.expired' }), limits.responseMs);
      },
      stopTimer: () => clock.clearTimeout(timer),
      deliver: (message) => this.#deliver(message, interfaceName),
      close: () => this.#linger.finish(stream),
      abort: () => stream.abort(),
      count: (reason) => counters.add(reason),
      release: () => {
        over = true;
        this.#connections.delete(id);
      },
    };
    const actor = startActor(
      responseConnectionMachine,
      { input: { port } },
      { counters, onError: () => (port.release(), stream.abort()) },
    );
    this.#connections.set(id, actor);
    stream.setHandlers({
      onData: (bytes) => {
        if (over) return;
        framer.push(bytes);
        for (let item = framer.next(); item.kind !== 'more' && !over; item = framer.next()) {
          if (item.kind === 'malformed') return actor.send({ type: 'message.refused', reason: item.reason });
          const decoded = decodeMessage(item.bytes, 'response');
          if (!decoded.ok) actor.send({ type: 'message.refused', reason: decoded.reason });
          else if (decoded.message.type === M_RESPONSE)
            actor.send({ type: 'message.response', message: decoded.message });
          else actor.send({ type: 'message.ignored' });
        }
      },
      onEnd: () => {
        if (!over) actor.send({ type: 'stream.ended' });
      },
      onClose: () => {
        this.#linger.closed(stream);
        if (!over) actor.send({ type: 'stream.closed' });
      },
    });
  }

  status(): { actors: ActorCount[]; queues: QueueStatus[] } {
    const { limits } = this.#options;
    const sessions = [...this.#sessions.values()].flatMap((session) => session.actor ?? []);
    return {
      actors: [...census(sessions), ...census(this.#connections.values())],
      queues: [
        { name: 'discovery.sessions', length: this.#sessions.size, limit: limits.discoverySessions },
        { name: 'discovery.cache', length: this.cache.size, limit: limits.discoveryCache },
        { name: 'response.connections', length: this.#connections.size, limit: limits.responseConnections },
        { name: 'response.closing', length: this.#linger.size, limit: limits.lingeringStreams },
      ],
    };
  }

  close(): void {
    for (const connection of [...this.#connections.values()]) connection.send({ type: 'stopped' });
    this.#linger.abortAll();
  }

  discover(client: string, call: DiscoverCall): void {
    const { clock, substrate, counters, limits } = this.#options;
    const now = clock.now();
    const { name } = call.objective;
    if (substrate.environment.security === 'none') {
      return this.#done(client, call.call, { code: ErrorCode.noSecurity });
    }
    if (call.flush) this.cache.dropExpiring(name, 0, now);
    if (call.minimumTtlMs !== undefined) this.cache.dropExpiring(name, call.minimumTtlMs, now);

    const seen = new Set<string>();
    const cached = this.cache.get(name, now);
    for (const locator of [...this.#options.localLocators(name, call.asa), ...cached]) {
      this.#found(client, call.call, locator, seen);
    }
    const timeoutMs = call.timeoutMs ?? DISCOVERY_TIMEOUT_PER_HOP_MS * call.objective.loopCount;
    // D-06: in the older calling style (no minimum TTL) cached results are returned at once, nothing is sent.
    if (timeoutMs === 0 || (call.minimumTtlMs === undefined && cached.length > 0)) {
      return this.#done(client, call.call, undefined);
    }
    if (this.#sessions.size >= limits.discoverySessions) {
      counters.add('discovery.sessions-full');
      return this.#done(client, call.call, {
        code: ErrorCode.overload,
        detail: 'too many discoveries under way',
      });
    }
    const session: Session = {
      sessionId: this.#options.nextSessionId(),
      client,
      call,
      timeoutMs,
      initiators: [],
      seen,
      timer: undefined,
      actor: undefined,
    };
    this.#sessions.set(session.sessionId, session);
    this.#byCall.set(`${client} ${call.call}`, session);
    const port: DiscoverySessionPort = {
      send: () => this.#send(session),
      startTimer: () => {
        session.timer = clock.setTimeout(() => session.actor?.send({ type: 'timer.expired' }), timeoutMs);
      },
      stopTimer: () => clock.clearTimeout(session.timer),
      keep: (message, interfaceName) => this.#keep(session, message, interfaceName),
      finish: (failure) => this.#finish(session, failure),
    };
    session.actor = startActor(
      discoverySessionMachine,
      { input: { port } },
      { counters, onError: () => this.#finish(session, { code: ErrorCode.unspec }) },
    );
  }

  /** §2.8.4: the same session id on every interface, from the port on which the answer is awaited. */
  #send(session: Session): void {
    const { counters, pairs, initiatorFor } = this.#options;
    const { objective } = session.call;
    let underWay = 1;
    let sent = 0;
    const settle = (): void => {
      if (--underWay === 0 && sent === 0) session.actor?.send({ type: 'send.failed' });
    };
    for (const pair of pairs()) {
      const initiator = initiatorFor(pair.interface);
      if (!initiator) continue;
      if (!session.initiators.some((known) => equal(known, initiator))) session.initiators.push(initiator);
      const bytes = encodeMessage({
        type: M_DISCOVERY,
        sessionId: session.sessionId,
        initiator,
        // Three elements: a value would ask for rapid mode (§2.5.4.5).
        objective: { ...objective, value: undefined },
      });
      if (bytes.length > MAX_MULTICAST_SIZE) {
        counters.add('discovery.too-big');
        continue;
      }
      underWay++;
      pair.sendMulticast(bytes).then(
        () => {
          sent++;
          counters.add('multicast.sent');
          settle();
        },
        () => {
          counters.add('multicast.send-failed');
          settle();
        },
      );
    }
    // In a later turn: the actor is still taking its first step.
    this.#options.clock.defer(settle);
  }

  #deliver(message: ResponseMessage, interfaceName: string): void {
    const session = this.#sessions.get(message.sessionId);
    if (!session || !session.initiators.some((own) => equal(own, message.initiator))) {
      // §2.8.5: a response that matches no discovery under way is dropped.
      this.#options.counters.add('response.unmatched');
      return;
    }
    this.#options.counters.add('response.received');
    session.actor?.send({ type: 'response.received', message, interface: interfaceName });
  }

  /** G-2.5.4.3-10, -13, -18: every locator of every responder, with interface and lifetime. */
  #keep(session: Session, message: ResponseMessage, interfaceName: string): void {
    const now = this.#options.clock.now();
    const entry =
      (diverted: boolean) =>
      (locator: WireLocator): DiscoveredLocator => ({
        locator: ownLocator(locator),
        interface: interfaceName,
        ttlMs: message.ttl,
        diverted,
      });
    const found = [...message.locators.map(entry(false)), ...(message.divert ?? []).map(entry(true))];
    const { evicted } = this.cache.add(session.call.objective.name, found, now);
    if (evicted > 0) this.#options.counters.add('discovery-cache.evicted', evicted);
    for (const { ttlMs, ...each } of found) {
      // §2.8.5: a ttl of 0 means "much more" than the default.
      const expiresAt = now + (ttlMs === 0 ? RESPONSE_TTL_ZERO_MS : ttlMs);
      this.#share(session, { ...each, expiresAt });
    }
  }

  /**
   * A locator is news for every discovery of its objective under way: many at once must not depend on as many
   * answers of a peer that limits them.
   */
  #share(origin: Session, locator: CachedLocator): void {
    for (const session of this.#sessions.values()) {
      if (session.call.objective.name !== origin.call.objective.name) continue;
      this.#found(session.client, session.call.call, locator, session.seen);
    }
  }

  #found(client: string, call: number, locator: CachedLocator, seen: Set<string>): void {
    const key = `${locatorKey(locator.locator)} ${locator.interface}`;
    if (seen.has(key)) return;
    seen.add(key);
    this.#options.send(client, { t: 'found', call, locator });
  }

  #finish(session: Session, failure: Failure | undefined): void {
    this.#sessions.delete(session.sessionId);
    this.#byCall.delete(`${session.client} ${session.call.call}`);
    this.#recent.set(session.sessionId, session.initiators);
    if (this.#recent.size > this.#options.limits.recentDiscoveries) {
      for (const oldest of this.#recent.keys()) {
        this.#recent.delete(oldest);
        break;
      }
    }
    this.#done(session.client, session.call.call, failure);
  }

  #done(client: string, call: number, failure: Failure | undefined): void {
    this.#options.send(client, { t: 'done', call, failure });
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Bytes of an address in text form; undefined if it is none. */
export function addressBytes(address: string | undefined): Uint8Array | undefined {
  return address === undefined ? undefined : parseAddress(address)?.bytes;
}
