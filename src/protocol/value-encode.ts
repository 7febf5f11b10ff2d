/**
 * Objective values for users of the API, JavaScript → one encoded CBOR item: preferred serialization (RFC 8949 §4.2.1), exact
 * for everything that is taken. One pass writes and checks; what it refuses `value-refusal.ts` looks through again to say why and
 * where. Depth is limited on the way, so it may recurse.
 */
import { copyOf, put } from './bytes.js';
import { MAX_VALUE_DEPTH } from './constants.js';
import { refuseUnlessOneItem, type ScanLimits } from './scanner.js';
import { utf8Length, writeUtf8 } from './utf8.js';
import { beyond, explainRefusal, isByteArray, isMap, isPlainObject } from './value-refusal.js';
import { DEF_VALUE_LIMITS, EncodedValue, RawCbor, Simple, Tag } from './value-types.js';

const TWO_64 = 1n << 64n;
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const DEF_ENCODE_LIMITS: ScanLimits = { ...DEF_VALUE_LIMITS, maxDepth: MAX_VALUE_DEPTH };

/** Bytes of the scratch buffer at first, and of the longest that is kept. */
const FIRST_BYTES = 1024;
const KEPT_BYTES = 0x1_0000;

let target = new Uint8Array(FIRST_BYTES);
let view = new DataView(target.buffer);
/** Where the next byte goes. Not 0 at the beginning of a value whose encoding a getter of another one has asked for. */
let position = 0;

/** One value under way. */
interface Pass {
  readonly maxDepth: number;
  readonly maxItems: number;
  depth: number;
  items: number;
  /** Something in it came encoded, or has more levels on the wire than in JavaScript: the result is looked through again. */
  scan: boolean;
}

/** Ends a pass. */
const REFUSED = new Error('refused');

/**
 * Encodes a value as one CBOR item in a buffer of its own, preferred serialization.
 *
 * Taken: null, undefined, booleans, numbers (integers up to ±(2^53−1) as integers, −0 and all others as the shortest
 * exact float), bigints of any size, strings, Uint8Array (bytes), arrays, Map, plain objects (text keys), RawCbor,
 * EncodedValue, Tag, Simple. Refused with GraspError 3 and the place in the detail: functions, symbols, strings with
 * a lone surrogate, cycles, Date, Set, other buffers and class instances, and nesting beyond `limits.maxDepth`
 * (default 60, what fits into a message); with 40 more than `limits.maxItems` or `maxBytes`.
 */
export function encodeValue(value: unknown, limits?: Partial<ScanLimits>): Uint8Array {
  const all = limits ? { ...DEF_ENCODE_LIMITS, ...limits } : DEF_ENCODE_LIMITS;
  const { maxDepth, maxItems } = all;
  const pass: Pass = { maxDepth, maxItems, depth: 0, items: 0, scan: false };
  const start = position;
  let bytes: Uint8Array;
  try {
    write(value, pass);
    bytes = copyOf(target, start, position);
  } catch (cause) {
    throw explainRefusal(value, all, cause === REFUSED ? undefined : cause);
  } finally {
    position = start;
    if (target.length > KEPT_BYTES && start === 0) use(new Uint8Array(FIRST_BYTES));
  }
  if (bytes.length > all.maxBytes) throw beyond('limit.bytes');
  const refused = pass.scan ? refuseUnlessOneItem(bytes, all) : undefined;
  if (refused) throw beyond(refused);
  return bytes;
}

function use(buffer: Uint8Array<ArrayBuffer>): void {
  target = buffer;
  view = new DataView(buffer.buffer);
}

function reserve(bytes: number): void {
  if (position + bytes <= target.length) return;
  const grown = new Uint8Array(Math.max(2 * target.length, position + bytes));
  grown.set(target.subarray(0, position));
  use(grown);
}

function write(value: unknown, pass: Pass): void {
  if (++pass.items > pass.maxItems) throw REFUSED;
  switch (typeof value) {
    case 'string':
      writeText(value);
      break;
    case 'number':
      writeNumber(value);
      break;
    case 'bigint':
      writeBigint(value, pass);
      break;
    case 'boolean':
      writeHead(7, value ? 21 : 20);
      break;
    case 'undefined':
      writeHead(7, 23);
      break;
    case 'object':
      if (value === null) writeHead(7, 22);
      else writeObject(value, pass);
      break;
    default:
      throw REFUSED;
  }
}

