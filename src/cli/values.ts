/**
 * Objective values as the command line handles them: a VALUE argument (JSON, or CBOR in hex with `--cbor`) becomes
 * CBOR bytes; a value from a peer becomes what it means. A tag-24 value (RFC 8991 §2.3.2.4, what some peers send for
 * everything) is understood as the CBOR item it wraps and answered in the same form.
 */
import { isDeepStrictEqual } from 'node:util';
import { EncodedValue, RawCbor, decodeValue } from '../protocol/index.js';
import { usageError } from './exit.js';
import { jsonToCbor, JsonTextError } from './json-text.js';

/** How a value travels: as itself, or wrapped as `24(h'…')`. */
export type Form = 'plain' | 'tag24';

/** A value with the form it came in or is to leave in. */
export interface FormedValue {
  readonly form: Form;
  /** What it means: decoded, without the wrapping tag 24. */
  readonly value: unknown;
  /** The CBOR item it means. */
  readonly bytes: Uint8Array;
}

/** Reads a VALUE argument. Throws a usage error that says what is wrong with it. */
export function parseValue(text: string, options: { cbor?: boolean | undefined } = {}): FormedValue {
  if (options.cbor === true) return formOf(hexItem(text));
  try {
    return formOf(jsonToCbor(text));
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    throw usageError(
      `VALUE is not JSON: ${error.message}`,
      `quote it for the shell, e.g. '["NZD",300]' or '"text"'; or give CBOR in hex with --cbor`,
    );
  }
}

/** Bytes from hex digits; blanks, colons, line ends and a leading 0x do not matter. Undefined when there is more. */
export function parseHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/^\s*0x/i, '').replace(/[\s:]/g, '');
  return /^([0-9a-fA-F]{2})*$/.test(digits) ? Uint8Array.from(Buffer.from(digits, 'hex')) : undefined;
}

function hexItem(text: string): Uint8Array {
  const bytes = parseHex(text);
  if (bytes === undefined || bytes.length === 0) {
    throw usageError(
      'VALUE is not hexadecimal',
      '--cbor wants the hex digits of one CBOR item, e.g. 19012c for 300',
    );
  }
  try {
    // The constructor accepts exactly one well-formed item.
    return new RawCbor(bytes).bytes;
  } catch {
    throw usageError('VALUE is not one well-formed CBOR item', 'look at it with: grasp decode HEX');
  }
}

/** What one encoded item means, and the form it has. */
export function formOf(bytes: Uint8Array): FormedValue {
  const value = decodeValue(bytes);
  if (value instanceof RawCbor) return { form: 'tag24', value: decodeValue(value.bytes), bytes: value.bytes };
  return { form: 'plain', value, bytes };
}

/** The same for a decoded value, as sessions and results hand it over. */
export function unwrap(value: unknown): { form: Form; value: unknown } {
  return value instanceof RawCbor
    ? { form: 'tag24', value: decodeValue(value.bytes) }
    : { form: 'plain', value };
}

/** `bytes` as a value for the API, in the given form. */
export function inForm(bytes: Uint8Array, form: Form): RawCbor | EncodedValue {
  return form === 'tag24' ? new RawCbor(bytes) : new EncodedValue(bytes);
}

/** Equal in meaning: same numbers however encoded, maps in any order. */
export function sameValue(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(withoutNumberTypes(a), withoutNumberTypes(b));
}

/** Small bigints become numbers, large whole numbers bigints, −0 becomes 0, so that equal numbers compare equal however they were encoded. */
function withoutNumberTypes(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (value === 0) return 0;
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value))
    return BigInt(value);
  if (Array.isArray(value)) return value.map((item) => withoutNumberTypes(item));
  if (value instanceof Map) {
    return new Map([...value].map(([k, v]) => [withoutNumberTypes(k), withoutNumberTypes(v)]));
  }
  return value;
}
