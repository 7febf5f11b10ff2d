/**
 * Supervision of one engine worker: started, watched, replaced when it ends or hangs. One per worker, in the
 * thread that called `Grasp.start`.
 *
 * A worker is hung when it has answered nothing for `hungAfterMs`, counted only over ticks of the supervisor that
 * were themselves on time, and without the time in which the worker waited for a processor. So a blocked main thread,
 * a stopped process or a busy machine restarts nothing: there the supervisor's own ticks are late, or it is the worker
 * that nobody lets run.
 */
import { assign, setup } from 'xstate';
import type { Described } from '../runtime/index.js';

export interface WorkerSupervisionPort extends Described {
  /** Starts the thread; answers with `started`, `start.failed` or `exited`. */
  start(): void;
  /** Ends the thread whatever it does; `exited` follows. */
  terminate(): void;
  /** Gives up what the dead thread held: pending calls, sessions, data ports. */
  lose(): void;
  startBackoff(ms: number): void;
  stopBackoff(): void;
  /** Replays the desired state into the thread that has just started, and tells who waits. */
  ready(): void;
  failed(): void;
}

export interface WorkerSupervisionInput {
  readonly port: WorkerSupervisionPort;
  readonly hungAfterMs: number;
}

export interface WorkerSupervisionContext extends WorkerSupervisionInput {
  /** On-time supervision without an answer, ms. */
  readonly silentMs: number;
  /** Starts in a row that did not last. */
  readonly failures: number;
  /** Supervised time with answers since the last start, ms. */
  readonly aliveMs: number;
}

export type WorkerSupervisionEvent =
  | { readonly type: 'started' }
  | { readonly type: 'start.failed' }
  /** A tick of the supervisor; `ms` the worker could have answered in since the one before, `answered` if it has. */
  | { readonly type: 'tick'; readonly ms: number; readonly onTime: boolean; readonly answered: boolean }
  | { readonly type: 'exited' }
  | { readonly type: 'backoff.expired' }
  | { readonly type: 'stop' };

/** First pause before a worker that did not last is started again, ms; doubled each time. */
export const FIRST_BACKOFF_MS = 100;
/** ms after which a worker counts as one that lasts. */
export const LASTING_MS = 10_000;
/** Longest such pause, ms. */
export const MAX_BACKOFF_MS = 5_000;

export const workerSupervisionMachine = setup({
  types: {
    context: {} as WorkerSupervisionContext,
    events: {} as WorkerSupervisionEvent,
    input: {} as WorkerSupervisionInput,
  },
  guards: {
    isHung: ({ context, event }) =>
      event.type === 'tick' &&
      event.onTime &&
      !event.answered &&
      context.silentMs + event.ms >= context.hungAfterMs,
    answered: ({ event }) => event.type === 'tick' && event.answered,
    silentOnTime: ({ event }) => event.type === 'tick' && event.onTime,
    firstFailure: ({ context }) => context.failures === 0,
  },
  actions: {
    start: ({ context }) => context.port.start(),
    terminate: ({ context }) => context.port.terminate(),
    lose: ({ context }) => context.port.lose(),
    ready: ({ context }) => context.port.ready(),
    failed: ({ context }) => context.port.failed(),
    startBackoff: ({ context }) =>
      context.port.startBackoff(
        Math.min(FIRST_BACKOFF_MS * 2 ** Math.max(0, context.failures - 1), MAX_BACKOFF_MS),
      ),
    stopBackoff: ({ context }) => context.port.stopBackoff(),
    noteFailure: assign({ failures: ({ context }) => context.failures + 1 }),
    noteAnswer: assign(({ context, event }) => {
      const aliveMs = context.aliveMs + (event.type === 'tick' ? event.ms : 0);
      return { silentMs: 0, aliveMs, failures: aliveMs >= LASTING_MS ? 0 : context.failures };
    }),
    noteSilence: assign({
      silentMs: ({ context, event }) => context.silentMs + (event.type === 'tick' ? event.ms : 0),
    }),
    forget: assign({ silentMs: 0, aliveMs: 0 }),
  },
}).createMachine({
  id: 'workerSupervision',
  context: ({ input }) => ({ ...input, silentMs: 0, aliveMs: 0, failures: 0 }),
  initial: 'starting',
  states: {
    starting: {
      entry: ['forget', 'start'],
      on: {
        started: { target: 'running', actions: 'ready' },
        'start.failed': { target: 'ending', actions: ['failed', 'terminate'] },
        exited: { target: 'paused', actions: ['failed', 'lose'] },
        stop: { target: 'stopping', actions: 'terminate' },
      },
    },
    running: {
      on: {
        tick: [
          { guard: 'isHung', target: 'ending', actions: 'terminate' },
          { guard: 'answered', actions: 'noteAnswer' },
          { guard: 'silentOnTime', actions: 'noteSilence' },
        ],
        exited: [
          // The first time at once: service is to be back within a second.
          { guard: 'firstFailure', target: 'starting', actions: ['lose', 'noteFailure'] },
          { target: 'paused', actions: 'lose' },
        ],
        stop: { target: 'stopping', actions: 'terminate' },
      },
    },
    // The thread has been told to end and is not gone yet; its ports are still bound.
    ending: {
      on: {
        exited: [
          { guard: 'firstFailure', target: 'starting', actions: ['lose', 'noteFailure'] },
          { target: 'paused', actions: 'lose' },
        ],
        stop: { target: 'stopping' },
      },
    },
    paused: {
      entry: ['startBackoff', 'noteFailure'],
      exit: 'stopBackoff',
      on: {
        'backoff.expired': { target: 'starting' },
        stop: { target: 'stopped' },
      },
    },
    stopping: {
      on: { exited: { target: 'stopped', actions: 'lose' } },
    },
    stopped: { type: 'final' },
  },
});
