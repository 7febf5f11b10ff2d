/** The page, the plots and the comparison that are made of results. */
import { describe, expect, test } from '@jest/globals';
import { audit } from '../../bench/overload.js';
import { compare, toTable, verdict } from '../../bench/report/compare.js';
import { body } from '../../bench/report/docs.js';
import { replaceBetween, table } from '../../bench/report/markdown.js';
import { plots } from '../../bench/report/plots.js';
import { barChart, lineChart, scale, type Chart } from '../../bench/report/svg.js';
import { judge } from '../../bench/report/targets.js';
import { toResult, type Result, type Sample } from '../../bench/support/result.js';
import { lastValues, valueOf } from '../../bench/support/storm.js';

const sample = (rate: number): Sample => ({ failures: 0, measures: { rate, p50Ms: 2, p99Ms: 5 } });

function negotiation(concurrency: number, rate: number, floor: number, placement = 'worker'): Result {
  return toResult(
    {
      benchmark: 'negotiation',
      question: 'How many?',
      variant: `${placement}, concurrency ${concurrency}`,
      settings: { placement, concurrency },
      lab: 'namespaces',
      measure: 'rate',
      better: 'higher',
    },
    { engine: [sample(rate)], floor: [sample(floor)], prototype: [sample(300)] },
  );
}

describe('markdown', () => {
  test('a table', () => {
    expect(table(['a', 'b'], [['x|y', '1']])).toBe('| a | b |\n|---|--:|\n| x\\|y | 1 |');
  });

  test('what people wrote around the markers stays, and writing twice is writing once', () => {
    const first = replaceBetween('# Title\n\nBefore.\n', 'results', 'one');
    const around = `${first}\nAfter.\n`;
    const second = replaceBetween(around, 'results', 'two');
    expect(second).toMatch(
      /^# Title\n\nBefore\.\n\n<!-- results: begin.*-->\n\ntwo\n\n<!-- results: end -->\n\nAfter\.\n$/,
    );
    expect(replaceBetween(second, 'results', 'two')).toBe(second);
  });

  test('half a pair of markers is refused', () => {
    expect(() => replaceBetween('<!-- results: begin -->', 'results', 'x')).toThrow('results');
    expect(() => replaceBetween('<!-- results: end --> <!-- results: begin -->', 'results', 'x')).toThrow(
      'results',
    );
  });
});

describe('plots', () => {
  const chart: Chart = {
    title: 'Rates <of> "things"',
    xLabel: 'at once',
    yLabel: 'per second',
    categories: ['1', '8', '32'],
    series: [
      { name: 'floor', values: [4500, 9000, 9800], reference: true },
      { name: 'engine', values: [3000, undefined, 8000] },
    ],
  };

  test.each([
    [0, 1, 1],
    [1, 1, 0.2],
    [9800, 10_000, 2000],
    [10_300, 15_000, 5000],
    [0.7, 0.8, 0.2],
  ])('an axis for %d ends at %d', (most, top, step) => {
    expect(scale(most).top).toBeCloseTo(top);
    expect(scale(most).step).toBeCloseTo(step);
  });

  test('a line for each series through what was measured, text escaped, colours for both grounds', () => {
    const svg = lineChart(chart);
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg.match(/<circle/g)).toHaveLength(5);
    expect(svg).toContain('Rates &lt;of&gt; &quot;things&quot;');
    expect(svg).toContain('prefers-color-scheme: dark');
    expect(svg).not.toMatch(/NaN|undefined/);
  });

  test('a bar for each value, as high as it is', () => {
    const heights = [...barChart(chart).matchAll(/<rect.*?height="([\d.]+)"/g)].map(([, text]) =>
      Number(text),
    );
    expect(heights).toHaveLength(5);
    expect(heights[0]! / heights[2]!).toBeCloseTo(4500 / 9800, 2);
  });

  test('throughput against concurrency, and all contenders at 32', () => {
    const results = [
      negotiation(1, 3000, 4500),
      negotiation(32, 7400, 9800),
      negotiation(32, 5000, 9800, 'main'),
    ];
    expect(plots(results).map(({ file }) => file)).toEqual(['negotiation-concurrency.svg', 'sessions.svg']);
    expect(plots(results)[1]?.svg).toContain('prototype');
    expect(plots([])).toEqual([]);
  });
});

describe('comparison', () => {
  test('by share of the floor, so that a slower machine is no worse engine', () => {
    const before = [negotiation(32, 5000, 10_000), negotiation(8, 4000, 8000)];
    const after = [negotiation(32, 3750, 5000), negotiation(64, 6000, 10_000)];
    const compared = compare(before, after);
    expect(compared.map(({ variant, change }) => [variant, change])).toEqual([
      ['worker, concurrency 32', 1.5],
      ['worker, concurrency 64', undefined],
      ['worker, concurrency 8', undefined],
    ]);
    expect(compared.map(verdict)).toEqual(['better', '', '']);
    expect(toTable(compared)).toContain(
      '| negotiation, worker, concurrency 32 | rate | 5000 | 3750 | 0.5 | 0.75 | × 1.5 | better |',
    );
  });

  test('of times and sizes less is better', () => {
    const [one] = compare([negotiation(32, 10, 10)], [negotiation(32, 20, 10)]);
    expect(verdict({ ...one!, better: 'lower' })).toBe('worse');
    expect(verdict({ ...one!, change: 1.05 })).toBe('same');
  });
});

describe('the page', () => {
  test('targets: met, missed, not measured', () => {
    const judged = judge([negotiation(32, 7400, 9800), negotiation(32, 5000, 9800, 'main')]);
    const of = (what: string) => judged.find((each) => each.what === what);
    expect(of('negotiations/s, 32 at once')).toMatchObject({ measured: '0.755', met: true });
    expect(of('the same, ASA in the main thread')).toMatchObject({ measured: '0.51', met: false });
    expect(of('start to ready')).toMatchObject({ measured: undefined, met: undefined });
  });

  test('a section for each benchmark', () => {
    const results = [negotiation(32, 7400, 9800)];
    const text = body({
      date: '2026-01-02',
      node: 'v20',
      cpus: 2,
      quick: false,
      missing: ['relay'],
      results,
    });
    expect(text).toContain('Measured on 2026-01-02');
    expect(text).toContain('Could not run: relay.');
    expect(text).toContain('### negotiation');
    expect(text).toContain('| worker, concurrency 32 | rate | 7400 | 9800 | 0.755 | 0 | 300, 0 failures |');
  });
});

describe('the books', () => {
  test('what each name of a storm was told last', () => {
    expect(lastValues(3, 7)).toEqual([6, 4, 5].map(valueOf));
    expect(lastValues(2, 2)).toEqual([0, 1].map(valueOf));
  });

  test('an overload is in order when every call has ended in agreement or by a code', () => {
    const told = [
      { started: 10, completed: 7, refused: { 43: 3 }, broken: {} },
      { started: 5, completed: 5, refused: {}, broken: {} },
    ];
    expect(audit(told, 12)).toEqual({ started: 15, completed: 12, refused: 3, failures: {} });
  });

  test('calls that did not end, and agreements of one side only, are failures', () => {
    const told = [{ started: 10, completed: 7, refused: {}, broken: { 'no code': 1 } }];
    expect(audit(told, 6).failures).toEqual({
      'no code': 1,
      'calls that did not end': 2,
      'agreed here, not there': 1,
    });
  });
});
