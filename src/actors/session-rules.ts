/** Pure decisions that sessions of both procedures share: RFC 8990 §2.8.2, §2.8.12, §2.8.13, §2.10. */
import { M_INVALID, M_NOOP, NULL_VALUE, type InvalidMessage, type WireObjective } from '../protocol/index.js';
import type { RefusedEvent } from './session-port.js';
import type { ObjectiveHead } from './session-protocol.js';

/**
 * xstate's `assertEvent`, of one type or either of two, without wildcards: it is asked nine times for each step of a
 * session, on both sides.
 */
export function assertEvent<E extends { readonly type: string }, T extends E['type']>(
  event: E,
  type: T,
  other?: T,
): asserts event is Extract<E, { readonly type: T }> {
  if (event.type !== type && event.type !== other) {
    throw new TypeError(
      `${event.type} where ${type}${other === undefined ? '' : ` or ${other}`} is expected`,
    );
  }
}

/** The call that an event of the client carries. */
export function callOf(event: { readonly type: string; readonly call?: number }): number {
  if (event.call === undefined) throw new TypeError(`${event.type} where a call is expected`);
  return event.call;
}

/** The flags of RFC 8990 §2.10.2; undefined bits are ignored on receipt (C-08) and not sent back. */
const DEFINED_FLAGS = 0x0f;

export function headOf(objective: WireObjective): ObjectiveHead {
  return { name: objective.name, flags: objective.flags & DEFINED_FLAGS, loopCount: objective.loopCount };
}

export function valueOf({ value }: WireObjective): Uint8Array {
  return value ?? new Uint8Array(NULL_VALUE);
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

/** The session id that a message or refusal carries, to copy into M_INVALID (§2.8.12). */
export function sessionIdOf(event: object): number | undefined {
  const { sessionId, message } = event as { sessionId?: number; message?: { sessionId?: number } };
  return sessionId ?? message?.sessionId;
}

/** M_NOOP and M_INVALID are ignored however badly formed (RFC 8990 §2.8.12, §2.8.13). */
export function isIgnorable(refused: RefusedEvent): boolean {
  return refused.messageType === M_NOOP || refused.messageType === M_INVALID;
}

/** Well-formed, of no use, and with a session id to copy: M_INVALID may be the answer (C-17). */
export function isAnswerable(refused: RefusedEvent): boolean {
  return refused.kind !== 'malformed' && refused.sessionId !== undefined;
}
