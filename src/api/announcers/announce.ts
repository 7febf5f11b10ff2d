/** Floods an objective at intervals, until it is stopped: what RFC 8994 §6.4 and RFC 8995 §4 ask of announcers. */
import { ErrorCode, GraspError, MAX_UINT32 } from '../../protocol/index.js';
import type { TimerId } from '../../runtime/index.js';
import type { Asa } from '../asa.js';
import { show } from '../checks.js';
import type { LocatorLike } from '../locator.js';
import type { Objective } from '../objective.js';
import { workplace, type AnnouncerHost, type Workplace } from './host.js';
import { DEF_ANNOUNCE_PERIOD_MS, type AnnouncedKind } from './kinds.js';

export interface AnnounceOptions {
  /**
   * ms between two floods. Default 60000, at least 3000 on a link (RFC 8085 §3.1.3) and 60000 in a network (RFC 8994
   * §6.2.5.1, RFC 8995 §4.3). The ttl is 3.5 periods, for AN_Proxy and AN_join_registrar 3.
   */
  readonly periodMs?: number | undefined;
  /** Asked before each flood; false: not this time. For a service that may be out of reach (RFC 8994 §6.2.5.1). */
  readonly when?: (() => boolean | Promise<boolean>) | undefined;
  /** Hears of a flood that failed, or of what `when` threw; the next one is tried. Default: a process warning. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
  /** Stops it when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** An announcement under way. */
export interface Announcement {
  readonly objective: string;
  /**
   * Resolves when it has ended, with why: undefined if it was stopped, else 6 ASA deregistered, 13 objective
   * deregistered, 42 engine closed.
   */
  readonly ended: Promise<GraspError | undefined>;
  /** Floods no more; what was flooded lives on until its ttl ends. Idempotent. */
  stop(): Promise<void>;
}

/** One tagged objective of the flood. */
export interface AnnouncedItem {
  readonly value: unknown;
  readonly locator: LocatorLike;
}

/** After these nothing will ever be flooded again. */
const FINAL: readonly number[] = [ErrorCode.noASA, ErrorCode.notYourObj, ErrorCode.closed];

const isFinal = (error: unknown): error is GraspError => GraspError.is(error) && FINAL.includes(error.code);

/**
 * Floods at once, and then every period. Resolves after the first flood. Rejects what that one rejects with, and 3 a bad
 * period, or an engine of the wrong kind.
 *
 * @param items makes the tagged objectives anew for each flood, for addresses may change
 */
export async function announce(
  host: AnnouncerHost,
  kind: AnnouncedKind,
  items: (asa: Asa) => readonly AnnouncedItem[] | Promise<readonly AnnouncedItem[]>,
  options: AnnounceOptions,
): Promise<Announcement> {
  const periodMs = checkedPeriod(options.periodMs ?? DEF_ANNOUNCE_PERIOD_MS, kind);
  options.signal?.throwIfAborted();
  const place = await workplace(host, kind, 'announcer');
  try {
    const objective = await place.asa.registerObjective({
      name: kind.objective,
      synchronize: true,
      floodOnly: true,
      loopCount: kind.loopCount,
    });
    const announcer = new Announcer(place, objective, kind, items, { ...options, periodMs });
    await announcer.start();
    return announcer;
  } catch (error) {
    await place.release();
    throw error;
  }
}

class Announcer implements Announcement {
  readonly objective: string;
  readonly ended: Promise<GraspError | undefined>;
  readonly #place: Workplace;
  readonly #objective: Objective;
  readonly #items: Parameters<typeof announce>[2];
  readonly #options: AnnounceOptions & { readonly periodMs: number };
  readonly #ttlMs: number;
  readonly #onAbort = (): void => void this.stop().catch((error: unknown) => this.#failed(error));
  #end!: (why: GraspError | undefined) => void;
  #offClose: (() => void) | undefined;
  #timer: TimerId | undefined;
  #due = 0;
  #over = false;
  #stopping: Promise<void> | undefined;

  constructor(
    place: Workplace,
    objective: Objective,
    kind: AnnouncedKind,
    items: Parameters<typeof announce>[2],
    options: AnnounceOptions & { readonly periodMs: number },
  ) {
    this.objective = kind.objective;
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.#place = place;
    this.#objective = objective;
    this.#items = items;
    this.#options = options;
    this.#ttlMs = Math.round(options.periodMs * kind.periodsToLive);
  }

  async start(): Promise<void> {
    const { signal } = this.#options;
    const { asa } = this.#place;
    this.#due = asa.clock.now();
    try {
      await this.#flood();
      signal?.throwIfAborted();
    } catch (error) {
      await this.#leave();
      throw error;
    }
    this.#offClose = asa.onClose((error) => this.#finish(error));
    // At once, if it was closed meanwhile.
    if (this.#over) return;
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#schedule();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    if (this.#over) return;
    this.#finish(undefined);
    try {
      await this.#leave();
    } finally {
      await this.#place.release();
    }
  }

  /** The objective may be gone already, with its ASA or the engine; the announcer hears of that at its next flood only. */
  async #leave(): Promise<void> {
    try {
      await this.#objective.deregister();
    } catch (error) {
      if (!isFinal(error)) throw error;
    }
  }

  #finish(why: GraspError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#place.asa.clock.clearTimeout(this.#timer);
    this.#offClose?.();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#end(why);
  }

  /** At fixed times, however long a flood takes. */
  #schedule(): void {
    if (this.#over) return;
    const { clock } = this.#place.asa;
    const now = clock.now();
    const { periodMs } = this.#options;
    // Times that went by while the thread was held up are left out.
    this.#due += periodMs * Math.max(1, Math.ceil((now - this.#due) / periodMs));
    this.#timer = clock.setTimeout(() => void this.#again(), this.#due - now);
  }

  async #again(): Promise<void> {
    try {
      await this.#flood();
    } catch (error) {
      if (this.#over) return;
      if (isFinal(error)) return this.#finish(error);
      this.#failed(error);
    }
    this.#schedule();
  }

  #failed(error: unknown): void {
    (this.#options.onFailure ?? warn)(error);
  }

  async #flood(): Promise<void> {
    const { asa } = this.#place;
    if (this.#options.when && !(await this.#options.when())) return;
    const items = await this.#items(asa);
    if (this.#over) return;
    await asa.flood(
      items.map((item) => ({ ...item, objective: this.#objective })),
      { ttlMs: this.#ttlMs },
    );
  }
}

function checkedPeriod(periodMs: unknown, { minPeriodMs, objective, periodsToLive }: AnnouncedKind): number {
  const most = Math.floor(MAX_UINT32 / periodsToLive);
  if (
    typeof periodMs === 'number' &&
    Number.isInteger(periodMs) &&
    periodMs >= minPeriodMs &&
    periodMs <= most
  ) {
    return periodMs;
  }
  throw new GraspError(
    ErrorCode.unspec,
    `periodMs of ${objective} is a whole number from ${minPeriodMs} to ${most}, not ${show(periodMs)}`,
  );
}

function warn(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`an announcement was not sent: ${text}`, 'GraspAnnouncementWarning');
}
