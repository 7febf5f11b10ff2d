import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { startPlainAgent } from '../substrate/harness.js';
import { labDescribe } from './describe.js';
import { createLab } from './netns.js';

const namespaces = (): string => execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });

labDescribe('lab of network namespaces', () => {
  test('more than two nodes share a link, and nobody else hears it', async () => {
    const links = { l1: ['a', 'b', 'c'], l2: ['c', 'd'] };
    const lab = await createLab({ nodes: ['a', 'b', 'c', 'd'], links, ula: true });
    try {
      const agents = await Promise.all(['a', 'b', 'c', 'd'].map((node) => startPlainAgent(lab, node, {})));
      const [a, b, c, d] = agents.map(({ remote }) => remote) as [Remote, Remote, Remote, Remote];
      for (const remote of [b, c]) await remote.call('openReceiver', { interface: 'l1' });
      await d.call('openReceiver', { interface: 'l2' });
      const { id } = await a.call('openPair', { interface: 'l1' });
      await a.call('multicast', { id, hex: '01' });
      for (const remote of [b, c]) {
        expect(await remote.event('datagram')).toMatchObject({
          address: lab.addresses('a', 'l1').linkLocal,
          hex: '01',
        });
      }
      const atC = await c.call('openPair', { interface: 'l2' });
      await c.call('multicast', { id: atC.id, hex: '02' });
      expect((await d.event('datagram')).hex).toBe('02');
      const { ula } = lab.addresses('c', 'l1');
      const { port } = await c.call('listen', {});
      await a.call('connect', { target: { address: ula!, port }, timeoutMs: 5000 });
    } finally {
      await lab.close();
    }
  }, 20_000);

  test('closing ends its own programs and namespaces, and leftovers of the dead are removed', async () => {
    // A process that has certainly ended: its id is in the name of what it left behind.
    const dead = execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }).trim();
    const leftover = `gt-${dead}-1-a`;
    execFileSync('ip', ['netns', 'add', leftover]);
    const lab = await createLab({ nodes: ['a'], links: { l1: ['a'] } });
    const own = lab.namespace('a');
    expect(namespaces()).toContain(own);
    expect(namespaces()).not.toContain(leftover);
    const child = lab.spawn('a', ['sleep', '1000'], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
    const { code, stdout } = await lab.run('a', ['sh', '-c', 'cat; exit 3'], { input: 'through' });
    expect([code, stdout]).toEqual([3, 'through']);
    await lab.close();
    await lab.close();
    expect(await ended).toBe('SIGKILL');
    expect(namespaces()).not.toContain(own);
  });

  test('a name too long for an interface is refused', async () => {
    await expect(createLab({ nodes: ['a'], links: { 'a-name-too-long-': ['a'] } })).rejects.toThrow(
      RangeError,
    );
  });
});

type Remote = Awaited<ReturnType<typeof startPlainAgent>>['remote'];
