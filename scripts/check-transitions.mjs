/**
 * `npm run check:transitions`: removes every transition of every machine in turn and expects a case of
 * test/actors/transition-cases.ts to fail. Exit 1 with the list of survivors, or of machines without cases.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { exportedMachines } from './lib/machines.mjs';
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

let bad = 0;
if (machines.length === 0) {
  console.error(`${argument} registers no machine`);
  bad += 1;
}
// One that is not registered would never be checked.
for (const { machine, where } of await exportedMachines(actors)) {
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
