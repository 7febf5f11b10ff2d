/**
 * JSON text into CBOR bytes. JSON.parse would lose the digits of large integers and the difference between `1` and
 * `1.0`; CBOR keeps both, so VALUE arguments are read here.
 *
 * - an integer (no point, no exponent) becomes a CBOR integer with all its digits,
 * - any other number becomes a float in its shortest exact form (RFC 8949 §4.2),
 * - an object whose only key is one of {@link NOTATIONS} stands for what JSON cannot say:
 *   `{"$bytes":"00ff"}`, `{"$tag":[32,"urn:x"]}`, `{"$map":[[1,"one"],[2,"two"]]}`, `{"$cbor":VALUE}` (tag 24),
 *   `{"$float":"NaN"}`, `{"$simple":19}`, `{"$undefined":true}`.
 *
 * The same notation is what values from the network are shown in (`json-line.ts`).
 */
import { MAX_VALUE_DEPTH } from '../protocol/index.js';

/** Keys that make an object a notation; keys beginning with `$` are kept for these. */
export const NOTATIONS = ['$bytes', '$tag', '$map', '$cbor', '$float', '$simple', '$undefined'] as const;

/** A number that was written as a decimal or with an exponent. */
class JsonFloat {
  constructor(readonly value: number) {}
}

type Json = null | boolean | string | bigint | JsonFloat | readonly Json[] | Map<string, Json>;

/** Why a text is no JSON value, with the place. */
export class JsonTextError extends Error {
  override readonly name = 'JsonTextError';
}

/** Encodes the JSON value in `text` as one CBOR item. Throws {@link JsonTextError}. */
export function jsonToCbor(text: string): Uint8Array {
  const reader = new Reader(text);
  const json = reader.document();
  const parts: Uint8Array[] = [];
  write(json, parts);
  return Buffer.concat(parts);
}

