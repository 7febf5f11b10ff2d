/**
 * The answering side of discovery (RFC 8990 §2.5.4.3): what this node supports, the multicast handler, and the
 * M_RESPONSE connections under way. In the core.
 */
import type { Actor } from 'xstate';
import {
  decodeMessage,
  encodedSize,
  encodeMessage,
  GRASP_DEF_MAX_SIZE,
  IPPROTO_TCP,
  M_RESPONSE,
  RESPONSE_TTL_ZERO_MS,
  type CachedLocator,
  type DiscoveryMessage,
  type ResponseMessage,
  type WireLocator,
} from '../protocol/index.js';
import type { Clock, TimerId, Counters } from '../runtime/index.js';
import type { Environment, Stream, Substrate } from '../substrate/types.js';
import { Cancellation } from './cancellation.js';
import { compileMachine, type MachineForm } from './compiled-machine.js';
import type { Announcement, DatagramEvent } from './core-protocol.js';
import { addressBytes, type Discoveries } from './discoveries.js';
import {
  discoveryResponseMachine,
  type DiscoveryResponseEvent,
  type DiscoveryResponsePort,
} from './discovery-response.js';
import type { Floods } from './floods.js';
import type { CoreLimits } from './limits.js';
import { census, rethrowLater, startActor, type ActorCount, type QueueStatus } from './machine-host.js';
import {
  multicastEvent,
  multicastHandlerMachine,
  type Arrival,
  type MulticastHandlerPort,
} from './multicast-handler.js';

/** ms a peer has to close its side of a connection after it got its M_RESPONSE. */
const CLOSE_MS = 2_000;

/** Every multicast of the network steps it: interpreted, that is most of what one costs, in time and in garbage. */
const compiledHandler = compileMachine(multicastHandlerMachine) as unknown as typeof multicastHandlerMachine;

export interface ResponderOptions {
  readonly clock: Clock;
  readonly substrate: Substrate;
  readonly counters: Counters;
  readonly limits: CoreLimits;
  /** How the multicast handler is run. Default `compiled`. */
  readonly machines?: MachineForm | undefined;
  readonly discoveries: () => Discoveries;
  readonly floods: () => Floods;
  /** The own address to put into a locator for a peer on this interface; undefined while there is none. */
  readonly ownAddress: (interfaceName: string) => string | undefined;
  /** The own address for an ASA of this node. */
  readonly localAddress: () => string;
}

export class Responder {
  readonly #options: ResponderOptions;
  readonly #announcements = new Map<string, Announcement>();
  readonly #turn = new Map<string, number>();
  readonly #responses = new Map<number, Actor<typeof discoveryResponseMachine>>();
  readonly #perSource = new Map<string, number>();
  /** Responses that are not connected yet, by number, with the time they began; the oldest first. */
  readonly #connecting = new Map<number, number>();
  readonly #handler: Actor<typeof multicastHandlerMachine>;
  #nextResponse = 1;

