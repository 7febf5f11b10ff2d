/**
 * Question: how long does the first answer to a discovery take, on one link or through relays, in one attempt, beside a
 * raw multicast answered over a TCP connection?
 *
 *     npm run bench -- discovery [--relays N] [--names N] [--pace MS] [--repeats N] [--json]
 *
 * Every name is discovered once, so that no cache answers. Discoveries follow each other after a pause: relays pass on
 * 200 per second. A discovery without an answer within its time is a failure, and is not repeated.
 */
import { needNamespaces, type Lab } from './lab.js';
import { runBenchmark, takeTurns } from './support/contest.js';
import { common, parse, usage, type Parsed } from './support/options.js';
import { script, type Program } from './support/program.js';
import { toResult, type Result, type Sample } from './support/result.js';
import { startNode, startNodes } from './support/nodes.js';
import { latencies } from './support/statistics.js';

const declared = { ...common, relays: 0, names: 300, pace: 10 } as const;
type Options = Parsed<typeof declared>;

/** What discoveries through relays are given, and the floor too. */
const TIMEOUT_MS = 2_000;
/** Names discovered before each run is measured. */
const WARM_UP = 50;

const sample = (tookMs: readonly number[], failures: number): Sample => ({
  failures,
  ...(failures > 0 ? { reasons: { 'no answer': failures } } : {}),
  measures: latencies(tookMs.slice(WARM_UP)),
});

/** The line of raw answerer, relays and asker. */
async function startFloor(lab: Lab, { names, pace }: Options): Promise<() => Promise<Sample>> {
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
  const args = [names + WARM_UP, pace, TIMEOUT_MS].map(String);
  return async () => {
    const program = asker.start('floor client', [file, 'ask', ...asker.interfaces, ...args]);
    const { took, failures } = (await program.next()) as { took: number[]; failures: number };
    await program.end();
    return sample(took, failures);
  };
}

async function measure(lab: Lab, options: Options): Promise<Result[]> {
  needNamespaces(lab);
  const { relays, names, pace, repeats } = options;
  const engines = await startNodes(lab.nodes.slice(0, -1));
  const offering: Program = engines[0]!;
  const floor = await startFloor(lab, options);
  let run = 0;
  const samples = await takeTurns(
    {
      floor,
      engine: async () => {
        run += 1;
        const fresh = Array.from({ length: names + WARM_UP }, (_, n) => `bench:discovery:${run}:${n}`);
        await offering.ask('offer', { names: fresh });
        const asking = await startNode(lab.nodes.at(-1)!);
        const { tookMs, failures } = await asking.ask<{ tookMs: number[]; failures: number }>('discover', {
          names: fresh,
          loopCount: relays + 2,
          timeoutMs: TIMEOUT_MS,
          paceMs: pace,
        });
        await asking.end();
        return sample(tookMs, failures);
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
        variant: relays === 0 ? 'one link' : `${relays} relays`,
        settings: { relays, names, pace },
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
