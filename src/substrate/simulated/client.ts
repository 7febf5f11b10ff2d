import type { Clock } from '../../runtime/clock.js';
import { Counters } from '../../runtime/counters.js';
import type { Endpoint } from '../../runtime/endpoint.js';
import {
  SubstrateError,
  type CancelSignal,
  type Datagram,
  type Environment,
  type ListenOptions,
  type PacketReceiver,
  type PortPair,
  type Stream,
  type StreamListener,
  type Substrate,
  type WellKnownPort,
  type Target,
} from '../types.js';
import { Batch } from './batch.js';
import { SimulatedStream } from './client-stream.js';
import { DEFAULT_BACKLOG, type ClientOp, type ErrorData, type ServerOp } from './messages.js';

type Reply = Extract<ServerOp, { op: 'reply' }>;

interface Pending {
  resolve(reply: Reply): void;
  reject(error: SubstrateError): void;
}

interface Receiver {
  readonly onDatagram: (datagram: Datagram) => void;
  readonly onLost: (error: SubstrateError) => void;
  drops: number;
}

/** What accepts streams: a listener, a pair, which can be lost, or the well-known port, which takes datagrams too. */
interface Accepting {
  readonly onStream: (stream: Stream, interfaceName: string | undefined) => void;
  readonly onDatagram?: (datagram: Datagram) => void;
  readonly onLost?: (error: SubstrateError) => void;
}

/**
 * Opens one thread's view of a simulated node, over the endpoint whose other end was given to
 * `node.connectPort`. Resolves when the network has told the node's environment; rejects with `local` if the
 * network is closed first.
 */
export function openSimulatedSubstrate(endpoint: Endpoint, deps: { clock: Clock }): Promise<Substrate> {
  return new Promise((resolve, reject) => {
    const client = new SimulatedSubstrate(endpoint, deps.clock, (error) => {
      if (error) reject(error);
      else resolve(client);
    });
  });
}

class SimulatedSubstrate implements Substrate {
  readonly #batch: Batch<ClientOp>;
  readonly #watchers = new Set<(environment: Environment) => void>();
  readonly #pending = new Map<number, Pending>();
  readonly #receivers = new Map<number, Receiver>();
  readonly #accepting = new Map<number, Accepting>();
  readonly #streams = new Map<number, SimulatedStream>();
  /** Connects under way, by stream: data may follow the answer in the same batch. */
  readonly #connecting = new Map<number, number>();
  readonly #drops = new Counters();
  readonly #whenClosed: Promise<void>;
  #environment: Environment | undefined;
  #nextId = 0;
  #closing = false;
  #takenBytes = 0;

