/** Virtual time in a process that has loaded nothing yet: loading code takes real time, and must take no virtual one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { printed, root } from '../tooling/root.js';

test('the example of the README starts an engine, at no cost of virtual time', async () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const [, example] = /```ts\n(const clock = new SimulatedClock\(\);\n[^`]*)```/.exec(readme)!;
  const program = `
    import { Grasp, SimulatedClock, SimulatedNetwork } from 'anima-grasp';
    ${example}
    const { placement } = await clock.until(grasp.status());
    await clock.until(grasp.close());
    console.log(placement, clock.now());`;
  expect(await printed(program, '--expose-gc')).toBe('inline 0\n');
});

test('an engine that is closed leaves no memory', async () => {
  const program = `
    import { Grasp, SimulatedClock, SimulatedNetwork } from 'anima-grasp';
    async function round() {
      const clock = new SimulatedClock();
      const network = new SimulatedNetwork({ clock });
      for (let i = 0; i < 10; i++) {
        const node = network.addNode('n' + i, { links: ['link'] });
        const substrate = { kind: 'simulated', node };
        const grasp = await clock.until(Grasp.start({ placement: 'inline', clock, substrate }));
        await clock.until(grasp.close());
      }
    }
    async function bytes() {
      // A turn in between: what a finalizer lets go of is collected the second time.
      gc();
      await new Promise((resolve) => setImmediate(resolve));
      gc();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    }
    await round(); // the first loads the code
    const before = await bytes();
    await round();
    console.log((await bytes()) - before);`;
  // Each takes 2.6 MB while it runs.
  expect(Number(await printed(program, '--expose-gc'))).toBeLessThan(2_000_000);
});
