import { createActor, type Actor, type AnyActor } from 'xstate';
import { ErrorCode, F_SYNCH, GraspError, NULL_VALUE } from '../protocol/index.js';
import { NumberTable, type Clock, type Counters, type Subject, type TimerId } from '../runtime/index.js';
import { SubstrateError, type Stream, type StreamListener, type Substrate } from '../substrate/types.js';
import type { ClientLink } from './client-link.js';
import type { NegotiationDriver } from './negotiation-driver.js';
import {
  type requestListener,
  type RequestListenerEvent,
  type RequestListenerPort,
} from './request-listener.js';
import type { CompleteSessionLimits } from './session-limits.js';
import type { Failure, ListenRequest, SessionKey } from './session-protocol.js';
import type { PublishedValue } from './synchronization-port.js';

/** What an objective's listener needs of its host. */
export interface ListenerOwner {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly substrate: Substrate;
  readonly limits: CompleteSessionLimits;
  readonly secure: boolean;
  /** The listener's machine, interpreted or compiled. */
  readonly logic: { readonly listener: typeof requestListener };
  accept(listener: ObjectiveListener, stream: Stream): void;
  /** Closes the connections of this listener that have not sent a request yet. */
  evictPending(listener: ObjectiveListener): void;
  listenerReleased(listener: ObjectiveListener): void;
}

interface ListenEntry {
  readonly request: ListenRequest;
  /** Kind `synchronize`: what this ASA has given, and when in the order of all that were given. */
  published: (PublishedValue & { readonly turn: number }) | undefined;
  readonly client: ClientLink;
  readonly settle: { resolve(result: { port: number }): void; reject(error: GraspError): void };
  readonly stops: (() => void)[];
}

/** One objective's request listener machine, the port it listens on, and the ASAs that listen. */
export class ObjectiveListener implements RequestListenerPort {
  readonly objective: string;
  readonly #owner: ListenerOwner;
  readonly #actor: Actor<typeof requestListener>;
  readonly #listens = new Map<number, ListenEntry>();
  readonly #offered = new NumberTable<NegotiationDriver>();
  #streams: StreamListener | undefined;
  #timer: TimerId | undefined;
  #accepting = false;
  #turn = 0;
  /** D-03: the latest value given by an ASA that still listens. */
  #published: PublishedValue | undefined;

