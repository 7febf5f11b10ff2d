import { TokenBucket } from '../../protocol/index.js';
import { DataPort, type Clock, type Endpoint, type TimerId } from '../../runtime/index.js';
import type { InspectionItem } from '../inspection-items.js';
import type { DiagnosticEvent } from './diagnostic-events.js';
import type { FromWatch, ToWatch } from './protocol.js';

type Item = InspectionItem | DiagnosticEvent;

/**
 * Reports at once after a pause, and a second in the long run: a message to another thread costs that thread and this one
 * more than a dozen items.
 */
const REPORTS = { atOnce: 50, perSecond: 10 };
/** ms after which counts leave without items at the latest. */
const COUNTS_MS = 100;

/** What is counted beside the items. */
export type LineCounts = Omit<FromWatch, 'items'>;

export interface ViewerLineOptions {
  readonly endpoint: Endpoint;
  readonly clock: Clock;
  /** Items that may wait here while the reader takes none. */
  readonly hold: number;
  /** Just before what has come leaves. */
  readonly onFlush?: () => void;
  /** There is room again after {@link ViewerLine.stalled} was true. */
  readonly onRoom?: () => void;
  /** The reader is gone. */
  readonly onGone: () => void;
}

/**
 * The way of items out of a thread: one report per turn, and where much happens ten a second; no more items than the
 * reader has asked for. What it has not asked for waits here, up to a limit; then the line is {@link stalled}, and whoever
 * fills it converts nothing more.
 */
export class ViewerLine {
  readonly #options: ViewerLineOptions;
  readonly #port: DataPort<FromWatch, ToWatch>;
  #waiting: Item[] = [];
  #credit = 0;
  #stalled = false;
  #flushing = false;
  #counts: { -readonly [K in keyof LineCounts]: number } = nothing();
  #counted = false;
  #timer: TimerId | undefined;
  readonly #reports = new TokenBucket(REPORTS.perSecond, REPORTS.atOnce);
  #gathering: TimerId | undefined;

  constructor(options: ViewerLineOptions) {
    this.#options = options;
    this.#port = new DataPort(options.endpoint, options.clock, {
      onEvents: (demands) => {
        for (const { more } of demands) this.#credit += more;
        this.#schedule();
      },
      onClose: options.onGone,
    });
  }

  /** As many items wait as may: what comes now is to be let go of before it is converted. */
  get stalled(): boolean {
    return this.#stalled;
  }

  add(item: Item): void {
    this.#waiting.push(item);
    if (this.#waiting.length - this.#credit >= this.#options.hold) this.#stalled = true;
    this.#schedule();
  }

  /** Goes with the next items, or by itself a little later: most of what happens may not be shown. */
  count(what: keyof LineCounts, n = 1): void {
    this.#counts[what] += n;
    if (this.#counted) return;
    this.#counted = true;
    this.#timer ??= this.#options.clock.setTimeout(() => {
      this.#timer = undefined;
      if (this.#counted) this.#schedule();
    }, COUNTS_MS);
  }

  /** Something is to leave that is made only then ({@link ViewerLineOptions.onFlush}). */
  wake(): void {
    this.#schedule();
  }

  /** What this turn brings leaves together; if there have been many reports, with what comes in the next turns. */
  #schedule(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    const { clock } = this.#options;
    const waitMs = this.#reports.wait(clock.now());
    if (waitMs === 0) clock.defer(this.#due);
    else this.#gathering = clock.setTimeout(this.#due, waitMs);
  }

  readonly #due = (): void => {
    this.#flushing = false;
    this.#gathering = undefined;
    this.#flush();
  };

  #flush(): void {
    if (this.#port.closed) return;
    this.#options.onFlush?.();
    this.#post();
    if (!this.#stalled || this.#waiting.length > this.#options.hold / 2) return;
    this.#stalled = false;
    this.#options.onRoom?.();
  }

  #post(): void {
    const n = Math.min(this.#credit, this.#waiting.length);
    if (n === 0 && (!this.#counted || this.#timer !== undefined)) return;
    const items = n === this.#waiting.length ? this.#waiting : this.#waiting.slice(0, n);
    this.#waiting = n === this.#waiting.length ? [] : this.#waiting.slice(n);
    this.#credit -= n;
    this.#reports.take(this.#options.clock.now());
    this.#port.sendAtOnce({ items, ...this.#counts });
    this.#counts = nothing();
    this.#counted = false;
  }

  /** What the reader has asked for leaves; the rest is lost. */
  close(): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    clock.clearTimeout(this.#gathering);
    this.#timer = this.#gathering = undefined;
    if (!this.#port.closed) this.#post();
    this.#port.close();
  }
}

function nothing(): { -readonly [K in keyof LineCounts]: number } {
  return { seen: 0, chosen: 0, unsampled: 0, rate: 0, slow: 0 };
}
