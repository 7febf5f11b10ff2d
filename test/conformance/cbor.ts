/**
 * CBOR (RFC 8949) of the suite itself: nothing here is shared with an engine under test. Encodes preferred,
 * definite-length items; decodes every well-formed item and says how long it is.
 *
 * Numbers: integers are `number` while safe, else `bigint`; a `Float` stays one so that 1.0 and 1 differ.
 */

/** A tagged item. */
export class Tagged {
  constructor(
    readonly tag: number,
    readonly value: unknown,
  ) {}
}

/** A floating-point number; only ever encoded as one (64 bits), and told apart from integers. */
export class Float {
  constructor(readonly value: number) {}
}

/** A simple value other than false, true, null, undefined. */
export class SimpleValue {
  constructor(readonly value: number) {}
}

/** Bytes put into the output as they are: broken items, odd encodings. */
export class Verbatim {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array | string) {
    this.bytes = typeof bytes === 'string' ? Buffer.from(bytes.replace(/\s+/g, ''), 'hex') : bytes;
  }
}

export function encode(value: unknown): Buffer {
  const out: Uint8Array[] = [];
  write(value, out);
  return Buffer.concat(out);
}

function write(value: unknown, out: Uint8Array[]): void {
  if (value === null) out.push(Buffer.of(0xf6));
  else if (value === undefined) out.push(Buffer.of(0xf7));
  else if (typeof value === 'boolean') out.push(Buffer.of(value ? 0xf5 : 0xf4));
  else if (typeof value === 'number' || typeof value === 'bigint') writeInteger(value, out);
  else if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'utf8');
    out.push(head(3, bytes.length), bytes);
  } else if (value instanceof Uint8Array) out.push(head(2, value.length), value);
  else if (Array.isArray(value)) {
    out.push(head(4, value.length));
    for (const item of value) write(item, out);
  } else if (value instanceof Map) {
    out.push(head(5, value.size));
    for (const [key, item] of value) {
      write(key, out);
      write(item, out);
    }
  } else if (value instanceof Tagged) {
    out.push(head(6, value.tag));
    write(value.value, out);
  } else if (value instanceof Float) {
    const bytes = Buffer.alloc(9);
    bytes[0] = 0xfb;
    bytes.writeDoubleBE(value.value, 1);
    out.push(bytes);
  } else if (value instanceof SimpleValue) out.push(head(7, value.value));
  else if (value instanceof Verbatim) out.push(value.bytes);
  else throw new TypeError(`no CBOR for ${typeof value}`);
}

function writeInteger(value: number | bigint, out: Uint8Array[]): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return write(new Float(value), out);
  const integer = BigInt(value);
  out.push(integer >= 0n ? head(0, integer) : head(1, -1n - integer));
}

function head(major: number, argument: number | bigint): Buffer {
  const value = BigInt(argument);
  const first = major << 5;
  if (value < 24n) return Buffer.of(first | Number(value));
  if (value < 0x100n) return Buffer.of(first | 24, Number(value));
  if (value < 0x1_0000n) return Buffer.of(first | 25, Number(value >> 8n), Number(value & 0xffn));
  const bytes = Buffer.alloc(value < 0x1_0000_0000n ? 5 : 9);
  bytes[0] = first | (bytes.length === 5 ? 26 : 27);
  if (bytes.length === 5) bytes.writeUInt32BE(Number(value), 1);
  else bytes.writeBigUInt64BE(value, 1);
  return bytes;
}

/** The bytes end before the item does. */
export class Incomplete extends Error {
  override readonly name = 'Incomplete';
}

/** The bytes are no CBOR. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

export interface Item {
  readonly value: unknown;
  /** Bytes it takes. */
  readonly length: number;
}

/** The item at the beginning of `bytes`. Throws {@link Incomplete} or {@link Malformed}. */
export function decodeFirst(bytes: Uint8Array): Item {
  const reader = new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const value = reader.item();
  return { value, length: reader.position };
}

/** The one item `bytes` are. Throws as {@link decodeFirst}, and for trailing bytes. */
export function decode(bytes: Uint8Array): unknown {
  const { value, length } = decodeFirst(bytes);
  if (length !== bytes.length) throw new Malformed(`${bytes.length - length} bytes after the item`);
  return value;
}

const BREAK = Symbol('break');

class Reader {
  position = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  item(): unknown {
    const value = this.#itemOrBreak();
    if (value === BREAK) throw new Malformed('break outside an indefinite-length item');
    return value;
  }

