/**
 * All benchmarks with sizes that tell something: `npm run bench -- --all [--quick] [--only NAME,NAME]`. Each runs in a
 * process of its own. Writes bench/results/<date>.json, docs/BENCHMARKS.md between its markers, and docs/plots. With
 * `--only` the others keep the results that today's file already has.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { writeDocs } from './report/docs.js';
import { read, root, write, type Results } from './report/results.js';
import { progress, script } from './support/program.js';
import type { Result } from './support/result.js';

interface Run {
  readonly name: string;
  readonly args: readonly string[];
  /** Instead of them when only a look is wanted. */
  readonly quick: readonly string[];
}

const run = (name: string, args: string, quick: string): Run => ({
  name,
  args: args.split(' ').filter((each) => each !== ''),
  quick: quick.split(' ').filter((each) => each !== ''),
});

const QUICK_SESSIONS = '--sessions 1000 --repeats 1';

const runs: readonly Run[] = [
  ...[1, 8, 32, 64, 256].map((n) =>
    run(
      'negotiation',
      // 50,000 at 32 at once: so many must not fail.
      `--placement all --concurrency ${n} ${n === 32 ? '--sessions 5000 --repeats 10' : '--repeats 3'}`,
      `--placement all --concurrency ${n} ${QUICK_SESSIONS}`,
    ),
  ),
  run('step', '--placement all', '--placement all --sessions 2000 --repeats 1'),
  ...[1, 32].map((n) =>
    run(
      'synchronize',
      `--placement all --concurrency ${n}`,
      `--placement all --concurrency ${n} ${QUICK_SESSIONS}`,
    ),
  ),
  run('discovery', '', '--names 50 --repeats 1'),
  run('discovery', '--pace 10', '--pace 10 --names 50 --repeats 1'),
  run('discovery', '--relays 5', '--relays 5 --names 50 --repeats 1'),
  run('flood', '', '--seconds 2 --repeats 1'),
  run('flood', '--line 10', '--line 10 --floods 50 --repeats 1'),
  run('relay', '--kind floods', '--kind floods --seconds 2 --repeats 1'),
  run('relay', '--kind discoveries', '--kind discoveries --seconds 2 --repeats 1'),
  run('start-up', '', '--starts 3 --repeats 1'),
  run('start-up', '--placement inline', '--placement inline --starts 3 --repeats 1'),
  run('memory', '', '--sessions 1000 --repeats 1'),
  run('memory', '--placement inline', '--placement inline --sessions 1000 --repeats 1'),
  run('watching', '', '--sessions 1000 --repeats 2'),
  run('ageing', '', '--sessions 4000 --batch 1000'),
  run('overload', '', '--seconds 5 --sessions 1000'),
];

/** So long a benchmark may take at most. */
const MOST_MS = 900_000;

/** The results of one benchmark; empty if it could not run. */
function collect({ name }: Run, args: readonly string[]): Promise<Result[]> {
  const child = spawn(process.execPath, [script('index.js'), name, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: MOST_MS,
  });
  const stop = (): boolean => child.kill('SIGTERM');
  process.once('exit', stop);
  const found: Result[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => found.push(JSON.parse(line) as Result));
  return new Promise((resolve) => {
    child.once('close', () => {
      process.off('exit', stop);
      resolve(found);
    });
  });
}

const keyOf = ({ benchmark, variant, measure }: Result): string => `${benchmark}\n${variant}\n${measure}`;

/** The new ones in the place of the old ones with the same name. */
function merge(old: readonly Result[], now: readonly Result[]): Result[] {
  const all = new Map([...old, ...now].map((result) => [keyOf(result), result]));
  return [...all.values()];
}

function options(args: string[]): { quick: boolean; only: readonly string[] | undefined } | undefined {
  try {
    const { values } = parseArgs({
      args,
      options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
    });
    return { quick: values.quick, only: values.only?.split(',') };
  } catch (error) {
    progress(error instanceof Error ? error.message : String(error));
    progress('usage: npm run bench -- --all [--quick] [--only NAME,NAME]');
    return undefined;
  }
}

/** @returns 0, 1 after any failure or a benchmark that could not run, 2 for a wrong option. */
export async function main(args: string[]): Promise<number> {
  const chosen = options(args);
  if (!chosen) return 2;
  const { quick, only } = chosen;
  process.once('SIGINT', () => process.exit(1));
  process.once('SIGTERM', () => process.exit(1));
  const began = performance.now();
  const date = new Date().toISOString().slice(0, 10);
  const today = join(root, 'bench', 'results', `${date}.json`);
  const kept = only !== undefined && existsSync(today) ? read(today).results : [];
  const results: Result[] = [];
  const missing: string[] = [];
  const wanted = runs.filter(({ name }) => only === undefined || only.includes(name));
  for (const [index, each] of wanted.entries()) {
    const these = quick ? each.quick : each.args;
    const title = [each.name, ...these].join(' ');
    const seconds = Math.round((performance.now() - began) / 1000);
    progress(`\n== ${index + 1} of ${wanted.length}: ${title} (${seconds} s)`);
    const found = await collect(each, these);
    if (found.length === 0) missing.push(title);
    results.push(...found);
    const head = { date, node: process.version, cpus: availableParallelism(), quick, missing };
    const all: Results = { ...head, results: merge(kept, results) };
    // After each: whoever interrupts the rest keeps what there is.
    write(all);
    writeDocs(all);
  }
  progress(`\nwritten: ${today}`);
  return missing.length === 0 && results.every(({ failures }) => failures === 0) ? 0 : 1;
}
