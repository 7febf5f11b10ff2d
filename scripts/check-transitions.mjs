/**
 * `npm run check:transitions`: removes every transition of every machine in turn and expects a case of
 * test/actors/transition-cases.ts to fail. Exit 1 with the list of survivors, or of machines without cases.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { StateMachine } from 'xstate';
import { root } from './lib/setup.mjs';

const load = (path) => import(pathToFileURL(join(root, path)).href);
const argument = process.argv[2] ?? 'dist/test/actors/transition-cases.js';
const actors = process.argv[3] ?? 'dist/src/actors';
if (!existsSync(join(root, argument))) {
  console.error(`${argument} is missing: run npm run build first`);
  process.exit(2);
}

const { checkTransitions } = await load('dist/test/tooling/transition-removal.js');
const { machines } = await load(argument);

/** Machines that the actors export; one that is not registered would never be checked. */
async function exported() {
  const folder = join(root, actors);
  if (!existsSync(folder)) return [];
  const found = new Map();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.js')) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    for (const [name, value] of Object.entries(await import(pathToFileURL(path).href))) {
      if (value instanceof StateMachine && !found.has(value))
        found.set(value, `${name} of ${relative(root, path)}`);
    }
  }
  return [...found];
}

let bad = 0;
if (machines.length === 0) {
  console.error(`${argument} registers no machine`);
  bad += 1;
}
for (const [machine, where] of await exported()) {
  if (machines.some((entry) => entry.machine.config === machine.config)) continue;
  console.error(`no cases: ${where}`);
  bad += 1;
}
let total = 0;
for (const subject of machines) {
  try {
    const result = await checkTransitions(subject);
    total += result.transitions;
    for (const label of result.survivors) console.error(`survived: ${result.name}: ${label}`);
    bad += result.survivors.length;
    console.log(
      `${result.name}: ${result.transitions - result.survivors.length} of ${result.transitions} noticed`,
    );
  } catch (error) {
    console.error(error.message);
    bad += 1;
  }
}
console.log(`${total} transitions of ${machines.length} machines, ${bad} problems`);
process.exit(bad === 0 ? 0 : 1);
