/**
 * Question: how long does `Grasp.start` take until the engine is ready, beside starting as many empty workers?
 *
 *     npm run bench -- start-up [--placement worker|inline] [--starts N] [--repeats N] [--json]
 *
 * Each start is that of a fresh process. `p50Ms` is the time of `Grasp.start`; `processP50Ms` that from the start of the
 * process until it said that it was ready, loading of the modules included.
 */
import type { Lab } from './lab.js';
import { runBenchmark, takeTurns } from './support/contest.js';
import { common, parse, usage, type Parsed } from './support/options.js';
import { script } from './support/program.js';
import { toResult, type Result, type Sample } from './support/result.js';
import { latencies } from './support/statistics.js';

const declared = { ...common, placement: ['worker', 'inline'], starts: 10 } as const;
type Options = Parsed<typeof declared>;

interface Start {
  readonly startMs: number;
  readonly processMs: number;
  readonly threads: number;
}

async function start(lab: Lab, args: readonly string[]): Promise<Start> {
  const at = performance.now();
  const program = lab.server.start('process', args);
  const line = await program.next();
  const processMs = performance.now() - at;
  await program.end();
  return { startMs: Number(line['startMs']), processMs, threads: Number(line['threads'] ?? 0) };
}

async function measure(lab: Lab, { placement, starts, repeats }: Options): Promise<Result[]> {
  const interfaces = lab.server.interfaces.join(',');
  const engine = [
    ...[script('engine-idle.js'), '--placement', placement],
    ...(interfaces === '' ? [] : ['--interfaces', interfaces]),
  ];
  // The first start of all reads the files from disk.
  const { threads } = await start(lab, engine);
  const floor = [script('floors/idle.js'), `${threads}`];
  await start(lab, floor);
  const several = (args: readonly string[]) => async (): Promise<Sample> => {
    const all: Start[] = [];
    for (let n = 0; n < starts; n++) all.push(await start(lab, args));
    const whole = latencies(all.map(({ processMs }) => processMs));
    return {
      failures: 0,
      measures: { ...latencies(all.map(({ startMs }) => startMs)), processP50Ms: whole.p50Ms },
    };
  };
  const samples = await takeTurns({ floor: several(floor), engine: several(engine) }, repeats, 'p50Ms');
  return [
    toResult(
      {
        benchmark: 'start-up',
        question: 'How long from Grasp.start to ready, beside starting as many empty workers?',
        variant: placement,
        settings: { placement, starts, threads },
        lab: lab.kind,
        measure: 'p50Ms',
        better: 'lower',
      },
      { engine: samples['engine'] ?? [], floor: samples['floor'] ?? [] },
    ),
  ];
}

export const main = (args: string[]): Promise<number> =>
  runBenchmark({ usage: usage('start-up', declared), parse: () => parse(args, declared), measure });
