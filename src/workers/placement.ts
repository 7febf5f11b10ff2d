/**
 * Where hosts run: each in a worker thread, or all in the calling thread. Both sides of a host are reached through
 * the same control calls and data ports.
 */
import { randomFillSync } from 'node:crypto';
import { MessageChannel, Worker, type Transferable as NodeTransferable } from 'node:worker_threads';
import { inlinePair, type Clock, type RandomFill } from '../runtime/index.js';
import { runHost, type HostInit } from './host-main.js';
import type { World } from './host.js';
import { nodeClock } from './node-clock.js';
import { toEndpoint } from './ports.js';

/** Cryptographically strong (RFC 8990 §2.7). */
export const cryptoRandom: RandomFill = (target) => void randomFillSync(target);

/** The world of an engine thread. */
export const workerWorld: World = { clock: nodeClock, random: cryptoRandom, toEndpoint };

/** A host that has been launched; its control port is what {@link HostInit} carried the other end of. */
export interface Launched {
  readonly threadId: number;
  /**
   * ms for which its event loop has had nothing to do so far, until now; read without disturbing it. Undefined where it has
   * no loop of its own.
   */
  idleMs(): number | undefined;
  /** Ends it whatever it does; `onExit` follows. */
  terminate(): void;
}

export interface Placement {
  readonly kind: 'worker' | 'inline';
  readonly world: World;
  /** Two ends of a channel, to be handed to two hosts. */
  channel(): [object, object];
  /** `ports` are moved to the host with its description. */
  launch(init: HostInit, ports: readonly object[], onExit: (error: Error | undefined) => void): Launched;
}

/**
 * MB of young generation, three semi-spaces, of the threads every multicast passes. What a datagram leaves behind is
 * garbage at once: collected often it costs no more, and V8 would let it grow to 48 MB for each thread before it
 * looked. The other threads keep what lives as long as a session, and V8's own size.
 */
const YOUNG_MB = { listener: 6, core: 6, sessions: undefined, asa: undefined } as const;

/**
 * Options of Node that a thread does not take from the process. A program given with `--eval --input-type=module` has a
 * kind of input that files must not have: then a thread gets none but those of NODE_OPTIONS.
 */
const nodeOptions = (): { execArgv?: string[] } =>
  process.execArgv.some((option) => option.startsWith('--input-type')) ? { execArgv: [] } : {};

/** Every host in a worker of its own. `entry` is the module a worker of that role runs. */
export function workerPlacement(entry: (init: HostInit) => URL): Placement {
  return {
    kind: 'worker',
    world: workerWorld,
    channel: () => {
      const { port1, port2 } = new MessageChannel();
      return [port1, port2];
    },
    launch: (init, ports, onExit) => {
      const young = YOUNG_MB[init.role];
      const worker = new Worker(entry(init), {
        workerData: init,
        transferList: ports as NodeTransferable[],
        name: `grasp ${init.name}`,
        ...nodeOptions(),
        ...(young === undefined ? {} : { resourceLimits: { maxYoungGenerationSizeMb: young } }),
      });
      const { threadId } = worker;
      let failure: Error | undefined;
      worker.on('error', (error: unknown) => {
        failure = error instanceof Error ? error : new Error(String(error));
      });
      worker.on('exit', () => onExit(failure));
      return {
        threadId,
        idleMs: () => worker.performance.eventLoopUtilization().idle,
        terminate: () => void worker.terminate(),
      };
    },
  };
}

/** Every host in the calling thread, over the same mailboxes. `clone` copies each message as threads would. */
export function inlinePlacement(clock: Clock, random: RandomFill, options: { clone: boolean }): Placement {
  const world: World = { clock, random, toEndpoint };
  return {
    kind: 'inline',
    world,
    channel: () => inlinePair(clock, { clone: options.clone }),
    launch: (init, _ports, onExit) => {
      const host = runHost(init, world);
      // A host that cannot be built says so through its control calls.
      host.catch(() => undefined);
      return {
        threadId: 0,
        idleMs: () => undefined,
        terminate: () => {
          host
            .then((running) => running.close())
            .then(
              () => onExit(undefined),
              (error: unknown) => onExit(error instanceof Error ? error : new Error(String(error))),
            );
        },
      };
    },
  };
}
