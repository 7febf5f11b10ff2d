import { ErrorCode, GraspError, type CachedLocator } from '../protocol/index.js';
import type { ObjectiveHead } from '../workers/engine-control.js';
import type { Client } from './client.js';
import { toAsaLocator, type AsaLocator } from './locator.js';
import { toError } from './sessions-line.js';

/** What a discovery is made of; checked. */
export interface DiscoveryRequest {
  readonly asa: number;
  readonly objective: ObjectiveHead;
  /** 0: only what is cached, nothing is sent. */
  readonly timeoutMs: number | undefined;
  readonly minimumTtlMs?: number | undefined;
  readonly flush?: boolean | undefined;
  /** Encoded; asks for an answer in rapid mode (RFC 8990 §2.5.6.3). */
  readonly value?: Uint8Array | undefined;
  /** Whoever is found is asked for something. */
  readonly forRequest?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A discovery under way: RFC 8990 §2.5.4, RFC 8991 §2.3.4. Iterate it to get locators as they arrive (leaving the
 * loop ends it), or await it for the list of all. It starts when it is first iterated or awaited; one of the two,
 * once.
 *
 * @example
 * for await (const locator of asa.discover('EX3')) {
 *   console.log(locator.address, locator.port);
 *   break; // the first is enough
 * }
 * const all = await asa.discover('EX3', { timeoutMs: 1000 });
 */
export class Discovery implements AsyncIterable<AsaLocator>, PromiseLike<AsaLocator[]> {
  readonly #start: () => AsyncIterator<AsaLocator>;
  #list: Promise<AsaLocator[]> | undefined;
  #iterated = false;

  /** @internal */
  constructor(client: Client, request: DiscoveryRequest) {
    this.#start = () => new FoundIterator(client, request, toAsaLocator);
  }

  [Symbol.asyncIterator](): AsyncIterator<AsaLocator> {
    if (this.#iterated) throw new GraspError(ErrorCode.unspec, 'a discovery is iterated or awaited once');
    this.#iterated = true;
    return this.#start();
  }

  then<A = AsaLocator[], B = never>(
    onfulfilled?: ((value: AsaLocator[]) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#list ??= this.#collect();
    return this.#list.then(onfulfilled, onrejected);
  }

  /** All locators: direct ones before diverted ones, each in the order of arrival (api.md §4.5). */
  async #collect(): Promise<AsaLocator[]> {
    const found: AsaLocator[] = [];
    for await (const locator of this) found.push(locator);
    return [...found.filter((each) => !each.diverted), ...found.filter((each) => each.diverted)];
  }
}

/** What a discovery finds, as it comes; the discovery starts with the first iteration and ends with the loop. */
export function found(client: Client, request: DiscoveryRequest): AsyncIterable<CachedLocator> {
  return { [Symbol.asyncIterator]: () => new FoundIterator(client, request, (cached) => cached) };
}

class FoundIterator<T> implements AsyncIterator<T> {
  readonly #cancel: () => void;
  readonly #signal: AbortSignal | undefined;
  readonly #found: { readonly each: T }[] = [];
  readonly #onAbort = (): void => {
    this.#cancel();
    this.#finish(this.#signal?.reason);
  };
  #waiting: { resolve: (result: IteratorResult<T>) => void; reject: (error: unknown) => void } | undefined;
  #done = false;
  #error: unknown;

  constructor(client: Client, request: DiscoveryRequest, map: (cached: CachedLocator) => T) {
    const { asa, objective, timeoutMs, minimumTtlMs, flush = false, value, forRequest, signal } = request;
    this.#signal = signal;
    signal?.throwIfAborted();
    // Before the call: on a closed engine that ends at once.
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#cancel = client.callCore(
      { t: 'discover', asa, objective, timeoutMs, minimumTtlMs, flush, value, forRequest },
      {
        found: (cached) => {
          if (this.#done) return;
          this.#found.push({ each: map(cached) });
          this.#deliver();
        },
        done: (failure) => this.#finish(failure && toError(failure)),
      },
    );
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#waiting)
      return Promise.reject(new GraspError(ErrorCode.unspec, 'discover: one next() at a time'));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#deliver();
    });
  }

  return(): Promise<IteratorResult<T>> {
    if (!this.#done) this.#cancel();
    this.#finish(undefined);
    return Promise.resolve({ done: true, value: undefined });
  }

  #finish(error: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.#error = error;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#deliver();
  }

  #deliver(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    const next = this.#found.shift();
    if (next) {
      this.#waiting = undefined;
      waiting.resolve({ done: false, value: next.each });
    } else if (this.#done) {
      this.#waiting = undefined;
      const error = this.#error;
      this.#error = undefined;
      if (error !== undefined) waiting.reject(error);
      else waiting.resolve({ done: true, value: undefined });
    }
  }
}
