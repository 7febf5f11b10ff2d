/**
 * Why a capture or something in it could not be read: one literal name per case. What is wrong with a GRASP message
 * itself has the names of the protocol (`REFUSAL_REASONS`).
 */
export const BROKEN_REASONS = [
  /** No byte at all. */
  'file.empty',
  /** Neither of the two formats, by its first bytes. */
  'file.unknown-format',
  /** A compressed file: to be unpacked first. */
  'file.compressed',
  /** The file ends inside a header, a record or a block. */
  'file.truncated',
  /** Not version 2 of the format. */
  'pcap.version',
  /** A record longer than any packet. */
  'pcap.record-length',
  /** A section header whose byte-order magic is none. */
  'pcapng.byte-order',
  /** Not version 1 of the format. */
  'pcapng.version',
  /** A block shorter than its own fields, not a multiple of 4, or absurdly long. */
  'pcapng.block-length',
  /** The length at the end of a block is not the one at its beginning. */
  'pcapng.block-trailer',
  /** A packet of an interface that the section does not describe. */
  'pcapng.interface',
  /** A packet longer than its block. */
  'pcapng.packet-length',
] as const;

/** Why a capture file cannot be read on. */
export type BrokenReason = (typeof BROKEN_REASONS)[number];

export const TROUBLE_REASONS = [
  /** Packets of a link type that is not known here; said once per type. */
  'link.unknown-type',
  /** A fragment of a datagram to or from a GRASP port. Fragments are not put together. */
  'ip.fragment',
  /** Fewer bytes were captured of a datagram than it had. */
  'udp.cut',
  /** Bytes of a stream that the capture lacks. */
  'tcp.missing',
  /** Bytes of a stream that belong to no message: after a gap, or because the beginning was not captured. */
  'tcp.passed-over',
  /** A stream ended, or the capture did, inside a message. */
  'tcp.cut',
  /** The connection was reset. */
  'tcp.reset',
  /** TLS: what is in it cannot be read. */
  'tcp.encrypted',
] as const;

/** What stands between GRASP messages and whoever wants to read them. */
export type TroubleReason = (typeof TROUBLE_REASONS)[number];
