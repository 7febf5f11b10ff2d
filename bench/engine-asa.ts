/**
 * The ASAs of the benchmarks with sessions, all kinds of work and both roles. Spawned as a module (placement
 * `worker`), or called by engine-side.ts in its own thread (`main`, `inline`): the same code either way.
 */
import type { AsaContext } from 'anima-grasp';
import { held } from './asas/held.js';
import { memory } from './asas/memory.js';
import { negotiation } from './asas/negotiation.js';
import { overload } from './asas/overload.js';
import { step } from './asas/step.js';
import { synchronize } from './asas/synchronize.js';
import { serveThread } from './asas/thread-line.js';
import type { Role, Work, WorkName } from './asas/work.js';

const all: Readonly<Record<WorkName, Work>> = { negotiation, step, synchronize, held, overload };

export const objectiveOf = (work: WorkName): string => all[work].objective;

/** The default export that `spawnAsa` calls: carries out commands until it is stopped. */
export default async function asaMain({ asa, data, signal }: AsaContext): Promise<void> {
  const role = data as Role;
  const work = all[role.work];
  const handlers = role.role === 'responder' ? await work.respond(asa) : await work.initiate(asa, role.peer);
  await serveThread({ ...handlers, memory }, signal);
}
