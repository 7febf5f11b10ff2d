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
  remembering,
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
  if (typeof peer === 'string') {
    const parsed = parseLocator(peer);
    if (!parsed) throw unusable(peer, 'not ADDR[%IF]:PORT or NAME:PORT');
    const { locator } = parsed;
    switch (locator.type) {
      case O_IPv6_LOCATOR:
      case O_IPv4_LOCATOR:
        return addressed(peer, formatAddress(locator.address), locator.port, parsed.interface);
      case O_FQDN_LOCATOR:
        return named(peer, locator.name, locator.port);
      case O_URI_LOCATOR:
        throw unusable(peer, 'URI locators are handed over, not connected to');
    }
  }
  if (typeof peer !== 'object' || peer === null || typeof peer.address !== 'string') {
    throw unusable(peer, 'not a locator');
  }
  const { address, port } = peer;
  if ('kind' in peer) {
    if (peer.kind === 'uri') throw unusable(peer, 'URI locators are handed over, not connected to');
    if (peer.protocol !== 'tcp') throw unusable(peer, 'requests need TCP');
    if (peer.kind === 'fqdn') return named(peer, address, port);
  }
  const end = address.indexOf('%');
  if (end < 0) return addressed(peer, address, port, peer.interface);
  return addressed(peer, address.slice(0, end), port, peer.interface ?? address.slice(end + 1));
}

function unusable(peer: PeerLike, why: string): GraspError {
  return new GraspError(ErrorCode.invalidLoc, `${show(peerText(peer))}: ${why}`);
}

function addressed(
  peer: PeerLike,
  text: string,
  port: number | null,
  interfaceName: string | undefined,
): Target {
  const known = normalised(text);
  if (!known) return named(peer, text, port);
  if (known.linkLocal && interfaceName === undefined) {
    throw unusable(peer, 'a link-local address needs its interface (ADDR%IF)');
  }
  return { address: known.address, port: usablePort(peer, port), interface: interfaceName };
}

function named(peer: PeerLike, name: string, port: number | null): Target {
  if (parseLocator(`${name}:1`)?.locator.type !== O_FQDN_LOCATOR) {
    throw unusable(peer, 'neither an address nor a host name');
  }
  return { address: name, fqdn: true, port: usablePort(peer, port) };
}

function usablePort(peer: PeerLike, port: number | null): number {
  if (port === null || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw unusable(peer, 'no usable port');
  }
  return port;
}

interface NormalisedAddress {
  readonly address: string;
  readonly linkLocal: boolean;
}

/** Peers are few, and reading an address costs a tenth of a whole request. */
const normalised = remembering(256, (text): NormalisedAddress | undefined => {
  const parsed = parseAddress(text);
  return parsed && { address: formatAddress(parsed.bytes), linkLocal: isLinkLocal(parsed.bytes) };
});

function peerText(peer: PeerLike): string {
  if (typeof peer === 'string') return peer;
  return typeof peer === 'object' && peer !== null ? `${peer.address}:${peer.port}` : String(peer);
}
