/** What this engine sets out to reach, and whether a file of results shows it. Pure. */
import type { Result } from '../support/result.js';
import { significant } from '../support/statistics.js';
import { table } from './markdown.js';

export interface Target {
  readonly what: string;
  readonly target: string;
  /** What was measured; undefined: nothing. */
  readonly measured: string | undefined;
  readonly met: boolean | undefined;
}

type Find = (benchmark: string, variant: string) => Result | undefined;
type Judge = (find: Find) => { measured: string; met: boolean } | undefined;

const measureOf = (result: Result | undefined, name: string): number | undefined =>
  result?.engine.measures[name];

const ratioAtLeast =
  (benchmark: string, variant: string, least: number): Judge =>
  (find) => {
    const result = find(benchmark, variant);
    if (!result) return undefined;
    const failures = result.failures > 0 ? `, ${result.failures} failures` : '';
    return {
      measured: `${significant(result.ratio)}${failures}`,
      met: result.ratio >= least && result.failures === 0,
    };
  };

const atMost =
  (benchmark: string, variant: string, measure: string, most: number, unit: string): Judge =>
  (find) => {
    const value = measureOf(find(benchmark, variant), measure);
    if (value === undefined) return undefined;
    return { measured: `${significant(value)} ${unit}`, met: value <= most };
  };

const targets: readonly (readonly [what: string, target: string, judge: Judge])[] = [
  [
    'negotiations/s, 32 at once',
    '≥ 0.75 of the floor, no failure',
    ratioAtLeast('negotiation', 'worker, concurrency 32', 0.75),
  ],
  [
    'the same, ASA in the main thread',
    '≥ 0.60 of the floor',
    ratioAtLeast('negotiation', 'main, concurrency 32', 0.6),
  ],
  [
    'negotiations/s, 256 at once',
    '≥ 0.9 of the rate at 32, p99 ≤ 4 × p50',
    (find) => {
      const [many, some] = [256, 32].map((n) => find('negotiation', `worker, concurrency ${n}`));
      const [rate, base] = [measureOf(many, 'rate'), measureOf(some, 'rate')];
      const [p50, p99] = [measureOf(many, 'p50Ms'), measureOf(many, 'p99Ms')];
      if (!rate || !base || !p50 || !p99) return undefined;
      const [share, tail] = [rate / base, p99 / p50];
      return {
        measured: `${significant(share)}, p99 ${significant(tail)} × p50`,
        met: share >= 0.9 && tail <= 4,
      };
    },
  ],
  [
    'negotiations one by one, p50',
    '≤ the prototype’s in the same run',
    (find) => {
      const result = find('negotiation', 'worker, concurrency 1');
      const [own, theirs] = [measureOf(result, 'p50Ms'), result?.prototype?.measures['p50Ms']];
      if (own === undefined || theirs === undefined) return undefined;
      return { measured: `${significant(own)} ms, prototype ${significant(theirs)} ms`, met: own <= theirs };
    },
  ],
  [
    'synchronize/s, 32 at once',
    '≥ 0.70 of the floor, no failure',
    ratioAtLeast('synchronize', 'worker, concurrency 32', 0.7),
  ],
  [
    'one step on an open session, p50',
    '≤ 1.5 × ping-pong',
    (find) => {
      const ratio = find('step', 'worker, concurrency 1')?.ratio;
      return ratio === undefined ? undefined : { measured: `${significant(ratio)} ×`, met: ratio <= 1.5 };
    },
  ],
  [
    'after 100,000 sessions',
    'rate and heap within 10 %',
    (find) => {
      const result = find('ageing', 'worker, 100000 sessions');
      const [kept, growth] = [measureOf(result, 'kept'), measureOf(result, 'heapGrowth')];
      if (kept === undefined || growth === undefined) return undefined;
      return {
        measured: `rate × ${significant(kept)}, heap × ${significant(growth)}`,
        met: kept >= 0.9 && growth <= 1.1,
      };
    },
  ],
  [
    'first answer to a discovery, one link, one discovery after another',
    'p50 ≤ 1 ms',
    atMost('discovery', 'one link', 'p50Ms', 1, 'ms'),
  ],
  [
    'the same, each after 10 ms of rest',
    'p50 ≤ 1 ms',
    atMost('discovery', 'one link, every 10 ms', 'p50Ms', 1, 'ms'),
  ],
  [
    'the same through five relays',
    'p50 ≤ 10 ms',
    atMost('discovery', '5 relays, every 10 ms', 'p50Ms', 10, 'ms'),
  ],
  [
    'floods received at 20,000/s for 10 s',
    'none lost, last values applied',
    (find) => {
      const result = find('flood', '20000/s offered');
      if (!result) return undefined;
      const rate = measureOf(result, 'rate') ?? 0;
      return {
        measured: `${significant(rate)}/s, ${result.failures} failures`,
        met: result.failures === 0 && rate >= 19_800,
      };
    },
  ],
  ['flood through a line of 10', 'p50 ≤ 5 ms', atMost('flood', 'line of 10', 'p50Ms', 5, 'ms')],
  ['start to ready', '≤ 250 ms', atMost('start-up', 'worker', 'p50Ms', 250, 'ms')],
  ['idle memory, default threads', '≤ 110 MB', atMost('memory', 'idle, default threads', 'rssMb', 110, 'MB')],
  ['idle memory, inline', '≤ 65 MB', atMost('memory', 'idle, inline', 'rssMb', 65, 'MB')],
  [
    'memory per live session, 10,000 alive',
    '≤ 8 kB',
    atMost('memory', 'per session, worker', 'heapKb', 8, 'kB'),
  ],
  [
    'negotiations/s, nobody watching, beside a build that cannot be watched',
    '95 % interval of the ratio has 1, and is within ± 0.03 of it',
    (find) => {
      const interval = find('watching', 'nobody watching, worker, concurrency 32')?.ratioInterval;
      if (!interval) return undefined;
      const [low, high] = interval;
      return {
        measured: `${low} … ${high}`,
        met: low <= 1 && high >= 1 && low >= 0.97 && high <= 1.03,
      };
    },
  ],
];

export function judge(results: readonly Result[]): Target[] {
  const find: Find = (benchmark, variant) =>
    results.find((each) => each.benchmark === benchmark && each.variant === variant);
  return targets.map(([what, target, look]) => {
    const found = look(find);
    return { what, target, measured: found?.measured, met: found?.met };
  });
}

export function targetTable(results: readonly Result[]): string {
  return table(
    ['what', 'target', 'measured', ''],
    judge(results).map(({ what, target, measured, met }) => [
      what,
      target,
      measured ?? 'not measured',
      met === undefined ? '' : met ? 'met' : '**missed**',
    ]),
  );
}
