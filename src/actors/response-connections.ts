/**
 * Streams accepted on the ports discoveries are sent from (RFC 8990 §2.8.4): each brings one answer, to an own or a
 * relayed discovery.
 */
import type { Actor, AnyActor } from 'xstate';
import {
  decodeFramed,
  GRASP_DEF_MAX_SIZE,
  MessageFramer,
  responseRefusal,
  type DullRules,
  type ResponseMessage,
  type SynchMessage,
} from '../protocol/index.js';
import type { Clock, Counters, TimerId } from '../runtime/index.js';
import type { Stream, StreamHandlers, Target } from '../substrate/types.js';
import { formsOf, type MachineForm } from './compiled-machine.js';
import type { CoreLimits } from './limits.js';
import { census, startActor, type ActorCount, type QueueStatus } from './machine-host.js';
import { received } from './multicast-handler.js';
import type { RapidAnswer } from './rapid-request.js';
import {
  responseConnectionMachine,
  responseEvent,
  type ResponseConnectionPort,
} from './response-connection.js';
import { StreamLinger } from './stream-linger.js';

const NOTHING = new Uint8Array(0);

const CONNECTION = formsOf(responseConnectionMachine, (context) => ({ ...context }));

export interface ResponseConnectionsOptions {
  /** How the machines here are run. Default `compiled`. */
  readonly machines?: MachineForm | undefined;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly limits: CoreLimits;
  readonly onResponse: (message: ResponseMessage, interfaceName: string) => void;
  readonly onValue: (message: SynchMessage, interfaceName: string, remote: Target) => void;
  /** Whether a discovery of this session id is a request at the same time, and not answered yet (§2.5.5.1). */
  readonly awaits: (sessionId: number) => boolean;
  /** Its answer; returns what takes the stream's events from now on. */
  readonly onNegotiation: (answer: RapidAnswer) => StreamHandlers | undefined;
  /** A discovery that carries a value is under way: M_SYNCH may come, or the answer to a request. */
  readonly rapid: () => boolean;
  readonly dull?: DullRules | undefined;
}

export class ResponseConnections {
  readonly #options: ResponseConnectionsOptions;
  readonly #connections = new Map<number, Actor<typeof responseConnectionMachine>>();
  /** Connections that have said their word, until the responder closes too. */
  readonly #linger: StreamLinger;
  #next = 1;

  constructor(options: ResponseConnectionsOptions) {
    this.#options = options;
    this.#linger = new StreamLinger(options.clock, options.counters, options.limits);
  }

  /** Connections that have said nothing yet. */
  get silent(): number {
    return this.#connections.size;
  }

  accept(stream: Stream, interfaceName: string): void {
    const { clock, counters, limits, rapid, dull, awaits } = this.#options;
    const { onResponse, onValue, onNegotiation } = this.#options;
    // The oldest gives way, not the new one: a responder connects when its answer is ready, so its connection is silent for
    // a moment only, and idle ones cannot shut it out.
    if (this.#connections.size >= limits.responseConnections) {
      counters.add('response.connections-full');
      const [oldest] = this.#connections.values();
      oldest?.send({ type: 'stopped' });
    }
    const id = this.#next++;
    const framer = new MessageFramer({ maxBytes: GRASP_DEF_MAX_SIZE });
    let timer: TimerId | undefined;
    let over = false;
    let first: Uint8Array = NOTHING;
    let taker: StreamHandlers | undefined;
    const port: ResponseConnectionPort = {
      get subject() {
        return { peer: stream.remote, interface: interfaceName, role: 'initiator' as const };
      },
      startTimer: () => {
        timer = clock.setTimeout(() => actor.send({ type: 'timer.expired' }), limits.responseMs);
      },
      stopTimer: () => clock.clearTimeout(timer),
      refusal: (message) => dull && responseRefusal(message, dull),
      deliver: (message) => onResponse(message, interfaceName),
      deliverValue: (message) => onValue(message, interfaceName, stream.remote),
      awaits,
      handOver: (sessionId) => {
        taker = onNegotiation({ sessionId, stream, first, rest: framer });
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
      CONNECTION[this.#options.machines ?? 'compiled'],
      { input: { port } },
      { counters, onError: () => (port.release(), stream.abort()) },
    );
    this.#connections.set(id, actor);
    stream.setHandlers({
      onData: (bytes) => {
        if (taker) return taker.onData(bytes);
        if (over) return;
        framer.push(bytes);
        for (let item = framer.next(); item.kind !== 'more' && !over; item = framer.next()) {
          if (item.kind === 'malformed') return actor.send({ type: 'message.refused', reason: item.reason });
          first = item.bytes;
          const decoded = decodeFramed(item.bytes, rapid() ? 'rapid' : 'response');
          if (decoded.ok)
            counters.watcher?.passed(
              received('stream', item.bytes, decoded.message, { ...stream.remote, interface: interfaceName }),
            );
          actor.send(responseEvent(decoded));
        }
      },
      onEnd: () => {
        if (taker) return taker.onEnd();
        if (!over) actor.send({ type: 'stream.ended' });
      },
      onClose: (error) => {
        if (taker) return taker.onClose(error);
        if (!over) actor.send({ type: 'stream.closed' });
      },
    });
  }

  get actors(): AnyActor[] {
    return [...this.#connections.values()];
  }

  status(): { actors: ActorCount[]; queues: QueueStatus[] } {
    const { limits } = this.#options;
    return {
      actors: census(this.actors),
      queues: [
        { name: 'response.connections', length: this.#connections.size, limit: limits.responseConnections },
        { name: 'response.closing', length: this.#linger.size, limit: limits.lingeringStreams },
      ],
    };
  }

  close(): void {
    for (const connection of [...this.#connections.values()]) connection.send({ type: 'stopped' });
    this.#linger.abortAll();
  }
}
