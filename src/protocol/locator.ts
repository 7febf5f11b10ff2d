/** Locators (RFC 8990 §2.9.5): text forms, keys, and which of them mean anything beyond one link. */
import { formatAddress, isGlobalOrUla, parseAddress } from './address.js';
import {
  IPPROTO_TCP,
  MAX_PORT,
  O_FQDN_LOCATOR,
  O_IPv4_LOCATOR,
  O_IPv6_LOCATOR,
  O_URI_LOCATOR,
} from './constants.js';
import type { WireLocator } from './messages.js';

export interface ParsedLocator {
  readonly locator: WireLocator;
  /** The zone of the address: the interface by which it is reached. */
  readonly interface: string | undefined;
}

const ALL_DIGITS = /^[0-9]{1,5}$/;
/** Letters, digits, `-` and `_` in labels of at most 63, dots between; non-ASCII letters are left to the resolver. */
const HOST_NAME = /^(?=.{1,253}\.?$)[\p{L}\p{N}\p{M}_](?:[\p{L}\p{N}\p{M}_.-]*[\p{L}\p{N}\p{M}_])?\.?$/u;

/**
 * Reads a locator that a person typed: `10.0.0.1:4000`, `10.0.0.1%eth0:4000`, `[2001:db8::1]:4000`,
 * `[fe80::1%eth0]:4000`, `fe80::1%eth0:4000` or `host.example.com:4000`. Undefined if it is none of these; IPv6
 * without brackets or zone is none, because its last group could be a port.
 */
export function parseLocator(text: string, protocol: number = IPPROTO_TCP): ParsedLocator | undefined {
  const colon = text.lastIndexOf(':');
  if (colon < 1) return undefined;
  const digits = text.slice(colon + 1);
  const port = Number(digits);
  if (!ALL_DIGITS.test(digits) || port > MAX_PORT) return undefined;
  let host = text.slice(0, colon);
  const bracketed = host.startsWith('[') && host.endsWith(']');
  if (bracketed) host = host.slice(1, -1);
  const address = parseAddress(host);
  if (address) {
    if (bracketed !== (address.family === 6) && !(address.family === 6 && address.zone)) return undefined;
    const type = address.family === 6 ? O_IPv6_LOCATOR : O_IPv4_LOCATOR;
    return { locator: { type, address: address.bytes, protocol, port }, interface: address.zone };
  }
  // Four numbers that are no address are a typing error, not a name.
  if (bracketed || !HOST_NAME.test(host) || host.includes('..') || /^[0-9.]+$/.test(host)) return undefined;
  return { locator: { type: O_FQDN_LOCATOR, name: host, protocol, port }, interface: undefined };
}

/** The text form that {@link parseLocator} reads; a URI as it is; without `:port` if the port is null. */
export function formatLocator(locator: WireLocator, interfaceName?: string): string {
  const port = locator.port === null ? '' : `:${locator.port}`;
  const zone = interfaceName ? `%${interfaceName}` : '';
  switch (locator.type) {
    case O_IPv6_LOCATOR:
      return `[${formatAddress(locator.address)}${zone}]${port}`;
    case O_IPv4_LOCATOR:
      return `${formatAddress(locator.address)}${zone}${port}`;
    case O_FQDN_LOCATOR:
      return `${locator.name}${port}`;
    case O_URI_LOCATOR:
      return locator.uri;
  }
}

/**
 * A string equal for equal locators: type, address or name byte for byte, protocol and port, as caches need it
 * (§2.8.11). For use as a key only.
 */
export function locatorKey(locator: WireLocator): string {
  const { type, protocol, port } = locator;
  let body: string;
  if (type === O_IPv6_LOCATOR || type === O_IPv4_LOCATOR) {
    body = '';
    for (const byte of locator.address) body += String.fromCharCode(byte);
  } else {
    body = type === O_FQDN_LOCATOR ? locator.name : locator.uri;
  }
  return `${type}/${protocol ?? ''}/${port ?? ''}/${body}`;
}

/** A copy that shares no memory with a received message. */
export function ownLocator(locator: WireLocator): WireLocator {
  if (locator.type !== O_IPv6_LOCATOR && locator.type !== O_IPv4_LOCATOR) return locator;
  return { ...locator, address: new Uint8Array(locator.address) };
}

/** A name that only hosts of one link or one node know: `x.local` (mDNS, RFC 6762), `localhost` (RFC 6761). */
export function isLocalName(name: string): boolean {
  const lower = name.toLowerCase();
  const bare = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  return bare === 'local' || bare.endsWith('.local') || bare === 'localhost' || bare.endsWith('.localhost');
}

/** The host of `scheme://[user@]host[:port]/…`; undefined where a URI has none. */
function uriHost(uri: string): string | undefined {
  const start = uri.indexOf('://');
  if (start < 0) return undefined;
  const rest = uri.slice(start + 3);
  const authority = rest.slice(0, rest.search(/[/?#]|$/));
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (host.startsWith('[')) return host.slice(1, host.indexOf(']') < 0 ? host.length : host.indexOf(']'));
  const colon = host.indexOf(':');
  return colon < 0 ? host : host.slice(0, colon);
}

/**
 * Whether a locator may stand in an O_DIVERT: no link-local or otherwise local address (§2.9.5.1, §2.9.5.2), no name
 * or URI valid only locally (§2.9.5.3, §2.9.5.4). A URI without a host (`urn:…`) may.
 */
export function usableInDivert(locator: WireLocator): boolean {
  switch (locator.type) {
    case O_IPv6_LOCATOR:
    case O_IPv4_LOCATOR:
      return isGlobalOrUla(locator.address);
    case O_FQDN_LOCATOR:
      return isUsableHost(locator.name);
    case O_URI_LOCATOR: {
      const host = uriHost(locator.uri);
      return host === undefined || isUsableHost(host);
    }
  }
}

function isUsableHost(host: string): boolean {
  return !isLocalName(host) && (!parseAddress(host) || isGlobalOrUla(host));
}
