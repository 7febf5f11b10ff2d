/**
 * Question: how many negotiations of two steps (request, counter-offer, accept) does a pair of engines complete
 * per second, and how near is that to the same exchange over raw sockets?
 *
 *     npm run bench -- negotiation [--concurrency N] [--sessions N] [--placement worker|main|inline]
 *                                  [--repeats N] [--json]
 *
 * Floor and engine take turns in the same namespaces, each run in a fresh client process after a warm-up; medians
 * over the repeats. `--sessions` is per repeat. Nothing is retried; exit 1 if any session failed.
 *
 * The placements are those of placements.ts.
 */
import type { ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nextLine, openLab, type Lab } from './lab.js';
import { placements, type Placement } from './placements.js';

/** What a client process reports of its run; floor and engine alike. */
interface ClientResult {
  readonly rate: number;
  /** CPU time of the client process, µs: tells more than the rate on a machine that others use too. */
  readonly cpuUsPerSession: number;
  readonly failures: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Options {
  readonly concurrency: number;
  readonly sessions: number;
  readonly repeats: number;
  readonly placement: Placement;
  readonly json: boolean;
}

const usage =
  'usage: npm run bench -- negotiation [--concurrency N] [--sessions N] [--placement worker|main|inline] ' +
  '[--repeats N] [--json]';

function parse(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      concurrency: { type: 'string', default: '32' },
      sessions: { type: 'string', default: '10000' },
      repeats: { type: 'string', default: '3' },
      placement: { type: 'string', default: 'worker' },
      json: { type: 'boolean', default: false },
    },
  });
  const count = (name: 'concurrency' | 'sessions' | 'repeats'): number => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1`);
    return value;
  };
  const placement = placements.find((known) => known === values.placement);
  if (placement === undefined) throw new Error(`--placement must be one of ${placements.join(', ')}`);
  return {
    concurrency: count('concurrency'),
    sessions: count('sessions'),
    repeats: count('repeats'),
    placement,
    json: values.json,
  };
}

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const progress = (text: string): void => void process.stderr.write(`${text}\n`);

async function startServer(lab: Lab, what: string, args: readonly string[]): Promise<number> {
  const ready = (await nextLine(lab.server.spawn(args), what)) as { port?: unknown };
  if (typeof ready.port !== 'number') throw new Error(`${what} did not say its port`);
  return ready.port;
}

async function runClient(lab: Lab, what: string, args: readonly string[]): Promise<ClientResult> {
  const child: ChildProcess = lab.client.spawn(args);
  const result = (await nextLine(child, what)) as ClientResult;
  child.stdin?.end();
  return result;
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
};
const spread = (values: readonly number[]): [number, number] => [Math.min(...values), Math.max(...values)];
const round = (value: number, digits: number): number => Number(value.toFixed(digits));

async function compare(lab: Lab, options: Options): Promise<number> {
  const { concurrency, sessions, repeats, placement } = options;
  // Long enough for the compiler of the JavaScript engine, short beside the run.
  const warmup = Math.min(4000, Math.ceil(sessions / 2));
  const load = [
    '--sessions',
    `${sessions}`,
    '--concurrency',
    `${concurrency}`,
    '--warmup',
    `${warmup}`,
    '--json',
  ];
  const on = (name: string | undefined): string[] => (name === undefined ? [] : ['--interface', name]);

  const floorPort = await startServer(lab, 'floor server', [
    script('floor.js'),
    'server',
    '--host',
    lab.server.address,
  ]);
  const enginePort = await startServer(lab, 'engine server', [
    script('engine-server.js'),
    ...['--placement', placement, ...on(lab.server.interface)],
  ]);

  const floor: ClientResult[] = [];
  const engine: ClientResult[] = [];
  for (let repeat = 1; repeat <= repeats; repeat++) {
    const target = (port: number): string[] => ['--host', lab.server.address, '--port', `${port}`];
    const raw = await runClient(lab, 'floor client', [
      script('floor.js'),
      'client',
      ...target(floorPort),
      ...load,
    ]);
    const own = await runClient(lab, 'engine client', [
      script('engine-client.js'),
      ...['--placement', placement, ...on(lab.client.interface), ...target(enginePort), ...load],
    ]);
    floor.push(raw);
    engine.push(own);
    progress(
      `repeat ${repeat} of ${repeats}: floor ${raw.rate}/s, engine ${own.rate}/s (${(own.rate / raw.rate).toFixed(2)}), ` +
        `p50 ${own.p50Ms} ms, p99 ${own.p99Ms} ms, failures ${own.failures}`,
    );
  }

  const rates = engine.map((run) => run.rate);
  const floors = floor.map((run) => run.rate);
  const rate = median(rates);
  const floorRate = median(floors);
  const failures = engine.reduce((sum, run) => sum + run.failures, 0);
  const floorFailures = floor.reduce((sum, run) => sum + run.failures, 0);
  const result = {
    benchmark: 'negotiation',
    question:
      'negotiations of two steps per second, beside raw sockets with the same sizes and closing order',
    lab: lab.kind,
    node: process.version,
    cpus: availableParallelism(),
    placement,
    concurrency,
    sessions,
    repeats,
    rate: Math.round(rate),
    floor: Math.round(floorRate),
    ratio: round(rate / floorRate, 3),
    failures,
    p50Ms: round(median(engine.map((run) => run.p50Ms)), 3),
    p99Ms: round(median(engine.map((run) => run.p99Ms)), 3),
    cpuUsPerSession: Math.round(median(engine.map((run) => run.cpuUsPerSession))),
    floorFailures,
    floorCpuUsPerSession: Math.round(median(floor.map((run) => run.cpuUsPerSession))),
    floorP50Ms: round(median(floor.map((run) => run.p50Ms)), 3),
    floorP99Ms: round(median(floor.map((run) => run.p99Ms)), 3),
    rateSpread: spread(rates),
    floorSpread: spread(floors),
    ratioSpread: spread(rates.map((value, index) => round(value / (floors[index] ?? NaN), 3))),
  };
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    const range = ([low, high]: [number, number]): string => `${low} … ${high}`;
    process.stdout.write(
      [
        `Question: ${result.question}.`,
        `${result.sessions} sessions × ${result.repeats}, concurrency ${result.concurrency}, placement ` +
          `${result.placement}, ${result.lab}, Node ${result.node}, ${result.cpus} cores`,
        `engine  ${result.rate}/s (${range(result.rateSpread)}), p50 ${result.p50Ms} ms, p99 ${result.p99Ms} ms, ` +
          `${result.cpuUsPerSession} µs CPU per session (client), ${result.failures} failures`,
        `floor   ${result.floor}/s (${range(result.floorSpread)}), p50 ${result.floorP50Ms} ms, p99 ` +
          `${result.floorP99Ms} ms, ${result.floorCpuUsPerSession} µs CPU per session (client), ` +
          `${result.floorFailures} failures`,
        `ratio   ${result.ratio} (${range(result.ratioSpread)})`,
        '',
      ].join('\n'),
    );
  }
  return failures + floorFailures === 0 ? 0 : 1;
}

/** @returns the exit code: 0, 1 after any failed session, 2 for a wrong option, 3 when a side could not run. */
export async function main(args: string[]): Promise<number> {
  let options: Options;
  try {
    options = parse(args);
  } catch (error) {
    progress(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return 2;
  }
  const lab = openLab();
  try {
    return await compare(lab, options);
  } catch (error) {
    progress(error instanceof Error ? error.message : String(error));
    return 3;
  } finally {
    lab.close();
  }
}
