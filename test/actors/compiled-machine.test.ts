import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  assign,
  createActor,
  setup,
  type AnyActorLogic,
  type AnyStateMachine,
  type EventObject,
} from 'xstate';
import { compileMachine, type CompiledLogic } from '../../src/actors/compiled-machine.js';
import type { NegotiationPort } from '../../src/actors/negotiation-port.js';
import { copyNegotiationContext, negotiationSession } from '../../src/actors/negotiation-session.js';
import { multicastHandlerCases } from './cases/multicast-handler.js';
import type { SynchronizationPort } from '../../src/actors/synchronization-port.js';
import {
  copySynchronizationContext,
  synchronizationSession,
} from '../../src/actors/synchronization-session.js';
import { discoveryRelayCases } from './cases/discovery-relay.js';
import { discoveryResponseCases } from './cases/discovery-response.js';
import { discoverySessionCases } from './cases/discovery-session.js';
import { floodRelayCases } from './cases/flood-relay.js';
import { everyEvent } from './cases/negotiation-session.js';
import { responseConnectionCases } from './cases/response-connection.js';
import { requestListenerCases } from './cases/request-listener.js';
import { everySynchronizationEvent } from './cases/synchronization-session.js';
import { recording, type Effect } from './cases/play.js';

/** What the port tells guards. */
interface Facts {
  readonly secure: boolean;
  readonly sessionsFull: boolean;
  readonly sendBufferFull: boolean;
  readonly clash: 'none' | 'clash' | 'ask';
  readonly hasId: boolean;
  readonly published: boolean;
}

interface Step {
  readonly value: unknown;
  readonly status: string;
  readonly context: unknown;
  readonly effects: readonly Effect[];
}

const copy = (context: object): object => ({ ...context });

/** Runs an actor of the logic through the events, and notes all that can be seen of it. */
function play(logic: AnyActorLogic, facts: Facts, events: readonly EventObject[]): Step[] {
  const { port, effects } = recording<NegotiationPort & SynchronizationPort>({
    secure: facts.secure,
    sessionsFull: facts.sessionsFull,
    sendBufferFull: facts.sendBufferFull,
    maxMessageBytes: 2_048,
    judgeSessionId: () => facts.clash,
    published: facts.published ? { flags: 5, value: Uint8Array.of(7) } : undefined,
  });
  const input = { port, name: 'EX3', sessionId: facts.hasId ? 77 : undefined, drawTimeoutMs: 5_000 };
  // A compiled one as sessions are made: with its input in it.
  const actor =
    'with' in logic
      ? createActor((logic as CompiledLogic<AnyStateMachine>).with(input))
      : createActor(logic, { input });
  actor.subscribe({ error: (error: unknown) => effects.push(['error', String(error)]) });
  const seen: Step[] = [];
  const note = (): void => {
    const snapshot = actor.getSnapshot() as {
      value: unknown;
      status: string;
      context: Record<string, unknown>;
    };
    const { port: _, ...context } = snapshot.context;
    seen.push({ value: snapshot.value, status: snapshot.status, context, effects: effects.splice(0) });
  };
  actor.start();
  note();
  for (const event of events) {
    actor.send(event);
    note();
  }
  actor.stop();
  return seen;
}

const facts: fc.Arbitrary<Facts> = fc.record({
  secure: fc.boolean().map((insecure) => !insecure),
  sessionsFull: fc.constantFrom(false, false, false, true),
  sendBufferFull: fc.constantFrom(false, false, true),
  clash: fc.constantFrom<Facts['clash']>('none', 'none', 'clash', 'ask'),
  hasId: fc.constantFrom(true, true, false),
  published: fc.constantFrom(true, true, false),
});
const usual: Facts = {
  secure: true,
  sessionsFull: false,
  sendBufferFull: false,
  clash: 'none',
  hasId: true,
  published: true,
};

/** With the copies of contexts that the engine makes. */
const compiledMachines: [
  name: string,
  machine: AnyStateMachine,
  everyEvent: readonly EventObject[],
  copy: (context: never) => object,
][] = [
  ['negotiationSession', negotiationSession, everyEvent, copyNegotiationContext],
  ['synchronizationSession', synchronizationSession, everySynchronizationEvent, copySynchronizationContext],
];

