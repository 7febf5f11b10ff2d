/**
 * Owner of the discovery relay (RFC 8990 §2.5.4.4), in the core: what has been relayed, how often, and one
 * `discoveryRelay` actor per relayed discovery under way.
 */
import type { Actor, AnyActor } from 'xstate';
import {
  DISCOVERY_TIMEOUT_PER_HOP_MS,
  encodedSize,
  encodeMessage,
  F_SYNCH,
  GRASP_DEF_MAX_SIZE,
  hasValue,
  locatorKey,
  M_RESPONSE,
  relayCopy,
  RelayMemory,
  simplePeersFirst,
  TokenBucket,
  usableInDivert,
  type DiscoveryMessage,
  type ResponseMessage,
  type SynchMessage,
  type WireLocator,
  type WireObjective,
} from '../protocol/index.js';
import type { Clock, Counters, RandomFill, TimerId } from '../runtime/index.js';
import type { PortPair } from '../substrate/types.js';
import { discoveryRelayMachine, type DiscoveryRelayPort } from './discovery-relay.js';
import { formsOf, type MachineForm } from './compiled-machine.js';
import type { CoreLimits } from './limits.js';
import { census, startActor, type ActorCount, type QueueStatus } from './machine-host.js';
import type { Arrival } from './multicast-handler.js';

const RELAY = formsOf(discoveryRelayMachine, (context) => ({ ...context }));

export interface DiscoveryRelaysOptions {
  /** How the machines here are run. Default `compiled`. */
  readonly machines?: MachineForm | undefined;
  readonly clock: Clock;
  readonly random: RandomFill;
  readonly counters: Counters;
  readonly limits: CoreLimits;
  /** The ports discoveries are sent from, own and relayed. */
  readonly pairs: () => readonly PortPair[];
  /** Into the discovery cache, and to own discoveries of the same objective. */
  readonly learn: (
    asked: Pick<WireObjective, 'name' | 'value'>,
    message: ResponseMessage,
    interfaceName: string,
  ) => void;
  /** An M_RESPONSE, encoded, to where a discovery came from. */
  readonly sendBack: (bytes: Uint8Array, to: Arrival) => void;
}

/** A relayed discovery under way. */
interface Relay {
  readonly key: string;
  /** What of the discovery is needed later; shares no memory with the datagram. */
  readonly discovery: DiscoveryMessage;
  readonly arrival: Arrival;
  /** Keys of the locators passed back. */
  readonly passed: Set<string>;
  /** It asks for a value (§2.5.6.3): M_SYNCH may come. */
  readonly asksForValue: boolean;
  actor: Actor<typeof discoveryRelayMachine> | undefined;
}

export class DiscoveryRelays {
  readonly #options: DiscoveryRelaysOptions;
  readonly #memory: RelayMemory;
  readonly #buckets = new Map<string, TokenBucket>();
  /** Oldest first. */
  readonly #relays = new Map<string, Relay>();
  /** Those that ask for a value. */
  readonly #asking = new Set<Relay>();

  constructor(options: DiscoveryRelaysOptions) {
    this.#options = options;
    const { limits, random } = options;
    const { discoveryRelayMemory: maxKeys, relayMemoryMs: lifetimeMs } = limits;
    this.#memory = new RelayMemory({ maxKeys, lifetimeMs, random });
  }

  /** Whether there is an interface to relay to. */
  hasOtherInterface({ interface: incoming }: Arrival): boolean {
    return this.#options.pairs().some((pair) => pair.interface !== incoming);
  }

  /** Whether the discovery was relayed before, by whatever interface it came then. */
  hasRelayed({ sessionId, initiator }: DiscoveryMessage): boolean {
    return this.#memory.has(sessionId, initiator, this.#options.clock.now());
  }

