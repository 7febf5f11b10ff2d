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

/** Bytes in use: the heap, and buffers outside of it, when collecting frees nothing more. */
export async function bytesInUse(): Promise<number> {
  if (collect === undefined) {
    // Asked for here, because whoever runs a benchmark need not know of the flag.
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  for (let least = Infinity; ;) {
    collect();
    // What a finalizer lets go of, in a turn of its own, is collected the next time.
    await new Promise((resolve) => setImmediate(resolve));
    const { heapUsed, external } = process.memoryUsage();
    const bytes = heapUsed + external;
    if (bytes > 0.999 * least) return bytes;
    least = bytes;
  }
}

export function round(value: number, digits = 0): number {
  return Number(value.toFixed(digits));
}
