import ipaddr from 'ipaddr.js';

/** An IPv4 address of an interface and the length of its subnet's prefix. */
export interface Ipv4Address {
  readonly address: string;
  readonly prefix: number;
}

const PREFIX = 20;
const MOST = (1 << (32 - PREFIX)) - 2;

/** The n-th address (from 1) of the n-th link: 10.0.0.0/8 cut into subnets of 4094. Throws a RangeError beyond. */
export function ipv4On(link: number, host: number): Ipv4Address {
  if (link > 4095 || host > MOST) throw new RangeError('no IPv4 addresses are left on this simulated link');
  const low = (link << (32 - PREFIX)) | host;
  return { address: `10.${(low >> 16) & 255}.${(low >> 8) & 255}.${low & 255}`, prefix: PREFIX };
}

/** Reads `192.0.2.1/24`; throws a RangeError for anything else. */
export function parseIpv4(text: string): Ipv4Address {
  if (!ipaddr.IPv4.isValidCIDR(text))
    throw new RangeError(`'${text}' is no IPv4 address with a prefix length`);
  const [address, prefix] = ipaddr.IPv4.parseCIDR(text);
  return { address: address.toString(), prefix };
}

/** Whether an address lies on the subnet of another. Never for IPv6. */
export function isOnSubnet(address: string, { address: own, prefix }: Ipv4Address): boolean {
  return ipaddr.IPv4.isValid(address) && ipaddr.IPv4.parse(address).match(ipaddr.IPv4.parse(own), prefix);
}
