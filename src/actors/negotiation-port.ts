import type { RequestNegotiationMessage } from '../protocol/index.js';
import type { SessionCommand, SessionEvent, SessionPort } from './session-port.js';
import type { Failure, ObjectiveHead } from './session-protocol.js';

/** The world as a negotiation session's machine sees it. */
export interface NegotiationPort extends SessionPort {
  /** True when the peer takes nothing and `limits.sendBufferBytes` is reached. */
  readonly sendBufferFull: boolean;
  /** Sends the request with a discovery (§2.5.5.1); later event `rapid.answered` or `rapid.over`. */
  discover(): void;
  /** Hands the request to the objective's listener; later event `request.taken` or `request.refused`. */
  offer(sessionId: number): void;
  /** Takes the request back from the listener's queue. */
  withdraw(): void;
  /** Tells the client that took the request about this session. */
  announce(listen: number, objective: ObjectiveHead, value: Uint8Array): void;
  /** Tells the client that the session ended while no call was waiting. */
  reportEnded(failure: Failure): void;
}

/** A call of the ASA that owns the session; `call` gets exactly one answer or done. */
export type CommandEvent =
  | {
      readonly type: 'request';
      readonly call: number;
      readonly objective: ObjectiveHead;
      readonly value: Uint8Array;
      readonly timeoutMs: number;
      /** It goes out with a discovery (§2.5.5.1). */
      readonly rapid?: boolean | undefined;
    }
  | SessionCommand;

export type NegotiationEvent =
  | CommandEvent
  | SessionEvent
  /** A discovery came that is a request at the same time (§2.5.5.1); there is no connection yet. */
  | { readonly type: 'rapid.requested'; readonly message: RequestNegotiationMessage }
  /** The peer has opened a connection with its answer to the discovery; the answer follows. */
  | { readonly type: 'rapid.answered'; readonly sessionId: number }
  /** Nobody answered it so; or an M_RESPONSE came first. */
  | { readonly type: 'rapid.over'; readonly failure: Failure }
  /** The listener gave the request to this listen of an ASA. */
  | { readonly type: 'request.taken'; readonly listen: number }
  /** The listener had no place for the request, or stopped. */
  | { readonly type: 'request.refused' };
