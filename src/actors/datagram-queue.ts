/**
 * Datagrams that wait, in memory of a fixed size. A datagram each as an object would survive the collections of a
 * storm, be promoted, and grow the heap by what it is a storm of; here nothing is made for a datagram that waits.
 */
import type { DatagramSource } from './core-protocol.js';

export class DatagramQueue {
  /** Datagrams that may wait. */
  readonly limit: number;
  /** The waiting datagrams' bytes, as a ring. */
  readonly #bytes: Uint8Array;
  readonly #lengths: Uint32Array;
  readonly #sources: (DatagramSource | undefined)[];
  /** Slot of the datagram that came first. */
  #first = 0;
  #length = 0;
  /** Where its bytes begin. */
  #begin = 0;
  #used = 0;

  /** At most `limit` datagrams and `limitBytes` bytes; both are taken from the system now, not in the storm. */
  constructor(limit: number, limitBytes: number) {
    this.limit = limit;
    // Written to, because a page never written to is not there yet.
    this.#bytes = new Uint8Array(limitBytes).fill(0);
    this.#lengths = new Uint32Array(limit).fill(0);
    this.#sources = new Array<DatagramSource | undefined>(limit).fill(undefined);
  }

  get length(): number {
    return this.#length;
  }

  /** Copies the datagram; false if there is no room for it. */
  push(bytes: Uint8Array, source: DatagramSource): boolean {
    const capacity = this.#bytes.length;
    if (this.#length === this.limit || this.#used + bytes.length > capacity) return false;
    // An empty queue begins anew: what is used again and again stays small.
    if (this.#length === 0) this.#begin = 0;
    const at = (this.#begin + this.#used) % (capacity || 1);
    const split = capacity - at;
    if (bytes.length <= split) {
      this.#bytes.set(bytes, at);
    } else {
      this.#bytes.set(bytes.subarray(0, split), at);
      this.#bytes.set(bytes.subarray(split), 0);
    }
    const slot = (this.#first + this.#length) % this.limit;
    this.#lengths[slot] = bytes.length;
    this.#sources[slot] = source;
    this.#length++;
    this.#used += bytes.length;
    return true;
  }

  /** Bytes of the `count` datagrams that came first. */
  bytesOf(count: number): number {
    if (count === this.#length) return this.#used;
    let bytes = 0;
    for (let i = 0; i < count; i++) bytes += this.#lengths[(this.#first + i) % this.limit]!;
    return bytes;
  }

  /** Where the first datagram came from; there must be one. */
  get source(): DatagramSource {
    return this.#sources[this.#first]!;
  }

  /** Moves the first datagram to `target` from `at` on; returns where it ends there. There must be one. */
  moveTo(target: Uint8Array, at: number): number {
    const length = this.#lengths[this.#first]!;
    const end = this.#begin + length;
    const split = this.#bytes.length - this.#begin;
    if (length <= split) {
      target.set(this.#bytes.subarray(this.#begin, end), at);
    } else {
      target.set(this.#bytes.subarray(this.#begin), at);
      target.set(this.#bytes.subarray(0, length - split), at + split);
    }
    this.#sources[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.limit;
    this.#length--;
    this.#begin = end % (this.#bytes.length || 1);
    this.#used -= length;
    return at + length;
  }
}
