/** The pure decisions of a synchronization session: RFC 8990 §2.5.6.1, §2.8.6, §2.8.10. */
import {
  ErrorCode,
  M_REQ_SYN,
  M_SYNCH,
  NULL_VALUE,
  type RequestSynchronizationMessage,
  type SynchMessage,
} from '../protocol/index.js';
import type { RefusedEvent } from './session-port.js';
import type { Failure, ObjectiveHead } from './session-protocol.js';
import type { PublishedValue, SynchronizationEvent } from './synchronization-port.js';

/** C-05: the request carries null for a value. */
export function synchronizationRequest(
  sessionId: number,
  objective: ObjectiveHead,
): RequestSynchronizationMessage {
  return { type: M_REQ_SYN, sessionId, objective: { ...objective, value: NULL_VALUE } };
}

/** api.md §4.14: name and flags as registered, loop count of the request, current value. */
export function synchMessage(
  sessionId: number,
  name: string,
  loopCount: number,
  { flags, value }: PublishedValue,
): SynchMessage {
  return { type: M_SYNCH, sessionId, objective: { name, flags, loopCount, value } };
}

/** What an event of the peer or the engine that ends the session means to the ASA (RFC 8991 Appendix A). */
export function synchronizationFailure(event: SynchronizationEvent): Failure {
  switch (event.type) {
    case 'message.refused':
      return { code: codeOfRefusal(event), detail: event.reason };
    case 'stream.lost':
      // An item that was begun and not finished is undecodable; silence is a peer where nobody listens.
      return event.truncated
        ? { code: ErrorCode.CBORfail, detail: 'truncated message' }
        : { code: ErrorCode.noListener };
    case 'connect.failed':
      return { code: ErrorCode.sockErrSynRq, detail: event.detail };
    case 'session.close':
      return { code: event.code, detail: event.detail };
    default:
      return { code: ErrorCode.unspec };
  }
}

function codeOfRefusal({ kind }: RefusedEvent): number {
  return kind === 'malformed' ? ErrorCode.CBORfail : ErrorCode.noValidSynch;
}
