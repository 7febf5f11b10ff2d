/** AN_Proxy: the join proxy of a link, for pledges (RFC 8995 §4.1.1). */
import { ErrorCode, GraspError, isLinkLocal } from '../../protocol/index.js';
import type { AsaLocator } from '../locator.js';
import type { TaggedObjective } from '../flooding.js';
import { announce, type Announcement, type AnnounceOptions } from './announce.js';
import type { AnnouncerHost } from './host.js';
import { AN_PROXY } from './kinds.js';
import { AnnouncedList, type ListenOptions } from './listen.js';

/** One way to reach a proxy. */
export interface ProxyMethod {
  readonly port: number;
  /** Default TCP, the method of RFC 8995; others belong to other documents. */
  readonly protocol?: 'tcp' | 'udp' | undefined;
  /** Default the empty text, as in RFC 8995 Figure 11. */
  readonly value?: unknown;
}

/** A proxy on the link. */
export interface JoinProxy {
  /** Link-local IPv6 address, text without zone; it is on `interface`. */
  readonly address: string;
  readonly interface: string;
  readonly port: number;
  readonly protocol: AsaLocator['protocol'];
  readonly value: unknown;
  /** ms since the epoch; 0: never. */
  readonly expiresAt: number;
}

/**
 * Announces a join proxy of this node. Needs a DULL instance that serves AN_Proxy. `others`: further methods, which a
 * proxy may offer only if a registrar announces them (RFC 8995 §4.1.1).
 *
 * Resolves after the first flood. Rejects: 3 bad period, not a DULL instance; 12 announced already; 38 bad port; 40; 42.
 *
 * @example
 * const announcement = await announceProxy(dull, { port: 4443 });
 */
export async function announceProxy(
  host: AnnouncerHost,
  options: AnnounceOptions & {
    /** TCP port of the proxy. */
    readonly port: number;
    readonly others?: readonly ProxyMethod[] | undefined;
  },
): Promise<Announcement> {
  const { port, others = [] } = options;
  if (!Array.isArray(others)) throw new GraspError(ErrorCode.unspec, 'others is a list of methods');
  const methods: readonly ProxyMethod[] = [{ port }, ...(others as readonly ProxyMethod[])];
  const items = methods.map(({ port: at, protocol = 'tcp', value = '' }) => ({
    value,
    locator: { address: '::', port: at, protocol },
  }));
  return announce(host, AN_PROXY, () => items, options);
}

/**
 * The proxies of the link. The method is told by the transport protocol of the locator; the value is not looked at
 * (RFC 8995 §4.1.1). An entry counts only with an IPv6 link-local locator.
 *
 * @param options.protocols of the methods known here; default TCP
 *
 * @example
 * for await (const [proxy] of listenProxy(dull)) if (proxy) break;
 */
export function listenProxy(
  host: AnnouncerHost,
  options: ListenOptions & { readonly protocols?: readonly AsaLocator['protocol'][] | undefined } = {},
): AnnouncedList<JoinProxy> {
  const { protocols = ['tcp'] } = options;
  return new AnnouncedList(host, AN_PROXY, (entry) => proxyOf(entry, protocols), options);
}

function proxyOf(
  { interface: interfaceName, locator, value, expiresAt }: TaggedObjective,
  protocols: readonly AsaLocator['protocol'][],
): JoinProxy | undefined {
  // Without interface it is this node's own.
  if (interfaceName === undefined || locator?.kind !== 'ipv6' || !isLinkLocal(locator.address))
    return undefined;
  const { address, port, protocol } = locator;
  if (!protocols.includes(protocol) || !port) return undefined;
  return { address, interface: interfaceName, port, protocol, value, expiresAt };
}
