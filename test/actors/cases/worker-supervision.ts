/** Start, watch and replacement of an engine worker as cases of the worker supervision machine. */
import {
  FIRST_BACKOFF_MS,
  LASTING_MS,
  MAX_BACKOFF_MS,
  workerSupervisionMachine,
  type WorkerSupervisionEvent,
  type WorkerSupervisionPort,
} from '../../../src/actors/worker-supervision.js';
import type { MachineCase, MachineSubject } from './play.js';
import { casesOf } from './subject.js';

const started: WorkerSupervisionEvent = { type: 'started' };
const startFailed: WorkerSupervisionEvent = { type: 'start.failed' };
const exited: WorkerSupervisionEvent = { type: 'exited' };
const backoffExpired: WorkerSupervisionEvent = { type: 'backoff.expired' };
const stop: WorkerSupervisionEvent = { type: 'stop' };
const tick = (ms: number, facts: { answered?: boolean; late?: boolean } = {}): WorkerSupervisionEvent => ({
  type: 'tick',
  ms,
  onTime: facts.late !== true,
  answered: facts.answered ?? false,
});

const on = casesOf<WorkerSupervisionPort, WorkerSupervisionEvent>({ hungAfterMs: 500 });
const running = [started];
const hung = [started, tick(500)];
/** Dies again each time as soon as it has started; in the pause after `n` such lives beyond the first. */
const shortLives = (n: number): WorkerSupervisionEvent[] => [
  started,
  exited,
  ...Array.from({ length: n - 1 }, () => [exited, backoffExpired]).flat(),
];
const inPause = (failures: number, backoffMs: number) => ({
  state: 'paused',
  effects: [['failed'], ['lose'], ['startBackoff', backoffMs]] as const,
  context: { failures },
});

const cases: MachineCase[] = [
  // starting
  on('a thread that has started gets the desired state', [], started, {
    state: 'running',
    effects: [['ready']],
    context: { silentMs: 0, failures: 0 },
  }),
  on('a thread that cannot be set up is ended, and who waits is told', [], startFailed, {
    state: 'ending',
    effects: [['failed'], ['terminate']],
  }),
  on('a thread that ends while it starts: who waits is told, and a pause', [], exited, {
    state: 'paused',
    effects: [['failed'], ['lose'], ['startBackoff', FIRST_BACKOFF_MS]],
    context: { failures: 1 },
  }),
  on('stopped while it starts', [], stop, { state: 'stopping', effects: [['terminate']] }),
  on('a thread that is being set up is not watched', [], tick(60_000), { state: 'starting', effects: [] }),

  // running
  on('silence is added up', [...running, tick(100)], tick(150), {
    state: 'running',
    effects: [],
    context: { silentMs: 250 },
  }),
  on('an answer ends the silence', [started, exited, started, tick(400)], tick(100, { answered: true }), {
    state: 'running',
    effects: [],
    context: { silentMs: 0, failures: 1, aliveMs: 100 },
  }),
  on(
    'a worker that lasts is forgiven what was',
    [started, exited, started, tick(LASTING_MS - 100, { answered: true })],
    tick(100, { answered: true }),
    {
      state: 'running',
      effects: [],
      context: { failures: 0 },
    },
  ),
  on(
    'an answer counts on a late tick too',
    [...running, tick(400)],
    tick(9_000, { answered: true, late: true }),
    {
      state: 'running',
      effects: [],
      context: { silentMs: 0 },
    },
  ),
  on('hung: ended when the silence reaches the limit', [...running, tick(400)], tick(100), {
    state: 'ending',
    effects: [['terminate']],
  }),
  on('not before', [...running, tick(400)], tick(99), {
    state: 'running',
    effects: [],
    context: { silentMs: 499 },
  }),
  on(
    'a late tick does not count: the supervisor itself was held up',
    [...running, tick(499)],
    tick(60_000, { late: true }),
    {
      state: 'running',
      effects: [],
      context: { silentMs: 499 },
    },
  ),
  on('an answer in the last moment saves it', [...running, tick(499)], tick(100, { answered: true }), {
    state: 'running',
    effects: [],
    context: { silentMs: 0 },
  }),
  on('a worker that dies is replaced at once', running, exited, {
    state: 'starting',
    effects: [['lose'], ['start']],
    context: { failures: 1, silentMs: 0 },
  }),
  on(
    "the silence of the dead one is not its successor's",
    [...running, tick(400), exited, started],
    tick(100),
    {
      state: 'running',
      effects: [],
      context: { silentMs: 100 },
    },
  ),
  on('one that dies again before it has lasted waits for a pause', [started, exited, started], exited, {
    state: 'paused',
    effects: [['lose'], ['startBackoff', FIRST_BACKOFF_MS]],
    context: { failures: 2 },
  }),
  on(
    'one that has lasted is replaced at once again',
    [started, exited, started, tick(LASTING_MS, { answered: true })],
    exited,
    {
      state: 'starting',
      effects: [['lose'], ['start']],
      context: { failures: 1 },
    },
  ),
  on('stopped while it runs', running, stop, { state: 'stopping', effects: [['terminate']] }),

  // ending
  on('a hung worker that is gone is replaced at once', hung, exited, {
    state: 'starting',
    effects: [['lose'], ['start']],
    context: { failures: 1, silentMs: 0 },
  }),
  on(
    'one that hangs again before it has lasted waits for a pause',
    [...hung, exited, started, tick(500)],
    exited,
    {
      state: 'paused',
      effects: [['lose'], ['startBackoff', FIRST_BACKOFF_MS]],
      context: { failures: 2 },
    },
  ),
  on('a thread that is ending is not ended twice', hung, tick(500), { state: 'ending', effects: [] }),
  on('stopped while a hung thread is ending', hung, stop, { state: 'stopping', effects: [] }),

  // paused
  on('after the pause it is started', [exited], backoffExpired, {
    state: 'starting',
    effects: [['stopBackoff'], ['start']],
    context: { failures: 1 },
  }),
  on('the pause doubles', shortLives(2), exited, inPause(3, 2 * FIRST_BACKOFF_MS)),
  on('up to its limit', shortLives(20), exited, inPause(21, MAX_BACKOFF_MS)),
  on('stopped during the pause: nothing to wait for', [exited], stop, {
    state: 'stopped',
    effects: [['stopBackoff']],
  }),

  // stopping
  on('the thread has ended: stopped', [...running, stop], exited, { state: 'stopped', effects: [['lose']] }),
  on('a thread that starts after all is not used', [stop], started, { state: 'stopping', effects: [] }),
  on('stopped is stopped', [...running, stop, exited], exited, { state: 'stopped', effects: [] }),
];

export const workerSupervisionCases: MachineSubject = {
  name: 'workerSupervision',
  machine: workerSupervisionMachine,
  cases,
};
