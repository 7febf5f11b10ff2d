/** request_negotiate … send_invalid: RFC 8991 §2.3.5 and §2.3.7, api.md §4.6–4.12. */
import { ErrorCode, GraspError } from '../../protocol/index.js';
import type { PeerLike } from '../peer.js';
import type { NegotiateResult, NegotiationSession } from '../session.js';
import { asa_locator, copyOf, type objective, type session_handle } from './classes.js';
import { misuse, time } from './keywords.js';
import { toEngineLocator, type Interfaces } from './locators.js';
import type { listen_result, negotiate_result } from './results.js';
import { checkedObjective, type AsaRecord, type SessionRecord, type State } from './state.js';
import { encoded, fromEngine } from './values.js';

export interface Request {
  readonly handle: unknown;
  readonly objective: unknown;
  readonly peer: unknown;
  readonly timeout: unknown;
  /** Becomes the session's, if there is one. */
  readonly session: session_handle;
  readonly older: boolean;
}

export async function requestNegotiate(
  state: State,
  interfaces: Interfaces,
  request: Request,
): Promise<negotiate_result> {
  const record = state.asa(request.handle);
  const asked = checkedObjective(request.objective);
  const timeoutMs = time(request.timeout, 'timeout');
  if (!asked.neg) throw new GraspError(ErrorCode.notNeg, JSON.stringify(asked.name));
  const own = record.registered(asked.name).objective;
  const value = encoded(asked.value);
  const peer = await toPeer(request.peer, interfaces);
  const result = await record.asa.requestNegotiate(own, value, {
    peer,
    timeoutMs,
    dryRun: asked.dry,
    loopCount: asked.loop_count,
  });
  if (result.state !== 'offered') return finished(result, asked);
  const { session, older } = request;
  record.open(result.session, asked, { handle: session, older });
  return [0, session, received(result.session, asked), null];
}

export async function toPeer(given: unknown, interfaces: Interfaces): Promise<PeerLike | undefined> {
  if (given === undefined || given === null) return undefined;
  if (typeof given === 'string') return given;
  if (given instanceof asa_locator) return toEngineLocator(given, interfaces);
  throw misuse('a peer is an asa_locator, or null');
}

/** The answer that ends a session, as a result. */
function finished(
  result: Exclude<NegotiateResult, { state: 'offered' }>,
  asked: objective,
): negotiate_result {
  return result.state === 'accepted'
    ? [0, null, copyOf(asked, { value: fromEngine(result.value) }), null]
    : [1, null, null, result.reason];
}

/** What has come last in a session, as an objective of the ASA's own: loop count and dry flag as received. */
function received(session: NegotiationSession, about: objective): objective {
  const { dryRun: dry, loopCount: loop_count } = session;
  return copyOf(about, { dry, loop_count, value: fromEngine(session.value) });
}

export async function listenNegotiate(state: State, handle: unknown, given: unknown): Promise<listen_result> {
  const record = state.asa(handle);
  const about = checkedObjective(given);
  if (!about.neg) throw new GraspError(ErrorCode.notNeg, JSON.stringify(about.name));
  const session = await record.registered(about.name).listens.next();
  const opened = record.open(session, about);
  return [0, opened.handle, received(session, about)];
}

export async function stopNegotiate(state: State, handle: unknown, given: unknown): Promise<void> {
  const record = state.asa(handle);
  const { name } = checkedObjective(given);
  const own = record.registered(name);
  await state.assertSecure();
  await own.listens.stop();
}

export interface Step {
  readonly record: AsaRecord;
  readonly session: SessionRecord;
  readonly objective: objective;
  readonly timeoutMs: number | undefined;
}

/** The checks of negotiate_step; nothing is sent if one of them fails. */
export function checkedStep(
  state: State,
  call: { handle: unknown; session: unknown; objective: unknown; timeout: unknown },
): Step {
  const record = state.asa(call.handle);
  const offer = checkedObjective(call.objective);
  if (!offer.neg) throw new GraspError(ErrorCode.notNeg, JSON.stringify(offer.name));
  record.registered(offer.name);
  const session = record.session(call.session);
  if (offer.name !== session.about.name) throw misuse('the objective is not the one of this session');
  return { record, session, objective: offer, timeoutMs: time(call.timeout, 'timeout') };
}

export async function negotiateStep(step: Step): Promise<negotiate_result> {
  const { record, session, objective: offer, timeoutMs } = step;
  try {
    const result = await session.session.negotiateStep(encoded(offer.value), {
      timeoutMs,
      // 0 and 1 leave nothing: the engine ends the session with 21.
      loopCount: offer.loop_count === 0 ? 1 : offer.loop_count,
      dryRun: offer.dry,
    });
    if (result.state === 'offered') {
      return [0, session.handle, received(result.session, session.about), null];
    }
    return finished(result, offer);
  } finally {
    record.forgetIfOver(session);
  }
}

export async function negotiateWait(
  state: State,
  handle: unknown,
  session: unknown,
  timeout: unknown,
): Promise<void> {
  const record = state.asa(handle);
  const found = record.session(session);
  const timeoutMs = time(timeout, 'timeout');
  try {
    await found.session.negotiateWait(timeoutMs);
  } finally {
    record.forgetIfOver(found);
  }
}

export async function endNegotiate(
  state: State,
  handle: unknown,
  session: unknown,
  result: unknown,
  reason: unknown,
): Promise<void> {
  const record = state.asa(handle);
  const found = record.session(session);
  if (typeof result !== 'boolean') throw misuse('result is true (accept) or false (decline)');
  if (reason !== undefined && reason !== null && typeof reason !== 'string')
    throw misuse('a reason is a text');
  try {
    await found.session.endNegotiate(
      result ? { accept: true } : { accept: false, reason: reason ?? undefined },
    );
  } finally {
    record.forgetIfOver(found);
  }
}

export async function sendInvalid(
  state: State,
  handle: unknown,
  session: unknown,
  info: unknown,
): Promise<void> {
  const record = state.asa(handle);
  const found = record.session(session);
  if (info !== undefined && info !== null && typeof info !== 'string' && !(info instanceof Uint8Array)) {
    throw misuse('info is a text or bytes');
  }
  try {
    await found.session.sendInvalid(info ?? undefined);
  } finally {
    record.forgetIfOver(found);
  }
}
