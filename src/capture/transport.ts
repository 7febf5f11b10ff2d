/** UDP and TCP headers. Checksums are not looked at: network cards fill them in after the capture. */

export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly bytes: Uint8Array;
  /** Bytes of it that were not captured. */
  readonly missing: number;
}

export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number | undefined;
  readonly syn: boolean;
  readonly fin: boolean;
  readonly rst: boolean;
  readonly bytes: Uint8Array;
  /** Bytes at its end that were not captured. */
  readonly missing: number;
}

/** `length`: bytes of the IP payload on the wire. Undefined if it is no UDP header. */
export function readUdp(bytes: Uint8Array, length: number): UdpDatagram | undefined {
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const claimed = view.getUint16(4);
  // 0: longer than 65,535, in a jumbogram (RFC 2675).
  const whole = claimed === 0 ? length : claimed;
  if (whole < 8 || whole > length) return undefined;
  return {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    bytes: bytes.subarray(8, Math.min(whole, bytes.length)),
    missing: Math.max(whole - bytes.length, 0),
  };
}

/** `length`: bytes of the IP payload on the wire. Undefined if it is no TCP header. */
export function readTcp(bytes: Uint8Array, length: number): TcpSegment | undefined {
  if (bytes.length < 20) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const header = (bytes[12]! >> 4) * 4;
  if (header < 20 || header > length) return undefined;
  const flags = bytes[13]!;
  return {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgement: (flags & 16) !== 0 ? view.getUint32(8) : undefined,
    syn: (flags & 2) !== 0,
    fin: (flags & 1) !== 0,
    rst: (flags & 4) !== 0,
    bytes: bytes.subarray(Math.min(header, bytes.length)),
    missing: length - Math.max(bytes.length, header),
  };
}
