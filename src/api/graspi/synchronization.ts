/** synchronize, listen_synchronize, stop_synchronize: RFC 8991 §2.3.6, api.md §4.13–4.15. */
import { ErrorCode, F_DISC, GraspError } from '../../protocol/index.js';
import { copyOf, type objective } from './classes.js';
import { time } from './keywords.js';
import type { Interfaces } from './locators.js';
import { toPeer } from './negotiation.js';
import { checkedObjective, type State } from './state.js';
import { encoded, fromEngine } from './values.js';

export interface Synchronize {
  readonly handle: unknown;
  readonly objective: unknown;
  readonly locator: unknown;
  readonly timeout: unknown;
}

/** Flood cache, rapid value, discovery, request; with a locator the request only. Not registered: allowed. */
export async function synchronize(
  state: State,
  interfaces: Interfaces,
  call: Synchronize,
): Promise<objective> {
  const record = state.asa(call.handle);
  const asked = synchronizable(call.objective);
  const timeoutMs = time(call.timeout, 'timeout');
  state.askedAbout(asked.name);
  const peer = await toPeer(call.locator, interfaces);
  const found = await record.asa.synchronize(asked.name, {
    ...(peer === undefined ? {} : { peer }),
    timeoutMs,
    loopCount: asked.loop_count,
  });
  return copyOf(asked, {
    discoverable: (found.flags & F_DISC) !== 0,
    loop_count: found.loopCount,
    value: fromEngine(found.value),
  });
}

/** Stores the value and answers requests for it from now on; repeated: changes the value. */
export async function listenSynchronize(state: State, handle: unknown, given: unknown): Promise<void> {
  const record = state.asa(handle);
  const { name, value } = synchronizable(given);
  await record.registered(name).objective.listenSynchronize(encoded(value));
}

/** Not listening: no error. Flooded copies live on. */
export async function stopSynchronize(state: State, handle: unknown, given: unknown): Promise<void> {
  const record = state.asa(handle);
  const { name } = synchronizable(given);
  await record.registered(name).objective.stopSynchronize();
}

/** A copy of an objective for synchronization or flooding; else notSynch (32). */
export function synchronizable(given: unknown): objective {
  const copy = checkedObjective(given);
  if (!copy.synch) throw new GraspError(ErrorCode.notSynch, JSON.stringify(copy.name));
  return copy;
}
