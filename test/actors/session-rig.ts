/**
 * Session hosts on a simulated network under virtual time, every message cloned as between threads; the API side
 * is played by {@link Client}, the peer by another host or by {@link Peer}, which speaks bytes of an independent
 * CBOR library.
 */
import { decodeFirst, encode } from 'cborg';
import { SessionHost, type MachineForm } from '../../src/actors/session-host.js';
import type {
  Answer,
  Failure,
  FromSessions,
  ListenKind,
  SessionKey,
  SessionLimits,
  ToSessions,
} from '../../src/actors/session-protocol.js';
import { Counters, DataPort, inlinePair, SimulatedClock, type Endpoint } from '../../src/runtime/index.js';
import {
  openSimulatedSubstrate,
  SimulatedNetwork,
  type SimulatedNode,
} from '../../src/substrate/simulated/index.js';
import type { Stream, StreamListener, Substrate, SubstrateError, Target } from '../../src/substrate/types.js';

export type Incoming = FromSessions & { t: 'incoming' };

export const F_NEG = 3;
export const F_DRY = 11;
export const F_SYNCH = 5;

export class Rig {
  readonly clock = new SimulatedClock();
  readonly network = new SimulatedNetwork({ clock: this.clock, seed: 5 });
  readonly engines: Engine[] = [];
  #nextBlock = 1;

  /** A node with one session host. Nodes of the same name are the same node. */
  async engine(node: string, options: EngineOptions = {}): Promise<Engine> {
    const { substrate, simulated } = await this.substrate(node);
    const engine = new Engine(this, node, simulated, substrate, options);
    this.engines.push(engine);
    return engine;
  }

  async peer(node: string): Promise<Peer> {
    const { substrate, simulated } = await this.substrate(node);
    return new Peer(this, substrate, simulated);
  }

  async substrate(node: string): Promise<{ substrate: Substrate; simulated: SimulatedNode }> {
    let simulated: SimulatedNode;
    try {
      simulated = this.network.node(node);
    } catch {
      simulated = this.network.addNode(node, { links: ['l1'] });
    }
    const [theirs, ours] = inlinePair(this.clock, { clone: true });
    simulated.connectPort(theirs);
    const substrate = await this.clock.until(openSimulatedSubstrate(ours, { clock: this.clock }));
    return { substrate, simulated };
  }

  /** Session ids that are easy to tell from a scripted peer's. */
  block(size: number): Uint32Array {
    const first = this.#nextBlock * 1_000_000;
    this.#nextBlock++;
    return Uint32Array.from({ length: size }, (_, i) => first + i);
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.until(promise);
  }

  async close(): Promise<void> {
    for (const engine of this.engines) await this.run(engine.host.close());
    this.network.close();
    await this.clock.settle();
  }
}

export interface EngineOptions {
  readonly limits?: Partial<SessionLimits>;
  readonly blockSize?: number;
  /** Blocks the core gives when asked; default as many as wanted. */
  readonly blocks?: number;
  readonly machines?: MachineForm;
  readonly isOwnConnection?: (local: Target) => Promise<boolean>;
  /** Window of the host's data ports. */
  readonly window?: number;
  /** Stands between the host and the substrate, for faults that a network cannot make. */
  readonly wrap?: (substrate: Substrate) => Substrate;
}

/** The substrate with some members replaced. */
export function withMembers(members: (of: Substrate) => Partial<Substrate>): (of: Substrate) => Substrate {
  return (of) => {
    const replaced = members(of);
    return new Proxy(of, {
      get: (_, key): unknown => {
        if (key in replaced) return Reflect.get(replaced, key);
        const value: unknown = Reflect.get(of, key, of);
        return typeof value === 'function' ? (value.bind(of) as unknown) : value;
      },
    });
  };
}

/** Every stream the substrate accepts goes through `change` first. */

export class Engine {
  readonly counters = new Counters();
  readonly host: SessionHost;
  readonly client: Client;
  readonly retired: number[] = [];
  blocksAskedFor = 0;

  constructor(
    readonly rig: Rig,
    node: string,
    readonly node_: SimulatedNode,
    readonly substrate: Substrate,
    options: EngineOptions,
  ) {
    const { blockSize = 64, blocks = Infinity } = options;
    this.host = new SessionHost({
      name: `sessions of ${node}`,
      clock: rig.clock,
      substrate: options.wrap ? options.wrap(substrate) : substrate,
      counters: this.counters,
      limits: options.limits ?? {},
      machines: options.machines,
      toEndpoint: (raw) => raw as Endpoint,
      requestSessionIds: () => {
        if (this.blocksAskedFor++ >= blocks) return;
        rig.clock.defer(() => this.host.addSessionIds(rig.block(blockSize), true));
      },
      isOwnConnection: options.isOwnConnection ?? (() => Promise.resolve(false)),
      onRetired: (first) => this.retired.push(first),
      window: options.window,
    });
    this.client = this.attach('main');
  }

  get address(): string {
    return this.substrate.environment.interfaces[0]!.addresses[0]!;
  }

