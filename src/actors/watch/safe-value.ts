import { diagnostic } from '../../protocol/index.js';
import type { SafeValue } from '../inspection-items.js';

/** What a value made safe holds at most, so that nothing a peer sends makes a large item. */
export const SAFE_LIMITS = {
  /** Levels of arrays and objects; below stands `…`. */
  depth: 6,
  /** Members of one array or object; the last one says that there are more. */
  members: 48,
  /** Values altogether. */
  values: 400,
  /** Characters of a text. */
  text: 512,
  /** Bytes shown of a byte string that is not one CBOR item, or of a longer one. */
  bytes: 64,
  /** Bytes up to which a byte string is read as CBOR: longer ones are cut off anyway. */
  diagnosedBytes: 2_048,
} as const;

const MORE = '…';

/**
 * What a machine's context or event holds, as JSON that is bounded in size: no functions, no ports, big integers and
 * bytes as text. Never throws, whatever it is given.
 *
 * @example
 * safeValue({ port, sessionId: 7, value: Uint8Array.of(0x18, 0x64), n: 2n ** 70n });
 * // { sessionId: 7, value: '100', n: '1180591620717411303424n' }
 */
export function safeValue(value: unknown): SafeValue {
  return new Safe().of(value, 0) ?? null;
}

/** Bytes as text: CBOR diagnostic notation if they are exactly one item, else `h'…'`. */
export function safeBytes(bytes: Uint8Array): string {
  if (bytes.length <= SAFE_LIMITS.diagnosedBytes) {
    try {
      return safeText(diagnostic(bytes));
    } catch {
      // Not one item: shown as it is.
    }
  }
  const shown = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, SAFE_LIMITS.bytes));
  const more = bytes.length > SAFE_LIMITS.bytes ? `${MORE} (${bytes.length} bytes)` : '';
  return `h'${shown.toString('hex')}'${more}`;
}

export function safeText(text: string): string {
  if (text.length <= SAFE_LIMITS.text) return text;
  const cut = text.slice(0, SAFE_LIMITS.text);
  // Not between the halves of a character: what is left must still be text everywhere.
  return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}${MORE}`;
}

class Safe {
  #left: number = SAFE_LIMITS.values;

  /** Undefined: not shown at all. */
  of(value: unknown, depth: number): SafeValue | undefined {
    if (this.#left-- <= 0) return MORE;
    switch (typeof value) {
      case 'string':
        return safeText(value);
      case 'number':
        return Number.isFinite(value) && !Object.is(value, -0)
          ? value
          : Object.is(value, -0)
            ? '-0'
            : String(value);
      case 'boolean':
        return value;
      case 'bigint':
        return safeText(`${value}n`);
      case 'object':
        try {
          return value === null ? null : this.#object(value, depth);
        } catch {
          // A property that throws when it is read.
          return MORE;
        }
      default:
        return undefined;
    }
  }

  #object(value: object, depth: number): SafeValue | undefined {
    // By shape, never by class: what came over a port belongs to another realm in some test environments.
    if (ArrayBuffer.isView(value)) {
      return safeBytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    }
    if (depth >= SAFE_LIMITS.depth) return MORE;
    if (Array.isArray(value)) return this.#list(value, depth);
    if (Object.getPrototypeOf(value) === Object.prototype) return this.#record(value, depth);
    switch (Object.prototype.toString.call(value)) {
      case '[object Map]':
        return this.#list([...(value as Map<unknown, unknown>)].slice(0, SAFE_LIMITS.members + 1), depth);
      case '[object Set]':
        return this.#list([...(value as Set<unknown>)].slice(0, SAFE_LIMITS.members + 1), depth);
      case '[object Error]':
        return safeText(`${(value as Error).name}: ${(value as Error).message}`);
    }
    return isPlain(value) ? this.#record(value, depth) : undefined;
  }

  #list(list: readonly unknown[], depth: number): SafeValue {
    const out = list.slice(0, SAFE_LIMITS.members).map((each) => this.of(each, depth + 1) ?? null);
    if (list.length > SAFE_LIMITS.members) out.push(MORE);
    return out;
  }

  #record(record: object, depth: number): SafeValue {
    const out: Record<string, SafeValue> = {};
    let members = 0;
    for (const key of Object.keys(record)) {
      if (members >= SAFE_LIMITS.members) {
        out[MORE] = MORE;
        break;
      }
      // The world an actor acts through: of no use to a reader, and endless.
      if (key === 'port') continue;
      const safe = this.of((record as Record<string, unknown>)[key], depth + 1);
      if (safe === undefined) continue;
      members++;
      if (key === '__proto__') own(out, key, safe);
      else out[safeText(key)] = safe;
    }
    return out;
  }
}

/** A property whatever its name: set in the usual way, `__proto__` is none. */
function own(record: object, key: string, value: SafeValue): void {
  Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Made by `{}` in whichever realm; owners, actors and streams are not. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
