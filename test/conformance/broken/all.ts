import { readFileSync } from 'node:fs';
import { brokenApis } from './api-engines.js';
import { changed } from './change.js';
import { brokenEngines, type BrokenEngine, type Change } from './engines.js';
import { brokenSessions } from './sessions.js';

const COMPILED = new URL('../../../', import.meta.url);

export const allBrokenEngines: readonly BrokenEngine[] = [...brokenEngines, ...brokenSessions, ...brokenApis];

/** A compiled file with a change made; throws if its place is not there exactly once. */
export function brokenText(change: Change): string {
  return changed(readFileSync(new URL(`src/${change.file}`, COMPILED), 'utf8'), change);
}
