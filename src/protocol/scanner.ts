/**
 * The guard in front of everything: finds the end of one CBOR item (RFC 8949) and says complete, need more, or
 * refused. One pass without recursion and without trust in claimed lengths; no bytes are interpreted. It can be
 * stopped at any byte and continued with more, so that a stream costs O(n) however it is cut.
 *
 * Checked: reserved encodings, breaks, string chunks, simple values, UTF-8 of every text string (C-15), and the
 * limits below. Not checked, because objective values are opaque: duplicate keys, the content of tags, and
 * whether integers and lengths are in their shortest form (C-22).
 */
import { DEF_MAX_DEPTH, DEF_MAX_ITEMS, GRASP_DEF_MAX_SIZE } from './constants.js';
import type { RefusalReason } from './reasons.js';
import { isUtf8 } from './utf8.js';

export interface ScanLimits {
  /** Bytes of the whole item; default GRASP_DEF_MAX_SIZE, 2048. Reason `limit.bytes`. */
  readonly maxBytes: number;
  /** Nesting of arrays, maps, tags and indefinite strings; default 64. Reason `limit.depth`. */
  readonly maxDepth: number;
  /** Data items, each key, element and chunk counted; default 16,384. Reason `limit.items`. */
  readonly maxItems: number;
}

export const DEF_SCAN_LIMITS: ScanLimits = {
  maxBytes: GRASP_DEF_MAX_SIZE,
  maxDepth: DEF_MAX_DEPTH,
  maxItems: DEF_MAX_ITEMS,
};

/** What a container still waits for: a count of items, or one of these. */
const INDEFINITE_ARRAY = -1;
const INDEFINITE_MAP_KEY = -2;
const INDEFINITE_MAP_VALUE = -3;
const INDEFINITE_BYTES = -4;
const INDEFINITE_TEXT = -5;

/** The resumable form. One instance scans one item after another; {@link scan} returns a number to stay cheap. */
export class ItemScanner {
  /** Why the last {@link scan} was negative. */
  reason: RefusalReason = 'cbor.empty';
  #limits: ScanLimits;
  #stack: number[] = [];
  #depth = 0;
  #items = 0;
  #consumed = 0;

  constructor(limits: ScanLimits = DEF_SCAN_LIMITS) {
    this.#limits = limits;
  }

  /** Forgets the item under way. */
  reset(limits: ScanLimits = this.#limits): void {
    this.#limits = limits;
    this.#depth = 0;
    this.#items = 0;
    this.#consumed = 0;
  }

