import type { Answer, SessionKey } from '../workers/engine-control.js';
import { ErrorCode, GraspError } from '../protocol/index.js';
import { type SessionError, type SessionSink, type SessionsLine, type Waiting } from './sessions-line.js';

/** The peer's answer to a request or a step, as far as it is one. */
export type PeerAnswer =
  | Extract<Answer, { state: 'offered' }>
  | Extract<Answer, { state: 'accepted' }>
  | { readonly state: 'declined'; readonly reason: string };

/**
 * A request or a step that waits for the peer. A decline is an answer, every other failure rejects. Thousands may wait at
 * once, so it is one object and one promise, not an async function for each layer of the API.
 */
export abstract class AwaitedAnswer<R> implements Waiting {
  readonly #resolve: (result: R) => void;
  readonly #reject: (error: unknown) => void;

  constructor(resolve: (result: R) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** What the caller gets. */
  protected abstract take(answer: PeerAnswer): R;

  /** It will get none. */
  protected failed?(error: unknown): void;

  resolve(answer: Answer | undefined): void {
    if (!answer || answer.state === 'failed' || answer.state === 'synchronized') {
      return this.#fail(new GraspError(ErrorCode.unspec, 'no answer'));
    }
    this.#take(answer);
  }

  reject(error: SessionError): void {
    if (error.code === ErrorCode.declined) this.#take({ state: 'declined', reason: error.reason ?? '' });
    else this.#fail(error);
  }

  #take(answer: PeerAnswer): void {
    let result: R;
    try {
      result = this.take(answer);
    } catch (error) {
      return this.#fail(error);
    }
    this.#resolve(result);
  }

  #fail(error: unknown): void {
    this.failed?.(error);
    this.#reject(error);
  }
}

/** What `begin` throws rejects as well, without the promises of an async function. */
export function rejecting<R>(begin: () => Promise<R>): Promise<R> {
  try {
    return begin();
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

/**
 * The answer, or, when `signal` aborts before it is there, a rejection with the signal's reason; the session is declined
 * then. Without a signal it costs nothing.
 */
export function unlessAborted<R extends object>(
  line: SessionsLine,
  session: SessionKey,
  answer: Promise<R>,
  signal: AbortSignal | undefined,
): Promise<R> {
  return signal ? answerOrAbort(line, session, answer, signal) : answer;
}

/** After an abort: the decline that it has caused, or an offer that crossed it. An agreement that crossed it is one. */
function isNoAgreement(
  result: object,
): result is { state: 'declined' } | { state: 'offered'; session: SessionSink } {
  return 'state' in result && (result.state === 'declined' || result.state === 'offered');
}

async function answerOrAbort<R extends object>(
  line: SessionsLine,
  session: SessionKey,
  answer: Promise<R>,
  signal: AbortSignal,
): Promise<R> {
  const giveUp = (): void => {
    // The session may end by itself in the same moment: then there is nothing left to decline.
    line
      .call({ call: line.nextCall(), t: 'end', session, accept: false, reason: 'aborted' })
      .catch(() => undefined);
  };
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const result = await answer;
    if (signal.aborted && isNoAgreement(result)) {
      // Nobody will hear of this session again, here or there.
      if (result.state === 'offered')
        result.session.endedUnnoticed({ code: ErrorCode.noSession, detail: 'aborted' });
      throw signal.reason;
    }
    return result;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
