/**
 * The core of an engine: what all its sessions share and only one actor may own. Announced objectives, the
 * multicast handler, the discovery cache and sessions, the floods, the ports discoveries are sent from, the session ids.
 */
import type { AnyActor } from 'xstate';
import { SessionIdSource, type CachedLocator, type DullRules } from '../protocol/index.js';
import {
  DataPort,
  type Clock,
  type Counters,
  type Endpoint,
  type RandomFill,
  type WatchedSession,
} from '../runtime/index.js';
import { addressForSelf, initiatorAddress } from '../substrate/own-address.js';
import type { Environment, Security, Substrate } from '../substrate/types.js';
import type { MachineForm } from './compiled-machine.js';
import { CoreClients } from './core-clients.js';
import type { Announcement, BoundPort, Datagrams, FromCore, ToCore } from './core-protocol.js';
import { datagramCount, datagramsForm, datagramsOf } from './datagram-batch.js';
import { addressBytes, Discoveries } from './discoveries.js';
import { DiscoveryPorts } from './discovery-ports.js';
import { DiscoveryRelays } from './discovery-relays.js';
import { Floods } from './floods.js';
import type { CoreLimits } from './limits.js';
import type { ActorCount, QueueStatus } from './machine-host.js';
import { Responder } from './responder.js';
import { ResponseConnections } from './response-connections.js';
import { Responses } from './responses.js';
import { SessionHost } from './session-host.js';
import { SessionIdOffice } from './session-id-office.js';
import type { SessionLimits } from './session-protocol.js';
import { WellKnown } from './well-known.js';

export interface CoreOptions {
  readonly clock: Clock;
  readonly random: RandomFill;
  readonly substrate: Substrate;
  readonly counters: Counters;
  readonly limits: CoreLimits & Partial<SessionLimits> & { readonly sessionWindow?: number | undefined };
  /** How the machines of what comes and goes are run. Default `compiled`. */
  readonly machines?: MachineForm | undefined;
  readonly toEndpoint: (raw: unknown) => Endpoint;
  /** Discovery ports held before a restart. */
  readonly preferredPorts: Readonly<Record<string, number>>;
  /** Rapid mode (RFC 8990 §2.5.5.1, §2.5.6.3): discoveries with a value get M_SYNCH or an ASA's answer. Default false. */
  readonly rapidAnswers?: boolean | undefined;
  /** Testing: own locators are told in O_DIVERT. Default false. */
  readonly forceDivert?: boolean | undefined;
  /** A DULL instance, on a substrate that shows its link only (RFC 8990 §2.5.2). */
  readonly dull?: DullRules | undefined;
  /** Tells the engine's send sockets, for the listener and for the next core. */
  readonly onPorts: (ports: readonly BoundPort[]) => void;
}

export class Core {
  readonly #options: CoreOptions;
  readonly #ids: SessionIdSource;
  readonly #office: SessionIdOffice;
  readonly #ports: DiscoveryPorts;
  readonly #clients: CoreClients;
  readonly #discoveries: Discoveries;
  readonly #floods: Floods;
  readonly #responder: Responder;
  readonly #responses: Responses;
  readonly #relays: DiscoveryRelays;
  readonly #connections: ResponseConnections;
  readonly #wellKnown: WellKnown;
  /** Negotiations that began with a discovery of this node (`rapid-request.ts`). */
  readonly #sessions: SessionHost;
  readonly #unwatch: () => void;
  #block: Uint32Array;
  #used = 0;
  #security: Security;
  /** Index of each interface: one that is made again under its name is another one. */
  #interfaces: ReadonlyMap<string, number>;
  #listener: DataPort<never, Datagrams> | undefined;

