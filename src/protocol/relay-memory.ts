/**
 * What a relay has relayed (RFC 8990 §2.5.4.4, §2.5.6.2): (session ID, initiator) for at least two minutes, so that
 * no multicast goes in circles. Flat: a key is 28 bytes in a typed array and no object, because a busy relay holds
 * hundreds of thousands of them.
 *
 * Records stand in the order in which they came, in chunks. All live equally long, so the oldest are always in
 * front, and forgetting is letting go of the first chunk. They are found through chains, newest first, from a table
 * of buckets. A chain ends where it leads to a record that is no longer there; so nothing is ever unlinked.
 */
import { RELAY_MEMORY_MS } from './constants.js';

export interface RelayMemoryOptions {
  /** Keys held at most; beyond, new ones are refused, and none is forgotten early. */
  readonly maxKeys: number;
  /** ms for which a key is known, from its first coming; at most 2^29. Default 120,000. */
  readonly lifetimeMs?: number | undefined;
  /** Seeds the hash, so that nobody outside can choose keys that share a bucket. */
  readonly random: (target: Uint8Array) => void;
}

const CHUNK_BITS = 10;
const CHUNK_RECORDS = 1 << CHUNK_BITS;
/** Words of a record: session ID, four of the initiator, time and family, number of the next in its chain. */
const WORDS = 7;
const KEY_WORDS = 5;
const TIME = 5;
const NEXT = 6;
/** Bit of the time word: the initiator has 4 bytes, not 16. The other bits are ms modulo 2^31. */
const FOUR_BYTES = 0x8000_0000;
const TIME_MASK = 0x7fff_ffff;
/** ms; beyond, times modulo 2^31 would be ambiguous. */
const MAX_LIFETIME_MS = 2 ** 29;
const MIN_BUCKETS = 256;

export class RelayMemory {
  readonly #maxKeys: number;
  readonly #lifetimeMs: number;
  readonly #seed = new Uint32Array(2);
  /** A ring, long enough for `maxKeys`. */
  readonly #chunks: (Uint32Array | undefined)[];
  /** Per bucket the number of its newest record; 0: none. Numbers begin at 1 and go round at 2^32. */
  #buckets = new Uint32Array(MIN_BUCKETS);
  /** Numbers of the oldest record, and of the next to come. */
  #oldest = 1;
  #next = 1;
  #size = 0;
  /** When a key was added last. */
  #addedAt = 0;
  /** The key asked about, as words. */
  readonly #key = new Uint32Array(KEY_WORDS);

