/** SRV.est and AN_join_registrar: services of a protected network (RFC 8994 §6.2.5.1, RFC 8995 §4.3). */
import { ErrorCode, GraspError, isGlobalOrUla } from '../../protocol/index.js';
import type { Asa } from '../asa.js';
import type { TaggedObjective } from '../flooding.js';
import type { AsaLocator } from '../locator.js';
import { announce, type Announcement, type AnnounceOptions } from './announce.js';
import type { AnnouncerHost } from './host.js';
import { AN_JOIN_REGISTRAR, SRV_EST } from './kinds.js';
import { AnnouncedList, type ListenOptions } from './listen.js';

export interface NetworkAnnounceOptions extends AnnounceOptions {
  /** IPv6 address of the service. Default: the first of this node that is not link-local, as it is at each flood. */
  readonly address?: string | undefined;
}

/** A protocol a registrar speaks, and where. */
export interface RegistrarProtocol {
  /** `EST-TLS`, or another one; RFC 8995 §4.3. */
  readonly name: string;
  readonly port: number;
  /** Default TCP, which is required for one of them. */
  readonly protocol?: 'tcp' | 'udp' | undefined;
}

/** An EST server. */
export interface EstServer {
  readonly address: string;
  readonly port: number;
  /** ms since the epoch; 0: never. */
  readonly expiresAt: number;
}

/** A registrar, with one of the protocols it speaks. */
export interface Registrar {
  /** What it says it speaks, `EST-TLS`. */
  readonly name: string;
  /** As it was flooded; some documents use protocols and ports that this engine does not connect to. */
  readonly locator: AsaLocator;
  /** ms since the epoch; 0: never. */
  readonly expiresAt: number;
}

/**
 * Announces an EST server of this node through the network (SRV.est). `when` keeps it quiet while the CA behind it is out
 * of reach (RFC 8994 §6.2.5.1).
 *
 * Resolves after the first flood. Rejects: 3 bad period, no address, a DULL instance; 12 announced already; 16; 38; 42.
 *
 * @example
 * await announceEst(grasp, { port: 443, when: () => caIsReachable() });
 */
export async function announceEst(
  host: AnnouncerHost,
  options: NetworkAnnounceOptions & { readonly port: number },
): Promise<Announcement> {
  const { port, address } = options;
  return announce(
    host,
    SRV_EST,
    async (asa) => [{ value: null, locator: { address: address ?? (await ownAddress(asa)), port } }],
    options,
  );
}

/** The EST servers of the network; a value is ignored (RFC 8994 §6.2.5.1). */
export function listenEst(host: AnnouncerHost, options: ListenOptions = {}): AnnouncedList<EstServer> {
  return new AnnouncedList(
    host,
    SRV_EST,
    ({ locator, expiresAt }) => {
      if (locator?.kind !== 'ipv6' || locator.protocol !== 'tcp' || !locator.port) return undefined;
      return isGlobalOrUla(locator.address)
        ? { address: locator.address, port: locator.port, expiresAt }
        : undefined;
    },
    options,
  );
}

/**
 * Announces a registrar of this node through the network (AN_join_registrar), with a tagged objective for each protocol.
 *
 * Resolves after the first flood. Rejects: 3 bad period, none of the protocols is TCP, no address, a DULL instance; 12
 * announced already; 16; 38; 40; 42.
 *
 * @example
 * await announceRegistrar(grasp, { protocols: [{ name: 'EST-TLS', port: 8443 }] });
 */
export async function announceRegistrar(
  host: AnnouncerHost,
  options: NetworkAnnounceOptions & { readonly protocols: readonly RegistrarProtocol[] },
): Promise<Announcement> {
  const { protocols, address } = options;
  if (!Array.isArray(protocols) || !protocols.some(({ protocol }: RegistrarProtocol) => isTcp(protocol))) {
    throw new GraspError(ErrorCode.unspec, 'protocols is a list, and one of them is TCP (RFC 8995 §4.3)');
  }
  return announce(
    host,
    AN_JOIN_REGISTRAR,
    async (asa) => {
      const own = address ?? (await ownAddress(asa));
      return (protocols as readonly RegistrarProtocol[]).map(({ name, port, protocol = 'tcp' }) => ({
        value: name,
        locator: { address: own, port, protocol },
      }));
    },
    options,
  );
}

/** The registrars of the network, one entry per protocol; what is no text and locator is left out (RFC 8995 §4.3). */
export function listenRegistrar(host: AnnouncerHost, options: ListenOptions = {}): AnnouncedList<Registrar> {
  return new AnnouncedList(host, AN_JOIN_REGISTRAR, registrarOf, options);
}

function registrarOf({ locator, value: name, expiresAt }: TaggedObjective): Registrar | undefined {
  return locator && typeof name === 'string' ? { name, locator, expiresAt } : undefined;
}

function isTcp(protocol: RegistrarProtocol['protocol']): boolean {
  return (protocol ?? 'tcp') === 'tcp';
}

/** The address for locators of this node (RFC 8994 §6.9.2: never a link-local one). */
async function ownAddress(asa: Asa): Promise<string> {
  const { interfaces } = await asa.status();
  const addresses = interfaces.flatMap(({ addresses: each }) => each);
  const own = addresses.find((address) => address.includes(':') && isGlobalOrUla(address));
  if (own === undefined) {
    throw new GraspError(ErrorCode.unspec, 'this node has no IPv6 address beyond its links to announce');
  }
  return own;
}
