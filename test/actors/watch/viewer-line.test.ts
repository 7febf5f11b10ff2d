/** The way of items out of a thread: how often it reports, and that nothing of what it was given is missing. */
import { beforeEach, expect, test } from '@jest/globals';
import type { FromWatch, ToWatch } from '../../../src/actors/watch/protocol.js';
import { ViewerLine } from '../../../src/actors/watch/viewer-line.js';
import type { InspectionItem } from '../../../src/actors/inspection-items.js';
import { DataPort, inlinePair, SimulatedClock } from '../../../src/runtime/index.js';

let clock: SimulatedClock;
let reports: FromWatch[];
let line: ViewerLine;
let last: number;

beforeEach(() => {
  clock = new SimulatedClock();
  reports = [];
  last = 0;
  const [here, there] = inlinePair(clock);
  line = new ViewerLine({ endpoint: there, clock, hold: 20_000, onGone: () => undefined });
  const port: DataPort<ToWatch, FromWatch> = new DataPort(here, clock, {
    onEvents: (events) => reports.push(...events),
  });
  port.send({ more: 20_000 });
});

const add = (): void => line.add({ seq: ++last } as InspectionItem);
const arrived = (): number[] =>
  reports.flatMap(({ items }) => items.map((item) => (item as InspectionItem).seq));
const all = (): number[] => Array.from({ length: last }, (_, i) => i + 1);

test('what little happens leaves with its turn', async () => {
  for (let i = 0; i < 30; i++) {
    add();
    add();
    await clock.settle();
    expect(arrived()).toEqual(all());
  }
  expect(reports).toHaveLength(30);
});

test('where much happens it is gathered, ten reports a second; after a pause it is as before', async () => {
  for (let i = 0; i < 10_000; i++) {
    add();
    await clock.advance(1);
  }
  await clock.advance(100);
  expect(arrived()).toEqual(all());
  expect(reports.length).toBeGreaterThanOrEqual(100);
  expect(reports.length).toBeLessThanOrEqual(50 + 10 * 10 + 1);
  await clock.advance(5_000);
  add();
  await clock.settle();
  expect(arrived()).toEqual(all());
});

test('what has gathered leaves when it ends', async () => {
  for (let i = 0; i < 200; i++) {
    add();
    await clock.settle();
  }
  expect(arrived().length).toBeLessThan(200);
  line.close();
  await clock.settle();
  expect(arrived()).toEqual(all());
});
