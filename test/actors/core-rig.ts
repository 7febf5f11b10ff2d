/**
 * Listener and core over the simulated substrate, inline under virtual time, every message cloned as between
 * threads; the API side is played by {@link DiscoveryClient}, other nodes by {@link MulticastPeer}, whose bytes
 * come from an independent CBOR library.
 */
import { decode, decodeFirst, encode } from 'cborg';
import ipaddr from 'ipaddr.js';
import { Core } from '../../src/actors/core.js';
import { weightOf } from '../../src/actors/core-protocol.js';
import type {
  AnnouncedListener,
  BoundPort,
  DatagramEvent,
  FloodPair,
  FloodRecord,
  FromCore,
  ToCore,
} from '../../src/actors/core-protocol.js';
import { datagramCount, datagramsForm, datagramsOf } from '../../src/actors/datagram-batch.js';
import type { FloodCall } from '../../src/actors/floods.js';
import { DEFAULT_LIMITS, type Limits } from '../../src/actors/limits.js';
import { Listener } from '../../src/actors/listener.js';
import type { QueueStatus } from '../../src/actors/machine-host.js';
import type { Failure } from '../../src/actors/session-protocol.js';
import type { CachedLocator, WireLocator } from '../../src/protocol/index.js';
import {
  Counters,
  DataPort,
  inlinePair,
  SimulatedClock,
  type Endpoint,
  type RandomFill,
} from '../../src/runtime/index.js';
import {
  openSimulatedSubstrate,
  SimulatedNetwork,
  type SimulatedNode,
} from '../../src/substrate/simulated/index.js';
import type { PortPair, Stream, Substrate, SubstrateError, Target } from '../../src/substrate/types.js';

export const toEndpoint = (raw: unknown): Endpoint => raw as Endpoint;

/** Well spread and the same in every run. */
export function spread(seed: number): RandomFill {
  let state = seed;
  return (target) => {
    for (let i = 0; i < target.length; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      target[i] = state >>> 24;
    }
  };
}

/** The bytes of an address, as they stand in a locator or initiator field. */
export function addressBytes(address: string): Uint8Array {
  return Uint8Array.from(ipaddr.parse(address).toByteArray());
}

export interface NodeChoice {
  readonly links?: readonly string[];
  readonly ula?: boolean;
  readonly ipv6?: boolean;
  readonly ipv4?: boolean;
}

export interface CoreEngineOptions extends NodeChoice {
  readonly limits?: Partial<Limits>;
  readonly preferredPorts?: Readonly<Record<string, number>>;
  readonly listenSelf?: boolean;
  readonly rapidAnswers?: boolean;
  readonly random?: RandomFill;
  /** Stands between the actors and the substrate, for faults that a network cannot make. */
  readonly wrap?: (substrate: Substrate) => Substrate;
}

export class CoreRig {
  readonly clock = new SimulatedClock(1_000_000);
  readonly network: SimulatedNetwork;
  readonly #closing: (() => Promise<void>)[] = [];
  #seed = 1;

  constructor(options: { receiveBufferBytes?: number } = {}) {
    this.network = new SimulatedNetwork({ clock: this.clock, seed: 5, ...options });
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.until(promise);
  }

  /** One thread's view of a node; nodes of the same name are the same node. */
  async substrate(
    name: string,
    choice: NodeChoice = {},
  ): Promise<{ substrate: Substrate; node: SimulatedNode }> {
    let node: SimulatedNode;
    try {
      node = this.network.node(name);
    } catch {
      node = this.network.addNode(name, { ...choice, links: choice.links ?? ['l1'] });
    }
    const [theirs, ours] = inlinePair(this.clock, { clone: true });
    node.connectPort(theirs);
    const substrate = await this.run(openSimulatedSubstrate(ours, { clock: this.clock }));
    return { substrate, node };
  }

