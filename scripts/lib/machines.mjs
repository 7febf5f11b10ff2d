/** The machines that compiled modules export. */
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { StateMachine } from 'xstate';
import { root } from './setup.mjs';

/** @returns {Promise<{ machine: import('xstate').AnyStateMachine, where: string }[]>} each once, in `folder` of the checkout. */
export async function exportedMachines(folder) {
  const top = join(root, folder);
  if (!existsSync(top)) return [];
  const found = new Map();
  for (const entry of readdirSync(top, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.js')) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    for (const [name, value] of Object.entries(await import(pathToFileURL(path).href))) {
      if (value instanceof StateMachine && !found.has(value))
        found.set(value, `${name} of ${relative(root, path)}`);
    }
  }
  return [...found].map(([machine, where]) => ({ machine, where }));
}
