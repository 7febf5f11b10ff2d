/**
 * Question: what does it cost to be able to look inside, and to look? Negotiations per second with nobody watching, with
 * an inspection of 1 % of the sessions, and with one of everything, at both engines.
 *
 *     npm run bench -- watching [--concurrency N] [--sessions N] [--placement worker|main|inline] [--repeats PAIRS] [--json]
 *
 * What each is compared with is the same build with every place cut out at which an owner may tell a watcher
 * (`support/without-watching.ts`): an engine that cannot be watched at all. "Nobody watching" is this build as it is: the
 * code of inspection is not loaded, for a thread loads it when it is first asked for. All four are alive all the time, and
 * after a warm-up take turns in slices of a quarter of a second, in reverse order every second time: a machine that is faster now
 * than a second ago is so for all. Ten slices of each are a run, the n-th runs a pair. The interval is that of the mean of the
 * pairs' ratios. Those that are watched get fewer sessions: what they are compared with matters more.
 */
import { placements, type Placement } from './placements.js';
import { runBenchmark } from './support/contest.js';
import { common, parse, usage } from './support/options.js';
import { progress, type Program } from './support/program.js';
import { toResult, type Result, type Sample } from './support/result.js';
import { startEngineClient, startEngineServer, WARM_UP, type EngineOptions } from './support/sessions.js';
import { median, ratioInterval, Reasons, round, significant } from './support/statistics.js';
import { buildWithoutWatching } from './support/without-watching.js';

const question = 'How many negotiations per second with nobody watching, 1 % watched, everything watched?';
const declared = {
  ...common,
  repeats: 20,
  concurrency: 32,
  sessions: 10_000,
  placement: placements,
} as const;

/** Share of the sessions that is inspected at both engines (undefined: nobody watches), and how many are run of a slice. */
const WATCHED = {
  'nobody watching': { watch: undefined, share: 1 },
  '1 % watched': { watch: 0.01, share: 0.5 },
  'everything watched': { watch: 1, share: 0.1 },
} as const;
const SLICES = 10;
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
        for (const [name, { watch }] of Object.entries(WATCHED)) {
          options[name] = { work: 'negotiation', placement, watch };
        }
        const contenders: Contender[] = [];
        for (const [name, each] of Object.entries(options)) {
          const { port } = await startEngineServer(lab, each);
          const client = await startEngineClient(lab, each, port);
          const share = WATCHED[name as keyof typeof WATCHED]?.share ?? 1;
          contenders.push({ name, client, share, slices: [] });
          await client.ask('run', { count: Math.min(WARM_UP, sessions) * share, concurrency });
        }
        const samples: Record<string, Sample[]> = {};
        for (const { name } of contenders) samples[name] = [];
        for (let pair = 1; pair <= repeats; pair++) {
          for (let slice = 0; slice < SLICES; slice++) {
            for (const { client, share, slices } of slice % 2 === 0
              ? contenders
              : [...contenders].reverse()) {
              const count = Math.ceil((sessions / SLICES) * share);
              slices.push(await client.ask<Sample>('run', { count, concurrency }));
            }
          }
          const told = contenders.map(({ name, slices }) => {
            const sample = inOne(slices.splice(0));
            samples[name]!.push(sample);
            return `${name} ${significant(sample.measures['rate'] ?? 0)}`;
          });
          progress(`pair ${pair} of ${repeats}: ${told.join(' · ')}`);
        }
        for (const { client } of contenders) await client.end();
        return Object.keys(WATCHED).map((name) =>
          compared(name, samples, { placement, concurrency, sessions }, lab.kind),
        );
      } finally {
        stripped.remove();
      }
    },
  });

interface Contender {
  readonly name: string;
  readonly client: Program;
  readonly share: number;
  readonly slices: Sample[];
}

/** The slices of a run, all of the same size, as one: their common rate, the medians of the rest. */
function inOne(slices: readonly Sample[]): Sample {
  const failed = new Reasons();
  for (const { reasons = {} } of slices) {
    for (const [name, count] of Object.entries(reasons)) failed.add(name, count);
  }
  const all = (measure: string): number[] => slices.map(({ measures }) => measures[measure] ?? NaN);
  const names = Object.keys(slices[0]?.measures ?? {});
  const measures = Object.fromEntries(names.map((name) => [name, median(all(name))]));
  const seconds = all('rate').reduce((sum, rate) => sum + 1 / rate, 0);
  return {
    failures: slices.reduce((sum, { failures }) => sum + failures, 0),
    reasons: failed.toJSON(),
    measures: { ...measures, rate: slices.length / seconds },
  };
}

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
