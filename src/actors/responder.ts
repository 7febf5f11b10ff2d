/**
 * The answering side of discovery (RFC 8990 §2.5.4.3): what this node supports, the multicast handler, and what it
 * answers. In the core.
 */
import type { Actor, AnyActor } from 'xstate';
import {
  decodeMessage,
  DEF_DECODE_LIMITS,
  encodedSize,
  encodeMessage,
  F_NEG,
  F_NEG_DRY,
  F_SYNCH,
  GRASP_DEF_MAX_SIZE,
  isLinkLocalLocator,
  isServed,
  isNullValue,
  M_RESPONSE,
  M_SYNCH,
  responseExpiry,
  usableInDivert,
  type CachedLocator,
  type DiscoveryMessage,
  type DullRules,
  type ResponseMessage,
  type WireLocator,
  type WireObjective,
} from '../protocol/index.js';
import type { Clock, Counters } from '../runtime/index.js';
import { addressForSelf } from '../substrate/own-address.js';
import type { Environment, Substrate } from '../substrate/types.js';
import { formsOf, type MachineForm } from './compiled-machine.js';
import type { AnnouncedListener, Announcement, DatagramEvent, RapidRequest } from './core-protocol.js';
import type { Discoveries } from './discoveries.js';
import type { DiscoveryRelays } from './discovery-relays.js';
import type { Floods } from './floods.js';
import type { CoreLimits } from './limits.js';
import { census, rethrowLater, startActor, type ActorCount } from './machine-host.js';
import {
  multicastEvent,
  multicastHandlerMachine,
  received,
  type Arrival,
  type MulticastHandlerEvent,
  type MulticastHandlerPort,
} from './multicast-handler.js';
import { familyOf, interfaceOf, ownLocators, tcpLocator } from './own-locators.js';

/** The listener has looked at its size already (`limits.maxDatagramBytes`). */
const ANY_DATAGRAM = { ...DEF_DECODE_LIMITS, maxBytes: 65_535 };

/** Every multicast of the network steps it: interpreted, that is most of what one costs, in time and in garbage. */
const HANDLER = formsOf(multicastHandlerMachine, (context) => ({ ...context }));

export interface ResponderOptions {
  readonly clock: Clock;
  readonly substrate: Substrate;
  readonly counters: Counters;
  readonly limits: CoreLimits;
  /** How the multicast handler is run. Default `compiled`. */
  readonly machines?: MachineForm | undefined;
  /** Rapid mode (RFC 8990 §2.5.5.1, §2.5.6.3): M_SYNCH, or an answer of the ASA, for M_RESPONSE. Off by default. */
  readonly rapidAnswers: boolean;
  /** Testing: own locators are told in O_DIVERT, as a node would that is not the responder itself. */
  readonly forceDivert: boolean;
  /** This is a DULL instance (§2.5.2). */
  readonly dull?: DullRules | undefined;
  readonly discoveries: () => Discoveries;
  readonly relays: () => DiscoveryRelays;
  readonly floods: () => Floods;
  /** Session hosts, to whom a discovery is handed that is a request at the same time. */
  readonly requests: {
    has(host: string): boolean;
    handOver(host: string, request: RapidRequest): boolean;
  };
  /** An answer, encoded, to where its discovery came from. */
  readonly sendBack: (bytes: Uint8Array, to: Arrival) => void;
}

export class Responder {
  readonly #options: ResponderOptions;
  readonly #announcements = new Map<string, Announcement>();
  readonly #turn = new Map<string, number>();
  readonly #handler: Actor<typeof multicastHandlerMachine>;

