import type { Clock } from '../../runtime/clock.js';
import type { Endpoint } from '../../runtime/endpoint.js';

/** Gathers what one turn produces and posts it as one array: between threads a message costs more than its parts. */
export class Batch<Op> {
  #ops: Op[] = [];
  #scheduled = false;
  #closed = false;

  constructor(
    readonly endpoint: Endpoint,
    readonly clock: Clock,
  ) {}

  push(op: Op): void {
    if (this.#closed) return;
    this.#ops.push(op);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.clock.defer(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  flush(): void {
    if (this.#closed || this.#ops.length === 0) return;
    const ops = this.#ops;
    this.#ops = [];
    this.endpoint.postMessage(ops);
  }

  /** Nothing is posted from here on. */
  close(): void {
    this.#closed = true;
    this.#ops = [];
  }
}
