/**
 * Question: what becomes of requests at a multiple of the rate that can be sustained, and of the engine afterwards?
 *
 *     npm run bench -- overload [--factor N] [--seconds N] [--clients N] [--placement worker|main|inline] [--json]
 *
 * A normal run finds the sustainable rate, and the floor's. Then client processes start requests at `--factor` times
 * that rate, whatever becomes of those before. Every call must end: with an agreement, or rejected with a code, which is
 * how the caller is told of what was refused or shed (`refusals` has them by code). Failures are: a call without end or
 * without a code, and work that both sides had taken up and one of them did not complete. Afterwards the normal run
 * again: `rate`, with that before as `rateBefore`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Lab } from './lab.js';
import { placements } from './placements.js';
import { runBenchmark } from './support/contest.js';
import { parse, usage, type Parsed } from './support/options.js';
import { progress, type Program } from './support/program.js';
import { toResult, type Result, type Sample } from './support/result.js';
import {
  runFloorClient,
  startEngineClient,
  startEngineServer,
  startFloorServer,
} from './support/sessions.js';

const declared = {
  json: false,
  factor: 2,
  seconds: 60,
  clients: 2,
  sessions: 10_000,
  concurrency: 32,
  placement: ['worker', 'main', 'inline'],
} as const;
type Options = Parsed<typeof declared>;

type Reasons = Readonly<Record<string, number>>;

/** What a client tells of its part of the load; see asas/overload.ts. */
interface Told {
  readonly started: number;
  readonly completed: number;
  readonly refused: Reasons;
  readonly broken: Reasons;
  readonly mostAtOnce: number;
  readonly loadSeconds: number;
  readonly settleSeconds: number;
}

/** Connections that linger, and timers of sessions whose peer is gone. */
const SETTLE_MS = 3_000;

const total = (reasons: Reasons): number => Object.values(reasons).reduce((sum, count) => sum + count, 0);

function merge(all: readonly Reasons[]): Reasons {
  const merged = new Map<string, number>();
  for (const reasons of all) {
    for (const [name, count] of Object.entries(reasons)) merged.set(name, (merged.get(name) ?? 0) + count);
  }
  return Object.fromEntries(merged);
}

/** What the responder's ASA tells. */
interface Books {
  readonly begun: number;
  readonly accepted: number;
  /** By code: what its sessions ended with otherwise. Nothing is lost there that a caller was not told of. */
  readonly failed: Reasons;
}

/**
 * The books of both sides, closed: what does not agree is a failure, by name.
 *
 * @param accepted sessions that ended in agreement for the responder
 */
export function audit(
  told: readonly Pick<Told, 'started' | 'completed' | 'refused' | 'broken'>[],
  accepted: number,
): {
  readonly started: number;
  readonly completed: number;
  readonly refused: number;
  readonly failures: Reasons;
} {
  const sum = (of: (each: (typeof told)[number]) => number): number =>
    told.reduce((all, each) => all + of(each), 0);
  const started = sum(({ started: count }) => count);
  const completed = sum(({ completed: count }) => count);
  const refused = sum((each) => total(each.refused));
  const broken = merge(told.map((each) => each.broken));
  const unended = started - completed - refused - total(broken);
  const failures: Reasons = {
    ...broken,
    ...(unended > 0 ? { 'calls that did not end': unended } : {}),
    ...(accepted < completed ? { 'agreed here, not there': completed - accepted } : {}),
  };
  return { started, completed, refused, failures };
}

/** Runs at the same time, as one: rates added up, of the others the largest. */
async function together(runs: readonly Promise<Sample>[]): Promise<Sample> {
  const samples = await Promise.all(runs);
  const of = (name: string): number[] => samples.map(({ measures }) => measures[name] ?? 0);
  const names = Object.keys(samples[0]?.measures ?? {});
  const joined = names.map((name) => [
    name,
    name === 'rate' ? of(name).reduce((all, rate) => all + rate, 0) : Math.max(...of(name)),
  ]);
  return {
    failures: samples.reduce((sum, { failures }) => sum + failures, 0),
    reasons: merge(samples.map(({ reasons }) => reasons ?? {})),
    measures: Object.fromEntries(joined) as Record<string, number>,
  };
}

async function underLoad(clients: readonly Program[], options: Options, rate: number): Promise<Told[]> {
  const each = (rate * options.factor) / clients.length;
  const load = { rate: each, seconds: options.seconds };
  progress(`${options.factor} × ${rate}/s by ${clients.length} clients for ${options.seconds} s`);
  return Promise.all(clients.map((client) => client.ask<Told>('overload', load)));
}

async function measure(lab: Lab, options: Options): Promise<Result[]> {
  const { sessions, concurrency, clients: count } = options;
  const placement = placements.find((each) => each === options.placement) ?? 'worker';
  const engine = { work: 'overload', placement } as const;
  const { program: server, port } = await startEngineServer(lab, engine);
  const clients: Program[] = [];
  for (let n = 0; n < count; n++) clients.push(await startEngineClient(lab, engine, port));
  const floor = await startFloorServer(lab);
  // By all clients at once, as the load later: one alone may not be able to ask as much as the responder can serve.
  const load = { count: Math.ceil(sessions / count), concurrency: Math.ceil(concurrency / count) };
  const run = (): Promise<Sample> => together(clients.map((client) => client.ask<Sample>('run', load)));

  const warmUp = await run();
  const before = await run();
  const rate = before.measures['rate'] ?? 0;
  const opened = await server.ask<Books>('books');
  const told = await underLoad(clients, options, rate);
  await delay(SETTLE_MS);
  const books = await server.ask<Books>('books');
  const { counters, restarts } = await server.ask<{ counters: Reasons; restarts: number }>('status');
  const floorLoad = { sessions: load.count, concurrency: load.concurrency };
  const floorSample = await together(clients.map(() => runFloorClient(lab, floor.port, floorLoad)));
  const after = await run();

  const { started, completed, refused, failures } = audit(told, books.accepted - opened.accepted);
  const codes = merge(told.map((each) => each.refused));
  progress(`callers: ${started} started, ${completed} completed, refused by code: ${JSON.stringify(codes)}`);
  progress(`responder: ${JSON.stringify(books)}, ${restarts} restarts, ${JSON.stringify(counters)}`);
  const reasons = merge([warmUp.reasons ?? {}, before.reasons ?? {}, failures, after.reasons ?? {}]);
  const seconds = Math.max(...told.map(({ loadSeconds }) => loadSeconds));
  const result = toResult(
    {
      benchmark: 'overload',
      question:
        'Is everything refused under overload told by a code, what was accepted completed, and all as before then?',
      variant: `${placement}, ${options.factor} × for ${options.seconds} s`,
      settings: { placement, factor: options.factor, seconds: options.seconds, clients: count, concurrency },
      lab: lab.kind,
      measure: 'rate',
      better: 'higher',
    },
    {
      engine: [
        {
          failures: total(reasons) + restarts,
          reasons,
          measures: {
            ...after.measures,
            rateBefore: rate,
            offered: Math.round(started / seconds),
            completed: Math.round(completed / seconds),
            refused,
            settleS: Math.max(...told.map(({ settleSeconds }) => settleSeconds)),
          },
        },
      ],
      floor: [floorSample],
    },
  );
  return [{ ...result, refusals: codes, counters }];
}

export const main = (args: string[]): Promise<number> =>
  runBenchmark({ usage: usage('overload', declared), parse: () => parse(args, declared), measure });
