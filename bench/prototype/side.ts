/**
 * The public Python prototype of GRASP with the same work, when GRASPY_DIR names a checkout of it; nothing of it is
 * part of this project. It needs Python's cbor2 and netifaces.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLab, type Lab, type Side } from '../lab.js';
import { Program, progress } from '../support/program.js';
import type { Sample } from '../support/result.js';
import { toSample, type SessionLoad } from '../support/sessions.js';

const PYTHON = process.env['GRASPY_PYTHON'] ?? '/usr/bin/python3';
/** From dist/bench/prototype to the source, which is not compiled. */
const DRIVER = fileURLToPath(new URL('../../../bench/prototype/side.py', import.meta.url));
/** It slows down as sessions go by, and some of them take seconds. */
const MOST_SESSIONS = 1_000;

export interface Prototype {
  run(load: SessionLoad): Promise<Sample>;
}

function start(side: Side, dir: string, args: readonly string[]): Program {
  const child = side.spawnProgram([PYTHON, DRIVER, ...args], {
    GRASPY_DIR: dir,
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONUNBUFFERED: '1',
    DISPLAY: '',
  });
  return new Program(child, `prototype ${args[0] ?? ''}`);
}

/**
 * Its responder, in namespaces of its own: it shares the GRASP port with nobody. Undefined where there is no prototype.
 *
 * @param beside the lab of the others
 */
export async function startPrototype(
  beside: Lab,
  work: 'negotiation' | 'synchronize',
): Promise<Prototype | undefined> {
  const given = process.env['GRASPY_DIR'];
  if (given === undefined || given === '') return undefined;
  const dir = resolve(given);
  if (!existsSync(join(dir, 'grasp.py'))) throw new Error(`GRASPY_DIR=${given} has no grasp.py`);
  if (beside.kind !== 'namespaces') {
    progress('prototype: not measured, it needs network namespaces');
    return undefined;
  }
  // Closed with the others (closeLabs).
  const lab = openLab();
  await start(lab.server, dir, ['responder', work]).next();
  return {
    async run({ sessions, concurrency }) {
      const count = Math.min(sessions, MOST_SESSIONS);
      const program = start(lab.client, dir, ['initiator', work, `${count}`, `${concurrency}`]);
      const sample = toSample(await program.next());
      await program.end();
      return sample;
    },
  };
}
