/** Live captures: what goes wrong with the programs that capture. That they work, nodes.test.ts shows. */
import { expect, test } from '@jest/globals';
import { Exit } from '../../src/cli/exit.js';
import { grasp } from '../cli/world.js';
import { toolDescribe } from './tools.js';

toolDescribe('tcpdump', 'grasp decode --live', () => {
  test('an interface that does not exist: exit 3 with what tcpdump says', async () => {
    const run = await grasp(['decode', '--live', '-i', 'nosuchif', '--json']);
    expect(run).toMatchObject({ exit: Exit.engine, stdout: '' });
    expect(run.stderr).toMatch(/^grasp: tcpdump: .*(nosuchif|permission)/im);
  });

  test('one of two that fails ends the other', async () => {
    const run = await grasp(['decode', '--live', '-i', 'lo', '-i', 'nosuchif', '--json']);
    expect(run.exit).toBe(Exit.engine);
  });
});
