/** `npm run charts`: lays out the statechart of every machine anew, for the inspector's page. Expects a build. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chartsOf, chartsText, definitionsText } from './lib/charts.mjs';
import { exportedMachines } from './lib/machines.mjs';
import { root } from './lib/setup.mjs';

const machines = (await exportedMachines('dist/src/actors')).map(({ machine }) => machine);
const write = (name, text) => writeFileSync(join(root, 'src/inspector/page', name), text);
write('charts.json', chartsText(await chartsOf(machines)));
write('definitions.json', definitionsText(machines));
console.log(`charts of ${machines.map(({ id }) => id).join(', ')}`);
