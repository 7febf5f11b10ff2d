/**
 * What an inspection shows, as data: structured-cloneable, serialisable as JSON as it stands (no big integers, no
 * bytes, no functions), and bounded in size. Two kinds of items: what machines do, in the words of the Stately
 * inspection protocol, and what they say to other nodes, in the words of RFC 8990.
 *
 * Everything in here may come from the network: show it as text, never as markup.
 */

/** Ids of all machines there are. */
export const MACHINES = [
  'binding',
  'discoveryRelay',
  'discoveryResponse',
  'discoverySession',
  'floodRelay',
  'multicastHandler',
  'negotiationSession',
  'requestListener',
  'responseConnection',
  'synchronizationSession',
  'unicastConnection',
  'workerSupervision',
] as const;

/** What every item has. */
interface Item {
  /** Engine thread it happened in, as `status().threads[].name`: `core`, `listener`, `sessions-1`, `asa:NAME`, `supervisor`. */
  readonly thread: string;
  /**
   * ms since the epoch, by the engine's clock, with a fraction. Threads of one process agree on it; items of different
   * threads are ordered by it.
   */
  readonly at: number;
  /** Counts the items of this thread since it is inspected: of two with the same `at`, the lower one came first. */
  readonly seq: number;
}

/** What an actor stands for; each field only if it is known. It may be known later than the actor is there. */
export interface About {
  /** Name of the objective. */
  readonly objective?: string;
  /** The other node, as `[address]:port` or `address:port`, with `%interface` if it is link-local. */
  readonly peer?: string;
  /** GRASP session id (RFC 8990 §2.7), 32 bits. */
  readonly session?: number;
  readonly role?: 'initiator' | 'responder' | 'relay';
  /** Interface of this node. */
  readonly interface?: string;
  /** Supervision: the thread that is looked after. */
  readonly worker?: string;
}

/** A value made safe: JSON, at most some kB, see `safe-value.ts`. */
export type SafeValue =
  null | boolean | number | string | readonly SafeValue[] | { readonly [key: string]: SafeValue };

export interface SafeSnapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  /** State: a name, or nested names in a machine with nested states. */
  readonly value: SafeValue;
  /**
   * Without ports and functions. A big integer is text with an `n` at its end; bytes are CBOR diagnostic notation if
   * they are exactly one item, else `h'…'`; what is too long or too deep ends in `…`.
   */
  readonly context: SafeValue;
}

/** What the items of actors have. */
interface ActorItem extends Item {
  /**
   * The actor, as the Stately protocol names it: unique in the process across threads and their restarts, as
   * `sessions-1/x:12`. Not the GRASP session id, which is `about.session`.
   */
  readonly sessionId: string;
  /** The same: every machine of this engine is a root actor. */
  readonly rootId: string;
  /** Id of the machine: its chart is static, by this name. */
  readonly machine: string;
  readonly about: About;
}

/** An actor is there. */
export interface InspectedActor extends ActorItem {
  readonly type: '@xstate.actor';
  readonly snapshot: SafeSnapshot;
  /** It was there before the inspection began, so its history is not known. */
  readonly existing: boolean;
}

/** An actor gets an event. */
export interface InspectedEvent extends ActorItem {
  readonly type: '@xstate.event';
  readonly event: SafeEvent;
  /** Always: machines of this engine get their events from outside the system of xstate. */
  readonly sourceId: undefined;
}

/** What it is after the event. `status` other than `active`: nothing follows, the actor is gone. */
export interface InspectedSnapshot extends ActorItem {
  readonly type: '@xstate.snapshot';
  readonly event: SafeEvent;
  readonly snapshot: SafeSnapshot;
}

/** An event made safe as a context is. */
export interface SafeEvent {
  readonly type: string;
  readonly [key: string]: SafeValue;
}

/** The names of RFC 8990 §2.8. */
export type MessageName =
  | 'M_NOOP'
  | 'M_DISCOVERY'
  | 'M_RESPONSE'
  | 'M_REQ_NEG'
  | 'M_REQ_SYN'
  | 'M_NEGOTIATE'
  | 'M_END'
  | 'M_WAIT'
  | 'M_SYNCH'
  | 'M_FLOOD'
  | 'M_INVALID';