  constructor(
    endpoint: Endpoint,
    readonly clock: Clock,
    opened: (error?: SubstrateError) => void,
  ) {
    this.#batch = new Batch(endpoint, clock);
    endpoint.onMessage((message) => {
      for (const op of message as ServerOp[]) {
        if (op.op === 'environment' && !this.#environment) {
          this.#environment = frozen(op.environment);
          opened();
        } else this.#handle(op);
      }
      if (this.#takenBytes > 0) this.#batch.push({ op: 'taken', bytes: this.#takenBytes });
      this.#takenBytes = 0;
    });
    this.#whenClosed = new Promise((resolve) => {
      endpoint.onClose(() => {
        opened(new SubstrateError('local', 'the simulated network is closed'));
        this.#lost();
        resolve();
      });
    });
  }

  get environment(): Environment {
    return this.#environment!;
  }

  watch(listener: (environment: Environment) => void): () => void {
    this.#watchers.add(listener);
    return () => void this.#watchers.delete(listener);
  }

  async openReceiver(
    interfaceName: string,
    onDatagram: (datagram: Datagram) => void,
    onLost: (error: SubstrateError) => void,
  ): Promise<PacketReceiver> {
    const id = this.#id();
    const receiver: Receiver = { onDatagram, onLost, drops: 0 };
    this.#receivers.set(id, receiver);
    try {
      await this.#ask((req) => ({ op: 'openReceiver', req, id, interface: interfaceName }));
    } catch (error) {
      this.#receivers.delete(id);
      throw error;
    }
    return { close: () => this.#release(id, this.#receivers), kernelDrops: () => receiver.drops };
  }

  async openPair(
    interfaceName: string,
    options: { port?: number; onStream: (stream: Stream) => void; onLost: (error: SubstrateError) => void },
  ): Promise<PortPair> {
    const { onStream, onLost, port: wanted = 0 } = options;
    const accepting = { onStream, onLost };
    const { id, port } = await this.#accept(accepting, (req, newId) => {
      return {
        op: 'openPair',
        req,
        id: newId,
        interface: interfaceName,
        port: wanted,
        backlog: DEFAULT_BACKLOG,
      };
    });
    return {
      interface: interfaceName,
      port,
      sendMulticast: async (bytes) => {
        const copy = new Uint8Array(bytes);
        await this.#ask((req) => ({ op: 'multicast', req, id, bytes: copy }));
      },
      close: () => this.#release(id, this.#accepting),
    };
  }

  async openWellKnown(options: {
    onDatagram: (datagram: Datagram) => void;
    onStream: (stream: Stream, interfaceName: string | undefined) => void;
    onLost: (error: SubstrateError) => void;
  }): Promise<WellKnownPort> {
    const { onDatagram, onStream, onLost } = options;
    const { id, port } = await this.#accept({ onStream, onDatagram, onLost }, (req, newId) => {
      return { op: 'openWellKnown', req, id: newId, backlog: DEFAULT_BACKLOG };
    });
    return { port, close: () => this.#release(id, this.#accepting) };
  }

  dropped(): Record<string, number> {
    return this.#drops.snapshot();
  }

  async listen(options: ListenOptions, onStream: (stream: Stream) => void): Promise<StreamListener> {
    const { port: wanted = 0, backlog = DEFAULT_BACKLOG } = options;
    const { id, port } = await this.#accept({ onStream }, (req, newId) => {
      return { op: 'listen', req, id: newId, port: wanted, backlog };
    });
    return { port, close: () => this.#release(id, this.#accepting) };
  }

  async connect(target: Target, options: { timeoutMs: number; signal?: CancelSignal }): Promise<Stream> {
    const { timeoutMs, signal } = options;
    if (signal?.aborted) throw aborted(signal);
    const id = this.#id();
    const { address, fqdn = false, port, interface: name } = target;
    const plain: Target =
      name === undefined ? { address, port, fqdn } : { address, port, fqdn, interface: name };
    let req = 0;
    const cancel = (): void => {
      this.#batch.push({ op: 'cancelConnect', id });
      // The answer may be under way already: then the stream is there, and has to go.
      this.#batch.push({ op: 'abort', id });
      this.#connecting.delete(req);
      this.#settle(req)?.reject(aborted(signal!));
    };
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      await this.#ask((number) => {
        req = number;
        this.#connecting.set(req, id);
        return { op: 'connect', req, id, target: plain, timeoutMs };
      });
      return this.#streams.get(id)!;
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      for (const stream of [...this.#streams.values()]) stream.abort();
      this.#batch.push({ op: 'close' });
      this.#batch.flush();
    }
    await this.#whenClosed;
  }

  #handle(op: ServerOp): void {
    switch (op.op) {
      case 'environment':
        this.#environment = frozen(op.environment);
        for (const watcher of [...this.#watchers]) watcher(this.#environment);
        return;
      case 'reply':
        return this.#replied(op);
      case 'datagram':
        this.#takenBytes += op.bytes.length;
        for (const id of op.ids) (this.#receivers.get(id) ?? this.#accepting.get(id))?.onDatagram?.(op);
        return;
      case 'drops': {
        const receiver = this.#receivers.get(op.id);
        if (receiver) receiver.drops = op.drops;
        return;
      }
      case 'dropped':
        return this.#drops.add(op.reason);
      case 'lost': {
        const owner = this.#receivers.get(op.id) ?? this.#accepting.get(op.id);
        this.#receivers.delete(op.id);
        this.#accepting.delete(op.id);
        owner?.onLost?.(rebuilt(op.error));
        return;
      }
      case 'stream':
        return this.#accepted(op);
      default:
        this.#streams.get(op.id)?.receive(op);
    }
  }

  #replied(op: Reply): void {
    const streamId = this.#connecting.get(op.req);
    this.#connecting.delete(op.req);
    if (streamId !== undefined && op.remote && op.local) this.#stream(streamId, op.remote, op.local);
    const pending = this.#settle(op.req);
    if (op.error) pending?.reject(rebuilt(op.error));
    else pending?.resolve(op);
  }

  #accepted(op: Extract<ServerOp, { op: 'stream' }>): void {
    const accepting = this.#accepting.get(op.listener);
    this.#batch.push({ op: 'accepted', id: op.id });
    // Closed in the meantime: reset, as a stack does with what waits in the backlog of a socket that closes.
    if (!accepting || this.#closing) this.#batch.push({ op: 'abort', id: op.id });
    else accepting.onStream(this.#stream(op.id, op.remote, op.local), op.by);
  }

  #stream(id: number, remote: Target, local: Target): SimulatedStream {
    const stream = new SimulatedStream(id, remote, local, this.clock, {
      send: (op) => this.#batch.push(op),
      forget: () => void this.#streams.delete(id),
    });
    this.#streams.set(id, stream);
    return stream;
  }

  async #accept(
    accepting: Accepting,
    op: (req: number, id: number) => ClientOp,
  ): Promise<{ id: number; port: number }> {
    const id = this.#id();
    this.#accepting.set(id, accepting);
    try {
      const reply = await this.#ask((req) => op(req, id));
      return { id, port: reply.port! };
    } catch (error) {
      this.#accepting.delete(id);
      throw error;
    }
  }

  async #release(id: number, from: Map<number, unknown>): Promise<void> {
    if (!from.delete(id) || this.#closing) return;
    try {
      await this.#ask((req) => ({ op: 'release', req, id }));
    } catch (error) {
      // The substrate closed meanwhile, and everything opened here with it.
      if (!this.#closing) throw error;
    }
  }

  #ask(op: (req: number) => ClientOp): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#closing) return reject(new SubstrateError('local', 'the substrate is closed'));
      const req = this.#id();
      this.#pending.set(req, { resolve, reject });
      this.#batch.push(op(req));
    });
  }

  #settle(req: number): Pending | undefined {
    const pending = this.#pending.get(req);
    this.#pending.delete(req);
    return pending;
  }

  /** Even numbers: the network gives odd ones to the streams it announces. */
  #id(): number {
    this.#nextId += 2;
    return this.#nextId;
  }

  /** The network, or this substrate, is closed: everybody still waiting hears of it. */
  #lost(): void {
    const announced = !this.#closing;
    this.#closing = true;
    this.#batch.close();
    const error = new SubstrateError('local', 'the substrate is closed');
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    const owners = [...this.#receivers.values(), ...this.#accepting.values()];
    this.#receivers.clear();
    this.#accepting.clear();
    for (const stream of [...this.#streams.values()]) stream.lose(error);
    if (announced) for (const owner of owners) owner.onLost?.(error);
    this.#watchers.clear();
  }
}

function rebuilt(error: ErrorData): SubstrateError {
  return new SubstrateError(error.kind, error.message);
}

function aborted(signal: CancelSignal): SubstrateError {
  return new SubstrateError('local', 'the connect was aborted', { cause: signal.reason });
}

function frozen(environment: Environment): Environment {
  const { security, interfaces, otherAddresses } = environment;
  return Object.freeze({
    security,
    interfaces: Object.freeze(
      interfaces.map((i) => Object.freeze({ ...i, addresses: Object.freeze([...i.addresses]) })),
    ),
    otherAddresses: Object.freeze([...otherAddresses]),
  });
}