  /** Core and listener of one engine, each with a substrate of its own. */
  async engine(name: string, options: CoreEngineOptions = {}): Promise<CoreEngine> {
    const wrap = options.wrap ?? ((substrate) => substrate);
    const heard = await this.substrate(name, options);
    const said = await this.substrate(name, options);
    const engine = new CoreEngine(this, said.node, wrap(heard.substrate), wrap(said.substrate), {
      random: spread(this.#seed++),
      ...options,
    });
    await this.run(engine.ready());
    this.#closing.push(async () => {
      await engine.close();
      await heard.substrate.close();
      await said.substrate.close();
    });
    await this.clock.settle();
    return engine;
  }

  /** A listener alone; the test plays the core. */
  async listener(name: string, options: CoreEngineOptions = {}): Promise<LoneListener> {
    const wrap = options.wrap ?? ((substrate) => substrate);
    const { substrate, node } = await this.substrate(name, options);
    const lone = new LoneListener(this, node, wrap(substrate), options);
    await this.run(lone.listener.ready());
    this.#closing.push(async () => {
      await lone.listener.close();
      await substrate.close();
    });
    return lone;
  }

  /** `deaf`: it hears no multicast; what it hears has to be CBOR. */
  async peer(name: string, choice: NodeChoice & { deaf?: boolean } = {}): Promise<MulticastPeer> {
    const { substrate, node } = await this.substrate(name, choice);
    const peer = new MulticastPeer(this, substrate, node);
    await this.run(peer.open(choice.deaf));
    return peer;
  }

  async close(): Promise<void> {
    for (const close of this.#closing) await this.run(close());
    this.network.close();
    await this.clock.settle();
  }
}

export class LoneListener {
  readonly counters = new Counters();
  readonly listener: Listener;

  constructor(
    readonly rig: CoreRig,
    readonly node: SimulatedNode,
    readonly substrate: Substrate,
    options: CoreEngineOptions,
  ) {
    this.listener = new Listener({
      clock: rig.clock,
      substrate,
      counters: this.counters,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      listenSelf: options.listenSelf ?? false,
      toEndpoint,
    });
  }

  /** A core that takes nothing unless told to. */
  attachHandler(): SlowHandler {
    const [theirs, ours] = inlinePair(this.rig.clock, { clone: true });
    const handler = new SlowHandler(this.rig, ours);
    this.listener.attachCore(theirs);
    return handler;
  }

  queue(name: 'discovery' | 'flood' | 'unhandled'): QueueStatus {
    return this.listener.status().queues.find((queue) => queue.name === `multicast.${name}`)!;
  }
}

/** The handler's end of the listener's data port, confirming by hand. */
export class SlowHandler {
  readonly datagrams: DatagramEvent[] = [];
  /** How many came at a time. */
  readonly batches: number[] = [];

  constructor(
    private readonly rig: CoreRig,
    private readonly endpoint: Endpoint,
  ) {
    endpoint.onMessage((message) => {
      for (const batch of (message as [unknown[]])[0].map(datagramsForm.unpack)) {
        this.datagrams.push(...datagramsOf(batch));
        this.batches.push(datagramCount(batch));
      }
    });
  }

  /** First elements of what it got: 1 discovery, 9 flood. */
  get types(): unknown[] {
    return this.datagrams.map(({ bytes }) => (decode(Uint8Array.from(bytes)) as unknown[])[0]);
  }

  die(): void {
    this.endpoint.close();
  }

  async confirm(handled: number): Promise<void> {
    this.endpoint.postMessage([[], handled]);
    await this.rig.clock.settle();
  }
}

export class CoreEngine {
  readonly heard = new Counters();
  readonly counters = new Counters();
  readonly listener: Listener;
  readonly core: Core;
  /** What the core told of its ports, each time. */
  readonly ports: (readonly BoundPort[])[] = [];

