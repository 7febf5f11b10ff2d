import ipaddr from 'ipaddr.js';

/** What IPv4 needs to know of an interface. */
export interface Ipv4Interface {
  readonly name: string;
  /** Its IPv4 addresses with their prefix lengths, `192.0.2.1/24`. */
  readonly networks: readonly string[];
}

/**
 * The interface on whose subnet an IPv4 address lies, by the longest prefix; undefined if it lies on none. Node does
 * not tell the interface of an IPv4 multicast, so this has to.
 */
export function onLink(address: string, interfaces: readonly Ipv4Interface[]): string | undefined {
  const parsed = ipaddr.IPv4.parse(address);
  let found: { name: string; length: number } | undefined;
  for (const { name, networks } of interfaces) {
    for (const network of networks) {
      const [base, length] = ipaddr.IPv4.parseCIDR(network);
      if (parsed.match(base, length) && length > (found?.length ?? -1)) found = { name, length };
    }
  }
  return found?.name;
}

/**
 * Pairs of interfaces with one and the same IPv4 subnet: what comes from it could have come by either. The second
 * of each pair cannot be used for IPv4.
 */
export function sharedSubnets(
  interfaces: readonly Ipv4Interface[],
): { first: string; second: string; subnet: string }[] {
  const shared: { first: string; second: string; subnet: string }[] = [];
  const owners = new Map<string, string>();
  for (const { name, networks } of interfaces) {
    for (const network of networks) {
      const length = network.slice(network.indexOf('/'));
      const subnet = `${ipaddr.IPv4.networkAddressFromCIDR(network).toString()}${length}`;
      const first = owners.get(subnet);
      if (first === undefined) owners.set(subnet, name);
      else if (first !== name) shared.push({ first, second: name, subnet });
    }
  }
  return shared;
}
