/**
 * Question: what does it cost to be able to look inside, and to look? Negotiations per second with nobody watching, with
 * an inspection of 1 % of the sessions, and with one of everything, at both engines.
 *
 *     npm run bench -- watching [--concurrency N] [--sessions N] [--placement worker|main|inline] [--repeats PAIRS] [--json]
 *
 * What each is compared with is the same build with every place cut out at which an owner may tell a watcher
 * (`support/without-watching.ts`): an engine that cannot be watched at all. "Nobody watching" is this build as it is: the
 * code of inspection is not loaded, for a thread loads it when it is first asked for. All four take turns, in reverse
 * order every second time, each run in a fresh client process after a warm-up; the n-th runs are a pair. The interval is
 * that of the mean of the pairs' ratios.
 */
import { placements, type Placement } from './placements.js';
import { runBenchmark } from './support/contest.js';
import { common, parse, usage } from './support/options.js';
import { progress } from './support/program.js';
import { toResult, type Result, type Sample } from './support/result.js';
import { runEngineClient, startEngineServer, type EngineOptions } from './support/sessions.js';
import { ratioInterval, round, significant } from './support/statistics.js';
import { buildWithoutWatching } from './support/without-watching.js';

const question = 'How many negotiations per second with nobody watching, 1 % watched, everything watched?';
const declared = {
  ...common,
  repeats: 20,
  concurrency: 32,
  sessions: 10_000,
  placement: placements,
} as const;

/** Share of the sessions that is inspected at both engines; undefined: nobody watches. */
const WATCHED = { 'nobody watching': undefined, '1 % watched': 0.01, 'everything watched': 1 } as const;
const CANNOT = 'cannot be watched';

export const main = (args: string[]): Promise<number> =>
  runBenchmark({
    usage: usage('watching', declared),
    parse: () => parse(args, declared),
    measure: async (lab, { concurrency, sessions, repeats, placement: text }): Promise<Result[]> => {
      const placement = text as Placement;
      const stripped = buildWithoutWatching();
      try {
        progress(`${CANNOT}: ${stripped.cut} places cut out`);
        if (stripped.cut < 10) throw new Error('no build that cannot be watched: the places are not found');
        const options: Record<string, EngineOptions> = {
          [CANNOT]: { work: 'negotiation', placement, build: stripped.bench },
        };
        for (const [name, watch] of Object.entries(WATCHED)) {
          options[name] = { work: 'negotiation', placement, watch };
        }
        const samples: Record<string, Sample[]> = {};
        const contenders: [string, () => Promise<Sample>][] = [];
        for (const [name, each] of Object.entries(options)) {
          const { port } = await startEngineServer(lab, each);
          samples[name] = [];
          contenders.push([name, () => runEngineClient(lab, each, port, { sessions, concurrency })]);
        }
        for (let pair = 1; pair <= repeats; pair++) {
          const told: string[] = [];
          for (const [name, run] of pair % 2 === 1 ? contenders : [...contenders].reverse()) {
            const sample = await run();
            samples[name]!.push(sample);
            told.push(`${name} ${significant(sample.measures['rate'] ?? 0)}`);
          }
          progress(`pair ${pair} of ${repeats}: ${told.join(' · ')}`);
        }
        return Object.keys(WATCHED).map((name) =>
          compared(name, samples, { placement, concurrency, sessions }, lab.kind),
        );
      } finally {
        stripped.remove();
      }
    },
  });

function compared(
  name: string,
  samples: Readonly<Record<string, readonly Sample[]>>,
  settings: { readonly placement: Placement; readonly concurrency: number; readonly sessions: number },
  lab: string,
): Result {
  const engine = samples[name]!;
  const floor = samples[CANNOT]!;
  const rate = ({ measures }: Sample): number => measures['rate'] ?? NaN;
  const interval = ratioInterval(engine.map((sample, pair) => rate(sample) / rate(floor[pair]!)));
  const plan = {
    benchmark: 'watching',
    question,
    variant: `${name}, ${settings.placement}, concurrency ${settings.concurrency}`,
    settings,
    lab,
    measure: 'rate',
    better: 'higher',
  } as const;
  return {
    ...toResult(plan, { engine, floor }),
    ...(interval ? { ratioInterval: [round(interval.low, 3), round(interval.high, 3)] as const } : {}),
  };
}
