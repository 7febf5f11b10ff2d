/** Where an announcer or listener works: an engine, or an ASA registered there already. */
import { ErrorCode, GraspError } from '../../protocol/index.js';
import type { Asa } from '../asa.js';
import type { Grasp } from '../grasp.js';
import type { AnnouncedKind } from './kinds.js';

/** With an engine, an ASA is registered for the purpose, and deregistered at the end. */
export type AnnouncerHost = Grasp | Asa;

/** An ASA to work with, and what ends that. */
export interface Workplace {
  readonly asa: Asa;
  release(): Promise<void>;
}

/** Rejects: 3 the engine is not of the kind the objective belongs to; 4, 6, 42. */
export async function workplace(
  host: AnnouncerHost,
  kind: AnnouncedKind,
  purpose: 'announcer' | 'listener',
): Promise<Workplace> {
  if (!('registerAsa' in host)) {
    await checkScope(host, kind);
    return { asa: host, release: () => Promise.resolve() };
  }
  const asa = await registered(host, `${kind.objective} ${purpose}`);
  try {
    await checkScope(asa, kind);
  } catch (error) {
    await asa.deregister();
    throw error;
  }
  return { asa, release: () => asa.deregister() };
}

/** What is found by an unprotected link must not be mixed with what protection vouches for (RFC 8990 §2.5.2). */
async function checkScope(asa: Asa, { objective, scope }: AnnouncedKind): Promise<void> {
  const { dull } = await asa.status();
  if (scope === 'network' && !dull) return;
  if (scope === 'link' && dull?.objectives.includes(objective)) return;
  const where =
    scope === 'link'
      ? `a DULL instance: Grasp.start({ …, dull: { objectives: ['${objective}'] } })`
      : 'a protected network, not to a DULL instance';
  throw new GraspError(ErrorCode.unspec, `${objective} belongs to ${where}`);
}

async function registered(grasp: Grasp, name: string): Promise<Asa> {
  for (let number = 1; ; number++) {
    try {
      return await grasp.registerAsa(number === 1 ? name : `${name} ${number}`);
    } catch (error) {
      if (!GraspError.is(error) || error.code !== ErrorCode.dupASA) throw error;
    }
  }
}
