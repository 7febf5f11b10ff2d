/**
 * Question: how long does one step of a negotiation take on a session that is open, beside 40 bytes there and 40 bytes
 * back on one open connection?
 *
 *     npm run bench -- step [--sessions STEPS] [--concurrency N] [--placement worker|main|inline|all] [--repeats N]
 *                           [--json]
 *
 * A step is an offer and the answer to it. Loop counts end a session after 127 of them; the time to open the next one
 * is not counted.
 */
import { script } from './support/program.js';
import { sessionBenchmark } from './support/session-benchmark.js';
import { toSample } from './support/sessions.js';

export const main = sessionBenchmark({
  work: 'step',
  question: 'How long does one step on an open session take, beside a ping-pong of the same sizes?',
  measure: 'p50Ms',
  load: { concurrency: 1, sessions: 20_000 },
  tunedFloor: false,
  startFloor: async (lab) => {
    const file = script('floors/ping-pong.js');
    const server = lab.server.start('floor server', [file, 'server', lab.server.address]);
    const port = await server.number('port');
    return async ({ sessions, concurrency }) => {
      const load = [port, sessions, concurrency].map(String);
      const client = lab.client.start('floor client', [file, 'client', lab.server.address, ...load]);
      const sample = toSample(await client.next());
      await client.end();
      return sample;
    };
  },
});