  get linkLocal(): Target {
    const { linkLocal, name } = this.substrate.environment.interfaces[0]!;
    return { address: linkLocal!, interface: name, port: 0 };
  }

  attach(name: string, options: { holdEvents?: boolean } = {}): Client {
    const [theirs, ours] = inlinePair(this.rig.clock, { clone: true });
    const client = new Client(this.rig, this, name, ours, options);
    this.host.attachClient(name, theirs);
    return client;
  }

  /** Live machines, as status tells them. */
  states(): Record<string, number> {
    return Object.fromEntries(this.host.status().actors.map(({ state, count }) => [state, count]));
  }

  queue(name: string): number {
    return this.host.status().queues.find((queue) => queue.name === name)!.length;
  }
}

/** The API side of one host: numbers calls, collects answers. */
export class Client {
  readonly incoming: Incoming[] = [];
  readonly ended = new Map<SessionKey, Failure>();
  /** Every event in the order of arrival. */
  readonly events: FromSessions[] = [];
  readonly #calls = new Map<number, (event: FromSessions & { call: number }) => void>();
  readonly #port: DataPort<ToSessions, FromSessions>;
  static #next = 1;

  constructor(
    private readonly rig: Rig,
    private readonly engine: Engine,
    readonly name: string,
    endpoint: Endpoint,
    /** With `holdEvents`: the port never confirms, as a client whose thread is busy. */
    options: { holdEvents?: boolean },
  ) {
    if (options.holdEvents) {
      endpoint.onMessage((batch) => {
        for (const event of (batch as [FromSessions[]])[0]) this.#receive(event);
      });
      this.release = (handled) => endpoint.postMessage([[], handled]);
      this.#port = {
        send: (event: ToSessions) => endpoint.postMessage([[event], 0]),
      } as never;
      return;
    }
    this.#port = new DataPort<ToSessions, FromSessions>(endpoint, rig.clock, {
      onEvents: (events) => {
        for (const event of events) this.#receive(event);
      },
    });
    this.close = () => this.#port.close();
  }

  /** Confirms events by hand, where they are held. */
  release: (handled: number) => void = () => {
    throw new Error('events are not held');
  };
  close: () => void = () => undefined;

  #receive(event: FromSessions): void {
    this.events.push(event);
    if (event.t === 'incoming') this.incoming.push(event);
    else if (event.t === 'ended') this.ended.set(event.session, event.failure);
    else {
      const settle = this.#calls.get(event.call);
      if (!settle) throw new Error(`call ${event.call} is answered twice or never was`);
      this.#calls.delete(event.call);
      settle(event);
    }
  }

  /** Calls that have no answer yet. */
  get openCalls(): number {
    return this.#calls.size;
  }

  request(
    target: Target,
    options: Partial<RequestOptions> = {},
  ): { session: SessionKey; answer: Promise<Answer> } {
    const {
      name = 'EX3',
      flags = F_NEG,
      loopCount = 6,
      value = ['NZD', 300],
      timeoutMs = 60_000,
      connectTimeoutMs = 5_000,
      asa = 1,
      session = Client.#next++,
      maxMessageBytes,
    } = options;
    const answer = this.#call<FromSessions & { t: 'answer' }>({
      t: 'request',
      session,
      asa,
      objective: { name, flags, loopCount },
      value: encode(value),
      target,
      connectTimeoutMs,
      timeoutMs,
      maxMessageBytes,
    }).then((event) => event.answer);
    return { session, answer };
  }

  /** M_REQ_SYN; the session's only call. */
  synchronize(
    target: Target,
    options: Partial<RequestOptions> = {},
  ): { session: SessionKey; answer: Promise<Answer> } {
    const {
      name = 'EX3',
      flags = F_SYNCH,
      loopCount = 6,
      timeoutMs = 60_000,
      connectTimeoutMs = 5_000,
      asa = 1,
      session = Client.#next++,
      maxMessageBytes,
    } = options;
    const answer = this.#call<FromSessions & { t: 'answer' }>({
      t: 'synchronize',
      session,
      asa,
      objective: { name, flags, loopCount },
      target,
      connectTimeoutMs,
      timeoutMs,
      maxMessageBytes,
    }).then((event) => event.answer);
    return { session, answer };
  }

  step(session: SessionKey, value: unknown, options: Partial<StepOptions> = {}): Promise<Answer> {
    const { timeoutMs = 60_000, loopCount, dryRun } = options;
    return this.#call<FromSessions & { t: 'answer' }>({
      t: 'step',
      session,
      value: encode(value),
      loopCount,
      dryRun,
      timeoutMs,
    }).then((event) => event.answer);
  }

  wait(session: SessionKey, waitMs: number): Promise<Failure | undefined> {
    return this.#call<FromSessions & { t: 'done' }>({ t: 'wait', session, waitMs }).then(
      (event) => event.failure,
    );
  }

  end(session: SessionKey, accept: boolean, reason?: string): Promise<Failure | undefined> {
    return this.#call<FromSessions & { t: 'done' }>({ t: 'end', session, accept, reason }).then(
      (event) => event.failure,
    );
  }

  invalid(session: SessionKey, info?: unknown): Promise<Failure | undefined> {
    const bytes = info === undefined ? undefined : encode(info);
    return this.#call<FromSessions & { t: 'done' }>({ t: 'invalid', session, info: bytes }).then(
      (event) => event.failure,
    );
  }

  take(listen: number, n = 1): void {
    this.#port.send({ t: 'take', listen, n });
  }

  /** Listens and is ready for `demand` requests. */
  async listen(
    options: {
      name?: string;
      demand?: number;
      asa?: number;
      port?: number;
      max?: number;
      kind?: ListenKind;
      flags?: number;
      value?: unknown;
      resumed?: boolean;
    } = {},
  ): Promise<{
    listen: number;
    port: number;
    target: Target;
  }> {
    const { name = 'EX3', asa = 1, port: wanted = 0, max: maxMessageBytes, kind, resumed } = options;
    const { demand = kind === undefined ? 1 : 0, flags = kind === undefined ? F_NEG : F_SYNCH } = options;
    const listen = Client.#next++;
    const { port } = await this.rig.run(
      this.engine.host.listen({
        listen,
        client: this.name,
        asa,
        objective: name,
        port: wanted,
        maxMessageBytes,
        kind,
        flags,
        value: 'value' in options ? encode(options.value) : undefined,
        resumed,
      }),
    );
    if (demand > 0) this.take(listen, demand);
    await this.rig.clock.settle();
    return { listen, port, target: { address: this.engine.address, port } };
  }

  /** The next request; advances until there is one. */
  async nextIncoming(): Promise<Incoming> {
    await this.rig.clock.settle();
    const next = this.incoming.shift();
    if (!next) throw new Error('no request has come');
    return next;
  }

  #call<E extends FromSessions>(
    command: DistributiveOmit<ToSessions & { call: number }, 'call'>,
  ): Promise<E> {
    const call = Client.#next++;
    return new Promise((resolve) => {
      this.#calls.set(call, (event) => resolve(event as unknown as E));
      this.#port.send({ ...command, call } as ToSessions);
    });
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

interface RequestOptions {
  name: string;
  flags: number;
  loopCount: number;
  value: unknown;
  timeoutMs: number;
  connectTimeoutMs: number;
  asa: number;
  session: SessionKey;
  maxMessageBytes: number | undefined;
}

interface StepOptions {
  timeoutMs: number;
  loopCount: number | undefined;
  dryRun: boolean | undefined;
}

/** A node without an engine: opens and accepts streams and says exactly what a test wants. */
export class Peer {
  constructor(
    private readonly rig: Rig,
    readonly substrate: Substrate,
    readonly node: SimulatedNode,
  ) {}

  get address(): string {
    return this.substrate.environment.interfaces[0]!.addresses[0]!;
  }

  async connect(target: Target): Promise<PeerStream> {
    const stream = await this.rig.run(
      this.substrate.connect(target, { timeoutMs: 1_000 }).then((opened) => new PeerStream(this.rig, opened)),
    );
    return stream;
  }

  /** Accepts streams; they queue in `streams`. */
  async listen(port = 0): Promise<{ target: Target; streams: PeerStream[]; listener: StreamListener }> {
    const streams: PeerStream[] = [];
    const listener = await this.rig.run(
      this.substrate.listen({ port }, (stream) => streams.push(new PeerStream(this.rig, stream))),
    );
    return { target: { address: this.address, port: listener.port }, streams, listener };
  }
}

/** One scripted stream: what arrived, decoded by cborg, and how it ended. */
export class PeerStream {
  /** Messages received. */
  readonly messages: unknown[][] = [];
  bytesReceived = 0;
  ended = false;
  closed: SubstrateError | 'closed' | undefined;
  #buffer = new Uint8Array();

  constructor(
    private readonly rig: Rig,
    readonly stream: Stream,
  ) {
    stream.setHandlers({
      onData: (bytes) => {
        this.bytesReceived += bytes.length;
        this.#buffer = Uint8Array.from([...this.#buffer, ...bytes]);
        while (this.#buffer.length > 0) {
          const [message, rest] = decodeFirst(this.#buffer) as [unknown[], Uint8Array];
          this.messages.push(message);
          this.#buffer = rest.slice();
        }
      },
      onEnd: () => (this.ended = true),
      onClose: (error) => (this.closed = error ?? 'closed'),
    });
  }

  /** True when the engine finished or reset the stream. */
  get over(): boolean {
    return this.ended || this.closed !== undefined;
  }

  /** Messages in one segment. */
  async send(...messages: unknown[]): Promise<void> {
    await this.bytes(Buffer.concat(messages.map((message) => encode(message))));
  }

  async bytes(bytes: Uint8Array | string): Promise<void> {
    this.stream.write(typeof bytes === 'string' ? Buffer.from(bytes, 'hex') : bytes);
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
