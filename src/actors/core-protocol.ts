/**
 * What travels between the core and the other threads: datagrams from the listener, discoveries for clients,
 * session ids for session hosts; and the control calls the supervisor makes. Plain data throughout.
 */
import type { CachedLocator } from '../protocol/index.js';
import type { Target } from '../substrate/types.js';
import type { Failure, ObjectiveHead } from './session-protocol.js';

/** Listener → core: one multicast as it came, own copies and oversized ones already dropped. */
export interface DatagramEvent {
  /** Own memory, exactly the datagram. */
  readonly bytes: Uint8Array;
  readonly interface: string;
  readonly address: string;
  readonly port: number;
}

/** Client → core. */
export type ToCore =
  | {
      readonly t: 'discover';
      readonly call: number;
      readonly asa: number;
      readonly objective: ObjectiveHead;
      /** ms; 0 = cache only; undefined = 100 × loop count (RFC 8990 §2.5.4.3). */
      readonly timeoutMs: number | undefined;
      /** RFC style (D-06): cached locators with at most this left are dropped (0: all), then discovery runs. */
      readonly minimumTtlMs: number | undefined;
      /** Older style: drop what is cached first. */
      readonly flush: boolean;
    }
  | { readonly t: 'cancel'; readonly call: number };

/** Core → client. */
export type FromCore =
  | { readonly t: 'found'; readonly call: number; readonly locator: CachedLocator }
  | { readonly t: 'done'; readonly call: number; readonly failure: Failure | undefined };

/** Core → session host. */
export type ToSessionHost =
  /** Draw from it when `own`, else recognise it as in use by this engine (C-06). Answered by `ids.noted`. */
  | { readonly t: 'ids.block'; readonly block: Uint32Array; readonly own: boolean }
  | { readonly t: 'ids.drop'; readonly first: number }
  | { readonly t: 'owns?'; readonly call: number; readonly local: Target }
  | { readonly t: 'owns'; readonly call: number; readonly yes: boolean };

/** Session host → core. */
export type FromSessionHost =
  | { readonly t: 'ids.request' }
  | { readonly t: 'ids.noted'; readonly first: number }
  | { readonly t: 'ids.retired'; readonly first: number }
  /** After a restart of the core: blocks this host still uses. */
  | { readonly t: 'ids.reserve'; readonly blocks: readonly Uint32Array[] }
  | { readonly t: 'owns?'; readonly call: number; readonly local: Target }
  | { readonly t: 'owns'; readonly call: number; readonly yes: boolean };

/** One listening ASA of an objective, as discovery answers need it. */
export interface Announcement {
  readonly objective: string;
  /** ms; ttl of the M_RESPONSE (G-2.8.5-03). */
  readonly ttlMs: number;
  /** Who listens, and on which port of this node. Rotated from answer to answer. */
  readonly listeners: readonly { readonly asa: number; readonly port: number }[];
}

/** An interface with the port its discoveries are sent from. */
export interface BoundPort {
  readonly interface: string;
  readonly port: number;
}
