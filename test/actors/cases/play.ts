/**
 * Cases of a machine without an actor: a path of events is played with xstate's pure `transition()`, the actions it
 * returns are executed on a recording port, and the last event's target state and effects are compared exactly.
 */
import { deepStrictEqual } from 'node:assert/strict';
import { initialTransition, transition, type AnyMachineSnapshot, type AnyStateMachine } from 'xstate';

export interface MachineCase {
  /** RFC section or requirement, and what is asserted. */
  readonly name: string;
  run(machine: AnyStateMachine): void;
}

export interface MachineSubject {
  readonly name: string;
  readonly machine: AnyStateMachine;
  readonly cases: readonly MachineCase[];
}

/** One call of the port: method and arguments. */
export type Effect = readonly [string, ...unknown[]];

export interface Recording<P> {
  readonly port: P;
  readonly effects: Effect[];
}

/** A port whose methods only note that they were called; `facts` are what guards read. */
export function recording<P extends object>(facts: Partial<P>): Recording<P> {
  const effects: Effect[] = [];
  const port = new Proxy(facts, {
    get: (known, key) =>
      key in known
        ? Reflect.get(known, key)
        : (...args: unknown[]) => {
            effects.push([String(key), ...args]);
          },
  }) as P;
  return { port, effects };
}

interface Executable {
  readonly info: unknown;
  readonly params: unknown;
  readonly exec: ((info: never, params: never) => void) | undefined;
}

function execute(actions: readonly unknown[]): void {
  for (const { exec, info, params } of actions as readonly Executable[])
    exec?.(info as never, params as never);
}

/** Plays `path`, then `event`, and compares where that leads and what it causes. */
export function check(
  machine: AnyStateMachine,
  input: unknown,
  effects: Effect[],
  path: readonly { readonly type: string }[],
  event: { readonly type: string },
  expected: { readonly state: string; readonly effects: readonly Effect[]; readonly context?: object },
  /** Called before the last event. */
  beforeLast?: () => void,
): void {
  let [snapshot, actions] = initialTransition(machine, input as never) as [AnyMachineSnapshot, unknown[]];
  execute(actions);
  for (const step of [...path, event]) {
    if (step === event) {
      effects.length = 0;
      beforeLast?.();
    }
    [snapshot, actions] = transition(machine, snapshot, step) as [AnyMachineSnapshot, unknown[]];
    execute(actions);
  }
  deepStrictEqual(snapshot.value, expected.state);
  deepStrictEqual(effects, expected.effects);
  const context = snapshot.context as Record<string, unknown>;
  for (const [key, value] of Object.entries(expected.context ?? {}))
    deepStrictEqual(context[key], value, key);
}
