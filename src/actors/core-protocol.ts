/**
 * What travels between the core and the other threads: datagrams from the listener, discoveries for clients,
 * session ids for session hosts; and the control calls the supervisor makes. Plain data throughout.
 */
import type { CachedLocator, WireLocator } from '../protocol/index.js';
import type { Target } from '../substrate/types.js';
import type { Failure, ObjectiveHead } from './session-protocol.js';

/** Where a datagram came from. */
export interface DatagramSource {
  readonly interface: string;
  readonly address: string;
  readonly port: number;
}

/**
 * Listener → core: multicasts as they came, own copies and oversized ones already dropped. One that comes alone goes as it
 * is, several go as a batch. `datagram-batch.ts` packs and unpacks them.
 */
export type Datagrams = DatagramEvent | DatagramBatch;

/** Several in one piece, so that no object is made, cloned and promoted for each. */
export interface DatagramBatch {
  /** One datagram after the other. */
  readonly bytes: Uint8Array;
  /** For each datagram: where it ends in `bytes`, and the index of its source. */
  readonly entries: Uint32Array;
  readonly sources: readonly DatagramSource[];
}

/** One multicast. */
export interface DatagramEvent extends DatagramSource {
  /** Own memory, exactly the datagram. */
  readonly bytes: Uint8Array;
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
      /** Encoded value for a rapid answer (RFC 8990 §2.5.6.3); undefined: none is asked for. */
      readonly value?: Uint8Array | undefined;
      /** Whoever is found will be sent a request: nothing a DULL instance may do (§2.5.2), 16. */
      readonly forRequest?: boolean | undefined;
    }
  /** M_FLOOD (§2.8.11); `done` when every copy has left. */
  | {
      readonly t: 'flood';
      readonly call: number;
      readonly asa: number;
      /** ms; 0: never expires. */
      readonly ttlMs: number;
      readonly pairs: readonly FloodPair[];
    }
  /** What the flood cache holds for an objective, newest first: one `floods`. */
  | { readonly t: 'flood.get'; readonly call: number; readonly objective: string }
  /** The same now and after every change, until `cancel`: one `floods` each, with all entries. */
  | { readonly t: 'flood.watch'; readonly call: number; readonly objective: string }
  /** Forgets the entry with this name and tag; `done`. */
  | {
      readonly t: 'flood.expire';
      readonly call: number;
      readonly objective: string;
      readonly locator: WireLocator | undefined;
    }
  | { readonly t: 'cancel'; readonly call: number };

/** One tagged objective to be flooded. */
export interface FloodPair {
  readonly objective: ObjectiveHead;
  readonly value: Uint8Array;
  /** undefined: no tag. The address `::` becomes the link-local address of each sending interface (C-21). */
  readonly locator: WireLocator | undefined;
}

/** One entry of the flood cache. */
export interface FloodRecord {
  readonly objective: ObjectiveHead;
  /** undefined: it was flooded without value (D-12). */
  readonly value: Uint8Array | undefined;
  readonly locator: WireLocator | undefined;
  /** Interface it came by; '' for floods of this node. */
  readonly interface: string;
  /** ms of the engine's clock; 0: never. */
  readonly expiresAt: number;
  /** Initiator field of the flood, 4 or 16 bytes. */
  readonly initiator?: Uint8Array | undefined;
}

/** Core → client. */
export type FromCore =
  | { readonly t: 'found'; readonly call: number; readonly locator: CachedLocator }
  | { readonly t: 'floods'; readonly call: number; readonly entries: readonly FloodRecord[] }
  | { readonly t: 'done'; readonly call: number; readonly failure: Failure | undefined };

/**
 * As how many an event counts in the window of its data port: a list of floods as many as it has entries, so that a
 * client that is behind keeps a few lists from the core, and not a thousand of a thousand entries each.
 */
export function weightOf(event: FromCore): number {
  return event.t === 'floods' ? Math.max(1, event.entries.length) : 1;
}

/**
 * A discovery that is a request at the same time (RFC 8990 §2.5.5.1). The session host opens the connection to
 * `target`, the source of the discovery, and the session runs there: no stream has to move between threads.
 */
export interface RapidRequest {
  readonly t: 'rapid.request';
  readonly sessionId: number;
  readonly objective: ObjectiveHead;
  readonly value: Uint8Array;
  readonly target: Target;
}

/** Core → session host. */
export type ToSessionHost =
  /** Draw from it when `own`, else recognise it as in use by this engine (C-06). Answered by `ids.noted`. */
  | { readonly t: 'ids.block'; readonly block: Uint32Array; readonly own: boolean }
  | { readonly t: 'ids.drop'; readonly first: number }
  | { readonly t: 'owns?'; readonly call: number; readonly local: Target }
  | { readonly t: 'owns'; readonly call: number; readonly yes: boolean }
  | RapidRequest;

/** Session host → core. */
export type FromSessionHost =
  | { readonly t: 'ids.request' }
  | { readonly t: 'ids.noted'; readonly first: number }
  | { readonly t: 'ids.retired'; readonly first: number }
  /** After a restart of the core: blocks this host still uses. */
  | { readonly t: 'ids.reserve'; readonly blocks: readonly Uint32Array[] }
  | { readonly t: 'owns?'; readonly call: number; readonly local: Target }
  | { readonly t: 'owns'; readonly call: number; readonly yes: boolean };

/** What the core is to answer to discoveries of an objective. */
export interface Announcement {
  readonly objective: string;
  /** As registered (RFC 8990 §2.10.2). */
  readonly flags: number;
  /** ms; ttl of the M_RESPONSE (G-2.8.5-03). */
  readonly ttlMs: number;
  /** Rotated from answer to answer; never empty. */
  readonly listeners: readonly AnnouncedListener[];
}

/** One ASA that listens for an objective, or has registered it as `discoverable`. */
export interface AnnouncedListener {
  readonly asa: number;
  /** Port of this node. */
  readonly port: number;
  /** The M_RESPONSE holds the link-local address of its interface (api.md §4.3). */
  readonly local?: boolean | undefined;
  /** D-05: exactly these, in order, instead of the engine's own. */
  readonly locators?: readonly WireLocator[] | undefined;
  /** D-04: goes into the M_RESPONSE; encoded. */
  readonly rapidValue?: Uint8Array | undefined;
  /** The session host that takes discoveries of the objective as requests (RFC 8990 §2.5.5.1). */
  readonly rapidHost?: string | undefined;
  /** It takes dry runs (F_NEG_DRY). */
  readonly dryRun?: boolean | undefined;
}

/** An interface with the port its discoveries are sent from. */
export interface BoundPort {
  readonly interface: string;
  readonly port: number;
}
