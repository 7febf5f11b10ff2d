/**
 * CBOR values as JSON text, in the notation of `json-text.ts`: what comes from a peer can be pasted back as an
 * argument. Integers keep all their digits, whatever their size.
 */
import { RawCbor, Simple, Tag, decodeValue } from '../protocol/index.js';

/**
 * A line of JSON for an event: fields that are undefined are left out, big integers are written as digits, and a
 * field wrapped in {@link Shown} is a CBOR value.
 */
export function jsonLine(fields: Readonly<Record<string, unknown>>): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    parts.push(`${JSON.stringify(key)}:${value instanceof Shown ? value.text : plainJson(value)}`);
  }
  return `{${parts.join(',')}}`;
}

/** A decoded CBOR value on its way into a line. */
export class Shown {
  readonly text: string;
  constructor(value: unknown) {
    this.text = valueJson(value);
  }
}

/** Own fields of a line: JSON.stringify, and digits for big integers. */
function plainJson(value: unknown): string {
  if (value instanceof Shown) return value.text;
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map((item) => plainJson(item)).join(',')}]`;
  if (typeof value === 'object' && value !== null)
    return jsonLine(value as Readonly<Record<string, unknown>>);
  return JSON.stringify(value) ?? 'null';
}

/** The JSON text of a decoded CBOR value (what `decodeValue` returns). */
export function valueJson(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return '{"$undefined":true}';
  if (typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') {
    // JSON has no such numbers, and JSON.stringify would drop the sign of −0.
    if (!Number.isFinite(value)) return `{"$float":"${value}"}`;
    if (Object.is(value, -0)) return '-0.0';
    const digits = JSON.stringify(value);
    // Integers beyond 2^53 are bigints here, so this one is a float and has to look like one.
    return Number.isSafeInteger(value) || /[.e]/.test(digits) ? digits : `${digits}.0`;
  }
  if (value instanceof Uint8Array) return `{"$bytes":"${Buffer.from(value).toString('hex')}"}`;
  if (Array.isArray(value)) return `[${value.map((item) => valueJson(item)).join(',')}]`;
  if (value instanceof Map) return mapJson(value);
  if (value instanceof RawCbor) return `{"$cbor":${valueJson(decodeValue(value.bytes))}}`;
  if (value instanceof Tag) return `{"$tag":[${value.tag},${valueJson(value.value)}]}`;
  if (value instanceof Simple) return `{"$simple":${value.value}}`;
  return '{"$undefined":true}';
}

function mapJson(map: ReadonlyMap<unknown, unknown>): string {
  const entries = [...map];
  const asObject = entries.every(([key]) => typeof key === 'string' && !key.startsWith('$'));
  if (asObject) return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${valueJson(v)}`).join(',')}}`;
  return `{"$map":[${entries.map(([k, v]) => `[${valueJson(k)},${valueJson(v)}]`).join(',')}]}`;
}
