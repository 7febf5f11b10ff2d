/** The time of a flood through a line of nodes: from the call of the first ASA to the watch of the last. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Lab } from './lab.js';
import { takeTurns } from './support/contest.js';
import { startNode, startNodes } from './support/nodes.js';
import { script } from './support/program.js';
import { toResult, type Result, type Sample } from './support/result.js';
import { cold, latencies } from './support/statistics.js';
import { FLOOR_GROUP, startCounter } from './support/storm.js';

const OBJECTIVE = 'bench:flood:line';
/** Floods sent before those that count: at one in 10 ms it takes V8 as many to compile what a relay does. */
const WARM_UP = 2_000;
/** For the last of them to arrive. */
const SETTLE_MS = 500;

/**
 * Of numbers sent from 0 up. A watch that is behind is told the newest only: a number has arrived when it or a later
 * one has. What has not come is a failure.
 */
function toSample(sent: readonly string[], arrived: readonly (readonly [number, string])[]): Sample {
  let next = 0;
  const tookMs = sent.flatMap((ns, value) => {
    while (next < arrived.length && arrived[next]![0] < value) next += 1;
    const there = arrived[next]?.[1];
    return there === undefined ? [] : [Number(BigInt(there) - BigInt(ns)) / 1e6];
  });
  const lost = sent.length - tookMs.length;
  return {
    failures: lost,
    ...(lost > 0 ? { reasons: { lost } } : {}),
    measures: { ...latencies(tookMs.slice(WARM_UP)), ...cold(tookMs) },
  };
}

async function startFloor(lab: Lab, load: { count: number; paceMs: number }): Promise<() => Promise<Sample>> {
  const file = script('floors/datagrams.js');
  const [first, ...others] = lab.nodes;
  const last = others.pop()!;
  for (const node of others) {
    const [near = '', far = ''] = node.interfaces;
    await node.start('forwarder', [file, 'forward', near, far, ...FLOOR_GROUP]).next();
  }
  const counter = await startCounter(last, last.interfaces[0] ?? '', FLOOR_GROUP);
  const sender = first!.start('floor sender', [file, 'send', ...first!.interfaces, ...FLOOR_GROUP]);
  await sender.next();
  return async () => {
    await counter();
    const { sent } = await sender.ask<{ sent: string[] }>('send', load);
    await delay(SETTLE_MS);
    return toSample(sent, (await counter()).times ?? []);
  };
}

export async function lineOfFloods(
  lab: Lab,
  options: {
    readonly line: number;
    readonly floods: number;
    readonly pace: number;
    readonly repeats: number;
  },
): Promise<Result[]> {
  const { line, floods, pace, repeats } = options;
  const load = { count: floods + WARM_UP, paceMs: pace };
  const floor = await startFloor(lab, load);
  const samples = await takeTurns(
    {
      floor,
      // All are new each time, and so as cold as the first time; and to the watch no number comes twice.
      engine: async () => {
        const relays = await startNodes(lab.nodes.slice(1, -1));
        const first = await startNode(lab.nodes[0]!);
        const last = await startNode(lab.nodes.at(-1)!);
        await last.ask('watch', { name: OBJECTIVE });
        const { sent } = await first.ask<{ sent: string[] }>('flood', {
          name: OBJECTIVE,
          loopCount: 255,
          ...load,
        });
        await delay(SETTLE_MS);
        const { watched } = await last.ask<{ watched: [number, string][] }>('watched');
        for (const engine of [first, ...relays, last]) await engine.end();
        return toSample(sent, watched);
      },
    },
    repeats,
    'p50Ms',
  );
  return [
    toResult(
      {
        benchmark: 'flood',
        question: 'How long does a flood take through a line of nodes, beside raw UDP forwarders?',
        variant: `line of ${line}`,
        settings: { line, floods, pace },
        lab: lab.kind,
        measure: 'p50Ms',
        better: 'lower',
      },
      { engine: samples['engine'] ?? [], floor: samples['floor'] ?? [] },
    ),
  ];
}
