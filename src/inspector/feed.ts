/**
 * What goes from the inspector's server to its page, as JSON over one WebSocket. The page sends nothing.
 *
 * A page that connects gets `hello` with what has happened so far, then what happens. One that reads too slowly gets
 * another `hello` instead of what it missed: it starts again from the history.
 */
import type { Grasp } from '../api/grasp.js';
import type { InspectedEvent, InspectionDrops, InspectionItem } from '../api/inspection.js';

export type {
  About,
  InspectedActor,
  InspectedLocator,
  InspectedMessage,
  InspectedObjective,
  InspectedSession,
  InspectedSnapshot,
  InspectionDrops,
  MessageName,
  SafeEvent,
  SafeValue,
  SessionOutcome,
} from '../api/inspection.js';

export type EngineStatus = Awaited<ReturnType<Grasp['status']>>;
export type ThreadStatus = EngineStatus['threads'][number];

/** An item of the page: a snapshot tells its event, so that events need not be sent as well. */
export type FeedItem = Exclude<InspectionItem, InspectedEvent>;

/** What a status is worth showing with. */
export interface StatusSample {
  /** ms since the epoch. */
  readonly at: number;
  readonly status: EngineStatus;
  /** Share of the sessions that was shown lately, 0 … 1. */
  readonly share: number;
  /** Since the inspection began. */
  readonly dropped: InspectionDrops;
}

/** A node: an engine of the process that serves the page. */
export interface NodeHistory {
  readonly name: string;
  /** Oldest first. */
  readonly items: readonly FeedItem[];
  /** Items that were let go to keep the history bounded. */
  readonly forgotten: number;
  readonly samples: readonly StatusSample[];
  /** The engine is closed. */
  readonly ended: boolean;
}

export type ToPage =
  | {
      readonly type: 'hello';
      readonly version: string;
      /** Of the process that serves the page, ms since the epoch; ages are told by it. */
      readonly now: number;
      /** Names of the codes of RFC 8991 Appendix A, and of this engine's own. */
      readonly codes: Readonly<Record<number, string>>;
      readonly nodes: readonly NodeHistory[];
    }
  | { readonly type: 'items'; readonly node: string; readonly items: readonly FeedItem[] }
  | { readonly type: 'sample'; readonly node: string; readonly sample: StatusSample }
  /** The engine of a node is closed: nothing follows. */
  | { readonly type: 'ended'; readonly node: string };
