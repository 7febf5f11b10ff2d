/**
 * Bytes → message in two steps: well-formed (scanner), then meaning (RFC 8990 §4 and the rules of the text that
 * need no state). Never throws; every refusal has a name and a kind that tells what to do with it.
 */
import * as C from './constants.js';
import { isLinkLocal } from './address.js';
import { readDivertOrLocators, readFlood } from './decode-options.js';
import { readObjective } from './decode-objective.js';
import type { Message, MessageType } from './messages.js';
import type { RefusalReason } from './reasons.js';
import * as R from './reader.js';
import { DEF_SCAN_LIMITS, refuseUnlessOneItem, type ScanLimits } from './scanner.js';

/**
 * Where a message arrived, which decides what may be one there:
 * - `multicast`: a datagram of the group or to port 7017, or the same over a neighbour connection of the ACP;
 * - `response`: a connection to the source port of an own or relayed discovery;
 * - `rapid`: the same where an answer in rapid mode was asked for (§2.5.5.1, §2.5.6.3);
 * - `session`: a request, negotiation or synchronization connection.
 */
export type MessageContext = 'multicast' | 'response' | 'rapid' | 'session';

export interface DecodeLimits extends ScanLimits {
  /** Elements of the message's array and of a divert; default 1024. Reason `limit.elements`. */
  readonly maxElements: number;
}

export const DEF_DECODE_LIMITS: DecodeLimits = { ...DEF_SCAN_LIMITS, maxElements: C.DEF_MAX_ELEMENTS };

export interface Decoded {
  readonly ok: true;
  readonly message: Message;
  /** Options and flood entries that were skipped: unknown, or foreign to the message (§2.8.2). */
  readonly droppedOptions: number;
}

export interface Refused {
  readonly ok: false;
  /**
   * `malformed`: not one well-formed item within the limits; on a connection, close it.
   * `unusable`: an item, but not a valid message. `unknown`: a number without a meaning. `misplaced`: a message that
   * does not belong here. These three may be answered with M_INVALID over unicast, if there is a `sessionId` and
   * `messageType` is not M_INVALID (§2.8.2, §2.8.12).
   */
  readonly kind: 'malformed' | 'unusable' | 'unknown' | 'misplaced';
  readonly reason: RefusalReason;
  /** The first element, if it is an integer 0..255. */
  readonly messageType: number | undefined;
  /** The second element, if it is a valid session ID. */
  readonly sessionId: number | undefined;
}

export type DecodeResult = Decoded | Refused;

/** Bit per context in which each message type may occur. M_NOOP is welcome anywhere (§2.8.13). */
const MULTICAST = 1;
const RESPONSE = 2;
const RAPID = 4;
const SESSION = 8;
const CONTEXT_BIT: Readonly<Record<MessageContext, number>> = {
  multicast: MULTICAST,
  response: RESPONSE,
  rapid: RAPID,
  session: SESSION,
};
const PLACES: Readonly<Record<MessageType, number>> = {
  [C.M_NOOP]: MULTICAST | RESPONSE | RAPID | SESSION,
  [C.M_DISCOVERY]: MULTICAST,
  [C.M_RESPONSE]: RESPONSE | RAPID,
  [C.M_REQ_NEG]: SESSION,
  [C.M_REQ_SYN]: SESSION,
  [C.M_NEGOTIATE]: RAPID | SESSION,
  [C.M_END]: RAPID | SESSION,
  [C.M_WAIT]: RAPID | SESSION,
  [C.M_SYNCH]: RAPID | SESSION,
  [C.M_FLOOD]: MULTICAST,
  [C.M_INVALID]: RESPONSE | RAPID | SESSION,
};

function isMessageType(type: number): type is MessageType {
  return type <= C.M_FLOOD || type === C.M_INVALID;
}

/**
 * Decodes one datagram. Never throws. `initiator`, addresses, values and `info` of the
 * message are views that share memory with `bytes`: copy what outlives it.
 */
export function decodeMessage(
  bytes: Uint8Array,
  context: MessageContext,
  limits: DecodeLimits = DEF_DECODE_LIMITS,
): DecodeResult {
  const malformed = refuseUnlessOneItem(bytes, limits);
  if (malformed) return refuse('malformed', malformed, undefined, undefined);
  R.open(bytes);
  return decodeOpened(context, limits.maxElements);
}

/**
 * The same for an item of a stream, which a MessageFramer has scanned. Values and `info` have memory of their own; addresses are
 * views.
 */
export function decodeFramed(bytes: Uint8Array, context: MessageContext): DecodeResult {
  R.open(bytes, true);
  return decodeOpened(context, DEF_DECODE_LIMITS.maxElements);
}

function decodeOpened(context: MessageContext, maxElements: number): DecodeResult {
  const result = decodeItem(CONTEXT_BIT[context], maxElements);
  R.close();
  return result;
}

function refuse(
  kind: Refused['kind'],
  reason: RefusalReason,
  messageType: number | undefined,
  sessionId: number | undefined,
): Refused {
  return { ok: false, kind, reason, messageType, sessionId };
}

