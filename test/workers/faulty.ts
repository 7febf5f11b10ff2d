/**
 * An engine whose workers can be made to fail: by a throw, by `process.exit`, by an endless loop. Its workers run
 * `faulty-entry.ts`, which is the ordinary entry point and an ear for the order to fail.
 */
import { Asa } from '../../src/api/asa.js';
import { Client } from '../../src/api/client.js';
import { nodeClock } from '../../src/workers/node-clock.js';
import { workerPlacement } from '../../src/workers/placement.js';
import { Supervisor, type SupervisorOptions } from '../../src/workers/supervisor.js';

export type Fault = 'throw' | 'exit' | 'loop' | 'block' | 'work';

/** The channel on which the workers of this process hear: one faulty engine at a time. */
export const faultsChannel = (): string => `grasp faults ${process.pid}`;

/** What is said over the channel. */
export interface FaultOrder {
  readonly host: string;
  readonly fault: Fault;
  /** `block`: for how long, ms. `work`: ms of processor time. */
  readonly ms?: number;
}

export interface FaultyEngine {
  readonly supervisor: Supervisor;
  registerAsa(name: string): Promise<Asa>;
  fail(order: FaultOrder): void;
  /** Resolves when the host has been restarted and works again. */
  restarted(host: string): Promise<void>;
  close(): Promise<void>;
}

export async function startFaultyEngine(
  options: Omit<SupervisorOptions, 'placement'>,
): Promise<FaultyEngine> {
  const channel = new BroadcastChannel(faultsChannel());
  const entry = new URL('./faulty-entry.js', import.meta.url);
  const supervisor = await Supervisor.start({ ...options, placement: workerPlacement(() => entry) });
  const client = new Client({
    control: supervisor.controlFor('main'),
    clock: nodeClock,
    window: supervisor.limits.sessionWindow,
    host: () => supervisor.sessionHostFor(),
  });
  await supervisor.attachClient('main', client);
  let closed = false;
  return {
    supervisor,
    registerAsa: async (name) => new Asa(client, name, await client.control.registerAsa(name)),
    fail: (order) => channel.postMessage(order),
    restarted: async (host) => {
      while (!closed) {
        const thread = (await supervisor.status()).threads.find((each) => each.name === host);
        if (thread && thread.restarts > 0 && thread.state === 'running') return;
        await new Promise<void>((resolve) => nodeClock.setTimeout(resolve, 10));
      }
    },
    close: async () => {
      closed = true;
      channel.close();
      await supervisor.close();
    },
  };
}
