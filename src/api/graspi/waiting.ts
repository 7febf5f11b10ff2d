/** The calls that wait, as operations that have not begun; `forms.ts` runs them. */
import { ErrorCode } from '../../protocol/index.js';
import { session_handle } from './classes.js';
import { failureOf } from './codes.js';
import { discover } from './discovery.js';
import type { Operation } from './forms.js';
import { named } from './keywords.js';
import type { Interfaces } from './locators.js';
import { checkedStep, listenNegotiate, negotiateStep, requestNegotiate } from './negotiation.js';
import {
  inOlderShape,
  type discover_result,
  type listen_result,
  type negotiate_result,
  type older_negotiate_result,
  type synchronize_result,
} from './results.js';
import type { State } from './state.js';
import { synchronize } from './synchronization.js';

type Arguments = readonly unknown[];

export class WaitingCalls {
  readonly #state: State;
  readonly #interfaces: Interfaces;

  constructor(state: State, interfaces: Interfaces) {
    this.#state = state;
    this.#interfaces = interfaces;
  }

  discover([asa, objective, ...rest]: Arguments): Operation<discover_result> {
    return {
      call: 'discover',
      asa,
      key: objective,
      session: undefined,
      pending: [ErrorCode.noReply, []],
      run: () =>
        this.#outcome<discover_result>(
          async () => [0, await discover(this.#state, this.#interfaces, asa, objective, rest)],
          (code) => [code, []],
        ),
    };
  }

  request([handle, objective, ...rest]: Arguments, older: boolean): Operation<negotiate_result> {
    const session = new session_handle();
    return {
      call: older ? 'req_negotiate' : 'request_negotiate',
      asa: handle,
      key: objective,
      session,
      pending: [ErrorCode.noReply, session, null, null],
      run: () =>
        this.#outcome<negotiate_result>(async () => {
          const { peer, timeout } = named(rest, ['peer', 'timeout']);
          return requestNegotiate(this.#state, this.#interfaces, {
            handle,
            objective,
            peer,
            timeout,
            session,
            older,
          });
        }, failedNegotiation),
    };
  }

  step([handle, session, objective, ...rest]: Arguments): Operation<negotiate_result> {
    const known = session instanceof session_handle ? session : undefined;
    return {
      call: 'negotiate_step',
      asa: handle,
      key: session,
      session: known,
      pending: [ErrorCode.noReply, known ?? null, null, null],
      run: () =>
        this.#outcome<negotiate_result>(async () => {
          const { timeout } = named(rest, ['timeout']);
          return negotiateStep(checkedStep(this.#state, { handle, session, objective, timeout }));
        }, failedNegotiation),
    };
  }

  /** Whether a step in this session is answered in the older shape: `req_negotiate` has begun it. */
  isOlder([handle, session]: Arguments): boolean {
    const record = typeof handle === 'number' ? this.#state.asas.get(handle) : undefined;
    return record?.isOlder(session) ?? false;
  }

  listen([asa, objective, ...rest]: Arguments): Operation<listen_result> {
    return {
      call: 'listen_negotiate',
      asa,
      key: objective,
      session: undefined,
      pending: [ErrorCode.noReply, null, null],
      run: () =>
        this.#outcome<listen_result>(
          async () => {
            named(rest, []);
            return listenNegotiate(this.#state, asa, objective);
          },
          (code) => [code, null, null],
        ),
    };
  }

  synchronize([handle, objective, ...rest]: Arguments): Operation<synchronize_result> {
    return {
      call: 'synchronize',
      asa: handle,
      key: objective,
      session: undefined,
      pending: [ErrorCode.noReply, null],
      run: () =>
        this.#outcome<synchronize_result>(
          async () => {
            const { locator, timeout } = named(rest, ['locator', 'timeout']);
            const call = { handle, objective, locator, timeout };
            return [0, await synchronize(this.#state, this.#interfaces, call)];
          },
          (code) => [code, null],
        ),
    };
  }

  async #outcome<R>(work: () => Promise<R>, failed: (code: number) => R): Promise<R> {
    try {
      return await work();
    } catch (error) {
      const failure = failureOf(error);
      this.#state.lastError = failure;
      return failed(failure.code);
    }
  }
}

function failedNegotiation(code: number): negotiate_result {
  return [code, null, null, null];
}

/** The same operation with its result, also the one of a poll, in the older shape. */
export function older(operation: Operation<negotiate_result>): Operation<older_negotiate_result> {
  return {
    ...operation,
    pending: inOlderShape(operation.pending),
    run: async () => inOlderShape(await operation.run()),
  };
}
