/** The machines that run or have run, with the way each has taken. */
import type {
  About,
  InspectedActor,
  InspectedSession,
  InspectedSnapshot,
  SafeEvent,
  SafeValue,
} from '../feed.js';
import { stateName } from './text.js';

/** Most actors that are kept; those that ended longest ago go first. */
export const ACTORS_KEPT = 1_000;
/** Most steps kept of one actor. */
export const STEPS_KEPT = 600;

/** One event and where it led. */
export interface Step {
  readonly at: number;
  readonly event: SafeEvent;
  readonly from: string;
  readonly to: string;
  readonly context: SafeValue;
}

export interface ActorView {
  /** Unique among all nodes. */
  readonly key: string;
  readonly node: string;
  readonly machine: string;
  readonly thread: string;
  readonly begunAt: number;
  /** It was there before it was watched. */
  readonly existing: boolean;
  /** As it was when it was first seen. */
  readonly first: { readonly state: string; readonly context: SafeValue };
  about: About;
  state: string;
  context: SafeValue;
  status: 'active' | 'done' | 'error' | 'stopped';
  endedAt: number | undefined;
  /** Of a session. */
  outcome: InspectedSession | undefined;
  readonly steps: Step[];
  /** Steps that are no more kept. */
  forgotten: number;
  /** Changes with everything that happens to it. */
  version: number;
}

export const actorKey = (node: string, id: string): string => `${node} ${id}`;

/** What a reader may look for: a part of an objective's name, a peer, a state, a session id or a thread. */
export function matches(actor: ActorView, words: string): boolean {
  const { objective, peer, session, role, worker, interface: by } = actor.about;
  const id = session === undefined ? undefined : session.toString(16).padStart(8, '0');
  const texts = [
    objective,
    peer,
    role,
    worker,
    by,
    id,
    actor.state,
    actor.node,
    actor.thread,
    actor.outcome?.outcome,
  ];
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => texts.some((text) => text?.toLowerCase().includes(word) === true));
}

export class Actors {
  /** Oldest first. */
  readonly byKey = new Map<string, ActorView>();
  readonly #ended = new Set<string>();

  /** Those of one machine (of one node, if given), newest first. */
  of(machine: string, node?: string): ActorView[] {
    return [...this.byKey.values()]
      .filter((actor) => actor.machine === machine && (node === undefined || actor.node === node))
      .reverse();
  }

  appeared(node: string, item: InspectedActor): ActorView {
    const key = actorKey(node, item.sessionId);
    const state = stateName(item.snapshot.value);
    const actor: ActorView = {
      key,
      node,
      machine: item.machine,
      thread: item.thread,
      begunAt: item.at,
      existing: item.existing,
      first: { state, context: item.snapshot.context },
      about: item.about,
      state,
      context: item.snapshot.context,
      status: item.snapshot.status,
      endedAt: undefined,
      outcome: undefined,
      steps: [],
      forgotten: 0,
      version: 1,
    };
    this.byKey.set(key, actor);
    this.#bound();
    return actor;
  }

  /** @returns the actor and the step, unless its beginning is not known. */
  stepped(node: string, item: InspectedSnapshot): { actor: ActorView; step: Step } | undefined {
    const actor = this.byKey.get(actorKey(node, item.sessionId));
    if (actor === undefined) return undefined;
    const { context, status, value } = item.snapshot;
    const step = { at: item.at, event: item.event, from: actor.state, to: stateName(value), context };
    actor.steps.push(step);
    if (actor.steps.length > STEPS_KEPT) {
      actor.steps.shift();
      actor.forgotten++;
    }
    actor.about = item.about;
    actor.state = step.to;
    actor.context = context;
    actor.status = status;
    actor.version++;
    if (status !== 'active') {
      actor.endedAt = item.at;
      this.#ended.add(actor.key);
    }
    return { actor, step };
  }

  /** How a session ended, or more of what it is about. */
  session(node: string, item: InspectedSession): void {
    const actor = this.byKey.get(actorKey(node, item.actor));
    if (actor === undefined) return;
    actor.about = { ...actor.about, ...item.about };
    if (item.phase === 'ended') actor.outcome = item;
    actor.version++;
  }

  #bound(): void {
    if (this.byKey.size <= ACTORS_KEPT) return;
    const [oldest] = this.#ended.size > 0 ? this.#ended : this.byKey.keys();
    if (oldest === undefined) return;
    this.#ended.delete(oldest);
    this.byKey.delete(oldest);
  }
}
