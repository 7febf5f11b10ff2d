/**
 * Mutation testing for state machines: every transition of a machine is removed in turn, and at least one of the
 * machine's cases must notice. Run over all machines by `npm run check:transitions`.
 */
import { createMachine, type AnyStateMachine } from 'xstate';

export interface MachineCases {
  readonly name: string;
  readonly machine: AnyStateMachine;
  /** Each throws (or rejects) when the machine does not behave. */
  readonly cases: readonly { readonly name: string; run(machine: AnyStateMachine): void | Promise<void> }[];
}

/** Where one transition stands in a machine's config, e.g. `['states', 'open', 'on', 'CLOSE', 0]`. */
export interface TransitionPlace {
  readonly path: readonly (string | number)[];
  /** For people: `open: CLOSE[0] → closed`. */
  readonly label: string;
}

type Dictionary = Readonly<Record<string, unknown>>;

const isDictionary = (value: unknown): value is Dictionary =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Keys of a state or an invocation that hold transitions directly, as `always: …`. */
const direct = ['always', 'onDone', 'onError', 'onSnapshot', 'onTimeout'];
/** Keys that hold transitions by event or delay, as `on: { EVENT: … }`. */
const keyed = ['on', 'after'];

/** Every transition of a machine config, the root's own included, in the order of the text. */
export function transitionsOf(config: unknown): TransitionPlace[] {
  const found: TransitionPlace[] = [];

  function collect(value: unknown, path: readonly (string | number)[], state: string, event: string): void {
    if (value === undefined) return;
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    list.forEach((transition, index) => {
      const raw = isDictionary(transition) ? transition['target'] : transition;
      const target = raw === undefined ? '(stays)' : String(raw as string | readonly string[]);
      found.push({
        path: Array.isArray(value) ? [...path, index] : path,
        label: `${state}: ${event}${list.length > 1 ? `[${index}]` : ''} → ${target}`,
      });
    });
  }

  function visit(node: unknown, path: readonly (string | number)[], state: string): void {
    if (!isDictionary(node)) return;
    for (const key of keyed) {
      const byEvent = node[key];
      if (!isDictionary(byEvent)) continue;
      for (const [event, value] of Object.entries(byEvent)) {
        collect(value, [...path, key, event], state, key === 'on' ? event : `after ${event}`);
      }
    }
    for (const key of direct) collect(node[key], [...path, key], state, key);
    const invoke = node['invoke'];
    const invocations: readonly unknown[] = Array.isArray(invoke) ? invoke : [invoke];
    invocations.forEach((invocation, index) => {
      if (!isDictionary(invocation)) return;
      const at = Array.isArray(invoke) ? [...path, 'invoke', index] : [...path, 'invoke'];
      for (const key of direct) collect(invocation[key], [...at, key], state, `invoke ${key}`);
    });
    if (isDictionary(node['states'])) {
      for (const [name, child] of Object.entries(node['states'])) {
        visit(child, [...path, 'states', name], state === '(root)' ? name : `${state}.${name}`);
      }
    }
  }

  visit(config, [], '(root)');
  return found;
}

/** A copy of `value` without what stands at `path`; whatever is off the path is shared, not copied. */
function without(value: unknown, path: readonly (string | number)[]): unknown {
  const [head, ...rest] = path;
  if (Array.isArray(value)) {
    const list: readonly unknown[] = value;
    return rest.length === 0
      ? list.filter((_, index) => index !== head)
      : list.map((item, index) => (index === head ? without(item, rest) : item));
  }
  if (!isDictionary(value) || head === undefined) throw new Error(`nothing at ${path.join('.')}`);
  const { [head]: child, ...others } = value;
  // Rebuilt in the old order: xstate takes the first transition that matches.
  if (rest.length === 0) return others;
  return Object.fromEntries(
    Object.keys(value).map((key) => [key, key === head ? without(child, rest) : value[key]]),
  );
}

/** The same machine, implementations included, without one transition. */
export function removeTransition(machine: AnyStateMachine, place: TransitionPlace): AnyStateMachine {
  const config = without(machine.config, place.path) as Parameters<typeof createMachine>[0];
  return createMachine(config, machine.implementations as Parameters<typeof createMachine>[1]);
}

async function firstFailure(subject: MachineCases, machine: AnyStateMachine): Promise<string | undefined> {
  for (const one of subject.cases) {
    try {
      await one.run(machine);
    } catch (error) {
      return `${one.name}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return undefined;
}

export interface RemovalResult {
  readonly name: string;
  readonly transitions: number;
  /** Labels of transitions whose removal no case noticed. */
  readonly survivors: readonly string[];
}

/**
 * Removes each transition of `subject.machine` in turn.
 *
 * @throws Error when a case fails on the machine as it is, or on a copy without any removal (then nothing that
 *   follows would mean anything), or when there is no transition or no case at all.
 */
export async function checkTransitions(subject: MachineCases): Promise<RemovalResult> {
  const { name, machine } = subject;
  const places = transitionsOf(machine.config);
  if (places.length === 0 || subject.cases.length === 0) {
    throw new Error(`${name}: ${places.length} transitions, ${subject.cases.length} cases: nothing to check`);
  }
  const rebuilt = createMachine(
    machine.config,
    machine.implementations as Parameters<typeof createMachine>[1],
  );
  for (const whole of [machine, rebuilt]) {
    const failure = await firstFailure(subject, whole);
    if (failure !== undefined) throw new Error(`${name}: a case fails on the whole machine: ${failure}`);
  }
  const survivors: string[] = [];
  for (const place of places) {
    const failure = await firstFailure(subject, removeTransition(machine, place));
    if (failure === undefined) survivors.push(place.label);
  }
  return { name, transitions: places.length, survivors };
}
