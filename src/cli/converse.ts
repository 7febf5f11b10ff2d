/** One negotiation session from the first value received to its end, driven by a strategy and told as events. */
import type { NegotiateResult, NegotiationSession } from './api.js';
import { ErrorCode, GraspError, encodeValue } from '../protocol/index.js';
import type { Outcome, Output, SessionTag } from './output.js';
import { NOTHING_SAID, type Decision, type History } from './strategy.js';
import { inForm, unwrap } from './values.js';

/** The reason a peer is given when the user ends the command during a session. */
export const INTERRUPTED = 'interrupted by the user';

export interface Conversation {
  readonly session: NegotiationSession;
  readonly output: Output;
  readonly tag: SessionTag | undefined;
  /** Time to wait for each answer, ms; undefined: the engine's default. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
  decide(received: unknown, loopCount: number, history: History): Decision;
}

/**
 * Answers what the session has received until one side ends it. Prints a `step` line for each value received and
 * sent, but not the `end` line. Never rejects: a failure is an outcome.
 */
export async function converse(conversation: Conversation, opening = NOTHING_SAID): Promise<Outcome> {
  const { session, signal } = conversation;
  // RFC 8991 allows to decline at any time; a step that waits then ends with noSession (19).
  const interrupt = (): void => {
    session.endNegotiate({ accept: false, reason: INTERRUPTED }).catch(() => undefined);
  };
  if (signal.aborted) interrupt();
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    return await exchange(conversation, opening);
  } catch (error) {
    return signal.aborted ? declined(INTERRUPTED) : outcomeOfFailure(error);
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}

async function exchange(conversation: Conversation, opening: History): Promise<Outcome> {
  const { session, output, tag, timeoutMs } = conversation;
  const { dryRun } = session;
  let history = opening;
  for (;;) {
    const { value: raw, loopCount } = session;
    const received = unwrap(raw);
    output.event({ event: 'step', tag, direction: 'received', loopCount, dryRun, value: raw });
    const decision = conversation.decide(received.value, loopCount, history);
    if (decision.kind === 'accept') {
      await session.endNegotiate({ accept: true });
      return accepted(raw);
    }
    if (decision.kind === 'decline') {
      await session.endNegotiate({ accept: false, reason: decision.reason });
      return declined(decision.reason);
    }
    const sent = inForm(encodeValue(decision.value), received.form);
    const shown = received.form === 'tag24' ? sent : decision.value;
    // RFC 8990 §2.5.5: the sender decrements the loop count before each M_NEGOTIATE.
    const sentLoopCount = loopCount - 1;
    output.event({ event: 'step', tag, direction: 'sent', loopCount: sentLoopCount, dryRun, value: shown });
    const result = await session.negotiateStep(sent, timeoutMs === undefined ? {} : { timeoutMs });
    if (result.state !== 'offered') return outcomeOfResult(result);
    history = { steps: history.steps + 1, sent: decision.value, receivedBefore: received.value };
  }
}

export function accepted(value: unknown): Outcome {
  return { outcome: 'accepted', value, reason: null, code: ErrorCode.ok };
}

export function declined(reason: string): Outcome {
  return { outcome: 'declined', reason: reason === '' ? null : reason, code: ErrorCode.declined };
}

/** The outcome of a step or request that ended the negotiation. */
export function outcomeOfResult(result: Exclude<NegotiateResult, { state: 'offered' }>): Outcome {
  return result.state === 'accepted' ? accepted(result.value) : declined(result.reason);
}

/** The outcome of a call that was rejected. */
export function outcomeOfFailure(error: unknown): Outcome {
  if (!GraspError.is(error)) {
    const reason = error instanceof Error ? error.message : String(error);
    return { outcome: 'failed', reason, code: ErrorCode.unspec };
  }
  // A decline that came while it was this side's turn: the error has the peer's words.
  if (error.code === ErrorCode.declined) {
    return declined('reason' in error && typeof error.reason === 'string' ? error.reason : '');
  }
  return { outcome: 'failed', reason: error.message, code: error.code };
}
