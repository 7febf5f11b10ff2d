/** AN_ACP: neighbours with which an ACP can be built (RFC 8994 §6.4). */
import { ErrorCode, GraspError, isLinkLocal, MAX_PORT } from '../../protocol/index.js';
import { show } from '../checks.js';
import type { TaggedObjective } from '../flooding.js';
import { announce, type AnnouncedItem, type Announcement, type AnnounceOptions } from './announce.js';
import type { AnnouncerHost } from './host.js';
import { AN_ACP } from './kinds.js';
import { AnnouncedList, type ListenOptions } from './listen.js';

/** A method by which a secure channel can be set up with this node. */
export interface AcpMethod {
  /** `IKEv2`, `DTLS`, or an identifier: `[A-Za-z@_$]([-.]*[A-Za-z0-9@_$])*`. */
  readonly name: string;
  /** UDP port. Default for IKEv2: 500; others have none and need it. */
  readonly port?: number | undefined;
  /** Parameters of the method; those who do not know them ignore them. */
  readonly params?: readonly unknown[] | undefined;
  /** Extensions of the objective, likewise. */
  readonly extensions?: readonly unknown[] | undefined;
}

/** A neighbour, with one method it offers. */
export interface AcpNeighbour {
  /** Link-local IPv6 address, text without zone; it is on `interface`. */
  readonly address: string;
  readonly interface: string;
  readonly method: string;
  /** UDP. */
  readonly port: number;
  readonly params: readonly unknown[];
  readonly extensions: readonly unknown[];
  /** ms since the epoch; 0: never. */
  readonly expiresAt: number;
}

/** RFC 8994 §6.4: the default port of a method, used when an announcement holds no locator. */
const DEFAULT_PORTS: Readonly<Record<string, number>> = { IKEv2: 500 };
const METHODS = ['IKEv2', 'DTLS'];
const METHOD_NAME = /^[A-Za-z@_$]([-.]*[A-Za-z0-9@_$])*$/;

/**
 * Announces this node as an ACP neighbour: one flood per period with one tagged objective per method, each with a
 * locator of its own, which becomes the link-local address of the interface. Each method has its port in it, also where
 * the default would do: without locator, announcements of several neighbours could not be told apart (RFC 8990 §2.8.11).
 *
 * Needs a DULL instance that serves AN_ACP. Resolves after the first flood. Rejects: 3 no method, bad name, port or
 * period, not a DULL instance; 12 announced already; 38; 40 too much for a datagram; 42.
 *
 * @example
 * const dull = await Grasp.start({ substrate: { kind: 'plain', interfaces: ['eth0'] }, dull: { objectives: ['AN_ACP'] } });
 * const announcement = await announceAcp(dull, { methods: [{ name: 'IKEv2' }, { name: 'DTLS', port: 17000 }] });
 * await announcement.stop();
 */
export async function announceAcp(
  host: AnnouncerHost,
  options: AnnounceOptions & { readonly methods: readonly AcpMethod[] },
): Promise<Announcement> {
  const { methods } = options;
  if (!Array.isArray(methods) || methods.length === 0) {
    throw new GraspError(ErrorCode.unspec, 'methods is a list of at least one method');
  }
  const items = (methods as readonly AcpMethod[]).map(itemOf);
  return announce(host, AN_ACP, () => items, options);
}

/**
 * The neighbours that announce methods known here. Unknown methods are left out, unknown parameters and extensions are
 * handed over as they came (RFC 8994 §6.4). An entry counts only if its locator is absent, or an IPv6 one for UDP with
 * the very address of the flood's initiator. Whoever is on the link may announce anything: it is the method's business
 * to find out who that is.
 *
 * Announcements without locator replace each other in the flood cache (RFC 8990 §2.8.11); of several such neighbours the
 * one heard last is listed.
 *
 * @param options.methods names of the methods known here; default IKEv2 and DTLS
 *
 * @example
 * for await (const neighbours of listenAcp(dull, { signal })) console.log(neighbours);
 */
export function listenAcp(
  host: AnnouncerHost,
  options: ListenOptions & { readonly methods?: readonly string[] | undefined } = {},
): AnnouncedList<AcpNeighbour> {
  const { methods = METHODS } = options;
  return new AnnouncedList(host, AN_ACP, (entry) => neighbourOf(entry, methods), options);
}

function itemOf({
  name,
  port = DEFAULT_PORTS[name],
  params = [],
  extensions = [],
}: AcpMethod): AnnouncedItem {
  if (typeof name !== 'string' || !METHOD_NAME.test(name)) {
    throw new GraspError(ErrorCode.unspec, `${show(name)} is no method name (RFC 8994 §6.4)`);
  }
  if (port === undefined) throw new GraspError(ErrorCode.unspec, `${name} has no default port: give one`);
  if (!isPort(port)) throw new GraspError(ErrorCode.unspec, `port of ${name}: ${show(port)}`);
  const method = params.length > 0 ? [name, ...params] : name;
  return {
    value: params.length > 0 || extensions.length > 0 ? [method, ...extensions] : name,
    locator: { address: '::', port, protocol: 'udp' },
  };
}

function neighbourOf(entry: TaggedObjective, methods: readonly string[]): AcpNeighbour | undefined {
  const { initiator, interface: interfaceName, locator, expiresAt } = entry;
  // Without interface it is this node's own.
  if (interfaceName === undefined || initiator === undefined) return undefined;
  if (!initiator.includes(':') || !isLinkLocal(initiator)) return undefined;
  const offer = offerOf(entry.value);
  if (!offer || !methods.includes(offer.method)) return undefined;
  if (locator && (locator.kind !== 'ipv6' || locator.protocol !== 'udp' || locator.address !== initiator)) {
    return undefined;
  }
  const port = locator ? locator.port : DEFAULT_PORTS[offer.method];
  if (!isPort(port)) return undefined;
  return { address: initiator, interface: interfaceName, ...offer, port, expiresAt };
}

/** RFC 8994 Figure 7: `method-name / [method, *extension]`, where a method is its name or `[method-name, *param]`. */
function offerOf(value: unknown): Pick<AcpNeighbour, 'method' | 'params' | 'extensions'> | undefined {
  const [first, ...extensions] = listOf(value);
  const [method, ...params] = listOf(first);
  return typeof method === 'string' ? { method, params, extensions } : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [value];
}

function isPort(port: unknown): port is number {
  return typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= MAX_PORT;
}
