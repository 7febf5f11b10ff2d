/** `npm run conformance -- [options]`: installs what the build needs, compiles, and runs the conformance suite. */
import { join } from 'node:path';
import { become, root, setUp } from './lib/setup.mjs';

await setUp('all', []);
become([join(root, 'dist/test/conformance/run.js'), ...process.argv.slice(2)]);
