import { ErrorCode, GraspError } from '../protocol/index.js';
import type { FromSessions } from '../workers/engine-control.js';
import type { Client } from './client.js';
import { toError, type SessionsLine } from './sessions-line.js';
import { NegotiationSession } from './session.js';

/** A listen that is open: RFC 8991 §2.3.5 listen_negotiate. */
export interface Listening {
  /** TCP port on which requests for the objective arrive. */
  readonly port: number;
  /**
   * Resolves when the listen has ended, with why: undefined if it was stopped here, else 13 deregistered, 42 engine
   * closed, or what kept its port from being opened again.
   */
  readonly ended: Promise<GraspError | undefined>;
  /** Stops answering discoveries, then stops listening; sessions under way go on. Idempotent. */
  stop(): Promise<void>;
}

type Incoming = Extract<FromSessions, { t: 'incoming' }>;

/** Turns the requests of one listen into sessions, never more at a time than its capacity. */
export class RequestSource {
  readonly #client: Client;
  readonly #capacity: number;
  readonly #onSession: (session: NegotiationSession) => void;
  readonly #onEnd: (error: GraspError | undefined) => void;
  #place: { listen: number; host: string; port: number } | undefined;
  /** Sessions handed out and not given back. */
  #busy = 0;
  #over = false;

  constructor(options: {
    client: Client;
    capacity: number;
    onSession: (session: NegotiationSession) => void;
    onEnd: (error: GraspError | undefined) => void;
  }) {
    this.#client = options.client;
    this.#capacity = options.capacity;
    this.#onSession = options.onSession;
    this.#onEnd = options.onEnd;
  }

  get port(): number {
    return this.#place?.port ?? 0;
  }

  /** Resolves when discoveries are answered; rejects 6, 13, 15, 16. */
  async open(asa: number, objective: string): Promise<void> {
    const place = await this.#client.control.listen(asa, objective);
    this.#place = place;
    this.#client.addListen(place.listen, {
      host: place.host,
      incoming: (request, line) => this.#incoming(request, line),
      reopened: () => this.#offer(this.#capacity - this.#busy),
      ended: (failure) => this.#end(toError(failure)),
    });
    this.#offer(this.#capacity);
  }

  /** One session handed out is done with: room for another. */
  release(): void {
    this.#busy--;
    if (!this.#over) this.#offer(1);
  }

  async stop(): Promise<void> {
    const place = this.#place;
    if (!place || this.#over) return;
    this.#over = true;
    await this.#client.control.stopListen(place.listen);
    this.#client.removeListen(place.listen);
    this.#onEnd(undefined);
  }

  #incoming(request: Incoming, line: SessionsLine): void {
    this.#busy++;
    this.#onSession(
      new NegotiationSession({
        line,
        key: request.session,
        role: 'responder',
        head: request.objective,
        sessionId: request.sessionId,
        remote: request.remote,
        value: request.value,
        loopCount: request.objective.loopCount,
      }),
    );
  }

  #offer(n: number): void {
    if (this.#place && n > 0) this.#client.take(this.#place.host, this.#place.listen, n);
  }

  #end(error: GraspError): void {
    if (this.#over) return;
    this.#over = true;
    this.#onEnd(error);
  }
}

/** `listenNegotiate`: sessions one at a time, without a gap between them; see {@link Objective.listenNegotiate}. */
export class SessionIterator implements AsyncIterableIterator<NegotiationSession> {
  readonly #source: RequestSource;
  readonly #opening: Promise<void>;
  readonly #ready: NegotiationSession[] = [];
  readonly #signal: AbortSignal | undefined;
  readonly #onEnd: () => void;
  readonly #onAbort = (): void => {
    this.#error = this.#signal?.reason;
    void this.return();
  };
  #waiting:
    | { resolve: (result: IteratorResult<NegotiationSession>) => void; reject: (error: unknown) => void }
    | undefined;
  #handedOut = false;
  #over = false;
  #error: unknown;

  constructor(
    client: Client,
    asa: number,
    objective: string,
    options: { readonly signal: AbortSignal | undefined; readonly onEnd: () => void },
  ) {
    const { signal, onEnd } = options;
    signal?.throwIfAborted();
    this.#signal = signal;
    this.#onEnd = onEnd;
    this.#source = new RequestSource({
      client,
      capacity: 1,
      onSession: (session) => {
        this.#ready.push(session);
        this.#deliver();
      },
      onEnd: (error) => this.#ended(error),
    });
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#opening = this.#source.open(asa, objective);
    this.#opening.catch((error: unknown) => this.#ended(error));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<NegotiationSession>> {
    if (this.#waiting) {
      return Promise.reject(new GraspError(ErrorCode.unspec, 'listenNegotiate: one next() at a time'));
    }
    if (this.#handedOut) {
      this.#handedOut = false;
      this.#source.release();
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#deliver();
    });
  }

  async return(): Promise<IteratorResult<NegotiationSession>> {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    await this.#opening.catch(() => undefined);
    await this.#source.stop();
    // Taken from the queue and not handed out: the peers are told.
    for (const session of this.#ready.splice(0)) {
      session.endNegotiate({ accept: false, reason: 'no longer listening' }).catch(() => undefined);
    }
    return { done: true, value: undefined };
  }

  #ended(error: unknown): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#onEnd();
    this.#over = true;
    this.#error ??= error;
    this.#deliver();
  }

  #deliver(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    const session = this.#ready.shift();
    if (session) {
      this.#waiting = undefined;
      this.#handedOut = true;
      waiting.resolve({ done: false, value: session });
    } else if (this.#over) {
      this.#waiting = undefined;
      const error = this.#error;
      this.#error = undefined;
      if (error !== undefined) waiting.reject(error);
      else waiting.resolve({ done: true, value: undefined });
    }
  }
}
