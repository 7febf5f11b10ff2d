/**
 * `npm run conformance:broken -- [--jobs N] [--patience N] [--only TEXT,…]`: the suite against deliberately broken
 * engines, each of which it must name the row for. Exit code 1 if one gets by.
 */
import { parseArgs } from 'node:util';
import { CallFailed, Unsupported } from '../adapter.js';
import { Violation } from '../peer.js';
import { adapterCommand, runSuite, type RowResult, type SuiteResult } from '../suite.js';
import { allBrokenEngines, brokenText } from './all.js';
import { CONTROL, type BrokenEngine } from './engines.js';

const PATCH = new URL('./patch.js', import.meta.url).href;

process.on('unhandledRejection', (error) => {
  if (!(error instanceof CallFailed || error instanceof Unsupported || error instanceof Violation))
    throw error;
});

const { values } = parseArgs({
  options: { jobs: { type: 'string' }, patience: { type: 'string' }, only: { type: 'string' } },
});
const patience = Number(values.patience ?? 1);
const wanted = (values.only ?? '').split(',');
const engines = allBrokenEngines.filter(({ name, row }) =>
  wanted.some((each) => `${row} ${name}`.includes(each)),
);

// A change that no longer finds its place breaks nothing: said at once.
for (const { changes } of engines) {
  for (const change of changes) brokenText(change);
}

function run(only: readonly string[], command: readonly string[]): Promise<SuiteResult> {
  return runSuite({ command, only, jobs: 1, patience });
}

async function judge({ row, changes, control = CONTROL }: BrokenEngine): Promise<string | undefined> {
  const [node, adapter] = adapterCommand('anima-grasp') as [string, string];
  const environment = `GRASP_BROKEN=${JSON.stringify(changes)}`;
  const command = ['env', environment, node, '--import', PATCH, adapter];
  const { rows } = await run([row, control], command);
  const named = rows.find(({ id }) => id === row)!;
  let other = rows.find(({ id }) => id === control)!;
  if (named.status !== 'failed') return `${row} is ${named.status} (${named.reason.split('\n')[0]})`;
  // A machine busy with broken engines may make a sound one late, once.
  if (other.status !== 'passed') [other] = (await run([control], command)).rows as [RowResult];
  return other.status === 'passed'
    ? undefined
    : `${control}, the control, is ${other.status}: ${other.reason}`;
}

// The rows must pass on the engine as it is, or their failing would say nothing.
const rows = [...new Set(engines.flatMap(({ row, control = CONTROL }) => [row, control]))];
process.stderr.write(`${rows.length} rows on the engine as it is\n`);
const sound = await runSuite({ only: rows, patience, jobs: Number(values.jobs ?? 4) });
const unsound = new Map(
  sound.rows.filter(({ status }) => status !== 'passed').map(({ id, reason }) => [id, reason.split('\n')[0]]),
);

let missed = 0;
const queue = [...engines];
const work = async (): Promise<void> => {
  for (let engine = queue.shift(); engine; engine = queue.shift()) {
    const before = unsound.get(engine.row) ?? unsound.get(engine.control ?? CONTROL);
    const problem = before === undefined ? await judge(engine) : `without that, already: ${before}`;
    if (problem !== undefined) missed++;
    process.stdout.write(`${problem === undefined ? 'named ' : 'MISSED'} ${engine.row}: ${engine.name}\n`);
    if (problem !== undefined) process.stdout.write(`       ${problem}\n`);
  }
};
await Promise.all(Array.from({ length: Number(values.jobs ?? 4) }, work));
process.stdout.write(`${engines.length - missed} of ${engines.length} broken engines named\n`);
process.exitCode = missed > 0 ? 1 : 0;
