/** `npm run charts`: lays out the statechart of every machine anew, for the inspector's page. Expects a build. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chartsOf, chartsText } from './lib/charts.mjs';
import { exportedMachines } from './lib/machines.mjs';
import { root } from './lib/setup.mjs';

const target = 'src/inspector/page/charts.json';
const charts = await chartsOf((await exportedMachines('dist/src/actors')).map(({ machine }) => machine));
writeFileSync(join(root, target), chartsText(charts));
console.log(`${target}: ${charts.map(({ machine }) => machine).join(', ')}`);
