/**
 * The multicast listener of an engine: one receive socket per interface, and the only reader of the group. It
 * scans and bounds what arrives, drops the engine's own looped-back copies, and passes the rest on as batches of
 * raw bytes, one that comes alone by itself. It never waits for the handler: discovery and floods stand in separate
 * bounded queues, so that a storm of one cannot starve the other, and what finds its queue full is dropped and
 * counted. The queues are memory of a fixed size, taken at start (`datagram-queue.ts`).
 */
import type { AnyActor } from 'xstate';
import { copyOf, DEF_SCAN_LIMITS, multicastKind, type ScanLimits } from '../protocol/index.js';
import { DataPort, type Clock, type TimerId, type Counters, type Endpoint } from '../runtime/index.js';
import { isOwnAddress } from '../substrate/own-address.js';
import type { Datagram, Environment, PacketReceiver, Substrate } from '../substrate/types.js';
import { bindingMachine, type BindingPort } from './binding.js';
import type { BoundPort, Datagrams } from './core-protocol.js';
import { datagramsForm, RecentSources, takeBatch } from './datagram-batch.js';
import { DatagramQueue } from './datagram-queue.js';
import type { ListenerLimits } from './limits.js';
import { census, leaves, startActor, type ActorCount, type QueueStatus } from './machine-host.js';

/** ms until a receive socket that could not be opened is tried again. */
const RETRY_MS = 250;

export interface ListenerOptions {
  readonly clock: Clock;
  readonly substrate: Substrate;
  readonly counters: Counters;
  readonly limits: ListenerLimits;
  /** Testing: hear the engine's own multicasts too. */
  readonly listenSelf: boolean;
  readonly toEndpoint: (raw: unknown) => Endpoint;
}

interface Receiver {
  readonly actor: AnyActor;
  socket: PacketReceiver | undefined;
  /** What the socket of now had dropped at the last look. */
  dropped: number;
}

/** Two queues, one for discovery and everything small, one for floods. */
type QueueName = 'discovery' | 'flood';

