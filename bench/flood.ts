/**
 * Question: how many floods does a node take per second without losing one, the newest value of each name applied,
 * beside a raw UDP receiver? And how long does a flood take through a line of nodes, beside raw forwarders?
 *
 *     npm run bench -- flood [--rate N] [--seconds N] [--names N] [--repeats N] [--json]
 *     npm run bench -- flood --line NODES [--floods N] [--pace MS] [--repeats N] [--json]
 *
 * The sender is a raw socket. `rate` is what was taken per second of sending: at the rate offered, if nothing is lost.
 * A flood that was lost, or a name without its last value, is a failure.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { lineOfFloods } from './flood-line.js';
import { needNamespaces, type Lab } from './lab.js';
import { runBenchmark, takeTurns } from './support/contest.js';
import { atRest, growth, startNode } from './support/nodes.js';
import { common, parse, usage, type Parsed } from './support/options.js';
import { progress } from './support/program.js';
import { toResult, type Result, type Sample } from './support/result.js';
import { FLOOR_GROUP, GRASP_GROUP, lastValues, nameOf, startCounter, startSender } from './support/storm.js';

const declared = {
  ...common,
  rate: 20_000,
  seconds: 10,
  names: 1_000,
  line: 0,
  floods: 200,
  pace: 10,
} as const;
type Options = Parsed<typeof declared>;

/** A second at the rate, so that the code is compiled. */
const WARM_UP_S = 1;

function toSample(received: number, storm: { sent: number; seconds: number }, wrong: number): Sample {
  const lost = storm.sent - received;
  const reasons = {
    ...(lost === 0 ? {} : { lost }),
    ...(wrong === 0 ? {} : { 'not the last value': wrong }),
  };
  return {
    failures: Math.abs(lost) + wrong,
    reasons,
    measures: {
      rate: Math.round(received / storm.seconds),
      offered: Math.round(storm.sent / storm.seconds),
      lost,
    },
  };
}

async function receive(lab: Lab, options: Options): Promise<Result[]> {
  const { rate, seconds, names, repeats } = options;
  const [interfaceName = ''] = lab.server.interfaces;
  const engine = await startNode(lab.server);
  const toEngine = await startSender(lab.client, GRASP_GROUP, 'flood', names);
  const counter = await startCounter(lab.server, interfaceName, FLOOR_GROUP);
  const toFloor = await startSender(lab.client, FLOOR_GROUP, 'flood', names);
  const all = Array.from({ length: names }, (_, index) => nameOf(index));
  await toFloor(rate, WARM_UP_S);
  await toEngine(rate, WARM_UP_S);
  let before = await atRest(engine);

  const samples = await takeTurns(
    {
      floor: async () => {
        await counter();
        const storm = await toFloor(rate, seconds);
        // What the kernel still holds.
        await delay(200);
        return toSample((await counter()).received, storm, 0);
      },
      engine: async () => {
        const storm = await toEngine(rate, seconds);
        const after = await atRest(engine);
        const counts = growth(before, after);
        before = after;
        const { values } = await engine.ask<{ values: unknown[] }>('cached', { names: all });
        const last = lastValues(names, rate * seconds);
        const wrong = values.filter((value, index) => value !== last[index]).length;
        const handled = counts['multicast.handled'] ?? 0;
        if (handled !== storm.sent) progress(`engine: ${JSON.stringify(counts)}`);
        return toSample(handled, storm, wrong);
      },
    },
    repeats,
    'rate',
  );
  return [
    toResult(
      {
        benchmark: 'flood',
        question:
          'How many floods per second are taken without loss, beside a raw UDP receiver at the same rate?',
        variant: `${rate}/s offered`,
        settings: { rate, seconds, names },
        lab: lab.kind,
        measure: 'rate',
        better: 'higher',
      },
      { engine: samples['engine'] ?? [], floor: samples['floor'] ?? [] },
    ),
  ];
}

async function measure(lab: Lab, options: Options): Promise<Result[]> {
  needNamespaces(lab);
  return options.line > 0 ? lineOfFloods(lab, options) : receive(lab, options);
}

export const main = (args: string[]): Promise<number> =>
  runBenchmark({
    usage: usage('flood', declared),
    parse: () => parse(args, declared),
    nodes: ({ line }) => (line === 0 ? 2 : Math.max(2, line)),
    measure,
  });