  constructor(
    readonly rig: CoreRig,
    readonly node: SimulatedNode,
    heard: Substrate,
    readonly substrate: Substrate,
    options: CoreEngineOptions & { random: RandomFill },
  ) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { clock } = rig;
    this.listener = new Listener({
      clock,
      substrate: heard,
      counters: this.heard,
      limits,
      listenSelf: options.listenSelf ?? false,
      toEndpoint,
    });
    this.core = new Core({
      clock,
      random: options.random,
      substrate,
      counters: this.counters,
      limits,
      toEndpoint,
      preferredPorts: options.preferredPorts ?? {},
      rapidAnswers: options.rapidAnswers,
      onPorts: (ports) => {
        this.ports.push(ports);
        this.listener.setOwnSenders(ports);
      },
    });
    const [atListener, atCore] = inlinePair(clock, { clone: true });
    this.listener.attachCore(atListener);
    this.core.attachListener(atCore);
  }

  async ready(): Promise<void> {
    await this.core.ready();
    await this.listener.ready();
  }

  get environment() {
    return this.node.environment;
  }

  address(link = 'l1'): string {
    return this.environment.interfaces.find(({ name }) => name === link)!.addresses[0]!;
  }

  /** Where a link-local neighbour on `link` reaches the port of its discoveries. */
  discoveryPort(link = 'l1'): Target {
    const { linkLocal } = this.environment.interfaces.find(({ name }) => name === link)!;
    const { port } = this.core.boundPorts.find((bound) => bound.interface === link)!;
    return { address: linkLocal!, interface: link, port };
  }

  /** ASAs that listen for `objective`, as the supervisor announces them. */
  async announce(
    objective: string,
    listeners: Partial<AnnouncedListener>[],
    ttlMs = 60_000,
    flags = 3,
  ): Promise<void> {
    const list = listeners.map((listener) => ({ asa: 1, port: 50_001, ...listener }));
    this.core.announce(objective, { objective, flags, ttlMs, listeners: list });
    await this.rig.clock.settle();
  }

  client(name = 'main'): DiscoveryClient {
    const [theirs, ours] = inlinePair(this.rig.clock, { clone: true });
    const client = new DiscoveryClient(this.rig, ours);
    this.core.attachClient(name, theirs);
    return client;
  }

  floodClient(name = 'floods'): FloodClient {
    const [theirs, ours] = inlinePair(this.rig.clock, { clone: true });
    const client = new FloodClient(this.rig, ours);
    this.core.attachClient(name, theirs);
    return client;
  }

  /** A client that watches and confirms nothing unless told to. */
  lazyFloodClient(): LazyFloodClient {
    const [theirs, ours] = inlinePair(this.rig.clock, { clone: true });
    const client = new LazyFloodClient(this.rig, ours);
    this.core.attachClient('lazy', theirs);
    return client;
  }

  /** Live actors by machine and state. */
  census(): Record<string, number> {
    return Object.fromEntries(
      this.core.status().actors.map(({ machine, state, count }) => [`${machine} ${state}`, count]),
    );
  }

  queue(name: string): QueueStatus {
    return this.core.status().queues.find((queue) => queue.name === name)!;
  }

  async close(): Promise<void> {
    await this.listener.close();
    await this.core.close();
  }
}

export interface DiscoverOptions {
  readonly asa?: number;
  readonly loopCount?: number;
  readonly flags?: number;
  readonly timeoutMs?: number | undefined;
  readonly minimumTtlMs?: number | undefined;
  readonly flush?: boolean;
  /** Asks for a value at once; encoded by cborg. */
  readonly value?: unknown;
}

/** A discovery as its client sees it. */
export class Discovery {
  readonly found: CachedLocator[] = [];
  /** Undefined while it runs. */
  outcome: { atMs: number; failure: Failure | undefined } | undefined;

  constructor(readonly call: number) {}

  /** Ports of what was found, in the order of arrival; the tests give each locator its own. */
  get ports(): (number | null)[] {
    return this.found.map(({ locator }) => ('port' in locator ? locator.port : null));
  }
}

/** The API side of discovery. */
export class DiscoveryClient {
  readonly #port: DataPort<ToCore, FromCore>;
  readonly #calls = new Map<number, Discovery>();
  #next = 1;

  constructor(
    private readonly rig: CoreRig,
    endpoint: Endpoint,
  ) {
    this.#port = new DataPort<ToCore, FromCore>(endpoint, rig.clock, {
      onEvents: (events) => {
        for (const event of events) {
          const discovery = this.#calls.get(event.call)!;
          if (discovery.outcome) throw new Error(`call ${event.call} goes on after its end`);
          if (event.t === 'found') discovery.found.push(event.locator);
          else if (event.t === 'done') discovery.outcome = { atMs: rig.clock.now(), failure: event.failure };
        }
      },
    });
  }

  async discover(name: string, options: DiscoverOptions = {}): Promise<Discovery> {
    const discovery = new Discovery(this.#next++);
    this.#calls.set(discovery.call, discovery);
    this.#port.send({
      t: 'discover',
      call: discovery.call,
      asa: options.asa ?? 1,
      objective: { name, flags: options.flags ?? 3, loopCount: options.loopCount ?? 6 },
      timeoutMs: options.timeoutMs,
      minimumTtlMs: options.minimumTtlMs,
      flush: options.flush ?? false,
      ...('value' in options && { value: encode(options.value) }),
    });
    await this.rig.clock.settle();
    return discovery;
  }

  async cancel(discovery: Discovery): Promise<void> {
    this.#port.send({ t: 'cancel', call: discovery.call });
    await this.rig.clock.settle();
  }

  async close(): Promise<void> {
    this.#port.close();
    await this.rig.clock.settle();
  }
}

/** The client's end of the core's data port, confirming by hand. */
export class LazyFloodClient {
  /** Entries of every answer. */
  readonly told: (readonly FloodRecord[])[] = [];

