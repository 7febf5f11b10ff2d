/**
 * One TCP connection: two streams put together, their messages, and the verdict whether it is GRASP's at all. A
 * connection to where GRASP is known to be is GRASP's from its first byte; of any other the first message decides.
 */
import type { GraspEndpoints, Found } from './endpoints.js';
import { judgeItem, type Judgement } from './judge.js';
import { MessageStream, mayBegin, type Piece } from './message-stream.js';
import type { CaptureCounts, Observation } from './observation.js';
import type { Endpoint, Place } from './packet.js';
import type { TroubleReason } from './reasons.js';
import { TcpStream } from './tcp-stream.js';
import type { TcpSegment } from './transport.js';

/** What connections have in common. */
export interface ConnectionHost {
  readonly endpoints: GraspEndpoints;
  readonly counts: CaptureCounts;
  emit(observation: Observation): void;
}

interface Side {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly stream: TcpStream;
  readonly messages: MessageStream;
  /** Whether bytes of it have been seen. */
  hasSpoken: boolean;
}

/** Messages that cannot be mistaken for something else when nothing pointed to the connection. */
const DECISIVE: readonly number[] = [2, 3, 4, 5, 6, 8];

export class Connection {
  readonly #host: ConnectionHost;
  readonly #sides = new Map<string, Side>();
  readonly #streamCounts = { retransmitted: 0, outOfOrder: 0 };
  #verdict: 'undecided' | 'grasp' | 'other' = 'undecided';
  #found: Found | undefined;
  /** The port is known for a locator and for a discovery. */
  #both = false;
  /** Who accepted it; undefined if its beginning was not captured. */
  #server: Endpoint | undefined;
  #synSequence: number | undefined;
  #packets = 0;
  #over = false;
  #ended = false;

  constructor(host: ConnectionHost) {
    this.#host = host;
  }

  get isGrasp(): boolean {
    return this.#verdict === 'grasp';
  }

  /** Whether this segment opens another connection between the same ports. */
  isSucceededBy({ syn, acknowledgement, sequence }: TcpSegment): boolean {
    if (!syn || acknowledgement !== undefined) return false;
    return this.#over || (this.#synSequence !== undefined && this.#synSequence !== sequence);
  }

