/** What the machine gives for a simulation: time, CPU, memory. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Wall time and CPU time of what `work` does, ms. */
export async function timed<T>(
  work: () => Promise<T>,
): Promise<{ result: T; wallMs: number; cpuMs: number }> {
  const from = performance.now();
  const cpuFrom = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(cpuFrom);
  return { result, wallMs: performance.now() - from, cpuMs: (user + system) / 1000 };
}

let collect: (() => void) | undefined;

/** Bytes in use after a collection: the heap, and buffers outside of it. */
export function bytesInUse(): number {
  if (collect === undefined) {
    // Asked for here, because whoever runs a benchmark need not know of the flag.
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

export function round(value: number, digits = 0): number {
  return Number(value.toFixed(digits));
}
