import { Link, RecencyList } from '../protocol/index.js';
import type { Clock, Counters, TimerId } from '../runtime/index.js';
import type { Stream, StreamHandlers } from '../substrate/types.js';

/** A stream that is awaited; see {@link StreamLinger.await}. Hears of its end, if nobody else does. */
export class Lingering implements StreamHandlers {
  readonly link = new Link<Lingering>(this);

  /** Bytes that had not left at the last look. */
  unsent: number;

  /** @param deadline when it is reset, ms, unless what has been written is still leaving then */
  constructor(
    private readonly owner: StreamLinger,
    readonly stream: Stream,
    public deadline: number,
  ) {
    this.unsent = stream.bufferedBytes;
  }

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

/** What is being sent goes on if at least so many bytes of it have left since the last look. */
const PROGRESS_BYTES = 4_096;

/**
 * Streams whose session is over: this side has sent FIN and the peer is expected to do the same soon (RFC 8990
 * §2.5.5). Those that never do are reset after a while, so that a peer cannot hold descriptors; but not in the middle of
 * a long message that is still on its way. One timer for all.
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
    for (let oldest = this.#streams.oldest; oldest; oldest = this.#streams.oldest) {
      const lingering = oldest.value;
      const { deadline } = lingering;
      if (deadline > now) {
        this.#timer = this.clock.setTimeout(this.#sweep, deadline - now);
        return;
      }
      if (this.#isLeaving(lingering)) {
        lingering.deadline = now + this.limits.lingerMs;
        this.#streams.remove(oldest);
        this.#streams.push(oldest);
      } else {
        this.counters.add('stream.linger-timeout');
        this.#abortOldest();
      }
    }
  };

  /** Once more when all has left this process: the system has its own buffer to send. */
  #isLeaving(lingering: Lingering): boolean {
    const { bufferedBytes } = lingering.stream;
    const left = lingering.unsent - bufferedBytes;
    lingering.unsent = bufferedBytes;
    return left >= PROGRESS_BYTES || (left > 0 && bufferedBytes === 0);
  }

  #abortOldest(): void {
    const { oldest } = this.#streams;
    if (!oldest) return;
    this.#streams.remove(oldest);
    oldest.value.stream.abort();
  }
}
