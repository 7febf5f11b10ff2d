/** What the machines of negotiation and synchronization sessions have in common: their world, and what comes in. */
import type {
  EndMessage,
  InvalidMessage,
  Message,
  NegotiationMessage,
  NoopMessage,
  RefusalReason,
  RequestNegotiationMessage,
  RequestSynchronizationMessage,
  SynchMessage,
  WaitMessage,
} from '../protocol/index.js';
import type { Described } from '../runtime/index.js';
import type { Failure, ObjectiveHead } from './session-protocol.js';

/**
 * The world as a session's machine sees it: what it can cause (commands, without result) and the few facts its
 * guards read. The driver implements it over a stream, a clock and a data port; tests over nothing.
 */
export interface SessionPort extends Described {
  /** False while the substrate has no security: every call gives 16 (RFC 8990 §3, RFC 8991 Appendix A). */
  readonly secure: boolean;
  /** True when `limits.sessions` is reached. */
  readonly sessionsFull: boolean;
  /** Largest message of this session, bytes (RFC 8990 §2.8.3). */
  readonly maxMessageBytes: number;
  /** Whether a session id of an incoming request is locally active (RFC 8990 §2.8.6, C-06). */
  judgeSessionId(sessionId: number): Clash;

  /** Takes one place of `limits.sessions`, from now until {@link release}. */
  admit(): void;
  /** Asks for a session id; later event `sessionId.drawn`. */
  drawSessionId(): void;
  /** Opens the stream; later event `connected` or `connect.failed`. */
  connect(): void;
  /** Asks the rest of the engine whether it opened this connection itself; later event `clash.judged`. */
  askOwnConnection(): void;
  /** One message in one write. */
  send(message: Message): void;
  /** Starts the session's one timer anew; later event `timer.expired`. */
  startTimer(ms: number): void;
  stopTimer(): void;
  /** Sends FIN after what was written; what the peer still sends is not read. */
  close(): void;
  /** Answers a waiting call of the client. */
  answer(call: number, answer: SessionAnswer): void;
  /** Confirms wait, end and invalid. */
  done(call: number, failure: Failure | undefined): void;
  count(name: string): void;
  /** The session is over: forget everything. */
  release(): void;
}

/** `ask`: active here, but perhaps over a connection that another thread of this engine opened. */
export type Clash = 'none' | 'clash' | 'ask';

/** What every session's machine is started with. */
export interface SessionInput<Port> {
  readonly port: Port;
  /** Initiator: an id of the own block; undefined if none is left at the moment, or for a responder. */
  readonly sessionId: number | undefined;
  /** Responder: the objective whose listener accepted the stream. */
  readonly name: string;
  /** Initiator: ms to wait for a session id when none is left. */
  readonly drawTimeoutMs: number;
}

/** An answer before the driver has put the session's id and peer to it. */
export type SessionAnswer =
  | { readonly state: 'offered'; readonly value: Uint8Array; readonly loopCount: number }
  | { readonly state: 'accepted' }
  | { readonly state: 'synchronized'; readonly objective: ObjectiveHead; readonly value: Uint8Array }
  | { readonly state: 'failed'; readonly failure: Failure };

/** A decoded message of this session, one event type per message type of RFC 8990 §2.8. */
export type MessageEvent =
  | { readonly type: 'message.noop'; readonly message: NoopMessage }
  | { readonly type: 'message.requestNegotiation'; readonly message: RequestNegotiationMessage }
  | { readonly type: 'message.requestSynchronization'; readonly message: RequestSynchronizationMessage }
  | { readonly type: 'message.negotiate'; readonly message: NegotiationMessage }
  | { readonly type: 'message.end'; readonly message: EndMessage }
  | { readonly type: 'message.wait'; readonly message: WaitMessage }
  | { readonly type: 'message.synch'; readonly message: SynchMessage }
  | { readonly type: 'message.invalid'; readonly message: InvalidMessage };

/** Bytes that are no message of a session: not CBOR at all (`malformed`), or CBOR of no use. */
export interface RefusedEvent {
  readonly type: 'message.refused';
  readonly kind: 'malformed' | 'unusable' | 'unknown' | 'misplaced';
  readonly reason: RefusalReason;
  readonly messageType: number | undefined;
  readonly sessionId: number | undefined;
}

/** Calls of the client to a session that exists; `call` gets exactly one answer or done. */
export type SessionCommand =
  | {
      readonly type: 'step';
      readonly call: number;
      readonly value: Uint8Array;
      readonly loopCount: number | undefined;
      readonly dryRun: boolean | undefined;
      readonly timeoutMs: number;
    }
  | { readonly type: 'wait'; readonly call: number; readonly waitMs: number }
  | {
      readonly type: 'end';
      readonly call: number;
      readonly accept: boolean;
      readonly reason: string | undefined;
    }
  | { readonly type: 'invalid'; readonly call: number; readonly info: Uint8Array | undefined };

/** What happens to every session, whatever its procedure. */
export type SessionEvent =
  | SessionCommand
  | MessageEvent
  | RefusedEvent
  /** A message with the id of another session came on this session's connection (RFC 8990 §2.8.2). */
  | { readonly type: 'foreign' }
  /** A peer has connected; nothing has been read yet. */
  | { readonly type: 'accepted'; readonly firstMessageMs: number }
  | { readonly type: 'sessionId.drawn'; readonly sessionId: number }
  | { readonly type: 'connected' }
  | { readonly type: 'connect.failed'; readonly detail: string }
  | { readonly type: 'clash.judged'; readonly own: boolean }
  | { readonly type: 'timer.expired' }
  /** FIN, reset or any other end of the peer's half; `truncated` when an item was begun. */
  | { readonly type: 'stream.lost'; readonly truncated: boolean }
  /** The engine ends the session: deregistration, no security, shutdown, a limit. */
  | { readonly type: 'session.close'; readonly code: number; readonly detail?: string | undefined };
