/** docs/BENCHMARKS.md between its markers, and the plots in docs/plots, from a file of results. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Result, Summary } from '../support/result.js';
import { percent, significant } from '../support/statistics.js';
import { replaceBetween, table } from './markdown.js';
import { plots } from './plots.js';
import { root, type Results } from './results.js';
import { targetTable } from './targets.js';

/** Measures that stand in columns of their own. */
const shownElsewhere = (result: Result): ReadonlySet<string> => new Set([result.measure]);

function value(run: Summary, measure: string): string {
  const [low, high] = run.spread.map(significant);
  const middle = significant(run.measures[measure] ?? 0);
  return low === high ? `${middle}` : `${middle} (${low} … ${high})`;
}

function others(result: Result): string {
  return Object.entries(result.engine.measures)
    .filter(([name]) => !shownElsewhere(result).has(name))
    .map(([name, number]) => `${name} ${significant(number)}`)
    .join(', ');
}

function row(result: Result): string[] {
  const { measure, prototype } = result;
  return [
    result.variant,
    measure,
    value(result.engine, measure),
    value(result.floorRun, measure),
    `${significant(result.ratio)}${result.ratioInterval ? `, 95 %: ${result.ratioInterval.join(' … ')}` : ''}`,
    `${result.failures}`,
    prototype ? `${value(prototype, measure)}, ${prototype.failures} failures` : '',
    result.stolen === undefined ? '' : percent(result.stolen),
    others(result),
  ];
}

function section(name: string, results: readonly Result[]): string {
  const questions = [...new Set(results.map(({ question }) => question))];
  const head = [
    'run',
    'measure',
    'engine',
    'floor',
    'ratio',
    'failures',
    'prototype',
    'stolen',
    'engine, also',
  ];
  // No column for what nobody measured.
  const rows = results.map(row);
  const used = head.map((_, column) => rows.some((cells) => cells[column] !== ''));
  const keep = (cells: readonly string[]): string[] => cells.filter((_, column) => used[column]);
  return [`### ${name}`, ...questions, table(keep(head), rows.map(keep))].join('\n\n');
}

/** What stands between the markers. */
export function body(results: Results): string {
  const names = [...new Set(results.results.map(({ benchmark }) => benchmark))];
  const labs = [...new Set(results.results.map(({ lab }) => lab))].join(', ');
  const pictures = plots(results.results).map(({ file, alt }) => `![${alt}](plots/${file})`);
  return [
    `Measured on ${results.date}: Node ${results.node}, ${results.cpus} cores, ${labs}.` +
      (results.quick ? ' A quick run: a look, no measurement.' : '') +
      (results.missing.length > 0 ? ` Could not run: ${results.missing.join(', ')}.` : ''),
    'Medians, in brackets the smallest and the largest of the repeats; `ratio` is engine to floor, the median of the turns; `stolen` the share of the processor time wanted that the host of a virtual machine gave to others.',
    targetTable(results.results),
    ...pictures,
    ...names.map((name) =>
      section(
        name,
        results.results.filter(({ benchmark }) => benchmark === name),
      ),
    ),
  ].join('\n\n');
}

export function writeDocs(results: Results): void {
  const folder = join(root, 'docs', 'plots');
  mkdirSync(folder, { recursive: true });
  for (const { file, svg } of plots(results.results)) writeFileSync(join(folder, file), svg);
  const page = join(root, 'docs', 'BENCHMARKS.md');
  const before = existsSync(page) ? readFileSync(page, 'utf8') : '# Benchmarks\n';
  writeFileSync(page, replaceBetween(before, 'results', body(results)));
}
