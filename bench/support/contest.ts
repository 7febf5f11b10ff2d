/** Contenders measured in turn, so that what else the machine does meets all of them alike. */
import { closeLabs, openLab, type Lab } from '../lab.js';
import { UsageError } from './options.js';
import { progress } from './program.js';
import { toText, type Result, type Sample } from './result.js';
import { significant } from './statistics.js';
import { stolenShare, ticks } from './stolen.js';

export type Contenders = Readonly<Record<string, () => Promise<Sample>>>;

/** All contenders once, then all of them again, … */
export async function takeTurns(
  contenders: Contenders,
  repeats: number,
  measure: string,
): Promise<Record<string, Sample[]>> {
  const samples: Record<string, Sample[]> = {};
  for (let repeat = 1; repeat <= repeats; repeat++) {
    const told: string[] = [];
    for (const [name, run] of Object.entries(contenders)) {
      const sample = await run();
      (samples[name] ??= []).push(sample);
      const failed = sample.failures > 0 ? `, ${sample.failures} failures` : '';
      told.push(`${name} ${significant(sample.measures[measure] ?? 0)}${failed}`);
      for (const [reason, count] of Object.entries(sample.reasons ?? {})) {
        progress(`${name}: ${count} × ${reason}`);
      }
    }
    progress(`repeat ${repeat} of ${repeats}, ${measure}: ${told.join(' · ')}`);
  }
  return samples;
}

/** One JSON object per line, or text. */
export function print(results: readonly Result[], json: boolean): void {
  for (const result of results) process.stdout.write(json ? `${JSON.stringify(result)}\n` : toText(result));
}

/** Failures of the engine or of the floor make a run worthless; the prototype's are a finding. */
export const exitCode = (results: readonly Result[]): number =>
  results.every((result) => result.failures + result.floorRun.failures === 0) ? 0 : 1;

/**
 * What every benchmark's `main` is: options, a lab, results, an exit code.
 *
 * @returns 0, 1 after any failure, 2 for a wrong option, 3 when something could not run.
 */
export async function runBenchmark<T extends { readonly json: boolean }>(work: {
  readonly usage: string;
  readonly parse: () => T;
  /** Namespaces in a line; 0: none. Default 2. */
  readonly nodes?: (options: T) => number;
  readonly measure: (lab: Lab, options: T) => Promise<readonly Result[]>;
}): Promise<number> {
  try {
    const options = work.parse();
    const lab = openLab(work.nodes?.(options) ?? 2);
    const before = ticks();
    const measured = await work.measure(lab, options);
    const stolen = stolenShare(before, ticks());
    const results = measured.map((result) => ({ ...result, stolen }));
    print(results, options.json);
    return exitCode(results);
  } catch (error) {
    progress(error instanceof Error ? error.message : String(error));
    if (!(error instanceof UsageError)) return 3;
    progress(work.usage);
    return 2;
  } finally {
    closeLabs();
  }
}
