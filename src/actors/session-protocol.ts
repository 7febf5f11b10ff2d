/**
 * What a client (the API side, in whichever thread) and a session host say to each other over a data port, and
 * what the supervisor asks of a session host. Values are encoded CBOR throughout (one item); everything here is
 * plain data that survives structuredClone.
 */
import type { Target } from '../substrate/types.js';

/**
 * A session as both ends of the data port name it. Initiators' sessions are numbered by the client (positive),
 * responders' by the host (negative).
 */
export type SessionKey = number;

/** The objective of a session as it travels: RFC 8990 §2.10.1 without the value. */
export interface ObjectiveHead {
  readonly name: string;
  readonly flags: number;
  readonly loopCount: number;
}

/** Limits and time that a call carries. */
export interface StepOptions {
  /** ms to wait for the answer, 1 … 2^32−1 (C-27; the client has replaced null and 0 by 60000). */
  readonly timeoutMs: number;
}

/** Client → session host. `call` numbers are the client's; each gets exactly one `answer` or `done`. */
export type ToSessions =
  | ({
      readonly t: 'request';
      readonly call: number;
      readonly session: SessionKey;
      /** Handle of the ASA that owns the session. */
      readonly asa: number;
      readonly objective: ObjectiveHead;
      readonly value: Uint8Array;
      readonly target: Target;
      readonly connectTimeoutMs: number;
      /** Largest message of this session if the objective allows more than the limit of the host (§2.8.3). */
      readonly maxMessageBytes?: number | undefined;
    } & StepOptions)
  /**
   * A request that goes out with a discovery (§2.5.5.1), to the session host in the core; answered as a `request`.
   * Failed with noDiscReply (17) if nobody answered it, or an M_RESPONSE came first.
   */
  | ({
      readonly t: 'rapid';
      readonly call: number;
      readonly session: SessionKey;
      readonly asa: number;
      readonly objective: ObjectiveHead;
      readonly value: Uint8Array;
      /** ms the discovery takes. */
      readonly discoveryMs: number;
      readonly maxMessageBytes?: number | undefined;
    } & StepOptions)
  /** M_REQ_SYN (§2.8.6); answered with `synchronized` or `failed`. The session ends with its answer. */
  | ({
      readonly t: 'synchronize';
      readonly call: number;
      readonly session: SessionKey;
      readonly asa: number;
      readonly objective: ObjectiveHead;
      readonly target: Target;
      readonly connectTimeoutMs: number;
      readonly maxMessageBytes?: number | undefined;
    } & StepOptions)
  | ({
      readonly t: 'step';
      readonly call: number;
      readonly session: SessionKey;
      readonly value: Uint8Array;
      /** Loop count passed by the ASA, or undefined for the one received (D-11). */
      readonly loopCount: number | undefined;
      /** Must equal the session's (RFC 8990 §2.10.2), else 3; undefined = the session's. */
      readonly dryRun: boolean | undefined;
    } & StepOptions)
  | { readonly t: 'wait'; readonly call: number; readonly session: SessionKey; readonly waitMs: number }
  | {
      readonly t: 'end';
      readonly call: number;
      readonly session: SessionKey;
      readonly accept: boolean;
      readonly reason: string | undefined;
    }
  | {
      readonly t: 'invalid';
      readonly call: number;
      readonly session: SessionKey;
      /** Encoded CBOR item, or undefined for `[99, sid]`. */
      readonly info: Uint8Array | undefined;
    }
  /** The client can take `n` more requests of this listen; sent again as it takes them. */
  | { readonly t: 'take'; readonly listen: number; readonly n: number };

/** What a client awaits an answer or a confirmation of. */
export type SessionCall = Extract<ToSessions, { readonly call: number }>;

/** Session host → client. */
export type FromSessions =
  | {
      readonly t: 'incoming';
      readonly listen: number;
      readonly session: SessionKey;
      readonly objective: ObjectiveHead;
      readonly value: Uint8Array;
      readonly remote: Target;
      /** RFC 8990 §2.7 session id, for logs. */
      readonly sessionId: number;
    }
  | { readonly t: 'answer'; readonly call: number; readonly session: SessionKey; readonly answer: Answer }
  /** Confirms wait, end and invalid; code 0 or the error (api.md §4.10–4.12). */
  | {
      readonly t: 'done';
      readonly call: number;
      readonly session: SessionKey;
      readonly failure: Failure | undefined;
    }
  /** The session ended while no call was waiting: peer ended it, connection lost, deregistered, security lost. */
  | { readonly t: 'ended'; readonly session: SessionKey; readonly failure: Failure };

