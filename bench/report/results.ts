/** A file of results: what `--all` writes, and what is compared and shown later. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Result } from '../support/result.js';

export interface Results {
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly node: string;
  readonly cpus: number;
  /** Small loads: a look, no measurement. */
  readonly quick: boolean;
  /** Benchmarks that could not run. */
  readonly missing: readonly string[];
  readonly results: readonly Result[];
}

/** The checkout; this file runs from dist/bench/report. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = join(root, 'bench', 'results');

/** @returns its path in the checkout */
export function write(results: Results): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${results.date}.json`);
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
  return path;
}

export function read(path: string): Results {
  const parsed = JSON.parse(readFileSync(path, 'utf8')) as Partial<Results>;
  if (!Array.isArray(parsed.results)) throw new Error(`${path} holds no results of npm run bench -- --all`);
  return parsed as Results;
}

/** The newest file in bench/results that is not `other`. */
export function newestBeside(other: string): string {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
  const found = names
    .sort()
    .map((name) => join(folder, name))
    .filter((path) => path !== other)
    .at(-1);
  if (found === undefined) throw new Error(`nothing to compare with in ${dirname(other)}`);
  return found;
}
