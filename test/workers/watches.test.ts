/** Threads that die while somebody watches. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { EngineInspection } from '../../src/api/inspection.js';
import { SimulatedNetwork, type InspectionItem } from '../../src/index.js';
import { read } from '../api/read.js';
import { startFaultyEngine } from './faulty.js';

let network: SimulatedNetwork;
let closing: (() => Promise<void> | void)[];

beforeEach(() => {
  network = new SimulatedNetwork({ seed: 1 });
  closing = [() => network.close()];
});

afterEach(async () => {
  for (const close of closing.reverse()) await close();
});

test('a worker that is replaced is inspected again, its actors under new ids', async () => {
  const node = network.addNode('faulty', { links: ['link'] });
  const faulty = await startFaultyEngine({ substrate: { kind: 'simulated', node }, sessionWorkers: 1 });
  closing.push(() => faulty.close());
  const inspection = new EngineInspection(faulty.supervisor, {
    machines: ['binding', 'workerSupervision'],
  });
  const bindings = (items: readonly InspectionItem[]): string[] =>
    items.flatMap((item) =>
      item.type === '@xstate.actor' && item.thread === 'listener' ? [item.sessionId] : [],
    );
  let failed = false;
  const items = await read(inspection, (all) => {
    // Not before the first one has told: what a thread has not sent is lost with it.
    if (bindings(all).length === 1 && !failed) {
      failed = true;
      faulty.fail({ host: 'listener', fault: 'exit' });
    }
    return bindings(all).length === 2;
  });
  const [first, second] = bindings(items);
  expect(first).toMatch(/^listener\/x:\d+$/);
  expect(second).toMatch(/^listener\+1\/x:\d+$/);
  const supervision = items.flatMap((item) =>
    item.type === '@xstate.snapshot' && item.about.worker === 'listener' ? [item.snapshot.value] : [],
  );
  expect(supervision).toContain('starting');
});

test('a worker that is lost and replaced is told', async () => {
  const events: { name: string; change?: string; thread?: string; restarts?: number }[] = [];
  const node = network.addNode('faulty', { links: ['link'] });
  const faulty = await startFaultyEngine({
    substrate: { kind: 'simulated', node },
    sessionWorkers: 1,
    onEvent: (event) => events.push(event),
  });
  closing.push(() => faulty.close());
  faulty.fail({ host: 'core', fault: 'throw' });
  await faulty.restarted('core');
  const core = events.filter(({ thread }) => thread === 'core');
  expect(core.map(({ change, restarts }) => [change, restarts])).toEqual([
    ['started', 0],
    ['lost', 0],
    ['restarted', 1],
  ]);
});
