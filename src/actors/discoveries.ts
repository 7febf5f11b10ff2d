/**
 * Owner of the discovery cache and of every discovery session of the engine (RFC 8990 §2.5.4), in the core.
 * Clients ask over their data ports; what is found goes back as it arrives.
 */
import type { Actor, AnyActor } from 'xstate';
import {
  DiscoveryCache,
  DISCOVERY_DEF_TTL_MS,
  DISCOVERY_TIMEOUT_PER_HOP_MS,
  discoveredKey,
  encodedSize,
  encodeMessage,
  ErrorCode,
  Link,
  M_DISCOVERY,
  MAX_MULTICAST_SIZE,
  MAX_UINT32,
  notServed,
  parseAddress,
  ownLocator,
  rapidValue,
  RecencyList,
  responseExpiry,
  type CachedLocator,
  type DiscoveredLocator,
  type DiscoveryMessage,
  type DullRules,
  type Message,
  type ResponseMessage,
  type SynchMessage,
  type WireLocator,
  type WireObjective,
} from '../protocol/index.js';
import type { Clock, TimerId, Counters } from '../runtime/index.js';
import type { PortPair, StreamHandlers, Substrate, Target } from '../substrate/types.js';
import type { FromCore, ToCore } from './core-protocol.js';
import { discoverySessionMachine, type DiscoverySessionPort } from './discovery-session.js';
import { formsOf, type MachineForm } from './compiled-machine.js';
import type { CoreLimits } from './limits.js';
import { census, startActor, type ActorCount, type QueueStatus } from './machine-host.js';
import { tcpLocator } from './own-locators.js';
import type { RapidAnswer, RapidCall, RapidCaller } from './rapid-request.js';
import type { Failure } from './session-protocol.js';

const SESSION = formsOf(discoverySessionMachine, (context) => ({ ...context }));

export interface DiscoveriesOptions {
  /** How the machines here are run. Default `compiled`. */
  readonly machines?: MachineForm | undefined;
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
  /** This is a DULL instance (§2.5.2): it needs no security. */
  readonly dull?: DullRules | undefined;
  /** A peer has connected and said nothing yet. */
  readonly peerConnected: () => boolean;
  readonly send: (client: string, event: FromCore) => void;
}

/** Stands for the session host of the core among the clients; theirs have names. */
const RAPID = '';

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

/** A discovery that is over, with the initiator fields it was sent with. */
interface Ended {
  readonly sessionId: number;
  readonly initiators: readonly Uint8Array[];
}

export class Discoveries {
  readonly cache: DiscoveryCache;
  readonly #options: DiscoveriesOptions;
  readonly #sessions = new Map<number, Session>();
  readonly #byCall = new Map<string, Session>();
  /** Those that are over, by session id, and in the order of their end. */
  readonly #recent = new Map<number, Link<Ended>>();
  readonly #ended = new RecencyList<Ended>();
  readonly #byName = new Map<string, Set<Session>>();
  #askingForValues = 0;
  /** Who waits for the answer of a discovery that is a request, by the number of its call. */
  readonly #callers = new Map<number, RapidCaller>();
  #rapidCall = 0;

  constructor(options: DiscoveriesOptions) {
    this.#options = options;
    const { discoveryCache, discoveryCachePerObjective, divertLocators } = options.limits;
    this.cache = new DiscoveryCache({
      maxEntries: discoveryCache,
      maxPerObjective: discoveryCachePerObjective,
      maxDivertLocators: divertLocators,
    });
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
    const initiators =
      this.#sessions.get(sessionId)?.initiators ?? this.#recent.get(sessionId)?.value.initiators;
    return initiators?.some((own) => equal(own, initiator)) ?? false;
  }

