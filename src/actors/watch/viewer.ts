import type { AnyActor, EventObject } from 'xstate';
import type { Message } from '../../protocol/index.js';
import type { WatchedSession } from '../../runtime/index.js';
import type { SessionOutcome } from '../inspection-items.js';
import type { PassedPacket } from './passed-packet.js';

/** How a session ended, as a watcher has seen it. */
export interface SessionEnd {
  readonly outcome: SessionOutcome;
  readonly code?: number | undefined;
  readonly reason?: string | undefined;
  readonly tookMs?: number | undefined;
  /** GRASP session id, which the session itself may have known too late. */
  readonly session?: number | undefined;
}

/** One reader's part of a host's watcher. What it does not want it does not implement. */
export interface Viewer {
  /** `existing`: the actor was there before the viewer. Sessions do not come here. */
  actorMade?(actor: AnyActor, existing: boolean): void;
  /** An actor that everything of its kind passes through is about to get it. */
  eventComes?(actor: object, event: EventObject): void;
  /** Asked once for each session: its part in it, or undefined, and it will hear nothing of that session. */
  sessionMade?(session: WatchedSession, existing: boolean): SessionViewer | undefined;
  passed?(packet: PassedPacket): void;
  counted?(name: string, n: number): void;
  close(): void;
}

/** A viewer's part in a session that it has chosen. */
export interface SessionViewer {
  readonly viewer: Viewer;
  begun(session: WatchedSession): void;
  message?(
    session: WatchedSession,
    direction: 'sent' | 'received',
    message: Message,
    bytes: Uint8Array,
  ): void;
  /** The message answers one that was sent so many ms ago. */
  step?(session: WatchedSession, message: Message, latencyMs: number): void;
  ended(session: WatchedSession, end: SessionEnd): void;
}
