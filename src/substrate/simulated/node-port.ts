import type { Clock } from '../../runtime/clock.js';
import type { Endpoint } from '../../runtime/endpoint.js';
import { SubstrateError, type Target } from '../types.js';
import { Batch } from './batch.js';
import type { Connection, ConnectionEnd } from './connection.js';
import type { Attempt } from './connect.js';
import type { ClientOp, ErrorData, ServerOp, StreamOp } from './messages.js';
import type { Acceptor, Attachment, Family, SimulatedNode } from './node.js';

/** What a port asks of the network it belongs to. */
export interface Switchboard {
  readonly clock: Clock;
  /** Bytes of datagrams one thread may have unhandled; see `SimulatedNetworkOptions`. */
  readonly receiveBufferBytes: number;
  /** GRASP_LISTEN_PORT of this network. */
  readonly groupPort: number;
  multicast(node: SimulatedNode, from: Attachment, way: Way, port: number, bytes: Uint8Array): void;
  connect(port: NodePort, streamId: number, target: Target, timeoutMs: number): Attempt;
  countStreamWrite(connection: Connection, end: 0 | 1, bytes: Uint8Array, part: boolean): void;
}

/** The headers of a datagram, bytes: IPv6 40 or IPv4 20, and UDP 8. */
const HEADERS: Readonly<Record<Family, number>> = { ipv6: 48, ipv4: 28 };

/** How one copy of a multicast leaves. */
export interface Way {
  readonly family: Family;
  readonly address: string;
}

interface Resource {
  readonly kind: 'receiver' | 'pair' | 'listener' | 'well-known';
  readonly attachment?: Attachment;
  readonly acceptor?: Acceptor;
  drops: number;
  dropsTold: number;
}

/** Serves one engine thread: the network's side of an endpoint. Mirrors what the thread has opened. */
export class NodePort implements Omit<ConnectionEnd, 'id'> {
  readonly #batch: Batch<ServerOp>;
  readonly #resources = new Map<number, Resource>();
  /** Ids of the receivers on each interface: asked for every multicast that comes by it. */
  readonly #receivers = new Map<Attachment, number[]>();
  /** Some resource has drops that its thread has not been told of. */
  #untoldDrops = false;
  readonly #streams = new Map<number, { connection: Connection; end: 0 | 1 }>();
  readonly #attempts = new Map<number, { attempt: Attempt; req: number }>();
  /** Listeners of streams offered and not yet handed over, by stream. */
  readonly #offered = new Map<number, Acceptor>();
  #nextStream = 1;
  #unhandledBytes = 0;
  #closed = false;

