/**
 * An engine on one interface whose workers can be made to fail. Argument: `{ interface, limits, hungAfterMs }` as
 * JSON. Commands: `offer`, `discover`, `negotiate`, `status`, `fail`, `blockMain`, `close`.
 */
import type { Limits } from '../../../src/workers/engine-control.js';
import type { Asa } from '../../../src/api/asa.js';
import type { AsaLocator, NegotiateResult, NegotiationSession, Objective } from '../../../src/index.js';
import { startFaultyEngine, type Fault } from '../../workers/faulty.js';
import { number, serveCommands, text, type Command } from './serve.js';

const plan = JSON.parse(process.argv[2] ?? '{}') as {
  interface: string;
  /** Instead of `interface`. */
  interfaces?: readonly string[];
  families?: readonly ('ipv6' | 'ipv4')[];
  limits?: Partial<Limits>;
  hungAfterMs?: number;
};
const began = performance.now();
const engine = await startFaultyEngine({
  substrate: {
    kind: 'plain',
    interfaces: plan.interfaces ?? [plan.interface],
    families: plan.families,
    insecure: true,
  },
  sessionWorkers: 1,
  limits: plan.limits,
  hungAfterMs: plan.hungAfterMs,
});
const startMs = performance.now() - began;

let asa: Asa | undefined;
const objectives = new Map<string, Objective>();

async function objective(name: string): Promise<Objective> {
  asa ??= await engine.registerAsa(`agent-${process.pid}`);
  let known = objectives.get(name);
  if (!known) {
    known = await asa.registerObjective({ name, negotiate: true });
    objectives.set(name, known);
  }
  return known;
}

async function counterOffer(session: NegotiationSession): Promise<void> {
  const reply = await session.negotiateStep(['NZD', 80]);
  if (reply.state === 'offered') await session.endNegotiate({ accept: true });
}

/** The first locator, from the network, and how long it took. */
async function first(command: Command): Promise<{ peer: AsaLocator | undefined; ms: number }> {
  const wanted = await objective(text(command, 'name'));
  const from = performance.now();
  const timeoutMs = typeof command['timeoutMs'] === 'number' ? command['timeoutMs'] : 10_000;
  for await (const peer of asa!.discover(wanted, { flush: true, timeoutMs })) {
    return { peer, ms: performance.now() - from };
  }
  return { peer: undefined, ms: performance.now() - from };
}

serveCommands({
  started: () => ({ startMs }),
  offer: async (command) => {
    const listening = await (await objective(text(command, 'name'))).onNegotiate(counterOffer);
    return { port: listening.port };
  },
  discover: async (command) => {
    const { peer, ms } = await first(command);
    return { ms, found: peer !== undefined, address: peer?.address };
  },
  /** A request with one counter-offer, found by a discovery of its own, or at `address`, `port`. */
  negotiate: async (command) => {
    const wanted = await objective(text(command, 'name'));
    const from = performance.now();
    const peer =
      command['address'] === undefined
        ? (await first(command)).peer
        : { address: text(command, 'address'), port: number(command, 'port'), protocol: 'tcp' as const };
    if (!peer) return { state: 'nobody found', ms: performance.now() - from };
    const timeoutMs = typeof command['timeoutMs'] === 'number' ? command['timeoutMs'] : 10_000;
    const options = { peer, timeoutMs };
    let result: NegotiateResult = await asa!.requestNegotiate(wanted, ['NZD', 300], options);
    if (result.state === 'offered') result = await result.session.negotiateStep(['NZD', 250]);
    return { state: result.state, ms: performance.now() - from };
  },
  status: async () => {
    const { threads, counters, objectives: listed, interfaces } = await engine.supervisor.status();
    return { threads, counters, objectives: listed, interfaces };
  },
  fail: (command) => {
    const fault = text(command, 'fault') as Fault;
    const ms = typeof command['ms'] === 'number' ? { ms: command['ms'] } : {};
    engine.fail({ host: text(command, 'host'), fault, ...ms });
    return {};
  },
  blockMain: (command) => {
    const until = performance.now() + number(command, 'ms');
    while (performance.now() < until);
    return {};
  },
  close: async () => {
    await engine.close();
    process.stdin.destroy();
    return {};
  },
});
