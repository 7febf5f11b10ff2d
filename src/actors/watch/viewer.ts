import type { AnyActor } from 'xstate';
import type { Message } from '../../protocol/index.js';
import type { Packet, WatchedSession } from '../../runtime/index.js';
import type { SessionOutcome } from '../inspection-items.js';

/** How a session ended, as a watcher has seen it. */
export interface SessionEnd {
  readonly outcome: SessionOutcome;
  readonly code?: number;
  readonly reason?: string;
  readonly tookMs?: number;
  /** GRASP session id, which the session itself may have known too late. */
  readonly session?: number;
}

/** A watched message, decoded if it was not. */
export type WatchedPacket = Packet & { readonly message: Message };

/** One reader's part of a host's watcher. What it does not want it does not implement. */
export interface Viewer {
  /** `existing`: the actor was there before the viewer. */
  actorMade?(actor: AnyActor, existing: boolean): void;
  actorFailed?(actor: object): void;
  sessionBegun?(session: WatchedSession): void;
  sessionMessage?(
    session: WatchedSession,
    direction: 'sent' | 'received',
    message: Message,
    bytes: Uint8Array,
  ): void;
  /** The message answers one that was sent so many ms ago. */
  sessionStep?(session: WatchedSession, message: Message, latencyMs: number): void;
  sessionEnded?(session: WatchedSession, end: SessionEnd): void;
  passed?(packet: WatchedPacket): void;
  counted?(name: string, n: number): void;
  close(): void;
}
