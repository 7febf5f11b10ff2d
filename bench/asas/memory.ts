/** What a process and the thread of its ASA hold, after a collection where that can be asked for (--expose-gc). */
export function memory(): { rssMb: number; heapMb: number; collected: boolean } {
  // Twice: the first run's finalizers free what the second one finds.
  globalThis.gc?.();
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  const mb = (bytes: number): number => bytes / 1024 / 1024;
  return { rssMb: mb(rss), heapMb: mb(heapUsed + external), collected: globalThis.gc !== undefined };
}
