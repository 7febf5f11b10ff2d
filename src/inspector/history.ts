/** What has happened at one node, bounded: the items of each actor together, so that a session is kept whole or not at all. */
import type { FeedItem, StatusSample } from './feed.js';
import type { InspectorLimits } from './limits.js';

/** Of an actor with too many items, how many of the first ones are kept. */
const KEPT_BEGINNING = 10;

interface Kept {
  readonly items: FeedItem[];
  ended: boolean;
}

export class History {
  readonly samples: StatusSample[] = [];
  readonly #limits: InspectorLimits;
  /** In the order of their coming. */
  readonly #live = new Map<string, Kept>();
  /** In the order of their end. */
  readonly #ended = new Map<string, Kept>();
  readonly #multicasts: FeedItem[] = [];
  #forgotten = 0;

  constructor(limits: InspectorLimits) {
    this.#limits = limits;
  }

  /** Items that were let go. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** Oldest first. */
  get items(): FeedItem[] {
    const groups = [...this.#ended.values(), ...this.#live.values()].map(({ items }) => items);
    return [...groups, this.#multicasts].flat().sort((a, b) => a.at - b.at || a.seq - b.seq);
  }

  add(item: FeedItem): void {
    const actor = actorOf(item);
    if (actor === undefined) this.#addMulticast(item);
    else this.#addOf(actor, item);
  }

  addSample(sample: StatusSample): void {
    this.samples.push(sample);
    if (this.samples.length > this.#limits.historySamples) this.samples.shift();
  }

  #addMulticast(item: FeedItem): void {
    this.#multicasts.push(item);
    if (this.#multicasts.length <= this.#limits.historyMulticasts) return;
    this.#multicasts.shift();
    this.#forgotten++;
  }

  #addOf(actor: string, item: FeedItem): void {
    let kept = this.#live.get(actor) ?? this.#ended.get(actor);
    if (kept === undefined) {
      kept = { items: [], ended: false };
      this.#live.set(actor, kept);
      this.#bound();
    }
    kept.items.push(item);
    if (kept.items.length > this.#limits.historyItemsPerActor) {
      kept.items.splice(Math.min(KEPT_BEGINNING, this.#limits.historyItemsPerActor - 1), 1);
      this.#forgotten++;
    }
    if (!kept.ended && isLast(item)) {
      kept.ended = true;
      this.#live.delete(actor);
      this.#ended.set(actor, kept);
    }
  }

  #bound(): void {
    if (this.#live.size + this.#ended.size <= this.#limits.historyActors) return;
    const from = this.#ended.size > 0 ? this.#ended : this.#live;
    const [oldest] = from;
    if (oldest === undefined) return;
    from.delete(oldest[0]);
    this.#forgotten += oldest[1].items.length;
  }
}

/** The actor an item belongs to, if any. */
function actorOf(item: FeedItem): string | undefined {
  return item.type === '@xstate.actor' || item.type === '@xstate.snapshot' ? item.sessionId : item.actor;
}

/** What a session said and how it ended may be told after its machine is gone; it stays in its place all the same. */
function isLast(item: FeedItem): boolean {
  return (
    (item.type === '@xstate.snapshot' && item.snapshot.status !== 'active') ||
    (item.type === 'grasp.session' && item.phase === 'ended')
  );
}
