import {
  ErrorCode,
  M_END,
  M_NEGOTIATE,
  M_REQ_NEG,
  M_REQ_SYN,
  M_SYNCH,
  M_WAIT,
  type Message,
} from '../../protocol/index.js';
import type { SessionWatcher, WatchedAnswer, WatchedFailure, WatchedSession } from '../../runtime/index.js';
import type { SessionEnd, SessionViewer, Viewer } from './viewer.js';

type Settled = Pick<SessionEnd, 'outcome' | 'code' | 'reason'>;

/** Messages that want an answer. */
const ASKS: ReadonlySet<Message['type']> = new Set([M_REQ_NEG, M_REQ_SYN, M_NEGOTIATE]);

/**
 * The watcher of one session that somebody has chosen: it tells the viewers, and notes what it takes to say at the end how
 * the session went. An observer: the machines decide, this only reads off what they have sent and told. It belongs to its
 * session and goes with it; a table of all sessions would keep those that are over (see `RecencyList` in `src/protocol`).
 */
export class SessionWatch implements SessionWatcher {
  readonly #session: WatchedSession;
  readonly #now: () => number;
  #viewers: readonly SessionViewer[];
  /** Undefined: nobody saw it begin. */
  #begunAt: number | undefined;
  #sessionId: number | undefined;
  /** When the message left whose answer is awaited. */
  #askedAt: number | undefined;
  /** The first thing that settled it. */
  #end: Settled | undefined;
  /** What the peer's M_END said, for a session whose ASA nobody told. */
  #peersWord: Settled | undefined;

  constructor(session: WatchedSession, viewers: readonly SessionViewer[], now: () => number) {
    this.#session = session;
    this.#viewers = viewers;
    this.#now = now;
  }

  /** That of a session, if it has one. */
  static of({ watcher }: WatchedSession): SessionWatch | undefined {
    return watcher instanceof SessionWatch ? watcher : undefined;
  }

  join(viewer: SessionViewer): void {
    this.#viewers = [...this.#viewers, viewer];
  }

  /** The viewer hears no more of this session. If it was the last one, the session has nobody to tell. */
  leave(viewer: Viewer): void {
    this.#viewers = this.#viewers.filter((each) => each.viewer !== viewer);
    if (this.#viewers.length === 0 && this.#session.watcher === this) this.#session.watcher = undefined;
  }

  // SessionWatcher

  begun(): void {
    this.#begunAt = this.#now();
    for (const viewer of this.#viewers) viewer.begun(this.#session);
  }

  sent(message: Message, bytes: Uint8Array): void {
    this.#note(message);
    if (ASKS.has(message.type)) this.#askedAt = this.#now();
    this.#end ??= saidBy(message) ?? (message.type === M_SYNCH ? { outcome: 'synchronized' } : undefined);
    for (const viewer of this.#viewers) viewer.message?.(this.#session, 'sent', message, bytes);
  }

  received(message: Message, bytes: Uint8Array): void {
    // A responder's synchronization takes no place: it is answered in the turn in which it is asked for.
    if (message.type === M_REQ_SYN && this.#begunAt === undefined) this.begun();
    this.#note(message);
    this.#peersWord ??= saidBy(message);
    const latencyMs = this.#answered(message);
    for (const viewer of this.#viewers) {
      viewer.message?.(this.#session, 'received', message, bytes);
      if (latencyMs !== undefined) viewer.step?.(this.#session, message, latencyMs);
    }
  }

  told({ state, failure }: WatchedAnswer): void {
    if (state === 'offered' || failure?.over === false) return;
    this.#end ??= state === 'failed' ? failed(failure) : { outcome: state };
  }

  ended(): void {
    const begunAt = this.#begunAt;
    // It never was more than a connection.
    if (!this.#session.begun && begunAt === undefined) return;
    const { outcome, code, reason } = this.#end ?? this.#peersWord ?? { outcome: 'failed' };
    const tookMs = begunAt === undefined ? undefined : this.#now() - begunAt;
    const end = { outcome, code, reason, tookMs, session: this.#sessionId };
    for (const viewer of this.#viewers) viewer.ended(this.#session, end);
  }

  #note(message: Message): void {
    if ('sessionId' in message) this.#sessionId ??= message.sessionId;
  }

  /** ms since the message that this one answers was sent; undefined if none was, or it is still awaited. */
  #answered({ type }: Message): number | undefined {
    const askedAt = this.#askedAt;
    // M_WAIT asks for patience (RFC 8990 §2.8.9): the answer is still to come.
    if (askedAt === undefined || type === M_WAIT) return undefined;
    this.#askedAt = undefined;
    return this.#now() - askedAt;
  }
}

function saidBy(message: Message): Settled | undefined {
  if (message.type !== M_END) return undefined;
  return message.accept ? { outcome: 'accepted' } : { outcome: 'declined', reason: message.reason ?? '' };
}

function failed(failure: WatchedFailure | undefined): Settled {
  if (failure === undefined) return { outcome: 'failed' };
  const { code, reason, detail } = failure;
  if (code === ErrorCode.declined) return { outcome: 'declined', reason: reason ?? '' };
  return { outcome: 'failed', code, ...(detail === undefined || detail === '' ? {} : { reason: detail }) };
}
