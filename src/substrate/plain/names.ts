import { lookup } from 'node:dns/promises';
import { isLocalName, isUsable } from '../own-address.js';
import { SubstrateError } from '../types.js';

/** Addresses of one name that are tried at most: its answer is somebody else's. */
const ADDRESSES_TRIED = 8;

/**
 * The addresses of a fully qualified domain name that can be connected to, in the order of the resolver (RFC 8990
 * §2.8.6). Names under `.local` (mDNS) and link-local or loopback results mean something on one link or host only,
 * never what a peer somewhere else meant (§2.9.5.3). Rejects `unreachable` if nothing is left.
 */
export async function resolveName(name: string): Promise<string[]> {
  if (isLocalName(name)) throw new SubstrateError('unreachable', `${name} is a name of one link only`);
  let found: { address: string }[];
  try {
    found = await lookup(name, { all: true, verbatim: true });
  } catch (error) {
    throw new SubstrateError('unreachable', `${name} cannot be resolved`, { cause: error });
  }
  const usable = found.map(({ address }) => address).filter(isUsable);
  if (usable.length > 0) return usable.slice(0, ADDRESSES_TRIED);
  throw new SubstrateError('unreachable', `${name} has no address that can be used from here`);
}