/** The integer or float a number option was given as, exact. Undefined when `text` is no JSON number. */
export function parseNumber(text: string): number | bigint | undefined {
  let json: Json;
  try {
    json = new Reader(text).document();
  } catch {
    return undefined;
  }
  if (json instanceof JsonFloat) return json.value;
  if (typeof json !== 'bigint') return undefined;
  return json >= BigInt(Number.MIN_SAFE_INTEGER) && json <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(json)
    : json;
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** Recursive-descent reader of RFC 8259 text; depth is bounded by {@link MAX_VALUE_DEPTH}. */
class Reader {
  #at = 0;
  constructor(readonly text: string) {}

  document(): Json {
    const json = this.#value(0);
    this.#space();
    if (this.#at < this.text.length) throw this.#error('unexpected text after the value');
    return json;
  }

  #error(what: string): JsonTextError {
    return new JsonTextError(`${what} at character ${this.#at + 1}`);
  }

  #space(): void {
    while (' \t\n\r'.includes(this.text[this.#at] ?? 'x')) this.#at++;
  }

  #take(token: string): boolean {
    if (!this.text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #value(depth: number): Json {
    if (depth > MAX_VALUE_DEPTH) throw this.#error(`nesting deeper than ${MAX_VALUE_DEPTH}`);
    this.#space();
    if (this.#take('{')) return this.#object(depth);
    if (this.#take('[')) return this.#array(depth);
    if (this.#take('"')) return this.#string();
    if (this.#take('true')) return true;
    if (this.#take('false')) return false;
    if (this.#take('null')) return null;
    return this.#number();
  }

  #array(depth: number): Json {
    const items: Json[] = [];
    this.#space();
    if (this.#take(']')) return items;
    for (;;) {
      items.push(this.#value(depth + 1));
      this.#space();
      if (this.#take(']')) return items;
      if (!this.#take(',')) throw this.#error('expected , or ]');
    }
  }

  #object(depth: number): Json {
    const entries = new Map<string, Json>();
    this.#space();
    if (this.#take('}')) return entries;
    for (;;) {
      this.#space();
      if (!this.#take('"')) throw this.#error('expected a key in double quotes');
      const key = this.#string();
      this.#space();
      if (!this.#take(':')) throw this.#error('expected :');
      // A second value for the same key has no meaning in CBOR (RFC 8949 §5.6), so it is refused, not dropped.
      if (entries.has(key)) throw this.#error(`key ${JSON.stringify(key)} given twice`);
      entries.set(key, this.#value(depth + 1));
      this.#space();
      if (this.#take('}')) return entries;
      if (!this.#take(',')) throw this.#error('expected , or }');
    }
  }

  #string(): string {
    let out = '';
    for (;;) {
      const c = this.text[this.#at];
      if (c === undefined) throw this.#error('text without closing quote');
      this.#at++;
      if (c === '"') break;
      if (c < ' ') throw this.#error('control character in a text');
      out += c === '\\' ? this.#escape() : c;
    }
    if (/\p{Surrogate}/u.test(out)) throw this.#error('half a surrogate pair in a text');
    return out;
  }

  #escape(): string {
    const c = this.text[this.#at++] ?? '';
    if (c === 'u') {
      const hex = this.text.slice(this.#at, this.#at + 4);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw this.#error('\\u needs four hex digits');
      this.#at += 4;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const plain = ESCAPES[c];
    if (plain === undefined) throw this.#error(`unknown escape \\${c}`);
    return plain;
  }

  #number(): Json {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.text);
    if (match === null) {
      throw this.#error(this.#at >= this.text.length ? 'a value is missing' : 'this is no JSON value');
    }
    this.#at = NUMBER.lastIndex;
    if (match[1] === undefined && match[2] === undefined) return BigInt(match[0]);
    return new JsonFloat(Number(match[0]));
  }
}

function write(json: Json, out: Uint8Array[]): void {
  if (json === null) out.push(Uint8Array.of(0xf6));
  else if (typeof json === 'boolean') out.push(Uint8Array.of(json ? 0xf5 : 0xf4));
  else if (typeof json === 'bigint') writeInteger(json, out);
  else if (typeof json === 'string') writeText(json, out);
  else if (json instanceof JsonFloat) out.push(floatBytes(json.value));
  else if (json instanceof Map) writeObject(json, out);
  else {
    out.push(head(4, BigInt(json.length)));
    for (const item of json) write(item, out);
  }
}

function writeText(text: string, out: Uint8Array[]): void {
  const bytes = Buffer.from(text, 'utf8');
  out.push(head(3, BigInt(bytes.length)), bytes);
}

function writeInteger(value: bigint, out: Uint8Array[]): void {
  const negative = value < 0n;
  const magnitude = negative ? -1n - value : value;
  if (magnitude < 1n << 64n) {
    out.push(head(negative ? 1 : 0, magnitude));
    return;
  }
  // Bignum, RFC 8949 §3.4.3.
  const hex = magnitude.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  out.push(Uint8Array.of(negative ? 0xc3 : 0xc2), head(2, BigInt(bytes.length)), bytes);
}

function writeObject(entries: Map<string, Json>, out: Uint8Array[]): void {
  const dollar = [...entries.keys()].find((key) => key.startsWith('$'));
  if (dollar !== undefined) {
    writeNotation(dollar, entries, out);
    return;
  }
  out.push(head(5, BigInt(entries.size)));
  for (const [key, value] of entries) {
    writeText(key, out);
    write(value, out);
  }
}

function writeNotation(key: string, entries: Map<string, Json>, out: Uint8Array[]): void {
  const bad = (form: string) => new JsonTextError(`${key} stands alone in its object and is written ${form}`);
  const json = entries.get(key) ?? null;
  const alone = entries.size === 1;
  switch (key) {
    case '$bytes': {
      const form = '{"$bytes":"HEX"}';
      if (!alone || typeof json !== 'string' || !/^([0-9a-fA-F]{2})*$/.test(json)) throw bad(form);
      const bytes = Buffer.from(json, 'hex');
      out.push(head(2, BigInt(bytes.length)), bytes);
      return;
    }
    case '$tag': {
      const form = '{"$tag":[NUMBER,VALUE]}';
      if (!alone || !Array.isArray(json) || json.length !== 2) throw bad(form);
      const [tag, value] = json as unknown as readonly [Json, Json];
      if (typeof tag !== 'bigint' || tag < 0n || tag >= 1n << 64n) throw bad(form);
      out.push(head(6, tag));
      write(value, out);
      return;
    }
    case '$map': {
      const form = '{"$map":[[KEY,VALUE],…]}';
      if (!alone || !Array.isArray(json)) throw bad(form);
      out.push(head(5, BigInt(json.length)));
      for (const pair of json as readonly Json[]) {
        if (!Array.isArray(pair) || pair.length !== 2) throw bad(form);
        for (const part of pair as readonly Json[]) write(part, out);
      }
      return;
    }
    case '$cbor': {
      if (!alone) throw bad('{"$cbor":VALUE}');
      const inner: Uint8Array[] = [];
      write(json, inner);
      const bytes = Buffer.concat(inner);
      out.push(head(6, 24n), head(2, BigInt(bytes.length)), bytes);
      return;
    }
    case '$float': {
      const form = '{"$float":"NaN"}, "Infinity" or "-Infinity"';
      if (!alone || typeof json !== 'string' || !['NaN', 'Infinity', '-Infinity'].includes(json))
        throw bad(form);
      out.push(floatBytes(Number(json)));
      return;
    }
    case '$simple': {
      const form = '{"$simple":N} with N from 0 to 19 or from 32 to 255';
      if (!alone || typeof json !== 'bigint' || json < 0n || json > 255n || (json > 19n && json < 32n)) {
        throw bad(form);
      }
      out.push(json < 20n ? Uint8Array.of(0xe0 | Number(json)) : Uint8Array.of(0xf8, Number(json)));
      return;
    }
    case '$undefined':
      if (!alone || json !== true) throw bad('{"$undefined":true}');
      out.push(Uint8Array.of(0xf7));
      return;
    default:
      throw new JsonTextError(
        `keys that begin with $ are kept for ${NOTATIONS.join(', ')}; write {"$map":[[${JSON.stringify(key)},…]]} for such a key`,
      );
  }
}

/** Initial byte and argument of a CBOR item in the shortest form (RFC 8949 §3). */
function head(major: number, argument: bigint): Uint8Array {
  const top = major << 5;
  if (argument < 24n) return Uint8Array.of(top | Number(argument));
  const out = new DataView(new ArrayBuffer(9));
  let size: number;
  if (argument < 0x100n) {
    out.setUint8(1, Number(argument));
    size = 1;
  } else if (argument < 0x10000n) {
    out.setUint16(1, Number(argument));
    size = 2;
  } else if (argument < 0x100000000n) {
    out.setUint32(1, Number(argument));
    size = 4;
  } else {
    out.setBigUint64(1, argument);
    size = 8;
  }
  out.setUint8(0, top | (24 + Math.log2(size)));
  return new Uint8Array(out.buffer, 0, 1 + size);
}

/** The shortest of the three float widths that holds `value` exactly (RFC 8949 §4.2.2). */
export function floatBytes(value: number): Uint8Array {
  if (Number.isNaN(value)) return Uint8Array.of(0xf9, 0x7e, 0x00);
  const view = new DataView(new ArrayBuffer(9));
  if (Math.fround(value) !== value) {
    view.setUint8(0, 0xfb);
    view.setFloat64(1, value);
    return new Uint8Array(view.buffer, 0, 9);
  }
  view.setUint8(0, 0xfa);
  view.setFloat32(1, value);
  const half = halfBits(view.getUint32(1));
  return half === undefined ? new Uint8Array(view.buffer, 0, 5) : Uint8Array.of(0xf9, half >> 8, half & 0xff);
}

/** The half-precision bits that mean the same as these single-precision bits, if there are any. */
function halfBits(single: number): number | undefined {
  const sign = (single >>> 16) & 0x8000;
  const exponent = ((single >>> 23) & 0xff) - 127;
  const fraction = single & 0x7fffff;
  if (exponent === -127) return fraction === 0 ? sign : undefined;
  if (exponent === 128) return sign | 0x7c00;
  if (exponent > 15 || exponent < -24) return undefined;
  if (exponent >= -14) {
    return (fraction & 0x1fff) === 0 ? sign | ((exponent + 15) << 10) | (fraction >> 13) : undefined;
  }
  // Subnormal: the hidden bit becomes explicit and the fraction moves right.
  const shift = -1 - exponent;
  const whole = fraction | 0x800000;
  return (whole & ((1 << shift) - 1)) === 0 ? sign | (whole >> shift) : undefined;
}
