/**
 * A client: one thread's side of the engine, behind the objects users hold. It turns calls into events on the data
 * ports of the core and of the session hosts, and what comes back into promises. It holds no protocol state: whose
 * turn it is, timers and loop counts are the session's business.
 */
import { ErrorCode, type CachedLocator, type GraspError } from '../protocol/index.js';
import { DataPort, type Clock } from '../runtime/index.js';
import {
  weightOf,
  type ClientControl,
  type EngineControl,
  type Failure,
  type FloodRecord,
  type FromCore,
  type FromSessions,
  type ToCore,
} from '../workers/engine-control.js';
import { toEndpoint } from '../workers/ports.js';
import { SessionsLine, toError, type DistributiveOmit } from './sessions-line.js';

/** A call to the core, before it gets its number. */
export type CoreCall = DistributiveOmit<Exclude<ToCore, { t: 'cancel' }>, 'call'>;

/** What comes back for a call to the core. */
export interface CoreSink {
  /** It goes on at the core that replaces a lost one. */
  readonly lasting?: boolean;
  found?(locator: CachedLocator): void;
  floods?(entries: readonly FloodRecord[]): void;
  /** The last word; undefined: no failure. */
  done(failure: Failure | undefined): void;
}

/** A listen: where requests go. */
export interface ListenSink {
  /** The session host it is at. */
  readonly host: string;
  incoming(request: Extract<FromSessions, { t: 'incoming' }>, sessions: SessionsLine): void;
  /** The session host is there (again): say how many requests can be taken. */
  reopened(): void;
  ended(failure: Failure): void;
}

export class Client implements ClientControl {
  readonly control: EngineControl;
  readonly clock: Clock;
  readonly #window: number;
  readonly #host: string | (() => Promise<string>);
  readonly #lines = new Map<string, SessionsLine>();
  readonly #lineWaiters = new Map<
    string,
    { resolve: (line: SessionsLine) => void; reject: (error: GraspError) => void }[]
  >();
  readonly #listens = new Map<number, ListenSink>();
  readonly #coreCalls = new Map<number, { readonly call: CoreCall; readonly sink: CoreSink }>();
  readonly #closeListeners = new Set<(error: GraspError) => void>();
  #core: DataPort<ToCore, FromCore> | undefined;
  #number = 1;
  #closed: GraspError | undefined;

  /** @param host the session host of this thread's requests, or what names that of the next one. */
  constructor(options: {
    control: EngineControl;
    clock: Clock;
    window: number;
    host: string | (() => Promise<string>);
  }) {
    this.control = options.control;
    this.clock = options.clock;
    this.#window = options.window;
    this.#host = options.host;
  }

  nextNumber(): number {
    return this.#number++;
  }

  // ---- what the supervisor tells

