import type { Clock } from '../../runtime/clock.js';
import { SubstrateError, type Stream, type StreamHandlers, type Target } from '../types.js';
import { STREAM_HIGH_WATER_BYTES, STREAM_WINDOW_BYTES, type StreamOp } from './messages.js';

/** Consumed bytes are reported in portions of so many, so that a short session costs no credit message at all. */
const CREDIT_PORTION_BYTES = STREAM_WINDOW_BYTES / 4;

interface Wire {
  send(op: StreamOp): void;
  /** The stream is gone: no operation for it is expected any more. */
  forget(): void;
}

/** One end of a simulated stream in the thread that uses it. */
export class SimulatedStream implements Stream {
  readonly #id: number;
  readonly #clock: Clock;
  readonly #wire: Wire;
  #handlers: StreamHandlers | undefined;
  /** Written, and without credit yet. */
  #unsent: { readonly bytes: Uint8Array; readonly part: boolean }[] = [];
  #unsentBytes = 0;
  #needDrain = false;
  /** Sent, and not yet consumed by the peer. */
  #outstandingBytes = 0;
  /** Arrived, and not yet handed over. */
  #inbox: StreamOp[] = [];
  #consumedBytes = 0;
  #paused = false;
  #delivering = false;
  #scheduled = false;
  #localEnd: 'open' | 'ending' | 'ended' = 'open';
  #remoteEnded = false;
  #closed = false;

  constructor(
    id: number,
    readonly remote: Target,
    readonly local: Target,
    clock: Clock,
    wire: Wire,
  ) {
    this.#id = id;
    this.#clock = clock;
    this.#wire = wire;
  }

  get bufferedBytes(): number {
    return this.#unsentBytes;
  }

  setHandlers(handlers: StreamHandlers): void {
    this.#handlers = handlers;
    this.#schedule();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#closed || this.#localEnd !== 'open') return false;
    for (let at = 0; at < bytes.length; at += STREAM_WINDOW_BYTES) {
      // `slice` of a Buffer would be a view; a view's whole memory would cross between threads.
      const piece = new Uint8Array(bytes.subarray(at, at + STREAM_WINDOW_BYTES));
      this.#unsent.push({ bytes: piece, part: at > 0 });
      this.#unsentBytes += piece.length;
    }
    this.#flush();
    if (this.#unsentBytes < STREAM_HIGH_WATER_BYTES) return true;
    this.#needDrain = true;
    return false;
  }

  end(): void {
    if (this.#closed || this.#localEnd !== 'open') return;
    this.#localEnd = 'ending';
    this.#flush();
  }

  abort(): void {
    if (this.#closed) return;
    this.#wire.send({ op: 'abort', id: this.#id });
    this.#close(undefined);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#schedule();
  }

  /** What the peer's end, or the network, says. In order; kept while paused. */
  receive(op: StreamOp): void {
    if (this.#closed) return;
    if (op.op === 'credit') return this.#credited(op.bytes);
    this.#inbox.push(op);
    if (!this.#scheduled) this.#deliver();
  }

  /** The substrate is gone. */
  lose(error: SubstrateError): void {
    this.#close(error);
  }

  #credited(bytes: number): void {
    this.#outstandingBytes -= bytes;
    this.#flush();
    if (!this.#needDrain || this.#unsentBytes > 0 || this.#closed) return;
    this.#needDrain = false;
    this.#handlers?.onDrain?.();
  }

  #flush(): void {
    while (this.#unsent.length > 0 && this.#outstandingBytes < STREAM_WINDOW_BYTES) {
      const { bytes, part } = this.#unsent.shift()!;
      this.#unsentBytes -= bytes.length;
      this.#outstandingBytes += bytes.length;
      this.#wire.send({ op: 'data', id: this.#id, bytes, ...(part ? { part } : {}) });
    }
    if (this.#localEnd !== 'ending' || this.#unsent.length > 0) return;
    this.#localEnd = 'ended';
    this.#wire.send({ op: 'end', id: this.#id });
    if (this.#remoteEnded) this.#close(undefined);
  }

  #schedule(): void {
    if (this.#scheduled || this.#inbox.length === 0) return;
    this.#scheduled = true;
    this.#clock.defer(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const handlers = this.#handlers;
    if (!handlers || this.#delivering) return;
    this.#delivering = true;
    while (this.#inbox.length > 0 && !this.#paused && !this.#closed) {
      const op = this.#inbox.shift()!;
      if (op.op === 'data') {
        handlers.onData(op.bytes);
        this.#consumed(op.bytes.length);
      } else if (op.op === 'end') {
        this.#remoteEnded = true;
        handlers.onEnd();
        if (this.#localEnd === 'ended') this.#close(undefined);
      } else this.#close(new SubstrateError('reset', 'the peer reset the connection'));
    }
    this.#delivering = false;
  }

  #consumed(bytes: number): void {
    this.#consumedBytes += bytes;
    if (this.#consumedBytes < CREDIT_PORTION_BYTES || this.#closed) return;
    this.#wire.send({ op: 'credit', id: this.#id, bytes: this.#consumedBytes });
    this.#consumedBytes = 0;
  }

  #close(error: SubstrateError | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inbox = [];
    this.#unsent = [];
    this.#unsentBytes = 0;
    this.#wire.forget();
    // Never from within `abort` or `end`: the caller is still at work.
    this.#clock.defer(() => this.#handlers?.onClose(error));
  }
}
