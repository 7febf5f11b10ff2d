/**
 * The initiating engine of the negotiation benchmark:
 *
 *     node dist/bench/engine-client.js --host ADDR --port N [--sessions N] [--concurrency N] [--warmup N]
 *                                      [--placement worker|main|inline] [--interface IF] [--json]
 *
 * Prints one result and ends. Failures are counted by name on stderr; nothing is retried.
 */
import { parseArgs } from 'node:util';
import { runAsa, sideOptions, toPlacement } from './engine-side.js';

const { values } = parseArgs({
  options: {
    ...sideOptions,
    host: { type: 'string', default: '::1' },
    port: { type: 'string', default: '0' },
    sessions: { type: 'string', default: '10000' },
    concurrency: { type: 'string', default: '32' },
    warmup: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
  },
});
const { result, close } = await runAsa(toPlacement(values.placement), values.interface, {
  role: 'initiator',
  host: values.host,
  port: Number(values.port),
  sessions: Number(values.sessions),
  concurrency: Number(values.concurrency),
  warmup: Number(values.warmup),
});
const outcome = await result;
await close();
if (outcome === undefined) throw new Error('the initiator ended without a result');
for (const [reason, count] of Object.entries(outcome.reasons))
  process.stderr.write(`engine: ${count} × ${reason}\n`);
process.stdout.write(
  values.json
    ? `${JSON.stringify(outcome)}\n`
    : `${outcome.rate} sessions/s, p50 ${outcome.p50Ms} ms, p99 ${outcome.p99Ms} ms, ${outcome.failures} failures\n`,
);
