/**
 * A client: one thread's side of the engine, behind the objects users hold. It turns calls into events on the data
 * ports of the core and of the session hosts, and what comes back into promises. It holds no protocol state: whose
 * turn it is, timers and loop counts are the session's business.
 */
import { ErrorCode, GraspError, type CachedLocator } from '../protocol/index.js';
import { DataPort, type Clock } from '../runtime/index.js';
import type {
  Answer,
  ClientControl,
  EngineControl,
  Failure,
  FromCore,
  FromSessions,
  SessionKey,
  ToCore,
  ToSessions,
} from '../workers/engine-control.js';
import { toEndpoint } from '../workers/ports.js';

/** A discovery as the core answers it. */
export interface DiscoverySink {
  found(locator: CachedLocator): void;
  done(failure: Failure | undefined): void;
}

/** A session as the client needs to know it. */
export interface SessionSink {
  /** The session ended while no call was waiting. */
  ended(failure: Failure): void;
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

/** A call to a session host, before it gets its number. */
export type SessionCall = DistributiveOmit<Extract<ToSessions, { call: number }>, 'call'>;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** What one waiting call wants to hear. */
interface Waiting {
  readonly resolve: (result: Answer | undefined) => void;
  readonly reject: (error: GraspError) => void;
}

/** A line to one session host. */
export class SessionsLine {
  readonly host: string;
  readonly #port: DataPort<ToSessions, FromSessions>;
  readonly #client: Client;
  readonly #waiting = new Map<number, Waiting>();
  readonly #sessions = new Map<SessionKey, SessionSink>();
  #lost: Failure | undefined;

