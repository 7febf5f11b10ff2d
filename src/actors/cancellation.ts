import type { CancelSignal } from '../substrate/types.js';

/** Gives up one connect; see {@link CancelSignal}. */
export class Cancellation implements CancelSignal {
  #listener: (() => void) | undefined;
  #aborted = false;

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): string {
    return 'the session has ended';
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listener = listener;
  }

  removeEventListener(): void {
    this.#listener = undefined;
  }

  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#listener?.();
  }
}
