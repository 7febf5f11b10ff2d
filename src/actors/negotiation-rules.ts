/**
 * The pure decisions of a negotiation session, RFC 8990 §2.5.5, §2.8.7, §2.8.8 and §2.10.2: what is sent and what
 * a refused or unfitting message means. The machine's guards and actions call these; nothing here has effects.
 */
import {
  ErrorCode,
  F_NEG_DRY,
  M_END,
  M_INVALID,
  M_NEGOTIATE,
  M_NOOP,
  M_REQ_NEG,
  M_WAIT,
  NULL_VALUE,
  type EndMessage,
  type InvalidMessage,
  type NegotiationMessage,
  type RequestNegotiationMessage,
  type WaitMessage,
  type WireObjective,
} from '../protocol/index.js';
import type { CommandEvent, NegotiationEvent, RefusedEvent } from './negotiation-port.js';
import type { Failure, ObjectiveHead } from './session-protocol.js';

/** The flags of RFC 8990 §2.10.2; undefined bits are ignored on receipt (C-08) and not sent back. */
const DEFINED_FLAGS = 0x0f;

/** What is known of a session's objective once the request is sent or received. */
export interface SessionTerms {
  readonly sessionId: number;
  readonly name: string;
  readonly flags: number;
  /** As last received, or as given with the request. */
  readonly loopCount: number;
}

export function headOf(objective: WireObjective): ObjectiveHead {
  return { name: objective.name, flags: objective.flags & DEFINED_FLAGS, loopCount: objective.loopCount };
}

/** The value in own memory: what came from the stream is valid only until the handler returns. */
export function copyValue(objective: WireObjective): Uint8Array {
  return new Uint8Array(objective.value ?? NULL_VALUE);
}

export function requestMessage(
  sessionId: number,
  objective: ObjectiveHead,
  value: Uint8Array,
): RequestNegotiationMessage {
  return { type: M_REQ_NEG, sessionId, objective: { ...objective, value } };
}

/** RFC 8990 §2.8.7: one less than received; an ASA cannot raise it (D-11). 0 or less: must not be sent. */
export function nextLoopCount(received: number, passed: number | undefined): number {
  return Math.min(passed ?? received, received) - 1;
}

export function stepMessage(terms: SessionTerms, step: CommandEvent & { type: 'step' }): NegotiationMessage {
  const loopCount = nextLoopCount(terms.loopCount, step.loopCount);
  return {
    type: M_NEGOTIATE,
    sessionId: terms.sessionId,
    objective: { name: terms.name, flags: terms.flags, loopCount, value: step.value },
  };
}

export function endMessage(sessionId: number, end: CommandEvent & { type: 'end' }): EndMessage {
  return { type: M_END, sessionId, accept: end.accept, reason: end.accept ? undefined : end.reason };
}

export function waitMessage(sessionId: number, waitingTime: number): WaitMessage {
  return { type: M_WAIT, sessionId, waitingTime };
}

export function invalidMessage(sessionId: number, info: Uint8Array | undefined): InvalidMessage {
  return { type: M_INVALID, sessionId, info };
}

/** Diagnostic text of an M_INVALID as one CBOR text item; ASCII, shorter than 256 (RFC 8990 §2.8.12). */
export function diagnosticText(text: string): Uint8Array {
  const header = text.length < 24 ? 1 : 2;
  const bytes = new Uint8Array(header + text.length);
  if (header === 1) bytes[0] = 0x60 | text.length;
  else bytes.set([0x78, text.length]);
  for (let i = 0; i < text.length; i++) bytes[header + i] = text.charCodeAt(i) & 0x7f;
  return bytes;
}

/** The objective of an M_NEGOTIATE is the session's: same name, dry-run flag unchanged (§2.10.2). */
export function fitsTerms(terms: Pick<SessionTerms, 'name' | 'flags'>, objective: WireObjective): boolean {
  return objective.name === terms.name && isDryRun(objective.flags) === isDryRun(terms.flags);
}

export function isDryRun(flags: number): boolean {
  return (flags & F_NEG_DRY) !== 0;
}

/** M_NOOP and M_INVALID are ignored however badly formed (RFC 8990 §2.8.12, §2.8.13). */
export function isIgnorable(refused: RefusedEvent): boolean {
  return refused.messageType === M_NOOP || refused.messageType === M_INVALID;
}

/** Well-formed, of no use, and with a session id to copy: M_INVALID may be the answer (C-17). */
export function isAnswerable(refused: RefusedEvent): boolean {
  return refused.kind !== 'malformed' && refused.sessionId !== undefined;
}

/** What an event of the peer or the engine that ends a session means to the ASA (RFC 8991 Appendix A). */
export function failureOf(event: NegotiationEvent): Failure {
  switch (event.type) {
    case 'message.end':
      return { code: ErrorCode.declined, reason: event.message.reason ?? '' };
    case 'message.refused':
      return { code: codeOfRefusal(event), detail: event.reason };
    case 'stream.lost':
      // An item that was begun and not finished is undecodable; silence is a peer that does not negotiate.
      return event.truncated
        ? { code: ErrorCode.CBORfail, detail: 'truncated message' }
        : { code: ErrorCode.noPeer };
    case 'connect.failed':
      return { code: ErrorCode.sockErrNegRq, detail: event.detail };
    case 'session.close':
      return { code: event.code, detail: event.detail };
    default:
      return { code: ErrorCode.unspec };
  }
}

function codeOfRefusal(refused: RefusedEvent): number {
  if (refused.kind === 'malformed') return ErrorCode.CBORfail;
  if (refused.messageType === M_NEGOTIATE) return ErrorCode.invalidNeg;
  if (refused.messageType === M_END) return ErrorCode.invalidEnd;
  return ErrorCode.noValidStep;
}
