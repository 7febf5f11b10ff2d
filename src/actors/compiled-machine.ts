/**
 * The compiled form of a machine: the same definition, read once at start into tables, and stepped by an xstate
 * ActorLogic that `createActor` runs like any other. xstate's interpreter finds domains, exit sets and initial
 * states of nested and parallel charts at every step; a flat machine needs none of that, and a session's machine is
 * on the hot path. The definition stays the single source: `test/actors/compiled-machine.test.ts` holds both forms
 * equal, event by event.
 *
 * Compiled are flat machines: atomic and final states, `on` in states and at the root, `prefix.*` events, named
 * guards, named actions with params, `assign`, entry and exit actions. Anything else is refused at once, never interpreted differently.
 */
import type { ActorLogic, ActorScope, AnyStateMachine, ContextFrom, EventObject } from 'xstate';

/** What an actor of a compiled machine shows of itself: the part of a machine's snapshot that anyone reads. */
export interface CompiledSnapshot<C> {
  readonly status: 'active' | 'done';
  readonly value: string;
  readonly context: C;
  readonly output: undefined;
  readonly error: undefined;
}

/** How machines on the hot path are run: by tables made from their definition (default), or by xstate's interpreter. */
export type MachineForm = 'compiled' | 'interpreted';

/** The event of xstate in which an actor enters its initial state. */
const INIT: EventObject = { type: 'xstate.init' };

type Scope = ActorScope<CompiledSnapshot<unknown>, EventObject>;

interface Args {
  context: unknown;
  /** The context is this transition's own copy already: no snapshot has it. */
  copied: boolean;
  readonly event: EventObject;
  readonly self: unknown;
  readonly system: unknown;
}

type Params = unknown;
type ParamsOf = ((args: Args) => Params) | undefined;

interface Step {
  readonly params: Params;
  readonly paramsOf: ParamsOf;
  /** What it does; its result is merged into the context if `assigns`. */
  readonly run: (args: Args, params: Params) => unknown;
  readonly assigns: boolean;
}

interface Transition {
  readonly guard: ((args: Args, params: Params) => boolean) | undefined;
  readonly guardParams: Params;
  readonly guardParamsOf: ParamsOf;
  /** Undefined: stays, without exit and entry. */
  readonly target: State | undefined;
  readonly steps: readonly Step[];
}

interface State {
  readonly key: string;
  readonly final: boolean;
  readonly entry: readonly Step[];
  readonly exit: readonly Step[];
  /** By event descriptor: the state's own, then the root's. */
  readonly levels: readonly Map<string, readonly Transition[]>[];
  /** By event type, as found when the type first came. */
  readonly candidates: Map<string, readonly Transition[]>;
}

type Logic<I> = ActorLogic<CompiledSnapshot<unknown>, EventObject, I> & { readonly id: string };

type InputOf<M extends AnyStateMachine> = Parameters<M['getInitialSnapshot']>[1];

export type CompiledLogic<M extends AnyStateMachine> = Logic<InputOf<M>> & {
  /**
   * The same for one actor, with its input in it: `createActor(logic.with(input))` is `createActor(logic, { input })`. xstate
   * spreads an actor's options, and where there are any, that takes three times as long as all the rest.
   */
  with(input: InputOf<M>): Logic<unknown>;
};

/** The definition as xstate keeps it, in the shapes that are compiled. */
interface Node {
  readonly key: string;
  readonly type: string;
  readonly states: Record<string, Node>;
  readonly initial: { readonly target: readonly Node[]; readonly actions: readonly unknown[] };
  readonly transitions: Map<string, readonly Definition[]>;
  readonly always?: readonly unknown[];
  readonly after: readonly unknown[];
  readonly invoke: readonly unknown[];
  readonly entry: readonly unknown[];
  readonly exit: readonly unknown[];
}

interface Definition {
  readonly target: readonly Node[] | undefined;
  readonly source: Node;
  readonly reenter: boolean;
  readonly actions: readonly unknown[];
  readonly guard?: unknown;
}

interface Implementations {
  readonly actions: Record<string, unknown>;
  readonly guards: Record<string, unknown>;
}

/**
 * Compiles a machine; throws a TypeError that names what cannot be compiled.
 *
 * @param copy gives a copy of a context. Where copies are many, it is written out field by field, and makes the first
 * context, too: V8 counts the shapes of objects it meets by the place in the source, and copies slowly when there are many.
 */
