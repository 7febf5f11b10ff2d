/** Captures made by hand: every byte is put here, and messages are encoded by cborg, not by this project's encoder. */
import { encode } from 'cborg';
import { parseAddress } from '../../src/protocol/index.js';

export const FE80_A = 'fe80::a';
export const FE80_B = 'fe80::b';
export const FD00_A = 'fd00::a';
export const FD00_B = 'fd00::b';

/** Session ID of the messages below. */
export const SESSION = 4711;

export function cbor(value: unknown): Uint8Array {
  return encode(value);
}

export function addressOf(text: string): Uint8Array {
  return parseAddress(text)!.bytes;
}

/** Messages as arrays (RFC 8990 §4). */
export const say = {
  discovery: (name = 'EX3'): Uint8Array => cbor([1, SESSION, addressOf(FD00_B), [name, 3, 6]]),
  response: (...options: unknown[]): Uint8Array => cbor([2, SESSION, addressOf(FD00_B), 60_000, ...options]),
  request: (value: unknown = 300): Uint8Array => cbor([3, SESSION, ['EX3', 3, 6, value]]),
  step: (value: unknown = 100): Uint8Array => cbor([5, SESSION, ['EX3', 3, 5, value]]),
  wait: (ms = 1000): Uint8Array => cbor([7, SESSION, ms]),
  accept: (): Uint8Array => cbor([6, SESSION, [101]]),
  flood: (locator: unknown = []): Uint8Array =>
    cbor([9, SESSION, addressOf(FD00_A), 0, [['EX2', 4, 6, 1], locator]]),
  locator: (address: string, port: number, protocol = 6): unknown[] => [
    addressOf(address).length === 16 ? 103 : 104,
    addressOf(address),
    protocol,
    port,
  ],
};

export function join(...parts: (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
}

export function u16(value: number): number[] {
  return [(value >> 8) & 255, value & 255];
}

export function u32(value: number): number[] {
  return [...u16(value >>> 16), ...u16(value & 0xffff)];
}

/* Transport. */

export function udp(sourcePort: number, destinationPort: number, bytes: Uint8Array): Uint8Array {
  return join(u16(sourcePort), u16(destinationPort), u16(8 + bytes.length), u16(0), bytes);
}

export interface TcpFields {
  readonly sequence?: number;
  readonly acknowledgement?: number;
  /** Letters of S, A, F, R, P. */
  readonly flags?: string;
  readonly options?: readonly number[];
}

const FLAGS: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16 };

export function tcp(
  sourcePort: number,
  destinationPort: number,
  bytes: Uint8Array,
  fields: TcpFields = {},
): Uint8Array {
  const { sequence = 0, acknowledgement = 0, flags = 'PA', options = [] } = fields;
  const bits = [...flags].reduce((sum, flag) => sum | FLAGS[flag]!, 0);
  const head = [...u16(sourcePort), ...u16(destinationPort), ...u32(sequence), ...u32(acknowledgement)];
  const offset = (5 + options.length / 4) << 4;
  return join(head, [offset, bits, 255, 255, 0, 0, 0, 0], options, bytes);
}

/* Network. */

export interface IpFields {
  /** IPv6: extension headers in front of the payload, each without its next header; IPv4: options. */
  readonly extensions?: readonly { readonly type: number; readonly rest: readonly number[] }[];
  readonly options?: readonly number[];
  /** Offset in bytes and whether more follow; a fragment header in IPv6. */
  readonly fragment?: { readonly offset: number; readonly more: boolean; readonly id: number };
}

export function ip(
  source: string,
  destination: string,
  protocol: number,
  payload: Uint8Array,
  fields: IpFields = {},
): Uint8Array {
  const { extensions = [], options = [], fragment } = fields;
  const from = addressOf(source);
  const to = addressOf(destination);
  if (from.length === 4) {
    const flags = fragment ? (fragment.offset / 8) | (fragment.more ? 0x2000 : 0) : 0x4000;
    const total = 20 + options.length + payload.length;
    const head = [0x45 + options.length / 4, 0, ...u16(total), ...u16(fragment?.id ?? 0), ...u16(flags)];
    return join(head, [1, protocol, 0, 0], from, to, options, payload);
  }
  const chain = [...extensions];
  if (fragment) {
    const field = fragment.offset | (fragment.more ? 1 : 0);
    chain.push({ type: 44, rest: [0, ...u16(field), ...u32(fragment.id)] });
  }
  const headers = chain.flatMap(({ rest }, i) => [chain[i + 1]?.type ?? protocol, ...rest]);
  const length = headers.length + payload.length;
  return join([0x60, 0, 0, 0, ...u16(length), chain[0]?.type ?? protocol, 1], from, to, headers, payload);
}

/* Link. */

export function ethernet(packet: Uint8Array, tags: readonly number[] = []): Uint8Array {
  const type = packet[0]! >> 4 === 4 ? 0x0800 : 0x86dd;
  const vlan = tags.flatMap((tag) => [...u16(0x8100), ...u16(tag)]);
  return join([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], vlan, u16(type), packet);
}

/* Files. */

export interface PacketRecord {
  readonly bytes: Uint8Array;
  /** ns since the epoch. */
  readonly time?: bigint;
  /** Bytes on the wire; default: all were captured. */
  readonly length?: number;
}

export interface FileFields {
  readonly linkType?: number;
  readonly littleEndian?: boolean;
  readonly nanoseconds?: boolean;
}