  constructor(options: CoreOptions) {
    const { clock, substrate, counters, dull, limits } = options;
    this.#options = options;
    this.#ids = new SessionIdSource(options.random);
    this.#office = new SessionIdOffice(this.#ids, clock);
    this.#block = this.#ids.drawBlock();
    this.#security = substrate.environment.security;
    this.#interfaces = indexes(substrate.environment);
    this.#ports = new DiscoveryPorts({
      clock,
      substrate,
      counters,
      preferred: options.preferredPorts,
      onStream: (stream, interfaceName) => this.#connections.accept(stream, interfaceName),
      onPorts: options.onPorts,
    });
    this.#clients = new CoreClients({
      clock,
      onEvent: (client, event) => this.#handle(client, event),
      onCredit: () => this.#floods.credit(),
      onGone: (client) => {
        this.#discoveries.clientGone(client);
        this.#floods.clientGone(client);
      },
    });
    const initiatorFor = (name: string): Uint8Array | undefined =>
      addressBytes(initiatorAddress(substrate.environment, name));
    const send = (client: string, event: FromCore): void => this.#clients.send(client, event);
    const { machines } = options;
    this.#discoveries = new Discoveries({
      machines,
      clock,
      substrate,
      counters,
      limits,
      nextSessionId: () => this.#nextSessionId(),
      pairs: () => this.#ports.open,
      initiatorFor,
      dull,
      send,
      peerConnected: () => this.#connections.silent > 0,
      localLocators: (objective, asa): readonly CachedLocator[] =>
        this.#responder.localLocators(objective, asa),
    });
    this.#responses = new Responses({ machines, clock, substrate, counters, limits });
    this.#relays = new DiscoveryRelays({
      machines,
      clock,
      random: options.random,
      counters,
      limits,
      pairs: () => this.#ports.open,
      learn: (asked, message, interfaceName) => this.#discoveries.learn(asked, message, interfaceName),
      sendBack: (bytes, to) => this.#responses.send(bytes, to),
    });
    this.#connections = new ResponseConnections({
      machines,
      clock,
      counters,
      limits,
      rapid: () => this.#discoveries.asksForValues || this.#relays.asksForValues,
      dull,
      awaits: (sessionId) => this.#discoveries.awaitsNegotiation(sessionId),
      onNegotiation: (answer) => this.#discoveries.deliverNegotiation(answer),
      onResponse: (message, interfaceName) => {
        if (this.#discoveries.deliver(message, interfaceName)) return;
        // §2.8.5: a response that matches no discovery under way is dropped.
        if (!this.#relays.deliver(message, interfaceName)) counters.add('response.unmatched');
      },
      onValue: (message, interfaceName, remote) => {
        if (this.#discoveries.deliverValue(message, interfaceName, remote)) return;
        if (!this.#relays.deliverValue(message, interfaceName)) counters.add('response.unmatched');
      },
    });
    this.#floods = new Floods({
      clock,
      random: options.random,
      substrate,
      counters,
      limits,
      machines,
      nextSessionId: () => this.#nextSessionId(),
      pairs: () => this.#ports.open,
      initiatorFor,
      localInitiator: () => {
        const { environment } = substrate;
        return addressBytes(initiatorAddress(environment) ?? addressForSelf(environment))!;
      },
      dull,
      send,
      isCongested: (client) => this.#clients.isCongested(client),
    });
    this.#responder = new Responder({
      clock,
      substrate,
      counters,
      limits,
      machines,
      rapidAnswers: options.rapidAnswers ?? false,
      forceDivert: options.forceDivert ?? false,
      dull,
      discoveries: () => this.#discoveries,
      relays: () => this.#relays,
      floods: () => this.#floods,
      requests: this.#office,
      sendBack: (bytes, to) => this.#responses.send(bytes, to),
    });
    this.#sessions = new SessionHost({
      name: 'core',
      clock,
      substrate,
      counters,
      limits,
      machines,
      window: limits.sessionWindow,
      toEndpoint: options.toEndpoint,
      // Its sessions have the ids of their discoveries, and nobody listens here.
      requestSessionIds: () => undefined,
      onRetired: () => undefined,
      isOwnConnection: () => Promise.resolve(false),
      sendRapidly: (call, caller) => this.#discoveries.request(call, caller),
    });
    this.#wellKnown = new WellKnown({
      clock,
      substrate,
      counters,
      limits,
      onEvent: (event) => this.#responder.accept(event),
    });
    this.#ports.follow(substrate.environment);
    this.#unwatch = substrate.watch((environment) => this.#follow(environment));
  }

  /** Resolves when every interface there is now has its port, or has failed a first time and is being retried. */
  async ready(): Promise<void> {
    await Promise.all([this.#ports.ready(), this.#wellKnown.ready()]);
  }

  /** The data port of the listener; replaces one that is dead. */
  attachListener(raw: unknown): void {
    this.#listener?.close();
    this.#listener = new DataPort<never, Datagrams>(this.#options.toEndpoint(raw), this.#options.clock, {
      unpack: datagramsForm.unpack,
      countOf: datagramCount,
      onEvents: (batches) => {
        for (const batch of batches) {
          for (const datagram of datagramsOf(batch)) this.#responder.handle(datagram);
        }
      },
    });
  }

  attachClient(client: string, raw: unknown): void {
    this.#clients.attach(client, this.#options.toEndpoint(raw));
  }

  /** A client's line to the sessions that begin with a discovery (§2.5.5.1). */
  attachSessionClient(client: string, raw: unknown): void {
    this.#sessions.attachClient(client, raw);
  }

  endSessions(which: { asa: number; objective?: string | undefined }, code: number): Promise<void> {
    return this.#sessions.endSessions(which, code);
  }

  detachClient(client: string): void {
    this.#sessions.detachClient(client);
    this.#clients.detach(client);
  }

  attachSessionHost(name: string, raw: unknown): void {
    this.#office.attach(name, this.#options.toEndpoint(raw));
  }

  detachSessionHost(name: string): void {
    this.#office.detach(name);
  }

  announce(objective: string, announcement: Announcement | undefined): void {
    this.#responder.announce(objective, announcement);
  }

  /** All there are now, for whoever begins to watch; sessions are {@link sessions}. */
  get actors(): AnyActor[] {
    const owners = [
      this.#responder,
      this.#floods,
      this.#ports,
      this.#wellKnown,
      this.#discoveries,
      this.#relays,
      this.#connections,
      this.#responses,
      this.#sessions,
    ];
    return owners.flatMap(({ actors }) => actors);
  }

  /** Negotiations that began with a discovery. */
  get sessions(): Iterable<WatchedSession> {
    return this.#sessions.sessions;
  }

  /** Entries in the caches. */
  get cached(): { readonly discovery: number; readonly flood: number } {
    return { discovery: this.#discoveries.cache.size, flood: this.#floods.cached };
  }

  get boundPorts(): readonly BoundPort[] {
    return this.#ports.bound;
  }

  status(): { actors: ActorCount[]; queues: QueueStatus[]; wellKnown: boolean } {
    const sessions = this.#sessions.status();
    const parts = [
      this.#discoveries.status(),
      this.#connections.status(),
      this.#responses.status(),
      this.#relays.status(),
      this.#floods.status(),
      this.#wellKnown.status(),
    ];
    return {
      actors: [
        ...this.#responder.status(),
        ...parts.flatMap(({ actors }) => actors),
        ...this.#ports.census(),
        ...sessions.actors,
      ],
      queues: [
        ...parts.flatMap(({ queues }) => queues),
        ...sessions.queues.filter(({ name }) => name === 'sessions'),
      ],
      wellKnown: this.#wellKnown.open,
    };
  }

  async close(): Promise<void> {
    this.#unwatch();
    this.#listener?.close();
    await this.#sessions.close();
    this.#clients.close();
    this.#relays.stop();
    this.#connections.close();
    this.#responses.close();
    this.#floods.close();
    this.#office.close();
    await this.#wellKnown.close();
    await this.#ports.close();
  }

  #follow(environment: Environment): void {
    this.#ports.follow(environment);
    this.#wellKnown.follow();
    // What was learnt on an interface that is gone leads nowhere.
    const now = indexes(environment);
    for (const [name, index] of this.#interfaces) {
      if (now.get(name) !== index) this.#discoveries.cache.removeInterface(name);
    }
    this.#interfaces = now;
    if (environment.security === this.#security) return;
    this.#security = environment.security;
    this.#responder.follow(environment);
    if (environment.security !== 'none') return;
    this.#discoveries.securityLost();
    this.#relays.stop();
    this.#floods.securityLost();
  }

  #handle(client: string, event: ToCore): void {
    switch (event.t) {
      case 'discover':
        return this.#discoveries.discover(client, event);
      case 'cancel':
        this.#discoveries.cancel(client, event.call);
        return this.#floods.cancel(client, event.call);
      default:
        return this.#floods.handle(client, event);
    }
  }

  #nextSessionId(): number {
    if (this.#used === this.#block.length) {
      this.#ids.retire(this.#block, this.#options.clock.now());
      this.#block = this.#ids.drawBlock();
      this.#used = 0;
    }
    return this.#block[this.#used++]!;
  }
}

function indexes({ interfaces }: Environment): ReadonlyMap<string, number> {
  return new Map(interfaces.map(({ name, index }) => [name, index]));
}
