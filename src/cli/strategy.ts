/**
 * How `grasp offer` and `grasp negotiate` bargain: pure functions of what was said so far, without I/O.
 *
 * A value `[unit, number]` is an amount. `offer` gives at most its own amount: a request up to it is accepted at
 * once; to a larger one it first offers half and then rises in equal steps, at most {@link MAX_STEPS} in all and no
 * more than the loop count leaves room for, so that its last offer is its whole amount. `negotiate` starts from what
 * it wants and comes down in equal steps to its minimum; it accepts as soon as an offer reaches what it would ask
 * for next. Neither uses up the loop count (RFC 8990 §2.8.7): with no step left, it accepts or declines.
 */
import { valueJson } from './json-line.js';
import { sameValue } from './values.js';

/** Most offers one side makes, however high the loop count. */
export const MAX_STEPS = 4;

export type Quantity = number | bigint;

/** A value of the form `[unit, number]`. */
export interface Amount {
  readonly unit: string;
  readonly quantity: Quantity;
}

export type Decision =
  | { readonly kind: 'accept' }
  | { readonly kind: 'decline'; readonly reason: string }
  | { readonly kind: 'step'; readonly value: unknown };

/** What this side said in this session before. */
export interface History {
  /** Steps this side has sent (the initiator's request not counted). */
  readonly steps: number;
  /** The last value this side sent. */
  readonly sent: unknown;
  /** The value received before the present one. */
  readonly receivedBefore: unknown;
}

export const NOTHING_SAID: History = { steps: 0, sent: undefined, receivedBefore: undefined };

/** `[unit, number]`, or undefined. NaN and infinities are no quantities. */
export function parseAmount(value: unknown): Amount | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [unit, quantity] = value as readonly unknown[];
  if (typeof unit !== 'string') return undefined;
  if (typeof quantity === 'bigint' || (typeof quantity === 'number' && Number.isFinite(quantity))) {
    return { unit, quantity };
  }
  return undefined;
}

/**
 * Own steps that are left when a message with this loop count was received: each step lowers it by one and both
 * sides step in turn, and none may leave with 0 (RFC 8990 §2.8.7).
 */
export function stepsLeft(loopCount: number): number {
  return Math.floor(loopCount / 2);
}

/** One `parts`-th of the way from `from` to `to`; whole numbers stay whole and move by at least one. */
export function towards(from: Quantity, to: Quantity, parts: number): Quantity {
  if (parts <= 1 || from === to) return to;
  if (isWhole(from) && isWhole(to)) {
    const way = BigInt(to) - BigInt(from);
    const part = way / BigInt(parts);
    return tidy(BigInt(from) + (part === 0n ? (way < 0n ? -1n : way > 0n ? 1n : 0n) : part));
  }
  return Number(from) + (Number(to) - Number(from)) / parts;
}

function isWhole(q: Quantity): boolean {
  return typeof q === 'bigint' || Number.isSafeInteger(q);
}

function tidy(q: bigint): Quantity {
  const number = Number(q);
  return Number.isSafeInteger(number) ? number : q;
}

const amountText = (unit: string, quantity: Quantity) => `${unit} ${quantity}`;

/** The responder's answer to `received` when it gives at most `own` (or exactly `own`, for other values). */
export function decideOffer(own: unknown, received: unknown, loopCount: number, history: History): Decision {
  const limit = parseAmount(own);
  const request = parseAmount(received);
  if (limit === undefined || request === undefined) {
    if (sameValue(own, received)) return { kind: 'accept' };
    if (stepsLeft(loopCount) < 1 || history.steps >= MAX_STEPS) {
      return { kind: 'decline', reason: `only ${valueJson(own)} is offered` };
    }
    return { kind: 'step', value: own };
  }
  if (request.unit !== limit.unit) {
    return { kind: 'decline', reason: `only ${limit.unit} is offered, not ${request.unit}` };
  }
  if (request.quantity <= limit.quantity) return { kind: 'accept' };
  const left = Math.min(stepsLeft(loopCount), MAX_STEPS - history.steps);
  const before = parseAmount(history.sent);
  // Everything was offered already and the other side does not move, or there is no step left.
  const asked = parseAmount(history.receivedBefore);
  const all = before !== undefined && before.quantity >= limit.quantity;
  if (left < 1 || (all && asked !== undefined && request.quantity >= asked.quantity)) {
    return { kind: 'decline', reason: `at most ${amountText(limit.unit, limit.quantity)} is offered` };
  }
  return { kind: 'step', value: [limit.unit, nextOffer(limit.quantity, before?.quantity, left)] };
}

function nextOffer(limit: Quantity, before: Quantity | undefined, left: number): Quantity {
  if (before !== undefined) return towards(before, limit, left);
  return left === 1 || limit <= 0 ? limit : towards(0, limit, 2);
}

/** What the initiator wants. */
export interface Demand {
  readonly want: unknown;
  /** The least it accepts when `want` is an amount; absent: not less than `want`. */
  readonly min?: Quantity | undefined;
  /** Accept whatever comes. */
  readonly acceptAny?: boolean | undefined;
}

/** The initiator's answer to the counter-offer `received`. */
export function decideNegotiate(
  demand: Demand,
  received: unknown,
  loopCount: number,
  history: History,
): Decision {
  if (demand.acceptAny === true) return { kind: 'accept' };
  const want = parseAmount(demand.want);
  const offer = parseAmount(received);
  if (want === undefined || offer === undefined) {
    if (sameValue(demand.want, received)) return { kind: 'accept' };
    return { kind: 'decline', reason: `${valueJson(demand.want)} is needed` };
  }
  if (offer.unit !== want.unit) {
    return { kind: 'decline', reason: `${want.unit} is needed, not ${offer.unit}` };
  }
  const min = demand.min ?? want.quantity;
  const left = Math.min(stepsLeft(loopCount), Math.max(1, MAX_STEPS - history.steps));
  const asked = parseAmount(history.sent)?.quantity ?? want.quantity;
  const next = left < 1 ? min : towards(asked, min, left);
  if (offer.quantity >= next) return { kind: 'accept' };
  const offeredBefore = parseAmount(history.receivedBefore);
  const stuck = asked <= min && offeredBefore !== undefined && offer.quantity <= offeredBefore.quantity;
  if (left < 1 || stuck) {
    return { kind: 'decline', reason: `at least ${amountText(want.unit, min)} is needed` };
  }
  return { kind: 'step', value: [want.unit, next] };
}
