/**
 * Owner of the flood cache, of the relay's memory, and of what this engine floods itself (RFC 8990 §2.5.6.2,
 * §2.8.11), in the core. Clients ask over their data ports.
 */
import type { Actor, AnyActor } from 'xstate';
import {
  encodedSize,
  encodeMessage,
  ErrorCode,
  firstLoopCount,
  floodCopy,
  FloodCache,
  GraspError,
  MAX_MULTICAST_SIZE,
  notServed,
  RelayMemory,
  relayCopy,
  TokenBucket,
  type DullRules,
  type Flood,
  type FloodEntry,
  type FloodMessage,
  type FloodOrigin,
} from '../protocol/index.js';
import type { Clock, Counters, RandomFill } from '../runtime/index.js';
import { SubstrateError, type PortPair, type Substrate } from '../substrate/types.js';
import { formsOf, type MachineForm } from './compiled-machine.js';
import type { FromCore, ToCore } from './core-protocol.js';
import { addressBytes } from './discoveries.js';
import { floodRelayMachine, type FloodRelayPort } from './flood-relay.js';
import { FloodWatches } from './flood-watches.js';
import type { CoreLimits } from './limits.js';
import { census, rethrowLater, startActor, type ActorCount, type QueueStatus } from './machine-host.js';
import type { Arrival } from './multicast-handler.js';
import type { Failure } from './session-protocol.js';

const RELAY = formsOf(floodRelayMachine, (context) => ({ ...context }));

export interface FloodsOptions {
  readonly clock: Clock;
  readonly random: RandomFill;
  readonly substrate: Substrate;
  readonly counters: Counters;
  readonly limits: CoreLimits;
  /** How the flood relay is run. Default `compiled`. */
  readonly machines?: MachineForm | undefined;
  readonly nextSessionId: () => number;
  /** The ports multicasts are sent from. */
  readonly pairs: () => readonly PortPair[];
  /** Initiator field of a flood sent on this interface, or undefined while there is no address. */
  readonly initiatorFor: (interfaceName: string) => Uint8Array | undefined;
  /** The same for the copy that stays in this node. */
  readonly localInitiator: () => Uint8Array;
  /** This is a DULL instance (§2.5.2): it needs no security. */
  readonly dull?: DullRules | undefined;
  readonly send: (client: string, event: FromCore) => void;
  readonly isCongested: (client: string) => boolean;
}

/** What leaves on one interface. */
interface Copy {
  readonly pair: PortPair;
  readonly initiator: Uint8Array;
  readonly bytes: Uint8Array;
}

/** What a client may ask for. */
export type FloodCall = Extract<ToCore, { t: 'flood' | 'flood.get' | 'flood.watch' | 'flood.expire' }>;

export class Floods {
  readonly #options: FloodsOptions;
  readonly #cache: FloodCache;
  readonly #watches: FloodWatches;
  /** (session id, initiator) of floods relayed. */
  readonly #relayed: RelayMemory;
  /** The same of this engine's own, to know copies that come back (RFC 8990 §2.7). */
  readonly #own: RelayMemory;
  readonly #rate: TokenBucket;
  readonly #relay: Actor<typeof floodRelayMachine>;
  /** Relayed copies handed to the network and not yet taken by it. */
  #underWay = 0;