  constructor(options: ResponderOptions) {
    this.#options = options;
    const { clock, counters } = options;
    const port: MulticastHandlerPort = {
      isOwn: ({ sessionId, initiator }) =>
        options.discoveries().isOwn(sessionId, initiator) || options.floods().isOwn(sessionId, initiator),
      supports: (message) => this.#announcements.has(message.objective.name),
      knows: (message, arrival) => this.#cached(message, arrival) !== undefined,
      respond: (message, arrival) => this.#respond(message, arrival),
      divert: (message, arrival) => this.#divert(message, arrival),
      takeFlood: (message, bytes, arrival) => options.floods().receive(message, bytes, arrival),
      count: (reason) => counters.add(reason),
    };
    this.#handler = startActor(
      options.machines === 'interpreted' ? multicastHandlerMachine : compiledHandler,
      { input: { port } },
      // Guards and actions above do not throw on any input; if one does, the worker is replaced.
      { counters, onError: (error) => rethrowLater(clock, error) },
    );
    this.follow(options.substrate.environment);
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
    this.#handler.send({ type: environment.security === 'none' ? 'security.lost' : 'security.up' });
  }

  /** Handles one multicast; never throws on what it holds. */
  handle(datagram: DatagramEvent): void {
    const decoded = decodeMessage(datagram.bytes, 'multicast');
    const arrival: Arrival = {
      interface: datagram.interface,
      address: datagram.address,
      port: datagram.port,
    };
    this.#options.counters.add('multicast.handled');
    this.#handler.send(multicastEvent(decoded, datagram.bytes, arrival));
  }

  /** D-07: what other ASAs of this node offer. */
  localLocators(objective: string, asa: number): readonly CachedLocator[] {
    const announcement = this.#announcements.get(objective);
    if (!announcement) return [];
    const address = this.#options.localAddress();
    const expiresAt = this.#options.clock.now() + (announcement.ttlMs || RESPONSE_TTL_ZERO_MS);
    return announcement.listeners
      .filter((listener) => listener.asa !== asa)
      .map(({ port }) => ({ locator: tcpLocator(address, port), interface: '', expiresAt, diverted: false }));
  }

  status(): { actors: ActorCount[]; queues: QueueStatus[] } {
    return {
      actors: [...census([this.#handler]), ...census(this.#responses.values())],
      queues: [
        {
          name: 'response.in-flight',
          length: this.#responses.size,
          limit: this.#options.limits.responsesInFlight,
        },
      ],
    };
  }

  close(): void {
    for (const response of [...this.#responses.values()]) response.send({ type: 'stopped' });
  }

  #respond(message: DiscoveryMessage, arrival: Arrival): void {
    if (!this.#hasRoom(arrival)) return;
    const announcement = this.#announcements.get(message.objective.name);
    const address = this.#options.ownAddress(arrival.interface);
    if (!announcement || address === undefined) return this.#options.counters.add('response.no-address');
    const turn = this.#turn.get(announcement.objective) ?? 0;
    this.#turn.set(announcement.objective, turn + 1);
    const listener = announcement.listeners[turn % announcement.listeners.length]!;
    const locators = [tcpLocator(address, listener.port)];
    this.#sendResponse(responseTo(message, announcement.ttlMs, locators, undefined), arrival);
  }

  #divert(message: DiscoveryMessage, arrival: Arrival): void {
    if (!this.#hasRoom(arrival)) return;
    const known = this.#cached(message, arrival);
    if (!known) return;
    // §2.8.3: as many as fit; one long URI must not keep back the rest.
    const fitting: WireLocator[] = [];
    for (const locator of known.locators) {
      const longer = responseTo(message, known.ttl, [], [...fitting, locator]);
      if (encodedSize(longer) <= GRASP_DEF_MAX_SIZE) fitting.push(locator);
    }
    if (fitting.length === 0) return this.#options.counters.add('response.too-big');
    this.#sendResponse(responseTo(message, known.ttl, [], fitting), arrival);
  }

  #cached(message: DiscoveryMessage, arrival: Arrival) {
    const { cache } = this.#options.discoveries();
    return cache.forDivert(message.objective.name, arrival.interface, this.#options.clock.now());
  }

  /**
   * Whether a response may be begun; what gives way is counted. A source has a few places of its own. When all
   * places are taken, a connect that has waited for `responseYieldMs` gives way to the new one: who is there answers
   * within a round trip, who is not (a spoofed source) for seconds, and must not keep others from being answered.
   */
  #hasRoom({ address }: Arrival): boolean {
    const { limits, counters } = this.#options;
    const ownPlace = (this.#perSource.get(address) ?? 0) < limits.responsesPerSource;
    if (ownPlace && this.#responses.size < limits.responsesInFlight) return true;
    counters.add('response.shed');
    if (!ownPlace) return false;
    const patient = this.#options.clock.now() - limits.responseYieldMs;
    const [longest] = this.#connecting;
    if (!longest || longest[1] > patient) return false;
    this.#responses.get(longest[0])?.send({ type: 'stopped' });
    return true;
  }

  /** §2.5.4.4: to the source of the datagram, never to the address in the initiator field. */
  #sendResponse(response: ResponseMessage, arrival: Arrival): void {
    const { clock, substrate, counters, limits } = this.#options;
    const bytes = encodeMessage(response);
    this.#perSource.set(arrival.address, (this.#perSource.get(arrival.address) ?? 0) + 1);
    const id = this.#nextResponse++;
    const giveUp = new Cancellation();
    let stream: Stream | undefined;
    let timer: TimerId | undefined;
    const port: DiscoveryResponsePort = {
      connect: () => {
        this.#connecting.set(id, clock.now());
        substrate
          .connect(
            { address: arrival.address, port: arrival.port, interface: arrival.interface },
            { timeoutMs: limits.responseConnectMs, signal: giveUp },
          )
          .then(
            (connected) => {
              stream = connected;
              this.#connecting.delete(id);
              connected.setHandlers({
                onData: () => undefined,
                onEnd: () => undefined,
                onClose: () => send({ type: 'stream.closed' }),
              });
              // Given up while the answer was on its way.
              if (giveUp.aborted) return connected.abort();
              send({ type: 'stream.connected' });
            },
            () => send({ type: 'stream.failed' }),
          );
      },
      send: () => {
        stream?.write(bytes);
        stream?.end();
        timer = clock.setTimeout(() => send({ type: 'timer.expired' }), CLOSE_MS);
      },
      abort: () => stream?.abort(),
      count: (reason) => counters.add(reason),
      release: () => {
        clock.clearTimeout(timer);
        this.#connecting.delete(id);
        giveUp.abort();
        if (!this.#responses.delete(id)) return;
        const left = (this.#perSource.get(arrival.address) ?? 1) - 1;
        if (left > 0) this.#perSource.set(arrival.address, left);
        else this.#perSource.delete(arrival.address);
      },
    };
    const actor = startActor(
      discoveryResponseMachine,
      { input: { port } },
      { counters, onError: () => (port.abort(), port.release()) },
    );
    const send = (event: DiscoveryResponseEvent): void => actor.send(event);
    this.#responses.set(id, actor);
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

function tcpLocator(address: string, port: number): WireLocator {
  const bytes = addressBytes(address)!;
  return { type: bytes.length === 16 ? 103 : 104, address: bytes, protocol: IPPROTO_TCP, port };
}
