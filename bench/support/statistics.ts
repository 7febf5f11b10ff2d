/** Medians, quantiles and spreads: what every benchmark says of its repeats. Pure. */

/** 0 for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle] ?? 0;
  return ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** The value that a share `q` of the others is below; `sorted` ascends. 0 for an empty list. */
export const quantile = (sorted: ArrayLike<number>, q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;

/** Smallest and largest. */
export const spread = (values: readonly number[]): [number, number] => [
  Math.min(...values),
  Math.max(...values),
];

export const round = (value: number, digits: number): number => Number(value.toFixed(digits));

/** As many digits as tell something: 9804, 310, 31.4, 3.14, 0.314. */
export function significant(value: number): number {
  if (!Number.isFinite(value) || value === 0) return 0;
  return round(value, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));
}

/** A share as text: `12 %`. */
export const percent = (share: number): string => `${significant(share * 100)} %`;

/** p50 and p99 of latencies in any order. */
export function latencies(values: Iterable<number>): { p50Ms: number; p99Ms: number } {
  const sorted = Float64Array.from(values).sort();
  return { p50Ms: round(quantile(sorted, 0.5), 4), p99Ms: round(quantile(sorted, 0.99), 4) };
}

/** Latencies that come first of all, before V8 has compiled what they need. */
const COLD = 300;

/** Median of the first, in the order in which they were measured. */
export const cold = (values: readonly number[]): { coldP50Ms: number } => ({
  coldP50Ms: round(median(values.slice(0, COLD)), 4),
});

/** How often each failure happened, by name. */
export class Reasons {
  readonly #counts = new Map<string, number>();

  add(reason: string, count = 1): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + count);
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  toJSON(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}

/** Of Student's t, two-sided 95 %, by degrees of freedom from 1. */
const T95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/**
 * Geometric mean of ratios, and the 95 % confidence interval of it: of their logarithms, by Student's t. Undefined with
 * fewer than two, which say nothing of how they vary.
 */
export function ratioInterval(
  ratios: readonly number[],
): { readonly mean: number; readonly low: number; readonly high: number } | undefined {
  const n = ratios.length;
  if (n < 2) return undefined;
  const logs = ratios.map(Math.log);
  const mean = logs.reduce((sum, value) => sum + value, 0) / n;
  const variance = logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const half = (T95[n - 2] ?? 1.96) * Math.sqrt(variance / n);
  return { mean: Math.exp(mean), low: Math.exp(mean - half), high: Math.exp(mean + half) };
}
