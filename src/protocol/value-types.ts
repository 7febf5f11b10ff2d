/** Classes for CBOR values that JavaScript has no own form for. */
import { DEF_MAX_DEPTH } from './constants.js';
import { ErrorCode, GraspError } from './errors.js';
import { refuseUnlessOneItem, type ScanLimits } from './scanner.js';

/** What a value may be at most, wherever a user hands one in: far beyond any message, but not boundless. */
export const DEF_VALUE_LIMITS: ScanLimits = {
  /** 16 MiB */
  maxBytes: 0x100_0000,
  maxDepth: DEF_MAX_DEPTH,
  maxItems: 0x10_0000,
};

function oneItem(bytes: Uint8Array, what: string): Uint8Array {
  if (!ArrayBuffer.isView(bytes)) throw new GraspError(ErrorCode.unspec, `${what} takes a Uint8Array`);
  const own = Uint8Array.from(bytes);
  const refused = refuseUnlessOneItem(own, DEF_VALUE_LIMITS);
  if (refused) throw new GraspError(ErrorCode.unspec, `${what} takes exactly one CBOR item (${refused})`);
  return own;
}

/**
 * A value given as an encoded CBOR item (RFC 8991 §2.3.2.4): on the wire it is tag 24 around these bytes, and a
 * received tag-24 value comes back as one. Throws GraspError 3 unless `bytes` is exactly one well-formed item.
 */
export class RawCbor {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = oneItem(bytes, 'RawCbor');
  }
}

/**
 * A value that is sent as exactly these bytes, without tag 24: for an ASA that hands a received value back byte for
 * byte. Throws GraspError 3 unless `bytes` is exactly one well-formed item.
 */
export class EncodedValue {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = oneItem(bytes, 'EncodedValue');
  }
}

/** A tagged value (RFC 8949 §3.4) whose tag has no form of its own here. */
export class Tag {
  /** A bigint beyond 2^53−1. */
  readonly tag: number | bigint;
  readonly value: unknown;

  /** Throws GraspError 3 unless `tag` is an integer 0..2^64−1. */
  constructor(tag: number | bigint, value: unknown) {
    const valid =
      typeof tag === 'bigint' ? tag >= 0n && tag < 1n << 64n : Number.isSafeInteger(tag) && tag >= 0;
    if (!valid) throw new GraspError(ErrorCode.unspec, 'a tag is an integer from 0 to 2^64−1');
    this.tag = typeof tag === 'bigint' && tag <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(tag) : tag;
    this.value = value;
  }
}

/** An unassigned simple value (RFC 8949 §3.3). */
export class Simple {
  readonly value: number;

  /** Throws GraspError 3 unless `value` is 0..19 or 32..255: 20–23 are false, true, null and undefined. */
  constructor(value: number) {
    if (!Number.isInteger(value) || value < 0 || value > 255 || (value > 19 && value < 32)) {
      throw new GraspError(ErrorCode.unspec, 'a simple value is 0..19 or 32..255');
    }
    this.value = value;
  }
}
