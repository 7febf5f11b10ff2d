/** What every command runs in: its output, the way to stop it, and the engine it may start. */
import type { Asa, Clock, Grasp, InspectorServer, Limits } from './api.js';
import { GraspError } from '../protocol/index.js';
import { Exit, describeFailure } from './exit.js';
import { inspectEngine, type InspectPort } from './inspection.js';
import type { Output } from './output.js';
import { logEvents } from './verbose.js';

export interface CommandContext {
  readonly output: Output;
  /** Aborts at SIGINT or SIGTERM: the command ends what it has begun and closes its engine. */
  readonly signal: AbortSignal;
  /** Makes ASA names unique on the machine (`offer-4711`). */
  readonly processId: number;
  /** For commands that repeat something. */
  readonly clock: Clock;
  /** `--inspect`: serve the inspector's page for the engine of this command. */
  readonly inspect: InspectPort | undefined;
  /** Shows a URL in the user's browser. Rejects a CliError when there is none. */
  openBrowser(url: string): Promise<void>;
  /** Starts an engine as the shared options (`--interface`, `--insecure`) say. Rejects a CliError. */
  startEngine(use: EngineUse, extra?: EngineExtra): Promise<Grasp>;
}

/** Options of the engine that only tests of it need. */
export type EngineExtra = Pick<Parameters<typeof Grasp.start>[0], 'listenSelf' | 'testing'>;

/** `once`: for what the command asks; `lasting`: others ask it, at any time, and the first one counts too. */
export type EngineUse = 'once' | 'lasting';

/** IP version of multicasts. */
export type Family = 'ipv6' | 'ipv4';

/** What commands that use the network have in common. */
export interface SharedOptions {
  /** Names of the interfaces to use; absent: every usable one. */
  readonly interface?: readonly string[] | undefined;
  /** Absent: both are heard, one is sent. */
  readonly family?: readonly Family[] | undefined;
  /** Limits of the engine that are not to be the default ones. */
  readonly limit?: Partial<Limits> | undefined;
  readonly insecure?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly verbose?: boolean | undefined;
  /** Of commands that last. */
  readonly inspect?: InspectPort | undefined;
}

/** {@link withEngine}, and an ASA named after the command. */
export function withAsa(
  context: CommandContext,
  command: string,
  use: (asa: Asa, grasp: Grasp) => Promise<Exit>,
  engine: EngineUse = 'once',
): Promise<Exit> {
  return withEngine(
    context,
    async (grasp) => use(await grasp.registerAsa(`${command}-${context.processId}`), grasp),
    engine,
  );
}

/**
 * Runs `use` with an engine, and closes the engine whatever happens. A failure is told in one line and becomes the
 * exit code; an interruption is none.
 */
export async function withEngine(
  context: CommandContext,
  use: (grasp: Grasp) => Promise<Exit>,
  engine: EngineUse = 'once',
): Promise<Exit> {
  const { output, signal } = context;
  let grasp: Grasp | undefined;
  // Before the engine starts, so that its start is told, too.
  const logged = output.options.verbose ? logEvents(output) : undefined;
  let inspector: InspectorServer | undefined;
  try {
    grasp = await context.startEngine(engine);
    const { interfaces, security } = await grasp.status();
    const names = interfaces.map((i) => i.name).join(', ') || 'no interface';
    output.log(`engine runs on ${names}; security: ${security}`);
    if (context.inspect !== undefined) inspector = await inspectEngine(output, grasp, context.inspect);
    return await use(grasp);
  } catch (error) {
    if (isInterruption(error, signal)) {
      output.log('interrupted');
      return Exit.noAgreement;
    }
    output.failure(error);
    return describeFailure(error).exit;
  } finally {
    try {
      // However it ended: after a failure they are wanted most.
      if (grasp && output.options.verbose)
        output.log(`counters: ${JSON.stringify((await grasp.status()).counters)}`);
    } finally {
      await inspector?.close();
      await grasp?.close();
      logged?.();
    }
  }
}

/** True for what calls reject with because the user ended the command. */
export function isInterruption(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && (error === signal.reason || (GraspError.is(error) && error.code === 42));
}

/** Resolves when the user ends the command. */
export function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Resolves after `ms`, or when the user ends the command. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  let end!: () => void;
  const over = new Promise<void>((resolve) => (end = resolve));
  const timer = clock.setTimeout(end, ms);
  signal.addEventListener('abort', end, { once: true });
  if (!signal.aborted) await over;
  clock.clearTimeout(timer);
  signal.removeEventListener('abort', end);
}
