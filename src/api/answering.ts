import type { Answer, SessionKey } from '../workers/engine-control.js';
import { ErrorCode, GraspError } from '../protocol/index.js';
import { SessionError, type SessionsLine } from './sessions-line.js';

/** The peer's answer to a request or a step, as far as it is one. */
export type PeerAnswer =
  | Extract<Answer, { state: 'offered' }>
  | Extract<Answer, { state: 'accepted' }>
  | { readonly state: 'declined'; readonly reason: string };

/**
 * Waits for the answer of a request or a step. A decline is an answer, every other failure rejects. When `signal`
 * aborts, the session is declined and the call rejects with the signal's reason.
 */
export function answered(
  line: SessionsLine,
  session: SessionKey,
  answering: Promise<Answer | undefined>,
  signal: AbortSignal | undefined,
): Promise<PeerAnswer> {
  const answer = answering.then(peerAnswer, declineOrThrow);
  return signal ? unlessAborted(line, session, answer, signal) : answer;
}

function peerAnswer(answer: Answer | undefined): PeerAnswer {
  if (!answer || answer.state === 'failed' || answer.state === 'synchronized')
    throw new GraspError(ErrorCode.unspec, 'no answer');
  return answer;
}

function declineOrThrow(error: unknown): PeerAnswer {
  if (error instanceof SessionError && error.code === ErrorCode.declined) {
    return { state: 'declined', reason: error.reason ?? '' };
  }
  throw error;
}

async function unlessAborted(
  line: SessionsLine,
  session: SessionKey,
  answer: Promise<PeerAnswer>,
  signal: AbortSignal,
): Promise<PeerAnswer> {
  const giveUp = (): void => {
    // The session may end by itself in the same moment: then there is nothing left to decline.
    line
      .call({ call: line.nextCall(), t: 'end', session, accept: false, reason: 'aborted' })
      .catch(() => undefined);
  };
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const result = await answer;
    // What comes after the abort is the end that the abort has caused.
    if (result.state === 'declined') signal.throwIfAborted();
    return result;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
