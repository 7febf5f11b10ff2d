/**
 * A line of six nodes, the inner four of them nothing but `grasp daemon`: what is done at one end reaches the other
 * at the first attempt. How long it takes is printed, and measured by `npm run bench -- discovery --relays 4` and
 * `flood --line 6`: a machine that is busy with other things must not fail a test.
 */
import { loadavg } from 'node:os';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { labDescribe } from './describe.js';
import { createLab, type Lab } from './netns.js';
import { only, runGrasp, startGrasp, type Program } from './program.js';
import { addRoutes } from './routes.js';

jest.setTimeout(120_000);

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'];
const INNER = NODES.slice(1, -1);
const PLAN = {
  nodes: NODES,
  links: { l12: ['n1', 'n2'], l23: ['n2', 'n3'], l34: ['n3', 'n4'], l45: ['n4', 'n5'], l56: ['n5', 'n6'] },
  ula: true,
};

/** Other names, other floods: none of them is like the first. */
const DISCOVERIES = 3;
const FLOODS = 5;

const interfacesOf = (node: string): string[] =>
  Object.entries(PLAN.links)
    .filter(([, members]) => members.includes(node))
    .map(([link]) => link);

/** On all of the node's links, unless some are named. */
const on = (node: string, links = interfacesOf(node)): string[] => [
  ...links.flatMap((link) => ['-i', link]),
  '--insecure',
  '--json',
];

const report = (text: string): void => void process.stderr.write(`${text}\n`);

async function end(...programs: readonly Program[]): Promise<void> {
  for (const program of programs) program.kill('SIGTERM');
  for (const program of programs) expect(await program.ended).toEqual({ code: 0, signal: null });
}

labDescribe('a line of six nodes, daemons on the inner four', () => {
  let lab: Lab;
  let daemons: Program[];

  beforeAll(async () => {
    lab = await createLab(PLAN);
    await addRoutes(lab, PLAN);
    daemons = INNER.map((node) => startGrasp(lab, node, 'daemon', ...on(node)));
    for (const daemon of daemons) await daemon.event('ready');
  });
  afterAll(async () => {
    await lab.close();
  });

  test('discover at one end finds publish at the other at the first attempt; synchronize gets the value', async () => {
    // Another objective each time, as nobody knows of it yet.
    const took: number[] = [];
    for (let i = 0; i < DISCOVERIES; i++) {
      const name = `EX1-${i}`;
      const publish = startGrasp(lab, 'n6', 'publish', name, '{"rate":[1,2.5]}', ...on('n6'));
      const ready = await publish.event('ready');
      // One attempt: the initiator repeats only when the time of the first is over, and here that ends the command.
      const found = await runGrasp(lab, 'n1', 'discover', name, ...on('n1'));
      expect(found).toMatchObject({ code: 0, stderr: '' });
      const locator = only(found, 'locator');
      expect(locator).toMatchObject({
        address: lab.addresses('n6', 'l56').ula,
        port: ready['port'],
        diverted: true,
        interface: 'l12',
      });
      took.push(Number(locator['afterMs']));

      const got = await runGrasp(lab, 'n1', 'synchronize', name, ...on('n1'));
      expect(got).toMatchObject({ code: 0, stderr: '' });
      expect(only(got, 'value')).toMatchObject({ name, value: { rate: [1, 2.5] } });
      await end(publish);
    }
    report(`discovery through 4 relays: ${took.join(', ')} ms; load ${loadavg()[0]!.toFixed(1)}`);
  });

  test('negotiate succeeds from end to end', async () => {
    const offer = startGrasp(lab, 'n6', 'offer', 'EX3', '["NZD",400]', ...on('n6'));
    await offer.event('ready');
    const asked = await runGrasp(lab, 'n1', 'negotiate', 'EX3', '["NZD",900]', '--min', '350', ...on('n1'));
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    expect(only(asked, 'end')).toMatchObject({ outcome: 'accepted', code: 0 });
    expect((await offer.event('end'))['value']).toEqual(only(asked, 'end')['value']);
    await end(offer);
  });

  test('a flood at one end is in the cache of every node', async () => {
    // Each listens on the far side of its node only: what it hears there its node has relayed, or (the last) it is
    // the end of the line. So none of them relays itself.
    const watches = NODES.slice(1).map((node) =>
      startGrasp(lab, node, 'get-flood', 'EX2', '--watch', ...on(node, interfacesOf(node).slice(-1))),
    );
    for (const watch of watches) await watch.event('ready');
    const flood = startGrasp(lab, 'n1', 'flood', 'EX2', '7', '--every', '0.3', ...on('n1'));
    for (let i = 1; i <= FLOODS; i++) {
      const values = await Promise.all(watches.map((watch) => watch.event('value', i)));
      const sent = await flood.event('sent', i);
      expect(values.map((value) => value['value'])).toEqual([7, 7, 7, 7, 7]);
      // From the call in one process until each of the five others has it.
      const took = values.map((value) => Number(value['at']) - Number(sent['at']));
      report(`flood ${i} is cached after ${took.map((ms) => ms.toFixed(2)).join(', ')} ms`);
    }
    await end(flood, ...watches);
  });
});
