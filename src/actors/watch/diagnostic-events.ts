/**
 * What is published on `node:diagnostics_channel`: names and payloads, as `docs/OBSERVABILITY.md` lists them. Plain
 * data; text in it may come from the network.
 */
import type { About, MessageName, SessionOutcome } from '../inspection-items.js';

interface Event {
  /** Engine thread, as in `status()`. */
  readonly thread: string;
  /** ms since the epoch, by the engine's clock. */
  readonly at: number;
}

interface SessionEvent extends Event {
  readonly procedure: 'negotiation' | 'synchronization';
  readonly about: About;
}

/** A session takes a place of `limits.sessions`: an ASA has asked, or a peer's request has come. */
export interface SessionBegun extends SessionEvent {
  readonly name: 'session.begun';
}

/** A message that was awaited has come. */
export interface SessionStep extends SessionEvent {
  readonly name: 'session.step';
  /** What came. */
  readonly message: MessageName;
  /** ms since the message that it answers was handed to the network. */
  readonly latencyMs: number;
}

export interface SessionEnded extends SessionEvent {
  readonly name: 'session.ended';
  readonly outcome: SessionOutcome;
  /** `failed`: code of RFC 8991 Appendix A, where there is one. */
  readonly code?: number;
  readonly reason?: string;
  /** Undefined: it began before anybody subscribed. */
  readonly tookMs?: number;
}

/** A discovery, an answer to one, or a flood: received, sent or relayed. */
export interface Multicast extends Event {
  readonly name: 'multicast';
  readonly direction: 'sent' | 'received';
  readonly via: 'multicast' | 'unicast' | 'stream';
  readonly message: MessageName;
  readonly session?: number;
  readonly objectives: readonly string[];
  readonly peer?: string;
  readonly interface?: string;
  readonly relayed?: true;
  readonly bytes: number;
}

/** Something was counted in `status().counters`: what is dropped or refused is, by reason. */
export interface Counted extends Event {
  readonly name: 'count';
  readonly counter: string;
  /** Since the batch before. */
  readonly n: number;
}

/** Sizes of caches, when one has changed; at most once per batch. */
export interface Caches extends Event {
  readonly name: 'caches';
  readonly discovery: number;
  readonly flood: number;
}

/** A thread of the engine has started, is lost, or has been replaced. Published by the supervisor. */
export interface WorkerChange extends Event {
  readonly name: 'worker';
  readonly change: 'started' | 'restarted' | 'lost';
  readonly role: 'listener' | 'core' | 'sessions' | 'asa';
  readonly restarts: number;
  /** `lost`: what it ended with, if it told. */
  readonly error?: string;
}

/** Security or interfaces are others than before; the first comes when the engine starts. Published by the supervisor. */
export interface EnvironmentChange extends Event {
  readonly name: 'environment';
  readonly security: 'none' | 'insecure' | 'secure';
  readonly interfaces: readonly {
    readonly name: string;
    readonly linkLocal: string | undefined;
    readonly addresses: readonly string[];
  }[];
}

export type DiagnosticEvent =
  SessionBegun | SessionStep | SessionEnded | Multicast | Counted | Caches | WorkerChange | EnvironmentChange;

export type DiagnosticName = DiagnosticEvent['name'];

/** Events of hosts; the others are the supervisor's own. */
export const HOST_EVENTS = [
  'session.begun',
  'session.step',
  'session.ended',
  'multicast',
  'count',
  'caches',
] as const satisfies readonly DiagnosticName[];

export const DIAGNOSTIC_NAMES = [
  ...HOST_EVENTS,
  'worker',
  'environment',
] as const satisfies readonly DiagnosticName[];
