/**
 * Question: what does it cost to be able to look inside, and to look? Negotiations per second with nobody watching, with
 * an inspection of 1 % of the sessions, and with one of everything, at both engines.
 *
 *     npm run bench -- watching [--concurrency N] [--sessions N] [--placement worker|main|inline] [--repeats PAIRS] [--json]
 *
 * What each is compared with is the same build with every place cut out at which an owner may tell a watcher
 * (`support/without-watching.ts`): an engine that cannot be watched at all. "Nobody watching" is this build as it is: the
 * code of inspection is not loaded, for a thread loads it when it is first asked for. These two are measured first, with
 * nobody else alive: those that are watched leave garbage and messages to whoever comes after them. After a warm-up the two
 * take turns in slices of an eighth of a second, in reverse order every second time, so that each comes as often after
 * itself as after the other, and a machine that is faster now than a second ago is so for both. Ten slices of each are a
 * run, the n-th runs a pair, each with processes of its own: one process may be 2 % faster than another of the same build as long as
 * it lives. The interval is that of the mean of the pairs' ratios. Then those that are watched, beside the one
 * that cannot be, a quarter of the pairs.
 */
import type { Lab } from './lab.js';
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
const NOBODY = { 'nobody watching': { watch: undefined, share: 1 } } as const;
const WATCHED = {
  '1 % watched': { watch: 0.01, share: 1 },
  'everything watched': { watch: 1, share: 0.5 },
} as const;
/** So many slices are a run, each of this part of its sessions. */
const SLICES = 10;
const PART = 1 / 10;
const CANNOT = 'cannot be watched';

interface Load {
  readonly placement: Placement;
  readonly concurrency: number;
  readonly sessions: number;
}

interface Contender {
  readonly name: string;
  readonly client: Program;
  readonly server: Program;
  readonly share: number;
  readonly slices: Sample[];
}

export const main = (args: string[]): Promise<number> =>
  runBenchmark({
    usage: usage('watching', declared),
    parse: () => parse(args, declared),
    measure: async (lab, { concurrency, sessions, repeats, placement: text }): Promise<Result[]> => {
      const load = { placement: text as Placement, concurrency, sessions };
      const stripped = buildWithoutWatching();
      try {
        progress(`${CANNOT}: ${stripped.cut} places cut out`);
        if (stripped.cut < 10) throw new Error('no build that cannot be watched: the places are not found');
        const unwatched = await inPairs(lab, load, stripped.bench, NOBODY, repeats);
        const watched = await inPairs(lab, load, stripped.bench, WATCHED, Math.ceil(repeats / 4));
        return [
          ...Object.keys(NOBODY).map((name) => compared(name, unwatched, load, lab.kind)),
          ...Object.keys(WATCHED).map((name) => compared(name, watched, load, lab.kind)),
        ];
      } finally {
        stripped.remove();
      }
    },
  });

/** Runs of each of these and of the engine that cannot be watched, in turns. */
async function inPairs(
  lab: Lab,
  { placement, concurrency, sessions }: Load,
  stripped: string,
  kinds: Readonly<Record<string, { readonly watch: number | undefined; readonly share: number }>>,
  pairs: number,
): Promise<Readonly<Record<string, readonly Sample[]>>> {
  const options: Record<string, EngineOptions> = {
    [CANNOT]: { work: 'negotiation', placement, build: stripped },
  };
  for (const [name, { watch }] of Object.entries(kinds)) {
    options[name] = { work: 'negotiation', placement, watch };
  }
  const samples: Record<string, Sample[]> = {};
  for (let pair = 1; pair <= pairs; pair++) {
    const contenders: Contender[] = [];
    for (const [name, each] of inOrder(Object.entries(options), pair)) {
      const { program: server, port } = await startEngineServer(lab, each);
      const client = await startEngineClient(lab, each, port);
      const share = kinds[name]?.share ?? 1;
      contenders.push({ name, client, server, share, slices: [] });
      await client.ask('run', { count: Math.min(WARM_UP, sessions) * share, concurrency });
    }
    for (let slice = 0; slice < SLICES; slice++) {
      for (const { client, share, slices } of inOrder(contenders, slice)) {
        const count = Math.ceil(sessions * PART * share);
        slices.push(await client.ask<Sample>('run', { count, concurrency }));
      }
    }
    const told = contenders.map(({ name, slices }) => {
      const sample = inOne(slices);
      (samples[name] ??= []).push(sample);
      return `${name} ${significant(sample.measures['rate'] ?? 0)}`;
    });
    progress(`pair ${pair} of ${pairs}: ${told.join(' · ')}`);
    for (const { client, server } of contenders) await Promise.all([client.end(), server.end()]);
  }
  return samples;
}

/** Reversed every second time. */
const inOrder = <T>(contenders: readonly T[], turn: number): readonly T[] =>
  turn % 2 === 0 ? contenders : [...contenders].reverse();

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
  settings: Load,
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
    settings: { ...settings },
    lab,
    measure: 'rate',
    better: 'higher',
  } as const;
  return {
    ...toResult(plan, { engine, floor }),
    ...(interval ? { ratioInterval: [round(interval.low, 3), round(interval.high, 3)] as const } : {}),
  };
}
