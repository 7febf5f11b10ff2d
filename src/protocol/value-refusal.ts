/** Why a value cannot be encoded: looked for, with its place in the value, once encoding it has failed. */
import { ErrorCode, GraspError } from './errors.js';
import type { RefusalReason } from './reasons.js';
import type { ScanLimits } from './scanner.js';
import { utf8Length } from './utf8.js';
import { EncodedValue, RawCbor, Simple, Tag } from './value-types.js';

interface Survey {
  readonly maxDepth: number;
  readonly maxItems: number;
  items: number;
  /** Containers around the value looked at, and the key of each step: for cycles, depth and the place. */
  readonly ancestors: object[];
  /** Indices, and other steps as they are to be shown. */
  readonly path: (string | number)[];
}

/**
 * The error for a value that could not be encoded: 3 for what has no encoding and where it is, 40 for more than `maxItems`.
 *
 * @param cause what the value itself threw, from a getter or as a proxy.
 */
export function explainRefusal(value: unknown, limits: ScanLimits, cause: unknown): GraspError {
  if (cause === undefined) {
    const { maxDepth, maxItems } = limits;
    try {
      look(value, { maxDepth, maxItems, items: 0, ancestors: [], path: [] });
    } catch (error) {
      if (GraspError.is(error)) return error;
      cause = error;
    }
  }
  // It threw, or is another one each time it is looked at.
  return new GraspError(ErrorCode.unspec, 'the value cannot be read', { cause });
}

/** The error for a value that is encoded, and beyond a limit. */
export function beyond(reason: RefusalReason): GraspError {
  const code = reason === 'limit.depth' ? ErrorCode.unspec : ErrorCode.tooBig;
  return new GraspError(code, `the value is beyond a limit (${reason})`);
}

function refuse(s: Survey, what: string): never {
  const place = s.path.map((step) => (typeof step === 'number' ? `[${step}]` : step)).join('');
  throw new GraspError(ErrorCode.unspec, `value${place}: ${what} cannot be encoded`);
}

function look(value: unknown, s: Survey): void {
  if (++s.items > s.maxItems)
    throw new GraspError(ErrorCode.tooBig, `the value has more than ${s.maxItems} items`);
  switch (typeof value) {
    case 'string':
      if (utf8Length(value) < 0) refuse(s, 'a string with a lone surrogate');
      break;
    case 'function':
    case 'symbol':
      refuse(s, `a ${typeof value}`);
      break;
    case 'object':
      if (value !== null) lookAtObject(value, s);
      break;
    default:
  }
}

function lookAtObject(value: object, s: Survey): void {
  if (isByteArray(value) || value instanceof RawCbor || value instanceof EncodedValue) return;
  if (value instanceof Simple) return;
  if (s.ancestors.includes(value)) refuse(s, 'a cycle');
  if (s.ancestors.length >= s.maxDepth) refuse(s, `nesting deeper than ${s.maxDepth}`);
  s.ancestors.push(value);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) step(value[i], i, s);
  } else if (isMap(value)) {
    for (const [key, item] of value) {
      step(key, ' (key of a map)', s);
      step(item, typeof key === 'string' || typeof key === 'number' ? `[${key}]` : '[…]', s);
    }
  } else if (value instanceof Tag) {
    step(value.value, ` (in tag ${value.tag})`, s);
  } else if (isPlainObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      if (utf8Length(key) < 0) refuse(s, 'a key with a lone surrogate');
      step(item, `.${key}`, s);
    }
  } else {
    refuse(s, describe(value));
  }
  s.ancestors.pop();
}

function step(value: unknown, place: string | number, s: Survey): void {
  s.path.push(place);
  look(value, s);
  s.path.pop();
}

/** By what it is and not by its constructor: values may come from another realm or be a Buffer. */
export function isByteArray(value: object): value is Uint8Array {
  return ArrayBuffer.isView(value) && (value as Partial<Uint8Array>)[Symbol.toStringTag] === 'Uint8Array';
}

export function isMap(value: object): value is Map<unknown, unknown> {
  return (
    Object.prototype.toString.call(value) === '[object Map]' &&
    typeof (value as Map<unknown, unknown>).entries === 'function'
  );
}

/** An object literal of any realm, or one without prototype. */
export function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null) return true;
  return (
    Object.getPrototypeOf(prototype) === null && Object.prototype.toString.call(value) === '[object Object]'
  );
}

function describe(value: object): string {
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (kind === 'Date') return 'a Date (use a number, a string or Tag 0 or 1)';
  if (kind === 'Set') return 'a Set (use an array)';
  const name: unknown = value.constructor?.name;
  return `an object of class ${typeof name === 'string' && name !== '' ? name : kind}`;
}
