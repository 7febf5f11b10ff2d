import { Link, RecencyList } from '../protocol/index.js';
import type { Clock, Counters, TimerId } from '../runtime/index.js';
import type { Stream, StreamHandlers } from '../substrate/types.js';

/** A stream that is awaited; see {@link StreamLinger.await}. Hears of its end, if nobody else does. */
export class Lingering implements StreamHandlers {
  readonly link = new Link<Lingering>(this);

  /** @param deadline when it is reset, ms */
  constructor(
    private readonly owner: StreamLinger,
    readonly stream: Stream,
    readonly deadline: number,
  ) {}

  onData(): void {
    // The session is over: nobody reads what comes now.
  }

  onEnd(): void {
    // Closed follows, for this side has sent FIN.
  }

  onClose(): void {
    this.owner.closed(this);
  }
}

/**
 * Streams whose session is over: this side has sent FIN and the peer is expected to do the same soon (RFC 8990
 * §2.5.5). Those that never do are reset after a while, so that a peer cannot hold descriptors. One timer for all.
 */
export class StreamLinger {
  /** In the order in which they are reset. */
  readonly #streams = new RecencyList<Lingering>();
  #timer: TimerId | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly counters: Counters,
    private readonly limits: { readonly lingerMs: number; readonly lingeringStreams: number },
  ) {}

  get size(): number {
    return this.#streams.size;
  }

  /**
   * Finishes the sending side and waits for the peer's FIN. The stream is this object's from now on: it outlives its
   * session by a round trip, and must not hold on to all that the session was.
   */
  finish(stream: Stream): void {
    stream.setHandlers(this.await(stream));
  }

  /** The same for a stream whose handlers are somebody else's: {@link closed} must be called when it has closed. */
  await(stream: Stream): Lingering {
    const lingering = new Lingering(this, stream, this.clock.now() + this.limits.lingerMs);
    this.#streams.push(lingering.link);
    try {
      stream.end();
    } catch (error) {
      this.closed(lingering);
      throw error;
    }
    if (this.#streams.size > this.limits.lingeringStreams) {
      this.counters.add('stream.linger-limit');
      this.#abortOldest();
    }
    this.#timer ??= this.clock.setTimeout(this.#sweep, this.limits.lingerMs);
    return lingering;
  }

  closed(lingering: Lingering): void {
    this.#streams.remove(lingering.link);
  }

  abortAll(): void {
    this.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#streams.size > 0) this.#abortOldest();
  }

  readonly #sweep = (): void => {
    this.#timer = undefined;
    const now = this.clock.now();
    for (const { deadline } of this.#streams) {
      if (deadline > now) {
        this.#timer = this.clock.setTimeout(this.#sweep, deadline - now);
        return;
      }
      this.counters.add('stream.linger-timeout');
      this.#abortOldest();
    }
  };

  #abortOldest(): void {
    const { oldest } = this.#streams;
    if (!oldest) return;
    this.#streams.remove(oldest);
    oldest.value.stream.abort();
  }
}
