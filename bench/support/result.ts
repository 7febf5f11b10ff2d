/** What a benchmark reports: one object, the same for all, and its form on the terminal. */
import { availableParallelism } from 'node:os';
import { median, percent, round, significant, spread } from './statistics.js';

/** One run of one contender. */
export interface Sample {
  readonly failures: number;
  /** How often each failure happened, by name. */
  readonly reasons?: Readonly<Record<string, number>> | undefined;
  /** By name with unit: `rate` (per second), `p50Ms`, `p99Ms`, `cpuUs` (per item), `rssMb`, … */
  readonly measures: Readonly<Record<string, number>>;
}

/** Medians of all repeats of one contender. */
export interface Summary {
  readonly failures: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly measures: Readonly<Record<string, number>>;
  /** Of the measure compared: smallest and largest. */
  readonly spread: readonly [number, number];
}

export interface Result {
  readonly benchmark: string;
  readonly question: string;
  /** Which of the benchmark's runs, e.g. `worker, concurrency 32`; two results with the same one are comparable. */
  readonly variant: string;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly lab: string;
  readonly node: string;
  readonly cpus: number;
  readonly repeats: number;
  /** The measure that is compared with the floor's. */
  readonly measure: string;
  readonly better: 'higher' | 'lower';
  /** Of the engine, when that is the measure. */
  readonly rate?: number;
  readonly p50Ms?: number;
  readonly floor: number;
  /**
   * Engine to floor: of rates at best 1, of times and sizes 1 or more. The median of the turns, each with the floor of its own
   * turn: a machine that is faster for some seconds is so for both.
   */
  readonly ratio: number;
  readonly ratioSpread: readonly [number, number];
  /** 95 % confidence interval of the mean of the ratios, where it was asked for. */
  readonly ratioInterval?: readonly [number, number] | undefined;
  readonly failures: number;
  readonly engine: Summary;
  readonly floorRun: Summary;
  /** The Python prototype with the same work, where it was measured. */
  readonly prototype?: Summary | undefined;
  /** Share of the processor time wanted that a virtual machine's host gave to others (`stolen.ts`). */
  readonly stolen?: number | undefined;
  /** Of an overload: calls rejected, by code, and what the responder's engine counted. */
  readonly refusals?: Readonly<Record<string, number>>;
  readonly counters?: Readonly<Record<string, number>>;
}

export interface Plan {
  readonly benchmark: string;
  readonly question: string;
  readonly variant: string;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly lab: string;
  readonly measure: string;
  readonly better: 'higher' | 'lower';
}

export function summary(samples: readonly Sample[], measure: string): Summary {
  const names = new Set(samples.flatMap((sample) => Object.keys(sample.measures)));
  const of = (name: string): number[] => samples.map((sample) => sample.measures[name] ?? 0);
  const reasons = new Map<string, number>();
  for (const sample of samples) {
    for (const [reason, count] of Object.entries(sample.reasons ?? {})) {
      reasons.set(reason, (reasons.get(reason) ?? 0) + count);
    }
  }
  return {
    failures: samples.reduce((sum, sample) => sum + sample.failures, 0),
    reasons: Object.fromEntries(reasons),
    measures: Object.fromEntries([...names].map((name) => [name, round(median(of(name)), 4)])),
    spread: spread(of(measure).map((value) => round(value, 4))),
  };
}

/** Engine and floor have been measured in turn: their n-th samples belong together. */
export function toResult(
  plan: Plan,
  samples: { engine: readonly Sample[]; floor: readonly Sample[]; prototype?: readonly Sample[] | undefined },
): Result {
  const { measure, ...head } = plan;
  const engine = summary(samples.engine, measure);
  const floorRun = summary(samples.floor, measure);
  const value = engine.measures[measure] ?? 0;
  const floor = floorRun.measures[measure] ?? 0;
  const ratios = samples.engine.map((sample, index) =>
    round((sample.measures[measure] ?? 0) / (samples.floor[index]?.measures[measure] ?? NaN), 3),
  );
  return {
    ...head,
    node: process.version,
    cpus: availableParallelism(),
    repeats: samples.engine.length,
    measure,
    ...(measure === 'rate' || measure === 'p50Ms' ? { [measure]: value } : {}),
    floor,
    ratio: round(median(ratios), 3),
    ratioSpread: spread(ratios),
    failures: engine.failures,
    engine,
    floorRun,
    ...(samples.prototype === undefined ? {} : { prototype: summary(samples.prototype, measure) }),
  };
}

/** `rate 9800 (9500 … 10100), p50Ms 3.1, 0 failures` */
function describe(run: Summary, measure: string): string {
  const [low, high] = run.spread;
  const measures = Object.entries(run.measures).map(([name, value]) =>
    name === measure
      ? `${name} ${significant(value)} (${significant(low)} … ${significant(high)})`
      : `${name} ${significant(value)}`,
  );
  return `${measures.join(', ')}, ${run.failures} failures`;
}

/** For the terminal. */
export function toText(result: Result): string {
  const settings = Object.entries(result.settings).map(([name, value]) => `${name} ${value}`);
  const [low, high] = result.ratioSpread;
  return [
    `Question: ${result.question}`,
    `${result.benchmark}, ${[result.variant, ...settings].filter((part) => part !== '').join(', ')}; ` +
      `${result.repeats} repeats, ${result.lab}, Node ${result.node}, ${result.cpus} cores` +
      (result.stolen ? `, ${percent(result.stolen)} of their time had by others` : ''),
    `engine     ${describe(result.engine, result.measure)}`,
    `floor      ${describe(result.floorRun, result.measure)}`,
    ...(result.prototype ? [`prototype  ${describe(result.prototype, result.measure)}`] : []),
    `ratio      ${result.ratio} (${low} … ${high}), ${result.better} is better`,
    ...(result.ratioInterval ? [`           95 % of its mean: ${result.ratioInterval.join(' … ')}`] : []),
    '',
  ].join('\n');
}
