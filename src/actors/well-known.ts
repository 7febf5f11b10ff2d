/**
 * Unicast port 7017 of the node (RFC 8990 §2.6), in the core: discoveries that are sent to this node alone (§2.5.4.2).
 * One engine of a host has it; the others try again from time to time.
 */
import type { Actor, AnyActor } from 'xstate';
import {
  decodeFramed,
  decodeMessage,
  encodeMessage,
  GRASP_DEF_MAX_SIZE,
  MessageFramer,
} from '../protocol/index.js';
import type { Clock, Counters, TimerId } from '../runtime/index.js';
import type { Datagram, Stream, Substrate, SubstrateError, WellKnownPort } from '../substrate/types.js';
import { bindingMachine, type BindingEvent, type BindingPort } from './binding.js';
import type { CoreLimits } from './limits.js';
import { census, leaves, startActor, type ActorCount, type QueueStatus } from './machine-host.js';
import {
  received,
  unicastDatagramEvent,
  type MulticastHandlerEvent,
  type ReplyStream,
} from './multicast-handler.js';
import { diagnosticText, invalidMessage } from './session-rules.js';
import { StreamLinger } from './stream-linger.js';
import { unicastConnectionMachine, unicastEvent, type UnicastConnectionPort } from './unicast-connection.js';

/** ms until a port that another engine has is tried again; twice as long each time, up to the second. */
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

export interface WellKnownOptions {
  readonly clock: Clock;
  readonly substrate: Substrate;
  readonly counters: Counters;
  readonly limits: CoreLimits;
  /** A discovery, for the handler of multicasts. */
  readonly onEvent: (event: MulticastHandlerEvent) => void;
}

export class WellKnown {
  readonly #options: WellKnownOptions;
  readonly #binding: Actor<typeof bindingMachine>;
  readonly #connections = new Map<number, Actor<typeof unicastConnectionMachine>>();
  readonly #linger: StreamLinger;
  #port: WellKnownPort | undefined;
  #closing: Promise<void> | undefined;
  #stopped = false;
  #next = 1;