  constructor(client: Client, host: string, raw: unknown, window: number) {
    this.#client = client;
    this.host = host;
    this.#port = new DataPort<ToSessions, FromSessions>(toEndpoint(raw), client.clock, {
      window,
      onEvents: (events) => {
        for (const event of events) this.#receive(event);
      },
      onClose: () => this.lose({ code: ErrorCode.engineLost, detail: `${host} ended` }),
    });
  }

  get lost(): boolean {
    return this.#lost !== undefined;
  }

  /** Registers who is to hear of a session's end. */
  track(session: SessionKey, sink: SessionSink): void {
    this.#sessions.set(session, sink);
  }

  forget(session: SessionKey): void {
    this.#sessions.delete(session);
  }

  /** Sends a call and waits for its answer (`request`, `step`) or confirmation. Rejects with a GraspError. */
  call(event: SessionCall): Promise<Answer | undefined> {
    if (this.#lost) return Promise.reject(toError(this.#lost));
    const call = this.#client.nextNumber();
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
      this.#port.send({ ...event, call } as ToSessions);
    });
  }

  take(listen: number, n: number): void {
    this.#port.send({ t: 'take', listen, n });
  }

  /** The host is gone, and with it every session here. */
  lose(failure: Failure): void {
    if (this.#lost) return;
    this.#lost = failure;
    this.#port.close();
    for (const waiting of [...this.#waiting.values()]) waiting.reject(toError(failure));
    this.#waiting.clear();
    for (const sink of [...this.#sessions.values()]) sink.ended(failure);
    this.#sessions.clear();
  }

  #receive(event: FromSessions): void {
    switch (event.t) {
      case 'incoming':
        return this.#client.incoming(event, this);
      case 'answer': {
        const waiting = this.#settle(event.call);
        if (event.answer.state === 'failed') waiting?.reject(toError(event.answer.failure));
        else waiting?.resolve(event.answer);
        return;
      }
      case 'done': {
        const waiting = this.#settle(event.call);
        if (event.failure) waiting?.reject(toError(event.failure));
        else waiting?.resolve(undefined);
        return;
      }
      case 'ended': {
        const sink = this.#sessions.get(event.session);
        this.#sessions.delete(event.session);
        sink?.ended(event.failure);
        return;
      }
    }
  }

  #settle(call: number): Waiting | undefined {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    return waiting;
  }
}

/** An error that says whether its session is over; see {@link Failure.over}. */
export class SessionError extends GraspError {
  readonly over: boolean;
  /** Code 1: the peer's reason. */
  readonly reason: string | undefined;

  constructor(failure: Failure) {
    super(failure.code as ErrorCode, failure.detail);
    this.over = failure.over ?? true;
    this.reason = failure.reason;
  }
}

export function toError(failure: Failure): SessionError {
  return new SessionError(failure);
}

export class Client implements ClientControl {
  readonly control: EngineControl;
  readonly clock: Clock;
  readonly #window: number;
  readonly #chooseHost: () => Promise<string>;
  readonly #lines = new Map<string, SessionsLine>();
  readonly #lineWaiters = new Map<
    string,
    { resolve: (line: SessionsLine) => void; reject: (error: GraspError) => void }[]
  >();
  readonly #listens = new Map<number, ListenSink>();
  readonly #discoveries = new Map<number, DiscoverySink>();
  #core: DataPort<ToCore, FromCore> | undefined;
  #coreWaiters: ((core: DataPort<ToCore, FromCore>) => void)[] = [];
  #number = 1;
  #closed: GraspError | undefined;

  /** @param chooseHost names the session host for the next request of this thread. */
  constructor(options: {
    control: EngineControl;
    clock: Clock;
    window: number;
    chooseHost: () => Promise<string>;
  }) {
    this.control = options.control;
    this.clock = options.clock;
    this.#window = options.window;
    this.#chooseHost = options.chooseHost;
  }

  nextNumber(): number {
    return this.#number++;
  }

  // ---- what the supervisor tells

  attachCore(raw: unknown): void {
    if (this.#core) this.coreLost({ code: ErrorCode.engineLost, detail: 'the core was replaced' });
    const core = new DataPort<ToCore, FromCore>(toEndpoint(raw), this.clock, {
      onEvents: (events) => {
        for (const event of events) {
          const sink = this.#discoveries.get(event.call);
          if (event.t === 'found') {
            sink?.found(event.locator);
          } else if (event.t === 'done') {
            this.#discoveries.delete(event.call);
            sink?.done(event.failure);
          }
        }
      },
    });
    this.#core = core;
    for (const waiter of this.#coreWaiters.splice(0)) waiter(core);
  }

  coreLost(failure: Failure): void {
    this.#core?.close();
    this.#core = undefined;
    const discoveries = [...this.#discoveries.values()];
    this.#discoveries.clear();
    for (const sink of discoveries) sink.done(failure);
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

  /** The line for a new request of this thread. */
  async lineForRequest(): Promise<SessionsLine> {
    return this.line(await this.#chooseHost());
  }

  /** Starts a discovery; the way to cancel it is returned. */
  discover(call: Omit<Extract<ToCore, { t: 'discover' }>, 't' | 'call'>, sink: DiscoverySink): () => void {
    const number = this.nextNumber();
    if (this.#closed) {
      sink.done({ code: this.#closed.code });
      return () => undefined;
    }
    this.#discoveries.set(number, sink);
    const send = (core: DataPort<ToCore, FromCore>): void => {
      if (this.#discoveries.has(number)) core.send({ t: 'discover', call: number, ...call });
    };
    if (this.#core && !this.#core.closed) send(this.#core);
    else this.#coreWaiters.push(send);
    return () => {
      this.#discoveries.delete(number);
      this.#core?.send({ t: 'cancel', call: number });
    };
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
      .call({ t: 'end', session: request.session, accept: false, reason: 'no longer listening' })
      .catch(() => undefined);
  }

  /** Everything that waits fails with `error`. */
  close(error: GraspError): void {
    if (this.#closed) return;
    this.#closed = error;
    const failure: Failure = { code: error.code };
    this.coreLost(failure);
    for (const line of this.#lines.values()) line.lose(failure);
    this.#lines.clear();
    for (const waiters of this.#lineWaiters.values())
      for (const { reject } of waiters.splice(0)) reject(error);
    for (const listen of [...this.#listens.keys()]) this.listenEnded(listen, failure);
  }
}
