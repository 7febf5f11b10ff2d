/** IPv4 and IPv6 headers with their options and extension headers, down to what they carry. */

export const TCP = 6;
export const UDP = 17;

export interface IpPayload {
  readonly kind: 'payload';
  /** 4 or 16 bytes. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  readonly bytes: Uint8Array;
  /** Bytes of the payload on the wire: more than `bytes` where the capture cut the packet. */
  readonly length: number;
  /** Of a larger packet. Its first fragment has offset 0 and begins like a whole one. */
  readonly fragment: Fragment | undefined;
}

export interface Fragment {
  readonly id: number;
  readonly offset: number;
}

export type IpResult =
  | IpPayload
  /** Not a header: too short, wrong version, lengths that do not fit. */
  | { readonly kind: 'unreadable' };

const UNREADABLE: IpResult = { kind: 'unreadable' };

/** Extension headers with next header and length in units of 8 bytes in front (RFC 6564, RFC 8200 §4). */
const OPTION_HEADERS: readonly number[] = [0, 43, 60, 135, 139, 140];
const FRAGMENT = 44;
const AUTHENTICATION = 51;

/** Reads the IP packet at the beginning of `bytes`; what follows it is link-layer padding. */
export function readIp(bytes: Uint8Array): IpResult {
  const version = (bytes[0] ?? 0) >> 4;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (version === 4) return readIpv4(bytes, view);
  return version === 6 ? readIpv6(bytes, view) : UNREADABLE;
}

function readIpv4(bytes: Uint8Array, view: DataView): IpResult {
  if (bytes.length < 20) return UNREADABLE;
  const header = (bytes[0]! & 15) * 4;
  // 0: the network card was to cut it and write the length; the captured packet is all of it.
  const total = view.getUint16(2) || bytes.length;
  if (header < 20 || header > bytes.length || total < header) return UNREADABLE;
  const flags = view.getUint16(6);
  const isFragment = (flags & 0x3fff) !== 0;
  return {
    kind: 'payload',
    source: bytes.subarray(12, 16),
    destination: bytes.subarray(16, 20),
    protocol: bytes[9]!,
    bytes: bytes.subarray(header, Math.min(total, bytes.length)),
    length: total - header,
    fragment: isFragment ? { id: view.getUint16(4), offset: (flags & 0x1fff) * 8 } : undefined,
  };
}

function readIpv6(bytes: Uint8Array, view: DataView): IpResult {
  if (bytes.length < 40) return UNREADABLE;
  // 0: a jumbogram, or left to the network card.
  const length = view.getUint16(4) || bytes.length - 40;
  const end = Math.min(40 + length, bytes.length);
  let protocol = bytes[6]!;
  let at = 40;
  let fragment: Fragment | undefined;
  while (fragment === undefined || fragment.offset === 0) {
    let size: number;
    if (OPTION_HEADERS.includes(protocol)) {
      if (at + 8 > end) return UNREADABLE;
      size = (bytes[at + 1]! + 1) * 8;
    } else if (protocol === AUTHENTICATION) {
      if (at + 8 > end) return UNREADABLE;
      size = (bytes[at + 1]! + 2) * 4;
    } else if (protocol === FRAGMENT) {
      if (at + 8 > end) return UNREADABLE;
      size = 8;
      const field = view.getUint16(at + 2);
      // Neither an offset nor more to come: an atomic fragment, which is whole (RFC 6946).
      if ((field & 0xfff9) !== 0) fragment = { id: view.getUint32(at + 4), offset: field & 0xfff8 };
    } else break;
    protocol = bytes[at]!;
    at += size;
    if (at > end) return UNREADABLE;
  }
  return {
    kind: 'payload',
    source: bytes.subarray(8, 24),
    destination: bytes.subarray(24, 40),
    protocol,
    bytes: bytes.subarray(at, end),
    length: 40 + length - at,
    fragment,
  };
}
