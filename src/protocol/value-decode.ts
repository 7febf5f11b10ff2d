/**
 * Objective values for users of the API, one encoded CBOR item → JavaScript: every item there is, bit for bit where JavaScript
 * can hold it. The scanner goes first; so depth is bounded, and this may recurse and believe every length.
 */
import { copyOf, join } from './bytes.js';
import { ErrorCode, GraspError } from './errors.js';
import { refuseUnlessOneItem, type ScanLimits } from './scanner.js';
import { readUtf8 } from './utf8.js';
import { DEF_VALUE_LIMITS, RawCbor, Simple, Tag } from './value-types.js';

const NOTHING = new Uint8Array(0);
let input: Uint8Array = NOTHING;
let cursor = 0;
/** Bits on their way to a float. */
const bits = new DataView(new ArrayBuffer(8));

/**
 * Decodes one encoded CBOR item into memory of its own: maps become Map (of equal keys the last counts), byte strings
 * Uint8Array, integers beyond ±(2^53−1) bigint, an outermost tag 24 RawCbor, other tags Tag, unassigned simple
 * values Simple. Throws GraspError 24 if `bytes` is not exactly one item within `limits` (default 16 MiB, 64 deep).
 */
export function decodeValue(bytes: Uint8Array, limits?: Partial<ScanLimits>): unknown {
  const all = limits ? { ...DEF_VALUE_LIMITS, ...limits } : DEF_VALUE_LIMITS;
  const refused = refuseUnlessOneItem(bytes, all);
  if (refused) throw new GraspError(ErrorCode.CBORfail, refused);
  return decodeScanned(bytes);
}

/** The same for one item that has been scanned: a value that came in a message, or one that was encoded here. */
export function decodeScanned(bytes: Uint8Array): unknown {
  input = bytes;
  cursor = 0;
  const value = read();
  input = NOTHING;
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
  const argument = info < 24 ? info : readArgument(info);
  switch (major) {
    case 0:
      return argument;
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

/** The argument behind a head; a number where it is exact, else a bigint. */
function readArgument(info: number): number | bigint {
  switch (info) {
    case 24:
      return input[cursor++]!;
    case 25:
      return readUint16();
    case 26:
      return readUint32();
    default: {
      const high = readUint32();
      const low = readUint32();
      return high < 0x20_0000 ? high * 0x1_0000_0000 + low : (BigInt(high) << 32n) | BigInt(low);
    }
  }
}

function readUint16(): number {
  cursor += 2;
  return (input[cursor - 2]! << 8) | input[cursor - 1]!;
}

function readUint32(): number {
  return readUint16() * 0x1_0000 + readUint16();
}

function readSimpleOrFloat(info: number): unknown {
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
      return new Simple(input[cursor++]!);
    case 25:
      return fromHalf(readUint16());
    case 26:
      bits.setUint32(0, readUint32());
      return bits.getFloat32(0);
    case 27:
      bits.setUint32(0, readUint32());
      bits.setUint32(4, readUint32());
      return bits.getFloat64(0);
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
  cursor += length;
  return copyOf(input, cursor - length, cursor);
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
  while (input[cursor] !== 0xff) chunks.push(read() as Uint8Array);
  cursor++;
  return join(chunks);
}

/** Bignums become integers; through hexadecimal, which is linear where repeated shifting is quadratic. */
function toTagged(tag: number | bigint, value: unknown): unknown {
  if ((tag !== 2 && tag !== 3) || !(value instanceof Uint8Array)) return new Tag(tag, value);
  const hex = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
  const magnitude = BigInt(hex === '' ? 0 : `0x${hex}`);
  const integer = tag === 2 ? magnitude : -1n - magnitude;
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}
