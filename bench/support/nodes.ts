/** Starting the engines of the benchmarks with multicasts (engine-node.ts), and waiting for what they count. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Side } from '../lab.js';
import { script, type Program } from './program.js';

export type Counts = Readonly<Record<string, number>>;

interface Status {
  readonly counters: Counts;
  readonly queues: readonly { readonly name: string; readonly length: number }[];
}

export async function startNode(side: Side, limits: object = {}): Promise<Program> {
  const args = ['--interfaces', side.interfaces.join(','), '--limits', JSON.stringify(limits)];
  const program = side.start('engine', [script('engine-node.js'), ...args]);
  await program.next();
  return program;
}

export const startNodes = (sides: readonly Side[], limits: object = {}): Promise<Program[]> =>
  Promise.all(sides.map((side) => startNode(side, limits)));

/** What it has counted, once that does not change any more. */
export async function atRest(engine: Program): Promise<Counts> {
  let last = '';
  for (let same = 0; ;) {
    const { counters } = await engine.ask<Status>('status');
    const text = JSON.stringify(counters);
    same = text === last ? same + 1 : 0;
    if (same === 5) return counters;
    last = text;
    await delay(50);
  }
}

/** What the counters have grown by, those that have. */
export function growth(before: Counts, after: Counts): Counts {
  const grown = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, count]) => count !== 0));
}
