/** discover: RFC 8991 §2.3.4, api.md §4.5. */
import type { asa_locator } from './classes.js';
import { flag, misuse, named, time } from './keywords.js';
import { toOlder, type Interfaces } from './locators.js';
import { checkedObjective, type State } from './state.js';

export interface discover_parameters {
  readonly timeoutMs: number | undefined;
  readonly flush: boolean;
  readonly minimumTtlMs: number | undefined;
}

/**
 * The parameters behind the objective: a timeout, and then what tells the two styles apart (D-06): `flush` of the
 * older API is true or false, `minimum_TTL` of the RFC is a number. Both may be given by keyword, or one after the
 * other.
 */
export function discoverParameters(rest: readonly unknown[]): discover_parameters {
  const [, second] = rest;
  const order =
    typeof second === 'number' ? ['timeout', 'minimum_TTL', 'flush'] : ['timeout', 'flush', 'minimum_TTL'];
  const wanted = named(rest, order as ['timeout', 'flush', 'minimum_TTL']);
  return {
    timeoutMs: time(wanted.timeout, 'timeout'),
    flush: flag(wanted.flush, 'flush'),
    minimumTtlMs: time(wanted.minimum_TTL, 'minimum_TTL'),
  };
}

export async function discover(
  state: State,
  interfaces: Interfaces,
  handle: unknown,
  given: unknown,
  rest: readonly unknown[],
): Promise<asa_locator[]> {
  const record = state.asa(handle);
  const objective = checkedObjective(given);
  const { timeoutMs, flush, minimumTtlMs } = discoverParameters(rest);
  const own = record.objectives.get(objective.name)?.objective;
  state.askedAbout(objective.name);
  if (!Number.isInteger(objective.loop_count)) throw misuse('loop_count is a whole number');
  const found = await record.asa.discover(own ?? objective.name, {
    timeoutMs,
    loopCount: objective.loop_count,
    flush,
    ...(minimumTtlMs === undefined ? {} : { minimumTtlMs }),
  });
  return Promise.all(found.map((locator) => toOlder(locator, interfaces)));
}
