/**
 * The demo's conversations played on paper: the same characters, with RFC 8990 §2.8.7's loop count and without an
 * engine. What `grasp demo` prints must be exactly this.
 */
import { briggsMove, grayMove, openPurse, type GrayPlan, type Money } from '../../src/cli/demo/characters.js';

export interface Rehearsal {
  /** Everything sent, in order: who, what, with which loop count. */
  readonly said: readonly string[];
  readonly waits: number;
  readonly outcome: 'accepted' | 'declined' | 'exhausted';
  readonly reason: string | undefined;
  readonly agreed: Money | undefined;
}

export function rehearse(seed: number, gray: string, plan: GrayPlan): Rehearsal {
  const purse = openPurse(seed, plan.want);
  const said: string[] = [];
  let waits = 0;
  let request = plan.want;
  let offered: number | undefined;
  let loopCount = plan.loopCount;
  const say = (who: string, money: Money): void => {
    said.push(`${who} ${money[0]} ${money[1]} ${loopCount}`);
  };
  const result = (outcome: Rehearsal['outcome'], reason?: string, agreed?: Money): Rehearsal => ({
    said,
    waits,
    outcome,
    reason,
    agreed,
  });
  say(gray, request);
  for (let step = 1; step < 300; step++) {
    if (step === purse.waitBefore) waits++;
    const answer = briggsMove(purse, offered, request);
    if (answer.kind === 'accept') return result('accepted', undefined, request);
    if (answer.kind === 'decline') return result('declined', answer.reason);
    if (--loopCount < 1) return result('exhausted');
    say('Briggs', answer.value);
    offered = answer.value[1];
    const reply = grayMove(plan, request[1], answer.value);
    if (reply.kind === 'accept') return result('accepted', undefined, answer.value);
    if (reply.kind === 'decline') return result('declined', reply.reason);
    if (--loopCount < 1) return result('exhausted');
    say(gray, reply.value);
    request = reply.value;
  }
  throw new Error('a conversation without end');
}
