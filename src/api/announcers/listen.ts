/** What announcers have flooded, as a list that follows what is heard and what expires. */
import type { TimerId } from '../../runtime/index.js';
import type { TaggedObjective } from '../flooding.js';
import { workplace, type AnnouncerHost, type Workplace } from './host.js';
import type { AnnouncedKind } from './kinds.js';

export interface ListenOptions {
  /** The loop ends with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What every announcement tells. */
export interface Announced {
  /** ms since the epoch; 0: never. */
  readonly expiresAt: number;
}

/** Why a loop ends that was left. */
const LEFT = Symbol('left');

/**
 * The entries that can be used: now, after every flood of the objective, and when one expires. Who is slow gets the
 * newest list only. Leaving the loop ends it. `next` rejects: 3 an engine of the wrong kind; 4, 6, 42; the reason of
 * `signal`.
 */
export class AnnouncedList<T extends Announced> implements AsyncIterableIterator<T[]> {
  readonly #stop = new AbortController();
  readonly #lists: AsyncGenerator<T[], undefined>;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#stop.abort(this.#signal!.reason);

  /** @param read undefined for an entry that cannot be used */
  constructor(
    host: AnnouncerHost,
    kind: AnnouncedKind,
    read: (entry: TaggedObjective) => T | undefined,
    { signal }: ListenOptions,
  ) {
    signal?.throwIfAborted();
    this.#signal = signal;
    this.#lists = lists(host, kind, read, this.#stop.signal, () => this.#forgetSignal());
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T[], undefined>> {
    return this.#lists.next();
  }

  async return(): Promise<IteratorResult<T[], undefined>> {
    this.#forgetSignal();
    this.#stop.abort(LEFT);
    return this.#lists.return(undefined);
  }

  #forgetSignal(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}

async function* lists<T extends Announced>(
  host: AnnouncerHost,
  kind: AnnouncedKind,
  read: (entry: TaggedObjective) => T | undefined,
  signal: AbortSignal,
  onEnd: () => void,
): AsyncGenerator<T[], undefined> {
  let place: Workplace | undefined;
  try {
    place = await workplace(host, kind, 'listener');
    const { asa } = place;
    const { clock } = asa;
    const watch = asa.watchFlood(kind.objective, { signal });
    const listening = (): ReturnType<typeof watch.next> => {
      const news = watch.next();
      // It may fail while the list is being looked at; whoever asks for the next one is told.
      news.catch(() => undefined);
      return news;
    };
    let heard = listening();
    let all: T[] = [];
    for (;;) {
      const dates = all.flatMap(({ expiresAt }) => (expiresAt === 0 ? [] : expiresAt));
      let timer: TimerId | undefined;
      const expired = new Promise<'expired'>((resolve) => {
        if (dates.length === 0) return;
        timer = clock.setTimeout(() => resolve('expired'), Math.max(0, Math.min(...dates) - clock.now()));
      });
      let news: Awaited<typeof heard> | 'expired';
      try {
        news = await Promise.race([heard, expired]);
      } finally {
        clock.clearTimeout(timer);
      }
      if (news === 'expired') {
        const now = clock.now();
        all = all.filter(({ expiresAt }) => expiresAt === 0 || expiresAt > now);
      } else {
        if (news.done) return;
        all = news.value.flatMap((entry) => read(entry) ?? []);
        heard = listening();
      }
      yield [...all];
    }
  } catch (error) {
    if (error !== LEFT) throw error;
  } finally {
    onEnd();
    await place?.release();
  }
}
