/**
 * Objective values for users of the API, in the caller's thread: JavaScript ↔ one encoded CBOR item. This is the
 * only file that imports cbor-x, with the one configuration that emits plain CBOR.
 *
 * cbor-x handles what nearly every value consists of. Where it is not exact (integers beyond 32 bits, bignums, −0,
 * shortest floats, tags, which it would interpret, and indefinite lengths) `value-exact.ts` takes over; both give
 * the same result wherever both apply. Hostile input never reaches either: the scanner goes first.
 */
// The package without its streams and its native string reader: a fifth of the time a thread takes to load.
import { Decoder, Encoder } from 'cbor-x/encode';
import { MAX_VALUE_DEPTH } from './constants.js';
import { ErrorCode, GraspError } from './errors.js';
import type { RefusalReason } from './reasons.js';
import { refuseUnlessOneItem, type ScanLimits } from './scanner.js';
import { surveyValue } from './survey.js';
import { decodeExact, encodeExact } from './value-exact.js';
import { DEF_VALUE_LIMITS } from './value-types.js';

/** No records, no tags of its own, shortest lengths, and maps as maps. */
const OPTIONS = {
  useRecords: false,
  mapsAsObjects: false,
  variableMapSize: true,
  tagUint8Array: false,
  copyBuffers: true,
} as const;
const DEF_ENCODE_LIMITS: ScanLimits = { ...DEF_VALUE_LIMITS, maxDepth: MAX_VALUE_DEPTH };
/** Values of up to this many bytes are decoded from memory that cbor-x has seen before. */
const SHORT_BYTES = 512;
/** cbor-x makes a DataView for each array it has not seen, and with it V8 moves a small one to memory of its own. */
const shortInput = new Uint8Array(SHORT_BYTES);
const encoder = new Encoder(OPTIONS);
const decoder = new Decoder(OPTIONS);

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
  try {
    if (surveyValue(value, all)) {
      // cbor-x answers with a view of a slab that it goes on writing to.
      const bytes = new Uint8Array(encoder.encode(value));
      return bytes.length > all.maxBytes ? beyond('limit.bytes') : bytes;
    }
    const bytes = encodeExact(value);
    // Items that came encoded count like any other.
    const refused = refuseUnlessOneItem(bytes, all);
    return refused ? beyond(refused) : bytes;
  } catch (cause) {
    if (GraspError.is(cause)) throw cause;
    // A getter or proxy of the value threw, or changed it on the way.
    throw new GraspError(ErrorCode.unspec, 'the value cannot be read', { cause });
  }
}

function beyond(reason: RefusalReason): never {
  const code = reason === 'limit.depth' ? ErrorCode.unspec : ErrorCode.tooBig;
  throw new GraspError(code, `the value is beyond a limit (${reason})`);
}

/**
 * Decodes one encoded CBOR item into memory of its own: maps become Map (of equal keys the last counts), byte strings
 * Uint8Array, integers beyond ±(2^53−1) bigint, an outermost tag 24 RawCbor, other tags Tag, unassigned simple
 * values Simple. Throws GraspError 24 if `bytes` is not exactly one item within `limits` (default 16 MiB, 64 deep).
 */
export function decodeValue(bytes: Uint8Array, limits?: Partial<ScanLimits>): unknown {
  const all = limits ? { ...DEF_VALUE_LIMITS, ...limits } : DEF_VALUE_LIMITS;
  const refused = refuseUnlessOneItem(bytes, all);
  if (refused) throw new GraspError(ErrorCode.CBORfail, refused);
  if (!isPlain(bytes)) return decodeExact(bytes);
  if (bytes.length > SHORT_BYTES) return decoder.decode(ownView(bytes)) as unknown;
  shortInput.set(bytes);
  // What is in it is copied (`copyBuffers`).
  return (decoder as { decode(source: Uint8Array, end: number): unknown }).decode(shortInput, bytes.length);
}

/** cbor-x leaves a property on its input, and makes byte strings of its class: neither is for the user. */
function ownView(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Whether a well-formed item holds nothing but what cbor-x decodes exactly: one pass over its heads. */
function isPlain(bytes: Uint8Array): boolean {
  let p = 0;
  while (p < bytes.length) {
    const head = bytes[p++]!;
    const major = head >> 5;
    const info = head & 31;
    if (major === 7) {
      if (info < 20 || info === 24) return false;
      if (info >= 25) p += 1 << (info - 24);
      continue;
    }
    // Tags; 64-bit arguments; indefinite lengths.
    if (major === 6 || info >= 27) return false;
    let argument = info;
    if (info >= 24) {
      argument = 0;
      for (let n = 1 << (info - 24); n > 0; n--) argument = argument * 256 + bytes[p++]!;
    }
    // The platform's decoder may take a byte order mark away.
    if (major === 3 && bytes[p] === 0xef && argument > 2) return false;
    if (major === 2 || major === 3) p += argument;
  }
  return true;
}
