/**
 * Whoever looks on. Actors tell it what they do, at the few places where an actor is born and where a message or the
 * end of a session passes, by `counters.watcher?.…`: while nobody watches that is one branch, and nothing is made.
 * Sessions come by the thousand, and most of them may be of no interest: each is offered once, when it is made, and what
 * it does is told by `this.watcher?.…`, the same branch, to whoever took an interest then. What is told is what is there
 * anyway; making it fit to be shown is the watcher's business.
 */
import type { AnyActor, EventObject } from 'xstate';
import type { Message } from '../protocol/index.js';

/** An end of a connection, or where a datagram came from. */
export interface Place {
  readonly address: string;
  readonly port: number;
  readonly interface?: string | undefined;
}

/** What an actor stands for, as far as it is known yet. */
export interface Subject {
  readonly objective?: string | undefined;
  readonly peer?: Place | undefined;
  /** RFC 8990 §2.7. */
  readonly session?: number | undefined;
  readonly role?: 'initiator' | 'responder' | 'relay' | undefined;
  readonly interface?: string | undefined;
  /** The thread that is looked after. */
  readonly worker?: string | undefined;
}

/** Ports of machines may say what their actor stands for; asked only while somebody watches. */
export interface Described {
  readonly subject?: Subject;
}

/** A negotiation or synchronization session, of either role. */
export interface WatchedSession {
  /** Id of its machine. */
  readonly machine: string;
  /** That of xstate, as far as its owner needs to know it. */
  readonly actor: object;
  readonly objective: string;
  readonly subject: Subject;
  /** It has taken a place of `limits.sessions`. */
  readonly begun: boolean;
  /** Whom it tells what it does; undefined, as with all sessions while nobody watches: it was not chosen. */
  watcher: SessionWatcher | undefined;
}

/** Why a call failed, or a session ended. */
export interface WatchedFailure {
  readonly code: number;
  readonly detail?: string | undefined;
  readonly reason?: string | undefined;
  /** False: the session lives on. */
  readonly over?: boolean | undefined;
}

/** An answer to a call, or the news that a session is over. */
export interface WatchedAnswer {
  readonly state: 'offered' | 'accepted' | 'synchronized' | 'failed';
  readonly failure?: WatchedFailure | undefined;
}

/** A message that belongs to no session's own stream: discoveries and what answers them, floods. */
export interface Packet {
  readonly direction: 'sent' | 'received';
  readonly via: 'multicast' | 'unicast' | 'stream';
  readonly bytes: Uint8Array;
  /** Decoded, where it is so anyway. */
  readonly message?: Message | undefined;
  readonly peer?: Place | undefined;
  readonly interface?: string | undefined;
  /** It is another node's, passed on. */
  readonly relayed?: boolean | undefined;
}

export interface Watcher {
  /** Before it starts. Sessions are not told here. */
  actorMade(actor: AnyActor): void;
  /** Before it starts: gives it a {@link WatchedSession.watcher}, or none. */
  sessionMade(session: WatchedSession): void;
  /** An actor through which everything of its kind passes is about to get an event: of many, few are shown. */
  eventComes(actor: object, event: EventObject): void;
  passed(packet: Packet): void;
  counted(name: string, n: number): void;
}

/** Whoever looks on at one session. */
export interface SessionWatcher {
  /** It takes a place of `limits.sessions`: what came before was a connection without a request. */
  begun(): void;
  /** What was sent on its stream; `bytes` is its encoding. */
  sent(message: Message, bytes: Uint8Array): void;
  /** What came on its stream and is for this session. */
  received(message: Message, bytes: Uint8Array): void;
  /** What the ASA is told: an offer, or how it ended. */
  told(answer: WatchedAnswer): void;
  /** Also of a connection that never became a session. */
  ended(): void;
}
