import type { Failure, ObjectiveHead, SessionCall, SessionKey } from '../workers/engine-control.js';
import {
  decodeScanned,
  encodeValue,
  ErrorCode,
  F_NEG_DRY,
  GraspError,
  GRASP_DEF_MAX_SIZE,
  GRASP_DEF_TIMEOUT,
} from '../protocol/index.js';
import type { Target } from '../substrate/types.js';
import { AwaitedAnswer, rejecting, unlessAborted, type PeerAnswer } from './answering.js';
import { checkedLoopCount, timeoutOf } from './checks.js';
import { SessionError, toError, type SessionsLine } from './sessions-line.js';

/** What an answer to a request or a step can be. */
export type NegotiateResult =
  /** The peer accepted what was offered last; the session is over. `value` is that offer. */
  | { readonly state: 'accepted'; readonly value: unknown }
  /** The peer made a counter-offer: it is this side's turn. */
  | {
      readonly state: 'offered';
      readonly session: NegotiationSession;
      readonly value: unknown;
      /** As received (RFC 8991 §2.3.5). */
      readonly loopCount: number;
    }
  /** The peer declined; the session is over. `reason` is "" if it gave none. */
  | { readonly state: 'declined'; readonly reason: string };

export interface StepOptions {
  /** ms to wait for the peer's answer; default and 0: 60000 (GRASP_DEF_TIMEOUT, RFC 8990 §2.6). */
  readonly timeoutMs?: number | null | undefined;
  /** The loop count received last, or less: the engine takes the smaller, less one (RFC 8990 §2.8.7). */
  readonly loopCount?: number | undefined;
  /** Must be the session's (RFC 8990 §2.10.2). */
  readonly dryRun?: boolean | undefined;
  /** Ends the session with a decline when aborted; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The code a call gets when the connection was lost while it was this side's turn (api.md §5). */
const SOCKET_ERROR = {
  step: ErrorCode.sockErrNegStep,
  wait: ErrorCode.sockErrWait,
  end: ErrorCode.sockErrEnd,
} as const;

interface Beginning {
  readonly line: SessionsLine;
  readonly key: SessionKey;
  readonly role: 'initiator' | 'responder';
  readonly head: ObjectiveHead;
  readonly sessionId: number;
  readonly remote: Target;
  readonly value: Uint8Array;
  readonly loopCount: number;
}

/**
 * One negotiation with one peer: RFC 8990 §2.5.5, RFC 8991 §2.3.5. Both sides take turns: whoever has received an
 * offer steps, waits or ends. Any number of sessions may run at once, also with the same peer.
 *
 * @example
 * let result = await asa.requestNegotiate(ex3, ['NZD', 300], { peer });
 * while (result.state === 'offered') {
 *   const [unit, sum] = result.value as [string, number];
 *   if (sum >= 250) {
 *     await result.session.endNegotiate({ accept: true });
 *     break;
 *   }
 *   result = await result.session.negotiateStep([unit, 260]);
 * }
 */
export class NegotiationSession {
  readonly objective: string;
  readonly role: 'initiator' | 'responder';
  /** RFC 8990 §2.7; for logs, unique together with the peer only. */
  readonly sessionId: number;
  /** The peer's end of the connection. */
  readonly remote: Target;
  /** All messages of a session are dry run or none is (RFC 8990 §2.10.2). */
  readonly dryRun: boolean;
  readonly #line: SessionsLine;
  readonly #key: SessionKey;
  /** Made when somebody asks for the signal: most sessions live and end without. */
  #controller: AbortController | undefined;
  #encodedValue: Uint8Array;
  #loopCount: number;
  #ended = false;
  #how: Failure | string = '';
  /** How the session ended while nobody waited; the next call is told, once. */
  #untold: Failure | undefined;

  /** @internal */
  constructor(beginning: Beginning) {
    this.#line = beginning.line;
    this.#key = beginning.key;
    this.role = beginning.role;
    this.objective = beginning.head.name;
    this.dryRun = (beginning.head.flags & F_NEG_DRY) !== 0;
    this.sessionId = beginning.sessionId;
    this.remote = beginning.remote;
    this.#encodedValue = beginning.value;
    this.#loopCount = beginning.loopCount;
    this.#line.track(this.#key, this);
  }

