/**
 * The floor of start-up and of idle memory: a process with empty workers, and nothing else. Imports nothing of the
 * project.
 *
 *     node dist/bench/floors/idle.js WORKERS
 *
 * Prints `{"event":"ready","startMs":N}` when they run, answers a line by what the process holds, and ends with its
 * standard input.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';

const count = Number(process.argv[2] ?? 0);
const began = performance.now();
const source = "require('node:worker_threads').parentPort.on('message', () => undefined)";
const workers = Array.from({ length: count }, () => new Worker(source, { eval: true }));
await Promise.all(workers.map((worker) => once(worker, 'online')));
const startMs = performance.now() - began;

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
createInterface({ input: process.stdin })
  .on('line', () => {
    const { rss, heapUsed } = process.memoryUsage();
    say({ rssMb: rss / 1024 / 1024, heapMb: heapUsed / 1024 / 1024 });
  })
  .on('close', () => process.exit(0));
say({ event: 'ready', startMs });
