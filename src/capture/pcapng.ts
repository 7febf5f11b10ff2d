/**
 * The pcapng format (draft-ietf-opsawg-pcapng): blocks in sections, each section with a byte order and interfaces of
 * its own. Packets are in enhanced, simple and (obsolete) packet blocks; all other blocks are passed over.
 */
import { MAX_RECORD_BYTES, MORE, broken, type Format, type Step, type Window } from './record.js';

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

const IF_NAME = 2;
const IF_TSRESOL = 9;
const IF_TSOFFSET = 14;

/** Whether a file that begins with these 4 bytes is one; the type of a section header reads the same both ways. */
export function isPcapng(view: DataView): boolean {
  return view.getUint32(0) === SECTION_HEADER;
}

interface CapturedInterface {
  readonly linkType: number;
  readonly snaplen: number;
  readonly name: string | undefined;
  readonly ticksPerSecond: bigint;
  /** Seconds to add. */
  readonly offset: bigint;
}

/** One block without its frame: type, body, and where the block is. */
interface Block {
  readonly type: number;
  readonly body: Uint8Array;
  readonly view: DataView;
  readonly offset: number;
  readonly length: number;
}

export class PcapngFormat implements Format {
  #littleEndian = true;
  #interfaces: CapturedInterface[] = [];

  read(window: Window): Step {
    const { bytes, view, offset } = window;
    if (bytes.length < 12) return MORE;
    let type = view.getUint32(0, this.#littleEndian);
    if (view.getUint32(0) === SECTION_HEADER) {
      type = SECTION_HEADER;
      // The byte order stands behind the length that it is needed for.
      if (view.getUint32(8, true) === BYTE_ORDER_MAGIC) this.#littleEndian = true;
      else if (view.getUint32(8) === BYTE_ORDER_MAGIC) this.#littleEndian = false;
      else return broken('pcapng.byte-order');
    }
    const length = view.getUint32(4, this.#littleEndian);
    if (length < 12 || length % 4 !== 0 || length > MAX_RECORD_BYTES) return broken('pcapng.block-length');
    if (bytes.length < length) return MORE;
    if (view.getUint32(length - 4, this.#littleEndian) !== length) return broken('pcapng.block-trailer');
    const body = bytes.subarray(8, length - 4);
    const block = {
      type,
      body,
      view: new DataView(body.buffer, body.byteOffset, body.length),
      offset,
      length,
    };
    switch (type) {
      case SECTION_HEADER:
        return this.#section(block);
      case INTERFACE_DESCRIPTION:
        return this.#describe(block);
      case ENHANCED_PACKET:
      case OBSOLETE_PACKET:
        return this.#packet(block);
      case SIMPLE_PACKET:
        return this.#simplePacket(block);
      default:
        return { kind: 'skip', length };
    }
  }

  #section({ body, view, length }: Block): Step {
    if (body.length < 16) return broken('pcapng.block-length');
    if (view.getUint16(4, this.#littleEndian) !== 1) return broken('pcapng.version');
    this.#interfaces = [];
    return { kind: 'skip', length };
  }

  #describe({ body, view, length }: Block): Step {
    if (body.length < 8) return broken('pcapng.block-length');
    const options = this.#options(body.subarray(8));
    const name = options.get(IF_NAME);
    this.#interfaces.push({
      linkType: view.getUint16(0, this.#littleEndian),
      snaplen: view.getUint32(4, this.#littleEndian),
      name: name && Buffer.from(name).toString('utf8').replace(/\0+$/, ''),
      ticksPerSecond: ticksPerSecond(options.get(IF_TSRESOL)),
      offset: this.#seconds(options.get(IF_TSOFFSET)),
    });
    return { kind: 'skip', length };
  }

  #seconds(option: Uint8Array | undefined): bigint {
    if (option?.length !== 8) return 0n;
    return new DataView(option.buffer, option.byteOffset, 8).getBigInt64(0, this.#littleEndian);
  }

  /** Options by code, the first of each. What does not fit ends the list: the packets matter more. */
  #options(bytes: Uint8Array): Map<number, Uint8Array> {
    const found = new Map<number, Uint8Array>();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + 4 <= bytes.length;) {
      const code = view.getUint16(at, this.#littleEndian);
      const length = view.getUint16(at + 2, this.#littleEndian);
      at += 4;
      if (code === 0 || at + length > bytes.length) break;
      if (!found.has(code)) found.set(code, bytes.subarray(at, at + length));
      at += (length + 3) & ~3;
    }
    return found;
  }

  /** Both kinds have a header of 20 bytes; the obsolete one has a count of drops beside a shorter interface number. */
  #packet({ type, body, view, offset, length }: Block): Step {
    if (body.length < 20) return broken('pcapng.block-length');
    const number =
      type === ENHANCED_PACKET
        ? view.getUint32(0, this.#littleEndian)
        : view.getUint16(0, this.#littleEndian);
    const source = this.#interfaces[number];
    if (!source) return broken('pcapng.interface');
    const captured = view.getUint32(12, this.#littleEndian);
    if (captured > body.length - 20) return broken('pcapng.packet-length');
    const ticks =
      (BigInt(view.getUint32(4, this.#littleEndian)) << 32n) | BigInt(view.getUint32(8, this.#littleEndian));
    return {
      kind: 'packet',
      length,
      packet: {
        offset,
        time: (ticks * 1_000_000_000n) / source.ticksPerSecond + source.offset * 1_000_000_000n,
        linkType: source.linkType,
        interface: source.name,
        bytes: body.slice(20, 20 + captured),
        length: Math.max(view.getUint32(16, this.#littleEndian), captured),
      },
    };
  }

  #simplePacket({ body, view, offset, length }: Block): Step {
    if (body.length < 4) return broken('pcapng.block-length');
    const source = this.#interfaces[0];
    if (!source) return broken('pcapng.interface');
    const original = view.getUint32(0, this.#littleEndian);
    const captured = Math.min(original, body.length - 4, source.snaplen || Infinity);
    return {
      kind: 'packet',
      length,
      packet: {
        offset,
        time: undefined,
        linkType: source.linkType,
        interface: source.name,
        bytes: body.slice(4, 4 + captured),
        length: original,
      },
    };
  }
}

/** if_tsresol: a power of 10, or of 2 if the highest bit is set; default µs. */
function ticksPerSecond(option: Uint8Array | undefined): bigint {
  const resolution = option?.[0];
  if (resolution === undefined) return 1_000_000n;
  return (resolution & 0x80) === 0 ? 10n ** BigInt(resolution) : 2n ** BigInt(resolution & 0x7f);
}