  /** The value received last, decoded. Maps are `Map`, a tag-24 item is `RawCbor`. */
  get value(): unknown {
    return decodeScanned(this.#encodedValue);
  }

  /** The same as the CBOR item that was received. */
  get encodedValue(): Uint8Array {
    return this.#encodedValue;
  }

  /** The loop count received last. */
  get loopCount(): number {
    return this.#loopCount;
  }

  /** Aborts when the session ends, whatever ends it; its reason is a {@link GraspError}. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#ended) this.#controller.abort(this.#endReason());
    }
    return this.#controller.signal;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Makes the next offer (M_NEGOTIATE, RFC 8990 §2.8.7) and waits for the answer. One call at a time.
   *
   * Rejects: 3 not this side's turn, value not encodable, dry run changed; 19 session over; 20 no connection;
   * 21 loop count exhausted; 22 send failed; 23–28 what the peer did; 40 too big (session lives); 41 worker lost.
   */
  negotiateStep(value: unknown, options: StepOptions = {}): Promise<NegotiateResult> {
    return rejecting(() => {
      const timeoutMs = timeoutOf(options.timeoutMs);
      const loopCount = options.loopCount === undefined ? undefined : checkedLoopCount(options.loopCount);
      const bytes = encodeValue(value);
      const told = this.#tell('step');
      if (told) return Promise.resolve(told);
      const { signal, dryRun } = options;
      signal?.throwIfAborted();
      const answer = new Promise<NegotiateResult>((resolve, reject) => {
        const call = this.#line.nextCall();
        const step = new Step(resolve, reject, this, bytes);
        this.#line.ask(
          { call, t: 'step', session: this.#key, value: bytes, loopCount, dryRun, timeoutMs },
          step,
        );
      });
      return unlessAborted(this.#line, this.#key, answer, signal);
    });
  }

  /**
   * Asks the peer for patience (M_WAIT, RFC 8990 §2.8.9): its timer starts anew with `timeoutMs` (default and 0:
   * 60000). May be repeated. Rejects: 3 not this side's turn, 16, 19, 20, 29.
   */
  negotiateWait(timeoutMs: number | null = GRASP_DEF_TIMEOUT): Promise<void> {
    return rejecting(() => {
      const waitMs = timeoutOf(timeoutMs);
      this.#tell('wait');
      return this.#confirmed({ call: this.#line.nextCall(), t: 'wait', session: this.#key, waitMs });
    });
  }

  /**
   * Ends the session (M_END, RFC 8990 §2.8.8): `accept` the value received last, on this side's turn only, or
   * decline at any time, with a reason. Rejects: 3 not this side's turn, 16, 19, 20, 30.
   */
  endNegotiate(result: { accept: true } | { accept: false; reason?: string | undefined }): Promise<void> {
    return rejecting(() => {
      this.#tell('end');
      const reason = result.accept ? undefined : result.reason;
      if (reason !== undefined && /\p{Surrogate}/u.test(reason)) {
        throw new GraspError(ErrorCode.unspec, 'the reason is no well-formed text');
      }
      const { accept } = result;
      return this.#confirmed(
        { call: this.#line.nextCall(), t: 'end', session: this.#key, accept, reason },
        accept ? 'accepted here' : 'declined here',
      );
    });
  }

  /**
   * Tells the peer that its message was unusable (M_INVALID, RFC 8990 §2.8.12) and ends the session. `info` is cut
   * so that the message fits 2048 bytes (§2.8.3). Rejects: 16, 19, 20, 30.
   */
  sendInvalid(info?: Uint8Array | string): Promise<void> {
    return rejecting(() => {
      const bytes = info === undefined ? undefined : encodeValue(cut(info));
      this.#tell('end');
      return this.#confirmed(
        { call: this.#line.nextCall(), t: 'invalid', session: this.#key, info: bytes },
        'M_INVALID sent',
      );
    });
  }

  /** @internal The session ended while no call was waiting. */
  endedUnnoticed(failure: Failure): void {
    if (this.#ended) return;
    this.#untold = failure;
    this.#end(failure);
  }

  /** A session that ended unnoticed: says so to this call, once; later calls get noSession (19). */
  #tell(call: 'step' | 'wait' | 'end'): NegotiateResult | undefined {
    if (!this.#ended) return undefined;
    const failure = this.#untold;
    this.#untold = undefined;
    if (!failure) throw new GraspError(ErrorCode.noSession);
    if (failure.code === ErrorCode.declined && call === 'step') {
      return { state: 'declined', reason: failure.reason ?? '' };
    }
    throw toldBy(call, failure);
  }

  /** @internal A call that crossed the end of its session is told how it ended, not that there is none (api.md §5). */
  crossed(error: SessionError, call: 'step' | 'wait' | 'end'): SessionError {
    const failure = this.#untold;
    if (error.code !== ErrorCode.noSession || !failure) return error;
    this.#untold = undefined;
    return toldBy(call, failure);
  }

  /** Sends a call and waits for its confirmation; `ends`: the session is over then, in these words. */
  #confirmed(call: SessionCall & { t: 'wait' | 'end' | 'invalid' }, ends?: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#line.ask(call, {
        resolve: () => {
          if (ends !== undefined) this.#end(ends);
          resolve();
        },
        reject: (error) => {
          this.callFailed(error);
          reject(this.crossed(error, call.t === 'wait' ? 'wait' : 'end'));
        },
      });
    });
  }

  /** @internal The answer of a step; `offered` is what this side had offered with it. */
  stepped(answer: PeerAnswer, offered: Uint8Array): NegotiateResult {
    if (answer.state === 'offered') {
      this.#encodedValue = answer.value;
      this.#loopCount = answer.loopCount;
      return { state: 'offered', session: this, value: this.value, loopCount: answer.loopCount };
    }
    this.#end(`${answer.state} by the peer`);
    return answer.state === 'accepted' ? { state: 'accepted', value: decodeScanned(offered) } : answer;
  }

  /** @internal Refusals before sending leave the session as it was; everything else has ended it. */
  callFailed(error: unknown): void {
    if (error instanceof SessionError && !error.over) return;
    this.#end(error instanceof GraspError ? { code: error.code, detail: error.message } : 'failed');
  }

  /** @param how a failure, or in words how it ended in order */
  #end(how: Failure | string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#how = how;
    this.#line.forget(this.#key);
    this.#controller?.abort(this.#endReason());
  }

  #endReason(): GraspError {
    const how = this.#how;
    return typeof how === 'object' ? toError(how) : new GraspError(ErrorCode.noSession, how);
  }
}

