/**
 * Question: how many unicast synchronizations (RFC 8990 §2.5.6.1) with a peer that is named does an engine complete
 * per second, beside the same exchange over raw sockets: connect, 31 bytes, 38 bytes, closed by the responder?
 *
 *     npm run bench -- synchronize [--concurrency N] [--sessions N] [--placement worker|main|inline|all]
 *                                  [--repeats N] [--json]
 */
import { sessionBenchmark } from './support/session-benchmark.js';
import { runFloorClient, startFloorServer } from './support/sessions.js';

/** Of M_REQ_SYN and M_SYNCH as the ASAs make them. */
const SIZES = ['--request', '31', '--answer', '38', '--end', '0'];

export const main = sessionBenchmark({
  work: 'synchronize',
  question:
    'How many synchronizations with a named peer per second, beside raw sockets with the same sizes and closing order?',
  measure: 'rate',
  load: { concurrency: 32, sessions: 10_000 },
  tunedFloor: true,
  startFloor: async (lab, options) => {
    const { port } = await startFloorServer(lab, [...SIZES, ...options]);
    return (load) => runFloorClient(lab, port, load, [...SIZES, ...options]);
  },
});
