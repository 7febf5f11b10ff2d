/** Numbers of the inspector: this file loads nothing, for those who only need to tell them. */

/** Where the page is when nothing else is said: the number of the RFC. */
export const DEFAULT_INSPECTOR_PORT = 8990;

/** Every size the inspector is held to; see docs/INSPECTOR.md. */
export interface InspectorLimits {
  /** Sessions and other actors of one node whose history is kept; the one that ended longest ago goes first. */
  readonly historyActors: number;
  /** Items kept of one of them: the first ones, so that its beginning is known, and the latest. */
  readonly historyItemsPerActor: number;
  /** Multicasts, answers to them, and other items of no actor that are kept of one node. */
  readonly historyMulticasts: number;
  /** Statuses kept of one node, `statusEveryMs` apart. */
  readonly historySamples: number;
  /** ms between two statuses. */
  readonly statusEveryMs: number;
  /** ms that items wait for others, to be sent together. */
  readonly batchMs: number;
  /** Items per second and thread: beyond, only a share of the sessions is shown. */
  readonly itemsPerSecond: number;
  /** Bytes a page may leave unread; beyond, it is sent nothing until it has read them, then the history. */
  readonly unreadBytes: number;
  /** Pages and Stately bridges at once. */
  readonly viewers: number;
}

export const DEFAULT_INSPECTOR_LIMITS: InspectorLimits = {
  historyActors: 200,
  historyItemsPerActor: 600,
  historyMulticasts: 1_000,
  historySamples: 300,
  statusEveryMs: 1_000,
  batchMs: 50,
  itemsPerSecond: 500,
  unreadBytes: 8 * 1024 * 1024,
  viewers: 16,
};