export function compileMachine<M extends AnyStateMachine>(
  machine: M,
  copy: (context: ContextFrom<M>) => ContextFrom<M>,
): CompiledLogic<M> {
  const root = machine.root as unknown as Node;
  const implementations = machine.implementations as unknown as Implementations;
  const refuse = (what: string): never => {
    throw new TypeError(`machine ${machine.id} cannot be compiled: ${what}`);
  };
  if (root.entry.length > 0 || root.exit.length > 0) refuse('entry or exit of the root');
  const states = new Map<string, State>();
  for (const [key, node] of Object.entries(root.states)) {
    if (node.type !== 'atomic' && node.type !== 'final') refuse(`state ${key} is ${node.type}`);
    if ((node.always?.length ?? 0) > 0 || node.after.length > 0 || node.invoke.length > 0) {
      refuse(`always, after or invoke in ${key}`);
    }
    if (node.type === 'final' && node.exit.length > 0) refuse(`exit of the final state ${key}`);
    states.set(key, {
      key,
      final: node.type === 'final',
      entry: stepsOf(node.entry),
      exit: stepsOf(node.exit),
      levels: [new Map(), new Map()],
      candidates: new Map(),
    });
  }
  for (const [key, node] of Object.entries(root.states)) {
    // What a state does not handle, the root may.
    for (const [level, owner] of [node, root].entries()) {
      for (const [descriptor, definitions] of owner.transitions) {
        states.get(key)!.levels[level]!.set(descriptor, transitionsOf(descriptor, definitions));
      }
    }
  }
  const initial = states.get(root.initial.target[0]!.key)!;
  if (root.initial.actions.length > 0 || initial.entry.some(({ assigns }) => assigns)) {
    refuse('an initial state that changes the context');
  }
  const contextOf = (machine.config as { context?: unknown }).context;

  function transitionsOf(type: string, definitions: readonly Definition[]): Transition[] {
    if (/\*(?!$)|[^.]\*/.test(type) || type.startsWith('xstate.')) refuse(`event ${type}`);
    return definitions.map(({ target, source, reenter, actions, guard }) => {
      if (target && target.length !== 1) refuse(`${type} has several targets`);
      const to = target?.[0];
      const stays = to === undefined || (to === source && !reenter);
      const { name, params } = guard === undefined ? NO_REFERENCE : reference(guard);
      const dynamic = typeof params === 'function';
      // All are made here: one hidden class.
      return {
        guard: guard === undefined ? undefined : checkOf(guard, name),
        guardParams: dynamic ? undefined : params,
        guardParamsOf: dynamic ? (params as ParamsOf) : undefined,
        target: stays ? undefined : (states.get(to.key) ?? refuse(`target ${to.key}`)),
        steps: stepsOf(actions),
      };
    });
  }

  function checkOf(guard: unknown, name: string): NonNullable<Transition['guard']> {
    const check = typeof guard === 'function' ? guard : implementations.guards[name];
    if (typeof check !== 'function' || 'check' in check) return refuse(`guard ${name}`);
    return check as NonNullable<Transition['guard']>;
  }

  function stepsOf(actions: readonly unknown[]): Step[] {
    return actions.map((action) => {
      const { name, params } = reference(action);
      const implementation = typeof action === 'function' ? action : implementations.actions[name];
      if (typeof implementation !== 'function') return refuse(`action ${name}`);
      const dynamic = typeof params === 'function';
      const paramsOf = dynamic ? (params as ParamsOf) : undefined;
      const fixed = dynamic ? undefined : params;
      const assigns = 'resolve' in implementation;
      const run = assigns ? assignedBy(implementation, name) : (implementation as Step['run']);
      return { params: fixed, paramsOf, run, assigns };
    });
  }

  function assignedBy(action: unknown, name: string): Step['run'] {
    const builtin = action as { type: string; assignment: unknown };
    if (builtin.type !== 'xstate.assign') refuse(`${builtin.type} in ${name}`);
    return assignmentOf(builtin.assignment);
  }

  function take(steps: readonly Step[], args: Args): void {
    for (const step of steps) {
      const params = step.paramsOf ? step.paramsOf(args) : step.params;
      const result = step.run(args, params);
      if (!step.assigns) continue;
      if (!args.copied) args.context = copy(args.context as ContextFrom<M>);
      args.copied = true;
      Object.assign(args.context as object, result);
    }
  }

  const logic: Logic<unknown> = {
    id: machine.id,
    transition(snapshot, event, scope: Scope) {
      const state = states.get(snapshot.value)!;
      const candidates = candidatesOf(state, event.type);
      if (candidates.length === 0) return snapshot;
      const args: Args = {
        context: snapshot.context,
        copied: false,
        event,
        self: scope.self,
        system: scope.system,
      };
      for (const { guard, guardParams, guardParamsOf, target, steps } of candidates) {
        if (guard && !guard(args, guardParamsOf ? guardParamsOf(args) : guardParams)) continue;
        if (!target) {
          take(steps, args);
          return args.context === snapshot.context ? snapshot : snapshotOf(state, args.context);
        }
        take(state.exit, args);
        take(steps, args);
        take(target.entry, args);
        return snapshotOf(target, args.context);
      }
      return snapshot;
    },
    getInitialSnapshot: (scope: Scope, input: unknown) =>
      snapshotOf(
        initial,
        typeof contextOf === 'function'
          ? (contextOf as (args: { input: unknown; self: unknown }) => unknown)({ input, self: scope.self })
          : contextOf,
      ),
    // When the actor starts, not when it is made; nothing has been sent to it yet.
    start({ context }, { self, system }: Scope) {
      if (initial.entry.length > 0)
        take(initial.entry, { context, copied: false, event: INIT, self, system });
    },
    getPersistedSnapshot: (snapshot) => snapshot,
  };
  /** The logic of one actor. All but the first context is the machine's, and found on the prototype without a call between. */
  class WithInput {
    constructor(readonly input: unknown) {}
    getInitialSnapshot(scope: Scope): CompiledSnapshot<unknown> {
      return logic.getInitialSnapshot(scope, this.input);
    }
  }
  const { getInitialSnapshot: _, ...shared } = logic;
  Object.assign(WithInput.prototype, shared);
  return { ...logic, with: (input) => new WithInput(input) as unknown as Logic<unknown> };
}

