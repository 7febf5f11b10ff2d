import type { Clock } from './clock.js';
import type { Endpoint } from './endpoint.js';

/**
 * What travels on the wire between two data ports: events of one turn, how many of the peer's were handled, and the
 * sender's window, so that the other end confirms in time for it. A list, for an object costs a third more to clone.
 */
type Batch<T> = readonly [events: readonly T[], handled: number, window?: number];

/** Events under way unhandled, unless said otherwise. */
const DEFAULT_WINDOW = 1024;

export interface DataPortOptions<Out, In> {
  /** Called once per arriving batch, in order. When it returns, the events count as handled. */
  readonly onEvents: (events: readonly In[]) => void;
  /** Called when the port has credit again after {@link DataPort.congested} was true. */
  readonly onCredit?: () => void;
  /** Called once when the other end is gone. */
  readonly onClose?: () => void;
  /** Events that may be under way unhandled before {@link DataPort.congested}; default 1024. */
  readonly window?: number;
  /**
   * What an event is turned into where it goes to another thread, and back. Default: itself. What has not been packed is
   * unpacked as it is.
   */
  readonly pack?: (event: Out) => unknown;
  readonly unpack?: (packed: unknown) => In;
  /** As how many an arriving event counts in the window; must be what its sender gave. Default 1. */
  readonly countOf?: (event: In) => number;
}

/**
 * A message channel with flow control. MessagePorts are unbounded, so every data port counts: events are sent in
 * one batch per turn, the other end says how many it has handled, and the difference is limited by a window. The
 * port itself never drops anything: a sender that finds it {@link congested} decides what to hold back or shed.
 *
 * @typeParam Out what this end sends @typeParam In what it receives
 */
export class DataPort<Out, In> {
  readonly #endpoint: Endpoint;
  readonly #clock: Clock;
  readonly #options: DataPortOptions<Out, In>;
  readonly #window: number;
  /** The other end is in another thread. */
  readonly #crosses: boolean;
  #peerWindow = DEFAULT_WINDOW;
  /** Never empty, but undefined: most batches are one event, and an array that grows from nothing takes room for 17. */
  #queue: Out[] | undefined;
  #unhandled = 0;
  #toConfirm = 0;
  #flushing = false;
  #congested = false;
  #closed = false;

  constructor(endpoint: Endpoint, clock: Clock, options: DataPortOptions<Out, In>) {
    this.#endpoint = endpoint;
    this.#crosses = endpoint.postInOwnTurn === undefined;
    this.#clock = clock;
    this.#options = options;
    this.#window = options.window ?? DEFAULT_WINDOW;
    endpoint.onMessage((message) => this.#receive(message as Batch<unknown>));
    endpoint.onClose(() => this.#lost());
  }

  /** True when the window is full: what the other end has not handled yet reaches the limit. */
  get congested(): boolean {
    return this.#unhandled >= this.#window;
  }

  /** How many more events fit into the window. */
  get credit(): number {
    return Math.max(0, this.#window - this.#unhandled);
  }

  /** Events sent or queued and not yet handled by the other end. */
  get unhandled(): number {
    return this.#unhandled;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Queues one event; the events of one turn leave together. `count`: as how many it counts. After close: ignored. */
  send(event: Out, count = 1): void {
    if (this.#closed) return;
    this.#push(event, count);
    this.#scheduleFlush();
  }

  /**
   * Like {@link send}, for what comes alone, and for what has been gathered over a turn already: to another thread it
   * leaves now, with what is queued before it.
   */
  sendAtOnce(event: Out, count = 1): void {
    if (this.#closed) return;
    this.#push(event, count);
    if (this.#crosses) this.#post();
    else this.#scheduleFlush();
  }

  close(): void {
    if (this.#closed) return;
    this.#post();
    this.#closed = true;
    this.#endpoint.close();
  }

  #push(event: Out, count: number): void {
    if (this.#queue) this.#queue.push(event);
    else this.#queue = [event];
    this.#unhandled += count;
    if (this.#unhandled >= this.#window) this.#congested = true;
  }

  readonly #flushOwnTurn = (): void => {
    this.#flushing = false;
    this.#post(true);
  };

  #scheduleFlush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    // A message to another thread costs more than a turn: there, as much as possible goes into one.
    if (this.#crosses) this.#clock.defer(this.#flushOwnTurn);
    else this.#clock.soon(this.#flushOwnTurn);
  }

  #post(ownTurn = false): void {
    if (this.#closed || (!this.#queue && this.#toConfirm === 0)) return;
    const { pack } = this.#options;
    const queue = this.#queue ?? [];
    const events: readonly unknown[] = pack && this.#crosses ? queue.map(pack) : queue;
    const batch: Batch<unknown> = [events, this.#toConfirm, this.#window];
    this.#queue = undefined;
    this.#toConfirm = 0;
    if (ownTurn && this.#endpoint.postInOwnTurn) this.#endpoint.postInOwnTurn(batch);
    else this.#endpoint.postMessage(batch);
  }

  #receive([all, handled, window]: Batch<unknown>): void {
    if (this.#closed) return;
    if (handled > 0) {
      this.#unhandled -= handled;
      if (this.#congested && this.#unhandled <= this.#window / 2) {
        this.#congested = false;
        this.#options.onCredit?.();
      }
    }
    if (all.length === 0) return;
    const { countOf, unpack } = this.#options;
    const events = (unpack && this.#crosses ? all.map(unpack) : all) as readonly In[];
    this.#options.onEvents(events);
    if (!countOf) this.#toConfirm += events.length;
    else for (const event of events) this.#toConfirm += countOf(event);
    // Confirmations ride on our own events; alone they are sent only when the peer could come to need them. Its
    // window counts for that, not ours: with a smaller one it would wait for ever.
    this.#peerWindow = window ?? this.#peerWindow;
    if (this.#toConfirm >= this.#peerWindow / 4) this.#scheduleFlush();
  }

  #lost(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.onClose?.();
  }
}