/** An objective in a message (RFC 8990 §2.10.1). */
export interface InspectedObjective {
  readonly name: string;
  readonly flags: number;
  readonly loopCount: number;
  /** CBOR diagnostic notation, cut off with `…` when long; undefined: the message holds none. */
  readonly value?: string;
  /** Floods: the locator that goes with it. */
  readonly locator?: InspectedLocator;
}

/** A locator option (RFC 8990 §2.9.5). */
export interface InspectedLocator {
  readonly kind: 'ipv6' | 'ipv4' | 'fqdn' | 'uri';
  /** Address, name or URI. */
  readonly address: string;
  readonly protocol: number | null;
  readonly port: number | null;
}

/** One GRASP message, as this node sent or received it. */
export interface InspectedMessage extends Item {
  readonly type: 'grasp.message';
  readonly direction: 'sent' | 'received';
  /** `multicast`: discoveries and floods; `unicast`: the same to port 7017; `stream`: everything over TCP. */
  readonly via: 'multicast' | 'unicast' | 'stream';
  readonly message: MessageName;
  /** GRASP session id; absent in M_NOOP. */
  readonly session?: number;
  /** Address text of O_INITIATOR's field: M_DISCOVERY, M_RESPONSE, M_FLOOD. */
  readonly initiator?: string;
  /** As {@link About.peer}: whom it came from or went to; absent in what is sent as multicast. */
  readonly peer?: string;
  /** Interface it came or went by; sessions: that of a link-local peer. */
  readonly interface?: string;
  /** The actor of the session it belongs to: {@link InspectedActor.sessionId}. */
  readonly actor?: string;
  /** Role of this node in a session's stream. */
  readonly role?: 'initiator' | 'responder';
  /** Sent on behalf of another node, whose discovery or flood is passed on. */
  readonly relayed?: true;
  /** All objectives: floods may hold several, M_RESPONSE has often none. */
  readonly objectives: readonly InspectedObjective[];
  /** M_RESPONSE: locators of the responder itself, or of others if {@link diverted}. */
  readonly locators?: readonly InspectedLocator[];
  readonly diverted?: true;
  /** M_RESPONSE, M_FLOOD: ms. */
  readonly ttl?: number;
  /** M_WAIT: ms. */
  readonly waitMs?: number;
  /** M_END */
  readonly accept?: boolean;
  /** M_END that declines. */
  readonly reason?: string;
  /** M_INVALID: CBOR diagnostic notation. */
  readonly info?: string;
  /** Encoded length, bytes. */
  readonly bytes: number;
}

/** How a session ended, from this side's point of view. */
export type SessionOutcome =
  /** Negotiation: an M_END with O_ACCEPT was sent or received. */
  | 'accepted'
  /** Negotiation: an M_END with O_DECLINE was sent or received; `reason` says why. */
  | 'declined'
  /** Synchronization: the value was got or given. */
  | 'synchronized'
  /** Everything else; `code` of RFC 8991 Appendix A says why. */
  | 'failed';

/** A negotiation or synchronization session begins or ends. */
export interface InspectedSession extends Item {
  readonly type: 'grasp.session';
  readonly phase: 'begun' | 'ended';
  readonly procedure: 'negotiation' | 'synchronization';
  /** The actor of the session: {@link InspectedActor.sessionId}. */
  readonly actor: string;
  readonly about: About;
  /** Of what has ended. */
  readonly outcome?: SessionOutcome;
  /** `failed`: code of RFC 8991 Appendix A. */
  readonly code?: number;
  /** `declined`: the reason given, by whom ever; may be empty. `failed`: what is known besides the code. */
  readonly reason?: string;
  /** ms the session took; of one that was there before the inspection began: undefined. */
  readonly tookMs?: number;
}

export type InspectionItem =
  InspectedActor | InspectedEvent | InspectedSnapshot | InspectedMessage | InspectedSession;

/** What was left out, and why. */
export interface InspectionDrops {
  /** Actors, multicasts, and events of actors that everything passes through, that the sampling did not choose. */
  readonly unsampled: number;
  /** Items beyond `maxPerSecond` in their thread. */
  readonly rate: number;
  /** Items a thread had to let go because this reader did not take the earlier ones (`queueLimit`). */
  readonly slow: number;
}
