/**
 * The exact half of the value codec: every CBOR item there is, bit for bit where JavaScript can hold it. Both
 * functions expect input that has been checked (survey, scanner), and so may recurse: depth is bounded.
 */
import { readUtf8, utf8Length, writeUtf8 } from './utf8.js';
import { isByteArray, isMap } from './survey.js';
import { DEF_VALUE_LIMITS, EncodedValue, RawCbor, Simple, Tag } from './value-types.js';
import { refuseUnlessOneItem } from './scanner.js';

const TWO_64 = 1n << 64n;
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/* Encoding. */

let target = new Uint8Array(1024);
let view = new DataView(target.buffer);
let position = 0;
/** A longer scratch buffer is not kept. */
const KEEP = 0x1_0000;

/** Preferred serialization of a value that `surveyValue` has let pass. */
export function encodeExact(value: unknown): Uint8Array {
  position = 0;
  write(value);
  const bytes = target.slice(0, position);
  if (target.length > KEEP) use(new Uint8Array(1024));
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

function write(value: unknown): void {
  switch (typeof value) {
    case 'string':
      writeText(value);
      break;
    case 'number':
      writeNumber(value);
      break;
    case 'bigint':
      writeBigint(value);
      break;
    case 'boolean':
      writeHead(7, value ? 21 : 20);
      break;
    case 'undefined':
      writeHead(7, 23);
      break;
    default:
      if (value === null) writeHead(7, 22);
      else writeObject(value as object);
  }
}

function writeObject(value: object): void {
  if (isByteArray(value)) writeBytes(value);
  else if (value instanceof EncodedValue) writeRaw(value.bytes);
  else if (value instanceof RawCbor) {
    writeHead(6, 24);
    writeBytes(value.bytes);
  } else if (value instanceof Simple) {
    reserve(2);
    if (value.value >= 32) target[position++] = 0xf8;
    target[position++] = value.value < 32 ? 0xe0 | value.value : value.value;
  } else if (value instanceof Tag) {
    if (typeof value.tag === 'bigint') writeHead64(6, value.tag);
    else writeHead(6, value.tag);
    write(value.value);
  } else if (Array.isArray(value)) {
    writeHead(4, value.length);
    for (let i = 0; i < value.length; i++) write(value[i]);
  } else if (isMap(value)) {
    writeHead(5, value.size);
    for (const [key, item] of value) {
      write(key);
      write(item);
    }
  } else {
    const entries = Object.entries(value);
    writeHead(5, entries.length);
    for (const [key, item] of entries) {
      writeText(key);
      write(item);
    }
  }
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
    view.setUint16(position, value);
    position += 2;
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
  target.set(bytes, position);
  position += bytes.length;
}

function writeBytes(bytes: Uint8Array): void {
  writeHead(2, bytes.length);
  writeRaw(bytes);
}

function writeText(text: string): void {
  const length = utf8Length(text);
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
  const half = toHalf(value);
  if (half !== undefined) {
    target[position] = 0xf9;
    view.setUint16(position + 1, half);
    position += 3;
  } else if (Math.fround(value) === value) {
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

function writeBigint(value: bigint): void {
  const negative = value < 0n;
  const magnitude = negative ? -1n - value : value;
  if (magnitude <= MAX_SAFE) writeHead(negative ? 1 : 0, Number(magnitude));
  else if (magnitude < TWO_64) writeHead64(negative ? 1 : 0, magnitude);
  else {
    // Tags 2 and 3 (RFC 8949 §3.4.3); through hexadecimal, because that is linear in the size.
    const hex = magnitude.toString(16);
    writeHead(6, negative ? 3 : 2);
    writeBytes(Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex'));
  }
}

/* Decoding. */

let input: Uint8Array = target;
let inputView: DataView = view;
let cursor = 0;

/** The value of exactly one well-formed item within the scanner's limits. */
export function decodeExact(bytes: Uint8Array): unknown {
  input = bytes;
  inputView = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  cursor = 0;
  const value = read();
  input = target;
  inputView = view;
  // Only an outermost tag 24 is the RFC 8991 form; what does not hold one item is left to the ASA.
  if (value instanceof Tag && value.tag === 24 && value.value instanceof Uint8Array) {
    return refuseUnlessOneItem(value.value, DEF_VALUE_LIMITS) ? value : new RawCbor(value.value);
  }
  return value;
}

function read(): unknown {
  const head = input[cursor++]!;
  const major = head >> 5;
  const info = head & 31;
  if (major === 7) return readSimpleOrFloat(info);
  if (info === 31) return readIndefinite(major);
  const argument = readArgument(info);
  switch (major) {
    case 0:
      return toInteger(argument);
    case 1:
      return typeof argument === 'number' && argument < Number.MAX_SAFE_INTEGER
        ? -1 - argument
        : -1n - BigInt(argument);
    case 2:
      return takeBytes(Number(argument));
    case 3:
      return takeText(Number(argument));
    case 4: {
      const array: unknown[] = [];
      for (let i = 0; i < Number(argument); i++) array.push(read());
      return array;
    }
    case 5: {
      const map = new Map<unknown, unknown>();
      for (let i = 0; i < Number(argument); i++) map.set(read(), read());
      return map;
    }
    default:
      return toTagged(argument, read());
  }
}

function readArgument(info: number): number | bigint {
  if (info < 24) return info;
  const start = cursor;
  cursor += 1 << (info - 24);
  switch (info) {
    case 24:
      return input[start]!;
    case 25:
      return inputView.getUint16(start);
    case 26:
      return inputView.getUint32(start);
    default:
      return toInteger(inputView.getBigUint64(start));
  }
}

/** A number where it is exact, else a bigint. */
function toInteger(value: number | bigint): number | bigint {
  return typeof value === 'bigint' && value <= MAX_SAFE && value >= -MAX_SAFE ? Number(value) : value;
}

function readSimpleOrFloat(info: number): unknown {
  const start = cursor;
  switch (info) {
    case 20:
      return false;
    case 21:
      return true;
    case 22:
      return null;
    case 23:
      return undefined;
    case 24:
      cursor += 1;
      return new Simple(input[start]!);
    case 25:
      cursor += 2;
      return fromHalf(inputView.getUint16(start));
    case 26:
      cursor += 4;
      return inputView.getFloat32(start);
    case 27:
      cursor += 8;
      return inputView.getFloat64(start);
    default:
      return new Simple(info);
  }
}

/** IEEE 754 binary16 → number. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (fraction + 1024) * 2 ** (exponent - 25));
}

function takeBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(input.subarray(cursor, cursor + length));
  cursor += length;
  return bytes;
}

function takeText(length: number): string {
  cursor += length;
  return readUtf8(input, cursor - length, cursor);
}

function readIndefinite(major: number): unknown {
  if (major === 2) return readChunks();
  if (major === 3) {
    let text = '';
    while (input[cursor] !== 0xff) text += read() as string;
    cursor++;
    return text;
  }
  if (major === 4) {
    const array: unknown[] = [];
    while (input[cursor] !== 0xff) array.push(read());
    cursor++;
    return array;
  }
  const map = new Map<unknown, unknown>();
  while (input[cursor] !== 0xff) map.set(read(), read());
  cursor++;
  return map;
}

function readChunks(): Uint8Array {
  const chunks: Uint8Array[] = [];
  let total = 0;
  while (input[cursor] !== 0xff) {
    const chunk = read() as Uint8Array;
    chunks.push(chunk);
    total += chunk.length;
  }
  cursor++;
  const bytes = new Uint8Array(total);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** Bignums become integers; through hexadecimal, which is linear where repeated shifting is quadratic. */
function toTagged(tag: number | bigint, value: unknown): unknown {
  if ((tag !== 2 && tag !== 3) || !(value instanceof Uint8Array)) return new Tag(tag, value);
  const hex = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
  const magnitude = BigInt(hex === '' ? 0 : `0x${hex}`);
  return toInteger(tag === 2 ? magnitude : -1n - magnitude);
}
