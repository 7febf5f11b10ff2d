/** One captured packet from its link layer to UDP or TCP. */
import { isLinkLocal } from '../protocol/index.js';
import { TCP, UDP, readIp, type IpPayload } from './ip.js';
import { readLink, type LinkPayload } from './link.js';
import type { RawPacket } from './record.js';
import { readTcp, readUdp, type TcpSegment, type UdpDatagram } from './transport.js';

/** An address and port as they stand in packets. */
export interface Endpoint {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
  /** Equal for equal endpoints; see {@link endpointKey}. */
  readonly key: string;
}

/** When, where, and from whom to whom. */
export interface Place {
  /** Number of the packet. */
  readonly packet: number;
  /** ns since the epoch; undefined if the capture does not tell. */
  readonly time: bigint | undefined;
  readonly interface: string | undefined;
  readonly vlan: number | undefined;
  readonly transport: 'udp' | 'tcp';
  readonly source: Endpoint;
  readonly destination: Endpoint;
}

export type Packet =
  | { readonly kind: 'udp'; readonly place: Place; readonly datagram: UdpDatagram }
  | { readonly kind: 'tcp'; readonly place: Place; readonly segment: TcpSegment }
  /** A fragment: the first one has ports, by the others it is known by `id` alone. */
  | {
      readonly kind: 'fragment';
      readonly place: Place | undefined;
      /** Equal for the fragments of one packet. */
      readonly id: string;
      readonly bytes: number;
    }
  /** Not IP, or neither UDP nor TCP. */
  | { readonly kind: 'other' }
  /** Headers that are none, or that were not captured. */
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'unknown-link'; readonly linkType: number };

const OTHER: Packet = { kind: 'other' };
const UNREADABLE: Packet = { kind: 'unreadable' };

/**
 * A string equal for equal endpoints. A link-local address is one of its link only, so the interface and VLAN are part
 * of it; any other address is the same wherever it was captured.
 */
export function endpointKey(address: Uint8Array, port: number, link: Link): string {
  const zone = isLinkLocal(address) ? `%${link.interface ?? ''}.${link.vlan ?? ''}` : '';
  return `${Buffer.from(address).toString('hex')}${zone}:${port}`;
}

/** Where a packet was captured. */
export type Link = Pick<Place, 'interface' | 'vlan'>;

export function readPacket(raw: RawPacket): Packet {
  const link = readLink(raw);
  if (link.kind === 'other') return OTHER;
  if (link.kind === 'unknown-type') return { kind: 'unknown-link', linkType: raw.linkType };
  const ip = readIp(link.bytes);
  if (ip.kind === 'unreadable') return UNREADABLE;
  if (ip.protocol !== UDP && ip.protocol !== TCP) return ip.fragment ? fragmentOf(ip, undefined) : OTHER;
  const transport = ip.protocol === UDP ? 'udp' : 'tcp';
  if (ip.fragment) {
    const isFirst = ip.fragment.offset === 0 && ip.bytes.length >= 4;
    return fragmentOf(ip, isFirst ? placeOf(raw, link, ip, transport) : undefined);
  }
  if (transport === 'udp') {
    const datagram = readUdp(ip.bytes, ip.length);
    return datagram ? { kind: 'udp', place: placeOf(raw, link, ip, transport), datagram } : UNREADABLE;
  }
  const segment = readTcp(ip.bytes, ip.length);
  return segment ? { kind: 'tcp', place: placeOf(raw, link, ip, transport), segment } : UNREADABLE;
}

function fragmentOf(ip: IpPayload, place: Place | undefined): Packet {
  const pair = Buffer.concat([ip.source, ip.destination]).toString('hex');
  return { kind: 'fragment', place, id: `${pair}/${ip.fragment?.id}`, bytes: ip.length };
}

/** Both transports begin with the ports. */
function placeOf(raw: RawPacket, link: LinkPayload, ip: IpPayload, transport: 'udp' | 'tcp'): Place {
  const at: Link = {
    // A capture of all interfaces has one name for them together; the link layer tells them apart.
    interface: link.interfaceIndex === undefined ? raw.interface : `#${link.interfaceIndex}`,
    vlan: link.vlan,
  };
  const port = (offset: number): number => (ip.bytes[offset]! << 8) | ip.bytes[offset + 1]!;
  const endpoint = (address: Uint8Array, portNumber: number): Endpoint => ({
    address,
    port: portNumber,
    key: endpointKey(address, portNumber, at),
  });
  return {
    packet: raw.number,
    time: raw.time,
    ...at,
    transport,
    source: endpoint(ip.source, port(0)),
    destination: endpoint(ip.destination, port(2)),
  };
}
