/** Link layers: from the first byte of a packet to its IP header. */
import type { RawPacket } from './record.js';

/** Numbers of https://www.tcpdump.org/linktypes.html; 12 and 14 are what BSDs write for raw IP. */
const LINK = {
  null: 0,
  ethernet: 1,
  raw: [12, 14, 101],
  loop: 108,
  linuxCooked: 113,
  ipv4: 228,
  ipv6: 229,
  linuxCooked2: 276,
} as const;

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** 802.1Q, 802.1ad and what was used before that. */
const ETHERTYPES_VLAN: readonly number[] = [0x8100, 0x88a8, 0x9100];
const MAX_VLAN_TAGS = 4;

/** An IP packet and by which link it came. */
export interface LinkPayload {
  readonly kind: 'ip';
  readonly bytes: Uint8Array;
  /** Innermost VLAN, if there is a tag. */
  readonly vlan: number | undefined;
  /** Number of the interface, where the link layer says it (captures of all interfaces). */
  readonly interfaceIndex: number | undefined;
}

export type LinkResult =
  | LinkPayload
  /** ARP, LLDP and all else that is not IP, or too short. */
  | { readonly kind: 'other' }
  | { readonly kind: 'unknown-type' };

const OTHER: LinkResult = { kind: 'other' };

/** Takes the link layer off. */
export function readLink({ bytes, linkType }: Pick<RawPacket, 'bytes' | 'linkType'>): LinkResult {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (linkType) {
    case LINK.ethernet:
      return bytes.length < 14 ? OTHER : ofEthertype(bytes, view, 12);
    case LINK.linuxCooked:
      return bytes.length < 16 ? OTHER : ofEthertype(bytes, view, 14);
    case LINK.linuxCooked2:
      if (bytes.length < 20) return OTHER;
      return withTags(bytes, view, 20, view.getUint16(0), view.getUint32(4));
    case LINK.null:
    case LINK.loop:
      return bytes.length < 4 ? OTHER : ofFamily(bytes, view);
    case LINK.ipv4:
    case LINK.ipv6:
      return payload(bytes, undefined, undefined);
    default:
      if ((LINK.raw as readonly number[]).includes(linkType)) return payload(bytes, undefined, undefined);
      return { kind: 'unknown-type' };
  }
}

function ofEthertype(bytes: Uint8Array, view: DataView, at: number): LinkResult {
  return withTags(bytes, view, at + 2, view.getUint16(at), undefined);
}

/** `start`: what follows the EtherType, which may be a tag and the next EtherType. */
function withTags(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  ethertype: number,
  index: number | undefined,
): LinkResult {
  let vlan: number | undefined;
  for (let tags = 0; ETHERTYPES_VLAN.includes(ethertype); tags++) {
    if (tags === MAX_VLAN_TAGS || bytes.length < start + 4) return OTHER;
    vlan = view.getUint16(start) & 0xfff;
    ethertype = view.getUint16(start + 2);
    start += 4;
  }
  if (ethertype !== ETHERTYPE_IPV4 && ethertype !== ETHERTYPE_IPV6) return OTHER;
  return payload(bytes.subarray(start), vlan, index);
}

/**
 * BSD loopback: an address family in the byte order of whoever captured. Families are small numbers, so the order
 * shows; which number IPv6 has depends on the system, so the IP version decides.
 */
function ofFamily(bytes: Uint8Array, view: DataView): LinkResult {
  const family = Math.min(view.getUint32(0, true), view.getUint32(0));
  return [2, 10, 24, 28, 30].includes(family) ? payload(bytes.subarray(4), undefined, undefined) : OTHER;
}

function payload(
  bytes: Uint8Array,
  vlan: number | undefined,
  interfaceIndex: number | undefined,
): LinkResult {
  return bytes.length === 0 ? OTHER : { kind: 'ip', bytes, vlan, interfaceIndex };
}