  #itemOrBreak(): unknown {
    const first = this.#take(1)[0]!;
    const major = first >> 5;
    const info = first & 31;
    if (info > 27 && info < 31) throw new Malformed(`additional information ${info}`);
    if (major === 7) return this.#simple(info);
    if (info === 31) return this.#indefinite(major);
    const argument = this.#argument(info);
    switch (major) {
      case 0:
        return narrow(argument);
      case 1:
        return narrow(-1n - argument);
      case 2:
        return Buffer.from(this.#take(size(argument)));
      case 3:
        return text(this.#take(size(argument)));
      case 4:
        return this.#items(size(argument));
      case 5:
        return pairs(this.#items(2 * size(argument)));
      default:
        return new Tagged(Number(argument), this.item());
    }
  }

  #indefinite(major: number): unknown {
    if (major === 2 || major === 3) {
      const chunks: Buffer[] = [];
      for (;;) {
        const first = this.#take(1)[0]!;
        if (first === 0xff) break;
        if (first >> 5 !== major || (first & 31) > 27) throw new Malformed('a chunk of another type');
        const chunk = this.#take(size(this.#argument(first & 31)));
        if (major === 3) text(chunk);
        chunks.push(chunk);
      }
      const whole = Buffer.concat(chunks);
      return major === 2 ? whole : text(whole);
    }
    if (major !== 4 && major !== 5) throw new Malformed('indefinite length of an integer or tag');
    const items: unknown[] = [];
    for (let value = this.#itemOrBreak(); value !== BREAK; value = this.#itemOrBreak()) items.push(value);
    if (major === 4) return items;
    if (items.length % 2) throw new Malformed('a map with a key and no value');
    return pairs(items);
  }

  #simple(info: number): unknown {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 23:
        return undefined;
      case 24: {
        const value = this.#take(1)[0]!;
        if (value < 32) throw new Malformed(`simple value ${value} in two bytes`);
        return new SimpleValue(value);
      }
      case 25:
        return new Float(half(this.#take(2).readUInt16BE()));
      case 26:
        return new Float(this.#take(4).readFloatBE());
      case 27:
        return new Float(this.#take(8).readDoubleBE());
      case 31:
        return BREAK;
      default:
        return new SimpleValue(info);
    }
  }

  #items(count: number): unknown[] {
    const items: unknown[] = [];
    for (let i = 0; i < count; i++) items.push(this.item());
    return items;
  }

  #argument(info: number): bigint {
    if (info < 24) return BigInt(info);
    const bytes = this.#take(1 << (info - 24));
    let value = 0n;
    for (const byte of bytes) value = (value << 8n) | BigInt(byte);
    return value;
  }

  #take(count: number): Buffer {
    if (this.position + count > this.#bytes.length) throw new Incomplete();
    this.position += count;
    return this.#bytes.subarray(this.position - count, this.position);
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** A length no input of this suite can have is one the bytes do not hold. */
function size(argument: bigint): number {
  if (argument > 0x1000_0000n) throw new Incomplete();
  return Number(argument);
}

function text(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new Malformed('text that is no UTF-8', { cause: error });
  }
}

function pairs(items: readonly unknown[]): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  return map;
}

function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Diagnostic notation (RFC 8949 §8), for reports. */
export function show(value: unknown): string {
  if (value instanceof Uint8Array) return `h'${Buffer.from(value).toString('hex')}'`;
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  if (value instanceof Map) {
    return `{${[...value].map(([key, item]) => `${show(key)}: ${show(item)}`).join(', ')}}`;
  }
  if (value instanceof Tagged) return `${value.tag}(${show(value.value)})`;
  if (value instanceof Float)
    return Number.isInteger(value.value) ? value.value.toFixed(1) : `${value.value}`;
  if (value instanceof SimpleValue) return `simple(${value.value})`;
  if (value instanceof Verbatim) return `raw ${Buffer.from(value.bytes).toString('hex')}`;
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** A message for a report: decoded if it can be, and its bytes. */
export function showBytes(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  const shown = hex.length > 400 ? `${hex.slice(0, 400)}… (${bytes.length} bytes)` : hex;
  try {
    return `${show(decode(bytes)).slice(0, 400)} = ${shown}`;
  } catch (error) {
    return `${(error as Error).name}: ${shown}`;
  }
}

/** Whether two items are the same. */
export function same(a: unknown, b: unknown): boolean {
  return encode(a).equals(encode(b));
}
