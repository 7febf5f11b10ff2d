/**
 * The pure decisions of a negotiation session, RFC 8990 §2.5.5, §2.8.7, §2.8.8 and §2.10.2: what is sent and what
 * a refused or unfitting message means. The machine's guards and actions call these; nothing here has effects.
 */
import {
  ErrorCode,
  F_NEG_DRY,
  M_END,
  M_NEGOTIATE,
  M_REQ_NEG,
  M_WAIT,
  type EndMessage,
  type NegotiationMessage,
  type RequestNegotiationMessage,
  type WaitMessage,
  type WireObjective,
} from '../protocol/index.js';
import type { CommandEvent, NegotiationEvent } from './negotiation-port.js';
import type { RefusedEvent } from './session-port.js';
import type { Failure, ObjectiveHead } from './session-protocol.js';

/** What is known of a session's objective once the request is sent or received. */
export interface SessionTerms {
  readonly sessionId: number;
  readonly name: string;
  readonly flags: number;
  /** As last received, or as given with the request. */
  readonly loopCount: number;
}

export function requestMessage(
  sessionId: number,
  { name, flags, loopCount }: ObjectiveHead,
  value: Uint8Array,
): RequestNegotiationMessage {
  return { type: M_REQ_NEG, sessionId, objective: { name, flags, loopCount, value } };
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

/** The objective of an M_NEGOTIATE is the session's: same name, dry-run flag unchanged (§2.10.2). */
export function fitsTerms(terms: Pick<SessionTerms, 'name' | 'flags'>, objective: WireObjective): boolean {
  return objective.name === terms.name && isDryRun(objective.flags) === isDryRun(terms.flags);
}

export function isDryRun(flags: number): boolean {
  return (flags & F_NEG_DRY) !== 0;
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
    case 'rapid.over':
      return event.failure;
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