/** 2030-01-01T00:00:00Z */
export const START = 1_893_456_000_000_000_000n;

export function pcap(records: readonly PacketRecord[], fields: FileFields = {}): Uint8Array {
  const { linkType = 1, littleEndian = true, nanoseconds = false } = fields;
  const n32 = (value: number): number[] => (littleEndian ? u32(value).reverse() : u32(value));
  const n16 = (value: number): number[] => (littleEndian ? u16(value).reverse() : u16(value));
  const magic = nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4;
  const head = [...n32(magic), ...n16(2), ...n16(4), ...n32(0), ...n32(0), ...n32(65_535), ...n32(linkType)];
  const body = records.map(({ bytes, time = START, length = bytes.length }) => {
    const fraction = Number(time % 1_000_000_000n);
    const ticks = nanoseconds ? fraction : Math.floor(fraction / 1000);
    const header = [
      ...n32(Number(time / 1_000_000_000n)),
      ...n32(ticks),
      ...n32(bytes.length),
      ...n32(length),
    ];
    return join(header, bytes);
  });
  return join(head, ...body);
}

/** One packet per µs. */
export function timed(packets: readonly Uint8Array[]): PacketRecord[] {
  return packets.map((bytes, i) => ({ bytes, time: START + BigInt(i) * 1000n }));
}

/** Blocks of pcapng. */
export class Pcapng {
  readonly #littleEndian: boolean;
  readonly #parts: Uint8Array[] = [];

  constructor(littleEndian = true) {
    this.#littleEndian = littleEndian;
    this.block(0x0a0d0d0a, [
      ...this.n32(0x1a2b3c4d),
      ...this.n16(1),
      ...this.n16(0),
      ...Array<number>(8).fill(255),
    ]);
  }

  get bytes(): Uint8Array {
    return join(...this.#parts);
  }

  n16(value: number): number[] {
    return this.#littleEndian ? u16(value).reverse() : u16(value);
  }

  n32(value: number): number[] {
    return this.#littleEndian ? u32(value).reverse() : u32(value);
  }

  block(type: number, body: Uint8Array | readonly number[]): this {
    const padded = join(body, Array<number>(-body.length & 3).fill(0));
    const length = this.n32(12 + padded.length);
    this.#parts.push(join(this.n32(type), length, padded, length));
    return this;
  }

  interface(
    linkType: number,
    options: readonly (readonly [number, Uint8Array | readonly number[]])[] = [],
  ): this {
    const list = options.map(([code, value]) =>
      join(this.n16(code), this.n16(value.length), value, Array<number>(-value.length & 3).fill(0)),
    );
    return this.block(1, join(this.n16(linkType), [0, 0], this.n32(65_535), ...list, [0, 0, 0, 0]));
  }

  packet(number: number, ticks: bigint, bytes: Uint8Array, length = bytes.length): this {
    const time = [...this.n32(Number(ticks >> 32n)), ...this.n32(Number(ticks & 0xffff_ffffn))];
    return this.block(6, join(this.n32(number), time, this.n32(bytes.length), this.n32(length), bytes));
  }
}

/* Whole conversations. */

/** A discovery on the link, as a frame. */
export function discoveryFrame(port = 40_000, source = FE80_B): Uint8Array {
  return ethernet(ip(source, 'ff02::13', 17, udp(port, 7017, say.discovery())));
}

/** Frames of one TCP connection; each call appends. */
export class Talk {
  readonly frames: Uint8Array[] = [];
  #next: { client: number; server: number } = { client: 1000, server: 0xffff_fff0 };

  constructor(
    readonly client: { readonly address: string; readonly port: number },
    readonly server: { readonly address: string; readonly port: number },
  ) {}

  frame(who: 'client' | 'server', bytes: Uint8Array, fields: TcpFields): Uint8Array {
    const [from, to] = who === 'client' ? [this.client, this.server] : [this.server, this.client];
    return ethernet(ip(from.address, to.address, 6, tcp(from.port, to.port, bytes, fields)));
  }

  open(): this {
    this.#send('client', new Uint8Array(0), 'S', 1);
    this.#send('server', new Uint8Array(0), 'SA', 1);
    return this.#send('client', new Uint8Array(0), 'A', 0);
  }

  says(who: 'client' | 'server', ...segments: Uint8Array[]): this {
    for (const segment of segments) this.#send(who, segment, 'PA', segment.length);
    return this;
  }

  closes(...who: ('client' | 'server')[]): this {
    for (const each of who) this.#send(each, new Uint8Array(0), 'FA', 1);
    return this;
  }

  resets(who: 'client' | 'server'): this {
    return this.#send(who, new Uint8Array(0), 'RA', 0);
  }

  acknowledges(who: 'client' | 'server'): this {
    return this.#send(who, new Uint8Array(0), 'A', 0);
  }

  /** Counts bytes as sent without a frame. */
  loses(who: 'client' | 'server', bytes: number): this {
    this.#next[who] = (this.#next[who] + bytes) >>> 0;
    return this;
  }

  #send(who: 'client' | 'server', bytes: Uint8Array, flags: string, advance: number): this {
    const other = who === 'client' ? 'server' : 'client';
    const fields = { sequence: this.#next[who], acknowledgement: this.#next[other], flags };
    this.frames.push(this.frame(who, bytes, fields));
    this.#next[who] = (this.#next[who] + advance) >>> 0;
    return this;
  }
}
