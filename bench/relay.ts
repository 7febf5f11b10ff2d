/**
 * Question: how many floods or discoveries per second does a node with two links pass from one to the other, beside a
 * raw UDP forwarder?
 *
 *     npm run bench -- relay [--kind floods|discoveries] [--rate N] [--seconds N] [--names N] [--repeats N] [--json]
 *
 * The rate limits of the engine (2,000 floods and 200 discoveries per second) are lifted here. A raw sender offers
 * `--rate` per second, a raw counter on the far link counts. What is not relayed at that rate is no failure, as long
 * as the relay has counted it by a reason; the floor's is given as lost.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { needNamespaces, type Lab } from './lab.js';
import { M_DISCOVERY, M_FLOOD } from '../src/protocol/index.js';
import { runBenchmark, takeTurns } from './support/contest.js';
import { atRest, growth, startNode, type Counts } from './support/nodes.js';
import { common, parse, usage, type Parsed } from './support/options.js';
import { progress, script } from './support/program.js';
import { toResult, type Result, type Sample } from './support/result.js';
import { FLOOR_GROUP, GRASP_GROUP, startCounter, startSender, type Storm } from './support/storm.js';

const declared = { ...common, kind: ['floods', 'discoveries'], rate: 0, seconds: 5, names: 1_000 } as const;
type Options = Parsed<typeof declared>;

/** What is offered unless `--rate` says otherwise: more than one node relays. */
const RATES: Readonly<Record<string, number>> = { floods: 20_000, discoveries: 4_000 };
const LIMITS = {
  floodRelayRate: 1_000_000,
  floodRelayBurst: 1_000_000,
  discoveryRelayRate: 1_000_000,
  discoveryRelays: 100_000,
  discoveryRelayMemory: 1_000_000,
};
/** Lets what is under way arrive; discoveries that are relayed end after this time, too. */
const SETTLE_MS = 1_000;

const DROPS =
  /^(flood\.relay\.|relay\.discovery\.(rate|memory|send-failed)|multicast\.(flood|discovery)\.queue-full|multicast\.kernel-dropped)/;

function accounted(counts: Counts, kind: string): number {
  const relayed = kind === 'floods' ? 'flood.relayed' : 'relay.discovery.sent';
  const drops = Object.entries(counts).filter(([name]) => DROPS.test(name));
  return (counts[relayed] ?? 0) + drops.reduce((sum, [, count]) => sum + count, 0);
}

const toSample = (received: number, storm: Storm, unaccounted: number): Sample => ({
  failures: unaccounted,
  ...(unaccounted > 0 ? { reasons: { 'neither relayed nor counted': unaccounted } } : {}),
  measures: {
    rate: Math.round(received / storm.seconds),
    offered: Math.round(storm.sent / storm.seconds),
    lost: storm.sent - received,
  },
});

async function measure(lab: Lab, options: Options): Promise<Result[]> {
  needNamespaces(lab);
  const { kind, seconds, names, repeats } = options;
  const rate = options.rate || (RATES[kind] ?? 1);
  const [near, relay, far] = lab.nodes;
  const message = kind === 'floods' ? 'flood' : 'discovery';
  const [from = '', to = ''] = relay!.interfaces;
  await relay!
    .start('forwarder', [script('floors/datagrams.js'), 'forward', from, to, ...FLOOR_GROUP])
    .next();
  const toFloor = await startSender(near!, FLOOR_GROUP, message, names);
  const floorCounter = await startCounter(far!, to, FLOOR_GROUP);
  const toEngine = await startSender(near!, GRASP_GROUP, message, names);
  const engineCounter = await startCounter(far!, to, GRASP_GROUP, kind === 'floods' ? M_FLOOD : M_DISCOVERY);
  const engine = await startNode(relay!, LIMITS);
  await toFloor(rate, 1);
  await toEngine(rate, 1);
  let before = await atRest(engine);

  const samples = await takeTurns(
    {
      floor: async () => {
        await floorCounter();
        const storm = await toFloor(rate, seconds);
        await delay(SETTLE_MS);
        return toSample((await floorCounter()).received, storm, 0);
      },
      engine: async () => {
        await engineCounter();
        const storm = await toEngine(rate, seconds);
        await delay(SETTLE_MS);
        const after = await atRest(engine);
        const counts = growth(before, after);
        before = after;
        const unaccounted = Math.max(0, storm.sent - accounted(counts, kind));
        if (unaccounted > 0) progress(`engine: ${JSON.stringify(counts)}`);
        return toSample((await engineCounter()).received, storm, unaccounted);
      },
    },
    repeats,
    'rate',
  );
  return [
    toResult(
      {
        benchmark: 'relay',
        question: `How many ${kind} per second does a node pass on to its other link, beside a raw UDP forwarder?`,
        variant: `${kind}, ${rate}/s offered`,
        settings: { kind, rate, seconds, names },
        lab: lab.kind,
        measure: 'rate',
        better: 'higher',
      },
      { engine: samples['engine'] ?? [], floor: samples['floor'] ?? [] },
    ),
  ];
}

export const main = (args: string[]): Promise<number> =>
  runBenchmark({
    usage: usage('relay', declared),
    parse: () => parse(args, declared),
    nodes: () => 3,
    measure,
  });
