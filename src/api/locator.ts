/** Locators as users see them: asa_locator of RFC 8991 §2.3.2.3, and what may be given as a peer. */
import {
  ErrorCode,
  formatAddress,
  GraspError,
  IPPROTO_TCP,
  IPPROTO_UDP,
  isLinkLocal,
  O_FQDN_LOCATOR,
  O_IPv4_LOCATOR,
  O_IPv6_LOCATOR,
  O_URI_LOCATOR,
  parseAddress,
  parseLocator,
  type CachedLocator,
} from '../protocol/index.js';
import type { Target } from '../substrate/types.js';
import { show } from './checks.js';

/** Where an ASA can be reached, as discovered. */
export interface AsaLocator {
  readonly kind: 'ipv6' | 'ipv4' | 'fqdn' | 'uri';
  /** Address in text form without zone; the name or URI for those kinds. */
  readonly address: string;
  readonly port: number | null;
  readonly protocol: 'tcp' | 'udp' | number | null;
  /** Interface it was learnt on; needed for link-local addresses. Absent for ASAs of this node. */
  readonly interface?: string;
  /** Learnt from a node that is not the responder itself (O_DIVERT). */
  readonly diverted: boolean;
  /** ms since the epoch. */
  readonly expiresAt: number;
}

/** What a request may be sent to: a discovered locator, its parts, or text: `ADDR[%IF]:PORT`, `[ADDR%IF]:PORT`. */
export type PeerLike =
  | AsaLocator
  | { readonly address: string; readonly port: number; readonly interface?: string | undefined }
  | string;

export function toAsaLocator(cached: CachedLocator): AsaLocator {
  const { locator, diverted, expiresAt } = cached;
  const protocol: AsaLocator['protocol'] =
    locator.protocol === IPPROTO_TCP ? 'tcp' : locator.protocol === IPPROTO_UDP ? 'udp' : locator.protocol;
  const rest = {
    port: locator.port,
    protocol,
    ...(cached.interface === '' ? {} : { interface: cached.interface }),
    diverted,
    expiresAt,
  };
  switch (locator.type) {
    case O_IPv6_LOCATOR:
      return { kind: 'ipv6', address: formatAddress(locator.address), ...rest };
    case O_IPv4_LOCATOR:
      return { kind: 'ipv4', address: formatAddress(locator.address), ...rest };
    case O_FQDN_LOCATOR:
      return { kind: 'fqdn', address: locator.name, ...rest };
    case O_URI_LOCATOR:
      return { kind: 'uri', address: locator.uri, ...rest };
  }
}

/** Whether a request can be sent there: TCP, an address, a port. */
export function isUsablePeer(locator: AsaLocator): boolean {
  return (locator.kind === 'ipv6' || locator.kind === 'ipv4') && locator.protocol === 'tcp' && !!locator.port;
}

/** Where to connect to; invalidLoc (38) if a request cannot go there (api.md §4.6). */
export function toTarget(peer: PeerLike): Target {
  const unusable = (why: string): GraspError =>
    new GraspError(ErrorCode.invalidLoc, `${show(peerText(peer))}: ${why}`);
  if (typeof peer === 'string') {
    const parsed = parseLocator(peer);
    if (!parsed) throw unusable('not ADDR[%IF]:PORT');
    if (parsed.locator.type !== O_IPv6_LOCATOR && parsed.locator.type !== O_IPv4_LOCATOR) {
      throw unusable('only addresses can be connected to');
    }
    return target(formatAddress(parsed.locator.address), parsed.locator.port, parsed.interface);
  }
  if ('kind' in peer) {
    if (peer.kind === 'uri') throw unusable('URI locators are handed over, not connected to');
    if (peer.kind === 'fqdn') throw unusable('only addresses can be connected to');
    if (peer.protocol !== 'tcp') throw unusable('requests need TCP');
  }
  const [address, zone] = peer.address.split('%');
  return target(address!, peer.port, peer.interface ?? zone);

  function target(text: string, port: number | null, interfaceName: string | undefined): Target {
    const known = normalised(text);
    if (!known) throw unusable('not an address');
    if (port === null || !Number.isInteger(port) || port < 1 || port > 65_535) {
      throw unusable('no usable port');
    }
    if (known.linkLocal && interfaceName === undefined) {
      throw unusable('a link-local address needs its interface (ADDR%IF)');
    }
    return { address: known.address, port, interface: interfaceName };
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
  return typeof peer === 'string' ? peer : `${peer.address}:${peer.port}`;
}
