import type { Security } from '../types.js';

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
  /** Longer multicasts are refused with `too-big`: 1280 − 40 − 8 (RFC 8990 §2.5.3). Default 1232. */
  readonly maxDatagramBytes?: number | undefined;
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
  readonly maxDatagramBytes: number;
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
    maxDatagramBytes: options.maxDatagramBytes ?? 1232,
  };
}
