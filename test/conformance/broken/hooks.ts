/** Loader hooks that change modules of the engine as they are loaded. */
import type { InitializeHook, LoadHook } from 'node:module';
import type { Change } from './engines.js';
import { changed } from './change.js';

let changes: readonly Change[] = [];

export const initialize: InitializeHook<readonly Change[]> = (data) => {
  changes = data;
};

export const load: LoadHook = async (url, context, nextLoad) => {
  // Threads load the modules themselves here, not the files that were made of them.
  if (url.endsWith('/dist/threads/workers/entry.js')) {
    return { format: 'module', source: "import '../../src/workers/entry.js';", shortCircuit: true };
  }
  const loaded = await nextLoad(url, context);
  const mine = changes.filter(({ file }) => url.endsWith(`/dist/src/${file}`));
  if (mine.length === 0) return loaded;
  const { source } = loaded;
  const text = typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString('utf8');
  return { ...loaded, source: mine.reduce(changed, text) };
};
