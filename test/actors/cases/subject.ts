import type { AnyStateMachine } from 'xstate';
import { check, recording, type Effect, type MachineCase } from './play.js';

export interface Expected {
  readonly state: string;
  readonly effects: readonly Effect[];
  readonly context?: object;
}

/** Writes cases of one machine whose input is a port, and perhaps settings beside it. */
export function casesOf<Port extends object, Event extends { readonly type: string }>(
  settings: object = {},
): (
  name: string,
  path: readonly Event[],
  event: Event,
  expected: Expected,
  facts?: Partial<Port>,
) => MachineCase {
  return (name, path, event, expected, facts = {}) => ({
    name,
    run: (machine: AnyStateMachine) => {
      const { port, effects } = recording<Port>(facts);
      check(machine, { ...settings, port }, effects, path, event, expected);
    },
  });
}
