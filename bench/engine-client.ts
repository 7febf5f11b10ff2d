/**
 * The initiating engine of the benchmarks with sessions:
 *
 *     node dist/bench/engine-client.js --host ADDR --port N [--work NAME] [--sessions N] [--concurrency N] [--warmup N]
 *                                      [--placement worker|main|inline] [--interface IF] [--limits JSON] [--json]
 *
 * Prints one result and ends. With `--serve` it prints `{"event":"ready"}` instead and carries out commands (JSON
 * lines) until its standard input ends. Failures are counted by name; nothing is retried.
 */
import { parseArgs } from 'node:util';
import { sideOptions, startSide, toPlacement, toWork } from './engine-side.js';
import { say, serveCommands } from './support/commands.js';
import type { Sample } from './support/result.js';

const { values } = parseArgs({
  options: {
    ...sideOptions,
    host: { type: 'string', default: '::1' },
    port: { type: 'string', default: '0' },
    sessions: { type: 'string', default: '10000' },
    concurrency: { type: 'string', default: '32' },
    warmup: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
    serve: { type: 'boolean', default: false },
  },
});
const { ask, close } = await startSide(toPlacement(values.placement), values, {
  work: toWork(values.work),
  role: 'initiator',
  peer: { address: values.host, port: Number(values.port) },
});

async function run(count: string): Promise<Sample> {
  const load = { count: Number(count), concurrency: Number(values.concurrency) };
  const answer = (await ask({ do: 'run', ...load })) as Sample | { error: string };
  if ('error' in answer) throw new Error(answer.error);
  return answer;
}

if (values.serve) {
  serveCommands({ run: ask, open: ask, release: ask, overload: ask, memory: ask }, close);
  say({ event: 'ready' });
} else {
  const warmup = await run(values.warmup);
  const result = await run(values.sessions);
  await close();
  // A session that fails while warming up has failed all the same.
  const failures = warmup.failures + result.failures;
  const reasons = { ...warmup.reasons, ...result.reasons };
  const { measures } = result;
  if (values.json) say({ failures, reasons, measures });
  else {
    for (const [reason, count] of Object.entries(reasons))
      process.stderr.write(`engine: ${count} × ${reason}\n`);
    process.stdout.write(
      `${measures['rate'] ?? 0}/s, p50 ${measures['p50Ms'] ?? 0} ms, p99 ${measures['p99Ms'] ?? 0} ms, ` +
        `${measures['cpuUs'] ?? 0} µs CPU each, ${failures} failures\n`,
    );
  }
}
