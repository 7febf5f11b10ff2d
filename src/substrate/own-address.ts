import ipaddr from 'ipaddr.js';
import { remembering } from '../protocol/index.js';
import type { Environment } from './types.js';

/**
 * Whether an address, as text without zone, may stand in a locator or an initiator field beyond its own link:
 * global or unique local, or any IPv4 address that is not loopback or link-local (RFC 8990 §2.9.5.1).
 */
export const isUsable = remembering(256, (address: string): boolean => {
  if (!ipaddr.isValid(address)) return false;
  switch (ipaddr.parse(address).range()) {
    case 'loopback':
    case 'linkLocal':
    case 'multicast':
    case 'unspecified':
    case 'broadcast':
    case 'ipv4Mapped':
      return false;
    default:
      return true;
  }
});

/**
 * Whether a domain name means something on one link or host only (mDNS `.local`, `localhost`): never what a peer
 * elsewhere meant (RFC 8990 §2.9.5.3).
 */
export function isLocalName(name: string): boolean {
  return /(^|\.)(local|localhost)\.?$/i.test(name);
}

/** An address without zone, and as IPv4 where a dual-stack socket writes it mapped. */
export function plainAddress(text: string): string {
  const zone = text.indexOf('%');
  const bare = zone < 0 ? text : text.slice(0, zone);
  return bare.startsWith('::ffff:') && bare.includes('.') ? bare.slice('::ffff:'.length) : bare;
}

/** Whether something that comes from this address comes from this host, loopback included. */
export function isOwnAddress({ interfaces, otherAddresses }: Environment, text: string): boolean {
  const address = plainAddress(text);
  return (
    address === '::1' ||
    address.startsWith('127.') ||
    otherAddresses.includes(address) ||
    interfaces.some(({ linkLocal, addresses }) => linkLocal === address || addresses.includes(address))
  );
}

/**
 * The address this node gives in locators: the first usable one of the chosen interfaces, else of any other
 * interface including `lo`, else the link-local one of `interfaceName`, which is valid on that link only.
 * IPv6 comes before IPv4 on each step. Undefined if there is none; `::1` never goes out.
 */
export function ownAddress(environment: Environment, interfaceName?: string): string | undefined {
  const { interfaces, otherAddresses } = environment;
  return (
    first(interfaces.flatMap((info) => info.addresses)) ??
    first(otherAddresses) ??
    (interfaceName === undefined ? undefined : linkLocalOf(environment, interfaceName))
  );
}

/**
 * The address for the initiator field of a discovery or flood that leaves on `interfaceName` (RFC 8990 §2.8.4,
 * §2.8.11): a globally unique one, or a link-local one if the node has no other. Without an interface, any
 * link-local address will do: the field only tells session identifiers of different nodes apart.
 */
export function initiatorAddress(environment: Environment, interfaceName?: string): string | undefined {
  const { interfaces } = environment;
  return (
    ownAddress(environment, interfaceName) ??
    interfaces.map(({ name }) => linkLocalOf(environment, name)).find((address) => address !== undefined)
  );
}

/**
 * The address by which two ASAs of this engine reach each other: like {@link ownAddress}, and `::1` when the
 * node has no address at all. Never to be sent to anybody else.
 */
export function addressForSelf(environment: Environment): string {
  return ownAddress(environment) ?? '::1';
}

/** IPv6 before IPv4 (169.254.0.0/16, RFC 3927). */
function linkLocalOf(environment: Environment, interfaceName: string): string | undefined {
  const info = environment.interfaces.find(({ name }) => name === interfaceName);
  return info?.linkLocal ?? info?.addresses.find((address) => /^169\.254\./.test(address));
}

function first(addresses: readonly string[]): string | undefined {
  const usable = addresses.filter(isUsable);
  return usable.find((address) => address.includes(':')) ?? usable[0];
}
