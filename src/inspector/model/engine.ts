/** An engine over time: its statuses, and what they say of rates. */
import type { EngineStatus, StatusSample } from '../feed.js';

/** Most statuses kept of one node. */
export const SAMPLES_KEPT = 300;

/** Machines of which each actor is a session. */
export const SESSION_MACHINES: readonly string[] = ['negotiationSession', 'synchronizationSession'];

export interface Point {
  readonly at: number;
  readonly value: number;
}

export class EngineHistory {
  readonly samples: StatusSample[] = [];

  add(sample: StatusSample): void {
    this.samples.push(sample);
    if (this.samples.length > SAMPLES_KEPT) this.samples.shift();
  }

  get latest(): StatusSample | undefined {
    return this.samples.at(-1);
  }

  /** Any number of each status, over time. */
  series(of: (status: EngineStatus) => number): Point[] {
    return this.samples.map(({ at, status }) => ({ at, value: of(status) }));
  }

  /** How much a number that only grows grew per second. A worker that was replaced counts from zero again. */
  rates(of: (status: EngineStatus) => number): Point[] {
    const points = this.series(of);
    return points.slice(1).map((point, i) => {
      const before = points[i] ?? point;
      const seconds = (point.at - before.at) / 1000;
      return { at: point.at, value: seconds > 0 ? Math.max(0, point.value - before.value) / seconds : 0 };
    });
  }
}

/** Actors of a machine by state, over all threads. */
export function census(status: EngineStatus | undefined, machine: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { actors } of status?.threads ?? []) {
    for (const actor of actors) {
      if (actor.machine !== machine) continue;
      counts.set(actor.state, (counts.get(actor.state) ?? 0) + actor.count);
    }
  }
  return counts;
}

/** Actors of these machines there are now. */
export function countOf(status: EngineStatus, machines: readonly string[]): number {
  let sum = 0;
  for (const { actors } of status.threads) {
    for (const { machine, count } of actors) if (machines.includes(machine)) sum += count;
  }
  return sum;
}

/** The ASA that is meant, if only one can be. */
export function asaOf(
  status: EngineStatus | undefined,
  objective: string,
  role: 'initiator' | 'responder',
): string | undefined {
  const registered = status?.objectives.find(({ name }) => name === objective);
  if (registered === undefined) return undefined;
  const names = role === 'responder' ? registered.listening.map(({ asa }) => asa) : registered.asas;
  const distinct = new Set(names);
  return distinct.size === 1 ? [...distinct][0] : undefined;
}