function decodeItem(place: number, maxElements: number): DecodeResult {
  const count = R.enterArray();
  if (count < 0) return refuse('unusable', 'message.not-array', undefined, undefined);
  if (count === 0) return refuse('unusable', 'message.empty', undefined, undefined);
  const type = R.readUint(255);
  if (type < 0) {
    R.skip();
    return refuse('unusable', 'message.type', undefined, readSessionId(count));
  }
  const sessionId = readSessionId(count);
  if (!isMessageType(type)) return refuse('unknown', 'message.unknown-type', type, sessionId);
  if ((PLACES[type] & place) === 0) return refuse('misplaced', 'message.misplaced', type, sessionId);
  // Surplus elements of an M_NOOP are ignored with it.
  if (type === C.M_NOOP) return { ok: true, message: { type }, droppedOptions: 0 };
  if (count === 1) return refuse('unusable', 'message.arity', type, undefined);
  if (sessionId === undefined) return refuse('unusable', 'message.session-id', type, undefined);
  if (count > maxElements) return refuse('unusable', 'limit.elements', type, sessionId);
  const body = readBody(type, sessionId, count - 2, maxElements);
  return typeof body === 'string' ? refuse('unusable', body, type, sessionId) : body;
}

function readSessionId(count: number): number | undefined {
  if (count < 2) return undefined;
  const id = R.readUint(C.MAX_UINT32);
  return id < 0 ? undefined : id;
}

/** Everything after the session ID; `left` elements. */
function readBody(
  type: Exclude<MessageType, 0>,
  sessionId: number,
  left: number,
  maxElements: number,
): Decoded | RefusalReason {
  switch (type) {
    case C.M_DISCOVERY: {
      if (left < 2) return 'message.arity';
      const initiator = readInitiator();
      if (!initiator) return 'message.initiator';
      const objective = readObjective(type);
      if (typeof objective === 'string') return objective;
      return decoded({ type, sessionId, initiator, objective }, left - 2);
    }
    case C.M_RESPONSE: {
      if (left < 3) return 'message.arity';
      const initiator = readInitiator();
      if (!initiator) return 'message.initiator';
      const ttl = R.readUint(C.MAX_UINT32);
      if (ttl < 0) return 'message.ttl';
      const body = readDivertOrLocators(left - 2, maxElements);
      if (typeof body === 'string') return body;
      const { locators, divert, objective, dropped } = body;
      return {
        ok: true,
        message: { type, sessionId, initiator, ttl, locators, divert, objective },
        droppedOptions: dropped,
      };
    }
    case C.M_REQ_NEG:
    case C.M_REQ_SYN:
    case C.M_NEGOTIATE:
    case C.M_SYNCH: {
      if (left < 1) return 'message.arity';
      const objective = readObjective(type);
      if (typeof objective === 'string') return objective;
      return decoded({ type, sessionId, objective }, left - 1);
    }
    case C.M_END:
      return readEnd(sessionId, left);
    case C.M_WAIT: {
      if (left < 1) return 'message.arity';
      const waitingTime = R.readUint(C.MAX_UINT32);
      if (waitingTime < 0) return 'message.waiting-time';
      return decoded({ type, sessionId, waitingTime }, left - 1);
    }
    case C.M_FLOOD: {
      if (left < 3) return 'message.arity';
      const initiator = readInitiator();
      if (!initiator) return 'message.initiator';
      const ttl = R.readUint(C.MAX_UINT32);
      if (ttl < 0) return 'message.ttl';
      const body = readFlood(left - 2, isLinkLocal(initiator));
      if (typeof body === 'string') return body;
      const { objectives, others, dropped } = body;
      const message = { type, sessionId, initiator, ttl, objectives, others };
      return { ok: true, message, droppedOptions: dropped };
    }
    case C.M_INVALID: {
      if (left > 1) return 'message.arity';
      const info = left === 1 ? R.readEncoded() : undefined;
      return { ok: true, message: { type, sessionId, info }, droppedOptions: 0 };
    }
  }
}

/** A message whose fixed elements have been read: what is left must be options, and is skipped (§2.8.2). */
function decoded(message: Message, surplus: number): Decoded | RefusalReason {
  for (let i = 0; i < surplus; i++) {
    if (!R.atOption()) return 'message.surplus';
    R.skip();
  }
  return { ok: true, message, droppedOptions: surplus };
}

/** 4 or 16 bytes (§4). */
function readInitiator(): Uint8Array | undefined {
  const initiator = R.readBytes();
  return initiator?.length === 16 || initiator?.length === 4 ? initiator : undefined;
}

/** §2.8.8: exactly one of accept and decline; options foreign to M_END are skipped (§2.9.2–5). */
function readEnd(sessionId: number, left: number): Decoded | RefusalReason {
  if (left < 1) return 'message.arity';
  let dropped = 0;
  let accept: boolean | undefined;
  let reason: string | undefined;
  for (let i = 0; i < left; i++) {
    if (!R.atOption()) return left === 1 ? 'end.no-option' : 'message.surplus';
    if (R.peekOption() !== C.O_ACCEPT && R.peekOption() !== C.O_DECLINE) {
      R.skip();
      dropped++;
      continue;
    }
    if (accept !== undefined) return 'end.contradiction';
    const count = R.enterArray();
    const indefinite = R.enteredIndefinite();
    accept = R.readUint(255) === C.O_ACCEPT;
    if (count > (accept ? 1 : 2)) return 'end.option';
    if (count === 2) {
      reason = R.readText();
      if (reason === undefined) return 'end.option';
    }
    R.leaveArray(indefinite);
  }
  if (accept === undefined) return 'end.no-option';
  return { ok: true, message: { type: C.M_END, sessionId, accept, reason }, droppedOptions: dropped };
}
