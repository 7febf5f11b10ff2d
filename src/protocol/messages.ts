/**
 * One type per GRASP message and option (RFC 8990 §2.8, §2.9), discriminated by the literal message type.
 * Objective values and diagnostic contents stay encoded: exactly one CBOR item each, opaque to the engine.
 */
import type {
  M_DISCOVERY,
  M_END,
  M_FLOOD,
  M_INVALID,
  M_NEGOTIATE,
  M_NOOP,
  M_REQ_NEG,
  M_REQ_SYN,
  M_RESPONSE,
  M_SYNCH,
  M_WAIT,
  O_FQDN_LOCATOR,
  O_IPv4_LOCATOR,
  O_IPv6_LOCATOR,
  O_URI_LOCATOR,
} from './constants.js';

/** An objective as it stands in a message. RFC 8990 §2.10.1 */
export interface WireObjective {
  /** UTF-8 text, compared byte by byte. */
  readonly name: string;
  /** Bits 0–3 are F_DISC, F_NEG, F_SYNCH, F_NEG_DRY; further bits are kept and ignored. §2.10.2 */
  readonly flags: number;
  /** 0..255 */
  readonly loopCount: number;
  /** Exactly one encoded CBOR item (f6, null, means "no value"); undefined: the element is absent. */
  readonly value: Uint8Array | undefined;
}

/** §2.9.5.1. `port` is null only in floods, tolerated there as an opaque tag (RFC 8995 §4.3). */
export interface Ipv6Locator {
  readonly type: typeof O_IPv6_LOCATOR;
  /** 16 bytes */
  readonly address: Uint8Array;
  /** 6 (TCP) or 17 (UDP); in floods any IP protocol number. */
  readonly protocol: number;
  readonly port: number | null;
}

/** §2.9.5.2 */
export interface Ipv4Locator {
  readonly type: typeof O_IPv4_LOCATOR;
  /** 4 bytes */
  readonly address: Uint8Array;
  readonly protocol: number;
  readonly port: number | null;
}

/** §2.9.5.3 */
export interface FqdnLocator {
  readonly type: typeof O_FQDN_LOCATOR;
  readonly name: string;
  readonly protocol: number;
  readonly port: number | null;
}

/** §2.9.5.4 */
export interface UriLocator {
  readonly type: typeof O_URI_LOCATOR;
  readonly uri: string;
  readonly protocol: number | null;
  readonly port: number | null;
}

export type WireLocator = Ipv6Locator | Ipv4Locator | FqdnLocator | UriLocator;

export interface NoopMessage {
  readonly type: typeof M_NOOP;
}

export interface DiscoveryMessage {
  readonly type: typeof M_DISCOVERY;
  readonly sessionId: number;
  /** 4 or 16 bytes; tells session IDs of different nodes apart, never a destination. §2.7 */
  readonly initiator: Uint8Array;
  readonly objective: WireObjective;
}

export interface ResponseMessage {
  readonly type: typeof M_RESPONSE;
  readonly sessionId: number;
  readonly initiator: Uint8Array;
  /** ms; 0 means RESPONSE_TTL_ZERO_MS. §2.8.5 */
  readonly ttl: number;
  /** Of the responder itself; empty if `divert` is there. */
  readonly locators: readonly WireLocator[];
  /** Of somebody else (O_DIVERT, §2.9.2); never empty. */
  readonly divert: readonly WireLocator[] | undefined;
  readonly objective: WireObjective | undefined;
}

interface ObjectiveMessage {
  readonly sessionId: number;
  readonly objective: WireObjective;
}

export interface RequestNegotiationMessage extends ObjectiveMessage {
  readonly type: typeof M_REQ_NEG;
}

export interface RequestSynchronizationMessage extends ObjectiveMessage {
  readonly type: typeof M_REQ_SYN;
}

export interface NegotiationMessage extends ObjectiveMessage {
  readonly type: typeof M_NEGOTIATE;
}

export interface SynchMessage extends ObjectiveMessage {
  readonly type: typeof M_SYNCH;
}

export interface EndMessage {
  readonly type: typeof M_END;
  readonly sessionId: number;
  readonly accept: boolean;
  /** Of a decline, if the sender gave one. */
  readonly reason: string | undefined;
}

export interface WaitMessage {
  readonly type: typeof M_WAIT;
  readonly sessionId: number;
  /** ms; counts from reception. §2.8.9 */
  readonly waitingTime: number;
}

/** One pair of a flood: an objective and its tag. */
export interface FloodEntry {
  readonly objective: WireObjective;
  /** undefined: `[]`, no tag. */
  readonly locator: WireLocator | undefined;
}

export interface FloodMessage {
  readonly type: typeof M_FLOOD;
  readonly sessionId: number;
  readonly initiator: Uint8Array;
  /** ms; 0 never expires. §2.8.11 */
  readonly ttl: number;
  /** Never empty. */
  readonly objectives: readonly FloodEntry[];
  /** Received ones: the objectives of further pairs, which are none of synchronization and so not cached (§2.10.3). */
  readonly others?: readonly WireObjective[] | undefined;
}

export interface InvalidMessage {
  readonly type: typeof M_INVALID;
  readonly sessionId: number;
  /** Diagnostic content, one encoded CBOR item. */
  readonly info: Uint8Array | undefined;
}

export type Message =
  | NoopMessage
  | DiscoveryMessage
  | ResponseMessage
  | RequestNegotiationMessage
  | RequestSynchronizationMessage
  | NegotiationMessage
  | EndMessage
  | WaitMessage
  | SynchMessage
  | FloodMessage
  | InvalidMessage;

export type MessageType = Message['type'];

/** The RFC's name of each message type, for logs. */
export const MESSAGE_NAMES: Readonly<Record<MessageType, string>> = {
  0: 'M_NOOP',
  1: 'M_DISCOVERY',
  2: 'M_RESPONSE',
  3: 'M_REQ_NEG',
  4: 'M_REQ_SYN',
  5: 'M_NEGOTIATE',
  6: 'M_END',
  7: 'M_WAIT',
  8: 'M_SYNCH',
  9: 'M_FLOOD',
  99: 'M_INVALID',
};
