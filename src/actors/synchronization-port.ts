import type { SessionEvent, SessionPort } from './session-port.js';
import type { ObjectiveHead } from './session-protocol.js';

/** What an ASA that listens for synchronization has given to be handed out. */
export interface PublishedValue {
  /** Flags as registered (RFC 8990 §2.10.2). */
  readonly flags: number;
  /** One encoded CBOR item. */
  readonly value: Uint8Array;
}

/** The world as a synchronization session's machine sees it. */
export interface SynchronizationPort extends SessionPort {
  /** Responder: the value at this moment; undefined: no ASA listens for synchronization. */
  readonly published: PublishedValue | undefined;
}

export type SynchronizationEvent =
  | {
      readonly type: 'request';
      readonly call: number;
      readonly objective: ObjectiveHead;
      readonly timeoutMs: number;
    }
  | SessionEvent;
