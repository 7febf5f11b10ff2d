/**
 * An engine that does nothing: how long it takes to start, and what it holds.
 *
 *     node dist/bench/engine-idle.js [--interfaces IF] [--placement worker|inline]
 *
 * Prints `{"event":"ready","startMs":N,"threads":N}`, answers a line by what the process holds, and ends with its
 * standard input. `startMs` is the time of `Grasp.start` alone; the modules are loaded then.
 */
import { parseArgs } from 'node:util';
import { Grasp } from 'anima-grasp';
import { memory } from './asas/memory.js';
import { say, serveCommands } from './support/commands.js';

const { values } = parseArgs({
  options: { interfaces: { type: 'string' }, placement: { type: 'string', default: 'worker' } },
});
const began = performance.now();
const grasp = await Grasp.start({
  substrate: { kind: 'plain', insecure: true, interfaces: values.interfaces?.split(',') },
  placement: values.placement === 'inline' ? 'inline' : 'worker',
});
const startMs = performance.now() - began;
const { threads } = await grasp.status();
serveCommands({ memory }, () => grasp.close());
say({ event: 'ready', startMs, threads: threads.filter(({ threadId }) => threadId !== 0).length });
