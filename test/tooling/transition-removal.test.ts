/** The script that removes transitions finds each one that no case takes. */
import { describe, expect, test } from '@jest/globals';
import { createActor, setup, type AnyStateMachine } from 'xstate';
import {
  checkTransitions,
  removeTransition,
  transitionsOf,
  type MachineCases,
} from './transition-removal.js';

const door = setup({
  types: {} as { context: { tries: number }; events: { type: 'open' | 'close' | 'lock' | 'kick' | 'reset' } },
  guards: { tired: ({ context }) => context.tries >= 2 },
  actions: { count: ({ context }) => void (context.tries += 0) },
}).createMachine({
  id: 'door',
  context: { tries: 0 },
  initial: 'shut',
  on: { reset: { target: '.shut' } },
  states: {
    shut: {
      initial: 'unlocked',
      states: { unlocked: { on: { lock: 'locked' } }, locked: {} },
      on: { open: 'ajar', kick: [{ guard: 'tired', target: 'broken' }, { actions: 'count' }] },
    },
    ajar: { on: { close: 'shut' }, after: { 50: 'shut' }, always: { guard: 'tired', target: 'broken' } },
    broken: { type: 'final' },
  },
});

function ends(machine: AnyStateMachine, events: readonly string[], value: unknown): void {
  const actor = createActor(machine).start();
  for (const type of events) actor.send({ type });
  const snapshot = actor.getSnapshot() as { value: unknown };
  actor.stop();
  expect(snapshot.value).toEqual(value);
}

const cases: MachineCases['cases'] = [
  { name: 'opens and closes', run: (m) => ends(m, ['open', 'close'], { shut: 'unlocked' }) },
  { name: 'opens', run: (m) => ends(m, ['open'], 'ajar') },
  { name: 'locks', run: (m) => ends(m, ['lock'], { shut: 'locked' }) },
  { name: 'resets', run: (m) => ends(m, ['open', 'reset'], { shut: 'unlocked' }) },
];

test('transitionsOf lists root, nested, guarded, delayed and eventless transitions', () => {
  expect(transitionsOf(door.config).map(({ label }) => label)).toEqual([
    '(root): reset → .shut',
    'shut: open → ajar',
    'shut: kick[0] → broken',
    'shut: kick[1] → (stays)',
    'shut.unlocked: lock → locked',
    'ajar: close → shut',
    'ajar: after 50 → shut',
    'ajar: always → broken',
  ]);
});

test('transitionsOf lists what invocations and final children lead to', () => {
  const config = {
    states: {
      a: { onDone: 'b', invoke: [{ src: 'x', onDone: 'b', onError: [{ target: 'c' }, { target: 'd' }] }] },
    },
  };
  expect(transitionsOf(config).map(({ path }) => path.join('/'))).toEqual([
    'states/a/onDone',
    'states/a/invoke/0/onDone',
    'states/a/invoke/0/onError/0',
    'states/a/invoke/0/onError/1',
  ]);
});

describe('removeTransition', () => {
  test('takes exactly one away and leaves the original whole', () => {
    const places = transitionsOf(door.config);
    const labels = places.map(({ label }) => label.replace(/\[\d\]/, ''));
    places.forEach((place, index) => {
      const rest = transitionsOf(removeTransition(door, place).config).map(({ label }) =>
        label.replace(/\[\d\]/, ''),
      );
      expect(rest).toEqual(labels.filter((_, other) => other !== index));
    });
    expect(transitionsOf(door.config)).toHaveLength(places.length);
  });
});

describe('checkTransitions', () => {
  test('names every transition that no case notices', async () => {
    const result = await checkTransitions({ name: 'door', machine: door, cases });
    expect(result).toEqual({
      name: 'door',
      transitions: 8,
      survivors: [
        'shut: kick[0] → broken',
        'shut: kick[1] → (stays)',
        'ajar: after 50 → shut',
        'ajar: always → broken',
      ],
    });
  });

  test('a case less, a survivor more', async () => {
    const result = await checkTransitions({ name: 'door', machine: door, cases: cases.slice(0, 3) });
    expect(result.survivors).toContain('(root): reset → .shut');
  });

  test('refuses cases that fail on the whole machine, and empty sets', async () => {
    const wrong = { name: 'wrong', run: (m: AnyStateMachine) => ends(m, ['open'], 'broken') };
    await expect(checkTransitions({ name: 'door', machine: door, cases: [wrong] })).rejects.toThrow(
      /whole machine/,
    );
    await expect(checkTransitions({ name: 'door', machine: door, cases: [] })).rejects.toThrow(
      /nothing to check/,
    );
  });
});
