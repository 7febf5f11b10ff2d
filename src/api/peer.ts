/** Where requests go: what users may give as a peer, as the address to connect to. */
import {
  ErrorCode,
  formatAddress,
  GraspError,
  isLinkLocal,
  O_FQDN_LOCATOR,
  O_IPv4_LOCATOR,
  O_IPv6_LOCATOR,
  O_URI_LOCATOR,
  parseAddress,
  parseLocator,
} from '../protocol/index.js';
import type { Target } from '../substrate/types.js';
import { show } from './checks.js';
import type { AsaLocator } from './locator.js';

/**
 * What a request may be sent to: a discovered locator, its parts, or text: `ADDR[%IF]:PORT`, `[ADDR%IF]:PORT`,
 * `NAME:PORT`. A name is resolved when the request is made (RFC 8990 §2.9.5.3).
 */
export type PeerLike =
  | AsaLocator
  | { readonly address: string; readonly port: number; readonly interface?: string | undefined }
  | string;

/** Whether a request can be sent there: TCP, an address or a name, a port. */
export function isUsablePeer(locator: AsaLocator): boolean {
  return locator.kind !== 'uri' && locator.protocol === 'tcp' && !!locator.port;
}

/** Where to connect to; invalidLoc (38) if a request cannot go there (api.md §4.6). */
export function toTarget(peer: PeerLike): Target {
  const unusable = (why: string): GraspError =>
    new GraspError(ErrorCode.invalidLoc, `${show(peerText(peer))}: ${why}`);
  if (typeof peer === 'string') {
    const parsed = parseLocator(peer);
    if (!parsed) throw unusable('not ADDR[%IF]:PORT or NAME:PORT');
    const { locator } = parsed;
    switch (locator.type) {
      case O_IPv6_LOCATOR:
      case O_IPv4_LOCATOR:
        return target(formatAddress(locator.address), locator.port, parsed.interface);
      case O_FQDN_LOCATOR:
        return named(locator.name, locator.port);
      case O_URI_LOCATOR:
        throw unusable('URI locators are handed over, not connected to');
    }
  }
  if (typeof peer !== 'object' || peer === null || typeof peer.address !== 'string') {
    throw unusable('not a locator');
  }
  if ('kind' in peer) {
    if (peer.kind === 'uri') throw unusable('URI locators are handed over, not connected to');
    if (peer.protocol !== 'tcp') throw unusable('requests need TCP');
    if (peer.kind === 'fqdn') return named(peer.address, peer.port);
  }
  const [address, zone] = peer.address.split('%');
  return target(address!, peer.port, peer.interface ?? zone);

  function target(text: string, port: number | null, interfaceName: string | undefined): Target {
    const known = normalised(text);
    if (!known) return named(text, port);
    if (known.linkLocal && interfaceName === undefined) {
      throw unusable('a link-local address needs its interface (ADDR%IF)');
    }
    return { address: known.address, port: usable(port), interface: interfaceName };
  }

  function named(name: string, port: number | null): Target {
    if (parseLocator(`${name}:1`)?.locator.type !== O_FQDN_LOCATOR) {
      throw unusable('neither an address nor a host name');
    }
    return { address: name, fqdn: true, port: usable(port) };
  }

  function usable(port: number | null): number {
    if (port === null || !Number.isInteger(port) || port < 1 || port > 65_535) {
      throw unusable('no usable port');
    }
    return port;
  }
}

interface NormalisedAddress {
  readonly address: string;
  readonly linkLocal: boolean;
}

/** Addresses seen lately: reading one costs a tenth of a whole request, and peers are few. */
const recentAddresses = new Map<string, NormalisedAddress>();
const RECENT_ADDRESSES = 256;

function normalised(text: string): NormalisedAddress | undefined {
  const recent = recentAddresses.get(text);
  if (recent) return recent;
  const parsed = parseAddress(text);
  if (!parsed) return undefined;
  const known = { address: formatAddress(parsed.bytes), linkLocal: isLinkLocal(parsed.bytes) };
  if (recentAddresses.size >= RECENT_ADDRESSES) recentAddresses.clear();
  recentAddresses.set(text, known);
  return known;
}

function peerText(peer: PeerLike): string {
  if (typeof peer === 'string') return peer;
  return typeof peer === 'object' && peer !== null ? `${peer.address}:${peer.port}` : String(peer);
}
