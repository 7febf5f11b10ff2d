import type { InspectionDrops, InspectionItem } from '../workers/engine-control.js';

/** What to look at: everything, if nothing is said. Several conditions must all be met. */
export interface InspectOptions {
  /** Ids of machines, as `negotiationSession`; default all. Messages and outcomes are shown whatever stands here. */
  readonly machines?: readonly string[] | undefined;
  /**
   * Name of an objective: only actors, messages and sessions about it. Actors that are about no objective (bindings,
   * supervision, the multicast handler) are left out.
   */
  readonly objective?: string | undefined;
  /** Address of another node, without port and zone: only what is said to it or comes from it. */
  readonly peer?: string | undefined;
  /** GRASP session id (RFC 8990 §2.7). */
  readonly session?: number | undefined;
  /**
   * Share of the sessions and other short-lived actors that are shown, 0 … 1; default 1. Chosen when the actor is made,
   * before anything is converted: what is not chosen costs a branch. An actor is shown with all it does, or not at all.
   * Of what has no actor of its own (multicasts, and the events of actors as old as the engine) this share is shown.
   */
  readonly share?: number | undefined;
  /**
   * Items per second and thread; default 5,000. When less than a tenth of a second's worth is left, new actors are not
   * chosen; beyond the limit items are dropped before they are converted (`dropped.rate`).
   */
  readonly maxPerSecond?: number | undefined;
  /**
   * Items that wait here for the reader; default 20,000. Beyond, the threads hold their items back, each up to a
   * quarter of it, then drop the oldest (`dropped.slow`), snapshots last.
   */
  readonly queueLimit?: number | undefined;
  /** Ends it: the loop over it ends as after {@link Inspection.close}. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A running inspection: an async iterable of batches, oldest first, each at most a turn of one thread. Read it once,
 * in one loop; leaving the loop closes it. What happened before a reader asked is not repeated: who shows history
 * keeps it (`InspectionHistory` does, bounded).
 *
 * @example
 * for await (const items of grasp.inspect({ objective: 'EX3', share: 0.1 })) {
 *   for (const item of items) if (item.type === 'grasp.session') console.log(item.phase, item.outcome);
 * }
 */
export interface Inspection extends AsyncIterable<readonly InspectionItem[]>, AsyncDisposable {
  /** Resolves when every thread there is now is inspected, so that what happens from now on is shown. */
  readonly attached: Promise<void>;
  /** Share of the short-lived actors that were chosen since it began, of those that met the conditions; 1 if none was there. */
  readonly share: number;
  /** What was left out so far. */
  readonly dropped: InspectionDrops;
  /** Items given to the reader. */
  readonly shown: number;
  /** Threads stop at once; the loop ends when it has taken what is here. Idempotent. */
  close(): Promise<void>;
}

export type {
  About,
  InspectedActor,
  InspectedEvent,
  InspectedLocator,
  InspectedMessage,
  InspectedObjective,
  InspectedSession,
  InspectedSnapshot,
  InspectionDrops,
  InspectionItem,
  MessageName,
  SafeEvent,
  SafeSnapshot,
  SafeValue,
  SessionOutcome,
} from '../workers/engine-control.js';
