/**
 * `npm run coverage`: how much of src/protocol the tests of the protocol and its vectors reach; below 95 % of
 * lines or branches it fails. Other folders run in worker threads, where jest collects nothing.
 */
import { join } from 'node:path';
import { become, root, setUp } from './lib/setup.mjs';

await setUp('all', []);
become([
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  join(root, 'node_modules/jest/bin/jest.js'),
  '--config',
  join(root, 'jest.config.js'),
  '--coverage',
  '--collectCoverageFrom=dist/src/protocol/**/*.js',
  '--coverageReporters=text',
  '--coverageThreshold={"global":{"lines":95,"branches":95}}',
  'dist/test/(protocol|vectors)/',
  ...process.argv.slice(2),
]);