  attachCore(raw: unknown): void {
    if (this.#core) this.coreLost({ code: ErrorCode.engineLost, detail: 'the core was replaced' });
    const core = new DataPort<ToCore, FromCore>(toEndpoint(raw), this.clock, {
      countOf: weightOf,
      onEvents: (events) => {
        for (const event of events) this.#fromCore(event);
      },
    });
    this.#core = core;
    // What was asked for while there was none, and what goes on at every core.
    for (const [number, { call }] of this.#coreCalls) core.send({ ...call, call: number } as ToCore);
  }

  coreLost(failure: Failure): void {
    this.#core?.close();
    this.#core = undefined;
    for (const [number, { sink }] of [...this.#coreCalls]) {
      if (sink.lasting && !this.#closed) continue;
      this.#coreCalls.delete(number);
      sink.done(failure);
    }
  }

  attachSessions(host: string, raw: unknown): void {
    this.#lines.get(host)?.lose({ code: ErrorCode.engineLost, detail: `${host} was replaced` });
    const line = new SessionsLine(this, host, raw, this.#window);
    this.#lines.set(host, line);
    for (const waiter of this.#lineWaiters.get(host)?.splice(0) ?? []) waiter.resolve(line);
    for (const sink of [...this.#listens.values()]) if (sink.host === host) sink.reopened();
  }

  sessionsLost(host: string, failure: Failure): void {
    this.#lines.get(host)?.lose(failure);
    this.#lines.delete(host);
  }

  listenEnded(listen: number, failure: Failure): void {
    const sink = this.#listens.get(listen);
    this.#listens.delete(listen);
    sink?.ended(failure);
  }

  // ---- what the API asks

  /** The line to a session host; waits while the host is being replaced. */
  line(host: string): Promise<SessionsLine> {
    if (this.#closed) return Promise.reject(this.#closed);
    const line = this.#lines.get(host);
    if (line && !line.lost) return Promise.resolve(line);
    return new Promise((resolve, reject) => {
      const waiters = this.#lineWaiters.get(host) ?? [];
      waiters.push({ resolve, reject });
      this.#lineWaiters.set(host, waiters);
    });
  }

  /** A new request of this thread through its line, at once where there is nothing to wait for. */
  request<R>(through: (line: SessionsLine) => Promise<R>): Promise<R> {
    const host = this.#host;
    if (typeof host !== 'string')
      return host()
        .then((name) => this.line(name))
        .then(through);
    const line = this.#lines.get(host);
    return line && !line.lost && !this.#closed ? through(line) : this.line(host).then(through);
  }

  /** Sends a call to the core, now or as soon as there is one; the way to cancel it is returned. */
  callCore(call: CoreCall, sink: CoreSink): () => void {
    const number = this.nextNumber();
    if (this.#closed) {
      sink.done({ code: this.#closed.code });
      return () => undefined;
    }
    this.#coreCalls.set(number, { call, sink });
    const event = { ...call, call: number } as ToCore;
    if (event.t === 'discover') this.#core?.sendAtOnce(event);
    else this.#core?.send(event);
    return () => {
      if (this.#coreCalls.delete(number)) this.#core?.send({ t: 'cancel', call: number });
    };
  }

  /** A call to the core that has one answer: resolves when it is done. Rejects with its failure. */
  askCore(call: CoreCall, signal?: AbortSignal): Promise<readonly FloodRecord[]> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      let records: readonly FloodRecord[] = [];
      const end = (failure: Failure | undefined): void => {
        signal?.removeEventListener('abort', onAbort);
        if (failure) reject(toError(failure));
        else resolve(records);
      };
      const onAbort = (): void => {
        cancel();
        reject(signal!.reason as Error);
      };
      // Before the call: on a closed engine that ends at once.
      signal?.addEventListener('abort', onAbort, { once: true });
      const cancel = this.callCore(call, { floods: (entries) => (records = entries), done: end });
    });
  }

  addListen(listen: number, sink: ListenSink): void {
    this.#listens.set(listen, sink);
  }

  removeListen(listen: number): void {
    this.#listens.delete(listen);
  }

  /** Tells a session host how many more requests of a listen can be taken; if it is gone, `reopened` follows. */
  take(host: string, listen: number, n: number): void {
    this.#lines.get(host)?.take(listen, n);
  }

  incoming(request: Extract<FromSessions, { t: 'incoming' }>, line: SessionsLine): void {
    const sink = this.#listens.get(request.listen);
    if (sink) return sink.incoming(request, line);
    // The listen ended while the request was on its way: nobody will answer, so the peer is told at once.
    line
      .call({
        call: line.nextCall(),
        t: 'end',
        session: request.session,
        accept: false,
        reason: 'no longer listening',
      })
      .catch(() => undefined);
  }

  #fromCore(event: FromCore): void {
    const under = this.#coreCalls.get(event.call);
    if (!under) return;
    const { call, sink } = under;
    if (event.t === 'found') return sink.found?.(event.locator);
    if (event.t === 'floods') {
      sink.floods?.(event.entries);
      // A watch goes on; what is held now is all there is to say otherwise.
      if (call.t === 'flood.watch') return;
    }
    this.#coreCalls.delete(event.call);
    sink.done(event.t === 'done' ? event.failure : undefined);
  }

  /** Hears of the end, once; returns the way to stop. */
  onClose(listener: (error: GraspError) => void): () => void {
    if (this.#closed) listener(this.#closed);
    else this.#closeListeners.add(listener);
    return () => void this.#closeListeners.delete(listener);
  }

  /** Everything that waits fails with `error`. */
  close(error: GraspError): void {
    if (this.#closed) return;
    this.#closed = error;
    for (const listener of [...this.#closeListeners]) listener(error);
    this.#closeListeners.clear();
    const failure: Failure = { code: error.code };
    this.coreLost(failure);
    for (const line of this.#lines.values()) line.lose(failure);
    this.#lines.clear();
    for (const waiters of this.#lineWaiters.values())
      for (const { reject } of waiters.splice(0)) reject(error);
    for (const listen of [...this.#listens.keys()]) this.listenEnded(listen, failure);
  }
}
