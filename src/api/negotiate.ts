/** request_negotiate: RFC 8991 §2.3.5, RFC 8990 §2.5.5 and §2.8.6. */
import {
  decodeScanned,
  DISCOVERY_TIMEOUT_PER_HOP_MS,
  encodeValue,
  ErrorCode,
  GraspError,
  objectiveFlags,
} from '../protocol/index.js';
import type { Target } from '../substrate/types.js';
import type { ObjectiveHead, SessionCall, SessionKey } from '../workers/engine-control.js';
import { AwaitedAnswer, unlessAborted, type PeerAnswer } from './answering.js';
import { checkedLoopCount, timeoutOf } from './checks.js';
import type { Client } from './client.js';
import type { Objective } from './objective.js';
import { toTarget, type PeerLike } from './peer.js';
import { discovered, known, usable, type Search } from './peers.js';
import { NegotiationSession, type NegotiateResult } from './session.js';
import { SessionError, type SessionsLine } from './sessions-line.js';

/** ms to wait for a TCP connection to a peer before the request fails with 18 or 34. */
export const CONNECT_TIMEOUT_MS = 5_000;

export interface RequestOptions {
  /** Where to; default: the first usable locator of a discovery, which ends there (D-08). */
  readonly peer?: PeerLike | null | undefined;
  /** ms to wait for the peer's answer; default and 0: 60000. */
  readonly timeoutMs?: number | null | undefined;
  /** Only try what would happen (F_NEG_DRY); the objective must be registered with `dryRun`. */
  readonly dryRun?: boolean | undefined;
  /**
   * The discovery carries the request (RFC 8990 §2.5.5.1): one that answers it so saves a round trip. Only where
   * nobody is known yet; the message then has at most 1232 bytes. Where nobody answers so, or a locator comes first,
   * the request is made as usual. Default false (SHOULD); peers do so only where it is switched on (`rapidAnswers`).
   */
  readonly rapid?: boolean | undefined;
  /** 1 … 255; default the objective's. */
  readonly loopCount?: number | undefined;
  /** Ends the discovery or declines the session; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A request that has been checked. */
interface Request {
  readonly client: Client;
  readonly asa: number;
  readonly objective: Objective;
  readonly head: ObjectiveHead;
  readonly value: Uint8Array;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Sends M_REQ_NEG to the peer, or to whoever supports the objective, and waits for the answer. What is wrong with the call
 * itself is thrown.
 */
export function requestNegotiate(
  client: Client,
  objective: Objective,
  value: unknown,
  options: RequestOptions,
): Promise<NegotiateResult> {
  const { asa, name } = objective;
  const { signal, dryRun = false, rapid = false } = options;
  const timeoutMs = timeoutOf(options.timeoutMs);
  const loopCount = checkedLoopCount(options.loopCount ?? objective.loopCount);
  const bytes = encodeValue(value);
  const peer = options.peer === undefined || options.peer === null ? undefined : toTarget(options.peer);
  if (objective.deregistered) throw new GraspError(ErrorCode.notYourObj, JSON.stringify(name));
  if (!objective.negotiate) throw new GraspError(ErrorCode.notNeg, JSON.stringify(name));
  if (dryRun && !objective.dryRun) throw new GraspError(ErrorCode.notDry, JSON.stringify(name));
  signal?.throwIfAborted();
  const head: ObjectiveHead = { name, flags: objectiveFlags(objective, { dryRun }), loopCount };
  const request: Request = { client, asa: asa.handle, objective, head, value: bytes, timeoutMs, signal };
  return peer ? ask(request, peer) : askWhomever(request, rapid);
}

/** Asks those who are known or found, one after the other, until one accepts the connection. */
async function askWhomever(request: Request, rapid: boolean): Promise<NegotiateResult> {
  const { client, asa, objective, head, timeoutMs, signal } = request;
  const { name } = head;
  // Without the value: that would ask for rapid mode (RFC 8990 §2.5.5.1).
  const wanted: ObjectiveHead = { name, flags: objectiveFlags(objective), loopCount: head.loopCount };
  const search: Search = { client, asa, objective: wanted, timeoutMs, signal };
  if (rapid && !(await known(search)).some(usable)) {
    const answer = await askRapidly(request);
    if (answer) return answer;
  }
  let refused: SessionError | undefined;
  for await (const target of responders(search)) {
    try {
      return await ask(request, target);
    } catch (error) {
      // Nobody accepts connections there: the next one may.
      if (!(error instanceof SessionError) || error.code !== ErrorCode.sockErrNegRq) throw error;
      refused = error;
    }
  }
  throw refused ?? new GraspError(ErrorCode.noDiscReply, JSON.stringify(name));
}

/** Those known already, then, if none of them took the request, those of a new discovery. */
async function* responders(search: Search): AsyncGenerator<Target> {
  const cached = await known(search);
  for (const each of cached) {
    const locator = usable(each);
    if (locator) yield toTarget(locator);
  }
  for await (const each of discovered(search, cached)) {
    const locator = usable(each);
    if (locator) yield toTarget(locator);
  }
}

function ask(request: Request, target: Target): Promise<NegotiateResult> {
  const { client, head, objective, timeoutMs, value, signal } = request;
  return client.request((line) => {
    signal?.throwIfAborted();
    const session = client.nextNumber();
    return resultOf(request, line, {
      call: line.nextCall(),
      t: 'request',
      session,
      asa: request.asa,
      objective: head,
      value,
      target,
      connectTimeoutMs: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
      timeoutMs,
      maxMessageBytes: objective.maxMessageBytes,
    });
  });
}

/** The request goes out with a discovery; undefined: that was not how it was answered. */
async function askRapidly(request: Request): Promise<NegotiateResult | undefined> {
  const { client, head, objective, timeoutMs, value, signal } = request;
  // Answers come to the port the discovery is sent from, and that is in the core.
  const line = await client.line('core');
  signal?.throwIfAborted();
  const session = client.nextNumber();
  const result = resultOf(request, line, {
    call: line.nextCall(),
    t: 'rapid',
    session,
    asa: request.asa,
    objective: head,
    value,
    discoveryMs: Math.min(DISCOVERY_TIMEOUT_PER_HOP_MS * head.loopCount, timeoutMs),
    timeoutMs,
    maxMessageBytes: objective.maxMessageBytes,
  });
  try {
    return await result;
  } catch (error) {
    if (error instanceof SessionError && error.code === ErrorCode.noDiscReply) return undefined;
    throw error;
  }
}

/** Sends the call that makes the request, and waits for what comes of it. */
function resultOf(
  request: Request,
  line: SessionsLine,
  call: Extract<SessionCall, { t: 'request' | 'rapid' }>,
): Promise<NegotiateResult> {
  const answer = new Promise<NegotiateResult>((resolve, reject) => {
    line.ask(call, new AwaitedResult(resolve, reject, request, line, call.session));
  });
  return unlessAborted(line, call.session, answer, request.signal);
}

/** A request that waits for the peer's first answer: with an offer there is a session. */
class AwaitedResult extends AwaitedAnswer<NegotiateResult> {
  readonly #request: Request;
  readonly #line: SessionsLine;
  readonly #key: SessionKey;

  constructor(
    resolve: (result: NegotiateResult) => void,
    reject: (error: unknown) => void,
    request: Request,
    line: SessionsLine,
    key: SessionKey,
  ) {
    super(resolve, reject);
    this.#request = request;
    this.#line = line;
    this.#key = key;
  }

  protected take(answer: PeerAnswer): NegotiateResult {
    const { head, value } = this.#request;
    if (answer.state === 'declined') return answer;
    if (answer.state === 'accepted') return { state: 'accepted', value: decodeScanned(value) };
    const session = new NegotiationSession({
      line: this.#line,
      key: this.#key,
      role: 'initiator',
      head,
      sessionId: answer.sessionId,
      remote: answer.remote,
      value: answer.value,
      loopCount: answer.loopCount,
    });
    return { state: 'offered', session, value: session.value, loopCount: session.loopCount };
  }
}
