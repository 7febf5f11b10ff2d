/**
 * One direction of a TCP connection, put in order again: what came twice is taken once, what came early waits for what
 * is before it, and what the capture lacks is said.
 */
import type { Place } from './packet.js';
import type { TcpSegment } from './transport.js';

/** What is made of a stream. `place`: of the packet by which it could be told. */
export interface StreamSink {
  /** The next bytes; each call is one segment or what is new in it. */
  data(bytes: Uint8Array, place: Place): void;
  /** Bytes that are not in the capture. */
  gap(bytes: number, place: Place): void;
}

export interface StreamCounts {
  retransmitted: number;
  outOfOrder: number;
}

/** Bytes and segments that wait for an earlier one; beyond that it is taken for lost. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
const MAX_WAITING = 4096;

interface Waiting {
  readonly sequence: number;
  readonly bytes: Uint8Array;
  readonly missing: number;
  readonly place: Place;
}

/** How far `a` is behind `b` in sequence space (RFC 9293 §3.4). */
function distance(a: number, b: number): number {
  return (a - b) | 0;
}

export class TcpStream {
  readonly #sink: StreamSink;
  readonly #counts: StreamCounts;
  /** Sequence number that comes next; undefined: nothing has been seen. */
  #next: number | undefined;
  /** What came early, by sequence number. */
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** What the other side says it has. */
  #acknowledged: number | undefined;
  /** Where the stream ends. */
  #fin: number | undefined;

  constructor(sink: StreamSink, counts: StreamCounts) {
    this.#sink = sink;
    this.#counts = counts;
  }

  /** Whether all up to the FIN has been delivered. */
  get finished(): boolean {
    return this.#fin !== undefined && this.#next !== undefined && distance(this.#next, this.#fin) >= 0;
  }

  /** Takes a segment of this direction. */
  push(segment: TcpSegment, place: Place): void {
    const { syn, fin, bytes, missing } = segment;
    const sequence = (segment.sequence + (syn ? 1 : 0)) >>> 0;
    const length = bytes.length + missing;
    this.#next ??= sequence;
    if (fin) this.#fin = (sequence + length) >>> 0;
    if (length === 0) return;
    const ahead = distance(sequence, this.#next);
    if (ahead > 0) {
      this.#counts.outOfOrder++;
      this.#wait({ sequence, bytes, missing, place });
      this.#fill(place);
      return;
    }
    // A keep-alive repeats one byte that was never part of the stream's news (RFC 9293 §3.8.4).
    if (distance((sequence + length) >>> 0, this.#next) <= 0) {
      if (length > 1) this.#counts.retransmitted++;
      return;
    }
    this.#deliver(bytes, missing, -ahead, place);
    this.#fill(place);
  }

  /** The other side acknowledges: if it has what comes behind a hole, the hole is one of the capture. */
  acknowledge(acknowledgement: number, place: Place): void {
    if (this.#acknowledged === undefined || distance(acknowledgement, this.#acknowledged) > 0) {
      this.#acknowledged = acknowledgement;
    }
    this.#fill(place);
  }

  /** No more will come: what waits is delivered, with the holes before it. */
  end(place: Place): void {
    while (this.#waiting.length > 0) this.#takeFirst(place);
    if (this.#fin === undefined || this.#next === undefined) return;
    const lacking = distance(this.#fin, this.#next);
    if (lacking <= 0) return;
    this.#next = this.#fin;
    this.#sink.gap(lacking, place);
  }

  #wait(early: Waiting): void {
    let at = this.#waiting.length;
    while (at > 0 && distance(this.#waiting[at - 1]!.sequence, early.sequence) > 0) at--;
    this.#waiting.splice(at, 0, early);
    this.#waitingBytes += early.bytes.length;
  }

  /** Delivers what has waited and is next, or will never be preceded by what it waits for. */
  #fill(place: Place): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const isNext = distance(first.sequence, this.#next!) <= 0;
      const isReceived = this.#acknowledged !== undefined && distance(this.#acknowledged, first.sequence) > 0;
      const isFull = this.#waitingBytes > MAX_WAITING_BYTES || this.#waiting.length > MAX_WAITING;
      if (!isNext && !isReceived && !isFull) return;
      this.#takeFirst(place);
    }
  }

  #takeFirst(place: Place): void {
    const { sequence, bytes, missing } = this.#waiting.shift()!;
    this.#waitingBytes -= bytes.length;
    const hole = distance(sequence, this.#next!);
    if (hole > 0) {
      this.#next = sequence;
      this.#sink.gap(hole, place);
    }
    const known = distance(this.#next!, sequence);
    if (known < bytes.length + missing) this.#deliver(bytes, missing, known, place);
  }

  /** `known`: how many of its bytes were delivered before. */
  #deliver(bytes: Uint8Array, missing: number, known: number, place: Place): void {
    const fresh = bytes.subarray(Math.min(known, bytes.length));
    const cut = missing - Math.max(known - bytes.length, 0);
    this.#next = (this.#next! + fresh.length + cut) >>> 0;
    if (fresh.length > 0) this.#sink.data(fresh, place);
    if (cut > 0) this.#sink.gap(cut, place);
  }
}
