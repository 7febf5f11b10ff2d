/**
 * The responding engine of the benchmarks with sessions:
 *
 *     node dist/bench/engine-server.js [--work NAME] [--placement worker|main|inline] [--interface IF] [--limits JSON]
 *
 * Prints `{"event":"ready","port":N}`, carries out commands (JSON lines), ends with its standard input.
 */
import { parseArgs } from 'node:util';
import { objectiveOf } from './engine-asa.js';
import { sideOptions, startSide, toPlacement, toWork } from './engine-side.js';
import { say, serveCommands } from './support/commands.js';

const { values } = parseArgs({ options: sideOptions });
const work = toWork(values.work);
const { grasp, ask, close } = await startSide(toPlacement(values.placement), values, {
  work,
  role: 'responder',
});
const { objectives } = await grasp.status();
const port = objectives.find(({ name }) => name === objectiveOf(work))?.listening[0]?.port;
serveCommands(
  {
    memory: ask,
    books: ask,
    status: async () => {
      const { counters, threads } = await grasp.status();
      return { counters, restarts: threads.reduce((sum, thread) => sum + thread.restarts, 0) };
    },
  },
  close,
);
say({ event: 'ready', port });
