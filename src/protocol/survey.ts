/** Looks through a value before it is encoded: what cannot be encoded is refused with its place in it. */
import { ErrorCode, GraspError } from './errors.js';
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
 * Whether cbor-x encodes `value` exactly; false: the exact encoder has to. Throws GraspError 3 for what has no
 * encoding, 40 for more than `maxItems`.
 */
export function surveyValue(
  value: unknown,
  limits: { readonly maxDepth: number; readonly maxItems: number },
): boolean {
  return look(value, {
    maxDepth: limits.maxDepth,
    maxItems: limits.maxItems,
    items: 0,
    ancestors: [],
    path: [],
  });
}

function refuse(s: Survey, what: string): never {
  const place = s.path.map((step) => (typeof step === 'number' ? `[${step}]` : step)).join('');
  throw new GraspError(ErrorCode.unspec, `value${place}: ${what} cannot be encoded`);
}

function look(value: unknown, s: Survey): boolean {
  if (++s.items > s.maxItems)
    throw new GraspError(ErrorCode.tooBig, `the value has more than ${s.maxItems} items`);
  switch (typeof value) {
    case 'string':
      if (utf8Length(value) < 0) refuse(s, 'a string with a lone surrogate');
      return true;
    case 'number':
      return (
        Number.isInteger(value) && value >= -0x1_0000_0000 && value <= 0xffff_ffff && !Object.is(value, -0)
      );
    case 'boolean':
    case 'undefined':
      return true;
    case 'bigint':
      return false;
    case 'function':
    case 'symbol':
      return refuse(s, `a ${typeof value}`);
    default:
      return value === null || lookAtObject(value as object, s);
  }
}

function lookAtObject(value: object, s: Survey): boolean {
  if (isByteArray(value)) return value.constructor === Uint8Array;
  if (value instanceof RawCbor || value instanceof EncodedValue || value instanceof Simple) return false;
  if (s.ancestors.includes(value)) refuse(s, 'a cycle');
  if (s.ancestors.length >= s.maxDepth) refuse(s, `nesting deeper than ${s.maxDepth}`);
  s.ancestors.push(value);
  let plain = true;
  if (Array.isArray(value)) {
    plain = value.constructor === Array;
    for (let i = 0; i < value.length; i++) plain = step(value[i], i, s) && plain;
  } else if (isMap(value)) {
    plain = value.constructor === Map;
    for (const [key, item] of value) {
      plain = step(key, ' (key of a map)', s) && plain;
      plain = step(item, typeof key === 'string' || typeof key === 'number' ? `[${key}]` : '[…]', s) && plain;
    }
  } else if (value instanceof Tag) {
    step(value.value, ` (in tag ${value.tag})`, s);
    plain = false;
  } else if (isPlainObject(value)) {
    plain = value.constructor === Object;
    for (const [key, item] of Object.entries(value)) {
      if (utf8Length(key) < 0) refuse(s, 'a key with a lone surrogate');
      plain = step(item, `.${key}`, s) && plain;
    }
  } else {
    refuse(s, describe(value));
  }
  s.ancestors.pop();
  return plain;
}

function step(value: unknown, place: string | number, s: Survey): boolean {
  s.path.push(place);
  const plain = look(value, s);
  s.path.pop();
  return plain;
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
function isPlainObject(value: object): boolean {
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