  constructor(
    private readonly rig: CoreRig,
    private readonly endpoint: Endpoint,
  ) {
    endpoint.onMessage((batch) => {
      for (const event of (batch as [FromCore[]])[0]) {
        if (event.t === 'floods') this.told.push(event.entries);
      }
    });
  }

  watch(objective: string): void {
    this.endpoint.postMessage([[{ t: 'flood.watch', call: 1, objective }], 0]);
  }

  async confirm(handled: number): Promise<void> {
    this.endpoint.postMessage([[], handled]);
    await this.rig.clock.settle();
  }
}

/** How one call of a {@link FloodClient} stands. */
export interface FloodOutcome {
  /** Every answer with entries, in order. */
  readonly answers: (readonly FloodRecord[])[];
  done: boolean;
  failure: Failure | undefined;
}

/** The API side of flooding. */
export class FloodClient {
  readonly #port: DataPort<ToCore, FromCore>;
  readonly #calls = new Map<number, FloodOutcome>();
  #next = 1;

  constructor(
    private readonly rig: CoreRig,
    endpoint: Endpoint,
  ) {
    this.#port = new DataPort<ToCore, FromCore>(endpoint, rig.clock, {
      countOf: weightOf,
      onEvents: (events) => {
        for (const event of events) {
          const outcome = this.#calls.get(event.call)!;
          if (outcome.done) throw new Error(`call ${event.call} goes on after its end`);
          if (event.t === 'floods') outcome.answers.push(event.entries);
          else if (event.t === 'done') Object.assign(outcome, { done: true, failure: event.failure });
        }
      },
    });
  }

  /** Sends a call without letting time or turns pass. */
  post(call: FloodCallWithoutNumber): FloodOutcome & { readonly call: number } {
    const outcome = { call: this.#next++, answers: [], done: false, failure: undefined };
    this.#calls.set(outcome.call, outcome);
    this.#port.send({ ...call, call: outcome.call } as ToCore);
    return outcome;
  }

  /** Floods pairs as the API gives them to the core. */
  async flood(pairs: readonly FloodPair[], ttlMs = 60_000): Promise<FloodOutcome> {
    const outcome = this.post({ t: 'flood', asa: 1, ttlMs, pairs });
    await this.rig.clock.settle();
    return outcome;
  }

  async get(objective: string): Promise<readonly FloodRecord[]> {
    const outcome = this.post({ t: 'flood.get', objective });
    await this.rig.clock.settle();
    if (outcome.failure) throw new Error(`code ${outcome.failure.code}`);
    return outcome.answers[0]!;
  }

  async watch(objective: string): Promise<FloodOutcome & { readonly call: number }> {
    const outcome = this.post({ t: 'flood.watch', objective });
    await this.rig.clock.settle();
    return outcome;
  }

  async expire(objective: string, locator?: WireLocator): Promise<FloodOutcome> {
    const outcome = this.post({ t: 'flood.expire', objective, locator });
    await this.rig.clock.settle();
    return outcome;
  }

  async cancel(call: number): Promise<void> {
    this.#port.send({ t: 'cancel', call });
    await this.rig.clock.settle();
  }

  async close(): Promise<void> {
    this.#port.close();
    await this.rig.clock.settle();
  }
}

type FloodCallWithoutNumber = FloodCall extends infer C
  ? C extends FloodCall
    ? Omit<C, 'call'>
    : never
  : never;

/** A multicast as a peer heard it. */
export interface Heard {
  readonly interface: string;
  readonly address: string;
  readonly port: number;
  readonly message: unknown[];
}

/** A node without an engine: says exactly what a test wants, and notes what it hears. */
export class MulticastPeer {
  readonly heard: Heard[] = [];
  /** Ends its side of an accepted stream when the other side has ended, as peers should. */
  polite = false;
  /** Streams accepted on the ports of its multicasts. */
  readonly accepted: PeerConnection[] = [];
  readonly #pairs = new Map<string, PortPair>();

  constructor(
    private readonly rig: CoreRig,
    readonly substrate: Substrate,
    readonly node: SimulatedNode,
  ) {}

