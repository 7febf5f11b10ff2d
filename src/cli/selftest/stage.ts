/**
 * What the self-test plays on: one host, an engine on two interfaces that hears its own multicasts, and a second
 * engine on the same two, so that everything the host sends by one interface comes back by the other (a ring).
 */
import type { Asa, Clock, Grasp } from '../api.js';
import { GraspError } from '../../protocol/index.js';
import { pause } from '../command.js';

export interface StageInit {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly seed: number;
  /** Hears its own multicasts. */
  readonly host: Grasp;
  /** On the same links; tells own locators in O_DIVERT. */
  readonly peer: Grasp;
  /** What Neg1 and Neg2 say, and how it ends. */
  readonly say: (asa: string, text: string) => void;
}

export interface Stage extends StageInit {
  /** Of the host. */
  readonly one: Asa;
  readonly two: Asa;
  /** Of the peer. */
  readonly far: Asa;
}

/** A thing to see: what it found is told in a few words. Rejects if it does not hold. */
export interface Step {
  readonly name: string;
  readonly run: (stage: Stage) => Promise<string>;
}

/** What does not hold. */
export class SelftestFailure extends Error {
  override readonly name = 'SelftestFailure';
}

export function demand(holds: boolean, what: string): asserts holds {
  if (!holds) throw new SelftestFailure(what);
}

/** Both as JSON; maps and bytes do not occur in the self-test. */
export function demandEqual(what: string, found: unknown, expected: unknown): void {
  const [is, should] = [JSON.stringify(found), JSON.stringify(expected)];
  demand(is === should, `${what} is ${is}, not ${should}`);
}

/** The call must fail with one of these codes of RFC 8991 Appendix A; resolves the code. */
export async function failsWith(what: string, call: () => unknown, ...codes: number[]): Promise<number> {
  try {
    await call();
  } catch (error) {
    if (GraspError.is(error) && codes.includes(error.code)) return error.code;
    throw new SelftestFailure(`${what} failed with ${String(error)}, not with code ${codes.join(' or ')}`);
  }
  throw new SelftestFailure(`${what} succeeded; it must fail with code ${codes.join(' or ')}`);
}

/** Looks again every 20 ms until `look` finds something; fails after `ms`. */
export async function eventually<T>(
  { clock, signal }: Pick<StageInit, 'clock' | 'signal'>,
  what: string,
  ms: number,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const until = clock.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    signal.throwIfAborted();
    demand(clock.now() < until, `${what} did not happen within ${ms} ms`);
    await pause(clock, 20, signal);
  }
}