  /** Relays a discovery that came as `bytes`, if rate and memory allow it. */
  relay(message: DiscoveryMessage, bytes: Uint8Array, arrival: Arrival): void {
    const { clock, counters, limits } = this.#options;
    const now = clock.now();
    const copy = relayCopy(bytes);
    if (!copy) return;
    // "MUST limit the total rate at which it relays Discovery messages" (§2.5.4.4)
    if (!this.#bucket(arrival.interface).take(now)) return counters.add('relay.discovery.rate');
    if (this.#memory.add(message.sessionId, message.initiator, now) !== 'added')
      return counters.add('relay.discovery.memory');
    for (const oldest of this.#relays.values()) {
      if (this.#relays.size < limits.discoveryRelays) break;
      counters.add('relay.discovery.ended-early');
      oldest.actor?.send({ type: 'stopped' });
    }
    if (limits.discoveryRelays <= 0) return;
    this.#start(message, copy, arrival);
  }

  /** An M_RESPONSE that came by this interface; false if it belongs to no relayed discovery under way. */
  deliver(message: ResponseMessage, interfaceName: string): boolean {
    const relay = this.#relays.get(keyOf(message));
    if (!relay) return false;
    this.#options.counters.add('relay.response.received');
    relay.actor?.send({ type: 'response.received', message, interface: interfaceName });
    return true;
  }

  get asksForValues(): boolean {
    return this.#asking.size > 0;
  }

  /** An M_SYNCH that came by this interface; it names no initiator, so the objective has to tell. */
  deliverValue(message: SynchMessage, interfaceName: string): boolean {
    for (const { discovery, actor } of this.#asking) {
      if (discovery.sessionId !== message.sessionId || discovery.objective.name !== message.objective.name)
        continue;
      actor?.send({ type: 'value.received', message, interface: interfaceName });
      return true;
    }
    return false;
  }

  get actors(): AnyActor[] {
    return [...this.#relays.values()].flatMap(({ actor }) => actor ?? []);
  }

  status(): { actors: ActorCount[]; queues: QueueStatus[] } {
    const { limits } = this.#options;
    return {
      actors: census(this.actors),
      queues: [
        { name: 'relay.discoveries', length: this.#relays.size, limit: limits.discoveryRelays },
        { name: 'relay.discovery-memory', length: this.#memory.size, limit: limits.discoveryRelayMemory },
      ],
    };
  }

  /** Ends all that are under way; what was relayed is remembered. */
  stop(): void {
    for (const { actor } of [...this.#relays.values()]) actor?.send({ type: 'stopped' });
  }

  #bucket(interfaceName: string): TokenBucket {
    let bucket = this.#buckets.get(interfaceName);
    if (!bucket) {
      const rate = this.#options.limits.discoveryRelayRate;
      this.#buckets.set(interfaceName, (bucket = new TokenBucket(rate, rate)));
    }
    return bucket;
  }

  #start(message: DiscoveryMessage, copy: Uint8Array, arrival: Arrival): void {
    const { clock, counters } = this.#options;
    const { objective } = message;
    const relay: Relay = {
      key: keyOf(message),
      discovery: {
        ...message,
        initiator: Uint8Array.from(message.initiator),
        objective: { ...objective, value: objective.value && Uint8Array.from(objective.value) },
      },
      arrival,
      passed: new Set(),
      asksForValue: objective.value !== undefined && (objective.flags & F_SYNCH) !== 0,
      actor: undefined,
    };
    const letGo = arrival.reply?.hold();
    let timer: TimerId | undefined;
    const port: DiscoveryRelayPort = {
      get subject() {
        const { sessionId: session, objective } = relay.discovery;
        return { objective: objective.name, peer: arrival, session, role: 'relay' as const };
      },
      send: () => this.#send(relay, copy),
      startTimer: () => {
        // The timeout that §2.5.4.4 suggests.
        const ms = DISCOVERY_TIMEOUT_PER_HOP_MS * (objective.loopCount - 1);
        timer = clock.setTimeout(() => relay.actor?.send({ type: 'timer.expired' }), ms);
      },
      stopTimer: () => clock.clearTimeout(timer),
      passBack: (response, interfaceName) => this.#passBack(relay, response, interfaceName),
      passValueBack: (value) => this.#passValueBack(relay, value),
      count: (reason) => counters.add(reason),
      release: () => {
        this.#relays.delete(relay.key);
        this.#asking.delete(relay);
        letGo?.();
      },
    };
    this.#relays.set(relay.key, relay);
    if (relay.asksForValue) this.#asking.add(relay);
    relay.actor = startActor(
      RELAY[this.#options.machines ?? 'compiled'],
      { input: { port, interface: arrival.interface } },
      { counters, onError: () => port.release() },
    );
  }

  /** Same session id and initiator, every other byte as it came, on every interface but that one. */
  #send(relay: Relay, copy: Uint8Array): void {
    const { clock, counters, pairs } = this.#options;
    let underWay = 1;
    let sent = 0;
    const settle = (): void => {
      if (--underWay === 0 && sent === 0) relay.actor?.send({ type: 'send.failed' });
    };
    for (const pair of pairs()) {
      if (pair.interface === relay.arrival.interface) continue;
      underWay++;
      counters.watcher?.passed({
        direction: 'sent',
        via: 'multicast',
        bytes: copy,
        interface: pair.interface,
        relayed: true,
      });
      pair.sendMulticast(copy).then(
        () => {
          sent++;
          counters.add('relay.discovery.sent');
          settle();
        },
        () => {
          counters.add('relay.discovery.send-failed');
          settle();
        },
      );
    }
    // In a later turn: the actor is still taking its first step.
    clock.defer(settle);
  }

  /**
   * §2.5.4.4: results "MUST in turn be sent as a Discovery Response message to the Discovery message that caused the
   * relay action", here as a Divert. Diverts of other relays are flattened; what means nothing beyond its link is left
   * out (§2.9.5.1–4); no locator goes twice.
   */
  #passBack(relay: Relay, response: ResponseMessage, interfaceName: string): void {
    const { counters, limits, learn, sendBack } = this.#options;
    const { sessionId, initiator, objective } = relay.discovery;
    learn(objective, response, interfaceName);
    const usable = [...response.locators, ...(response.divert ?? [])].filter(usableInDivert);
    if (usable.length === 0) return counters.add('relay.response.unusable');
    const fresh = usable.filter((locator) => !relay.passed.has(locatorKey(locator)));
    if (fresh.length === 0) return counters.add('relay.response.repeated');
    const room = limits.discoveryRelayLocators - relay.passed.size;
    if (fresh.length > room) counters.add('relay.response.locators', fresh.length - Math.max(0, room));
    const rapid = isRapid(objective, response.objective) ? response.objective : undefined;
    const empty = { type: M_RESPONSE, sessionId, initiator, ttl: response.ttl, locators: [] } as const;
    let left = simplePeersFirst(fresh.slice(0, Math.max(0, room)));
    while (left.length > 0) {
      const answer = diverted(empty, left, rapid);
      if (!answer) return counters.add('relay.response.too-big', left.length);
      left = left.filter((locator) => !answer.divert!.includes(locator));
      for (const locator of answer.divert!) relay.passed.add(locatorKey(locator));
      counters.add('relay.response.passed');
      sendBack(encodeMessage(answer), relay.arrival);
    }
  }

  /** Whoever answers a discovery with its value knows only the relay: the value goes on as it is, once. */
  #passValueBack(relay: Relay, message: SynchMessage): void {
    const { counters, sendBack } = this.#options;
    if (relay.passed.has(VALUE)) return counters.add('relay.response.repeated');
    relay.passed.add(VALUE);
    counters.add('relay.response.passed');
    sendBack(encodeMessage(message), relay.arrival);
  }
}

/** The keys of `passed` are those of locators, and this for a value. */
const VALUE = 'value';

/** §2.8.3: as many locators as fit; the objective only where it does not cost one. */
function diverted(
  empty: Omit<ResponseMessage, 'divert' | 'objective'>,
  locators: readonly WireLocator[],
  objective: WireObjective | undefined,
): ResponseMessage | undefined {
  const fitting: WireLocator[] = [];
  const answer = (divert: readonly WireLocator[]): ResponseMessage => ({
    ...empty,
    divert,
    objective: undefined,
  });
  for (const locator of locators) {
    if (encodedSize(answer([...fitting, locator])) <= GRASP_DEF_MAX_SIZE) fitting.push(locator);
  }
  if (fitting.length === 0) return undefined;
  const complete: ResponseMessage = { ...empty, divert: fitting, objective };
  return encodedSize(complete) <= GRASP_DEF_MAX_SIZE ? complete : answer(fitting);
}

/** C-26: a mere copy of the discovery's objective is not passed on, a value is. */
function isRapid(asked: WireObjective, answer: WireObjective | undefined): boolean {
  return answer?.name === asked.name && hasValue(answer.value) && !asked.value;
}

function keyOf({ sessionId, initiator }: Pick<DiscoveryMessage, 'sessionId' | 'initiator'>): string {
  let key = `${sessionId} ${initiator.length}`;
  for (const byte of initiator) key += String.fromCharCode(byte);
  return key;
}
