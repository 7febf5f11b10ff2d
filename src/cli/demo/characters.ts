/**
 * The two sample ASAs of the older GRASP documents as pure strategies: Briggs, a banker who gives out money, and
 * Gray, a client who asks for it. Neither looks at the loop count, so two stubborn ones run into its end; that and
 * everything else they do follows from a seed and from what is said, never from time or order of arrival.
 */
import { Dice } from './prng.js';

export const CURRENCY = 'NZD';

/** `[currency, sum]`, the value of EX3. */
export type Money = readonly [string, number];

export type Move =
  | { readonly kind: 'accept' }
  | { readonly kind: 'decline'; readonly reason: string }
  | { readonly kind: 'step'; readonly value: Money };

/** What one Gray is after in one negotiation. */
export interface GrayPlan {
  readonly want: Money;
  /** Less than this is not worth the trouble. */
  readonly least: number;
  /** Asks again and again instead of giving up. */
  readonly stubborn: boolean;
  /** Loop count of the request (RFC 8990 §2.6 GRASP_DEF_LOOPCT is 6). */
  readonly loopCount: number;
}

const GRAY_REASONS = ['You are too mean', 'I shall ask elsewhere', 'Not worth the paper'] as const;
const BRIGGS_REASONS = ['Insufficient funds', 'Kāore he pūtea', 'The vault is closed for today'] as const;

/** A plan from the dice; sums in `taken` are avoided, and the chosen one is added. */
export function planGray(dice: Dice, taken: Set<number>): GrayPlan {
  let sum = dice.between(20, 500);
  while (taken.has(sum)) sum = sum === 500 ? 20 : sum + 1;
  taken.add(sum);
  const currency = dice.oneIn(9) ? 'USD' : CURRENCY;
  const least = Math.max(1, Math.floor((sum * dice.between(55, 85)) / 100));
  return { want: [currency, sum], least, stubborn: dice.oneIn(4), loopCount: dice.between(5, 12) };
}

/** Gray's answer to an offer, having asked for `asked` last. */
export function grayMove(plan: GrayPlan, asked: number, offer: Money): Move {
  const [currency, offered] = offer;
  const next = Math.max(plan.least, Math.floor(asked * 0.9));
  if (currency === plan.want[0] && offered >= next) return { kind: 'accept' };
  if (asked === plan.least && !plan.stubborn) {
    return { kind: 'decline', reason: GRAY_REASONS[plan.want[1] % GRAY_REASONS.length] as string };
  }
  return { kind: 'step', value: [plan.want[0], next] };
}

/** What Briggs has at hand for one client; follows from the seed and the sum asked for. */
export interface Purse {
  /** Offered first, and given at once to whoever asks for no more. */
  readonly opening: number;
  readonly raise: number;
  /** Briggs never goes beyond it. */
  readonly ceiling: number;
  /** Repeats the last offer instead of giving up. */
  readonly stubborn: boolean;
  /** Before this step (1, 2, …) Briggs asks for time; 0: never. */
  readonly waitBefore: number;
  readonly reason: string;
}

export function openPurse(seed: number, request: Money): Purse {
  const dice = new Dice(seed, 0xb4166, request[1]);
  const reserves = dice.between(100, 400);
  return {
    opening: Math.floor(reserves / 2),
    raise: Math.max(1, Math.floor(reserves / 10)),
    ceiling: Math.floor((reserves * 7) / 10),
    stubborn: dice.oneIn(3),
    waitBefore: dice.oneIn(2) ? dice.between(1, 2) : 0,
    reason: dice.pick(BRIGGS_REASONS),
  };
}

/** Briggs's answer to a request, having offered `offered` last (undefined: nothing yet). */
export function briggsMove(purse: Purse, offered: number | undefined, request: Money): Move {
  const [currency, asked] = request;
  if (currency !== CURRENCY) return { kind: 'decline', reason: `This bank deals in ${CURRENCY} only` };
  const next = offered === undefined ? purse.opening : Math.min(purse.ceiling, offered + purse.raise);
  if (asked <= next) return { kind: 'accept' };
  if (offered === purse.ceiling && !purse.stubborn) return { kind: 'decline', reason: purse.reason };
  return { kind: 'step', value: [CURRENCY, next] };
}
