/** Inspects one engine from now on: keeps its history, and tells what happens in batches. */
import type { InspectOptions, Inspection } from '../api/inspection.js';
import { GraspError } from '../protocol/index.js';
import type { Clock, TimerId } from '../runtime/index.js';
import type { EngineStatus, FeedItem, NodeHistory, StatusSample } from './feed.js';
import { History } from './history.js';
import type { InspectorLimits } from './limits.js';

/** Statuses over which the share that is shown is told. */
const SHARE_STATUSES = 10;

/** What is asked of an engine: `Grasp` has it. */
export interface Inspectable {
  inspect(options: InspectOptions): Inspection;
  status(): Promise<EngineStatus>;
}

/** Whom a recorder tells. */
export interface RecorderSink {
  items(node: string, items: readonly FeedItem[]): void;
  sample(node: string, sample: StatusSample): void;
  ended(node: string): void;
}

export class Recorder {
  readonly #history: History;
  readonly #inspection: Inspection;
  readonly #done: Promise<void>;
  readonly #counts: Inspection['actors'][] = [];
  #batch: FeedItem[] = [];
  #batchTimer: TimerId | undefined;
  #statusTimer: TimerId | undefined;
  #closed = false;
  #ended = false;

  constructor(
    readonly name: string,
    readonly grasp: Inspectable,
    readonly clock: Clock,
    readonly limits: InspectorLimits,
    readonly sink: RecorderSink,
  ) {
    this.#history = new History(limits);
    this.#inspection = grasp.inspect({ maxPerSecond: limits.itemsPerSecond });
    this.#done = this.#record();
  }

  /** Begins; resolves when what happens from now on is recorded. */
  async start(): Promise<void> {
    await this.#inspection.attached;
    await this.#poll();
  }

  /** What a page that comes now is told; what still waits for its batch will come with that. */
  history(): NodeHistory {
    this.#flush();
    const { items, samples, forgotten } = this.#history;
    return { name: this.name, items, samples: [...samples], forgotten, ended: this.#ended };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.clock.clearTimeout(this.#statusTimer);
    this.clock.clearTimeout(this.#batchTimer);
    await this.#inspection.close();
    await this.#done;
  }

  async #record(): Promise<void> {
    for await (const items of this.#inspection) {
      for (const item of items) {
        // The snapshot that follows tells the event.
        if (item.type === '@xstate.event') continue;
        this.#history.add(item);
        this.#batch.push(item);
      }
      if (this.#batch.length > 0 && !this.#closed) {
        this.#batchTimer ??= this.clock.setTimeout(() => this.#flush(), this.limits.batchMs);
      }
    }
    this.#flush();
    this.clock.clearTimeout(this.#statusTimer);
    this.#ended = true;
    this.sink.ended(this.name);
  }

  #flush(): void {
    this.clock.clearTimeout(this.#batchTimer);
    this.#batchTimer = undefined;
    if (this.#batch.length === 0) return;
    const items = this.#batch;
    this.#batch = [];
    this.sink.items(this.name, items);
  }

  /** Of the sessions of the last `SHARE_STATUSES` statuses: what was hidden in a rush says nothing of now. */
  #recentShare(now: Inspection['actors']): number {
    this.#counts.push(now);
    if (this.#counts.length > SHARE_STATUSES) this.#counts.shift();
    const [then = now] = this.#counts;
    const seen = now.seen - then.seen;
    return seen === 0 ? 1 : (now.chosen - then.chosen) / seen;
  }

  async #poll(): Promise<void> {
    try {
      const status = await this.grasp.status();
      const { actors, dropped } = this.#inspection;
      const sample = { at: this.clock.now(), status, share: this.#recentShare(actors), dropped };
      this.#history.addSample(sample);
      this.sink.sample(this.name, sample);
    } catch (error) {
      // The engine closes: the inspection's end is told.
      if (!GraspError.is(error)) throw error;
      return;
    }
    if (this.#closed) return;
    this.#statusTimer = this.clock.setTimeout(() => void this.#poll(), this.limits.statusEveryMs);
  }
}
