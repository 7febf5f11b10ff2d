/**
 * listen_negotiate of the older API serves one request and returns, so there are gaps between two calls. C-20 of the
 * engine's choices: a request that comes into a gap waits for the next call, at most 250 ms; then nobody listens any
 * more, and it is closed. What waits stands in the bounded queue of the engine's request listener.
 */
import { ErrorCode, GraspError } from '../../protocol/index.js';
import type { Clock, TimerId } from '../../runtime/index.js';
import type { Objective } from '../objective.js';
import type { NegotiationSession } from '../session.js';

/** ms after the return of a call for which requests are still kept (C-20); `listenGapMs` of `configure` sets another. */
export const LISTEN_GAP_MS = 250;

type Listen = AsyncIterableIterator<NegotiationSession>;

/** The listens of one ASA for one objective: as many as calls wait, and those that bridge the gap after one. */
export class SingleListens {
  readonly #objective: Objective;
  readonly #clock: Clock;
  readonly #gapMs: number;
  readonly #waiting = new Set<Listen>();
  readonly #idle: Listen[] = [];
  #gap: TimerId | undefined;

  constructor(objective: Objective, clock: Clock, gapMs: number) {
    this.#objective = objective;
    this.#clock = clock;
    this.#gapMs = gapMs;
  }

  /**
   * The next request; any number of calls may wait, and each request goes to one. Rejects: 3 when stopped (D-10),
   * 13 when deregistered, 15, 16.
   */
  async next(): Promise<NegotiationSession> {
    const listen = this.#objective.listenNegotiate();
    this.#waiting.add(listen);
    // The engine opens the new one before it closes those, so what has waited in the gap comes to the new one. And
    // it looks anew whether listening is allowed at all.
    this.#closeIdle();
    try {
      const result = await listen.next();
      if (result.done) throw new GraspError(ErrorCode.unspec, 'listening was stopped');
      this.#idle.push(listen);
      this.#startGap();
      return result.value;
    } finally {
      this.#waiting.delete(listen);
    }
  }

  /** Waiting calls return, requests that wait are closed; sessions under way go on. */
  async stop(): Promise<void> {
    this.release();
    await Promise.all([...this.#waiting, ...this.#idle.splice(0)].map(async (listen) => listen.return?.()));
  }

  /** No timer is left behind. */
  release(): void {
    this.#clock.clearTimeout(this.#gap);
    this.#gap = undefined;
  }

  #startGap(): void {
    this.release();
    this.#gap = this.#clock.setTimeout(() => {
      this.#gap = undefined;
      this.#closeIdle();
    }, this.#gapMs);
  }

  #closeIdle(): void {
    for (const listen of this.#idle.splice(0)) void listen.return?.();
  }
}