  /**
   * Scans the item that begins at `bytes[offset]`; `end` is where the bytes at hand end. Returns the item's length,
   * 0 if it is not complete yet (call again with the same beginning and more bytes), −1 if it is refused.
   */
  scan(bytes: Uint8Array, offset: number, end: number): number {
    const { maxBytes, maxDepth, maxItems } = this.#limits;
    const stack = this.#stack;
    const stop = Math.min(end, offset + maxBytes);
    let depth = this.#depth;
    let p = offset + this.#consumed;
    for (;;) {
      if (p >= stop) return this.#pause(p - offset, depth, stop === offset + maxBytes);
      const head = bytes[p]!;
      const major = head >> 5;
      const info = head & 31;
      const top = depth > 0 ? stack[depth - 1]! : 0;

      if (head === 0xff) {
        if (depth === 0 || top >= 0 || top === INDEFINITE_MAP_VALUE) return this.#refuse('cbor.break');
        p++;
        depth--;
      } else {
        if (top <= INDEFINITE_BYTES && (info === 31 || major !== (top === INDEFINITE_BYTES ? 2 : 3))) {
          return this.#refuse('cbor.chunk');
        }
        let next = p + 1;
        let argument = info;
        if (info >= 24) {
          if (info >= 28 && (info !== 31 || major < 2 || major > 5)) return this.#refuse('cbor.reserved');
          if (info !== 31) {
            next += 1 << (info - 24);
            if (next > stop) return this.#pause(p - offset, depth, stop === offset + maxBytes);
            argument =
              info === 24
                ? bytes[p + 1]!
                : info === 25
                  ? (bytes[p + 1]! << 8) | bytes[p + 2]!
                  : info === 26
                    ? readUint32(bytes, p + 1)
                    : readUint32(bytes, p + 1) * 0x1_0000_0000 + readUint32(bytes, p + 5);
          }
        }

        // From here on the head is complete; if its string is not, it will be read again from its first byte.
        let push = 0;
        switch (major) {
          case 2:
          case 3:
            if (info === 31) {
              push = major === 2 ? INDEFINITE_BYTES : INDEFINITE_TEXT;
              break;
            }
            if (argument > offset + maxBytes - next) return this.#refuse('limit.bytes');
            if (next + argument > stop) return this.#pause(p - offset, depth, false);
            if (major === 3 && !isUtf8(bytes, next, next + argument)) return this.#refuse('cbor.utf8');
            next += argument;
            break;
          case 4:
          case 5:
            if (info === 31) {
              push = major === 4 ? INDEFINITE_ARRAY : INDEFINITE_MAP_KEY;
              break;
            }
            push = major === 4 ? argument : argument * 2;
            // Each element takes at least one byte: a claim beyond the limits is refused before it is believed.
            if (push > offset + maxBytes - next) return this.#refuse('limit.bytes');
            if (push > maxItems - this.#items) return this.#refuse('limit.items');
            if (push === 0 && depth >= maxDepth) return this.#refuse('limit.depth');
            break;
          case 6:
            push = 1;
            break;
          case 7:
            if (info === 24 && argument < 32) return this.#refuse('cbor.simple');
            break;
          default:
        }
        if (++this.#items > maxItems) return this.#refuse('limit.items');
        p = next;
        if (push !== 0) {
          if (depth >= maxDepth) return this.#refuse('limit.depth');
          stack[depth++] = push;
          continue;
        }
      }

      // An item is complete; so are the containers for which it was the last.
      while (depth > 0) {
        const waiting = stack[depth - 1]!;
        if (waiting > 1) {
          stack[depth - 1] = waiting - 1;
          break;
        }
        if (waiting < 0) {
          if (waiting === INDEFINITE_MAP_KEY) stack[depth - 1] = INDEFINITE_MAP_VALUE;
          else if (waiting === INDEFINITE_MAP_VALUE) stack[depth - 1] = INDEFINITE_MAP_KEY;
          break;
        }
        depth--;
      }
      if (depth === 0) {
        this.reset();
        return p - offset;
      }
    }
  }

  #pause(consumed: number, depth: number, full: boolean): number {
    if (full) return this.#refuse('limit.bytes');
    this.#consumed = consumed;
    this.#depth = depth;
    return 0;
  }

  #refuse(reason: RefusalReason): number {
    this.reset();
    this.reason = reason;
    return -1;
  }
}

function readUint32(bytes: Uint8Array, p: number): number {
  return ((bytes[p]! << 24) | (bytes[p + 1]! << 16) | (bytes[p + 2]! << 8) | bytes[p + 3]!) >>> 0;
}

export type ScanResult =
  | { readonly kind: 'item'; /** Where the item ends in `bytes`. */ readonly end: number }
  | { readonly kind: 'more' }
  | { readonly kind: 'malformed'; readonly reason: RefusalReason };

const shared = new ItemScanner();

/**
 * Scans the one item at `bytes[offset]` up to the end of `bytes`; what follows it is not looked at. `more`: the
 * bytes end inside the item (or there are none).
 */
export function scanItem(
  bytes: Uint8Array,
  offset = 0,
  limits: Partial<ScanLimits> = DEF_SCAN_LIMITS,
): ScanResult {
  shared.reset(limits === DEF_SCAN_LIMITS ? DEF_SCAN_LIMITS : { ...DEF_SCAN_LIMITS, ...limits });
  const length = shared.scan(bytes, offset, bytes.length);
  if (length > 0) return { kind: 'item', end: offset + length };
  return length === 0 ? { kind: 'more' } : { kind: 'malformed', reason: shared.reason };
}

/**
 * Whether all of `bytes` is exactly one item; the reason if not. The cheap form for callers that hold a whole
 * datagram or stream item.
 */
export function refuseUnlessOneItem(bytes: Uint8Array, limits: ScanLimits): RefusalReason | undefined {
  if (bytes.length === 0) return 'cbor.empty';
  shared.reset(limits);
  const length = shared.scan(bytes, 0, bytes.length);
  if (length === bytes.length) return undefined;
  return length > 0 ? 'cbor.trailing-bytes' : length === 0 ? 'cbor.truncated' : shared.reason;
}
