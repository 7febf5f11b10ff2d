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

/** p50 and p99 of latencies in any order. */
export function latencies(values: Iterable<number>): { p50Ms: number; p99Ms: number } {
  const sorted = Float64Array.from(values).sort();
  return { p50Ms: round(quantile(sorted, 0.5), 3), p99Ms: round(quantile(sorted, 0.99), 3) };
}

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
