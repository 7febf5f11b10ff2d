/** `grasp get-flood NAME`: what has been flooded for an objective (RFC 8990 §2.5.6.2). */
import type { Asa, Grasp, TaggedObjective } from '../api.js';
import { pause, withAsa, type CommandContext } from '../command.js';
import { Exit } from '../exit.js';
import { readyEvent } from '../ready.js';
import { shownLocator, toMicroseconds, type CliEvent } from '../output.js';

export interface GetFloodOptions {
  /** Show what comes until interrupted. */
  readonly watch?: boolean | undefined;
  /** How long to wait for a first flood, ms; absent or 0: not at all. */
  readonly timeout?: number | undefined;
}

export async function getFlood(
  context: CommandContext,
  name: string,
  options: GetFloodOptions,
): Promise<Exit> {
  const { output, signal, clock } = context;
  return withAsa(context, 'get-flood', async (asa, grasp) => {
    if (options.watch === true) return watch(context, grasp, asa, name);
    const entries = await first(context, asa, name, options.timeout ?? 0);
    for (const entry of entries) output.event(valueEvent(entry, clock.now()));
    if (entries.length > 0) return Exit.done;
    signal.throwIfAborted();
    output.warn(`grasp: nothing is flooded for ${name}`);
    output.warn('       floods are heard while a command runs: --timeout MS waits for one, --watch for all');
    return Exit.noAgreement;
  });
}

/** What is flooded already, or within the time. */
async function first(
  { clock, signal }: CommandContext,
  asa: Asa,
  name: string,
  timeoutMs: number,
): Promise<readonly TaggedObjective[]> {
  if (timeoutMs === 0) return asa.getFlood(name, { signal });
  const over = new AbortController();
  void pause(clock, timeoutMs, AbortSignal.any([signal, over.signal])).then(() => over.abort());
  try {
    for await (const entries of asa.watchFlood(name, { signal: over.signal })) {
      if (entries.length > 0) return entries;
    }
    return [];
  } catch (error) {
    if (error === over.signal.reason) return [];
    throw error;
  } finally {
    over.abort();
  }
}

/** Entries that are new or changed, until interrupted: that is the way to end it. */
async function watch(context: CommandContext, grasp: Grasp, asa: Asa, name: string): Promise<Exit> {
  const { output, signal, clock } = context;
  const ready = await readyEvent(grasp);
  let shown: Map<string, string> | undefined;
  try {
    for await (const entries of asa.watchFlood(name, { signal })) {
      // From the first answer on nothing is missed.
      if (shown === undefined) output.event(ready);
      const now = new Map<string, string>();
      // The newest comes first from the cache, and last on the screen.
      for (const entry of [...entries].reverse()) {
        const key = JSON.stringify(entry.locator && { ...entry.locator, expiresAt: 0, interface: undefined });
        const content = `${entry.expiresAt} ${Buffer.from(entry.encodedValue).toString('hex')}`;
        now.set(key, content);
        if (shown?.get(key) !== content) output.event(valueEvent(entry, clock.now()));
      }
      shown = now;
    }
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
  }
  return Exit.done;
}

function valueEvent(entry: TaggedObjective, at: number): CliEvent {
  const { name, value, locator, expiresAt } = entry;
  return {
    event: 'value',
    name,
    value,
    locator: locator && shownLocator(locator),
    interface: entry.interface ?? null,
    expiresAt,
    source: 'flood',
    at: toMicroseconds(at),
  };
}