  constructor(options: WellKnownOptions) {
    this.#options = options;
    const { clock, counters, substrate } = options;
    this.#linger = new StreamLinger(clock, counters, options.limits);
    let retry: TimerId | undefined;
    let retryMs = RETRY_MS;
    const send = (event: BindingEvent): void => this.#binding.send(event);
    const port: BindingPort = {
      open: () => {
        substrate
          .openWellKnown({
            onDatagram: (datagram) => this.#onDatagram(datagram),
            onStream: (stream, interfaceName) => this.#accept(stream, interfaceName ?? ''),
            onLost: () => {
              this.#port = undefined;
              send({ type: 'lost' });
            },
          })
          .then(
            (opened) => {
              if (this.#stopped) return void (this.#closing = opened.close());
              this.#port = opened;
              retryMs = RETRY_MS;
              send({ type: 'opened' });
            },
            // A substrate that has no such port will never have one.
            (error: SubstrateError) => send({ type: error.kind === 'unsupported' ? 'stop' : 'failed' }),
          );
      },
      close: () => {
        this.#stopped = true;
        this.#closing = this.#port?.close();
        this.#port = undefined;
      },
      startRetryTimer: () => {
        retry = clock.setTimeout(() => send({ type: 'timer.expired' }), retryMs);
        retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
      },
      stopRetryTimer: () => clock.clearTimeout(retry),
      count: (reason) => counters.add(`well-known.${reason}`),
    };
    this.#binding = startActor(bindingMachine, { input: { port } }, { counters, onError: () => undefined });
  }

  /** Whether this engine has the port. */
  get open(): boolean {
    return this.#port !== undefined;
  }

  /** Resolves when the port is had, or is not to be had for the time being. */
  ready(): Promise<void> {
    return leaves(this.#binding, 'opening');
  }

  /** Interfaces or addresses changed: a port that was lost with them may be had again. */
  follow(): void {
    this.#binding.send({ type: 'interface.changed' });
  }

  get actors(): AnyActor[] {
    return [this.#binding, ...this.#connections.values()];
  }

  status(): { actors: ActorCount[]; queues: QueueStatus[] } {
    const { limits } = this.#options;
    return {
      actors: census(this.actors),
      queues: [
        { name: 'unicast.connections', length: this.#connections.size, limit: limits.unicastConnections },
        { name: 'unicast.closing', length: this.#linger.size, limit: limits.lingeringStreams },
      ],
    };
  }

  async close(): Promise<void> {
    this.#binding.send({ type: 'stop' });
    for (const connection of [...this.#connections.values()]) connection.send({ type: 'stopped' });
    this.#linger.abortAll();
    await this.#closing;
  }

  /** G-2.5.4.2-02: as if it had been multicast; the answer goes by stream to the source port (C-24). */
  #onDatagram(datagram: Datagram): void {
    const { counters, onEvent } = this.#options;
    counters.add('unicast.handled');
    // The datagram's memory is not ours, and a relay may need it later.
    const bytes = Uint8Array.from(datagram.bytes);
    const { interface: interfaceName, address, port } = datagram;
    const arrival = { interface: interfaceName, address, port };
    const decoded = decodeMessage(bytes, 'multicast');
    if (decoded.ok) counters.watcher?.passed(received('unicast', bytes, decoded.message, arrival));
    onEvent(unicastDatagramEvent(decoded, bytes, arrival));
  }

  /** The oldest gives way, one that has said nothing before one that is being answered: idle ones shut nobody out. */
  #makeRoom(): void {
    const connections = [...this.#connections.values()];
    const silent = connections.find((connection) => connection.getSnapshot().value === 'waiting');
    (silent ?? connections[0])?.send({ type: 'stopped' });
  }

  #accept(stream: Stream, interfaceName: string): void {
    const { clock, counters, limits, onEvent } = this.#options;
    if (this.#connections.size >= limits.unicastConnections) {
      counters.add('unicast.connections-full');
      this.#makeRoom();
    }
    const id = this.#next++;
    const framer = new MessageFramer({ maxBytes: GRASP_DEF_MAX_SIZE });
    const { address, port: sourcePort } = stream.remote;
    let timer: TimerId | undefined;
    let over = false;
    let holds = 0;
    const reply: ReplyStream = {
      send: (bytes) => actor.send({ type: 'answer', bytes }),
      hold: () => {
        holds++;
        return () => {
          if (--holds === 0) actor.send({ type: 'answered' });
        };
      },
    };
    const port: UnicastConnectionPort = {
      get subject() {
        return { peer: stream.remote, interface: interfaceName, role: 'responder' as const };
      },
      startTimer: () => {
        timer = clock.setTimeout(() => actor.send({ type: 'timer.expired' }), limits.unicastFirstMessageMs);
      },
      stopTimer: () => clock.clearTimeout(timer),
      deliver: (message, bytes) => {
        const letGo = reply.hold();
        const arrival = { interface: interfaceName, address, port: sourcePort, reply };
        onEvent({ type: 'message.discovery', message, bytes, arrival });
        letGo();
      },
      send: (bytes) => {
        stream.write(bytes);
        counters.watcher?.passed({
          direction: 'sent',
          via: 'stream',
          bytes,
          peer: stream.remote,
          interface: interfaceName,
        });
      },
      sendInvalid: (sessionId, about) => {
        stream.write(encodeMessage(invalidMessage(sessionId, diagnosticText(about))));
      },
      close: () => this.#linger.finish(stream),
      abort: () => stream.abort(),
      count: (reason) => counters.add(reason),
      release: () => {
        over = true;
        this.#connections.delete(id);
      },
    };
    const actor = startActor(
      unicastConnectionMachine,
      { input: { port } },
      { counters, onError: () => (port.release(), stream.abort()) },
    );
    this.#connections.set(id, actor);
    stream.setHandlers({
      onData: (bytes) => {
        if (over) return;
        framer.push(bytes);
        for (let item = framer.next(); item.kind !== 'more' && !over; item = framer.next()) {
          if (item.kind === 'malformed')
            return actor.send({ type: 'message.refused', reason: item.reason, sessionId: undefined });
          const decoded = decodeFramed(item.bytes, 'multicast');
          if (decoded.ok)
            counters.watcher?.passed(
              received('stream', item.bytes, decoded.message, { ...stream.remote, interface: interfaceName }),
            );
          actor.send(unicastEvent(decoded, item.bytes));
        }
      },
      onEnd: () => {
        if (!over) actor.send({ type: 'stream.ended' });
      },
      onClose: () => {
        if (!over) actor.send({ type: 'stream.closed' });
      },
    });
  }
}
