/**
 * Everything that depends on the operating system. Linux is tested. macOS and Windows are not: what is known to
 * be missing there fails with `unsupported`, and says what is missing.
 */
import type { Socket as UdpSocket } from 'node:dgram';
import { readFileSync, readlinkSync } from 'node:fs';
import { constants, networkInterfaces, platform } from 'node:os';
import { plainAddress } from '../own-address.js';
import { SubstrateError, type InterfaceInfo } from '../types.js';

/** What a platform must tell about the host. */
export interface Platform {
  /**
   * Every interface that is up, `lo` too, with the addresses that can be used now. Undefined: it cannot be told now, for
   * no file descriptor is left.
   */
  list(): HostInterface[] | undefined;
  /** Index of an interface that exists, up or down; undefined if there is none of that name, {@link UNTOLD}. */
  indexOf(name: string): number | undefined;
  /** Datagrams dropped by the stack because this socket's buffer was full. */
  drops(socket: UdpSocket): number;
}

/** In place of an interface's index: it cannot be told now, for no file descriptor is left. */
export const UNTOLD = -1;

export interface HostInterface extends InterfaceInfo {
  /** IPv4 addresses with their prefix lengths, `192.0.2.1/24`. */
  readonly networks: readonly string[];
  /** Largest packet, bytes. */
  readonly mtu: number;
  readonly loopback: boolean;
  readonly multicast: boolean;
  /** An address is still being checked for duplicates (RFC 4862 §5.4): more will come soon. */
  readonly tentative: boolean;
}

/** What the substrate needs to know of a platform. Throws `unsupported` where it is known not to work. */
export function platformOf(name: string = platform()): Platform {
  if (name === 'linux') return linux;
  throw new SubstrateError(
    'unsupported',
    `plain substrate on ${name}: one receive socket per interface bound to the group's address, interface ` +
      'flags and tentative addresses are written for Linux only; use Linux, or the simulated substrate',
  );
}

/** Scoped group address to bind and send to: the zone is a name here, an index on Windows. */
export function zoned(address: string, interfaceName: string): string {
  return `${address}%${interfaceName}`;
}

const IFF_LOOPBACK = 0x8;
const IFF_MULTICAST = 0x1000;
/** Flags of /proc/net/if_inet6: address not usable (yet): IFA_F_TENTATIVE, IFA_F_DADFAILED. */
const UNUSABLE = 0x40 | 0x08;
const TENTATIVE = 0x40;
/** What every link that carries IPv6 carries (RFC 8200 §5). */
const MINIMUM_MTU = 1280;

const linux: Platform = {
  list: () => ifDescriptorsLeft(listNow, undefined),
  indexOf: (name) => ifDescriptorsLeft(() => indexNow(name), UNTOLD),
  drops: (socket) => ifDescriptorsLeft(() => dropsNow(socket), 0),
};

function listNow(): HostInterface[] {
  const { unusable, tentative } = addressesInDoubt();
  return Object.entries(networkInterfaces()).flatMap(([name, entries]) => {
    const flags = interfaceFlags(name);
    const index = indexNow(name);
    if (!entries || flags === undefined || index === undefined) return []; // gone since it was listed
    const usable = entries.map((entry) => entry.address).filter((a) => !unusable.has(`${name} ${a}`));
    return {
      name,
      index,
      linkLocal: usable.find(isLinkLocal),
      addresses: usable.filter((address) => !isLinkLocal(address) && !isLoopback(address)),
      networks: entries.flatMap(({ family, cidr }) => (family === 'IPv4' && cidr !== null ? [cidr] : [])),
      mtu: Number(sysfs(name, 'mtu') ?? MINIMUM_MTU),
      loopback: (flags & IFF_LOOPBACK) !== 0,
      multicast: (flags & IFF_MULTICAST) !== 0,
      tentative: tentative.has(name),
    };
  });
}

function indexNow(name: string): number | undefined {
  const index = Number(sysfs(name, 'ifindex'));
  return index > 0 ? index : undefined;
}

function dropsNow(socket: UdpSocket): number {
  const inode = socketInode(socket);
  if (inode === undefined) return 0;
  for (const table of ['udp6', 'udp']) {
    for (const line of (read(`/proc/self/net/${table}`) ?? '').split('\n')) {
      const columns = line.trim().split(/\s+/);
      if (columns[9] === inode) return Number(columns.at(-1));
    }
  }
  return 0;
}

