import type { Clock } from '../runtime/index.js';

/** ms after which a request for session ids that brought none is repeated. */
const ASK_AGAIN_MS = 1_000;
/** The next block is asked for when this share of the last one is left. */
const LOW_WATER = 0.25;

/** A block this host draws from. It lives until its last session has ended. */
export interface OwnBlock {
  readonly ids: Uint32Array;
  next: number;
  live: number;
}

/** An id and the block to give it back to. */
export interface DrawnId {
  readonly sessionId: number;
  readonly block: OwnBlock;
}

/**
 * The session ids of this engine as one host knows them (RFC 8990 §2.7, C-06): the blocks it draws from, and those
 * announced by others, so that the clash rule needs no round trip. Drawing them, cryptographically strong and
 * never one in use, is the core's part.
 */
export class SessionIds {
  readonly #announced = new Set<number>();
  readonly #blocks = new Map<number, Uint32Array>();
  #own: OwnBlock[] = [];
  #left = 0;
  #askedAt: number | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly ask: () => void,
    private readonly onRetired: (first: number) => void,
  ) {}

  /** The blocks this host draws from or still has sessions of; a new core must not give their ids again. */
  get ownBlocks(): Uint32Array[] {
    return this.#own.map(({ ids }) => ids);
  }

  add(ids: Uint32Array, own: boolean): void {
    const first = ids[0];
    if (first === undefined) return;
    this.#blocks.set(first, ids);
    for (const id of ids) this.#announced.add(id);
    if (!own) return;
    this.#own.push({ ids, next: 0, live: 0 });
    this.#left += ids.length;
    this.#askedAt = undefined;
  }

  drop(first: number): void {
    const ids = this.#blocks.get(first);
    if (!ids) return;
    this.#blocks.delete(first);
    for (const id of ids) this.#announced.delete(id);
  }

  /** Whether this engine initiated, or is about to initiate, a session of this id. */
  has(sessionId: number): boolean {
    return this.#announced.has(sessionId);
  }

  /** An id for a new session; undefined: none left, the next block has been asked for. */
  draw(): DrawnId | undefined {
    const block = this.#own.find(({ ids, next }) => next < ids.length);
    if (!block) {
      this.#askForMore();
      return undefined;
    }
    const sessionId = block.ids[block.next++]!;
    block.live++;
    this.#left--;
    if (this.#left < block.ids.length * LOW_WATER) this.#askForMore();
    return { sessionId, block };
  }

  /** The session of this id has ended. */
  release({ block }: DrawnId): void {
    block.live--;
    if (block.live > 0 || block.next < block.ids.length) return;
    this.#own = this.#own.filter((other) => other !== block);
    const first = block.ids[0]!;
    this.drop(first);
    this.onRetired(first);
  }

  #askForMore(): void {
    const now = this.clock.now();
    if (this.#askedAt !== undefined && now - this.#askedAt < ASK_AGAIN_MS) return;
    this.#askedAt = now;
    this.ask();
  }
}
