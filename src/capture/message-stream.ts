/**
 * The bytes of one direction into messages. Where bytes are missing or are none, CBOR has no marks to go on by; but a
 * message is handed over in one write, so that it begins with a segment: each segment is tried until one does.
 */
import { MessageFramer, scanItem, type RefusalReason } from '../protocol/index.js';

export type Piece =
  | { readonly kind: 'item'; readonly bytes: Uint8Array }
  /** `bytes`: the beginning of what is not well-formed, up to {@link SHOWN_BYTES}. */
  | { readonly kind: 'malformed'; readonly reason: RefusalReason; readonly bytes: Uint8Array }
  /** So many bytes belong to no message. */
  | { readonly kind: 'passed-over'; readonly count: number };

/** The longest message that is looked at. */
const MAX_BYTES = 1024 * 1024;
/** How much of malformed bytes is kept to be shown. */
export const SHOWN_BYTES = 256;

const NOTHING = new Uint8Array(0);

export class MessageStream {
  readonly #isMessage: (bytes: Uint8Array) => boolean;
  #framer = new MessageFramer({ maxBytes: MAX_BYTES });
  /** The first bytes of the item under way. */
  #head = NOTHING;
  #aligned: boolean;
  #passedOver = 0;

  /**
   * `aligned`: whether the next bytes are the first of a message. `isMessage` decides whether an item that is found in
   * the dark is one.
   */
  constructor(aligned: boolean, isMessage: (bytes: Uint8Array) => boolean) {
    this.#aligned = aligned;
    this.#isMessage = isMessage;
  }

  /** Bytes of a message that has more. */
  get pendingBytes(): number {
    return this.#framer.pendingBytes;
  }

  /** Takes the bytes of one segment. */
  push(segment: Uint8Array): Piece[] {
    if (!this.#aligned && this.#framer.pendingBytes === 0 && !this.#begins(segment)) {
      this.#passedOver += segment.length;
      return [];
    }
    const before = this.#framer.pendingBytes;
    this.#framer.push(segment);
    const pieces: Piece[] = [];
    let taken = 0;
    for (;;) {
      const next = this.#framer.next();
      if (next.kind === 'item') {
        taken += next.bytes.length;
        if (!this.#aligned) {
          if (!this.#isMessage(next.bytes)) return this.#lose(before + segment.length);
          this.#aligned = true;
          pieces.push(...this.#passed());
        }
        pieces.push({ kind: 'item', bytes: next.bytes });
        continue;
      }
      const rest =
        taken > 0
          ? segment.subarray(taken - before, taken - before + SHOWN_BYTES)
          : Buffer.concat([this.#head, segment]).subarray(0, SHOWN_BYTES);
      if (next.kind === 'more') {
        this.#head = Uint8Array.from(rest);
        return pieces;
      }
      if (!this.#aligned) return this.#lose(before + segment.length);
      pieces.push({ kind: 'malformed', reason: next.reason, bytes: Uint8Array.from(rest) });
      this.#restart();
      return pieces;
    }
  }

  /** Bytes are missing: the message under way is lost; returns how much of it there was. */
  gap(): number {
    const lost = this.#framer.pendingBytes;
    this.#restart();
    return lost;
  }

  /** What was passed over and not said yet. */
  end(): Piece[] {
    return this.#passed();
  }

  /** In the dark: could this segment be the beginning of a message, or of a whole number of them? */
  #begins(segment: Uint8Array): boolean {
    if (!mayBegin(segment)) return false;
    return scanItem(segment, 0, { maxBytes: MAX_BYTES }).kind !== 'malformed';
  }

  #lose(bytes: number): Piece[] {
    this.#passedOver += bytes;
    this.#restart();
    return [];
  }

  #restart(): void {
    this.#framer = new MessageFramer({ maxBytes: MAX_BYTES });
    this.#head = NOTHING;
    this.#aligned = false;
  }

  #passed(): Piece[] {
    const count = this.#passedOver;
    this.#passedOver = 0;
    return count > 0 ? [{ kind: 'passed-over', count }] : [];
  }
}

/** Whether bytes can be the beginning of a message: an array whose first element is an unsigned integer. */
export function mayBegin(bytes: Uint8Array): boolean {
  const head = bytes[0] ?? 0;
  return head >= 0x81 && head <= 0x9f && (bytes[1] ?? 0) >> 5 === 0;
}