  constructor(options: FloodsOptions) {
    this.#options = options;
    const { clock, random, counters, limits } = options;
    const { floodCache: maxEntries, floodsPerObjective: maxPerObjective, relayMemoryMs: lifetimeMs } = limits;
    this.#cache = new FloodCache({ maxEntries, maxPerObjective });
    this.#relayed = new RelayMemory({ maxKeys: limits.floodMemory, lifetimeMs, random });
    this.#own = new RelayMemory({ maxKeys: limits.ownFloodMemory, lifetimeMs, random });
    this.#rate = new TokenBucket(limits.floodRelayRate, limits.floodRelayBurst);
    this.#watches = new FloodWatches({
      clock,
      isCongested: options.isCongested,
      tell: ({ client, call, objective }) => this.#tell(client, call, objective),
    });
    const port: FloodRelayPort = {
      hasOtherInterface: (arrival) => options.pairs().some((pair) => pair.interface !== arrival.interface),
      isRelayed: (message) => this.#relayed.has(message.sessionId, message.initiator, clock.now()),
      isExhausted: (bytes) => firstLoopCount(bytes) <= 1,
      isMemoryFull: () => this.#relayed.size >= limits.floodMemory,
      isBacklogged: () => this.#underWay >= limits.floodRelaysInFlight,
      isWithinRate: () => this.#rate.ready(clock.now()),
      cache: ({ objectives, initiator, ttl }, arrival) =>
        this.#keep(objectives, { interface: arrival.interface, ttl, initiator }),
      relay: (message, bytes, arrival) => this.#sendOn(message, bytes, arrival),
      count: (reason) => counters.add(reason),
    };
    this.#relay = startActor(
      RELAY[options.machines ?? 'compiled'],
      { input: { port } },
      // As with the multicast handler: if this throws, the worker is replaced.
      { counters, onError: (error) => rethrowLater(clock, error) },
    );
  }

  /** Whether (session id, initiator) is a flood of this engine (C-12). */
  isOwn(sessionId: number, initiator: Uint8Array): boolean {
    return this.#own.has(sessionId, initiator, this.#options.clock.now());
  }

  /** A flood of another node. */
  receive(message: FloodMessage, bytes: Uint8Array, arrival: Arrival): void {
    const event = { type: 'flood.received', message, bytes, arrival } as const;
    this.#options.counters.watcher?.eventComes(this.#relay, event);
    this.#relay.send(event);
  }

  handle(client: string, call: FloodCall): void {
    const { clock, dull, substrate } = this.#options;
    // Only forgetting works without security (api.md 4.18).
    if (!dull && substrate.environment.security === 'none' && call.t !== 'flood.expire') {
      return this.#done(client, call.call, { code: ErrorCode.noSecurity });
    }
    switch (call.t) {
      case 'flood':
        return this.#flood(client, call);
      case 'flood.get':
        return this.#tell(client, call.call, call.objective);
      case 'flood.watch':
        return this.#watch(client, call.call, call.objective);
      case 'flood.expire':
        if (this.#cache.remove(call.objective, call.locator, clock.now()))
          this.#watches.changed(call.objective);
        return this.#done(client, call.call, undefined);
    }
  }

  cancel(client: string, call: number): void {
    this.#watches.cancel(client, call);
  }

  /** A client takes events again. */
  credit(): void {
    this.#watches.credit();
  }

  clientGone(client: string): void {
    this.#watches.clientGone(client);
  }

  securityLost(): void {
    for (const { client, call } of this.#watches.clear()) {
      this.#done(client, call, { code: ErrorCode.noSecurity });
    }
  }

  get actors(): AnyActor[] {
    return [this.#relay];
  }

  /** Entries in the cache. */
  get cached(): number {
    return this.#cache.size;
  }

  status(): { actors: ActorCount[]; queues: QueueStatus[] } {
    const { limits } = this.#options;
    return {
      actors: census(this.actors),
      queues: [
        { name: 'flood.cache', length: this.#cache.size, limit: limits.floodCache },
        { name: 'flood.memory', length: this.#relayed.size, limit: limits.floodMemory },
        { name: 'flood.own-memory', length: this.#own.size, limit: limits.ownFloodMemory },
        { name: 'flood.watches', length: this.#watches.size, limit: limits.floodWatches },
        { name: 'flood.sending', length: this.#underWay, limit: limits.floodRelaysInFlight },
      ],
    };
  }

  close(): void {
    this.#relay.stop();
    this.#watches.clear();
  }

  #keep(objectives: readonly FloodEntry[], origin: FloodOrigin): void {
    const { clock, counters } = this.#options;
    const evicted = this.#cache.add(objectives, origin, clock.now());
    if (evicted > 0) counters.add('flood-cache.evicted', evicted);
    for (const { objective } of objectives) this.#watches.changed(objective.name);
  }

  /** §2.5.6.2: "reissuing a Flood Synchronization message as a link-local multicast on its other GRASP interfaces". */
  #sendOn(message: FloodMessage, bytes: Uint8Array, arrival: Arrival): void {
    const { clock, counters, pairs } = this.#options;
    const copy = relayCopy(bytes);
    if (!copy) return;
    const now = clock.now();
    this.#rate.take(now);
    this.#relayed.add(message.sessionId, message.initiator, now);
    for (const pair of pairs()) {
      if (pair.interface === arrival.interface) continue;
      this.#underWay++;
      counters.watcher?.passed({
        direction: 'sent',
        via: 'multicast',
        bytes: copy,
        interface: pair.interface,
        relayed: true,
      });
      pair.sendMulticast(copy).then(
        () => {
          this.#underWay--;
          counters.add('multicast.sent');
          counters.add('relay.flood.sent');
        },
        (error: unknown) => {
          this.#underWay--;
          // §2.5.3: as large as it came; whether the other link carries it is its own affair.
          counters.add(isTooBig(error) ? 'flood.relay.too-big' : 'multicast.send-failed');
        },
      );
    }
  }

  #flood(client: string, call: Extract<FloodCall, { t: 'flood' }>): void {
    const { dull, localInitiator, nextSessionId } = this.#options;
    for (const { objective } of dull ? call.pairs : []) {
      const detail = notServed(dull!, objective.name);
      if (detail !== undefined) return this.#done(client, call.call, { code: ErrorCode.unspec, detail });
    }
    const flood: Flood = {
      sessionId: nextSessionId(),
      ttl: call.ttlMs,
      objectives: call.pairs.map(({ objective, value, locator }) => ({
        // §2.5.2: "with a loop count of 1".
        objective: { ...objective, value, ...(dull && { loopCount: 1 }) },
        locator,
      })),
    };
    // What stays in this node; no link's address takes the place of `::` there.
    const local = floodCopy(flood, localInitiator(), new Uint8Array(16))!;
    let copies: readonly Copy[];
    try {
      copies = this.#copies(flood);
      // §2.5.3: every copy or none.
      const largest = Math.max(encodedSize(local), ...copies.map(({ bytes }) => bytes.length));
      if (largest > MAX_MULTICAST_SIZE) {
        const detail = `the flood has ${largest} bytes, a multicast at most ${MAX_MULTICAST_SIZE}`;
        return this.#done(client, call.call, { code: ErrorCode.tooBig, detail });
      }
    } catch (error) {
      // A field out of range.
      if (!GraspError.is(error)) throw error;
      return this.#done(client, call.call, { code: error.code, detail: error.detail });
    }
    this.#send(copies, flood.sessionId, (failure) => this.#done(client, call.call, failure));
    // C-12: for the other ASAs of this node, with or without neighbours.
    this.#keep(local.objectives, { interface: '', ttl: flood.ttl, initiator: local.initiator });
  }

  /** One per interface that has an address for it, all with the same session ID (G-2.5.6.2-05). */
  #copies(flood: Flood): Copy[] {
    const { counters, substrate, pairs, initiatorFor } = this.#options;
    const copies: Copy[] = [];
    for (const pair of pairs()) {
      const info = substrate.environment.interfaces.find(({ name }) => name === pair.interface);
      const initiator = initiatorFor(pair.interface);
      const copy = initiator && floodCopy(flood, initiator, addressBytes(info?.linkLocal));
      if (copy) copies.push({ pair, initiator: copy.initiator, bytes: encodeMessage(copy) });
      else counters.add('flood.no-address');
    }
    return copies;
  }

  /** `settled` when every copy has left or failed; only if none could leave the flood has failed. */
  #send(copies: readonly Copy[], sessionId: number, settled: (failure: Failure | undefined) => void): void {
    const { clock, counters } = this.#options;
    if (copies.length === 0) return settled(undefined);
    let underWay = copies.length;
    let sent = 0;
    const settle = (reason: string): void => {
      counters.add(reason);
      if (--underWay > 0) return;
      const detail = 'the flood could not be sent on any interface';
      settled(sent > 0 ? undefined : { code: ErrorCode.unspec, detail });
    };
    for (const { pair, initiator, bytes } of copies) {
      if (this.#own.add(sessionId, initiator, clock.now()) === 'full') counters.add('flood.own-memory-full');
      counters.watcher?.passed({ direction: 'sent', via: 'multicast', bytes, interface: pair.interface });
      pair.sendMulticast(bytes).then(
        () => {
          sent++;
          counters.add('flood.sent');
          settle('multicast.sent');
        },
        () => settle('multicast.send-failed'),
      );
    }
  }

  #watch(client: string, call: number, objective: string): void {
    const { counters, limits } = this.#options;
    if (this.#watches.size < limits.floodWatches) return this.#watches.add({ client, call, objective });
    counters.add('flood.watches-full');
    this.#done(client, call, { code: ErrorCode.overload, detail: 'too many watches of floods' });
  }

  #tell(client: string, call: number, objective: string): void {
    const entries = this.#cache.get(objective, this.#options.clock.now());
    this.#options.send(client, { t: 'floods', call, entries });
  }

  #done(client: string, call: number, failure: Failure | undefined): void {
    this.#options.send(client, { t: 'done', call, failure });
  }
}

function isTooBig(error: unknown): boolean {
  return error instanceof SubstrateError && error.kind === 'too-big';
}
