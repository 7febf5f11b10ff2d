/**
 * The classic libpcap format: a header of 24 bytes, then records of 16 bytes and the packet. The magic tells the byte
 * order and whether fractions of a second are µs or ns.
 */
import { MAX_RECORD_BYTES, MORE, broken, type Format, type Step, type Window } from './record.js';

const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;
const HEADER_BYTES = 24;
const RECORD_BYTES = 16;
/** What libpcap itself captures at most, whatever the header says. */
const MAX_SNAPLEN = 262_144;

/** Whether a file that begins with these 4 bytes is one. */
export function isPcap(view: DataView): boolean {
  return byteOrder(view) !== undefined;
}

function byteOrder(view: DataView): { littleEndian: boolean; nsPerTick: bigint } | undefined {
  for (const littleEndian of [true, false]) {
    const magic = view.getUint32(0, littleEndian);
    if (magic === MICROSECONDS) return { littleEndian, nsPerTick: 1000n };
    if (magic === NANOSECONDS) return { littleEndian, nsPerTick: 1n };
  }
  return undefined;
}

export class PcapFormat implements Format {
  #littleEndian = true;
  #nsPerTick = 1000n;
  #linkType = 0;
  #maxBytes = MAX_SNAPLEN;
  #begun = false;

  read(window: Window): Step {
    return this.#begun ? this.#record(window) : this.#header(window);
  }

  #header({ bytes, view }: Window): Step {
    if (bytes.length < HEADER_BYTES) return MORE;
    const order = byteOrder(view);
    if (!order) return broken('file.unknown-format');
    this.#littleEndian = order.littleEndian;
    this.#nsPerTick = order.nsPerTick;
    if (view.getUint16(4, this.#littleEndian) !== 2) return broken('pcap.version');
    const snaplen = view.getUint32(16, this.#littleEndian);
    this.#maxBytes = Math.min(Math.max(snaplen, MAX_SNAPLEN), MAX_RECORD_BYTES);
    // The upper four bits tell about frame check sequences.
    this.#linkType = view.getUint32(20, this.#littleEndian) & 0x0fffffff;
    this.#begun = true;
    return { kind: 'skip', length: HEADER_BYTES };
  }

  #record({ bytes, view, offset }: Window): Step {
    if (bytes.length < RECORD_BYTES) return MORE;
    const seconds = view.getUint32(0, this.#littleEndian);
    const fraction = view.getUint32(4, this.#littleEndian);
    const captured = view.getUint32(8, this.#littleEndian);
    const length = view.getUint32(12, this.#littleEndian);
    if (captured > this.#maxBytes) return broken('pcap.record-length');
    if (bytes.length < RECORD_BYTES + captured) return MORE;
    return {
      kind: 'packet',
      length: RECORD_BYTES + captured,
      packet: {
        offset,
        time: BigInt(seconds) * 1_000_000_000n + BigInt(fraction) * this.#nsPerTick,
        linkType: this.#linkType,
        interface: undefined,
        bytes: bytes.slice(RECORD_BYTES, RECORD_BYTES + captured),
        length: Math.max(length, captured),
      },
    };
  }
}