describe.each(compiledMachines)('the compiled form of %s', (_name, machine, everyEvent, copyOf) => {
  const copy = copyOf as (context: object) => object;

  test('does what the interpreted one does, after every event in every state', () => {
    const compiled = compileMachine(machine, copy);
    const reached = new Set<unknown>();
    const worlds = [
      usual,
      { ...usual, clash: 'ask' },
      { ...usual, clash: 'clash' },
      { ...usual, hasId: false },
      { ...usual, published: false },
    ] as const;
    for (const said of worlds) {
      const paths: EventObject[][] = [[]];
      const seen = new Set<unknown>();
      // Every state is reached by its shortest path, and gets every event there.
      for (let path = paths.shift(); path; path = paths.shift()) {
        for (const event of everyEvent) {
          const events = [...path, event];
          const interpreted = play(machine, said, events);
          expect(play(compiled, said, events)).toEqual(interpreted);
          const { value, status } = interpreted.at(-1)!;
          reached.add(value);
          if (seen.has(value) || status !== 'active') continue;
          seen.add(value);
          paths.push(events);
        }
      }
    }
    expect([...reached].sort()).toEqual(Object.keys(machine.config.states ?? {}).sort());
  });

  test('does what the interpreted one does, whatever the port says and whatever comes', () => {
    const compiled = compileMachine(machine, copy);
    const reached = new Set<unknown>();
    fc.assert(
      fc.property(facts, fc.array(fc.constantFrom(...everyEvent), { maxLength: 12 }), (said, events) => {
        const interpreted = play(machine, said, events);
        expect(play(compiled, said, events)).toEqual(interpreted);
        for (const { value } of interpreted) reached.add(value);
      }),
      { numRuns: 3_000 },
    );
    expect(reached.size).toBeGreaterThan(3);
  });
});

describe('the compiled form of a machine', () => {
  // Every transition of them has a case (`npm run check:transitions`).
  describe.each([
    multicastHandlerCases,
    floodRelayCases,
    requestListenerCases,
    discoverySessionCases,
    discoveryRelayCases,
    discoveryResponseCases,
    responseConnectionCases,
  ])('$name', ({ machine, cases }) => {
    test.each(cases)('$name', (each) => {
      each.run(compileMachine(machine, copy) as unknown as AnyStateMachine);
    });
  });

  const entering = (fails: boolean, did: string[]): AnyStateMachine =>
    setup({
      actions: {
        enter: () => {
          did.push('entered');
          if (fails) throw new Error('no entry');
        },
      },
    }).createMachine({
      id: 'm',
      initial: 'a',
      states: { a: { entry: 'enter', on: { x: 'b' } }, b: { type: 'final' } },
    });

  test.each([false, true])('enters its initial state when it starts, once (throwing: %s)', (fails) => {
    const seen = (form: (machine: AnyStateMachine) => AnyActorLogic): string[] => {
      const did: string[] = [];
      const actor = createActor(form(entering(fails, did)));
      actor.subscribe({ error: (error) => did.push(String(error)), complete: () => did.push('complete') });
      did.push('made');
      actor.start();
      did.push((actor.getSnapshot() as { status: string }).status);
      actor.send({ type: 'x' });
      did.push((actor.getSnapshot() as { status: string }).status);
      return did;
    };
    const interpreted = seen((machine) => machine);
    expect(seen((machine) => compileMachine(machine, copy))).toEqual(interpreted);
    expect(interpreted.slice(0, 2)).toEqual(['made', 'entered']);
  });

  test.each<[string, () => AnyStateMachine]>([
    [
      'a nested state',
      () =>
        setup({}).createMachine({
          id: 'm',
          initial: 'a',
          states: { a: { initial: 'b', states: { b: {} } } },
        }),
    ],
    [
      'an initial state that changes the context',
      () =>
        setup({ actions: { change: assign({ n: 1 }) } }).createMachine({
          id: 'm',
          context: { n: 0 },
          initial: 'a',
          states: { a: { entry: 'change' } },
        }),
    ],
    [
      'a delayed transition',
      () => setup({}).createMachine({ id: 'm', initial: 'a', states: { a: { after: { 10: 'b' } }, b: {} } }),
    ],
    [
      'an eventless transition',
      () => setup({}).createMachine({ id: 'm', initial: 'a', states: { a: { always: 'b' }, b: {} } }),
    ],
    [
      'a wildcard in the middle',
      () =>
        setup({}).createMachine({ id: 'm', initial: 'a', states: { a: { on: { 'x.*.y': 'b' } }, b: {} } }),
    ],
    [
      'an unknown action',
      () =>
        setup({}).createMachine({
          id: 'm',
          initial: 'a',
          states: { a: { on: { x: { actions: 'nowhere' as never } } } },
        }),
    ],
  ])('refuses %s instead of interpreting it differently', (_what, make) => {
    expect(() => compileMachine(make(), copy)).toThrow(/machine m cannot be compiled/);
  });
});