  constructor(options: ResponderOptions) {
    this.#options = options;
    const { clock, counters, dull } = options;
    const port: MulticastHandlerPort = {
      isOwn: ({ sessionId, initiator }) =>
        options.discoveries().isOwn(sessionId, initiator) || options.floods().isOwn(sessionId, initiator),
      supports: (message) => this.#announcements.has(message.objective.name),
      answersRapidly: (message) => this.#answersRapidly(message),
      negotiatesRapidly: (message, arrival) => this.#rapidListeners(message, arrival).length > 0,
      knows: (message, arrival) => this.#cached(message, arrival) !== undefined,
      canRelay: (arrival) => options.relays().hasOtherInterface(arrival),
      hasRelayed: (message) => options.relays().hasRelayed(message),
      serves: (message) => dull !== undefined && isServed(message, dull),
      synch: (message, arrival) => this.#synch(message, arrival),
      handOver: (message, arrival) => this.#handOver(message, arrival),
      respond: (message, arrival) => this.#respond(message, arrival),
      divert: (message, arrival) => this.#divert(message, arrival),
      relay: (message, bytes, arrival) => options.relays().relay(message, bytes, arrival),
      takeFlood: (message, bytes, arrival) => options.floods().receive(message, bytes, arrival),
      count: (reason) => counters.add(reason),
    };
    this.#handler = startActor(
      HANDLER[options.machines ?? 'compiled'],
      { input: { port } },
      // Guards and actions above do not throw on any input; if one does, the worker is replaced.
      { counters, onError: (error) => rethrowLater(clock, error) },
    );
    if (dull) this.#send({ type: 'dull' });
    else this.follow(options.substrate.environment);
  }

  /** Replaces what is announced for an objective; undefined or no listener: it is answered no more. */
  announce(objective: string, announcement: Announcement | undefined): void {
    if (announcement && announcement.listeners.length > 0) this.#announcements.set(objective, announcement);
    else {
      this.#announcements.delete(objective);
      this.#turn.delete(objective);
    }
  }

  follow(environment: Environment): void {
    this.#send({ type: environment.security === 'none' ? 'security.lost' : 'security.up' });
  }

  /** Handles one multicast; never throws on what it holds. */
  handle(datagram: DatagramEvent): void {
    const { bytes, interface: interfaceName, address, port } = datagram;
    const { counters } = this.#options;
    const decoded = decodeMessage(bytes, 'multicast', ANY_DATAGRAM);
    counters.add('multicast.handled');
    const arrival: Arrival = { interface: interfaceName, address, port };
    if (decoded.ok) counters.watcher?.passed(received('multicast', bytes, decoded.message, arrival));
    this.#send(multicastEvent(decoded, bytes, arrival));
  }

  /** A discovery that came otherwise: by unicast. */
  accept(event: MulticastHandlerEvent): void {
    this.#send(event);
  }

  #send(event: MulticastHandlerEvent): void {
    this.#options.counters.watcher?.eventComes(this.#handler, event);
    this.#handler.send(event);
  }

  /** D-07: what other ASAs of this node offer. */
  localLocators(objective: string, asa: number): readonly CachedLocator[] {
    const announcement = this.#announcements.get(objective);
    if (!announcement) return [];
    const { clock, substrate } = this.#options;
    const { environment } = substrate;
    const expiresAt = responseExpiry(announcement.ttlMs, clock.now());
    return announcement.listeners
      .filter((listener) => listener.asa !== asa)
      .flatMap((listener) => {
        // A node without any network still reaches itself; ::1 never goes onto the wire.
        const { locators } = listener;
        const given = locators?.length ? locators : [tcpLocator(addressForSelf(environment), listener.port)];
        const rapid = rapidObjective(announcement, listener, announcement.flags, 0);
        return given.map((locator) => ({
          locator,
          interface: interfaceOf(environment, locator),
          expiresAt,
          diverted: false,
          ...(rapid && { rapid: { flags: rapid.flags, loopCount: rapid.loopCount, value: rapid.value! } }),
        }));
      });
  }

  get actors(): AnyActor[] {
    return [this.#handler];
  }

  status(): ActorCount[] {
    return census(this.actors);
  }

  /** In turn, so that several ASAs share the requests. */
  #nextListener({ objective }: Announcement, listeners: readonly AnnouncedListener[]): AnnouncedListener {
    const turn = this.#turn.get(objective) ?? 0;
    this.#turn.set(objective, turn + 1);
    return listeners[turn % listeners.length]!;
  }

  #respond(message: DiscoveryMessage, arrival: Arrival): void {
    const { counters, dull, substrate, sendBack } = this.#options;
    const announcement = this.#announcements.get(message.objective.name);
    if (!announcement) return;
    const listener = this.#nextListener(announcement, announcement.listeners);
    const family = familyOf(arrival.address);
    const own = ownLocators(substrate.environment, listener, arrival.interface, family);
    // §2.5.2: "MUST give the link-local address"; an ASA may have asked for others (D-05).
    const locators = dull ? own.filter(isLinkLocalLocator) : own;
    // G-2.8.5-09: without a locator there is no answer.
    if (locators.length === 0) return counters.add('response.no-address');
    const told = this.#options.forceDivert ? locators.filter(usableInDivert) : [];
    const response =
      told.length > 0
        ? responseTo(message, announcement.ttlMs, [], told)
        : responseTo(message, announcement.ttlMs, locators, undefined);
    const { flags } = announcement;
    const objective = rapidObjective(announcement, listener, flags, message.objective.loopCount);
    const complete = { ...response, objective };
    // §2.8.3; the value can be asked for, the locator not.
    const fits = encodedSize(complete) <= GRASP_DEF_MAX_SIZE;
    if (!fits) counters.add('response.rapid-too-big');
    if (encodedSize(response) > GRASP_DEF_MAX_SIZE) return counters.add('response.too-big');
    sendBack(encodeMessage(fits ? complete : response), arrival);
  }

  #answersRapidly({ objective }: DiscoveryMessage): boolean {
    if (!this.#options.rapidAnswers || !objective.value || (objective.flags & F_SYNCH) === 0) return false;
    const announcement = this.#announcements.get(objective.name);
    return announcement !== undefined && synchObjective(announcement, objective.loopCount) !== undefined;
  }

  /** §2.5.6.3, §2.8.10: the value itself, in place of a locator. */
  #synch({ sessionId, objective: asked }: DiscoveryMessage, arrival: Arrival): void {
    const announcement = this.#announcements.get(asked.name);
    const objective = announcement && synchObjective(announcement, asked.loopCount);
    if (objective) this.#options.sendBack(encodeMessage({ type: M_SYNCH, sessionId, objective }), arrival);
  }

  /**
   * Those that take this discovery as a request (§2.5.5.1). None without a value to negotiate about: some peers put
   * null into every discovery. None if it came over a stream, which cannot move to the thread of its session.
   */
  #rapidListeners({ objective }: DiscoveryMessage, { reply }: Arrival): readonly AnnouncedListener[] {
    const { rapidAnswers, requests } = this.#options;
    if (!rapidAnswers || reply || (objective.flags & F_NEG) === 0 || isNullValue(objective.value)) return [];
    const isDry = (objective.flags & F_NEG_DRY) !== 0;
    const { listeners = [] } = this.#announcements.get(objective.name) ?? {};
    return listeners.filter(
      ({ rapidHost, dryRun }) => rapidHost !== undefined && requests.has(rapidHost) && (!isDry || dryRun),
    );
  }

  #handOver(message: DiscoveryMessage, arrival: Arrival): void {
    const { sessionId, objective } = message;
    const announcement = this.#announcements.get(objective.name);
    const listeners = this.#rapidListeners(message, arrival);
    if (!announcement || listeners.length === 0) return;
    const { rapidHost } = this.#nextListener(announcement, listeners);
    const { name, flags, loopCount, value } = objective;
    const { address, port } = arrival;
    const { requests, counters } = this.#options;
    const taken = requests.handOver(rapidHost!, {
      t: 'rapid.request',
      sessionId,
      objective: { name, flags, loopCount },
      // The datagram's memory is shared with others.
      value: Uint8Array.from(value!),
      target: { address, port, interface: arrival.interface || undefined },
    });
    // Nobody waits for an answer to a discovery: who asked will ask again.
    if (!taken) counters.add('request.overload');
  }

  #divert(message: DiscoveryMessage, arrival: Arrival): void {
    const known = this.#cached(message, arrival);
    if (!known) return;
    // §2.8.3: as many as fit; one long URI must not keep back the rest.
    const fitting: WireLocator[] = [];
    for (const locator of known.locators) {
      const longer = responseTo(message, known.ttl, [], [...fitting, locator]);
      if (encodedSize(longer) <= GRASP_DEF_MAX_SIZE) fitting.push(locator);
    }
    if (fitting.length === 0) return this.#options.counters.add('response.too-big');
    this.#options.sendBack(encodeMessage(responseTo(message, known.ttl, [], fitting)), arrival);
  }

  #cached(message: DiscoveryMessage, arrival: Arrival) {
    const { cache } = this.#options.discoveries();
    return cache.forDivert(message.objective.name, arrival.interface, this.#options.clock.now());
  }
}

function responseTo(
  { sessionId, initiator }: DiscoveryMessage,
  ttl: number,
  locators: readonly WireLocator[],
  divert: readonly WireLocator[] | undefined,
): ResponseMessage {
  return { type: M_RESPONSE, sessionId, initiator, ttl, locators, divert, objective: undefined };
}

/** D-04: the objective with its value, of synchronization objectives only. */
function rapidObjective(
  { objective: name }: Announcement,
  { rapidValue: value }: AnnouncedListener,
  flags: number,
  loopCount: number,
): WireObjective | undefined {
  return value && (flags & F_SYNCH) !== 0 ? { name, flags, loopCount, value } : undefined;
}

/** What an M_SYNCH would hold: the value of the first listener that has one, if it fits a message. */
function synchObjective(announcement: Announcement, loopCount: number): WireObjective | undefined {
  for (const listener of announcement.listeners) {
    const objective = rapidObjective(announcement, listener, announcement.flags, loopCount);
    if (objective && encodedSize({ type: M_SYNCH, sessionId: 0, objective }) + 4 <= GRASP_DEF_MAX_SIZE)
      return objective;
  }
  return undefined;
}
