/**
 * Rapid negotiation (RFC 8990 §2.5.5.1): a discovery that is a request at the same time. Off by default (SHOULD).
 *
 * Where its two ends run follows from who opens the connection, for a stream cannot move between threads:
 *
 * - The responder opens it. The core hands the discovery to the session host that listens for the objective; that
 *   connects to the source of the discovery, and an ordinary responder's session goes on from there.
 * - The initiator accepts it, on the port its discovery was sent from, and that port is the core's. So the core has
 *   a session host of its own, for these sessions only: the same class, the same machine, the same line to the API.
 *   To the machine a request that goes out with a discovery is one more way to be connected.
 */
import type { MessageFramer } from '../protocol/index.js';
import type { Stream, StreamHandlers } from '../substrate/types.js';
import type { Failure, ObjectiveHead } from './session-protocol.js';

/** A request that goes out with a discovery. */
export interface RapidCall {
  readonly asa: number;
  readonly objective: ObjectiveHead;
  readonly value: Uint8Array;
  /** ms the discovery takes, at least; it goes on while a peer has connected and said nothing yet. */
  readonly discoveryMs: number;
}

/** The first M_NEGOTIATE, M_END or M_WAIT that came for a session, and the connection it came over. */
export interface RapidAnswer {
  readonly sessionId: number;
  readonly stream: Stream;
  /** The message. */
  readonly first: Uint8Array;
  /** What came behind it. */
  readonly rest: MessageFramer;
}

/** Who waits for the answer; one of the two is called, once. */
export interface RapidCaller {
  /** Returns what takes the stream's events from now on. */
  answered(answer: RapidAnswer): StreamHandlers;
  /** The discovery failed, or (undefined) ended otherwise: nobody answered, or an M_RESPONSE came first. */
  over(failure: Failure | undefined): void;
}

/** Sends the discovery; what it returns ends it, and nobody is called any more. */
export type SendRapidly = (call: RapidCall, caller: RapidCaller) => () => void;
