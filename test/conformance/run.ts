/**
 * `npm run conformance -- [--adapter graspy|PATH] [--quick] [--json] [--only ID,…] [--jobs N] [--silence MS]
 * [--patience N]`: the suite from the command line. Progress on stderr, the result on stdout; exit code 1 if a row failed, 2 for
 * arguments that make no sense, 3 if no lab can be made here.
 *
 * `npm run conformance -- --report docs/CONFORMANCE.md [--adapter NAME]… [RESULT.json]…`: writes the results into that
 * document, of the engines named (default: this one, and the prototype if there is a copy), or of runs with `--json`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { labAvailable } from '../lab/netns.js';
import { CallFailed, Unsupported } from './adapter.js';
import { Violation } from './peer.js';
import { withReport } from './report.js';
import { requirements } from './requirements.js';
import { adapterCommand, runSuite, type RowResult, type SuiteResult } from './suite.js';

function usage(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(2);
}

function number(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) usage(`--${name} is a whole number from 1, not ${text}`);
  return value;
}

function options(): ReturnType<typeof parse> {
  try {
    return parse();
  } catch (error) {
    return usage((error as Error).message);
  }
}

function parse() {
  return parseArgs({
    options: {
      adapter: { type: 'string', multiple: true },
      quick: { type: 'boolean' },
      json: { type: 'boolean' },
      only: { type: 'string' },
      jobs: { type: 'string' },
      silence: { type: 'string' },
      patience: { type: 'string' },
      report: { type: 'string' },
    },
    allowPositionals: true,
  });
}

function table(result: SuiteResult): string {
  const statements = new Map(requirements.map((each) => [each.id, each.statement]));
  const lines = result.rows.map((row) => {
    const reason = row.reason === '' ? '' : `\n    ${row.reason.replaceAll('\n', '\n    ')}`;
    return `${row.id.padEnd(17)} ${row.level.padEnd(11)} ${row.status.padEnd(13)} ${statements.get(row.id)}${reason}`;
  });
  const { passed, failed, notApplicable } = result.summary;
  lines.push('', `${result.engine.name} ${result.engine.version}`);
  lines.push(`${passed} passed, ${failed} failed, ${notApplicable} not applicable`);
  if (result.skipped.length > 0) {
    lines.push(`--quick: ${result.skipped.length} rows over 5 s left out: ${result.skipped.join(' ')}`);
  }
  if (result.clock) lines.push('The adapter has a clock: some waits were shortened by advancing it.');
  return lines.join('\n');
}

function progress(row: RowResult, done: number, of: number): void {
  const reason = row.status === 'passed' ? '' : `: ${row.reason.split('\n')[0]}`;
  process.stderr.write(`[${done}/${of}] ${row.id} ${row.status} ${(row.ms / 1000).toFixed(1)} s${reason}\n`);
}

// A call that fails before the row looks at it: the row will, or has failed already.
process.on('unhandledRejection', (error) => {
  if (!(error instanceof CallFailed || error instanceof Unsupported || error instanceof Violation))
    throw error;
});

const { values, positionals } = options();
if (values.report === undefined && positionals.length > 0) usage(`what is ${positionals[0]} for?`);
const both = process.env['GRASPY_DIR'] ? ['anima-grasp', 'graspy'] : ['anima-grasp'];
const adapters = values.adapter ?? (values.report === undefined ? ['anima-grasp'] : both);
if (values.report === undefined && adapters.length > 1) usage('one --adapter at a time');

async function run(adapter: string): Promise<SuiteResult> {
  try {
    adapterCommand(adapter);
  } catch (error) {
    usage((error as Error).message);
  }
  const unavailable = labAvailable();
  if (unavailable !== undefined) {
    process.stderr.write(`no network namespaces: ${unavailable}\n`);
    process.exit(3);
  }
  return runSuite({
    adapter,
    quick: values.quick,
    only: values.only?.split(',').map((each) => each.trim()),
    jobs: number(values.jobs, 'jobs'),
    silenceMs: number(values.silence, 'silence'),
    patience: number(values.patience, 'patience'),
    onResult: progress,
  }).catch((error: unknown) => {
    if (error instanceof RangeError) usage(error.message);
    throw error;
  });
}

/** What `--json` has written; npm may have put lines in front of it. */
function earlier(file: string): SuiteResult {
  try {
    return JSON.parse(readFileSync(file, 'utf8').trimEnd().split('\n').at(-1)!) as SuiteResult;
  } catch (error) {
    return usage(`${file}: ${(error as Error).message}`);
  }
}

const results = positionals.map(earlier);
if (results.length === 0) for (const adapter of adapters) results.push(await run(adapter));
if (values.report !== undefined) {
  writeFileSync(values.report, withReport(readFileSync(values.report, 'utf8'), results));
} else {
  const [result] = results as [SuiteResult];
  process.stdout.write(`${values.json ? JSON.stringify(result) : table(result)}\n`);
}
process.exitCode = results[0]!.summary.failed > 0 ? 1 : 0;
