import ipaddr from 'ipaddr.js';

/** What IPv4 needs to know of an interface. */
export interface Ipv4Interface {
  readonly name: string;
  /** Its IPv4 addresses with their prefix lengths, `192.0.2.1/24`. */
  readonly networks: readonly string[];
}

/** One subnet; what its addresses have in common, as a number. */
interface Subnet {
  readonly name: string;
  /** Bits behind the prefix. */
  readonly hostBits: number;
  readonly prefix: number;
}

/** By list: a host with many interfaces is not to be read again for every datagram. */
const known = new WeakMap<readonly Ipv4Interface[], readonly Subnet[]>();

/**
 * The interface on whose subnet an IPv4 address lies, by the longest prefix; undefined if it lies on none. Node does
 * not tell the interface of an IPv4 multicast, so this has to. Of several with the same prefix it is the first. The list
 * is read once: it must not change.
 */
export function onLink(address: string, interfaces: readonly Ipv4Interface[]): string | undefined {
  let subnets = known.get(interfaces);
  if (!subnets) known.set(interfaces, (subnets = subnetsOf(interfaces)));
  const number = numberOf(address);
  return subnets.find(({ hostBits, prefix }) => prefixOf(number, hostBits) === prefix)?.name;
}

/** The longest prefix first. */
function subnetsOf(interfaces: readonly Ipv4Interface[]): readonly Subnet[] {
  return interfaces
    .flatMap(({ name, networks }) =>
      networks.map((network) => {
        const [base, length] = ipaddr.IPv4.parseCIDR(network);
        const hostBits = 32 - length;
        return { name, hostBits, prefix: prefixOf(numberOf(base.toString()), hostBits) };
      }),
    )
    .sort((a, b) => a.hostBits - b.hostBits);
}

function prefixOf(number: number, hostBits: number): number {
  return Math.floor(number / 2 ** hostBits);
}

/** Of an address in the form the system gives. */
function numberOf(address: string): number {
  let number = 0;
  for (const octet of address.split('.')) number = number * 256 + Number(octet);
  return number;
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