  constructor(owner: ListenerOwner, objective: string, wantedPort: number) {
    this.#owner = owner;
    this.objective = objective;
    const { requestQueue: queueLimit, bindAttempts, bindRetryMs } = owner.limits;
    this.#actor = createActor(owner.logic.listener, {
      input: { port: this, objective, wantedPort, queueLimit, bindAttempts, bindRetryMs },
    });
    this.#actor.subscribe({ error: (error) => this.#crashed(error) });
    owner.counters.watcher?.actorMade(this.#actor);
    this.#actor.start();
  }

  get actor(): AnyActor {
    return this.#actor;
  }

  /** For whoever watches. */
  get subject(): Subject {
    return { objective: this.objective };
  }

  get state(): string {
    return this.#actor.getSnapshot().value;
  }

  /** Requests that wait for an ASA. */
  get queued(): number {
    return this.#actor.getSnapshot().context.queue.length;
  }

  /** The largest message that any of the listening ASAs allows. */
  get maxMessageBytes(): number {
    let most = this.#owner.limits.maxMessageBytes;
    for (const { request } of this.#listens.values()) most = Math.max(most, request.maxMessageBytes ?? 0);
    return most;
  }

  /** The value for M_SYNCH; undefined: nobody listens for synchronization. */
  get published(): PublishedValue | undefined {
    return this.#published;
  }

  /** What a connection to this port is expected to ask for: an objective is of one kind (RFC 8990 §2.10.2). */
  get synchronizes(): boolean {
    for (const { request } of this.#listens.values()) if (((request.flags ?? 0) & F_SYNCH) !== 0) return true;
    return false;
  }

  /** Listens of this client, or all. */
  listensOf(client?: ClientLink): number[] {
    return [...this.#listens]
      .filter(([, entry]) => !client || entry.client === client)
      .map(([listen]) => listen);
  }

  listen(request: ListenRequest, client: ClientLink): Promise<{ port: number }> {
    return new Promise((resolve, reject) => {
      const { listen, kind = 'negotiate', flags = 0, value = NULL_VALUE } = request;
      const published = kind === 'synchronize' ? { flags, value, turn: ++this.#turn } : undefined;
      this.#listens.set(listen, { request, client, published, settle: { resolve, reject }, stops: [] });
      this.#choose();
      this.#send({ type: 'listen', listen, takes: kind === 'negotiate' });
    });
  }

  setValue(listen: number, value: Uint8Array): void {
    const entry = this.#listens.get(listen);
    if (!entry?.published) return;
    entry.published = { flags: entry.published.flags, value, turn: ++this.#turn };
    this.#choose();
  }

  stop(listen: number): Promise<void> {
    const entry = this.#listens.get(listen);
    if (!entry) return Promise.resolve();
    return new Promise((resolve) => {
      entry.stops.push(resolve);
      this.#choose();
      if (entry.stops.length === 1) this.#send({ type: 'stop', listen });
    });
  }

  take(listen: number, n: number): void {
    this.#send({ type: 'take', listen, n });
  }

  credit(): void {
    this.#send({ type: 'credit' });
  }

  offer(session: NegotiationDriver): void {
    this.#offered.set(session.key, session);
    this.#send({ type: 'request', session: session.key });
  }

  withdraw(session: NegotiationDriver): void {
    if (this.#offered.delete(session.key)) this.#send({ type: 'withdraw', session: session.key });
  }

  // RequestListenerPort

  get secure(): boolean {
    return this.#owner.secure;
  }

  congested(listen: number): boolean {
    return this.#listens.get(listen)?.client.paused ?? true;
  }

  bind(port: number): void {
    this.#accepting = true;
    this.#owner.substrate
      .listen({ port }, (stream) => this.#accept(stream))
      .then(
        (streams) => {
          this.#streams = streams;
          this.#accepting = true;
          this.#send({ type: 'bound', port: streams.port });
        },
        (error: unknown) => {
          const inUse = error instanceof SubstrateError && error.kind === 'address-in-use';
          this.#send({
            type: 'bind.failed',
            inUse,
            detail: error instanceof Error ? error.message : String(error),
          });
        },
      );
  }

  unbind(): void {
    const streams = this.#streams;
    this.#streams = undefined;
    this.#accepting = false;
    this.#owner.evictPending(this);
    const closed = (): void => this.#send({ type: 'closed' });
    (streams?.close() ?? Promise.resolve()).then(closed, closed);
  }

  startTimer(ms: number): void {
    this.stopTimer();
    this.#timer = this.#owner.clock.setTimeout(() => {
      this.#timer = undefined;
      this.#send({ type: 'timer.expired' });
    }, ms);
  }

  stopTimer(): void {
    if (this.#timer === undefined) return;
    this.#owner.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  confirmListen(listen: number, port: number): void {
    this.#listens.get(listen)?.settle.resolve({ port });
  }

  rejectListen(listen: number, failure: Failure): void {
    const entry = this.#listens.get(listen);
    if (!entry) return;
    if (entry.stops.length === 0) this.#listens.delete(listen);
    this.#choose();
    entry.settle.reject(new GraspError(failure.code as ErrorCode, failure.detail));
  }

  confirmStop(listen: number): void {
    const entry = this.#listens.get(listen);
    this.#listens.delete(listen);
    for (const resolve of entry?.stops ?? []) resolve();
  }

  deliver(session: SessionKey, listen: number): void {
    const driver = this.#offered.get(session);
    const entry = this.#listens.get(listen);
    this.#offered.delete(session);
    if (!driver || !entry) return;
    const { request, client } = entry;
    driver.taken(listen, request.asa, client, request.maxMessageBytes ?? this.#owner.limits.maxMessageBytes);
  }

  refuse(session: SessionKey): void {
    const driver = this.#offered.get(session);
    this.#offered.delete(session);
    driver?.refused();
  }

  count(name: string): void {
    this.#owner.counters.add(name);
  }

  release(): void {
    for (const listen of [...this.#listens.keys()]) this.confirmStop(listen);
    this.#choose();
    this.#owner.listenerReleased(this);
  }

  #choose(): void {
    let latest: ListenEntry['published'];
    for (const { published, stops } of this.#listens.values()) {
      if (published && stops.length === 0 && published.turn > (latest?.turn ?? 0)) latest = published;
    }
    this.#published = latest;
  }

  #send(event: RequestListenerEvent): void {
    this.#owner.counters.watcher?.eventComes(this.#actor, event);
    this.#actor.send(event);
  }

  #accept(stream: Stream): void {
    if (this.#accepting) {
      this.#owner.accept(this, stream);
      return;
    }
    // Accepted by the stack while the port was being closed.
    stream.setHandlers({ onData: ignore, onEnd: ignore, onClose: ignore });
    stream.abort();
  }

  /** An action threw: a fault of this engine. The objective is no longer listened for, nobody else is harmed. */
  #crashed(error: unknown): void {
    this.count('listener.crashed');
    const detail = error instanceof Error ? error.message : String(error);
    for (const session of this.#offered.values()) session.refused();
    this.#offered.clear();
    for (const { settle } of this.#listens.values()) settle.reject(new GraspError(ErrorCode.unspec, detail));
    this.#accepting = false;
    this.stopTimer();
    this.#streams?.close().catch(ignore);
    this.release();
  }
}

function ignore(): void {
  // Nobody is left to be told.
}
