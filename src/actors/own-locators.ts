/**
 * The locators this node gives of itself in an M_RESPONSE (RFC 8990 §2.5.4.3, §2.9.5; api.md §4.3). They are made
 * for each response, so that they follow the addresses of the node.
 */
import {
  formatAddress,
  IPPROTO_TCP,
  isLinkLocal,
  O_IPv4_LOCATOR,
  O_IPv6_LOCATOR,
  parseAddress,
  type WireLocator,
} from '../protocol/index.js';
import { isUsable, ownAddress } from '../substrate/own-address.js';
import type { Environment } from '../substrate/types.js';
import type { AnnouncedListener } from './core-protocol.js';

export type Family = 4 | 6;

/** The locators for whoever asked over this interface in this address family; none: it cannot be answered now. */
export function ownLocators(
  environment: Environment,
  listener: AnnouncedListener,
  interfaceName: string,
  family: Family,
): readonly WireLocator[] {
  const { locators, local, port } = listener;
  // D-05: exactly these; but a link-local address means nothing beyond its link (§2.9.5.1).
  if (locators?.length) return locators.filter((locator) => isValidAt(environment, locator, interfaceName));
  const address = local
    ? linkLocalAddress(environment, interfaceName, family)
    : ownAddressOf(environment, interfaceName, family);
  return address === undefined ? [] : [tcpLocator(address, port)];
}

/** `address` as text, without zone. */
export function tcpLocator(address: string, port: number): WireLocator {
  const { bytes, family } = parseAddress(address)!;
  return {
    type: family === 6 ? O_IPv6_LOCATOR : O_IPv4_LOCATOR,
    address: bytes,
    protocol: IPPROTO_TCP,
    port,
  };
}

/** The family of an address as text. */
export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

/** The interface that a link-local locator of this node belongs to; '' for any other locator. */
export function interfaceOf(environment: Environment, locator: WireLocator): string {
  return environment.interfaces.find(({ name }) => isLinkLocalOf(environment, locator, name))?.name ?? '';
}

/**
 * Who asks by IPv4 may have nothing else: it gets an IPv4 address if there is one. One address is enough, since all
 * would lead to the same responder (§2.8.5) and a simple peer looks at the first only.
 */
function ownAddressOf(environment: Environment, interfaceName: string, family: Family): string | undefined {
  if (family === 4) {
    const { interfaces, otherAddresses } = environment;
    const all = [...interfaces.flatMap(({ addresses }) => addresses), ...otherAddresses];
    const ipv4 = all.find((address) => familyOf(address) === 4 && isUsable(address));
    if (ipv4 !== undefined) return ipv4;
  }
  return ownAddress(environment, interfaceName);
}

function linkLocalAddress(
  environment: Environment,
  interfaceName: string,
  family: Family,
): string | undefined {
  const info = environment.interfaces.find(({ name }) => name === interfaceName);
  const ipv4 = info?.addresses.find((address) => familyOf(address) === 4 && isLinkLocal(address));
  return family === 4 ? (ipv4 ?? info?.linkLocal) : (info?.linkLocal ?? ipv4);
}

function isValidAt(environment: Environment, locator: WireLocator, interfaceName: string): boolean {
  if (locator.type !== O_IPv6_LOCATOR && locator.type !== O_IPv4_LOCATOR) return true;
  return !isLinkLocal(locator.address) || isLinkLocalOf(environment, locator, interfaceName);
}

function isLinkLocalOf({ interfaces }: Environment, locator: WireLocator, interfaceName: string): boolean {
  if (locator.type !== O_IPv6_LOCATOR && locator.type !== O_IPv4_LOCATOR) return false;
  if (!isLinkLocal(locator.address)) return false;
  const info = interfaces.find(({ name }) => name === interfaceName);
  const text = formatAddress(locator.address);
  return info?.linkLocal === text || (info?.addresses.includes(text) ?? false);
}
