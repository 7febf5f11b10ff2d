/**
 * `grasp selftest`: one host on two interfaces that hears its own multicasts, relays between the two, and uses every
 * function of the API; over a simulated network, or over real interfaces given with `-i`. One line for each step.
 */
import { Grasp, SimulatedNetwork } from '../api.js';
import { isInterruption, type CommandContext, type EngineExtra, type SharedOptions } from '../command.js';
import { Exit, describeFailure, usageError } from '../exit.js';
import { auditSteps } from '../selftest/audit.js';
import { discoverySteps, registrationSteps } from '../selftest/discovery.js';
import { conversationStep, negotiationSteps } from '../selftest/negotiation.js';
import type { Stage, Step } from '../selftest/stage.js';
import { floodSteps, synchronizationSteps } from '../selftest/values.js';

export interface SelftestOptions {
  /** Which conversation Neg1 and Neg2 have. */
  readonly seed?: number | undefined;
}

export const DEFAULT_SELFTEST_SEED = 8;

export const SELFTEST: readonly Step[] = [
  ...registrationSteps,
  ...discoverySteps,
  ...floodSteps,
  ...synchronizationSteps,
  ...negotiationSteps,
  conversationStep,
  ...auditSteps,
];

export async function selftest(
  context: CommandContext,
  options: SelftestOptions & SharedOptions,
): Promise<Exit> {
  const real = (options.interface ?? []).length > 0;
  if (real && new Set(options.interface).size < 2) {
    throw usageError(
      'the self-test relays between two interfaces',
      'give -i twice, or not at all to simulate',
    );
  }
  const seed = options.seed ?? DEFAULT_SELFTEST_SEED;
  const network = real ? undefined : new SimulatedNetwork({ seed });
  const started: Grasp[] = [];
  /** The host hears its own multicasts; the other one tells of itself in diverts. */
  const start = async (name: string, extra: EngineExtra): Promise<Grasp> => {
    const engine =
      network === undefined
        ? await context.startEngine('once', extra)
        : await Grasp.start({
            substrate: { kind: 'simulated', node: network.addNode(name, { links: ['left', 'right'] }) },
            sessionWorkers: 1,
            ...extra,
          });
    started.push(engine);
    return engine;
  };
  try {
    const host = await start('host', { listenSelf: true });
    const peer = await start('peer', { testing: { forceDivert: true } });
    const { output, clock, signal } = context;
    const stage: Stage = {
      clock,
      signal,
      seed,
      host,
      peer,
      say: (asa, text) => output.line({ event: 'said', asa, text }, `  ${asa} ${text}`),
      one: await host.registerAsa('ASA-1'),
      two: await host.registerAsa('ASA-2'),
      far: await peer.registerAsa('ASA-3'),
    };
    return await play(context, stage);
  } catch (error) {
    if (isInterruption(error, context.signal)) return Exit.noAgreement;
    context.output.failure(error);
    return describeFailure(error).exit;
  } finally {
    await Promise.all(started.map((engine) => engine.close()));
    network?.close();
  }
}

/** Every step, also after one that failed: what else does not hold is worth knowing. */
async function play({ output, signal }: CommandContext, stage: Stage): Promise<Exit> {
  let failed = 0;
  for (const step of SELFTEST) {
    signal.throwIfAborted();
    const { name } = step;
    try {
      const found = await step.run(stage);
      output.line({ event: 'check', name, ok: true, found }, `ok      ${name}: ${found}`);
    } catch (error) {
      if (signal.aborted) throw error;
      failed++;
      const found = error instanceof Error ? error.message : String(error);
      output.line({ event: 'check', name, ok: false, found }, `FAILED  ${name}: ${found}`);
    }
  }
  const passed = SELFTEST.length - failed;
  output.line(
    { event: 'summary', passed, failed, seed: stage.seed },
    failed === 0 ? `All ${passed} steps hold.` : `${failed} of ${SELFTEST.length} steps do not hold.`,
  );
  return failed === 0 ? Exit.done : Exit.noAgreement;
}
