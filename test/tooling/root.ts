import { fileURLToPath, pathToFileURL } from 'node:url';
import { join } from 'node:path';

/** The checkout; this file runs from dist/test/tooling. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Loads one of the plain scripts, which the compiler does not see; the caller states the shape. */
export async function loadScript<T>(path: string): Promise<T> {
  return (await import(pathToFileURL(join(root, path)).href)) as T;
}
