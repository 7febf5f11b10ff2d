/** A closed loop of `concurrency` lanes, each starting its next piece of work when its last one is done. */
import { GraspError } from 'anima-grasp';
import type { Sample } from '../support/result.js';
import { latencies, Reasons } from '../support/statistics.js';

/** A wait without an answer for so long has failed. */
export const TIMEOUT_MS = 10_000;

/** How an error is counted. */
export function reasonOf(error: unknown): string {
  if (error instanceof GraspError) return `${error.name} (${error.code}) ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

export interface Load {
  readonly count: number;
  readonly concurrency: number;
}

/** Runs `count` pieces of work. One that rejects has failed; nothing is retried. */
export async function closedLoop({ count, concurrency }: Load, work: () => Promise<void>): Promise<Sample> {
  const took: number[] = [];
  const reasons = new Reasons();
  let started = 0;

  async function lane(): Promise<void> {
    while (started < count) {
      started += 1;
      const at = performance.now();
      try {
        await work();
        took.push(performance.now() - at);
      } catch (error) {
        reasons.add(reasonOf(error));
      }
    }
  }

  const startedAt = performance.now();
  const cpuAt = process.cpuUsage();
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, lane));
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = process.cpuUsage(cpuAt);
  return {
    failures: reasons.total,
    reasons: reasons.toJSON(),
    measures: {
      rate: Math.round(took.length / seconds),
      ...latencies(took),
      // All threads of the process. Tells more than the rate on a machine that others use too.
      cpuUs: Math.round((cpu.user + cpu.system) / Math.max(1, count)),
    },
  };
}
