import { decodeScanned, encodeValue, ErrorCode, GraspError, NULL_VALUE } from '../protocol/index.js';
import type { ObjectiveRegistration } from '../workers/engine-control.js';
import { rejecting } from './answering.js';
import type { Asa } from './asa.js';
import type { Client } from './client.js';
import { RequestSource, SessionIterator, type Listening } from './listening.js';
import type { NegotiationSession } from './session.js';

export interface OnNegotiateOptions {
  /** Sessions handled at the same time; further requests wait, up to `limits.requestQueue`. Default 100. */
  readonly concurrency?: number | undefined;
  /** Hears of errors that the handler threw; the session has been declined then. Default: a process warning. */
  readonly onError?: ((error: unknown, session: NegotiationSession) => void) | undefined;
  /** Stops the listen when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Characters of an error's message that are told to the peer. */
const MAX_REASON_LENGTH = 200;

/** An objective registered by an ASA of this engine. */
export class Objective {
  readonly asa: Asa;
  readonly name: string;
  readonly negotiate: boolean;
  readonly synchronize: boolean;
  readonly dryRun: boolean;
  readonly loopCount: number;
  /** Its floods carry no F_DISC. */
  readonly floodOnly: boolean;
  /** @internal */
  readonly maxMessageBytes: number | undefined;
  readonly #client: Client;
  readonly #listens = new Set<{ stop(): Promise<unknown> }>();
  #value: Uint8Array;
  #deregistered = false;

  /** @internal */
  constructor(client: Client, asa: Asa, registration: ObjectiveRegistration) {
    this.#client = client;
    this.asa = asa;
    this.name = registration.name;
    this.negotiate = registration.negotiate;
    this.synchronize = registration.synchronize;
    this.dryRun = registration.dryRun;
    this.loopCount = registration.loopCount;
    this.floodOnly = registration.floodOnly ?? false;
    this.maxMessageBytes = registration.maxMessageBytes;
    this.#value = registration.value ?? NULL_VALUE;
  }

  /** What it was registered with, or what `listenSynchronize` was given last; a copy. */
  get value(): unknown {
    return decodeScanned(this.#value);
  }

  /** The same as a CBOR item. */
  get encodedValue(): Uint8Array {
    return this.#value.slice();
  }

  get deregistered(): boolean {
    return this.#deregistered;
  }

  /**
   * Serves requests: `handler` gets each session, its value the one requested. When the handler returns and the
   * session is still this side's to end, or when it throws, the session is declined with a stated reason.
   *
   * Resolves when the objective can be discovered. Rejects: 6, 13, 15, 16.
   *
   * @example
   * await ex3.onNegotiate(async (session) => {
   *   const result = await session.negotiateStep(['NZD', 80]);
   *   if (result.state === 'offered') await session.endNegotiate({ accept: true });
   * });
   */
  async onNegotiate(
    handler: (session: NegotiationSession) => unknown,
    options: OnNegotiateOptions = {},
  ): Promise<Listening> {
    const { concurrency = 100, onError = warn, signal } = options;
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new GraspError(ErrorCode.unspec, 'concurrency is a whole number of at least 1');
    }
    this.#assertListenable();
    signal?.throwIfAborted();
    let end!: (error: GraspError | undefined) => void;
    const ended = new Promise<GraspError | undefined>((resolve) => (end = resolve));
    const source: RequestSource = new RequestSource({
      client: this.#client,
      capacity: concurrency,
      onSession: (session) => serve(session, handler, onError, source),
      onEnd: end,
    });
    const opening = source.open(this.asa.handle, this.name);
    // From now on: `stopNegotiate` ends what is still being opened, too.
    const listen = { stop: () => opening.catch(() => undefined).then(() => source.stop()) };
    this.#listens.add(listen);
    void ended.then(() => this.#listens.delete(listen));
    try {
      await opening;
    } catch (error) {
      this.#listens.delete(listen);
      throw error;
    }
    const listening: Listening = { port: source.port, ended, stop: listen.stop };
    const onAbort = (): void => void listening.stop();
    signal?.addEventListener('abort', onAbort, { once: true });
    void ended.then(() => signal?.removeEventListener('abort', onAbort));
    if (signal?.aborted) {
      await listening.stop();
      signal.throwIfAborted();
    }
    return listening;
  }

  /**
   * Serves requests one at a time: the next session is handed out when the one before is done with, without a gap
   * in which a request would be refused. Leaving the loop stops listening. Its first `next` rejects with 6, 13,
   * 15 or 16 if the objective cannot be listened for; a later one with 13 when it is deregistered meanwhile.
   */
  listenNegotiate(
    options: { signal?: AbortSignal | undefined } = {},
  ): AsyncIterableIterator<NegotiationSession> {
    this.#assertListenable();
    const listen = { stop: () => sessions.return() };
    const sessions: SessionIterator = new SessionIterator(this.#client, this.asa.handle, this.name, {
      signal: options.signal,
      onEnd: () => this.#listens.delete(listen),
    });
    this.#listens.add(listen);
    return sessions;
  }

