/**
 * Briggs and Gray as ASAs: their strategies on the public API. They know of each other only what GRASP tells them;
 * what they do is written into a {@link Conversation}, which Briggs finds by the sum it is first asked for (every
 * Gray asks for another one).
 */
import type { Asa, Clock, NegotiateResult, NegotiationSession, Objective, PeerLike } from '../api.js';
import { outcomeOfFailure, outcomeOfResult, accepted, declined } from '../converse.js';
import { briggsMove, grayMove, openPurse, type Money } from './characters.js';
import type { Conversation } from './conversation.js';

/** Time Briggs asks for with M_WAIT, ms, and the time it then takes. */
const ASKED_WAIT_MS = 10_000;
const TAKEN_WAIT_MS = 150;

/** ms to wait for each answer; far more than one takes, so that a slow machine changes no conversation. */
const STEP_TIMEOUT_MS = 20_000;

/** One money value as it came; anything else is nobody's business here. */
function asMoney(value: unknown): Money {
  if (Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'number') {
    return [value[0], value[1]];
  }
  throw new TypeError('not a sum of money');
}

/** How long one of them thinks before each move; by default not at all. */
export type Pace = () => Promise<void>;

const atOnce: Pace = () => Promise.resolve();

export class Briggs {
  static readonly NAME = 'Briggs';
  readonly #conversations = new Map<number, Conversation>();
  #arrived = 0;
  #serving = 0;
  #mostAtOnce = 0;
  #open: () => void = () => undefined;
  readonly #opened = new Promise<void>((resolve) => (this.#open = resolve));

  /**
   * @param queue how many clients must stand in the queue before the bank opens: so that they are served at once
   */
  constructor(
    readonly clock: Clock,
    readonly seed: number,
    readonly queue: number,
    readonly pace: Pace = atOnce,
  ) {}

  /** Most clients served at the same time so far. */
  get mostAtOnce(): number {
    return this.#mostAtOnce;
  }

  expect(conversation: Conversation): void {
    this.#conversations.set(conversation.plan.want[1], conversation);
  }

  /** Serves one client; any number run at once. */
  async serve(session: NegotiationSession): Promise<void> {
    this.#mostAtOnce = Math.max(this.#mostAtOnce, ++this.#serving);
    try {
      await this.#serve(session);
    } finally {
      this.#serving--;
    }
  }

  async #serve(session: NegotiationSession): Promise<void> {
    const asa = Briggs.NAME;
    let request = asMoney(session.value);
    const conversation = this.#conversations.get(request[1]);
    if (conversation === undefined) throw new Error('a client nobody announced');
    const purse = openPurse(this.seed, request);
    if (++this.#arrived >= this.queue) this.#open();
    await this.#opened;
    let offered: number | undefined;
    try {
      for (let step = 1; ; step++) {
        const { loopCount } = session;
        conversation.say({ kind: 'step', asa, direction: 'received', value: session.value, loopCount });
        if (step === purse.waitBefore) await this.#think(session, conversation);
        await this.pace();
        const move = briggsMove(purse, offered, request);
        if (move.kind === 'accept') {
          await session.endNegotiate({ accept: true });
          conversation.end({ asa, acted: true, ...accepted(session.value) });
          return;
        }
        if (move.kind === 'decline') {
          await session.endNegotiate({ accept: false, reason: move.reason });
          conversation.end({ asa, acted: true, ...declined(move.reason) });
          return;
        }
        const result = await stepAs(conversation, asa, session, move.value);
        if (result.state !== 'offered') {
          conversation.end({ asa, acted: false, ...outcomeOfResult(result) });
          return;
        }
        offered = move.value[1];
        request = asMoney(session.value);
      }
    } catch (error) {
      conversation.end({ asa, acted: cannotStep(error), ...outcomeOfFailure(error) });
    }
  }

  async #think(session: NegotiationSession, conversation: Conversation): Promise<void> {
    conversation.say({ kind: 'wait', asa: Briggs.NAME, waitMs: ASKED_WAIT_MS });
    await session.negotiateWait(ASKED_WAIT_MS);
    await new Promise<void>((resolve) => void this.clock.setTimeout(resolve, TAKEN_WAIT_MS));
  }
}

export class Gray {
  constructor(
    readonly asa: Asa,
    readonly ex3: Objective,
    readonly bank: PeerLike,
    readonly pace: Pace = atOnce,
  ) {}

  /** One negotiation, from the request to the end of this side. */
  async negotiate(conversation: Conversation): Promise<void> {
    const { plan, gray: asa } = conversation;
    try {
      conversation.say({ kind: 'step', asa, direction: 'sent', value: plan.want, loopCount: plan.loopCount });
      let result: NegotiateResult = await this.asa.requestNegotiate(this.ex3, plan.want, {
        peer: this.bank,
        loopCount: plan.loopCount,
        timeoutMs: STEP_TIMEOUT_MS,
      });
      let asked = plan.want[1];
      while (result.state === 'offered') {
        const { session, value, loopCount }: Extract<NegotiateResult, { state: 'offered' }> = result;
        conversation.say({ kind: 'step', asa, direction: 'received', value, loopCount });
        await this.pace();
        const move = grayMove(plan, asked, asMoney(value));
        if (move.kind === 'accept') {
          await session.endNegotiate({ accept: true });
          conversation.end({ asa, acted: true, ...accepted(value) });
          return;
        }
        if (move.kind === 'decline') {
          await session.endNegotiate({ accept: false, reason: move.reason });
          conversation.end({ asa, acted: true, ...declined(move.reason) });
          return;
        }
        result = await stepAs(conversation, asa, session, move.value);
        asked = move.value[1];
      }
      conversation.end({ asa, acted: false, ...outcomeOfResult(result) });
    } catch (error) {
      conversation.end({ asa, acted: cannotStep(error), ...outcomeOfFailure(error) });
    }
  }
}

/** Sends a step and writes it down; without loop count left nothing is sent, and the call fails (21). */
function stepAs(
  conversation: Conversation,
  asa: string,
  session: NegotiationSession,
  value: Money,
): Promise<NegotiateResult> {
  const loopCount = session.loopCount - 1;
  if (loopCount > 0) conversation.say({ kind: 'step', asa, direction: 'sent', value, loopCount });
  return session.negotiateStep(value, { timeoutMs: STEP_TIMEOUT_MS });
}

function cannotStep(error: unknown): boolean {
  return outcomeOfFailure(error).code === 21;
}
