/**
 * `npm run conformance -- [options]`: installs what the build needs, compiles, and runs the conformance suite;
 * `npm run conformance:broken`: the suite against deliberately broken engines.
 */
import { join } from 'node:path';
import { become, root, setUp } from './lib/setup.mjs';

const [first, ...rest] = process.argv.slice(2);
const broken = first === '--broken';
await setUp('all', []);
become([
  join(root, 'dist/test/conformance', broken ? 'broken/run.js' : 'run.js'),
  ...(broken ? rest : process.argv.slice(2)),
]);
