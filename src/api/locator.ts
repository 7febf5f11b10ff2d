/** Locators as users see them: asa_locator of RFC 8991 §2.3.2.3, RFC 8990 §2.9.5. */
import {
  ErrorCode,
  formatAddress,
  GraspError,
  IPPROTO_TCP,
  IPPROTO_UDP,
  MAX_PORT,
  O_FQDN_LOCATOR,
  O_IPv4_LOCATOR,
  O_IPv6_LOCATOR,
  O_URI_LOCATOR,
  parseAddress,
  parseLocator,
  type CachedLocator,
  type WireLocator,
} from '../protocol/index.js';
import type { Target } from '../substrate/types.js';
import { show } from './checks.js';

/** Where an ASA can be reached, as discovered; or what a flooded objective is tagged with. */
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
  /** ms since the epoch; 0: never. */
  readonly expiresAt: number;
}

/**
 * A locator to be announced or flooded: one that was received, its parts, or text.
 *
 * Parts: `kind` may be left out for addresses; `protocol` is TCP by default. A port from 0 to 65535 and a protocol
 * from 0 to 255 are needed, except for URIs, where both may be null (and are by default).
 *
 * Text: `[2001:db8::1]:4000`, `192.0.2.1:4000`, `host.example.com:4000`, each TCP unless `/udp` or `/NUMBER` follows;
 * or a URI (`scheme://…`, `urn:…`). An interface (`%eth0`) is refused: what is sent has no room for it.
 */
export type LocatorLike =
  | AsaLocator
  | {
      readonly kind?: AsaLocator['kind'] | undefined;
      readonly address: string;
      readonly port?: number | null | undefined;
      readonly protocol?: AsaLocator['protocol'] | undefined;
    }
  | string;

export function toAsaLocator(cached: Omit<CachedLocator, 'rapid'>): AsaLocator {
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

/** The locator of an address that was connected to. */
export function locatorOf(target: Target): AsaLocator {
  const family = parseAddress(target.address)?.family;
  return {
    kind: target.fqdn ? 'fqdn' : family === 4 ? 'ipv4' : 'ipv6',
    address: target.address,
    port: target.port,
    protocol: 'tcp',
    ...(target.interface === undefined ? {} : { interface: target.interface }),
    diverted: false,
    expiresAt: 0,
  };
}

/** The tag of an objective to be flooded; invalidLoc (38) if it is none that can be sent. */
export function toFloodLocator(like: LocatorLike): WireLocator {
  return checkedLocator(like).locator;
}

/** A locator for M_RESPONSEs; invalidLoc (38) also for what receivers of one would drop (RFC 8990 §2.9.5). */
export function toResponseLocator(like: LocatorLike): WireLocator {
  const { locator, unusable } = checkedLocator(like);
  const { protocol } = locator;
  if (protocol !== null && protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP) {
    throw unusable('the protocol of an announced locator is TCP or UDP');
  }
  // Only a flood has an interface whose address could take its place (C-21).
  if (isUnspecified(locator)) throw unusable('nobody can be reached there');
  return locator;
}

function checkedLocator(like: LocatorLike): { locator: WireLocator; unusable: (why: string) => GraspError } {
  const unusable = (why: string): GraspError =>
    new GraspError(ErrorCode.invalidLoc, `${show(textOf(like))}: ${why}`);
  const locator = typeof like === 'string' ? ofText(like) : ofParts(like);
  if (!locator) throw unusable('not an address, a name or a URI with its port');
  const { type, protocol, port } = locator;
  // Null stands for "told by the URI itself", and only a URI can do that (§2.9.5.4).
  const nullable = type === O_URI_LOCATOR;
  if (!(isUpTo(protocol, 255) || (nullable && protocol === null))) throw unusable('no usable protocol');
  if (!(isUpTo(port, MAX_PORT) || (nullable && port === null))) throw unusable('no usable port');
  if (type === O_FQDN_LOCATOR && parseLocator(`${locator.name}:1`)?.locator.type !== O_FQDN_LOCATOR) {
    throw unusable('not a host name');
  }
  if (type === O_URI_LOCATOR && !URI.test(locator.uri)) throw unusable('not a URI');
  return { locator, unusable };
}

/** The tag of a flooded objective, to find its entry again: whatever has come over the wire is taken. */
export function toTag(like: LocatorLike): WireLocator {
  const locator = typeof like === 'string' ? ofText(like) : ofParts(like);
  if (!locator) throw new GraspError(ErrorCode.invalidLoc, show(textOf(like)));
  return locator;
}

function isUnspecified(locator: WireLocator): boolean {
  return (
    (locator.type === O_IPv6_LOCATOR || locator.type === O_IPv4_LOCATOR) &&
    locator.address.every((byte) => byte === 0)
  );
}

/** RFC 3986 §3.1; control characters, blanks and lone surrogates have no place in one. */
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[^\p{Cc}\p{Cs}\s]+$/u;
/** Text that can be nothing but a URI: `host:4000` has the form of one too. */
const URI_TEXT = /^([A-Za-z][A-Za-z0-9+.-]*:\/\/|urn:)/;
const PROTOCOL_SUFFIX = /^(.*)\/(tcp|udp|[0-9]{1,3})$/;

function ofText(text: string): WireLocator | undefined {
  if (URI_TEXT.test(text)) return { type: O_URI_LOCATOR, uri: text, protocol: null, port: null };
  const [, place = text, protocol = 'tcp'] = PROTOCOL_SUFFIX.exec(text) ?? [];
  const number = protocol === 'tcp' ? IPPROTO_TCP : protocol === 'udp' ? IPPROTO_UDP : Number(protocol);
  const parsed = parseLocator(place, number);
  return parsed && parsed.interface === undefined ? parsed.locator : undefined;
}

function ofParts(parts: Exclude<LocatorLike, string>): WireLocator | undefined {
  if (typeof parts !== 'object' || parts === null || typeof parts.address !== 'string') return undefined;
  const { kind, address } = parts;
  const port = parts.port ?? null;
  const protocol = numberOf(
    parts.protocol === undefined && kind !== 'uri' ? 'tcp' : (parts.protocol ?? null),
  );
  if (kind === 'uri') return { type: O_URI_LOCATOR, uri: address, protocol, port };
  if (protocol === null) return undefined;
  switch (kind) {
    case 'fqdn':
      return { type: O_FQDN_LOCATOR, name: address, protocol, port };
    case undefined:
    case 'ipv6':
    case 'ipv4': {
      const parsed = parseAddress(address);
      if (!parsed || parsed.zone !== undefined) return undefined;
      if (kind !== undefined && kind !== `ipv${parsed.family}`) return undefined;
      const type = parsed.family === 6 ? O_IPv6_LOCATOR : O_IPv4_LOCATOR;
      return { type, address: parsed.bytes, protocol, port };
    }
    default:
      return undefined;
  }
}

function numberOf(protocol: AsaLocator['protocol']): number | null {
  return protocol === 'tcp' ? IPPROTO_TCP : protocol === 'udp' ? IPPROTO_UDP : protocol;
}

function isUpTo(value: unknown, most: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
}

function textOf(like: LocatorLike): string {
  if (typeof like === 'string') return like;
  return typeof like === 'object' && like !== null ? `${like.address}:${like.port}` : String(like);
}
