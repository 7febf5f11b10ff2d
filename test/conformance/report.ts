/** The results of one or more engines as the section of docs/CONFORMANCE.md that stands between two marks. */
import { requirements, type Requirement } from './requirements.js';
import type { RowResult, RowStatus, SuiteResult } from './suite.js';

const BEGIN = '<!-- results: written by npm run conformance -- --report -->';
const END = '<!-- end of results -->';

const SHORT: Readonly<Record<RowStatus, string>> = {
  passed: 'passed',
  failed: '**failed**',
  notApplicable: 'n/a',
};

/** The document with the section replaced. */
export function withReport(document: string, results: readonly SuiteResult[]): string {
  const [before, rest, ...more] = document.split(`${BEGIN}\n`);
  const [old, after, ...others] = rest?.split(`${END}\n`) ?? [];
  if (old === undefined || after === undefined || more.length > 0 || others.length > 0) {
    throw new RangeError(`the document needs, once, the lines ${BEGIN} and ${END}`);
  }
  return `${before}${BEGIN}\n\n${report(results).trimEnd()}\n\n${END}\n${after}`;
}

function report(results: readonly SuiteResult[]): string {
  const run = results.map(({ engine, date, ms, skipped }) => {
    const left = skipped.length > 0 ? `, ${skipped.length} slow rows left out` : '';
    return `- ${engine.name} ${engine.version}: ${date}, ${Math.ceil(ms / 60_000)} min${left}`;
  });
  return [run.join('\n'), summary(results), ...sections(results), ...results.map(reasons)].join('\n\n');
}

const cells = (...texts: readonly string[]): string => `| ${texts.join(' | ')} |`;

function table(head: readonly string[], rows: readonly string[]): string {
  return [cells(...head), `|${'---|'.repeat(head.length)}`, ...rows].join('\n');
}

/** What would end a cell or begin markup. */
const plain = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

/** By level: how many rows each engine passed, failed, and to how many it does not apply. */
function summary(results: readonly SuiteResult[]): string {
  const levels = [...new Set(requirements.map(({ level }) => level))];
  const count = (rows: readonly RowResult[], status: RowStatus): number =>
    rows.filter((row) => row.status === status).length;
  const line = (name: string, of: (result: SuiteResult) => readonly RowResult[]): string =>
    cells(
      name,
      ...results.map((result) => {
        const rows = of(result);
        const numbers = (['passed', 'failed', 'notApplicable'] as const).map((each) => count(rows, each));
        return numbers.join(' / ');
      }),
    );
  const rows = [
    ...levels.map((level) => line(level, ({ rows }) => rows.filter((row) => row.level === level))),
    line('all', ({ rows }) => rows),
  ];
  const heads = results.map(({ engine }) => `${engine.name}: passed / failed / n/a`);
  return table(['level', ...heads], rows);
}

function sections(results: readonly SuiteResult[]): string[] {
  const bySection = new Map<string, Requirement[]>();
  for (const each of requirements) {
    const key = `${each.id.startsWith('A') ? 'RFC 8991' : each.id.startsWith('G') ? 'RFC 8990' : ''} ${each.section}`;
    bySection.set(key, [...(bySection.get(key) ?? []), each]);
  }
  const status = results.map(({ rows }) => new Map(rows.map((row) => [row.id, SHORT[row.status]])));
  return [...bySection].map(([section, all]) => {
    const rows = all.map(({ id, level, statement }) =>
      cells(id, level, plain(statement), ...status.map((each) => each.get(id) ?? 'not run')),
    );
    const head = ['row', 'level', 'statement', ...results.map(({ engine }) => engine.name)];
    return `#### ${section.trim()}\n\n${table(head, rows)}`;
  });
}

/** Why rows of an engine failed, and why others do not apply. */
function reasons({ engine, rows }: SuiteResult): string {
  const first = (reason: string): string => plain(reason.split('\n')[0]!);
  const failed = rows
    .filter(({ status }) => status === 'failed')
    .map(({ id, reason }) => `- ${id}: ${first(reason)}`);
  const groups = new Map<string, string[]>();
  for (const { id, status, reason } of rows) {
    if (status === 'notApplicable') groups.set(first(reason), [...(groups.get(first(reason)) ?? []), id]);
  }
  const closed = [...groups].map(([reason, ids]) => `- ${reason}: ${ids.join(' ')}`);
  return [
    `#### ${engine.name}: failed`,
    failed.join('\n') || 'Nothing.',
    `#### ${engine.name}: not applicable`,
    closed.join('\n') || 'Nothing.',
  ].join('\n\n');
}
