/** Objective values between an ASA and the engine: RFC 8991 §2.3.2.3, api.md §2 "raw CBOR". */
import {
  decodeValue,
  EncodedValue,
  encodeValue,
  ErrorCode,
  GraspError,
  RawCbor,
} from '../../protocol/index.js';

/**
 * The value as the engine is to send it. Bytes that are exactly one CBOR item are taken for raw CBOR and go out in
 * tag 24, as in the prototype; other bytes are a byte string.
 */
export function toEngine(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value ?? null;
  try {
    return new RawCbor(value);
  } catch (error) {
    if (GraspError.is(error)) return value;
    throw error;
  }
}

/** A received value as the ASA gets it: raw CBOR as its bytes. */
export function fromEngine(value: unknown): unknown {
  return value instanceof RawCbor ? Uint8Array.from(value.bytes) : value;
}

/** The two functions of the prototype's CBOR module that its ASAs use. */
export const cbor = {
  /** One CBOR item. Throws GraspError 3 for what CBOR cannot say. */
  dumps: (value: unknown): Uint8Array => encodeValue(value),
  /** What the item says; maps are `Map`. Throws GraspError 24 for anything but the bytes of one CBOR item. */
  loads: (bytes: unknown): unknown => {
    if (bytes instanceof Uint8Array) return fromEngine(decodeValue(bytes));
    throw new GraspError(ErrorCode.CBORfail, 'not bytes');
  },
};

/** The value as one CBOR item, at once: what the caller does to it afterwards has no effect. Throws 3. */
export function encoded(value: unknown): EncodedValue {
  return new EncodedValue(encodeValue(toEngine(value)));
}
