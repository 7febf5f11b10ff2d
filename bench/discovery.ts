/**
 * Question: how long does the first answer to a discovery take, on one link or through relays, in one attempt, beside a
 * raw multicast answered over a TCP connection?
 *
 *     npm run bench -- discovery [--relays N] [--names N] [--pace MS] [--repeats N] [--json]
 *
 * Every name is discovered once, so that no cache answers. Each discovery begins when the one before has its answer, or
 * after a pause from then: of so many ms with `--pace`, of 10 through relays, which pass on 200 per second. A discovery
 * without an answer within its time is a failure, and is not repeated. Before a run is measured 3,000 other names are
 * discovered one after another, 1,000 through relays: until then V8 is still compiling. How long the first 300 took is told, too.
 */
import { needNamespaces, type Lab } from './lab.js';
import { runBenchmark, takeTurns } from './support/contest.js';
import { common, parse, usage, type Parsed } from './support/options.js';
import { script } from './support/program.js';
import { toResult, type Result, type Sample } from './support/result.js';
import { startNode, startNodes } from './support/nodes.js';
import { cold, latencies } from './support/statistics.js';

const declared = { ...common, relays: 0, names: 300, pace: 0 } as const;
type Options = Parsed<typeof declared>;

/** What discoveries through relays are given, and the floor too. */
const TIMEOUT_MS = 2_000;
/** ms between discoveries that relays can follow. */
const RELAYED_PACE_MS = 10;

/** What is done before a run is measured, and how fast; how fast the measured ones follow each other. */
const planOf = ({ relays, pace }: Options) =>
  relays === 0
    ? { warmUp: 3_000, warmUpPaceMs: 0, paceMs: pace }
    : { warmUp: 1_000, warmUpPaceMs: RELAYED_PACE_MS, paceMs: pace || RELAYED_PACE_MS };

interface Discovered {
  readonly tookMs: readonly number[];
  readonly failures: number;
}

const sample = ({ tookMs, failures }: Discovered, first?: Discovered): Sample => ({
  failures,
  ...(failures > 0 ? { reasons: { 'no answer': failures } } : {}),
  measures: { ...latencies(tookMs), ...(first && cold(first.tookMs)) },
});

/** The line of raw answerer, relays and asker. */
async function startFloor(lab: Lab, options: Options): Promise<() => Promise<Sample>> {
  const file = script('floors/answer.js');
  const [server, ...others] = lab.nodes;
  const relays = others.slice(0, -1);
  await server!.start('floor', [file, 'answer', ...server!.interfaces]).next();
  for (const relay of relays) {
    // From the asker's side to the answerer's.
    const [near = '', far = ''] = relay.interfaces;
    await relay.start('floor relay', [file, 'relay', far, near]).next();
  }
  const asker = lab.nodes.at(-1)!;
  const { warmUp, warmUpPaceMs, paceMs } = planOf(options);
  const args = [warmUp, warmUpPaceMs, options.names, paceMs, TIMEOUT_MS].map(String);
  return async () => {
    const program = asker.start('floor client', [file, 'ask', ...asker.interfaces, ...args]);
    const discovered = (await program.next()) as unknown as Discovered;
    await program.end();
    return sample(discovered);
  };
}

async function measure(lab: Lab, options: Options): Promise<Result[]> {
  needNamespaces(lab);
  const { relays, names, repeats } = options;
  const { warmUp, warmUpPaceMs, paceMs } = planOf(options);
  const fresh = Array.from({ length: warmUp + names }, (_, n) => `bench:discovery:${n}`);
  const floor = await startFloor(lab, options);
  const samples = await takeTurns(
    {
      floor,
      // All are new each time, and so as cold as the first time.
      engine: async () => {
        const engines = await startNodes(lab.nodes.slice(0, -1), { objectives: warmUp + names });
        await engines[0]!.ask('offer', { names: fresh });
        const asking = await startNode(lab.nodes.at(-1)!);
        const discover = (some: readonly string[], paceMs: number): Promise<Discovered> =>
          asking.ask('discover', { names: some, loopCount: relays + 2, timeoutMs: TIMEOUT_MS, paceMs });
        const first = await discover(fresh.slice(0, warmUp), warmUpPaceMs);
        const discovered = await discover(fresh.slice(warmUp), paceMs);
        for (const engine of [asking, ...engines]) await engine.end();
        return sample(discovered, first);
      },
    },
    repeats,
    'p50Ms',
  );
  return [
    toResult(
      {
        benchmark: 'discovery',
        question:
          'How long until the first answer to a discovery, in one attempt, beside a multicast answered over TCP?',
        variant:
          (relays === 0 ? 'one link' : `${relays} relays`) + (paceMs > 0 ? `, every ${paceMs} ms` : ''),
        settings: { relays, names, paceMs, warmUp },
        lab: lab.kind,
        measure: 'p50Ms',
        better: 'lower',
      },
      { engine: samples['engine'] ?? [], floor: samples['floor'] ?? [] },
    ),
  ];
}

export const main = (args: string[]): Promise<number> =>
  runBenchmark({
    usage: usage('discovery', declared),
    parse: () => parse(args, declared),
    nodes: ({ relays }) => relays + 2,
    measure,
  });
