import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { join } from 'node:path';

/** The checkout; this file runs from dist/test/tooling. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Loads one of the plain scripts, which the compiler does not see; the caller states the shape. */
export async function loadScript<T>(path: string): Promise<T> {
  return (await import(pathToFileURL(join(root, path)).href)) as T;
}

/** What a user's module prints that is run in a process of its own; it may import the package. */
export async function printed(program: string, ...options: readonly string[]): Promise<string> {
  const args = [...options, '--input-type=module', '-e', program];
  return (await promisify(execFile)(process.execPath, args, { cwd: root })).stdout;
}
