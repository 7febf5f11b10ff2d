/**
 * What the API side asks of the engine, and what the engine tells it: the contract between `src/api` and the
 * supervisor. A client is one thread's API side: the thread that called `Grasp.start`, or an ASA's own worker.
 */
import type { Failure, ListenKind } from '../actors/session-protocol.js';
import type { ActorCount, QueueStatus } from '../actors/machine-host.js';
import type { Limits } from '../actors/limits.js';
import type { DullRules, WireLocator } from '../protocol/index.js';
import type { Security } from '../substrate/types.js';

export { weightOf } from '../actors/core-protocol.js';
export { callForm, eventForm } from '../actors/session-wire.js';
export type { FloodPair, FloodRecord, FromCore, ToCore } from '../actors/core-protocol.js';
export { MACHINES } from '../actors/inspection-items.js';
export type * from '../actors/inspection-items.js';
export { DIAGNOSTIC_NAMES, HOST_EVENTS } from '../actors/watch/diagnostic-events.js';
export type * from '../actors/watch/diagnostic-events.js';
export type { DiagnosticsSpec, FromWatch, InspectionSpec, WatchSpec } from '../actors/watch/protocol.js';
export { DEFAULT_LIMITS, type Limits } from '../actors/limits.js';
export type {
  Answer,
  Failure,
  FromSessions,
  ListenKind,
  ObjectiveHead,
  SessionKey,
  SessionCall,
  ToSessions,
} from '../actors/session-protocol.js';

/** A registration of an objective by one ASA: RFC 8991 §2.3.3, api.md §4.3. */
export interface ObjectiveRegistration {
  readonly name: string;
  readonly negotiate: boolean;
  readonly synchronize: boolean;
  readonly dryRun: boolean;
  readonly loopCount: number;
  /** ms; ttl of the M_RESPONSE. */
  readonly ttlMs: number;
  readonly overlap: boolean;
  /** Largest message of its sessions, bytes, if its specification allows more than 2048 (RFC 8990 §2.8.3). */
  readonly maxMessageBytes?: number | undefined;
  /** Discoveries are answered from now on, without a listen. */
  readonly discoverable?: boolean | undefined;
  /** Its M_RESPONSE holds the link-local address of the interface, and is never diverted. */
  readonly local?: boolean | undefined;
  /** The current value goes into the M_RESPONSE (D-04). */
  readonly rapid?: boolean | undefined;
  /** D-05: exactly these in the M_RESPONSE, in order. */
  readonly locators?: readonly WireLocator[] | undefined;
  /** Flags without F_DISC, as infrastructure floods have them (AN_ACP, SRV.est). */
  readonly floodOnly?: boolean | undefined;
  /** The value it is registered with, encoded; used until a listenSynchronize gives another. */
  readonly value?: Uint8Array | undefined;
}

/** The engine as a client sees it. Every call rejects with a GraspError. */
export interface EngineControl {
  /** 3 not a name, 4 registry full, 5 name in use. */
  registerAsa(name: string): Promise<number>;
  /** 6 not registered (by this client). */
  deregisterAsa(asa: number): Promise<void>;
  /**
   * 3, 6, 8, 9, 11, 12, 38 a locator that cannot be used, 40 locators or value too big. With `discoverable` it
   * resolves when discoveries are answered; 3 if no port can be opened.
   */
  registerObjective(asa: number, registration: ObjectiveRegistration): Promise<void>;
  /** 6, 13 registered by another ASA, 14 not registered at all. */
  deregisterObjective(asa: number, objective: string): Promise<void>;
  /** 6, 13, 15, 16. Resolves when TCP accepts and discoveries are answered. */
  listen(asa: number, objective: string): Promise<{ listen: number; host: string; port: number }>;
  /**
   * Answers M_REQ_SYN with this value (encoded) and can be discovered from now on; called again: changes the value,
   * nothing is sent. 6, 13, 16, 32, 40 the value fits no M_SYNCH.
   */
  listenSynchronize(asa: number, objective: string, value: Uint8Array): Promise<void>;
  /** Ends it; not listening: no error. 6, 13, 16, 32. */
  stopSynchronize(asa: number, objective: string): Promise<void>;
  /** Resolves when discoveries are no more answered and the listener is closed. */
  stopListen(listen: number): Promise<void>;
  status(): Promise<EngineStatus>;
}

/** What the supervisor tells a client. */
export interface ClientControl {
  attachCore(port: unknown): void | Promise<void>;
  /** A session host (again): data port, and the listens of this client there are to be taken up. */
  attachSessions(host: string, port: unknown): void | Promise<void>;
  /** A session host is gone with its sessions: they end with this failure. */
  sessionsLost(host: string, failure: Failure): void | Promise<void>;
  /** The core is gone, and with it the discoveries under way. */
  coreLost(failure: Failure): void | Promise<void>;
  /** A listen ended from the engine's side: deregistered, or its port could not be opened again. */
  listenEnded(listen: number, failure: Failure): void | Promise<void>;
}

export interface ThreadStatus {
  readonly name: string;
  /** 0 when the actors run in the calling thread. */
  readonly threadId: number;
  /** Of its supervision: `running` when it does all it is to do, what its predecessor listened on included. */
  readonly state: string;
  readonly restarts: number;
  /**
   * Longest time an event of the last 10 to 20 s had to wait for the event loop of the thread, ms, as the supervisor's
   * questions found it: one every 100 ms of which the thread was busy for more than 10. Of the supervisor: by how much its
   * ticks were late. Undefined: not known, or inline.
   */
  readonly lagMs?: number | undefined;
  readonly actors: readonly ActorCount[];
  readonly queues: readonly QueueStatus[];
  readonly counters: Readonly<Record<string, number>>;
  /** Core: it has unicast port 7017 of the node. */
  readonly wellKnown?: boolean | undefined;
}

/** A snapshot of the engine, as data. */
export interface EngineStatus {
  /** `none` for a DULL instance, which needs none. */
  readonly security: Security;
  /** Present for a DULL instance (RFC 8990 §2.5.2): its link, and the objectives it serves. */
  readonly dull?: DullRules | undefined;
  readonly placement: 'worker' | 'inline';
  readonly interfaces: readonly {
    readonly name: string;
    readonly index: number;
    readonly linkLocal: string | undefined;
    readonly addresses: readonly string[];
    /** The port discoveries are sent from, once bound (RFC 8990 §2.8.4). */
    readonly port: number | undefined;
  }[];
  /** Unicasts to port 7017 of the node come to this engine; only one of a host gets them (RFC 8990 §2.6). */
  readonly wellKnownPort: boolean;
  readonly threads: readonly ThreadStatus[];
  readonly asas: readonly { readonly name: string; readonly handle: number; readonly thread: string }[];
  readonly objectives: readonly {
    readonly name: string;
    readonly asas: readonly string[];
    readonly negotiate: boolean;
    readonly synchronize: boolean;
    readonly dryRun: boolean;
    readonly overlap: boolean;
    /** Where requests are taken now, and of which kind. */
    readonly listening: readonly {
      readonly asa: string;
      readonly thread: string;
      readonly port: number;
      readonly kind: ListenKind;
    }[];
  }[];
  readonly limits: Limits;
  /** Sum over the threads. */
  readonly counters: Readonly<Record<string, number>>;
}
