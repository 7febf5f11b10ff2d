import { SubstrateError, type Security } from '../types.js';

/** Describes the plain substrate of one engine; structured-cloneable, because every thread opens its own from it. */
export interface PlainOptions {
  /**
   * Names of the interfaces to use. Default: every one that is up, multicast-capable and not loopback, now and
   * later. Empty: none; only agents of this host reach each other, by unicast.
   */
  readonly interfaces?: readonly string[] | undefined;
  /** True: the explicit word for running without protection (security 'insecure'). Default false: 'none'. */
  readonly insecure?: boolean | undefined;
  /** IPv6 multicast group. Default ff02::13, ALL_GRASP_NEIGHBORS (RFC 8990 §2.6). */
  readonly group?: string | undefined;
  /** UDP port of the group. Default 7017, GRASP_LISTEN_PORT (RFC 8990 §2.6). */
  readonly port?: number | undefined;
  /** Hop limit of multicasts, 1 … 255. Default 1. */
  readonly hopLimit?: number | undefined;
  /** How often interfaces and addresses are looked at, ms. Default 500. */
  readonly pollIntervalMs?: number | undefined;
  /** Kernel buffer of each receive socket. Default 4 MiB; the kernel may grant less (net.core.rmem_max). */
  readonly receiveBufferBytes?: number | undefined;
  /** Connections the stack keeps waiting for a pair's listener. Default 511. */
  readonly backlog?: number | undefined;
  /**
   * IP versions of multicasts. Default: both are heard, and each copy goes out by IPv6 where the interface has a
   * link-local IPv6 address, else by IPv4 (RFC 8990 §2.6). Given: only these are heard, and every multicast goes
   * out by each of them.
   */
  readonly families?: readonly ('ipv6' | 'ipv4')[] | undefined;
  /** IPv4 multicast group. Default 224.0.0.119, ALL_GRASP_NEIGHBORS (RFC 8990 §2.6). */
  readonly group4?: string | undefined;
}

/** The options with every default in its place. */
export interface PlainSettings {
  readonly interfaces: readonly string[] | undefined;
  readonly security: Security;
  readonly group: string;
  readonly port: number;
  readonly hopLimit: number;
  readonly pollIntervalMs: number;
  readonly receiveBufferBytes: number;
  readonly backlog: number;
  readonly group4: string;
  /** The families that are heard, and that may be sent by. */
  readonly receives: { readonly ipv6: boolean; readonly ipv4: boolean };
  /** Multicasts go out by the first family that works, or by each. */
  readonly sends: 'first' | 'each';
}

export function settle(options: PlainOptions): PlainSettings {
  return {
    interfaces: options.interfaces && [...new Set(options.interfaces)],
    security: options.insecure === true ? 'insecure' : 'none',
    group: options.group ?? 'ff02::13',
    port: options.port ?? 7017,
    hopLimit: options.hopLimit ?? 1,
    pollIntervalMs: options.pollIntervalMs ?? 500,
    receiveBufferBytes: options.receiveBufferBytes ?? 4 * 1024 * 1024,
    backlog: options.backlog ?? 511,
    group4: options.group4 ?? '224.0.0.119',
    ...settleFamilies(options.families),
  };
}

function settleFamilies(families: PlainOptions['families']): Pick<PlainSettings, 'receives' | 'sends'> {
  if (families === undefined) return { receives: { ipv6: true, ipv4: true }, sends: 'first' };
  // Users without types give all sorts of things.
  const given = Array.isArray(families) ? (families as readonly unknown[]) : [];
  if (given.length === 0 || !given.every((family) => family === 'ipv6' || family === 'ipv4')) {
    const what = JSON.stringify(families);
    throw new SubstrateError('unsupported', `families is a list of 'ipv6' and 'ipv4', not ${what}`);
  }
  return { receives: { ipv6: given.includes('ipv6'), ipv4: given.includes('ipv4') }, sends: 'each' };
}
