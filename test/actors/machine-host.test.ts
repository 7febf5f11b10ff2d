import { expect, test } from '@jest/globals';
import { createMachine, setup } from 'xstate';
import { census, leaves, startActor } from '../../src/actors/machine-host.js';
import { Counters } from '../../src/runtime/index.js';

const fault = new Error('a fault');
const faulty = setup({
  actions: {
    fail: () => {
      throw fault;
    },
  },
}).createMachine({ id: 'faulty', initial: 'idle', states: { idle: { on: { go: { actions: 'fail' } } } } });

test('an error in an action is counted and handed on; it is not thrown into the thread', () => {
  const counters = new Counters();
  const errors: unknown[] = [];
  const actor = startActor(
    faulty,
    { input: undefined },
    { counters, onError: (error) => errors.push(error) },
  );
  actor.send({ type: 'go' });
  expect(errors).toEqual([fault]);
  expect(counters.snapshot()).toEqual({ 'actor.error.faulty': 1 });
  expect(actor.getSnapshot().status).toBe('error');
});

const nested = createMachine({
  id: 'nested',
  initial: 'off',
  states: {
    off: { on: { go: 'on' } },
    on: { initial: 'slow', states: { slow: {}, fast: {} } },
  },
});
const world = { counters: new Counters(), onError: () => undefined };

test('a census counts actors by machine and state, states of states by their path', () => {
  const actors = [1, 2, 3].map(() => startActor(nested, { input: undefined }, world));
  actors[0]!.send({ type: 'go' });
  expect(census(actors)).toEqual([
    { machine: 'nested', state: 'on.slow', count: 1 },
    { machine: 'nested', state: 'off', count: 2 },
  ]);
  expect(census([])).toEqual([]);
});

test('leaves resolves when the actor is in another state, at once if it is', async () => {
  const actor = startActor(nested, { input: undefined }, world);
  await leaves(actor, 'on');
  let left = false;
  const leaving = leaves(actor, 'off').then(() => (left = true));
  actor.send({ type: 'nothing' });
  await Promise.resolve();
  expect(left).toBe(false);
  actor.send({ type: 'go' });
  await leaving;
});
