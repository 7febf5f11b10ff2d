/**
 * Question: what does an engine hold when idle, beside a bare Node process? And what does a live session cost, beside an
 * open connection?
 *
 *     npm run bench -- memory [--placement worker|main|inline] [--sessions N] [--repeats N] [--json]
 *
 * Two results: idle memory of the default threads or inline (`rssMb`, of fresh processes at rest), and memory per live
 * session (`heapKb` and `rssKb` per session and side, its garbage collected, `--sessions` alive). Initiator and
 * responder are processes of their own, for one process may not have descriptors for both.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Lab } from './lab.js';
import { perSession, type Held } from './memory-sessions.js';
import { placements } from './placements.js';
import { runBenchmark, takeTurns } from './support/contest.js';
import { common, parse, usage, type Parsed } from './support/options.js';
import { script, type Program } from './support/program.js';
import { toResult, type Result, type Sample } from './support/result.js';

const declared = { ...common, placement: ['worker', 'main', 'inline'], sessions: 10_000 } as const;
type Options = Parsed<typeof declared>;

/** After this time nothing of the start is left to be done. */
const REST_MS = 2_000;

async function idle(lab: Lab, options: Options): Promise<Result> {
  const interfaces = lab.server.interfaces.join(',');
  const threads = options.placement === 'inline' ? 'inline' : 'worker';
  const engine = [
    ...[script('engine-idle.js'), '--placement', threads],
    ...(interfaces === '' ? [] : ['--interfaces', interfaces]),
  ];
  const atRest = (args: readonly string[]) => async (): Promise<Sample> => {
    const program: Program = lab.server.start('process', args);
    await program.next();
    await delay(REST_MS);
    const { rssMb, heapMb } = await program.ask<Held>('memory');
    await program.end();
    return { failures: 0, measures: { rssMb, heapMb } };
  };
  const contenders = { floor: atRest([script('floors/idle.js'), '0']), engine: atRest(engine) };
  const samples = await takeTurns(contenders, options.repeats, 'rssMb');
  return toResult(
    {
      benchmark: 'memory',
      question: 'How much memory does an idle engine hold, beside a bare Node process?',
      variant: `idle, ${threads === 'worker' ? 'default threads' : threads}`,
      settings: { placement: threads },
      lab: lab.kind,
      measure: 'rssMb',
      better: 'lower',
    },
    { engine: samples['engine'] ?? [], floor: samples['floor'] ?? [] },
  );
}

async function measure(lab: Lab, options: Options): Promise<Result[]> {
  const { sessions, repeats } = options;
  const placement = placements.find((each) => each === options.placement) ?? 'worker';
  return [await idle(lab, options), await perSession(lab, { placement, sessions, repeats })];
}

export const main = (args: string[]): Promise<number> =>
  runBenchmark({ usage: usage('memory', declared), parse: () => parse(args, declared), measure });