/** How a session ended, told by a call that came upon its end. */
function toldBy(call: 'step' | 'wait' | 'end', failure: Failure): SessionError {
  return toError(failure.code === ErrorCode.noSocket ? { ...failure, code: SOCKET_ERROR[call] } : failure);
}

/** A step that waits for the peer. */
class Step extends AwaitedAnswer<NegotiateResult> {
  readonly #session: NegotiationSession;
  readonly #offered: Uint8Array;

  constructor(
    resolve: (result: NegotiateResult) => void,
    reject: (error: unknown) => void,
    session: NegotiationSession,
    offered: Uint8Array,
  ) {
    super(resolve, reject);
    this.#session = session;
    this.#offered = offered;
  }

  protected take(answer: PeerAnswer): NegotiateResult {
    return this.#session.stepped(answer, this.#offered);
  }

  override reject(error: SessionError): void {
    super.reject(this.#session.crossed(error, 'step'));
  }

  protected override failed(error: unknown): void {
    this.#session.callFailed(error);
  }
}

/** Bytes of `[99, session-id, info]` around the content of `info`, at most. */
const INVALID_ENVELOPE = 11;

function cut(info: Uint8Array | string): Uint8Array | string {
  const most = GRASP_DEF_MAX_SIZE - INVALID_ENVELOPE;
  if (typeof info !== 'string') return info.subarray(0, most);
  const bytes = new TextEncoder().encode(info);
  if (bytes.length <= most) return info;
  // A character cut in two is left out.
  return new TextDecoder().decode(bytes.subarray(0, most), { stream: true });
}