/** What needs a file descriptor now and then, as every look at the host does; or `otherwise`, if none is left. */
function ifDescriptorsLeft<T, U>(look: () => T, otherwise: U): T | U {
  try {
    return look();
  } catch (error) {
    if (isOutOfDescriptors(error)) return otherwise;
    throw error;
  }
}

function isOutOfDescriptors(error: unknown): boolean {
  // libuv's errors have the system's number in `info`, as it is.
  const { code, info } = error as { readonly code?: string; readonly info?: { readonly errno?: number } };
  const { EMFILE, ENFILE } = constants.errno;
  return code === 'EMFILE' || code === 'ENFILE' || [EMFILE, ENFILE].includes(Math.abs(info?.errno ?? 0));
}

/**
 * os.networkInterfaces lists an address while it is still tentative, and sending from it fails with EADDRNOTAVAIL
 * for up to two seconds; the kernel tells which ones these are. `unusable` holds "name address".
 */
function addressesInDoubt(): { unusable: Set<string>; tentative: Set<string> } {
  const unusable = new Set<string>();
  const tentative = new Set<string>();
  for (const line of (read('/proc/self/net/if_inet6') ?? '').split('\n')) {
    const [hex, , , , flags, name] = line.trim().split(/\s+/);
    if (!hex || !flags || !name) continue;
    const bits = parseInt(flags, 16);
    if ((bits & UNUSABLE) !== 0) unusable.add(`${name} ${compressed(hex)}`);
    if ((bits & TENTATIVE) !== 0) tentative.add(name);
  }
  return { unusable, tentative };
}

/** 32 hex digits as text of RFC 5952, which is what inet_ntop, and so Node, gives. */
function compressed(hex: string): string {
  const groups = hex.match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

function interfaceFlags(name: string): number | undefined {
  const text = sysfs(name, 'flags');
  return text === undefined ? undefined : Number(text.trim());
}

/** A name is looked up only if it can be one: it becomes part of a path. */
function sysfs(name: string, file: string): string | undefined {
  if (name === '' || name === '.' || name === '..' || /[/\s]/.test(name)) return undefined;
  return read(`/sys/class/net/${name}/${file}`);
}

/** Undefined: it is not there (any more), or not to be read. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isOutOfDescriptors(error)) throw error;
    return undefined;
  }
}

/**
 * Node does not give the descriptor of a UDP socket but keeps it in a handle behind a symbol; where a later
 * version hides it better, drops are reported as 0 and nothing else is lost.
 */
function socketInode(socket: UdpSocket): string | undefined {
  const symbol = Object.getOwnPropertySymbols(socket).find((s) => s.description === 'state symbol');
  const state =
    symbol && (socket as unknown as Record<symbol, { handle?: { fd?: unknown } } | undefined>)[symbol];
  const fd = state?.handle?.fd;
  if (typeof fd !== 'number' || fd < 0) return undefined;
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
  } catch {
    return undefined;
  }
}

export function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(address);
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** Splits what Node reports: the zone, and the prefix of an IPv4 address that came to an IPv6 socket. */
export function splitAddress(text: string): { address: string; interface?: string } {
  const zone = text.indexOf('%');
  const address = plainAddress(text);
  return zone < 0 ? { address } : { address, interface: text.slice(zone + 1) };
}

/** What a failed system call means to the engine. */
export function errorKind(code: string | undefined, open: boolean): SubstrateError['kind'] {
  switch (code) {
    case 'ECONNREFUSED':
      return 'refused';
    case 'EADDRINUSE':
      return 'address-in-use';
    case 'EMSGSIZE':
      return 'too-big';
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'ENETDOWN':
    case 'EHOSTDOWN':
    case 'ENODEV':
    case 'ENONET':
    case 'EADDRNOTAVAIL':
    case 'EINVAL': // a zone that is no interface (any more)
      return open ? 'reset' : 'unreachable';
    case 'ETIMEDOUT':
      return open ? 'reset' : 'timeout';
    case 'ECONNRESET':
    case 'ECONNABORTED':
    case 'EPIPE':
      return 'reset';
    default:
      return 'local';
  }
}

/** Wraps a system error. `open`: on a connection that was established. */
export function wrapError(error: unknown, what: string, open = false): SubstrateError {
  if (error instanceof SubstrateError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new SubstrateError(errorKind(code, open), `${what}: ${message}`, { cause: error });
}
