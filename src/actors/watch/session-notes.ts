/**
 * What a watcher notes of each session while it lives, to say at its end how it went. An observer: the machines decide,
 * this only reads off what they have sent and told.
 */
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
import type { WatchedAnswer, WatchedFailure, WatchedSession } from '../../runtime/index.js';
import type { SessionEnd } from './viewer.js';

type Settled = Pick<SessionEnd, 'outcome' | 'code' | 'reason'>;

interface Notes {
  /** Undefined: nobody saw it begin. */
  begunAt: number | undefined;
  session: number | undefined;
  /** When the message left whose answer is awaited. */
  askedAt: number | undefined;
  /** The first thing that settled it. */
  end: Settled | undefined;
  /** What the peer's M_END said, for a session whose ASA nobody told. */
  peersWord: Settled | undefined;
}

/** Messages that want an answer. */
const ASKS: ReadonlySet<Message['type']> = new Set([M_REQ_NEG, M_REQ_SYN, M_NEGOTIATE]);

export class SessionNotes {
  readonly #now: () => number;
  readonly #notes = new Map<object, Notes>();

  constructor(now: () => number) {
    this.#now = now;
  }

  begun(session: WatchedSession): void {
    this.#of(session).begunAt = this.#now();
  }

  hasBegun({ actor }: WatchedSession): boolean {
    return this.#notes.get(actor)?.begunAt !== undefined;
  }

  sent(session: WatchedSession, message: Message): void {
    const notes = this.#of(session, message);
    if (ASKS.has(message.type)) notes.askedAt = this.#now();
    notes.end ??= saidBy(message) ?? (message.type === M_SYNCH ? { outcome: 'synchronized' } : undefined);
  }

  /** ms since the message that this one answers was sent; undefined if none was, or it is still awaited. */
  received(session: WatchedSession, message: Message): number | undefined {
    const notes = this.#of(session, message);
    notes.peersWord ??= saidBy(message);
    const { askedAt } = notes;
    // M_WAIT asks for patience (RFC 8990 §2.8.9): the answer is still to come.
    if (askedAt === undefined || message.type === M_WAIT) return undefined;
    notes.askedAt = undefined;
    return this.#now() - askedAt;
  }

  told(session: WatchedSession, { state, failure }: WatchedAnswer): void {
    if (state === 'offered' || failure?.over === false) return;
    this.#of(session).end ??= state === 'failed' ? failed(failure) : { outcome: state };
  }

  /** Undefined: it never was more than a connection. */
  ended({ actor, begun }: WatchedSession): SessionEnd | undefined {
    const notes = this.#notes.get(actor);
    this.#notes.delete(actor);
    if (!begun && notes?.begunAt === undefined) return undefined;
    const { end, peersWord, begunAt, session } = notes ?? nothing();
    return {
      ...(end ?? peersWord ?? { outcome: 'failed' }),
      ...(begunAt === undefined ? {} : { tookMs: this.#now() - begunAt }),
      ...(session === undefined ? {} : { session }),
    };
  }

  /** Nobody watches any more: nobody will tell how they end. */
  clear(): void {
    this.#notes.clear();
  }

  #of({ actor }: WatchedSession, message?: Message): Notes {
    let notes = this.#notes.get(actor);
    if (!notes) this.#notes.set(actor, (notes = nothing()));
    if (message && 'sessionId' in message) notes.session ??= message.sessionId;
    return notes;
  }
}

function nothing(): Notes {
  return { begunAt: undefined, session: undefined, askedAt: undefined, end: undefined, peersWord: undefined };
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
