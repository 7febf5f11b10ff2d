import {
  createActor,
  type Actor,
  type AnyActor,
  type AnyActorLogic,
  type AnyStateMachine,
  type InputFrom,
} from 'xstate';
import type { Clock, Counters } from '../runtime/index.js';

/** One line of a census: how many actors of a machine are in a state. */
export interface ActorCount {
  readonly machine: string;
  readonly state: string;
  readonly count: number;
}

/** One bounded queue as `status()` shows it. */
export interface QueueStatus {
  readonly name: string;
  readonly length: number;
  readonly limit: number;
}

/** A machine, interpreted or compiled. */
export type MachineLogic = AnyActorLogic & { with?(input: unknown): AnyActorLogic };

/** An actor of it that has not started; a compiled one has its input in its logic (`CompiledLogic.with`). */
export function actorOf(logic: MachineLogic, input: unknown): AnyActor {
  return logic.with ? createActor(logic.with(input)) : createActor(logic, { input });
}

/**
 * Starts `machine` as a root actor: siblings under one parent cost quadratic time, and a root actor's failure
 * stays its own. An error that escapes a machine's action would otherwise be rethrown globally and end the
 * worker: it is counted and handed to `onError`, which ends what the actor stood for.
 */
export function startActor<M extends AnyStateMachine>(
  machine: M,
  options: { readonly input: InputFrom<M> },
  world: { counters: Counters; onError: (error: unknown) => void },
): Actor<M> {
  const actor = actorOf(machine, options.input) as unknown as Actor<M>;
  actor.subscribe({
    error: (error: unknown) => {
      world.counters.add(`actor.error.${machine.id}`);
      world.onError(error);
    },
  });
  world.counters.watcher?.actorMade(actor);
  actor.start();
  return actor;
}

/** For a machine that must not fail: the worker ends, and is replaced. */
export function rethrowLater(clock: Clock, error: unknown): void {
  clock.defer(() => {
    throw error;
  });
}

/** Counts actors by machine and state. */
export function census(actors: Iterable<AnyActor>): ActorCount[] {
  const counts = new Map<string, { machine: string; state: string; count: number }>();
  for (const actor of actors) {
    const machine = (actor.logic as { id?: string }).id ?? 'actor';
    const state = stateName((actor.getSnapshot() as { value?: unknown }).value);
    const key = `${machine} ${state}`;
    const entry = counts.get(key);
    if (entry) entry.count++;
    else counts.set(key, { machine, state, count: 1 });
  }
  return [...counts.values()];
}

function stateName(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return 'unknown';
  return Object.entries(value)
    .map(([parent, child]) => `${parent}.${stateName(child)}`)
    .join(',');
}

/** Resolves when the actor is in another state than `state`. */
export function leaves(actor: AnyActor, state: string): Promise<void> {
  const value = (): unknown => (actor.getSnapshot() as { value?: unknown }).value;
  if (value() !== state) return Promise.resolve();
  return new Promise((resolve) => {
    const subscription = actor.subscribe(() => {
      if (value() === state) return;
      subscription.unsubscribe();
      resolve();
    });
  });
}
