/**
 * The ASAs of the negotiation benchmark, both roles. Spawned as a module (placement `worker`), or called by
 * engine-server.ts and engine-client.ts in their own thread (`main`, `inline`): the same code either way.
 *
 *     initiator: requestNegotiate ['NZD', 300]
 *     responder: negotiateStep    ['NZD', 250]
 *     initiator: endNegotiate accept
 */
import { BroadcastChannel } from 'node:worker_threads';
import type { Asa, AsaContext, GraspError, Objective } from '../src/index.js';

/** Where a responder tells its port, whichever thread it runs in. */
export const READY_CHANNEL = 'anima-grasp-bench-ready';

/** With name, flags and loop count this makes an M_REQ_NEG of 40 bytes, like the floor's. */
const OBJECTIVE = 'bench:negotiation:01';
const ASK = ['NZD', 300];
const OFFER = ['NZD', 250];

export interface Load {
  readonly host: string;
  readonly port: number;
  readonly sessions: number;
  readonly concurrency: number;
  readonly warmup: number;
}

export type Role = { readonly role: 'responder' } | ({ readonly role: 'initiator' } & Load);

export interface ClientResult {
  readonly sessions: number;
  readonly concurrency: number;
  readonly failures: number;
  /** How often each failure happened, by name. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly rate: number;
  /** CPU time of the process, all threads, µs. */
  readonly cpuUsPerSession: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const register = (asa: Asa): Promise<Objective> =>
  asa.registerObjective({ name: OBJECTIVE, negotiate: true, overlap: true });

async function respond(asa: Asa, signal: AbortSignal): Promise<void> {
  const objective = await register(asa);
  const listening = await objective.onNegotiate(
    async (session) => {
      await session.negotiateStep(OFFER);
    },
    { concurrency: 10_000, signal },
  );
  const channel = new BroadcastChannel(READY_CHANNEL);
  channel.postMessage({ port: listening.port });
  channel.close();
  await listening.ended;
}

interface Run {
  readonly seconds: number;
  readonly cpuUs: number;
  readonly reasons: Map<string, number>;
  /** Ascending, one per session without failure: from the request to the end that was sent. */
  readonly latenciesMs: Float64Array;
}

async function run(asa: Asa, objective: Objective, load: Load, sessions: number): Promise<Run> {
  const peer = { address: load.host, port: load.port };
  const latencies: number[] = [];
  const reasons = new Map<string, number>();
  const fail = (reason: string): void => void reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  let started = 0;

  async function lane(): Promise<void> {
    while (started < sessions) {
      started += 1;
      const at = performance.now();
      try {
        const result = await asa.requestNegotiate(objective, ASK, { peer, timeoutMs: 10_000 });
        if (result.state === 'offered') {
          await result.session.endNegotiate({ accept: true });
          latencies.push(performance.now() - at);
        } else {
          fail(result.state);
        }
      } catch (error) {
        const { name, code, message } = error as GraspError;
        fail(`${name} (${code}) ${message}`);
      }
    }
  }

  const startedAt = performance.now();
  const cpuAt = process.cpuUsage();
  await Promise.all(Array.from({ length: load.concurrency }, lane));
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = process.cpuUsage(cpuAt);
  return { seconds, cpuUs: cpu.user + cpu.system, reasons, latenciesMs: Float64Array.from(latencies).sort() };
}

const quantile = (sorted: Float64Array, q: number): number =>
  Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0).toFixed(3));

async function initiate(asa: Asa, load: Load): Promise<ClientResult> {
  const objective = await register(asa);
  const warmup = await run(asa, objective, load, load.warmup);
  const { seconds, cpuUs, reasons, latenciesMs } = await run(asa, objective, load, load.sessions);
  // A session that fails while warming up has failed all the same.
  for (const [reason, count] of warmup.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  return {
    sessions: load.sessions,
    concurrency: load.concurrency,
    failures: [...reasons.values()].reduce((sum, count) => sum + count, 0),
    reasons: Object.fromEntries(reasons),
    rate: Math.round(latenciesMs.length / seconds),
    cpuUsPerSession: Math.round(cpuUs / load.sessions),
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
  };
}

/** The default export that `spawnAsa` calls: resolves when the responder is stopped, or with the initiator's result. */
export default function asaMain({ asa, data, signal }: AsaContext): Promise<void | ClientResult> {
  const role = data as Role;
  return role.role === 'responder' ? respond(asa, signal) : initiate(asa, role);
}
