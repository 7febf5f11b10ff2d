/**
 * The public Python prototype of GRASP as the other side. `GRASPY_DIR` names a checkout of it; nothing of it is
 * part of this project. It runs in network namespaces, so these tests need the lab too.
 */
import { describe } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join, resolve } from 'node:path';
import { labDescribe } from '../lab/describe.js';
import type { Lab } from '../lab/netns.js';
import { Program } from '../lab/program.js';

const PYTHON = process.env['GRASPY_PYTHON'] ?? '/usr/bin/python3';

function graspyDir(): string | undefined {
  const dir = process.env['GRASPY_DIR'];
  return dir === undefined || dir === '' ? undefined : resolve(dir);
}

/** Why the prototype cannot be run here; undefined if it can. */
function prototypeAvailable(): string | undefined {
  const dir = graspyDir();
  if (dir === undefined) return 'GRASPY_DIR names no checkout of the Python prototype';
  if (!existsSync(join(dir, 'grasp.py'))) return `GRASPY_DIR=${dir} has no grasp.py`;
  try {
    execFileSync(PYTHON, ['-c', 'import cbor2, netifaces'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return `${PYTHON} lacks the modules cbor2 and netifaces`;
  }
}

/** `describe` for tests against the prototype: skipped with a line where it is absent. */
export function interopDescribe(name: string, body: () => void): void {
  const reason = prototypeAvailable();
  if (reason === undefined) return labDescribe(name, body);
  // Only a GRASPY_DIR that is set and useless is an error: nobody asked for these tests without it.
  if (graspyDir() !== undefined) throw new Error(reason);
  process.stderr.write(`skipped: ${name}: ${reason}\n`);
  describe.skip(name, body);
}

function environment(): NodeJS.ProcessEnv {
  const dir = graspyDir()!;
  return {
    ...process.env,
    GRASPY_DIR: dir,
    PYTHONPATH: dir,
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONUNBUFFERED: '1',
    PYTHONIOENCODING: 'utf-8',
    DISPLAY: '',
  };
}

/** Runs one of the drivers beside this file with its plan. */
export function startDriver(
  lab: Lab,
  node: string,
  driver: 'responder' | 'requester',
  plan: object,
): Program {
  const folder = fileURLToPath(new URL('../../../test/interop/', import.meta.url));
  const argv = [PYTHON, join(folder, `${driver}.py`), JSON.stringify(plan)];
  return new Program(lab.spawn(node, argv, { stdio: ['pipe', 'pipe', 'pipe'], env: environment() }), '@@ ');
}

/** Runs one of the prototype's sample ASAs as it is, with No to every question of its start-up dialogue. */
export function startSample(lab: Lab, node: string, name: 'Briggs' | 'Gray'): Program {
  const file = join(graspyDir()!, 'ASA-examples', `${name}.py`);
  const child = lab.spawn(node, [PYTHON, file], { stdio: ['pipe', 'pipe', 'pipe'], env: environment() });
  const program = new Program(child);
  // Test mode, diagnostics, own multicasts, DULL: no. Password of its message encryption, twice: none.
  program.write('N\nN\nN\nN\n\n\n');
  return program;
}

/** Runs its daemon, a node that only relays; resolves when it is up. */
export async function startDaemon(lab: Lab, node: string): Promise<Program> {
  const driver = fileURLToPath(new URL('../../../test/interop/daemon.py', import.meta.url));
  const stdio = { stdio: ['pipe', 'pipe', 'pipe'] as ['pipe', 'pipe', 'pipe'], env: environment() };
  const program = new Program(lab.spawn(node, [PYTHON, driver], stdio));
  await program.output(/GRASP startup function exiting/);
  return program;
}