  async open(deaf = false): Promise<void> {
    for (const { name } of this.substrate.environment.interfaces) {
      const pair = await this.substrate.openPair(name, {
        onStream: (stream) => {
          const ending = (): void => {
            if (this.polite) stream.end();
          };
          this.accepted.push(new PeerConnection(this.rig, stream, name, ending));
        },
        onLost: () => this.#pairs.delete(name),
      });
      this.#pairs.set(name, pair);
      if (deaf) continue;
      await this.substrate.openReceiver(
        name,
        (datagram) => {
          const { address, port } = datagram;
          // Its own copies are of no interest.
          if (port === pair.port && this.node.environment.interfaces.some((i) => i.linkLocal === address))
            return;
          const message = decode(Uint8Array.from(datagram.bytes)) as unknown[];
          this.heard.push({ interface: name, address, port, message });
        },
        () => undefined,
      );
    }
  }

  get address(): string {
    return this.substrate.environment.interfaces[0]!.addresses[0]!;
  }

  get linkLocal(): string {
    return this.substrate.environment.interfaces[0]!.linkLocal!;
  }

  port(link = 'l1'): number {
    return this.#pairs.get(link)!.port;
  }

  /** Messages it got over accepted streams. */
  get responses(): unknown[][] {
    return this.accepted.flatMap(({ messages }) => messages);
  }

  /** Multicasts without letting time or turns pass. */
  post(message: unknown, link = 'l1'): void {
    const bytes = message instanceof Uint8Array ? message : encode(message);
    void this.#pairs.get(link)!.sendMulticast(bytes);
  }

  /** Multicasts one message, or raw bytes, and lets it arrive. */
  async multicast(message: unknown, link = 'l1'): Promise<void> {
    this.post(message, link);
    await this.rig.clock.settle();
  }

  /** Answers what it heard, over a stream of its own. */
  async respond(to: Heard, ...rest: unknown[]): Promise<PeerConnection> {
    const stream = await this.connect({ address: to.address, port: to.port, interface: to.interface });
    await stream.send([2, to.message[1], to.message[2], ...rest]);
    await stream.end();
    return stream;
  }

  connect(target: Target): Promise<PeerConnection> {
    return this.rig.run(
      this.substrate
        .connect(target, { timeoutMs: 1_000 })
        .then((stream) => new PeerConnection(this.rig, stream, target.interface ?? '')),
    );
  }
}

/** One scripted stream: what arrived, decoded by cborg, and how it ended. */
export class PeerConnection {
  readonly messages: unknown[][] = [];
  ended = false;
  closed: SubstrateError | 'closed' | undefined;
  #buffer = new Uint8Array();

  constructor(
    private readonly rig: CoreRig,
    readonly stream: Stream,
    readonly interface_: string,
    onEnd: () => void = () => undefined,
  ) {
    stream.setHandlers({
      onData: (bytes) => {
        this.#buffer = Uint8Array.from([...this.#buffer, ...bytes]);
        while (this.#buffer.length > 0) {
          const [message, rest] = decodeFirst(this.#buffer) as [unknown[], Uint8Array];
          this.messages.push(message);
          this.#buffer = rest.slice();
        }
      },
      onEnd: () => {
        this.ended = true;
        onEnd();
      },
      onClose: (error) => (this.closed = error ?? 'closed'),
    });
  }

  /** True when the engine finished or reset the stream. */
  get over(): boolean {
    return this.ended || this.closed !== undefined;
  }

  async send(...messages: unknown[]): Promise<void> {
    await this.bytes(Buffer.concat(messages.map((message) => encode(message))));
  }

  async bytes(bytes: Uint8Array): Promise<void> {
    this.stream.write(bytes);
    await this.rig.clock.settle();
  }

  async end(): Promise<void> {
    this.stream.end();
    await this.rig.clock.settle();
  }

  async abort(): Promise<void> {
    this.stream.abort();
    await this.rig.clock.settle();
  }
}

/** `[103, address, 6, port]`. */
export function tcp6(address: string, port: number): unknown[] {
  return [103, addressBytes(address), 6, port];
}

/** A discovery in three-element form (RFC 8990 §2.8.4). */
export function discovery(
  name: string,
  options: { sid?: number; from?: string; loop?: number; value?: unknown } = {},
): unknown[] {
  const { sid = 77, from = 'fd00::77', loop = 6 } = options;
  const objective = 'value' in options ? [name, 3, loop, options.value] : [name, 3, loop];
  return [1, sid, addressBytes(from), objective];
}

export function flood(
  name: string,
  options: {
    sid?: number;
    from?: string;
    value?: unknown;
    ttl?: number;
    loop?: number;
    flags?: number;
    tag?: unknown[];
  } = {},
): unknown[] {
  const { sid = 78, from = 'fd00::77', value = 1, ttl = 60_000, loop = 6, flags = 5, tag = [] } = options;
  return [9, sid, addressBytes(from), ttl, [[name, flags, loop, value], tag]];
}
