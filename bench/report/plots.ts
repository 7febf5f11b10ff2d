/** The plots of a file of results: throughput against concurrency, and all contenders beside each other. Pure. */
import { placements } from '../placements.js';
import type { Result } from '../support/result.js';
import { barChart, lineChart, type Series } from './svg.js';

export interface Plot {
  readonly file: string;
  readonly alt: string;
  readonly svg: string;
}

const concurrencyOf = (result: Result): number => Number(result.settings['concurrency']);
const rateOf = (result: Result | undefined): number | undefined => result?.engine.measures['rate'];
const prototypeOf = (result: Result | undefined): number | undefined => result?.prototype?.measures['rate'];

/** One series per contender; `at` gives the result of a placement in a category. */
function contenders<T>(
  categories: readonly T[],
  at: (category: T, placement: string) => Result | undefined,
): Series[] {
  const any = (category: T): Result | undefined =>
    placements.map((placement) => at(category, placement)).find((result) => result !== undefined);
  const all: Series[] = [
    { name: 'floor (sockets)', values: categories.map((each) => any(each)?.floor), reference: true },
    ...placements.map((placement) => ({
      name: `engine, ${placement}`,
      values: categories.map((each) => rateOf(at(each, placement))),
    })),
    { name: 'prototype', values: categories.map((each) => prototypeOf(any(each))), reference: true },
  ];
  return all.filter(({ values }) => values.some((value) => value !== undefined));
}

function againstConcurrency(results: readonly Result[]): Plot[] {
  const negotiations = results.filter(({ benchmark }) => benchmark === 'negotiation');
  const categories = [...new Set(negotiations.map(concurrencyOf))].sort((a, b) => a - b);
  if (categories.length < 2) return [];
  const alt = 'Negotiations per second against concurrency';
  const svg = lineChart({
    title: alt,
    xLabel: 'negotiations at once',
    yLabel: 'per second',
    categories: categories.map(String),
    series: contenders(categories, (concurrency, placement) =>
      negotiations.find(
        (each) => concurrencyOf(each) === concurrency && each.settings['placement'] === placement,
      ),
    ),
  });
  return [{ file: 'negotiation-concurrency.svg', alt, svg }];
}

const AT_ONCE = 32;

function besideEachOther(results: readonly Result[]): Plot[] {
  const categories = ['negotiation', 'synchronize'].filter((name) =>
    results.some((each) => each.benchmark === name && concurrencyOf(each) === AT_ONCE),
  );
  if (categories.length === 0) return [];
  const alt = `Sessions per second, ${AT_ONCE} at once`;
  const svg = barChart({
    title: alt,
    xLabel: '',
    yLabel: 'per second',
    categories,
    series: contenders(categories, (name, placement) =>
      results.find(
        (each) =>
          each.benchmark === name &&
          concurrencyOf(each) === AT_ONCE &&
          each.settings['placement'] === placement,
      ),
    ),
  });
  return [{ file: 'sessions.svg', alt, svg }];
}

export const plots = (results: readonly Result[]): Plot[] => [
  ...againstConcurrency(results),
  ...besideEachOther(results),
];
