/** One file of results beside an earlier one. Pure, but for `main`. */
import { resolve } from 'node:path';
import type { Result } from '../support/result.js';
import { round, significant } from '../support/statistics.js';
import { table } from './markdown.js';
import { newestBeside, read, type Results } from './results.js';

export interface Comparison {
  readonly benchmark: string;
  readonly variant: string;
  readonly measure: string;
  readonly better: 'higher' | 'lower';
  /** Of the engine. */
  readonly before: number | undefined;
  readonly after: number | undefined;
  /** Shares of the floor, each measured in its own run: comparable where the machines are not. */
  readonly ratioBefore: number | undefined;
  readonly ratioAfter: number | undefined;
  /** Ratio after to ratio before. */
  readonly change: number | undefined;
}

const keyOf = ({ benchmark, variant, measure }: Result): string => `${benchmark}\n${variant}\n${measure}`;
const valueOf = (result: Result | undefined): number | undefined => result?.engine.measures[result.measure];

/** In the order of the newer file; what only the earlier one has comes last. */
export function compare(before: readonly Result[], after: readonly Result[]): Comparison[] {
  const earlier = new Map(before.map((result) => [keyOf(result), result]));
  const later = new Map(after.map((result) => [keyOf(result), result]));
  return [...new Set([...later.keys(), ...earlier.keys()])].map((key) => {
    const [old, now] = [earlier.get(key), later.get(key)];
    const { benchmark, variant, measure, better } = (now ?? old)!;
    return {
      benchmark,
      variant,
      measure,
      better,
      before: valueOf(old),
      after: valueOf(now),
      ratioBefore: old?.ratio,
      ratioAfter: now?.ratio,
      change: old && now ? round(now.ratio / old.ratio, 3) : undefined,
    };
  });
}

/** Better, worse, or as before within a tenth. */
export function verdict({ change, better }: Comparison): string {
  if (change === undefined) return '';
  const gain = better === 'higher' ? change : 1 / change;
  return gain > 1.1 ? 'better' : gain < 0.9 ? 'worse' : 'same';
}

const shown = (value: number | undefined): string => (value === undefined ? '–' : `${significant(value)}`);

export function toTable(comparisons: readonly Comparison[]): string {
  return table(
    ['benchmark', 'measure', 'before', 'now', 'of the floor before', 'now', 'change', ''],
    comparisons.map((each) => [
      `${each.benchmark}, ${each.variant}`,
      each.measure,
      shown(each.before),
      shown(each.after),
      shown(each.ratioBefore),
      shown(each.ratioAfter),
      each.change === undefined ? '–' : `× ${each.change}`,
      verdict(each),
    ]),
  );
}

const described = ({ date, node, cpus, quick }: Results): string =>
  `${date}, Node ${node}, ${cpus} cores${quick ? ', quick' : ''}`;

/** `--compare OLD.json [NEW.json]`; without the second, the newest in bench/results. */
export function main([old, now]: readonly string[]): number {
  if (old === undefined) {
    process.stderr.write('usage: npm run bench -- --compare OLD.json [NEW.json]\n');
    return 2;
  }
  try {
    const before = read(resolve(old));
    const after = read(now === undefined ? newestBeside(resolve(old)) : resolve(now));
    process.stdout.write(
      `before: ${described(before)}\nnow:    ${described(after)}\n\n${toTable(compare(before.results, after.results))}\n`,
    );
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 3;
  }
}
