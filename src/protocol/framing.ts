/**
 * Messages on a stream: consecutive CBOR items without length prefix (wire format §3), however the stream is cut.
 * The end of a message is found in its bytes alone, never from a segment boundary or a pause.
 */
import { copyOf } from './bytes.js';
import type { RefusalReason } from './reasons.js';
import { DEF_SCAN_LIMITS, ItemScanner, type ScanLimits } from './scanner.js';

export interface FramerOptions {
  /** Bytes of the longest item; default GRASP_DEF_MAX_SIZE, 2048. */
  readonly maxBytes?: number | undefined;
  /** Further limits of the scanner. */
  readonly limits?: Partial<ScanLimits> | undefined;
  /**
   * Items are views of the chunk they came in, if they came in one: for who takes them before the chunk's memory is used
   * again. Default false: items are copies.
   */
  readonly views?: boolean | undefined;
}

export type FramerResult =
  | { readonly kind: 'item'; readonly bytes: Uint8Array }
  | { readonly kind: 'more' }
  | { readonly kind: 'malformed'; readonly reason: RefusalReason };

const MORE: FramerResult = { kind: 'more' };
const NOTHING = new Uint8Array(0);

/** A scanner that stands inside no item: at rest a framer needs none, and there are as many framers as connections. */
let spare: ItemScanner | undefined;

/**
 * Cuts a stream into CBOR items. `push` each chunk as it arrives, then call `next` until it says `more`. Items are
 * copies and belong to the caller (see `views`); chunks are not kept. After a malformed item nothing further is read: a CBOR
 * stream cannot be resynchronised, the connection is to be closed.
 */
export class MessageFramer {
  readonly #limits: ScanLimits;
  readonly #views: boolean;
  /** While an item is incomplete: it knows where it stopped. */
  #scanner: ItemScanner | undefined;
  /** The first complete item not yet taken, and those behind it. */
  #item: Uint8Array | undefined;
  #others: Uint8Array[] | undefined;
  #taken = 0;
  /** The beginning of an incomplete item. */
  #pending = NOTHING;
  #pendingBytes = 0;
  #malformed: FramerResult | undefined;

  constructor(options: FramerOptions = {}) {
    this.#views = options.views ?? false;
    const { limits, maxBytes = limits?.maxBytes ?? DEF_SCAN_LIMITS.maxBytes } = options;
    this.#limits = limits ? { ...DEF_SCAN_LIMITS, ...limits, maxBytes } : limitsOf(maxBytes);
  }

  /** Bytes of an incomplete item; more than 0 at the end of the stream means that it was cut off. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Takes the next bytes of the stream. They are scanned at once. */
  push(chunk: Uint8Array): void {
    let offset = 0;
    while (offset < chunk.length && !this.#malformed) {
      offset = this.#pendingBytes > 0 ? this.#continue(chunk, offset) : this.#begin(chunk, offset);
    }
  }

  /** The next item, once. */
  next(): FramerResult {
    const bytes = this.#item;
    if (bytes === undefined) return this.#malformed ?? MORE;
    this.#item = this.#others?.[this.#taken++];
    if (this.#taken === this.#others?.length) {
      this.#others = undefined;
      this.#taken = 0;
    }
    return { kind: 'item', bytes };
  }

  /** The bytes of an incomplete item, for another framer to go on with. */
  takePending(): Uint8Array {
    const pending = this.#pending.slice(0, this.#pendingBytes);
    this.#pendingBytes = 0;
    this.#scanner = undefined;
    return pending;
  }

  /** An item that begins in this chunk. */
  #begin(chunk: Uint8Array, offset: number): number {
    const scanner = spare ?? new ItemScanner();
    spare = undefined;
    scanner.reset(this.#limits);
    const length = scanner.scan(chunk, offset, chunk.length);
    if (length !== 0) spare = scanner;
    if (length < 0) return this.#fail(chunk.length, scanner.reason);
    if (length > 0) {
      const end = offset + length;
      this.#complete(this.#views ? view(chunk, offset, end) : copyOf(chunk, offset, end));
      return end;
    }
    this.#scanner = scanner;
    const left = chunk.length - offset;
    this.#reserve(left);
    this.#pending.set(offset === 0 ? chunk : chunk.subarray(offset), 0);
    this.#pendingBytes = left;
    return chunk.length;
  }

  /** The item that began in an earlier chunk; the scanner goes on where it stopped. */
  #continue(chunk: Uint8Array, offset: number): number {
    const before = this.#pendingBytes;
    const take = Math.min(chunk.length - offset, this.#limits.maxBytes - before);
    this.#reserve(before + take);
    this.#pending.set(chunk.subarray(offset, offset + take), before);
    const scanner = this.#scanner!;
    const length = scanner.scan(this.#pending, 0, before + take);
    if (length === 0) {
      this.#pendingBytes = before + take;
      return offset + take;
    }
    this.#scanner = undefined;
    spare = scanner;
    if (length < 0) return this.#fail(chunk.length, scanner.reason);
    // What is pending is overwritten by what follows in this chunk.
    this.#complete(copyOf(this.#pending, 0, length));
    this.#pendingBytes = 0;
    return offset + length - before;
  }

  #complete(item: Uint8Array): void {
    if (!this.#item) this.#item = item;
    else if (this.#others) this.#others.push(item);
    else this.#others = [item];
  }

  #fail(end: number, reason: RefusalReason): number {
    this.#malformed = { kind: 'malformed', reason };
    this.#pending = NOTHING;
    this.#pendingBytes = 0;
    return end;
  }

  /** Doubles, so that a dribbled item is not copied for every byte; never beyond the largest item. */
  #reserve(bytes: number): void {
    if (bytes <= this.#pending.length) return;
    const grown = new Uint8Array(
      Math.min(Math.max(bytes, 2 * this.#pending.length, 64), this.#limits.maxBytes),
    );
    grown.set(this.#pending.subarray(0, this.#pendingBytes));
    this.#pending = grown;
  }
}

/** Those of the last framer: nearly all have the same. */
let lastLimits = DEF_SCAN_LIMITS;

function limitsOf(maxBytes: number): ScanLimits {
  if (lastLimits.maxBytes !== maxBytes) {
    // Whoever wants longer messages wants what they hold, and no item is shorter than a byte.
    lastLimits = { ...DEF_SCAN_LIMITS, maxBytes, maxItems: Math.max(DEF_SCAN_LIMITS.maxItems, maxBytes) };
  }
  return lastLimits;
}

/** Most chunks are one item. */
function view(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
}