  /**
   * Ends every `onNegotiate` and `listenNegotiate` of this objective: no more answers to discoveries, requests that
   * wait are closed, loops end; sessions under way go on. Not listening: no error. Rejects 13, 15.
   */
  async stopNegotiate(): Promise<void> {
    this.#assertListenable();
    await Promise.all([...this.#listens].map((listen) => listen.stop()));
  }

  /**
   * Answers synchronization requests (M_REQ_SYN, RFC 8990 §2.8.6) with this value from now on, any number at once,
   * and makes the objective discoverable; does not wait for requests. Called again, it changes the value: nothing is
   * sent, the next who asks gets it. Without `value`: {@link Objective.value}.
   *
   * Resolves when the objective can be discovered. Rejects: 3 value not encodable; 6; 13 deregistered; 16; 32 not
   * for synchronization; 40 the value does not fit a message.
   *
   * @example
   * await ex1.listenSynchronize(['NZD', 7]);
   */
  async listenSynchronize(value?: unknown): Promise<void> {
    const bytes = value === undefined ? this.#value : encodeValue(value);
    this.#assertSynchronizable();
    await this.#client.control.listenSynchronize(this.asa.handle, this.name, bytes);
    this.#value = bytes;
  }

  /**
   * Ends it: no more answers to discoveries (unless `discoverable`), requests are closed at once. What was flooded
   * lives on. Not listening: no error. Rejects: 6, 13, 16, 32.
   */
  async stopSynchronize(): Promise<void> {
    this.#assertSynchronizable();
    await this.#client.control.stopSynchronize(this.asa.handle, this.name);
  }

  /** Ends its listens (13) and sessions (19), and forgets it. Idempotent. */
  async deregister(): Promise<void> {
    if (this.#deregistered) return;
    this.#deregistered = true;
    await this.#client.control.deregisterObjective(this.asa.handle, this.name);
  }

  #assertListenable(): void {
    if (this.#deregistered) throw new GraspError(ErrorCode.notYourObj, JSON.stringify(this.name));
    if (!this.negotiate) throw new GraspError(ErrorCode.notNeg, JSON.stringify(this.name));
  }

  #assertSynchronizable(): void {
    if (this.#deregistered) throw new GraspError(ErrorCode.notYourObj, JSON.stringify(this.name));
    if (!this.synchronize) throw new GraspError(ErrorCode.notSynch, JSON.stringify(this.name));
  }
}

/** Serves one session. No async function: of those as many wait as there are sessions. */
function serve(
  session: NegotiationSession,
  handler: (session: NegotiationSession) => unknown,
  onError: (error: unknown, session: NegotiationSession) => void,
  source: RequestSource,
): void {
  const served = rejecting(() => Promise.resolve(handler(session)));
  void served.then(
    () => endServed(session, 'no answer by the ASA', source),
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      const reason = `the ASA failed: ${message}`
        .slice(0, MAX_REASON_LENGTH)
        .replace(/\p{Surrogate}/gu, '\ufffd');
      try {
        // A session that ended under the handler is no fault of the handler's.
        if (!(error instanceof GraspError && session.ended)) onError(error, session);
      } finally {
        endServed(session, reason, source);
      }
    },
  );
}

/** Declines what the handler has left open, and makes room for another. */
function endServed(session: NegotiationSession, reason: string, source: RequestSource): void {
  const release = (): void => source.release();
  if (session.ended) release();
  // It may end in this moment by the peer's doing; then nobody is left to be told.
  else session.endNegotiate({ accept: false, reason }).then(release, release);
}

function warn(error: unknown, session: NegotiationSession): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`handler of ${session.objective}: ${text}`, 'GraspHandlerWarning');
}
