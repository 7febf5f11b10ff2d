/**
 * Question: how many negotiations of two steps (request, counter-offer, accept) does a pair of engines complete
 * per second, and how near is that to the same exchange over raw sockets?
 *
 *     npm run bench -- negotiation [--concurrency N] [--sessions N] [--placement worker|main|inline|all]
 *                                  [--repeats N] [--json]
 *
 * Medians over the repeats; `--sessions` is per repeat. Nothing is retried; exit 1 if any session failed. The
 * placements are those of placements.ts; `all` runs them beside each other.
 */
import { sessionBenchmark } from './support/session-benchmark.js';
import { runFloorClient, startFloorServer } from './support/sessions.js';

export const main = sessionBenchmark({
  work: 'negotiation',
  question:
    'How many negotiations of two steps per second, beside raw sockets with the same sizes and closing order?',
  measure: 'rate',
  load: { concurrency: 32, sessions: 10_000 },
  tunedFloor: true,
  startFloor: async (lab, options) => {
    const { port } = await startFloorServer(lab, options);
    return (load) => runFloorClient(lab, port, load, options);
  },
});
