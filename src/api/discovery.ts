import { ErrorCode, GraspError } from '../protocol/index.js';
import { toError, type Client } from './client.js';
import { toAsaLocator, type AsaLocator } from './locator.js';

/** What a discovery is made of; checked. */
export interface DiscoveryRequest {
  readonly asa: number;
  readonly objective: { readonly name: string; readonly flags: number; readonly loopCount: number };
  readonly timeoutMs: number | undefined;
  readonly minimumTtlMs: number | undefined;
  readonly flush: boolean;
  readonly signal: AbortSignal | undefined;
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
    this.#start = () => new LocatorIterator(client, request);
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

class LocatorIterator implements AsyncIterator<AsaLocator> {
  readonly #cancel: () => void;
  readonly #signal: AbortSignal | undefined;
  readonly #found: AsaLocator[] = [];
  readonly #onAbort = (): void => {
    this.#cancel();
    this.#finish(this.#signal?.reason);
  };
  #waiting:
    { resolve: (result: IteratorResult<AsaLocator>) => void; reject: (error: unknown) => void } | undefined;
  #done = false;
  #error: unknown;

  constructor(client: Client, request: DiscoveryRequest) {
    this.#signal = request.signal;
    request.signal?.throwIfAborted();
    const { asa, objective, timeoutMs, minimumTtlMs, flush } = request;
    this.#cancel = client.discover(
      { asa, objective, timeoutMs, minimumTtlMs, flush },
      {
        found: (cached) => {
          if (this.#done) return;
          this.#found.push(toAsaLocator(cached));
          this.#deliver();
        },
        done: (failure) => this.#finish(failure && toError(failure)),
      },
    );
    request.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  next(): Promise<IteratorResult<AsaLocator>> {
    if (this.#waiting)
      return Promise.reject(new GraspError(ErrorCode.unspec, 'discover: one next() at a time'));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#deliver();
    });
  }

  return(): Promise<IteratorResult<AsaLocator>> {
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
    const locator = this.#found.shift();
    if (locator) {
      this.#waiting = undefined;
      waiting.resolve({ done: false, value: locator });
    } else if (this.#done) {
      this.#waiting = undefined;
      const error = this.#error;
      this.#error = undefined;
      if (error !== undefined) waiting.reject(error);
      else waiting.resolve({ done: true, value: undefined });
    }
  }
}
