/** `npm start`: from a fresh clone to the demo, whose arguments follow `--` (`npm start -- --grays 10`). */
import { join } from 'node:path';
import { become, root, setUp } from './lib/setup.mjs';

await setUp('build', ['src']);
become([join(root, 'dist/src/cli/main.js'), 'demo', ...process.argv.slice(2)]);
