import type { Clock } from '../../runtime/clock.js';
import { isLocalName, isUsable } from '../own-address.js';
import type { StreamErrorKind, Target } from '../types.js';
import type { Attempt, ConnectOutcome } from './connect.js';

/** A connect to a name: to its addresses in order, each for its share of the time that is left. */
export class NamedAttempt implements Attempt {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #targets: Target[];
  readonly #giveUpAt: number;
  readonly #attempt: (target: Target, timeoutMs: number) => Attempt;
  #current: Attempt | undefined;

  constructor(
    clock: Clock,
    name: string,
    found: readonly Target[],
    timeoutMs: number,
    attempt: (target: Target, timeoutMs: number) => Attempt,
  ) {
    this.#clock = clock;
    this.#name = name;
    // As on a real host: what means something on one link or host only is not what a far peer meant.
    this.#targets = isLocalName(name) ? [] : found.filter(({ address }) => isUsable(address));
    this.#giveUpAt = clock.now() + timeoutMs;
    this.#attempt = attempt;
  }

  start(outcome: ConnectOutcome): void {
    this.#next(outcome, 'unreachable', `${this.#name} has no address that can be used from here`);
  }

  cancel(): void {
    this.#current?.cancel();
    this.#current = undefined;
  }

  #next(outcome: ConnectOutcome, kind: StreamErrorKind, message: string): void {
    const target = this.#targets.shift();
    if (!target || kind === 'local') return outcome.failed(kind, message);
    const share = Math.max(1, this.#giveUpAt - this.#clock.now()) / (this.#targets.length + 1);
    this.#current = this.#attempt(target, share);
    this.#current.start({
      connected: (connection, remote, local) => outcome.connected(connection, remote, local),
      failed: (why, text) => this.#next(outcome, why, text),
    });
  }
}
