/** One host's watcher with actors of a machine made for it: what is chosen, what is converted, what is forgotten. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { setup, type AnyActor } from 'xstate';
import { startActor } from '../../../src/actors/machine-host.js';
import { HostWatch } from '../../../src/actors/watch/host-watch.js';
import type { FromWatch, InspectionSpec, ToWatch } from '../../../src/actors/watch/protocol.js';
import type { InspectionItem } from '../../../src/actors/inspection-items.js';
import {
  Counters,
  DataPort,
  inlinePair,
  SimulatedClock,
  type Described,
  type Subject,
} from '../../../src/runtime/index.js';

interface Context {
  readonly port: Described;
  readonly secret: { readonly value: number };
}

const machine = setup({
  types: {
    context: {} as Context,
    events: {} as { type: 'go' } | { type: 'fail' } | { type: 'tick' } | { type: 'end' },
    input: {} as Context,
  },
  actions: {
    throws: () => {
      throw new Error('a fault');
    },
  },
}).createMachine({
  id: 'tested',
  context: ({ input }) => input,
  initial: 'a',
  states: {
    a: { on: { go: 'b', end: 'over', fail: { actions: 'throws' }, tick: {} } },
    b: { on: { go: 'a', end: 'over', tick: 'a' } },
    over: { type: 'final' },
  },
});

let clock: SimulatedClock;
let counters: Counters;
let watch: HostWatch;
let alive: AnyActor[];
/** How often what an actor holds was looked at. */
let reads: number;

beforeEach(() => {
  clock = new SimulatedClock();
  counters = new Counters();
  alive = [];
  reads = 0;
  watch = new HostWatch({ thread: 'core', clock, counters, actors: () => alive });
});

afterEach(() => watch.close());

function start(subject: () => Subject = () => ({ objective: 'EX3' })) {
  const secret = {
    get value() {
      return ++reads;
    },
  };
  const port = {
    get subject() {
      return subject();
    },
  };
  const actor = startActor(machine, { input: { port, secret } }, { counters, onError: () => undefined });
  alive.push(actor);
  return actor;
}

/** A reader that asks for so many items at once. */
function attach(spec: Partial<InspectionSpec> = {}, { ask = 1_000 } = {}) {
  const [here, there] = inlinePair(clock);
  const items: InspectionItem[] = [];
  const counts = { seen: 0, chosen: 0, unsampled: 0, rate: 0, slow: 0 };
  const port: DataPort<ToWatch, FromWatch> = new DataPort(here, clock, {
    onEvents: (reports) => {
      for (const { items: more, ...report } of reports) {
        items.push(...(more as InspectionItem[]));
        for (const name of Object.keys(counts) as (keyof typeof counts)[]) counts[name] += report[name];
      }
    },
  });
  if (ask > 0) port.send({ more: ask });
  watch.attach(
    1,
    { kind: 'inspection', share: 1, maxPerSecond: Infinity, hold: 100, ...spec },
    'core',
    there,
  );
  return { items, counts, port, more: (n: number) => port.send({ more: n }) };
}

const short = (items: readonly InspectionItem[]): string[] =>
  items.map((item) => {
    switch (item.type) {
      case '@xstate.actor':
        return `actor ${item.snapshot.value as string}`;
      case '@xstate.event':
        return `event ${item.event.type}`;
      case '@xstate.snapshot':
        return `snapshot ${item.snapshot.value as string} ${item.snapshot.status}`;
      default:
        return item.type;
    }
  });

test('what was not chosen is not looked at; what was chosen is', async () => {
  const { counts, items } = attach({ share: 0 });
  for (let i = 0; i < 10; i++) {
    const actor = start();
    actor.send({ type: 'go' });
    actor.send({ type: 'end' });
  }
  await clock.advance(200);
  expect({ reads, items }).toEqual({ reads: 0, items: [] });
  expect(counts).toEqual({ seen: 10, chosen: 0, unsampled: 10, rate: 0, slow: 0 });

  const all = attach();
  start().send({ type: 'go' });
  await clock.advance(200);
  expect(short(all.items).slice(-3)).toEqual(['actor a', 'event go', 'snapshot b active']);
  expect(reads).toBeGreaterThan(0);
});

