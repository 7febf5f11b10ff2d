/** The table of results in a document. */
import { expect, test } from '@jest/globals';
import { withReport } from './report.js';
import type { SuiteResult } from './suite.js';

const BEGIN = '<!-- results: written by npm run conformance -- --report -->\n';
const END = '<!-- end of results -->\n';

const result = (name: string, rows: SuiteResult['rows']): SuiteResult => {
  const summary = { passed: 0, failed: 0, notApplicable: 0 };
  for (const { status } of rows) summary[status]++;
  return {
    engine: { name, version: '1' },
    summary,
    rows,
    skipped: [],
    clock: false,
    date: '2020-01-02',
    ms: 90_000,
  };
};

const ours = result('ours', [
  { id: 'G-2.5.4.1-01', status: 'passed', reason: '', level: 'MUST', ms: 1 },
  { id: 'G-2.5.4.3-02', status: 'failed', reason: 'one | two\nmore', level: 'SHOULD', ms: 1 },
  { id: 'G-2.5.2-01', status: 'notApplicable', reason: 'no dull', level: 'MUST', ms: 1 },
]);
const theirs = result('theirs', [
  { id: 'G-2.5.4.1-01', status: 'failed', reason: 'late', level: 'MUST', ms: 1 },
]);

test('a column for each engine, and why its rows failed or do not apply', () => {
  const written = withReport(`before\n${BEGIN}old\n${END}after\n`, [ours, theirs]);
  expect(written).toMatch(/^before\n<!-- results/);
  expect(written).toMatch(/<!-- end of results -->\nafter\n$/);
  expect(written).not.toContain('old\n');
  expect(written).toContain('- ours 1: 2020-01-02, 2 min');
  expect(written).toMatch(/\n\| all \| 1 \/ 1 \/ 1 \| 0 \/ 1 \/ 0 \|\n/);
  expect(written).toMatch(/\n\| MUST \| 1 \/ 0 \/ 1 \| 0 \/ 1 \/ 0 \|\n/);
  expect(written).toMatch(/\n\| G-2\.5\.4\.1-01 \| [^|]+ \| .+ \| passed \| \*\*failed\*\* \|\n/);
  expect(written).toMatch(/\n\| G-2\.5\.4\.3-02 \| [^|]+ \| .+ \| \*\*failed\*\* \| not run \|\n/);
  expect(written).toContain('#### ours: failed\n\n- G-2.5.4.3-02: one \\| two\n');
  expect(written).toContain('- no dull: G-2.5.2-01\n');
  expect(written).toContain('#### theirs: not applicable\n\nNothing.\n');
});

test('writing again replaces what was written', () => {
  const once = withReport(`${BEGIN}${END}`, [ours]);
  expect(withReport(once, [ours])).toBe(once);
  expect(withReport(once, [theirs])).not.toContain('ours 1');
});

test('a document without the marks, or with several, is refused', () => {
  expect(() => withReport('nothing', [ours])).toThrow(RangeError);
  expect(() => withReport(`${BEGIN}${END}${BEGIN}${END}`, [ours])).toThrow(RangeError);
});
