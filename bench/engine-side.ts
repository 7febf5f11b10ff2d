/** What both engine processes of a benchmark with sessions share: starting the engine, placing the ASA. */
import { Grasp, type Inspection, type Limits } from 'anima-grasp';
import { ThreadLine } from './asas/thread-line.js';
import { works, type Role, type WorkName } from './asas/work.js';
import asaMain from './engine-asa.js';
import { placements, type Placement } from './placements.js';
import type { Command } from './support/commands.js';

/** Options of both sides, for `parseArgs`. */
export const sideOptions = {
  work: { type: 'string', default: 'negotiation' },
  placement: { type: 'string', default: 'worker' },
  interface: { type: 'string' },
  /** JSON. */
  limits: { type: 'string', default: '{}' },
  /** Share of the sessions that is inspected; absent: nobody watches. */
  watch: { type: 'string' },
} as const;

function oneOf<T extends string>(name: string, known: readonly T[], text: string): T {
  const found = known.find((each) => each === text);
  if (found === undefined) throw new Error(`--${name} must be one of ${known.join(', ')}`);
  return found;
}

export const toPlacement = (text: string): Placement => oneOf('placement', placements, text);
export const toWork = (text: string): WorkName => oneOf('work', works, text);

export interface EngineSide {
  readonly grasp: Grasp;
  /** Gives the ASA a command and returns its answer. */
  readonly ask: (command: Command) => Promise<object>;
  readonly close: () => Promise<void>;
}

/** Starts an engine and one ASA on it; resolves when that takes commands. */
export async function startSide(
  placement: Placement,
  options: {
    readonly interface?: string | undefined;
    readonly limits: string;
    readonly watch?: string | undefined;
  },
  role: Role,
): Promise<EngineSide> {
  const grasp = await Grasp.start({
    substrate: {
      kind: 'plain',
      insecure: true,
      ...(options.interface === undefined ? {} : { interfaces: [options.interface] }),
    },
    placement: placement === 'inline' ? 'inline' : 'worker',
    limits: JSON.parse(options.limits) as Partial<Limits>,
  });
  const inspected = options.watch === undefined ? undefined : inspect(grasp, Number(options.watch));
  await inspected?.attached;
  const line = new ThreadLine();
  const name = `bench-${role.role}`;
  const stop = new AbortController();
  // What ends it too early ends the process: nobody would answer its commands.
  if (placement === 'worker') {
    const asa = await grasp.spawnAsa(new URL('./engine-asa.js', import.meta.url), { name, data: role });
    void asa.done.catch(give(stop.signal));
  } else {
    const asa = await grasp.registerAsa(name);
    void asaMain({ asa, data: role, signal: stop.signal }).catch(give(stop.signal));
  }
  await line.ready;
  return {
    grasp,
    ask: (command) => line.ask(command),
    close: async () => {
      stop.abort();
      line.close();
      await grasp.close();
    },
  };
}

/** Reads everything as fast as it comes, as a server that passes it on would. */
function inspect(grasp: Grasp, share: number): Inspection {
  const inspection = grasp.inspect({ share, maxPerSecond: Infinity, queueLimit: 100_000 });
  void (async () => {
    for await (const items of inspection) if (items.length === 0) return;
  })();
  return inspection;
}

const give =
  (stopped: AbortSignal) =>
  (error: unknown): void => {
    if (stopped.aborted) return;
    process.stderr.write(`engine: the ASA ended: ${String(error)}\n`);
    process.exit(3);
  };
