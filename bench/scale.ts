/**
 * Question: what do floods and discoveries cost as a domain grows, how far do they come, and what must one node of a
 * large domain process? And: how many negotiations can be under way in one engine at once?
 *
 *     npm run bench -- scale [--nodes 10,100,1000] [--topology grid,random,scale-free] [--seed N]
 *                            [--part growth,node,rates,sessions] [--sessions N] [--json] [--report FILE]
 *
 * Real engines, each with its relays, on a simulated network in this thread, under virtual time; every edge of a
 * topology is a link of its own, of 1 ms and up to 0.5 ms more. What is compared with: one message per node and link
 * direction. `--report docs/SCALING.md` renews the tables of that page and its plots.
 *
 * Everything but wall time and memory is the same in every run with the same seed, up to the ids that engines draw.
 */
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { measureGrowth, type Growth } from './scale-growth.js';
import { measureNode } from './scale-node.js';
import { measureRate, RATE_CASES, type RateResult } from './scale-rates.js';
import { checkPage, tablesOf, writeReport, type ScaleResult } from './scale-report.js';
import { measureSessions } from './scale-sessions.js';
import { timed } from './scale-meter.js';
import { topologyNames, type TopologyName } from './scale-topologies.js';

const parts = ['growth', 'node', 'rates', 'sessions'] as const;
type Part = (typeof parts)[number];

interface Options {
  readonly nodes: readonly number[];
  readonly topologies: readonly TopologyName[];
  readonly seed: number;
  readonly parts: readonly Part[];
  readonly sessions: number;
  readonly json: boolean;
  readonly report: string | undefined;
}

const usage =
  'usage: npm run bench -- scale [--nodes 10,100,1000] [--topology grid,random,scale-free] [--seed N] ' +
  '[--part growth,node,rates,sessions] [--sessions N] [--json] [--report FILE]';

/** As many as a session worker takes by default (`limits.sessions`). */
const SESSIONS = '10000';

function parse(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      nodes: { type: 'string', default: '10,100,1000' },
      topology: { type: 'string', default: topologyNames.join(',') },
      seed: { type: 'string', default: '1' },
      part: { type: 'string', default: parts.join(',') },
      sessions: { type: 'string', default: SESSIONS },
      json: { type: 'boolean', default: false },
      report: { type: 'string' },
    },
  });
  return {
    nodes: values.nodes.split(',').map((text) => whole(text, '--nodes', 2)),
    topologies: chosen(values.topology, topologyNames, '--topology'),
    seed: whole(values.seed, '--seed', 0),
    parts: chosen(values.part, parts, '--part'),
    sessions: whole(values.sessions, '--sessions', 1),
    json: values.json,
    report: values.report,
  };
}

function whole(text: string, name: string, least: number): number {
  const value = Number(text);
  if (text !== '' && Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`${name} takes whole numbers from ${least}, not '${text}'`);
}

function chosen<T extends string>(text: string, known: readonly T[], name: string): T[] {
  return text.split(',').map((part) => {
    const found = known.find((each) => each === part);
    if (found === undefined) throw new Error(`${name} takes ${known.join(', ')}, not '${part}'`);
    return found;
  });
}

const progress = (text: string): void => void process.stderr.write(`${text}\n`);

async function grow({ topologies, nodes, seed }: Options): Promise<Growth[]> {
  const results: Growth[] = [];
  for (const topology of topologies) {
    for (const count of nodes) {
      const one = await measureGrowth(topology, count, seed);
      const flood = one.floods.at(-1)!;
      progress(
        `${topology}, ${count} nodes: started in ${one.startMs} ms, ${one.kbPerNode} kB each; flood ` +
          `${flood.messages} messages (at most ${one.perDirection}), ${100 * flood.coverage} % of the nodes`,
      );
      results.push(one);
    }
  }
  return results;
}

async function floodAtRates({ seed }: Options): Promise<RateResult[]> {
  const results: RateResult[] = [];
  for (const one of RATE_CASES) {
    const result = await measureRate(one, 'random', seed);
    progress(
      `${one.nodes} nodes, ${one.rate} floods/s: a node hears ${result.heard}/s, ` +
        `${result.cpuUsPerDatagram} µs each; coverage ${100 * result.coverage} %`,
    );
    results.push(result);
  }
  return results;
}

async function measure(options: Options, args: readonly string[]): Promise<ScaleResult> {
  const runs = (part: Part): boolean => options.parts.includes(part);
  const { result, wallMs } = await timed(async () => ({
    // First, while nothing else has filled the heap.
    nodeCost: runs('node') ? await measureNode(options.seed) : undefined,
    growth: runs('growth') ? await grow(options) : undefined,
    rates: runs('rates') ? await floodAtRates(options) : undefined,
    sessions: runs('sessions') ? await measureSessions(options.sessions) : undefined,
  }));
  return {
    benchmark: 'scale',
    question: 'what floods and discoveries cost in a growing domain, and what one node of it must process',
    node: process.version,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cpus: availableParallelism(),
    seed: options.seed,
    command: ['npm run bench -- scale', ...args].join(' '),
    ...result,
    wallSeconds: Math.round(wallMs / 1000),
  };
}

/** Everything the engine promises: one message at most per node and direction, full reach, all sessions alive. */
function holds({ growth = [], sessions }: ScaleResult): boolean {
  return (
    growth.every(
      ({ floods, discoveries, ideal }) =>
        floods.at(-1)!.coverage === 1 &&
        floods.at(-1)!.messages <= ideal &&
        floods.every(({ mostPerDirection }) => mostPerDirection <= 1) &&
        discoveries.at(-1)!.answered,
    ) &&
    (!sessions ||
      (sessions.aliveAtResponder === sessions.sessions && sessions.accepted === sessions.sessions))
  );
}

/** @returns the exit code: 0, 1 if something did not reach everybody or came twice, 2 for a wrong option. */
export async function main(args: string[]): Promise<number> {
  let options: Options;
  try {
    options = parse(args);
    if (options.report !== undefined) checkPage(options.report);
  } catch (error) {
    progress(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return 2;
  }
  const result = await measure(options, args);
  if (options.report !== undefined) writeReport(options.report, result);
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else
    process.stdout.write(
      `Question: ${result.question}.\n\n${Object.values(tablesOf(result)).join('\n\n')}\n`,
    );
  return holds(result) ? 0 : 1;
}
