/** register_asa … deregister_objective: RFC 8991 §2.3.3, api.md §4.1–4.4. */
import { ErrorCode, GraspError } from '../../protocol/index.js';
import type { asa_locator } from './classes.js';
import { flag, misuse, named, time } from './keywords.js';
import { toEngineLocator, type Interfaces } from './locators.js';
import { LISTEN_GAP_MS, SingleListens } from './single-listen.js';
import { AsaRecord, checkedObjective, type State } from './state.js';
import { encoded } from './values.js';

/** Optional parameters of register_obj and register_objective, in their order. */
export const REGISTRATION_PARAMETERS = [
  'ttl',
  'discoverable',
  'overlap',
  'local',
  'rapid',
  'locators',
] as const;

export async function registerAsa(state: State, name: unknown): Promise<number> {
  if (typeof name !== 'string') throw misuse('the name of an ASA is a text');
  const grasp = await state.start();
  const asa = await grasp.registerAsa(name);
  state.asas.set(asa.handle, new AsaRecord(asa));
  return asa.handle;
}

export async function deregisterAsa(state: State, handle: unknown, name: unknown): Promise<void> {
  const record = [...state.asas.values()].find(({ asa }) => asa.name === name);
  if (!record) throw new GraspError(ErrorCode.noASA, String(name));
  if (record.asa.handle !== handle) throw new GraspError(ErrorCode.notYourASA, record.asa.name);
  state.asas.delete(record.asa.handle);
  for (const { listens } of record.objectives.values()) listens.release();
  await record.asa.deregister();
}

export async function registerObjective(
  state: State,
  interfaces: Interfaces,
  handle: unknown,
  given: unknown,
  rest: readonly unknown[],
): Promise<void> {
  const record = state.asa(handle);
  const objective = checkedObjective(given);
  const value = encoded(objective.value);
  const wanted = named(rest, REGISTRATION_PARAMETERS);
  const ttlMs = time(wanted.ttl, 'ttl');
  const locators = wanted.locators ?? [];
  if (!Array.isArray(locators)) throw misuse('locators is a list of asa_locator');
  const explicit = await Promise.all(
    locators.map((each) => toEngineLocator(each as asa_locator, interfaces)),
  );
  const registered = await record.asa.registerObjective({
    name: objective.name,
    negotiate: objective.neg,
    synchronize: objective.synch,
    // `dry` of the objective that is handed over later decides, from one negotiation to the next.
    dryRun: objective.neg,
    loopCount: objective.loop_count,
    ...(ttlMs === undefined ? {} : { ttlMs }),
    overlap: flag(wanted.overlap, 'overlap'),
    discoverable: flag(wanted.discoverable, 'discoverable'),
    local: flag(wanted.local, 'local'),
    rapid: flag(wanted.rapid, 'rapid'),
    ...(explicit.length > 0 ? { locators: explicit } : {}),
    floodOnly: !objective.discoverable,
    value,
  });
  record.objectives.set(objective.name, {
    objective: registered,
    listens: new SingleListens(registered, state.clock, state.configuration.listenGapMs ?? LISTEN_GAP_MS),
  });
  state.askedAbout(objective.name);
}

export async function deregisterObjective(state: State, handle: unknown, given: unknown): Promise<void> {
  const record = state.asa(handle);
  const { name } = checkedObjective(given);
  const own = record.objectives.get(name);
  if (!own) {
    const { objectives } = await state.grasp.status();
    const known = objectives.some((each) => each.name === name);
    throw new GraspError(known ? ErrorCode.notYourObj : ErrorCode.notObj, JSON.stringify(name));
  }
  record.objectives.delete(name);
  own.listens.release();
  await own.objective.deregister();
}
