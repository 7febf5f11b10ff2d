// TEMPORARY stand-in for ../api while it is being written.
export type PeerLike = string | AsaLocator | { address: string; port: number; interface?: string };
export interface AsaLocator {
  kind: string;
  address: string;
  port: number | null;
  protocol: 'tcp' | 'udp' | number | null;
  interface?: string;
  diverted: boolean;
  expiresAt: number;
}
export interface NegotiationSession {
  readonly objective: string;
  readonly role: 'initiator' | 'responder';
  readonly sessionId: number;
  readonly remote: { address: string; port: number; interface?: string };
  readonly value: unknown;
  readonly encodedValue: Uint8Array;
  readonly loopCount: number;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly ended: boolean;
  negotiateStep(
    value: unknown,
    options?: { timeoutMs?: number; loopCount?: number; dryRun?: boolean; signal?: AbortSignal },
  ): Promise<NegotiateResult>;
  negotiateWait(timeoutMs?: number): Promise<void>;
  endNegotiate(result: { accept: true } | { accept: false; reason?: string }): Promise<void>;
}
export type NegotiateResult =
  | { state: 'accepted'; value: unknown }
  | { state: 'offered'; session: NegotiationSession; value: unknown; loopCount: number }
  | { state: 'declined'; reason: string };
export interface Objective {
  readonly name: string;
  readonly loopCount: number;
  onNegotiate(
    handler: (session: NegotiationSession) => unknown,
    options?: { concurrency?: number; signal?: AbortSignal },
  ): Promise<{ port: number; stop(): Promise<void> }>;
  listenNegotiate(options?: { signal?: AbortSignal }): AsyncIterableIterator<NegotiationSession>;
}
export interface Asa {
  registerObjective(o: {
    name: string;
    negotiate?: boolean;
    dryRun?: boolean;
    loopCount?: number;
    overlap?: boolean;
  }): Promise<Objective>;
  discover(
    objective: string,
    options?: { timeoutMs?: number; loopCount?: number; signal?: AbortSignal },
  ): AsyncIterable<AsaLocator>;
  requestNegotiate(
    objective: Objective,
    value: unknown,
    options?: {
      peer?: PeerLike;
      timeoutMs?: number;
      dryRun?: boolean;
      loopCount?: number;
      signal?: AbortSignal;
    },
  ): Promise<NegotiateResult>;
}
export interface EngineStatus {
  security: string;
  interfaces: {
    name: string;
    index: number;
    linkLocal?: string | undefined;
    addresses: readonly string[];
    port: number;
  }[];
  threads: { name: string; threadId: number }[];
  objectives: { name: string; port: number; listening: boolean }[];
  counters: Record<string, number>;
}
export interface Grasp {
  registerAsa(name: string): Promise<Asa>;
  status(): Promise<EngineStatus>;
  close(): Promise<void>;
}
export class Grasp {
  static start(_o: unknown): Promise<Grasp> {
    throw new Error('stand-in');
  }
}
import type { Clock } from '../runtime/clock.js';
export type { Clock };
export { nodeClock } from '../workers/node-clock.js';
export class SimulatedNetwork {
  constructor(_o: { seed: number; clock: Clock }) {}
  addNode(_n: string, _o: { links: string[] }): unknown {
    return undefined;
  }
  counters(): Record<string, { datagrams: number; streams: number; streamMessages: number }> {
    return {};
  }
  close(): void {}
}