/** All are made here: one hidden class. */
function snapshotOf({ key, final }: State, context: unknown): CompiledSnapshot<unknown> {
  return { status: final ? 'done' : 'active', value: key, context, output: undefined, error: undefined };
}

/** Both forms of a machine, to be run by the same code; see {@link compileMachine}. */
export function formsOf<M extends AnyStateMachine>(
  machine: M,
  copy: (context: ContextFrom<M>) => ContextFrom<M>,
): Readonly<Record<MachineForm, M>> {
  return { interpreted: machine, compiled: compileMachine(machine, copy) as unknown as M };
}

/** The exact event first, then wildcards from the longest; the state's own before the root's. */
function candidatesOf(state: State, type: string): readonly Transition[] {
  let candidates = state.candidates.get(type);
  if (!candidates) {
    candidates = state.levels.flatMap((level) => {
      const wildcards = [...level.keys()].filter((descriptor) => matches(type, descriptor));
      wildcards.sort((a, b) => b.length - a.length);
      return [...(level.get(type) ?? []), ...wildcards.flatMap((descriptor) => level.get(descriptor)!)];
    });
    state.candidates.set(type, candidates);
  }
  return candidates;
}

function matches(type: string, descriptor: string): boolean {
  if (descriptor === type || !descriptor.endsWith('*')) return false;
  const prefix = descriptor.slice(0, -2);
  return descriptor === '*' || type === prefix || type.startsWith(`${prefix}.`);
}

const NO_REFERENCE = { name: '', params: undefined };

function reference(item: unknown): { name: string; params: unknown } {
  if (typeof item === 'string') return { name: item, params: undefined };
  if (typeof item === 'function') return { name: item.name, params: undefined };
  const { type, params } = item as { type: string; params?: unknown };
  return { name: type, params };
}

/** `assign(fn)` or `assign({ key: value | fn })`, as one function that gives the part that changes. */
function assignmentOf(assignment: unknown): Step['run'] {
  if (typeof assignment === 'function') return assignment as Step['run'];
  const entries = Object.entries(assignment as Record<string, unknown>);
  return (args, params) =>
    Object.fromEntries(
      entries.map(([key, value]) => [
        key,
        typeof value === 'function' ? (value as (a: Args, p: Params) => unknown)(args, params) : value,
      ]),
    );
}