  constructor(options: RelayMemoryOptions) {
    this.#maxKeys = options.maxKeys;
    this.#lifetimeMs = Math.min(options.lifetimeMs ?? RELAY_MEMORY_MS, MAX_LIFETIME_MS);
    options.random(new Uint8Array(this.#seed.buffer));
    let ring = 2;
    while (ring < options.maxKeys / CHUNK_RECORDS + 2) ring *= 2;
    this.#chunks = new Array<Uint32Array | undefined>(ring).fill(undefined);
  }

  /** Keys held, with those whose time has passed since the last question. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of memory held. */
  get bytes(): number {
    let bytes = this.#buckets.byteLength;
    for (const chunk of this.#chunks) bytes += chunk?.byteLength ?? 0;
    return bytes;
  }

  /** Whether the key was added, less than its lifetime before `now` (ms). */
  has(sessionId: number, initiator: Uint8Array, now: number): boolean {
    this.#forget(now);
    if (this.#size === 0) return false;
    const family = this.#read(sessionId, initiator);
    return this.#find(hash(this.#key, 0, family, this.#seed), family);
  }

  /** Remembers the key from `now` (ms) on. `known`, `full`: nothing changes, its time neither. */
  add(sessionId: number, initiator: Uint8Array, now: number): 'added' | 'known' | 'full' {
    this.#forget(now);
    const family = this.#read(sessionId, initiator);
    const hashed = hash(this.#key, 0, family, this.#seed);
    if (this.#find(hashed, family)) return 'known';
    if (this.#size >= this.#maxKeys) return 'full';
    if (this.#size >= this.#buckets.length) this.#rebuild(this.#buckets.length * 2);
    else if (this.#size < this.#buckets.length >>> 3) this.#rebuild(this.#buckets.length >>> 1);

    const number = this.#next;
    const words = (this.#chunks[this.#slot(number)] ??= new Uint32Array(CHUNK_RECORDS * WORDS));
    const at = placeIn(number);
    const bucket = hashed & (this.#buckets.length - 1);
    words.set(this.#key, at);
    // Rounded up, and looked at rounded down: never too short a time.
    words[at + TIME] = (Math.ceil(now) % FOUR_BYTES) + family;
    words[at + NEXT] = this.#buckets[bucket]!;
    this.#buckets[bucket] = number;
    this.#next = following(number);
    this.#addedAt = now;
    this.#size++;
    return 'added';
  }

  #slot(number: number): number {
    return (number >>> CHUNK_BITS) & (this.#chunks.length - 1);
  }

  /** Takes in the key; returns its family bit. */
  #read(sessionId: number, initiator: Uint8Array): number {
    const key = this.#key;
    key[0] = sessionId;
    for (let word = 1, i = 0; word < KEY_WORDS; word++, i += 4) {
      // Beyond the 4 bytes of an IPv4 address: undefined, which counts as 0.
      key[word] =
        (initiator[i]! << 24) | (initiator[i + 1]! << 16) | (initiator[i + 2]! << 8) | initiator[i + 3]!;
    }
    return initiator.length === 4 ? FOUR_BYTES : 0;
  }

  #find(hashed: number, family: number): boolean {
    const key = this.#key;
    // Each record of a chain is older than the one before; whatever says otherwise is a leftover.
    let bound = (this.#next - this.#oldest) >>> 0;
    let number = this.#buckets[hashed & (this.#buckets.length - 1)]!;
    while (number !== 0) {
      const position = (number - this.#oldest) >>> 0;
      if (position >= bound) return false;
      bound = position;
      const words = this.#chunks[this.#slot(number)]!;
      const at = placeIn(number);
      if (
        words[at] === key[0] &&
        words[at + 1] === key[1] &&
        words[at + 2] === key[2] &&
        words[at + 3] === key[3] &&
        words[at + 4] === key[4] &&
        (words[at + TIME]! & FOUR_BYTES) >>> 0 === family
      ) {
        return true;
      }
      number = words[at + NEXT]!;
    }
    return false;
  }

  /** Lets go of what has lived its time. */
  #forget(now: number): void {
    if (this.#size === 0) return;
    if (now - this.#addedAt >= this.#lifetimeMs) {
      // Nothing is young enough. Also what keeps times modulo 2^31 unambiguous.
      this.#chunks.fill(undefined);
      this.#buckets = new Uint32Array(MIN_BUCKETS);
      this.#oldest = this.#next = 1;
      this.#size = 0;
      return;
    }
    const time = Math.floor(now) % FOUR_BYTES;
    while (this.#size > 0) {
      const slot = this.#slot(this.#oldest);
      const added = this.#chunks[slot]![placeIn(this.#oldest) + TIME]! & TIME_MASK;
      // The difference of two 31-bit times, with its sign.
      if (((time - added) << 1) >> 1 < this.#lifetimeMs) return;
      this.#oldest = following(this.#oldest);
      this.#size--;
      if (this.#slot(this.#oldest) !== slot) this.#chunks[slot] = undefined;
    }
  }

  /** Makes the table anew, with all chains. */
  #rebuild(length: number): void {
    if (length < MIN_BUCKETS) return;
    const buckets = new Uint32Array(length);
    for (let number = this.#oldest; number !== this.#next; number = following(number)) {
      const words = this.#chunks[this.#slot(number)]!;
      const at = placeIn(number);
      const family = (words[at + TIME]! & FOUR_BYTES) >>> 0;
      const bucket = hash(words, at, family, this.#seed) & (length - 1);
      words[at + NEXT] = buckets[bucket]!;
      buckets[bucket] = number;
    }
    this.#buckets = buckets;
  }
}

function following(number: number): number {
  return (number + 1) >>> 0 || 1;
}

function placeIn(number: number): number {
  return (number & (CHUNK_RECORDS - 1)) * WORDS;
}

/** HalfSipHash-1-3 of the key at `words[at]` and its family. */
function hash(words: Uint32Array, at: number, family: number, seed: Uint32Array): number {
  let v0 = seed[0]! | 0;
  let v1 = seed[1]! | 0;
  let v2 = 0x6c796765 ^ v0;
  let v3 = 0x74656462 ^ v1;
  // One round per word, the family being the last, and three at the end.
  for (let i = 0; i < KEY_WORDS + 4; i++) {
    const word = i < KEY_WORDS ? words[at + i]! : i === KEY_WORDS ? family : 0;
    if (i === KEY_WORDS + 1) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return v1 ^ v3;
}
