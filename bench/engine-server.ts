/**
 * The responding engine of the negotiation benchmark:
 *
 *     node dist/bench/engine-server.js [--placement worker|main|inline] [--interface IF]
 *
 * Prints `{"event":"ready","port":N}`, ends with its standard input.
 */
import { parseArgs } from 'node:util';
import { BroadcastChannel } from 'node:worker_threads';
import { READY_CHANNEL } from './engine-asa.js';
import { runAsa, sideOptions, toPlacement } from './engine-side.js';

const { values } = parseArgs({ options: sideOptions });
const channel = new BroadcastChannel(READY_CHANNEL);
channel.onmessage = (message: unknown) => {
  const { port } = (message as { data: { port: number } }).data;
  process.stdout.write(`${JSON.stringify({ event: 'ready', port })}\n`);
  channel.close();
};
const { result, close } = await runAsa(toPlacement(values.placement), values.interface, {
  role: 'responder',
});
process.stdin
  .on('end', () => {
    void close().then(() => process.exit(0));
  })
  .resume();
await result;
