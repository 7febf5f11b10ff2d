/** IP addresses: text ↔ bytes and what their scope allows. The wire carries bytes, everything a user sees is text. */
import ipaddr from 'ipaddr.js';
import { remembering } from './remembering.js';

/** Addresses and their texts remembered. */
const REMEMBERED = 256;

export interface ParsedAddress {
  /** 4 or 16 bytes. */
  readonly bytes: Uint8Array;
  readonly family: 4 | 6;
  /** What follows `%`: the interface a link-local address belongs to. */
  readonly zone?: string;
}

/**
 * Reads an address: dotted IPv4 with four decimal parts, or IPv6, each with an optional `%zone`. Undefined if the
 * text is no address; abbreviated, octal or hexadecimal IPv4 forms are none. The result is shared.
 */
export const parseAddress = remembering(REMEMBERED, (text: string): ParsedAddress | undefined => {
  const percent = text.indexOf('%');
  const bare = percent < 0 ? text : text.slice(0, percent);
  const zone = percent < 0 ? undefined : text.slice(percent + 1);
  if (zone === '') return undefined;
  const family = ipaddr.IPv4.isValidFourPartDecimal(bare) ? 4 : ipaddr.IPv6.isValid(bare) ? 6 : undefined;
  if (family === undefined) return undefined;
  const address = family === 4 ? ipaddr.IPv4.parse(bare) : ipaddr.IPv6.parse(bare);
  const bytes = Uint8Array.from(address.toByteArray());
  return zone === undefined ? { bytes, family } : { bytes, family, zone };
});

/** Text of 4 or 16 bytes, IPv6 in the form of RFC 5952. Throws RangeError for another length. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  if (bytes.length !== 16) throw new RangeError(`an address has 4 or 16 bytes, not ${bytes.length}`);
  const inner = unmapped(bytes);
  if (inner.length === 4) return `::ffff:${formatAddress(inner)}`;
  return formatted(String.fromCharCode(...bytes));
}

/** The text of an IPv6 address whose bytes are the characters of `key`. */
const formatted = remembering(REMEMBERED, (key) =>
  new ipaddr.IPv6(Array.from(key, (byte) => byte.charCodeAt(0))).toRFC5952String(),
);

function bytesOf(address: Uint8Array | string): Uint8Array | undefined {
  return typeof address === 'string' ? parseAddress(address)?.bytes : address;
}

/** The IPv4 address inside ::ffff:0:0/96, which shares its scope; else the bytes themselves. */
function unmapped(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return bytes;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return bytes;
  return bytes.subarray(12);
}

/** fe80::/10 or 169.254.0.0/16. */
export function isLinkLocal(address: Uint8Array | string): boolean {
  const whole = bytesOf(address);
  if (!whole) return false;
  const bytes = unmapped(whole);
  return bytes.length === 16
    ? bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80
    : bytes[0] === 169 && bytes[1] === 254;
}

/** ::1 or 127.0.0.0/8. */
export function isLoopback(address: Uint8Array | string): boolean {
  const whole = bytesOf(address);
  if (!whole) return false;
  const bytes = unmapped(whole);
  if (bytes.length === 4) return bytes[0] === 127;
  for (let i = 0; i < 15; i++) if (bytes[i] !== 0) return false;
  return bytes[15] === 1;
}

/** ff00::/8 or 224.0.0.0/4, and the IPv4 space above it. */
function isMulticastOrReserved(bytes: Uint8Array): boolean {
  return bytes.length === 16 ? bytes[0] === 0xff : bytes[0]! >= 224;
}

function isUnspecified(bytes: Uint8Array): boolean {
  return bytes.length === 4 ? bytes[0] === 0 : bytes.every((b) => b === 0);
}

/**
 * Usable off the link it was learnt on: a unicast address, global or unique local (for IPv4 also a private one: NAT
 * cannot be seen from here, §2.9.5.2), and none of loopback, link-local, multicast, unspecified.
 */
export function isGlobalOrUla(address: Uint8Array | string): boolean {
  const whole = bytesOf(address);
  if (!whole) return false;
  const bytes = unmapped(whole);
  return !isLinkLocal(bytes) && !isLoopback(bytes) && !isMulticastOrReserved(bytes) && !isUnspecified(bytes);
}
