/**
 * The error codes of RFC 8991 Appendix A and of this engine (40 and up; 39 is left to the Python prototype), and
 * the one error class whose instances cross threads and sockets as plain data. Callers match on `code`.
 */

import { inspect, types } from 'node:util';

/** Name → number. 0–38 are RFC 8991's, the rest this engine's own. */
export const ErrorCode = {
  ok: 0,
  declined: 1,
  noReply: 2,
  unspec: 3,
  ASAfull: 4,
  dupASA: 5,
  noASA: 6,
  notYourASA: 7,
  notBoth: 8,
  notDry: 9,
  notOverlap: 10,
  objFull: 11,
  objReg: 12,
  notYourObj: 13,
  notObj: 14,
  notNeg: 15,
  noSecurity: 16,
  noDiscReply: 17,
  sockErrNegRq: 18,
  noSession: 19,
  noSocket: 20,
  loopExhausted: 21,
  sockErrNegStep: 22,
  noPeer: 23,
  CBORfail: 24,
  invalidNeg: 25,
  invalidEnd: 26,
  noNegReply: 27,
  noValidStep: 28,
  sockErrWait: 29,
  sockErrEnd: 30,
  IDclash: 31,
  notSynch: 32,
  notFloodDisc: 33,
  sockErrSynRq: 34,
  noListener: 35,
  noSynchReply: 36,
  noValidSynch: 37,
  invalidLoc: 38,
  /** A message would exceed the size limit; nothing was sent. RFC 8990 §2.5.3, §2.8.3 */
  tooBig: 40,
  /** The worker that held the call or the session has ended. */
  engineLost: 41,
  /** The engine or the ASA was closed while the call waited. */
  closed: 42,
  /** A limit of this engine is reached. */
  overload: 43,
} as const;

export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** The text of each code; 0–38 as in RFC 8991 Appendix A. */
export const ERROR_TEXT: Readonly<Record<ErrorCode, string>> = {
  0: 'OK',
  1: 'Declined',
  2: 'No reply',
  3: 'Unspecified error',
  4: 'ASA registry full',
  5: 'Duplicate ASA name',
  6: 'ASA not registered',
  7: 'ASA registered but not by you',
  8: 'Objective cannot support both negotiation and synchronization',
  9: 'Dry-run allowed only with negotiation',
  10: 'Overlap not supported by this implementation',
  11: 'Objective registry full',
  12: 'Objective already registered',
  13: 'Objective not registered by this ASA',
  14: 'Objective not found',
  15: 'Objective not negotiable',
  16: 'No security',
  17: 'No reply to discovery',
  18: 'Socket error sending negotiation request',
  19: 'No session',
  20: 'No socket',
  21: 'Loop count exhausted',
  22: 'Socket error sending negotiation step',
  23: 'No negotiation peer',
  24: 'CBOR decode failure',
  25: 'Invalid Negotiate message',
  26: 'Invalid end message',
  27: 'No reply to negotiation step',
  28: 'No valid reply to negotiation step',
  29: 'Socket error sending wait message',
  30: 'Socket error sending end message',
  31: 'Incoming request Session ID clash',
  32: 'Not a synchronization objective',
  33: 'Not flooded and no reply to discovery',
  34: 'Socket error sending synch request',
  35: 'No synch listener',
  36: 'No reply to synchronization request',
  37: 'No valid reply to synchronization request',
  38: 'Invalid locator',
  40: 'Message too big',
  41: 'Engine worker lost',
  42: 'Closed',
  43: 'Overload',
};

const NAMES = new Map<number, string>(Object.entries(ErrorCode).map(([name, code]) => [code, name]));

/** The RFC's name of a code, such as `noSecurity`; `error<code>` for a number without one. */
export function errorName(code: number): string {
  return NAMES.get(code) ?? `error${code}`;
}

/** A {@link GraspError} as plain data, safe for structured clone and JSON. */
export interface PlainGraspError {
  readonly graspError: true;
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly stack: string | undefined;
  /** The cause as text, or as another plain GRASP error. */
  readonly cause: PlainGraspError | string | undefined;
}

const BRAND: unique symbol = Symbol.for('anima-grasp.GraspError') as never;

function isCode(code: unknown): code is ErrorCode {
  return typeof code === 'number' && NAMES.has(code);
}

/** How many causes of causes are kept when an error becomes plain data. */
const MAX_CAUSES = 8;

function plainCause(cause: unknown, depth: number): PlainGraspError | string | undefined {
  if (cause === undefined) return undefined;
  if (GraspError.is(cause) && depth < MAX_CAUSES) return plain(cause, depth + 1);
  try {
    return types.isNativeError(cause)
      ? String(cause)
      : typeof cause === 'string'
        ? cause
        : inspect(cause, { depth: 1 });
  } catch {
    return 'unprintable cause';
  }
}

function plain(error: GraspError, depth: number): PlainGraspError {
  return {
    graspError: true,
    code: error.code,
    detail: error.detail,
    stack: error.stack,
    cause: plainCause(error.cause, depth),
  };
}

/**
 * What every call of the API rejects with or throws. `code` is the RFC 8991 number, `name` its name, `message` its
 * text and, where there is more to say, `: detail`.
 */
export class GraspError extends Error {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  override readonly name: string;

  constructor(code: ErrorCode, detail?: string, options?: { cause?: unknown }) {
    super(detail ? `${ERROR_TEXT[code]}: ${detail}` : ERROR_TEXT[code], options);
    this.code = code;
    this.detail = detail;
    this.name = errorName(code);
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Data that survives structured clone and JSON; see {@link GraspError.fromPlain}. */
  toPlain(): PlainGraspError {
    return plain(this, 0);
  }

  /** Rebuilds an error that crossed a thread or a socket. Anything else becomes code 3 with it as the cause. */
  static fromPlain(p: unknown): GraspError {
    return rebuild(p, 0);
  }

  /** True for any GraspError, also one made by another copy of this package or in another realm. */
  static is(e: unknown): e is GraspError {
    return typeof e === 'object' && e !== null && BRAND in e;
  }
}

function rebuild(p: unknown, depth: number): GraspError {
  if (GraspError.is(p)) return p;
  if (typeof p !== 'object' || p === null || !('graspError' in p) || !('code' in p) || !isCode(p.code)) {
    return new GraspError(ErrorCode.unspec, p instanceof Error ? p.message : undefined, { cause: p });
  }
  const detail = 'detail' in p && typeof p.detail === 'string' ? p.detail : undefined;
  const error = new GraspError(p.code, detail, rebuildCause('cause' in p ? p.cause : undefined, depth));
  if ('stack' in p && typeof p.stack === 'string') error.stack = p.stack;
  return error;
}

function rebuildCause(cause: unknown, depth: number): { cause: unknown } | undefined {
  if (cause === undefined || cause === null || depth >= MAX_CAUSES) return undefined;
  return { cause: typeof cause === 'object' ? rebuild(cause, depth + 1) : cause };
}
