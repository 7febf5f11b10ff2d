/** What every benchmark says of its repeats. */
import { describe, expect, test } from '@jest/globals';
import { parse, usage, UsageError } from '../../bench/support/options.js';
import { summary, toResult, toText, type Plan, type Sample } from '../../bench/support/result.js';
import {
  latencies,
  median,
  quantile,
  ratioInterval,
  Reasons,
  round,
  significant,
  spread,
} from '../../bench/support/statistics.js';

describe('statistics', () => {
  test.each([
    [[], 0],
    [[3], 3],
    [[10, 2, 9], 9],
    [[4, 1, 2, 3], 2.5],
  ])('the median of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  test('a quantile is one of the values, the last one at most', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
    expect([0, 0.5, 0.99, 1].map((q) => quantile(hundred, q))).toEqual([1, 51, 100, 100]);
    expect(quantile([], 0.5)).toBe(0);
  });

  test('numbers are told with three digits that count', () => {
    expect([9804.4, 310.2, 31.42, 3.1416, 0.03142, 0, NaN].map(significant)).toEqual([
      9804, 310, 31.4, 3.14, 0.0314, 0, 0,
    ]);
    expect(round(1.23456, 2)).toBe(1.23);
    expect(spread([3, 1, 2])).toEqual([1, 3]);
  });

  test('the interval of ratios is that of their mean, by factors, and narrows with their number', () => {
    expect(ratioInterval([1])).toBeUndefined();
    const two = ratioInterval([0.5, 2])!;
    expect(two.mean).toBeCloseTo(1);
    // t of one degree of freedom: 12.706 · ln 2 · √2 / √2
    expect(two.high).toBeCloseTo(Math.exp(12.706 * Math.LN2), -2);
    expect(two.low).toBeCloseTo(1 / two.high, 6);
    const many = ratioInterval(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 0.98 : 1.02)))!;
    expect(many.low).toBeGreaterThan(0.98);
    expect(many.high).toBeLessThan(1.02);
    expect(many.low).toBeLessThan(1);
  });

  test('latencies come in any order', () => {
    expect(latencies([3, 1, 2])).toEqual({ p50Ms: 2, p99Ms: 3 });
  });

  test('reasons are counted by name', () => {
    const reasons = new Reasons();
    reasons.add('reset');
    reasons.add('reset');
    reasons.add('timeout', 3);
    expect(reasons.total).toBe(5);
    expect(JSON.stringify(reasons)).toBe('{"reset":2,"timeout":3}');
  });
});

describe('options', () => {
  const declared = { repeats: 3, relays: 0, json: false, placement: ['worker', 'main'] } as const;

  test('defaults, and what is given', () => {
    expect(parse([], declared)).toEqual({ repeats: 3, relays: 0, json: false, placement: 'worker' });
    const args = ['--json', '--repeats', '5', '--placement', 'main', '--relays', '2'];
    expect(parse(args, declared)).toEqual({ repeats: 5, relays: 2, json: true, placement: 'main' });
  });

  test.each([
    [['--repeats', '0']],
    [['--repeats', '1.5']],
    [['--repeats', 'many']],
    [['--placement', 'moon']],
    [['--no-such-option']],
    [['stray']],
  ])('%j is refused', (args) => {
    expect(() => parse(args, declared)).toThrow(UsageError);
  });

  test('the usage names them all', () => {
    expect(usage('step', declared)).toBe(
      'usage: npm run bench -- step [--repeats N] [--relays N] [--json] [--placement worker|main]',
    );
  });
});

describe('results', () => {
  const plan: Plan = {
    benchmark: 'negotiation',
    question: 'How many?',
    variant: 'worker',
    settings: { concurrency: 32 },
    lab: 'namespaces',
    measure: 'rate',
    better: 'higher',
  };
  const sample = (rate: number, failures = 0): Sample => ({
    failures,
    reasons: failures > 0 ? { reset: failures } : {},
    measures: { rate, p50Ms: 1000 / rate },
  });

  test('medians of each measure, failures and reasons added up', () => {
    expect(summary([sample(10), sample(30, 1), sample(20, 2)], 'rate')).toEqual({
      failures: 3,
      reasons: { reset: 3 },
      measures: { rate: 20, p50Ms: 50 },
      spread: [10, 30],
    });
  });

  test('the ratio is the median of the turns, each with its own floor', () => {
    const result = toResult(plan, {
      engine: [sample(50), sample(80), sample(60)],
      floor: [sample(100), sample(100), sample(200)],
    });
    expect(result).toMatchObject({
      rate: 60,
      floor: 100,
      ratio: 0.5,
      ratioSpread: [0.3, 0.8],
      failures: 0,
      repeats: 3,
    });
    expect(result.prototype).toBeUndefined();
    expect(toText(result)).toContain('ratio      0.5 (0.3 … 0.8), higher is better');
  });
});
