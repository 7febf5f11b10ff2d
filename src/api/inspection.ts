import { ErrorCode, formatAddress, GraspError, parseAddress, validateName } from '../protocol/index.js';
import {
  MACHINES,
  type FromWatch,
  type InspectionDrops,
  type InspectionItem,
  type InspectionSpec,
} from '../workers/engine-control.js';
import type { Supervisor } from '../workers/supervisor.js';
import type { Watch } from '../workers/watches.js';
import { checkedUint32, show } from './checks.js';

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
   * before anything is made: what is not chosen costs a branch. An actor is shown with all it does, or not at all.
   * Of what has no actor of its own (multicasts, and the events of the actors through which multicasts and requests pass:
   * `multicastHandler`, `floodRelay`, `requestListener`) this share is shown.
   */
  readonly share?: number | undefined;
  /**
   * Items per second and thread; default 5,000, at least 10; Infinity: no limit. When less than a tenth of it is left,
   * new actors are not chosen; beyond the limit items are dropped before they are converted (`dropped.rate`).
   */
  readonly maxPerSecond?: number | undefined;
  /**
   * Items of each thread that may wait here for the reader, and as many again in the thread; default 5,000, at least
   * 16. Beyond, the thread lets go of what comes before it is converted (`dropped.slow`), but remembers the newest
   * state of each actor it shows and tells it when the reader goes on.
   */
  readonly queueLimit?: number | undefined;
  /** Ends it: the loop over it ends as after {@link Inspection.close}. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A running inspection: an async iterable of batches, oldest first, each of one thread: of a turn, or where much happens of
 * 100 ms. Read it once, in one loop; leaving the loop closes it, and so does the end of the engine. What happened before it
 * began is not repeated, but every actor there is then is told first (`existing`). Who shows history keeps it, as
 * `grasp inspect` does over loads of its page.
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
  /** The numbers behind it: two readings of them give the share of the time between. */
  readonly actors: { readonly seen: number; readonly chosen: number };
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

const DEF_MAX_PER_SECOND = 5_000;
const DEF_QUEUE_LIMIT = 5_000;

interface Batch {
  readonly items: readonly InspectionItem[];
  readonly taken: (items: number) => void;
}

/** The reader's end: what has come and has not been taken, bounded by what it has asked the threads for. */
export class EngineInspection implements Inspection {
  readonly attached: Promise<void>;
  readonly #watch: Watch;
  readonly #signal: AbortSignal | undefined;
  readonly #batches: Batch[] = [];
  #waiting: ((result: IteratorResult<readonly InspectionItem[], undefined>) => void) | undefined;
  #over = false;
  #read = false;
  #seen = 0;
  #chosen = 0;
  #shown = 0;
  #dropped: InspectionDrops = { unsampled: 0, rate: 0, slow: 0 };

  /** Throws GraspError 3 for options that mean nothing, 42 if the engine is closed. */
  constructor(supervisor: Supervisor, options: InspectOptions) {
    const spec = specOf(options);
    this.#signal = options.signal;
    this.#watch = supervisor.watch(
      spec,
      (report, taken) => this.#take(report, taken),
      () => this.#end(),
    );
    this.attached = this.#watch.attached;
    if (this.#signal?.aborted) this.#end();
    else this.#signal?.addEventListener('abort', this.#end, { once: true });
  }

  get share(): number {
    return this.#seen === 0 ? 1 : this.#chosen / this.#seen;
  }

  get actors(): { readonly seen: number; readonly chosen: number } {
    return { seen: this.#seen, chosen: this.#chosen };
  }

  get dropped(): InspectionDrops {
    return this.#dropped;
  }

  get shown(): number {
    return this.#shown;
  }

  close(): Promise<void> {
    this.#end();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly InspectionItem[], undefined> {
    if (this.#read) throw new GraspError(ErrorCode.unspec, 'an inspection is read once');
    this.#read = true;
    return {
      next: () => this.#next(),
      return: async () => {
        this.#batches.length = 0;
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  #next(): Promise<IteratorResult<readonly InspectionItem[], undefined>> {
    const batch = this.#batches.shift();
    if (batch) return Promise.resolve(this.#give(batch));
    if (this.#over) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => (this.#waiting = resolve));
  }

  #give({ items, taken }: Batch): IteratorResult<readonly InspectionItem[], undefined> {
    this.#shown += items.length;
    taken(items.length);
    return { done: false, value: items };
  }

  #take(report: FromWatch, taken: (items: number) => void): void {
    this.#seen += report.seen;
    this.#chosen += report.chosen;
    const { unsampled, rate, slow } = this.#dropped;
    this.#dropped = {
      unsampled: unsampled + report.unsampled,
      rate: rate + report.rate,
      slow: slow + report.slow,
    };
    // What a host sends for an inspection are items, not the events of `diagnostics_channel`.
    const items = report.items as readonly InspectionItem[];
    if (items.length === 0) return;
    const batch = { items, taken };
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting(this.#give(batch));
    else this.#batches.push(batch);
  }

  readonly #end = (): void => {
    if (this.#over) return;
    this.#over = true;
    this.#signal?.removeEventListener('abort', this.#end);
    this.#watch.close();
    this.#waiting?.({ done: true, value: undefined });
    this.#waiting = undefined;
  };
}

function specOf(options: InspectOptions): InspectionSpec {
  const { machines, objective, peer, session, share = 1 } = options;
  const { maxPerSecond = DEF_MAX_PER_SECOND, queueLimit = DEF_QUEUE_LIMIT } = options;
  for (const id of machines ?? []) {
    if (!(MACHINES as readonly string[]).includes(id)) {
      throw new GraspError(
        ErrorCode.unspec,
        `there is no machine ${show(id)}; there are ${MACHINES.join(', ')}`,
      );
    }
  }
  const invalid = objective === undefined ? undefined : validateName(objective);
  if (invalid) throw invalid;
  if (!(typeof share === 'number' && share >= 0 && share <= 1)) {
    throw new GraspError(ErrorCode.unspec, `share is a number from 0 to 1, not ${show(share)}`);
  }
  if (!(typeof maxPerSecond === 'number' && maxPerSecond >= 10)) {
    throw new GraspError(ErrorCode.unspec, `maxPerSecond is a number from 10, not ${show(maxPerSecond)}`);
  }
  if (!(Number.isInteger(queueLimit) && queueLimit >= 16)) {
    throw new GraspError(ErrorCode.unspec, `queueLimit is a whole number from 16, not ${show(queueLimit)}`);
  }
  return {
    kind: 'inspection',
    ...(machines ? { machines: [...machines] } : {}),
    ...(objective === undefined ? {} : { objective }),
    ...(peer === undefined ? {} : { peer: plainPeer(peer) }),
    ...(session === undefined ? {} : { session: checkedUint32(session, 'session') }),
    share,
    maxPerSecond,
    hold: queueLimit,
  };
}

/** In the one form that is compared. */
function plainPeer(peer: string): string {
  const parsed = typeof peer === 'string' ? parseAddress(peer) : undefined;
  if (!parsed || parsed.zone !== undefined) {
    throw new GraspError(ErrorCode.unspec, `peer is an address without port and zone, not ${show(peer)}`);
  }
  return formatAddress(parsed.bytes);
}
