/** `npm test`: from a fresh clone to the tests; arguments after `--` go to jest. */
import { join } from 'node:path';
import { become, root, setUp } from './lib/setup.mjs';

await setUp('all', []);
become([
  '--experimental-vm-modules', // jest's own requirement for ESM
  '--disable-warning=ExperimentalWarning',
  join(root, 'node_modules/jest/bin/jest.js'),
  '--config',
  join(root, 'jest.config.js'),
  ...process.argv.slice(2),
]);