  constructor(
    readonly node: SimulatedNode,
    readonly endpoint: Endpoint,
    readonly net: Switchboard,
  ) {
    this.#batch = new Batch(endpoint, net.clock);
    endpoint.onMessage((message) => {
      for (const op of message as ClientOp[]) if (!this.#closed) this.#handle(op);
    });
    endpoint.onClose(() => this.close());
    node.ports.add(this);
    this.tellEnvironment();
  }

  tellEnvironment(): void {
    this.#batch.push({ op: 'environment', environment: this.node.environment });
  }

  deliver(op: ServerOp): void {
    this.#batch.push(op);
  }

  forget(streamId: number): void {
    this.#streams.delete(streamId);
    this.#accepted(streamId);
  }

  /** Gives a datagram to this thread's receivers on an interface; false if its buffer is full. */
  datagram(to: Attachment, address: string, port: number, bytes: Uint8Array): boolean {
    const ids = this.#receivers.get(to);
    return ids === undefined || this.#deliverDatagram(ids, to, address, port, bytes);
  }

  /** Gives a unicast to the well-known port, if it is this thread's; false if its buffer is full. */
  unicast(to: Attachment, address: string, port: number, bytes: Uint8Array): boolean {
    const [id] = [...this.#resources].find(([, resource]) => resource.kind === 'well-known') ?? [];
    return id === undefined || this.#deliverDatagram([id], to, address, port, bytes);
  }

  #deliverDatagram(
    ids: readonly number[],
    to: Attachment,
    address: string,
    port: number,
    bytes: Uint8Array,
  ): boolean {
    if (this.#unhandledBytes + bytes.length > this.net.receiveBufferBytes) {
      for (const id of ids) this.#resources.get(id)!.drops++;
      this.#untoldDrops = true;
      return false;
    }
    this.#tellDrops(); // before what came later, as a kernel's count would be
    this.#unhandledBytes += bytes.length;
    this.#batch.push({ op: 'datagram', ids, interface: to.link.name, address, port, bytes });
    return true;
  }

  /** Counts an IPv4 multicast from no subnet of the node, as a thread with receivers does. */
  unknownLink(): void {
    if (this.#receivers.size === 0) return;
    this.#batch.push({ op: 'dropped', reason: 'ipv4.unknown-link' });
  }

  /** Hands an accepted stream to the thread that owns the listener. */
  offer(acceptor: Acceptor, remote: Target, local: Target): ConnectionEnd {
    const id = this.#nextStream;
    this.#nextStream += 2;
    acceptor.pending++;
    this.#offered.set(id, acceptor);
    const by = local.interface ?? this.node.holder(local.address)?.link.name;
    this.#batch.push({ op: 'stream', id, listener: acceptor.id, remote, local, ...(by ? { by } : {}) });
    return this.end(id);
  }

  end(id: number): ConnectionEnd {
    return { id, deliver: (op) => this.deliver(op), forget: (streamId) => this.forget(streamId) };
  }

  own(streamId: number, connection: Connection, end: 0 | 1): void {
    this.#streams.set(streamId, { connection, end });
    if (this.#closed) connection.cut(end);
  }

  /** The interface is gone for good: whatever was open on it is lost. */
  loseInterface(name: string): void {
    for (const [id, resource] of this.#resources) {
      if (resource.attachment?.link.name !== name) continue;
      this.#release(id);
      const error: ErrorData = { kind: 'no-interface', message: `interface ${name} is gone` };
      this.#batch.push({ op: 'lost', id, error });
    }
  }

  /** Ends this thread's view: its streams are reset, its ports are free again. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.node.ports.delete(this);
    for (const id of [...this.#resources.keys()]) this.#release(id);
    for (const { attempt } of this.#attempts.values()) attempt.cancel();
    for (const { connection, end } of [...this.#streams.values()]) connection.cut(end);
    this.#batch.close();
    this.endpoint.close();
  }

  #handle(op: ClientOp): void {
    switch (op.op) {
      case 'openReceiver':
        return this.#reply(op.req, () => {
          this.#keep(op.id, { kind: 'receiver', attachment: this.#usable(op.interface) });
        });
      case 'openPair':
        return this.#reply(op.req, () => {
          const attachment = this.#usable(op.interface);
          const acceptor = this.node.bind(op.port, this, op.id, op.backlog);
          this.#keep(op.id, { kind: 'pair', attachment, acceptor });
          return { port: acceptor.port };
        });
      case 'listen':
        return this.#reply(op.req, () => {
          const acceptor = this.node.bind(op.port, this, op.id, op.backlog);
          this.#keep(op.id, { kind: 'listener', acceptor });
          return { port: acceptor.port };
        });
      case 'openWellKnown':
        return this.#reply(op.req, () => {
          const acceptor = this.node.bind(this.net.groupPort, this, op.id, op.backlog);
          this.#keep(op.id, { kind: 'well-known', acceptor });
          return { port: acceptor.port };
        });
      case 'release':
        return this.#reply(op.req, () => this.#release(op.id));
      case 'multicast':
        return this.#reply(op.req, () => this.#multicast(op.id, op.bytes));
      case 'connect':
        return this.#connect(op.req, op.id, op.target, op.timeoutMs);
      case 'cancelConnect':
        this.#attempts.get(op.id)?.attempt.cancel();
        this.#attempts.delete(op.id);
        return;
      case 'accepted':
        return this.#accepted(op.id);
      case 'data':
      case 'end':
      case 'abort':
      case 'credit':
        return this.#say(op);
      case 'taken':
        return this.#taken(op.bytes);
      case 'close':
        return this.close();
    }
  }

  #connect(req: number, id: number, target: Target, timeoutMs: number): void {
    const attempt = this.net.connect(this, id, target, timeoutMs);
    this.#attempts.set(id, { attempt, req });
    attempt.start({
      connected: (connection, remote, local) => {
        this.#attempts.delete(id);
        this.own(id, connection, 0);
        // The answer goes the way of the data, so that nothing the peer says first arrives before it.
        connection.send(1, { op: 'reply', req, remote, local });
      },
      failed: (kind, message) => {
        this.#attempts.delete(id);
        this.#batch.push({ op: 'reply', req, error: { kind, message } });
      },
    });
  }

  #say(op: StreamOp): void {
    const stream = this.#streams.get(op.id);
    if (!stream) return;
    const { connection, end } = stream;
    if (op.op === 'data') this.net.countStreamWrite(connection, end, op.bytes, op.part === true);
    connection.say(end, op);
  }

  #multicast(id: number, bytes: Uint8Array): void {
    const pair = this.#resources.get(id);
    if (!pair?.attachment || !pair.acceptor) throw new SubstrateError('local', 'the pair is closed');
    const { link, up } = pair.attachment;
    if (!up) throw new SubstrateError('unreachable', `interface ${link.name} is down`);
    const ways = this.node.sendsBy(pair.attachment);
    if (ways.length === 0) throw new SubstrateError('unreachable', `no address on ${link.name} to send from`);
    const most = Math.min(...ways.map(({ family }) => link.settings.mtu - HEADERS[family]));
    if (bytes.length > most) {
      throw new SubstrateError('too-big', `datagram of ${bytes.length} bytes, ${link.name} carries ${most}`);
    }
    for (const way of ways) this.net.multicast(this.node, pair.attachment, way, pair.acceptor.port, bytes);
  }

  #taken(bytes: number): void {
    this.#unhandledBytes -= bytes;
    this.#tellDrops();
  }

  #tellDrops(): void {
    if (!this.#untoldDrops) return;
    this.#untoldDrops = false;
    for (const [id, resource] of this.#resources) {
      if (resource.drops === resource.dropsTold) continue;
      resource.dropsTold = resource.drops;
      this.#batch.push({ op: 'drops', id, drops: resource.drops });
    }
  }

  #accepted(streamId: number): void {
    const acceptor = this.#offered.get(streamId);
    if (!acceptor) return;
    this.#offered.delete(streamId);
    acceptor.pending--;
  }

  #usable(interfaceName: string): Attachment {
    const attachment = this.node.attachment(interfaceName);
    if (!attachment.up) throw new SubstrateError('no-interface', `interface ${interfaceName} is down`);
    return attachment;
  }

  #keep(id: number, resource: Omit<Resource, 'drops' | 'dropsTold'>): void {
    this.#resources.set(id, { ...resource, drops: 0, dropsTold: 0 });
    const { kind, attachment } = resource;
    if (kind !== 'receiver' || !attachment) return;
    // A new list: the old one may be part of a message under way.
    this.#receivers.set(attachment, [...(this.#receivers.get(attachment) ?? []), id]);
  }

  #release(id: number): void {
    const { acceptor, attachment } = this.#resources.get(id) ?? {};
    if (acceptor) this.node.unbind(acceptor);
    this.#resources.delete(id);
    if (!attachment) return;
    const receivers = this.#receivers.get(attachment);
    if (!receivers?.includes(id)) return;
    const others = receivers.filter((other) => other !== id);
    if (others.length > 0) this.#receivers.set(attachment, others);
    else this.#receivers.delete(attachment);
  }

  #reply(req: number, act: () => { port: number } | void): void {
    try {
      this.#batch.push({ op: 'reply', req, ...act() });
    } catch (error) {
      if (!(error instanceof SubstrateError)) throw error;
      this.#batch.push({ op: 'reply', req, error: { kind: error.kind, message: error.message } });
    }
  }
}