  push(segment: TcpSegment, place: Place): void {
    this.#packets++;
    // What comes after the end are late repetitions.
    if (this.#verdict === 'other' || this.#over) return;
    const side = this.#side(segment, place);
    if (segment.syn && segment.acknowledgement === undefined) {
      this.#server = place.destination;
      this.#synSequence = segment.sequence;
    } else if (segment.syn) this.#server = place.source;
    if (segment.rst) {
      this.#close(place);
      this.#trouble('tcp.reset', place, undefined);
      return;
    }
    const opposite = this.#sides.get(place.destination.key);
    side.stream.push(segment, place);
    if (segment.acknowledgement !== undefined) opposite?.stream.acknowledge(segment.acknowledgement, place);
    if (side.stream.finished && opposite?.stream.finished) this.#close(place);
  }

  /** Nothing more of it will come. `place` is the last one known. */
  end(place: Place | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#over && place) this.#close(place);
    if (!this.isGrasp) return;
    this.#host.counts.graspPackets += this.#packets;
    this.#host.counts.retransmitted += this.#streamCounts.retransmitted;
    this.#host.counts.outOfOrder += this.#streamCounts.outOfOrder;
  }

  #side(segment: TcpSegment, { source, destination }: Place): Side {
    const known = this.#sides.get(source.key);
    if (known) return known;
    const turned = (place: Place): Place => ({ ...place, source, destination });
    const side: Side = {
      source,
      destination,
      stream: new TcpStream(
        {
          data: (bytes, place) => this.#data(side, bytes, turned(place)),
          gap: (count, place) => this.#gap(side, count, turned(place)),
        },
        this.#streamCounts,
      ),
      messages: new MessageStream(segment.syn, (bytes) => this.#judge(bytes).kind === 'message'),
      hasSpoken: false,
    };
    this.#sides.set(source.key, side);
    return side;
  }

  #close(place: Place): void {
    // One that nobody said anything on, or that was refused, is GRASP's by where it went.
    for (const side of this.#sides.values()) this.#recognise(side);
    for (const side of this.#sides.values()) {
      const turned = { ...place, source: side.source, destination: side.destination };
      side.stream.end(turned);
      this.#tell(side.messages.end(), turned);
      if (side.messages.pendingBytes > 0) this.#trouble('tcp.cut', turned, side.messages.pendingBytes);
    }
    this.#over = true;
    this.#sides.clear();
  }

  #data(side: Side, bytes: Uint8Array, place: Place): void {
    if (this.#verdict === 'other') return;
    this.#recognise(side);
    if (!side.hasSpoken) {
      side.hasSpoken = true;
      // A handshake record: its first two bytes would be two numbers in CBOR.
      if (bytes[0] === 0x16 && bytes[1] === 3) {
        this.#trouble('tcp.encrypted', place, undefined);
        return this.#dismiss();
      }
      if (this.#verdict === 'undecided' && !mayBegin(bytes)) return this.#dismiss();
    }
    this.#tell(side.messages.push(bytes), place);
  }

  #gap(side: Side, count: number, place: Place): void {
    if (this.#verdict === 'other') return;
    const lost = side.messages.gap();
    this.#trouble('tcp.missing', place, count);
    if (lost > 0) this.#trouble('tcp.passed-over', place, lost);
  }

  /** Looks the ports up at the first bytes: the locator may have been seen after the connection was opened. */
  #recognise(side: Side): void {
    if (this.#found !== undefined) return;
    const ends = this.#server ? [this.#server] : [side.destination, side.source];
    for (const { key, port } of ends) {
      const there = this.#host.endpoints.tcp(key, port);
      if (!there) continue;
      this.#found = there.found;
      this.#both = there.known?.locator === true && there.known.discovery;
      if (there.found !== 'hint') this.#verdict = 'grasp';
      return;
    }
    this.#found = 'content';
  }

  #judge(bytes: Uint8Array): Judgement {
    return judgeItem(bytes, this.#found ?? 'content', this.#both);
  }

  #tell(pieces: readonly Piece[], place: Place): void {
    for (const piece of pieces) {
      if (piece.kind === 'passed-over') this.#trouble('tcp.passed-over', place, piece.count);
      else if (piece.kind === 'item') this.#item(piece.bytes, place);
      else if (this.#verdict === 'undecided') this.#dismiss();
      else if (this.isGrasp) {
        this.#host.emit({
          kind: 'refused',
          place,
          found: this.#found!,
          bytes: piece.bytes,
          refusal: {
            ok: false,
            kind: 'malformed',
            reason: piece.reason,
            messageType: undefined,
            sessionId: undefined,
          },
        });
      }
    }
  }

  #item(bytes: Uint8Array, place: Place): void {
    const judgement = this.#judge(bytes);
    if (this.#verdict === 'undecided') this.#verdict = this.#decides(judgement) ? 'grasp' : 'other';
    if (this.isGrasp) this.#host.emit({ place, found: this.#found!, bytes, ...judgement });
    else this.#dismiss();
  }

  #decides(judgement: Judgement): boolean {
    if (this.#found === 'content') {
      return judgement.kind === 'message' && !judgement.refusal && DECISIVE.includes(judgement.message.type);
    }
    if (judgement.kind === 'message') return true;
    const { kind, messageType } = judgement.refusal;
    return kind !== 'malformed' && kind !== 'unknown' && messageType !== undefined;
  }

  #dismiss(): void {
    this.#verdict = 'other';
    this.#sides.clear();
  }

  #trouble(reason: TroubleReason, place: Place, count: number | undefined): void {
    if (this.isGrasp) this.#host.emit({ kind: 'trouble', place, reason, count });
  }
}
