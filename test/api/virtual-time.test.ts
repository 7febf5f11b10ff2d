/** Virtual time in a process that has loaded nothing yet: loading code takes real time, and must take no virtual one. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { root } from '../tooling/root.js';

test('the example of the README starts an engine, at no cost of virtual time', async () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const [, example] = /```ts\n(const clock = new SimulatedClock\(\);\n[^`]*)```/.exec(readme)!;
  const index = pathToFileURL(join(root, 'dist/src/index.js')).href;
  const program = `
    import { Grasp, SimulatedClock, SimulatedNetwork } from ${JSON.stringify(index)};
    ${example}
    const { placement } = await clock.until(grasp.status());
    await clock.until(grasp.close());
    console.log(placement, clock.now());`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  expect(stdout).toBe('inline 0\n');
});