const QUEUE_FULL = {
  discovery: 'multicast.discovery.queue-full',
  flood: 'multicast.flood.queue-full',
} as const satisfies Record<QueueName, string>;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #counters: Counters;
  readonly #receivers = new Map<string, Receiver>();
  readonly #queues: Record<QueueName, DatagramQueue>;
  readonly #scanLimits: ScanLimits;
  readonly #sources = new RecentSources();
  readonly #unwatch: () => void;
  #own: readonly BoundPort[] = [];
  #environment: Environment;
  #handler: DataPort<Datagrams, never> | undefined;
  #turn: QueueName = 'discovery';
  #passing = false;
  /** The last turn brought no more than one. */
  #sparse = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#counters = options.counters;
    this.#environment = options.substrate.environment;
    const { limits } = options;
    this.#scanLimits = { ...DEF_SCAN_LIMITS, maxBytes: limits.maxDatagramBytes };
    this.#queues = {
      discovery: new DatagramQueue(limits.discoveryQueue, limits.discoveryQueueBytes),
      flood: new DatagramQueue(limits.floodQueue, limits.floodQueueBytes),
    };
    this.#unwatch = options.substrate.watch((environment) => this.#follow(environment));
    this.#follow(options.substrate.environment);
  }

  /** Resolves when every interface that is there now has its receive socket, or has failed a first time. */
  async ready(): Promise<void> {
    await Promise.all([...this.#receivers.values()].map((receiver) => leaves(receiver.actor, 'opening')));
  }

  /** The data port of the core; replaces one that is dead. What waits in the queues goes there. */
  attachCore(raw: unknown): void {
    this.#handler?.close();
    const { toEndpoint, clock, limits } = this.#options;
    const handler: DataPort<Datagrams, never> = new DataPort(toEndpoint(raw), clock, {
      window: limits.handlerWindow,
      pack: datagramsForm.pack,
      onEvents: () => undefined,
      onCredit: () => this.#pass(),
      // What comes from now on waits for the next core.
      onClose: () => {
        if (this.#handler === handler) this.#handler = undefined;
      },
    });
    this.#handler = handler;
    this.#pass();
  }

  /** Tells the engine's own send sockets, to drop looped-back copies exactly (RFC 8990 §2.7). */
  setOwnSenders(senders: readonly BoundPort[]): void {
    this.#own = senders;
  }

  get actors(): AnyActor[] {
    return [...this.#receivers.values()].map((receiver) => receiver.actor);
  }

  status(): { actors: ActorCount[]; queues: QueueStatus[] } {
    for (const [name, receiver] of this.#receivers) {
      const drops = receiver.socket?.kernelDrops?.() ?? 0;
      if (drops > receiver.dropped) {
        this.#counters.add(`multicast.kernel-dropped.${name}`, drops - receiver.dropped);
      }
      receiver.dropped = drops;
    }
    const { limits } = this.#options;
    return {
      actors: census(this.actors),
      queues: [
        { name: 'multicast.discovery', length: this.#queues.discovery.length, limit: limits.discoveryQueue },
        { name: 'multicast.flood', length: this.#queues.flood.length, limit: limits.floodQueue },
        { name: 'multicast.unhandled', length: this.#handler?.unhandled ?? 0, limit: limits.handlerWindow },
      ],
    };
  }

  async close(): Promise<void> {
    this.#unwatch();
    this.#handler?.close();
    const sockets = [...this.#receivers.values()].map((receiver) => receiver.socket);
    for (const receiver of this.#receivers.values()) receiver.actor.send({ type: 'stop' });
    await Promise.all(sockets.flatMap((socket) => socket?.close() ?? []));
  }

  #follow(environment: Environment): void {
    this.#environment = environment;
    const names = new Set(environment.interfaces.map((info) => info.name));
    for (const [name, receiver] of this.#receivers) {
      if (names.has(name)) {
        receiver.actor.send({ type: 'interface.changed' });
      } else {
        this.#receivers.delete(name);
        receiver.actor.send({ type: 'stop' });
      }
    }
    for (const name of names) if (!this.#receivers.has(name)) this.#listenOn(name);
  }

  #listenOn(name: string): void {
    const { substrate, clock } = this.#options;
    let retry: TimerId | undefined;
    let stopped = false;
    const port: BindingPort = {
      get subject() {
        return { interface: name };
      },
      open: () => {
        substrate
          .openReceiver(
            name,
            (datagram) => this.#receive(datagram),
            () => {
              receiver.socket = undefined;
              receiver.actor.send({ type: 'lost' });
            },
          )
          .then(
            (socket) => {
              if (stopped) return void socket.close();
              receiver.socket = socket;
              receiver.dropped = 0;
              receiver.actor.send({ type: 'opened' });
            },
            () => receiver.actor.send({ type: 'failed' }),
          );
      },
      close: () => {
        stopped = true;
        void receiver.socket?.close();
        receiver.socket = undefined;
      },
      startRetryTimer: () => {
        retry = clock.setTimeout(() => receiver.actor.send({ type: 'timer.expired' }), RETRY_MS);
      },
      stopRetryTimer: () => clock.clearTimeout(retry),
      count: (reason) => this.#counters.add(`multicast.${reason}`),
    };
    const receiver: Receiver = {
      actor: undefined as unknown as AnyActor,
      socket: undefined,
      dropped: 0,
    };
    this.#receivers.set(name, receiver);
    (receiver as { actor: AnyActor }).actor = startActor(
      bindingMachine,
      { input: { port } },
      { counters: this.#counters, onError: () => this.#receivers.delete(name) },
    );
  }

  #receive(datagram: Datagram): void {
    this.#counters.add('multicast.received');
    if (!this.#options.listenSelf && this.#isOwnCopy(datagram)) {
      this.#counters.add('multicast.own-copy');
      return;
    }
    const { bytes } = datagram;
    if (bytes.length > this.#options.limits.maxDatagramBytes) {
      this.#counters.add('multicast.too-big');
      return;
    }
    const kind = multicastKind(bytes, this.#scanLimits);
    switch (kind) {
      case 'discovery':
      case 'flood':
        return this.#enqueue(kind, datagram);
      case 'other':
      case 'malformed':
        return this.#counters.add(`multicast.${kind}`);
    }
  }

  #isOwnCopy(datagram: Datagram): boolean {
    for (const sender of this.#own) {
      if (sender.port === datagram.port && sender.interface === datagram.interface) {
        return isOwnAddress(this.#environment, datagram.address);
      }
    }
    return false;
  }

  #enqueue(name: QueueName, datagram: Datagram): void {
    // Where they come one by one, nothing is gained by waiting for more.
    const hasPassed = this.#sparse && !this.#passing && this.#passAlone(datagram);
    if (!hasPassed && !this.#wait(name, datagram)) return this.#counters.add(QUEUE_FULL[name]);
    if (this.#passing) return;
    this.#passing = true;
    this.#options.clock.defer(this.#turnEnds);
  }

  /** Into its queue; false if there is no room. */
  #wait(name: QueueName, datagram: Datagram): boolean {
    const queue = this.#queues[name];
    const source = this.#sources.of(datagram);
    if (queue.push(datagram.bytes, source)) return true;
    // One turn may bring more than a queue holds; what the handler has credit for makes room.
    this.#pass();
    return queue.push(datagram.bytes, source);
  }

  readonly #turnEnds = (): void => {
    this.#passing = false;
    const { discovery, flood } = this.#queues;
    this.#sparse = discovery.length + flood.length <= (this.#sparse ? 0 : 1);
    this.#pass();
  };

  /** Hands one over past the queues; false if others wait, or the handler has no credit. */
  #passAlone({ bytes, interface: name, address, port }: Datagram): boolean {
    const handler = this.#handler;
    const { discovery, flood } = this.#queues;
    if (!handler || handler.congested || discovery.length + flood.length > 0) return false;
    handler.sendAtOnce({ bytes: copyOf(bytes, 0, bytes.length), interface: name, address, port });
    this.#counters.add('multicast.passed');
    return true;
  }

  /** Hands over as much as the handler has credit for, in turn from both queues. */
  #pass(): void {
    const handler = this.#handler;
    const { discovery, flood } = this.#queues;
    const count = Math.min(handler?.credit ?? 0, discovery.length + flood.length);
    if (!handler || count <= 0) return;
    const [first, second] = this.#turn === 'discovery' ? [discovery, flood] : [flood, discovery];
    if (count % 2 === 1) this.#turn = this.#turn === 'discovery' ? 'flood' : 'discovery';
    handler.sendAtOnce(takeBatch(first, second, count), count);
    this.#counters.add('multicast.passed', count);
  }
}
