/**
 * The three forms of a call that waits (RFC 8991 §2.2.1): awaited, by callback, and by polling. All run the same
 * operation once.
 */
import { ErrorCode } from '../../protocol/index.js';
import type { session_handle } from './classes.js';
import { isKeywords, misuse, type keyword_arguments } from './keywords.js';
import type { AsaRecord, State } from './state.js';

/** A call that waits, not begun. */
export interface Operation<R extends readonly unknown[]> {
  readonly call: string;
  /** asa_handle as given. */
  readonly asa: unknown;
  /** What makes two polls the same call: the session, or the very objective that is passed. */
  readonly key: unknown;
  /** Known before the answer: the session it belongs to. */
  readonly session: session_handle | undefined;
  /** The result until there is one: noReply (2). */
  readonly pending: R;
  /** Never rejects for failures of the protocol. */
  run(): Promise<R>;
}

/** A callback is the last keyword: `{ discovery_received: (err, locators) => … }`. */
export type callback<R extends readonly unknown[]> = (...result: R) => unknown;

/** Takes the callback out of the arguments. */
export function withCallback<R extends readonly unknown[]>(
  args: readonly unknown[],
  name: string,
): { rest: readonly unknown[]; callback: callback<R> | undefined } {
  const last = args.at(-1);
  if (!isKeywords(last) || !(name in last)) return { rest: args, callback: undefined };
  const { [name]: given, ...others } = last as keyword_arguments;
  if (typeof given !== 'function') throw misuse(`${name} is a function`);
  const before = args.slice(0, -1);
  return {
    rest: Object.keys(others).length > 0 ? [...before, others] : before,
    callback: given as callback<R>,
  };
}

/** Begins the operation; its result goes to the callback, once. The call itself returns noReply at once. */
export function called<R extends readonly unknown[]>(operation: Operation<R>, hear: callback<R>): R {
  operation
    .run()
    .then((result) => hear(...result))
    .catch((error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.emitWarning(`callback of ${operation.call}: ${text}`, 'GraspCallbackWarning');
    });
  return operation.pending;
}

interface Polled {
  readonly operation: Operation<readonly unknown[]>;
  /** What has come of it. Thrown: a fault of the engine. */
  result: readonly unknown[] | { readonly thrown: unknown } | undefined;
}

/** The operations that are being polled. */
export class Polls {
  readonly #state: State;
  readonly #known = new Map<AsaRecord, Map<string, Map<unknown, Polled>>>();

  constructor(state: State) {
    this.#state = state;
  }

  /**
   * Begins the operation, or looks after the one that has begun; nothing is ever sent twice. Every poll lets the
   * event loop take a turn, so that a loop that does nothing but poll gets its answer.
   */
  async poll<R extends readonly unknown[]>(operation: Operation<R>): Promise<R> {
    const record = typeof operation.asa === 'number' ? this.#state.asas.get(operation.asa) : undefined;
    // Without an ASA there is nothing to wait for: the call fails at once (6).
    if (!record) return operation.run();
    const calls = this.#callsOf(record, operation.call);
    let polled = calls.get(operation.key);
    if (!polled) {
      const begun: Polled = { operation, result: undefined };
      polled = begun;
      calls.set(operation.key, begun);
      const settle = (result: Polled['result']): void => {
        begun.result = result;
        record.ready.add(begun);
      };
      operation.run().then(settle, (thrown: unknown) => settle({ thrown }));
    }
    // Two turns: the second comes after everything that needed no waiting.
    const { clock } = this.#state;
    await new Promise<void>((resolve) => clock.defer(() => clock.defer(resolve)));
    if (!polled.result) return polled.operation.pending as R;
    if (calls.get(operation.key) === polled) calls.delete(operation.key);
    record.ready.delete(polled);
    if ('thrown' in polled.result) throw polled.result.thrown;
    return polled.result as R;
  }

  forget(record: AsaRecord): void {
    this.#known.delete(record);
  }

  #callsOf(record: AsaRecord, call: string): Map<unknown, Polled> {
    let ofAsa = this.#known.get(record);
    if (!ofAsa) this.#known.set(record, (ofAsa = new Map<string, Map<unknown, Polled>>()));
    let calls = ofAsa.get(call);
    if (!calls) ofAsa.set(call, (calls = new Map<unknown, Polled>()));
    return calls;
  }
}

export type notify_result = [
  err: number,
  /** Sessions that have changed: an answer to a polled call is there, or the session has ended. */
  sessions: session_handle[],
  /** Polled calls with a result that belong to no session. */
  calls: { readonly call: string; readonly objective: unknown }[],
];

/** What has changed for an ASA since it asked last (RFC 8991 §2.2.3). */
export function notify(state: State, handle: unknown): notify_result {
  const record = state.asa(handle);
  record.notified = true;
  const sessions = new Set(record.changed);
  const calls: notify_result[2] = [];
  for (const { operation } of record.ready as ReadonlySet<Polled>) {
    if (operation.session) sessions.add(operation.session);
    else calls.push({ call: operation.call, objective: operation.key });
  }
  record.changed.clear();
  record.ready.clear();
  return [ErrorCode.ok, [...sessions], calls];
}
