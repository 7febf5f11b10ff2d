/** `npm run bench -- NAME [options]`: installs what the build needs, compiles, and runs a benchmark. */
import { join } from 'node:path';
import { become, root, setUp } from './lib/setup.mjs';

await setUp('build', ['bench']);
become([join(root, 'dist/bench/index.js'), ...process.argv.slice(2)]);
