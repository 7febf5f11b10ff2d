/**
 * Session IDs (RFC 8990 §2.7): 32 bits from a strong random source, never equal to one in use or used recently,
 * drawn again on a clash. Handed out in blocks, so that each block can be announced before it is used.
 */
import { RECENT_SESSION_ID_MS } from './constants.js';
import { ErrorCode, GraspError } from './errors.js';

export interface SessionIdOptions {
  /** How many retired IDs are remembered as recent at most; the oldest blocks go first. Default 65,536. */
  readonly recentLimit?: number | undefined;
}

export const DEF_RECENT_SESSION_IDS = 65_536;
export const DEF_SESSION_ID_BLOCK = 1024;

/** Random fills that yield nothing new before the source is taken for broken. */
const MAX_FRUITLESS_FILLS = 64;

interface RecentBlock {
  readonly ids: Uint32Array;
  readonly until: number;
}

/** The one drawer of session IDs of an engine. */
export class SessionIdSource {
  readonly #random: (target: Uint8Array) => void;
  readonly #recentLimit: number;
  readonly #live = new Set<number>();
  readonly #recent = new Set<number>();
  #recentBlocks: RecentBlock[] = [];

  constructor(random: (target: Uint8Array) => void, options: SessionIdOptions = {}) {
    this.#random = random;
    this.#recentLimit = options.recentLimit ?? DEF_RECENT_SESSION_IDS;
  }

  /** IDs remembered as recent. */
  get recentSize(): number {
    return this.#recent.size;
  }

  /**
   * Draws `size` different IDs, none of which is live or recent, and makes them live. All values 0..2^32−1 may
   * occur. Throws GraspError 3 if the random source keeps repeating itself.
   */
  drawBlock(size: number = DEF_SESSION_ID_BLOCK): Uint32Array {
    const block = new Uint32Array(size);
    let count = 0;
    for (let fruitless = 0; count < size;) {
      const drawn = new Uint32Array(size - count);
      this.#random(new Uint8Array(drawn.buffer));
      const before = count;
      for (const id of drawn) {
        if (this.#live.has(id) || this.#recent.has(id)) continue;
        this.#live.add(id);
        block[count++] = id;
      }
      fruitless = count > before ? 0 : fruitless + 1;
      if (fruitless === MAX_FRUITLESS_FILLS) {
        for (const id of block.subarray(0, count)) this.#live.delete(id);
        throw new GraspError(ErrorCode.unspec, 'the random source yields no new session IDs');
      }
    }
    return block;
  }

  /** Ends a block: its IDs are remembered as recent for at least 120 s, within the limit. `now` in ms. */
  retire(block: Uint32Array, now: number): void {
    for (const id of block) this.#live.delete(id);
    this.#recentBlocks.push({ ids: block.slice(), until: now + RECENT_SESSION_ID_MS });
    for (const id of block) this.#recent.add(id);
    let gone = 0;
    for (const oldest of this.#recentBlocks) {
      if (oldest.until > now && this.#recent.size <= this.#recentLimit) break;
      for (const id of oldest.ids) this.#recent.delete(id);
      gone++;
    }
    if (gone > 0) this.#recentBlocks = this.#recentBlocks.slice(gone);
  }

  /** Makes IDs live that are known to be in use elsewhere, as after a restart of the owner of this source. */
  reserve(ids: Uint32Array): void {
    for (const id of ids) this.#live.add(id);
  }

  /** Whether the ID belongs to a live block of this engine. */
  isOwn(id: number): boolean {
    return this.#live.has(id);
  }
}
