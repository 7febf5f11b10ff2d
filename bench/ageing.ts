/**
 * Question: after many sessions one after another, is an engine still as fast as at the beginning, and its heap as small?
 *
 *     npm run bench -- ageing [--sessions N] [--batch N] [--concurrency N] [--placement worker|main|inline] [--json]
 *
 * `rate` is that of the last batch, the floor's that of raw sockets straight after it; `firstRate` and `firstFloor` are
 * those of the beginning, and `kept` is what is left of the first batch's share of the floor: 1 is no ageing. `heapGrowth`
 * is the larger of both sides' heaps at the end by that after the first batch, collected. One repeat: it lasts long.
 */
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
  sessions: 100_000,
  batch: 10_000,
  concurrency: 32,
  placement: ['worker', 'main', 'inline'],
} as const;
type Options = Parsed<typeof declared>;

async function heaps(sides: readonly Program[]): Promise<number[]> {
  const held: number[] = [];
  for (const side of sides) held.push((await side.ask<{ heapMb: number }>('memory')).heapMb);
  return held;
}

async function measure(lab: Lab, options: Options): Promise<Result[]> {
  const { sessions, batch, concurrency } = options;
  const placement = placements.find((each) => each === options.placement) ?? 'worker';
  const engine = { work: 'negotiation', placement, exposeGc: true } as const;
  const { program: server, port } = await startEngineServer(lab, engine);
  const client = await startEngineClient(lab, engine, port);
  const floor = await startFloorServer(lab);
  const raw = (): Promise<Sample> => runFloorClient(lab, floor.port, { sessions: batch, concurrency });
  const run = (count: number): Promise<Sample> => client.ask<Sample>('run', { count, concurrency });

  const warmUp = await run(Math.ceil(batch / 2));
  const firstFloor = await raw();
  const first = await run(batch);
  const before = await heaps([client, server]);
  const batches = Math.max(2, Math.round(sessions / batch));
  let failures = warmUp.failures + first.failures;
  let last = first;
  for (let n = 2; n <= batches; n++) {
    last = await run(batch);
    failures += last.failures;
    progress(`batch ${n} of ${batches}: ${last.measures['rate'] ?? 0}/s`);
  }
  const after = await heaps([client, server]);
  const lastFloor = await raw();
  const rateOf = (sample: Sample): number => sample.measures['rate'] ?? NaN;
  const growth = after.map((heap, side) => heap / (before[side] ?? NaN));
  const measures = {
    ...last.measures,
    firstRate: rateOf(first),
    firstFloor: rateOf(firstFloor),
    kept: rateOf(last) / rateOf(lastFloor) / (rateOf(first) / rateOf(firstFloor)),
    heapGrowth: Math.max(...growth),
    initiatorHeapMb: after[0] ?? NaN,
    responderHeapMb: after[1] ?? NaN,
  };
  return [
    toResult(
      {
        benchmark: 'ageing',
        question: 'Is an engine as fast, and its heap as small, after many sessions as at the beginning?',
        variant: `${placement}, ${sessions} sessions`,
        settings: { placement, sessions, batch, concurrency },
        lab: lab.kind,
        measure: 'rate',
        better: 'higher',
      },
      { engine: [{ failures, reasons: last.reasons, measures }], floor: [lastFloor] },
    ),
  ];
}

export const main = (args: string[]): Promise<number> =>
  runBenchmark({ usage: usage('ageing', declared), parse: () => parse(args, declared), measure });