function writeObject(value: object, pass: Pass): void {
  if (Array.isArray(value)) writeArray(value, pass);
  else if (isByteArray(value)) writeBytes(value);
  else if (value instanceof EncodedValue) {
    pass.scan = true;
    writeRaw(value.bytes);
  } else if (value instanceof RawCbor) {
    pass.scan = true;
    writeHead(6, 24);
    writeBytes(value.bytes);
  } else if (value instanceof Simple) {
    reserve(2);
    if (value.value >= 32) target[position++] = 0xf8;
    target[position++] = value.value < 32 ? 0xe0 | value.value : value.value;
  } else if (value instanceof Tag) {
    enter(pass);
    if (typeof value.tag === 'bigint') writeHead64(6, value.tag);
    else writeHead(6, value.tag);
    write(value.value, pass);
    pass.depth--;
  } else if (isMap(value)) writeMap(value, pass);
  else if (isPlainObject(value)) writeFields(value as Readonly<Record<string, unknown>>, pass);
  else throw REFUSED;
}

/** One level deeper. What is in a cycle gets too deep. */
function enter(pass: Pass): void {
  if (pass.depth >= pass.maxDepth) throw REFUSED;
  pass.depth++;
}

function writeArray(value: readonly unknown[], pass: Pass): void {
  enter(pass);
  // As many as the head says, whatever a getter does to it meanwhile.
  const { length } = value;
  writeHead(4, length);
  for (let i = 0; i < length; i++) write(value[i], pass);
  pass.depth--;
}

function writeMap(value: ReadonlyMap<unknown, unknown>, pass: Pass): void {
  enter(pass);
  const { size } = value;
  writeHead(5, size);
  let written = 0;
  for (const [key, item] of value) {
    if (++written > size) throw REFUSED;
    write(key, pass);
    write(item, pass);
  }
  if (written < size) throw REFUSED;
  pass.depth--;
}

function writeFields(value: Readonly<Record<string, unknown>>, pass: Pass): void {
  enter(pass);
  const keys = Object.keys(value);
  writeHead(5, keys.length);
  for (const key of keys) {
    writeText(key);
    write(value[key], pass);
  }
  pass.depth--;
}

/** A head with an argument up to 2^53−1. */
function writeHead(major: number, value: number): void {
  reserve(9);
  const type = major << 5;
  if (value < 24) target[position++] = type | value;
  else if (value < 0x100) {
    target[position++] = type | 24;
    target[position++] = value;
  } else if (value < 0x1_0000) {
    target[position++] = type | 25;
    target[position++] = value >> 8;
    target[position++] = value;
  } else if (value < 0x1_0000_0000) {
    target[position++] = type | 26;
    view.setUint32(position, value);
    position += 4;
  } else writeHead64(major, BigInt(value));
}

function writeHead64(major: number, value: bigint): void {
  reserve(9);
  target[position++] = (major << 5) | 27;
  view.setBigUint64(position, value);
  position += 8;
}

function writeRaw(bytes: Uint8Array): void {
  reserve(bytes.length);
  position = put(target, position, bytes);
}

function writeBytes(bytes: Uint8Array): void {
  writeHead(2, bytes.length);
  writeRaw(bytes);
}

function writeText(text: string): void {
  const length = utf8Length(text);
  if (length < 0) throw REFUSED;
  writeHead(3, length);
  reserve(length);
  position = writeUtf8(target, position, text, length);
}

/** Integers up to ±(2^53−1) are integers; −0 and everything else is the shortest float that holds it. */
function writeNumber(value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    if (value >= 0) writeHead(0, value);
    else writeHead(1, -1 - value);
    return;
  }
  reserve(9);
  // What single precision does not hold half precision holds even less.
  const isSingle = Object.is(Math.fround(value), value);
  const half = isSingle ? toHalf(value) : undefined;
  if (half !== undefined) {
    target[position] = 0xf9;
    view.setUint16(position + 1, half);
    position += 3;
  } else if (isSingle) {
    target[position] = 0xfa;
    view.setFloat32(position + 1, value);
    position += 5;
  } else {
    target[position] = 0xfb;
    view.setFloat64(position + 1, value);
    position += 9;
  }
}

/** The bits of a half-precision float that is exactly `value`, if there is one. */
function toHalf(value: number): number | undefined {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude === Infinity) return sign | 0x7c00;
  if (magnitude === 0) return sign;
  if (magnitude > 65504) return undefined;
  // The exponent of the unit in the last place; below 2^-14 numbers are subnormal.
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  const units = magnitude / 2 ** (exponent - 10);
  if (!Number.isInteger(units)) return undefined;
  return units < 1024 ? sign | units : sign | ((exponent + 15) << 10) | (units - 1024);
}

function writeBigint(value: bigint, pass: Pass): void {
  const negative = value < 0n;
  const magnitude = negative ? -1n - value : value;
  if (magnitude <= MAX_SAFE) writeHead(negative ? 1 : 0, Number(magnitude));
  else if (magnitude < TWO_64) writeHead64(negative ? 1 : 0, magnitude);
  else {
    // Tags 2 and 3 (RFC 8949 §3.4.3); through hexadecimal, because that is linear in the size.
    const hex = magnitude.toString(16);
    pass.scan = true;
    writeHead(6, negative ? 3 : 2);
    writeBytes(Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex'));
  }
}