test('while nobody watches the owners have nobody to tell; with the last viewer that is so again', async () => {
  expect(counters.watcher).toBeUndefined();
  const { port } = attach();
  expect(counters.watcher).toBe(watch);
  // The reader is gone without a word.
  port.close();
  await clock.settle();
  expect(counters.watcher).toBeUndefined();
  const before = reads;
  start().send({ type: 'go' });
  expect(reads).toBe(before);
});

test('an actor that throws is told to be over with an error, and forgotten', async () => {
  const { items } = attach();
  const actor = start();
  actor.send({ type: 'fail' });
  await clock.settle();
  expect(short(items)).toEqual(['actor a', 'event fail', 'snapshot a error']);
  expect(counters.get('actor.error.tested')).toBe(1);
});

test('an actor that is stopped is told so', async () => {
  const { items } = attach();
  start().stop();
  await clock.settle();
  expect(short(items).at(-1)).toBe('snapshot a stopped');
});

test('what decides may become known later: it is introduced then, or never', async () => {
  const { items } = attach({ session: 7 });
  let known: Subject = {};
  const wanted = start(() => known);
  let other: Subject = {};
  const unwanted = start(() => other);
  wanted.send({ type: 'go' });
  unwanted.send({ type: 'go' });
  await clock.settle();
  expect(items).toEqual([]);
  known = { session: 7 };
  other = { session: 8 };
  wanted.send({ type: 'go' });
  unwanted.send({ type: 'go' });
  await clock.settle();
  expect(short(items)).toEqual(['actor b', 'event go', 'snapshot a active']);
  // It was sent away for good, whatever it says later.
  other = { session: 7 };
  unwanted.send({ type: 'go' });
  await clock.settle();
  expect(items).toHaveLength(3);
});

test('a tick is shown only where it changes the state', async () => {
  const { items } = attach();
  const actor = start();
  actor.send({ type: 'tick' });
  actor.send({ type: 'go' });
  actor.send({ type: 'tick' });
  await clock.settle();
  expect(short(items)).toEqual(['actor a', 'event go', 'snapshot b active', 'snapshot a active']);
});

test('without a reader nothing is converted beyond what may wait; then the newest states are told', async () => {
  const { items, counts, more } = attach({ hold: 20 }, { ask: 0 });
  const actors = Array.from({ length: 3 }, () => start());
  for (let i = 0; i < 100; i++) for (const actor of actors) actor.send({ type: 'go' });
  await clock.advance(200);
  expect(items).toEqual([]);
  const read = reads;
  // Twenty items wait; each but an event holds what the actor holds.
  expect(read).toBeLessThanOrEqual(20);
  expect(counts.slow).toBeGreaterThan(500);
  actors[0]!.send({ type: 'end' });
  more(100);
  await clock.advance(200);
  const last = actors.map(({ sessionId }) =>
    items
      .filter((item) => item.type === '@xstate.snapshot' && item.sessionId === `core/${sessionId}`)
      .at(-1)!,
  );
  expect(short(last)).toEqual(['snapshot over done', 'snapshot a active', 'snapshot a active']);
  expect(items.length).toBeLessThanOrEqual(20 + 3);
});

test('events of this host, counted once per turn', async () => {
  const [here, there] = inlinePair(clock);
  const events: unknown[] = [];
  const port: DataPort<ToWatch, FromWatch> = new DataPort(here, clock, {
    onEvents: (reports) => events.push(...reports.flatMap(({ items }) => items)),
  });
  port.send({ more: 100 });
  const sizes = { discovery: 0, flood: 0 };
  watch = new HostWatch({ thread: 'core', clock, counters, actors: () => [], caches: () => ({ ...sizes }) });
  watch.attach(1, { kind: 'diagnostics', events: ['count', 'caches'], hold: 100 }, 'core', there);
  for (let i = 0; i < 1_000; i++) counters.add('multicast.own-copy');
  counters.add('flood.relay.rate', 5);
  sizes.flood = 3;
  await clock.settle();
  const at = 0;
  expect(events).toEqual([
    { name: 'count', thread: 'core', at, counter: 'multicast.own-copy', n: 1_000 },
    { name: 'count', thread: 'core', at, counter: 'flood.relay.rate', n: 5 },
    { name: 'caches', thread: 'core', at, discovery: 0, flood: 3 },
  ]);
});