  securityLost(): void {
    for (const session of [...this.#sessions.values()]) {
      session.actor?.send({ type: 'security.lost', code: ErrorCode.noSecurity });
    }
  }

  /** Whether an M_SYNCH may come: a discovery under way asked for a value (RFC 8990 §2.5.6.3). */
  get asksForValues(): boolean {
    return this.#askingForValues > 0;
  }

  /** An M_RESPONSE that came by this interface; false if it belongs to no own discovery under way (§2.8.5). */
  deliver(message: ResponseMessage, interfaceName: string): boolean {
    const session = this.#sessions.get(message.sessionId);
    if (!session?.initiators.some((own) => equal(own, message.initiator))) return false;
    this.#options.counters.add('response.received');
    session.actor?.send({ type: 'response.received', message, interface: interfaceName });
    return true;
  }

  /** Sends a request with a discovery (§2.5.5.1). */
  request({ asa, objective, value, discoveryMs }: RapidCall, caller: RapidCaller): () => void {
    const call = ++this.#rapidCall;
    this.#callers.set(call, caller);
    this.discover(RAPID, {
      t: 'discover',
      call,
      asa,
      objective,
      timeoutMs: discoveryMs,
      minimumTtlMs: undefined,
      flush: false,
      value,
    });
    return () => {
      if (this.#callers.delete(call)) this.cancel(RAPID, call);
    };
  }

  awaitsNegotiation(sessionId: number): boolean {
    return this.#sessions.get(sessionId)?.client === RAPID;
  }

  /** The answer to a request; the caller takes it on from here. */
  deliverNegotiation(answer: RapidAnswer): StreamHandlers | undefined {
    const session = this.#sessions.get(answer.sessionId);
    const caller = session && this.#callers.get(session.call.call);
    if (session?.client !== RAPID || !caller) return undefined;
    this.#options.counters.add('response.negotiation');
    session.actor?.send({ type: 'negotiation.received' });
    return caller.answered(answer);
  }

  /** An M_SYNCH from this peer: taken only where it was asked for. */
  deliverValue(message: SynchMessage, interfaceName: string, remote: Target): boolean {
    const session = this.#sessions.get(message.sessionId);
    if (!session?.call.value || session.call.objective.name !== message.objective.name) return false;
    this.#options.counters.add('response.value');
    session.actor?.send({ type: 'value.received', message, interface: interfaceName, remote });
    return true;
  }

  /**
   * Every locator of every responder, with interface and lifetime (G-2.5.4.3-10, -13, -18), and the value that came
   * with it. News for every discovery of the objective under way: many at once must not depend on as many answers of
   * a peer that limits them.
   */
  learn(asked: Pick<WireObjective, 'name' | 'value'>, message: ResponseMessage, interfaceName: string): void {
    const now = this.#options.clock.now();
    const rapid = rapidValue(asked, message.objective);
    const entry =
      (diverted: boolean) =>
      (locator: WireLocator): DiscoveredLocator => ({
        locator: ownLocator(locator),
        interface: interfaceName,
        ttlMs: message.ttl,
        diverted,
        ...(rapid && { rapid }),
      });
    const found = [...message.locators.map(entry(false)), ...(message.divert ?? []).map(entry(true))];
    const { evicted } = this.cache.add(asked.name, found, now);
    if (evicted > 0) this.#options.counters.add('discovery-cache.evicted', evicted);
    for (const session of this.#byName.get(asked.name) ?? []) {
      for (const { ttlMs, ...each } of found) {
        const expiresAt = responseExpiry(ttlMs, now);
        this.#found(session.client, session.call.call, { ...each, expiresAt }, session.seen);
      }
    }
  }

  get actors(): AnyActor[] {
    return [...this.#sessions.values()].flatMap((session) => session.actor ?? []);
  }

  status(): { actors: ActorCount[]; queues: QueueStatus[] } {
    const { limits } = this.#options;
    return {
      actors: census(this.actors),
      queues: [
        { name: 'discovery.sessions', length: this.#sessions.size, limit: limits.discoverySessions },
        { name: 'discovery.cache', length: this.cache.size, limit: limits.discoveryCache },
      ],
    };
  }

  discover(client: string, asked: DiscoverCall): void {
    const { clock, substrate, counters, dull, limits, peerConnected } = this.#options;
    // §2.5.2: "MUST set a loop count of 1".
    const call = dull ? { ...asked, objective: { ...asked.objective, loopCount: 1 } } : asked;
    const now = clock.now();
    const { name } = call.objective;
    // §2.5.2: of unsolicited messages a DULL instance sends these two kinds only, so it looks for nobody to ask.
    if (dull ? call.forRequest : substrate.environment.security === 'none') {
      return this.#done(client, call.call, { code: ErrorCode.noSecurity });
    }
    const detail = dull && notServed(dull, name);
    if (detail !== undefined) return this.#done(client, call.call, { code: ErrorCode.unspec, detail });
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
    // §2.5.3: never fragmented; the longest initiator and session id there can be are counted.
    const longest: Message = {
      type: M_DISCOVERY,
      sessionId: MAX_UINT32,
      initiator: new Uint8Array(16),
      objective: { ...call.objective, value: call.value },
    };
    if (encodedSize(longest) > MAX_MULTICAST_SIZE) {
      counters.add('discovery.too-big');
      return this.#done(client, call.call, { code: ErrorCode.tooBig });
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
    let named = this.#byName.get(name);
    if (!named) this.#byName.set(name, (named = new Set()));
    named.add(session);
    if (call.value) this.#askingForValues++;
    const port: DiscoverySessionPort = {
      isRequest: client === RAPID,
      get subject() {
        return { objective: name, session: session.sessionId, role: 'initiator' as const };
      },
      get peerConnected() {
        return peerConnected();
      },
      handOver: () => {
        this.#callers.delete(call.call);
        this.#finish(session, undefined);
      },
      send: () => this.#send(session),
      startTimer: () => {
        session.timer = clock.setTimeout(() => session.actor?.send({ type: 'timer.expired' }), timeoutMs);
      },
      stopTimer: () => clock.clearTimeout(session.timer),
      keep: (message, interfaceName) => {
        this.learn({ name: session.call.objective.name, value: session.call.value }, message, interfaceName);
      },
      keepValue: (message, interfaceName, remote) => this.#keepValue(session, message, interfaceName, remote),
      finish: (failure) => this.#finish(session, failure),
    };
    session.actor = startActor(
      SESSION[this.#options.machines ?? 'compiled'],
      { input: { port } },
      { counters, onError: () => this.#finish(session, { code: ErrorCode.unspec }) },
    );
  }

  /** §2.8.4: the same session id on every interface, from the port on which the answer is awaited. */
  #send(session: Session): void {
    const { counters, pairs, initiatorFor } = this.#options;
    const { objective, value } = session.call;
    let underWay = 1;
    let sent = 0;
    const settle = (): void => {
      if (--underWay === 0 && sent === 0) session.actor?.send({ type: 'send.failed' });
    };
    for (const pair of pairs()) {
      const initiator = initiatorFor(pair.interface);
      if (!initiator) continue;
      if (!session.initiators.some((known) => equal(known, initiator))) session.initiators.push(initiator);
      const message: DiscoveryMessage = {
        type: M_DISCOVERY,
        sessionId: session.sessionId,
        initiator,
        // Three elements, unless a value is to be had at once (§2.5.4.5, §2.5.6.3).
        objective: { ...objective, value },
      };
      const bytes = encodeMessage(message);
      underWay++;
      counters.watcher?.passed({
        direction: 'sent',
        via: 'multicast',
        bytes,
        message,
        interface: pair.interface,
      });
      pair.sendMulticast(bytes).then(
        () => {
          sent++;
          counters.add('multicast.sent');
          counters.add('discovery.sent');
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

  /**
   * A value of rapid mode (§2.5.6.3). The M_SYNCH names neither a port for requests nor a lifetime: what is told is
   * where it came from, for the time of a default ttl, and nothing is cached.
   */
  #keepValue(session: Session, { objective }: SynchMessage, interfaceName: string, remote: Target): void {
    const { flags, loopCount, value } = objective;
    if (!value) return;
    const locator: CachedLocator = {
      locator: tcpLocator(remote.address, remote.port),
      interface: interfaceName,
      expiresAt: this.#options.clock.now() + DISCOVERY_DEF_TTL_MS,
      diverted: false,
      rapid: { flags, loopCount, value: Uint8Array.from(value) },
    };
    this.#found(session.client, session.call.call, locator, session.seen);
  }

  #found(client: string, call: number, locator: CachedLocator, seen: Set<string>): void {
    const key = discoveredKey(locator);
    if (seen.has(key)) return;
    // A discovery may run for long, and anybody on the link may answer it, with as many locators as there are ports.
    const { counters, limits } = this.#options;
    if (seen.size >= limits.discoveryLocators) return counters.add('discovery.locators');
    seen.add(key);
    if (client !== RAPID) this.#options.send(client, { t: 'found', call, locator });
  }

  #finish(session: Session, failure: Failure | undefined): void {
    if (!this.#sessions.delete(session.sessionId)) return;
    const { client, call } = session;
    this.#byCall.delete(`${client} ${call.call}`);
    const named = this.#byName.get(call.objective.name);
    named?.delete(session);
    if (named?.size === 0) this.#byName.delete(call.objective.name);
    if (call.value) this.#askingForValues--;
    const link = new Link<Ended>({ sessionId: session.sessionId, initiators: session.initiators });
    this.#recent.set(session.sessionId, link);
    this.#ended.push(link);
    if (this.#recent.size > this.#options.limits.recentDiscoveries) {
      const oldest = this.#ended.oldest!;
      this.#ended.remove(oldest);
      this.#recent.delete(oldest.value.sessionId);
    }
    this.#done(session.client, session.call.call, failure);
  }

  #done(client: string, call: number, failure: Failure | undefined): void {
    if (client === RAPID) {
      const caller = this.#callers.get(call);
      this.#callers.delete(call);
      // In a later turn, as with every client: the call may not have returned yet.
      if (caller) this.#options.clock.defer(() => caller.over(failure));
      return;
    }
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
