import type { Clock } from './clock.js';
import type { Endpoint, Transferable } from './endpoint.js';

/**
 * The twin of a MessagePort for two actors in one thread: same mailboxes, never a synchronous call. With `clone`
 * every message goes through structuredClone, as it would between threads; tests run that way.
 */
export class InlineEndpoint implements Endpoint {
  #peer: InlineEndpoint | undefined;
  #inbox: unknown[] = [];
  #handler: ((message: unknown) => void) | undefined;
  #closeHandler: (() => void) | undefined;
  #scheduled = false;
  #closed = false;
  #peerClosed = false;

  constructor(
    readonly clock: Clock,
    readonly clone: boolean,
  ) {}

  static pair(clock: Clock, clone: boolean): [InlineEndpoint, InlineEndpoint] {
    const a = new InlineEndpoint(clock, clone);
    const b = new InlineEndpoint(clock, clone);
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  postMessage(message: unknown, transfer: readonly Transferable[] = []): void {
    const peer = this.#peer;
    if (this.#closed || !peer || peer.#closed) return;
    peer.#inbox.push(this.clone ? cloneExcept(message, new Set(transfer)) : message);
    peer.#schedule();
  }

  postInOwnTurn(message: unknown): void {
    const peer = this.#peer;
    if (this.#closed || !peer || peer.#closed) return;
    const own = this.clone ? structuredClone(message) : message;
    if (peer.#inbox.length === 0 && peer.#handler) return peer.#handler(own);
    // With what was posted before it, in its order.
    peer.#inbox.push(own);
    peer.#drain();
  }

  onMessage(handler: (message: unknown) => void): void {
    this.#handler = handler;
    if (this.#inbox.length > 0 || this.#peerClosed) this.#schedule();
  }

  onClose(handler: () => void): void {
    this.#closeHandler = handler;
    if (this.#peerClosed) this.#schedule();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inbox = [];
    const peer = this.#peer;
    if (peer && !peer.#closed) {
      peer.#peerClosed = true;
      peer.#schedule();
    }
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.clock.defer(() => {
      this.#scheduled = false;
      this.#drain();
    });
  }

  #drain(): void {
    if (this.#handler) {
      const inbox = this.#inbox;
      this.#inbox = [];
      for (const message of inbox) {
        if (this.#closed) return;
        this.#handler(message);
      }
    }
    // Without a handler for it the end stays open, so that one who asks later is told too.
    if (this.#peerClosed && !this.#closed && this.#inbox.length === 0 && this.#closeHandler) {
      this.#closed = true;
      this.#closeHandler();
    }
  }
}

/** Two connected inline endpoints; see {@link InlineEndpoint}. */
export function inlinePair(
  clock: Clock,
  options: { clone?: boolean } = {},
): [InlineEndpoint, InlineEndpoint] {
  return InlineEndpoint.pair(clock, options.clone ?? false);
}

/** structuredClone that hands over what is to be transferred, as postMessage does with its transfer list. */
function cloneExcept(value: unknown, transfer: ReadonlySet<object>): unknown {
  if (transfer.size === 0) return structuredClone(value);
  if (typeof value !== 'object' || value === null) return structuredClone(value);
  if (transfer.has(value)) return value;
  if (Array.isArray(value)) return value.map((item) => cloneExcept(item, transfer));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cloneExcept(item, transfer)]));
  }
  return structuredClone(value);
}