/** A code of RFC 8991 Appendix A, with what is known beyond its text. */
export interface Failure {
  readonly code: number;
  readonly detail?: string | undefined;
  /** Code 1: the peer's reason, "" if it gave none. */
  readonly reason?: string | undefined;
  /** False: the session lives on (3, 40 and other refusals before sending). Absent or true: it is over. */
  readonly over?: boolean | undefined;
}

export type Answer =
  | {
      readonly state: 'offered';
      readonly value: Uint8Array;
      /** As received (RFC 8991 §2.3.5). */
      readonly loopCount: number;
      readonly sessionId: number;
      readonly remote: Target;
    }
  | { readonly state: 'accepted'; readonly sessionId: number; readonly remote: Target }
  | {
      readonly state: 'synchronized';
      /** As received in M_SYNCH. */
      readonly objective: ObjectiveHead;
      readonly value: Uint8Array;
      readonly sessionId: number;
      readonly remote: Target;
    }
  | { readonly state: 'failed'; readonly failure: Failure };

/**
 * What a listen is for. `presence`: a `discoverable` objective that nobody listens for; connections to its port are
 * closed as soon as they have asked.
 */
export type ListenKind = 'negotiate' | 'synchronize' | 'presence';

/** One ASA that listens on an objective of this host. */
export interface ListenRequest {
  readonly listen: number;
  /** Default `negotiate`. */
  readonly kind?: ListenKind | undefined;
  /** Flags as registered; with F_SYNCH, M_REQ_SYN is what is expected on the port. */
  readonly flags?: number | undefined;
  /** `synchronize`: the value, encoded. */
  readonly value?: Uint8Array | undefined;
  readonly client: string;
  readonly asa: number;
  readonly objective: string;
  /** Port the objective had before, kept because peers cache locators; 0 = any. */
  readonly port: number;
  /** The listen was there before its worker was replaced, or needs no security yet: no noSecurity (16). */
  readonly resumed?: boolean | undefined;
  /** Largest message of its sessions if the objective allows more than the limit of the host (§2.8.3). */
  readonly maxMessageBytes?: number | undefined;
}

/** What the supervisor asks of a session host (control calls). */
export interface SessionHostControl {
  /** A client's data port; events for it go there from now on. */
  attachClient(client: string, port: unknown): void;
  /** The client is gone: its sessions end, its listens stop. */
  detachClient(client: string): void;
  /**
   * Opens the objective's stream listener if it is not open yet and adds this ASA's listen; resolves when TCP
   * accepts. Rejects GraspError noSecurity (16), or unspec (3) when the port cannot be bound.
   */
  listen(request: ListenRequest): Promise<{ port: number }>;
  /** Ends one listen; the last one closes the objective's listener and its queued requests. */
  stopListen(listen: number): Promise<void>;
  /** Changes the value of a `synchronize` listen; the latest one given is what requesters get (D-03). */
  setValue(listen: number, value: Uint8Array): void;
  /** Ends sessions of an ASA, all or those of one objective, with this code (C-13: 19). */
  endSessions(which: { asa: number; objective?: string | undefined }, code: number): Promise<void>;
}

/** Limits of a session host; each is counted under its name when it is reached. */
export interface SessionLimits {
  /** Live sessions per session worker, both kinds and roles; beyond: 43 locally, closed for peers. */
  readonly sessions: number;
  /** Accepted connections that have not sent a complete first message yet, per session worker. */
  readonly pendingConnections: number;
  /** ms until such a connection is closed. */
  readonly firstMessageMs: number;
  /** Requests of one objective waiting for an ASA to take them; when full, closed at once (C-20). */
  readonly requestQueue: number;
  /** Largest unicast message received and sent, bytes (RFC 8990 §2.8.3). */
  readonly maxMessageBytes: number;
  /** ms until a stream that this side has finished and the peer has not is reset; default 2000. */
  readonly lingerMs?: number | undefined;
  /** Such streams at a time, beyond: the oldest is reset; default 2048. */
  readonly lingeringStreams?: number | undefined;
  /** Bytes a peer may leave untaken before negotiate_wait gives 43; default 65536. */
  readonly sendBufferBytes?: number | undefined;
  /** Attempts to bind a given port that is in use, and ms between them; default 20 and 50. */
  readonly bindAttempts?: number | undefined;
  readonly bindRetryMs?: number | undefined;
  /** ms to wait for a new block of session ids when the last one is used up; default 5000. */
  readonly sessionIdWaitMs?: number | undefined;
  /** ms to connect to the source of a discovery that is a request (RFC 8990 §2.5.5.1); default 1000. */
  readonly rapidConnectMs?: number | undefined;
}
