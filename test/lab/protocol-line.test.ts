/**
 * A line of six nodes, the inner four of them nothing but `grasp daemon`: what is done at one end reaches the other
 * at the first attempt, and fast.
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

/** What the issue demands, ms. */
const DISCOVERY_MS = 100;
const FLOOD_MS = 20;

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

  test('discover at one end finds publish at the other at the first attempt, within 100 ms; synchronize gets the value', async () => {
    // Another objective each time, as nobody knows of it yet. Each has to be found; how fast is told of the best
    // of a few, for the machine may be busy with other things.
    const took: number[] = [];
    for (let i = 0; i < 5 && !(Math.min(...took) < DISCOVERY_MS); i++) {
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
    expect(Math.min(...took)).toBeLessThan(DISCOVERY_MS);
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

  test('a flood at one end is in the cache of every node within 20 ms', async () => {
    // Each listens on the far side of its node only: what it hears there its node has relayed, or (the last) it is
    // the end of the line. So none of them relays itself.
    const watches = NODES.slice(1).map((node) =>
      startGrasp(lab, node, 'get-flood', 'EX2', '--watch', ...on(node, interfacesOf(node).slice(-1))),
    );
    for (const watch of watches) await watch.event('ready');
    const flood = startGrasp(lab, 'n1', 'flood', 'EX2', '7', '--every', '0.3', ...on('n1'));
    // How long from the call in one process until the last of five others has it, of the best of ten floods.
    let best: number[] = [];
    for (let i = 1; i <= 10 && !(best.length > 0 && Math.max(...best) < FLOOD_MS); i++) {
      const values = await Promise.all(watches.map((watch) => watch.event('value', i)));
      const sent = await flood.event('sent', i);
      expect(values.map((value) => value['value'])).toEqual([7, 7, 7, 7, 7]);
      const took = values.map((value) => Number(value['at']) - Number(sent['at']));
      report(`flood ${i} is cached after ${took.map((ms) => ms.toFixed(2)).join(', ')} ms`);
      if (best.length === 0 || Math.max(...took) < Math.max(...best)) best = took;
    }
    expect(best).toHaveLength(5);
    expect(Math.max(...best)).toBeLessThan(FLOOD_MS);
    await end(flood, ...watches);
  });
});
