/** RFC 8990 §2.8.6 and RFC 8991 §2.3.5 (listening) as cases of the request listener machine. */
import {
  requestListener,
  type RequestListenerEvent,
  type RequestListenerPort,
} from '../../../src/actors/request-listener.js';
import { check, recording, type Effect, type MachineCase, type MachineSubject } from './play.js';

const listen = (id: number, takes = true): RequestListenerEvent => ({ type: 'listen', listen: id, takes });
const stop = (id: number): RequestListenerEvent => ({ type: 'stop', listen: id });
const take = (id: number, n = 1): RequestListenerEvent => ({ type: 'take', listen: id, n });
const request = (session: number): RequestListenerEvent => ({ type: 'request', session });
const withdraw = (session: number): RequestListenerEvent => ({ type: 'withdraw', session });
const bound: RequestListenerEvent = { type: 'bound', port: 50_000 };
const inUse: RequestListenerEvent = { type: 'bind.failed', inUse: true, detail: 'taken' };
const broken: RequestListenerEvent = { type: 'bind.failed', inUse: false, detail: 'no descriptors' };
const closed: RequestListenerEvent = { type: 'closed' };
const credit: RequestListenerEvent = { type: 'credit' };
const expired: RequestListenerEvent = { type: 'timer.expired' };

const over: Effect[] = [['stopTimer'], ['release']];
const refused = (session: number, because: string): Effect[] => [
  ['count', because],
  ['refuse', session],
];
const stoppedEarly = (id: number): Effect => ['rejectListen', id, { code: 42, detail: 'stopped' }];

const opening = [listen(1)];
const retrying = [listen(1), inUse];
const listening = [listen(1), bound];
const closing = [listen(1), bound, stop(1)];

interface Facts {
  readonly secure?: boolean;
  /** Listens whose client does not keep up. */
  readonly congested?: readonly number[];
  /** All of them, but no longer when the last event comes. */
  readonly congestedUntilLast?: boolean;
  readonly wantedPort?: number;
}

function on(
  name: string,
  path: readonly RequestListenerEvent[],
  event: RequestListenerEvent,
  expected: { state: string; effects: readonly Effect[]; context?: object },
  facts: Facts = {},
): MachineCase {
  return {
    name,
    run: (machine) => {
      let last = false;
      const { port, effects } = recording<RequestListenerPort>({
        secure: facts.secure ?? true,
        congested: (id) => (facts.congestedUntilLast && !last) || (facts.congested?.includes(id) ?? false),
      });
      const input = {
        port,
        objective: 'EX3',
        wantedPort: facts.wantedPort ?? 50_000,
        queueLimit: 2,
        bindAttempts: 3,
        bindRetryMs: 50,
      };
      check(machine, input, effects, path, event, expected, () => (last = true));
    },
  };
}

const cases: MachineCase[] = [
  on('the first listen opens the port', [], listen(1), {
    state: 'opening',
    effects: [['bind', 50_000]],
    context: { listens: [{ listen: 1, demand: 0, takes: true }] },
  }),

  // opening
  on('TCP accepts: every listen is confirmed with the port', [listen(1), listen(2)], bound, {
    state: 'listening',
    effects: [
      ['confirmListen', 1, 50_000],
      ['confirmListen', 2, 50_000],
    ],
    context: { wantedPort: 50_000 },
  }),
  on('a second listen while the port is opened', opening, listen(2), {
    state: 'opening',
    effects: [],
    context: {
      listens: [
        { listen: 1, demand: 0, takes: true },
        { listen: 2, demand: 0, takes: true },
      ],
    },
  }),
  on('demand before the port is open is kept', opening, take(1, 3), {
    state: 'opening',
    effects: [],
    context: { listens: [{ listen: 1, demand: 3, takes: true }] },
  }),
  on('demand of a listen that is not there is nothing', opening, take(8), {
    state: 'opening',
    effects: [],
    context: { listens: [{ listen: 1, demand: 0, takes: true }] },
  }),
  on('a listen that is stopped before the port is open: 42', opening, stop(1), {
    state: 'opening',
    effects: [stoppedEarly(1), ['confirmStop', 1]],
    context: { listens: [] },
  }),
  on('the port opens when nobody listens any more: closed again', [listen(1), request(5), stop(1)], bound, {
    state: 'closing',
    effects: [...refused(5, 'request.no-listener'), ['unbind']],
    context: { queue: [] },
  }),
  on('a peer that is quicker than the confirmation waits', opening, request(5), {
    state: 'opening',
    effects: [],
    context: { queue: [5] },
  }),
  on('C-20 the queue is bounded from the beginning', [...opening, request(5), request(6)], request(7), {
    state: 'opening',
    effects: refused(7, 'request.queue-full'),
  }),
  on('a peer that gives up before the confirmation', [...opening, request(5)], withdraw(5), {
    state: 'opening',
    effects: [],
    context: { queue: [] },
  }),
  on('a request at a port that is opened for presence only: closed at once', [listen(1, false)], request(5), {
    state: 'opening',
    effects: refused(5, 'request.no-listener'),
  }),
  on(
    'what waited is refused when the port is open and only presence is left',
    [listen(1), listen(2, false), request(5), stop(1)],
    bound,
    {
      state: 'listening',
      effects: [['confirmListen', 2, 50_000], ...refused(5, 'request.no-listener')],
      context: { queue: [] },
    },
  ),
  on('what waited is served when the port is open', [...opening, request(5), take(1)], bound, {
    state: 'listening',
    effects: [
      ['confirmListen', 1, 50_000],
      ['deliver', 5, 1],
    ],
    context: { queue: [], listens: [{ listen: 1, demand: 0, takes: true }] },
  }),
  on('a given port that is in use is tried again', opening, inUse, {
    state: 'retrying',
    effects: [['startTimer', 50]],
    context: { attempts: 1 },
  }),
  on(
    'any port that is in use is not tried again: 3',
    opening,
    inUse,
    {
      state: 'closed',
      effects: [['rejectListen', 1, { code: 3, detail: 'taken' }], ...over],
    },
    { wantedPort: 0 },
  ),
  on('another failure is not tried again: 3', [listen(1), listen(2)], broken, {
    state: 'closed',
    effects: [
      ['rejectListen', 1, { code: 3, detail: 'no descriptors' }],
      ['rejectListen', 2, { code: 3, detail: 'no descriptors' }],
      ...over,
    ],
    context: { listens: [] },
  }),
  on('limits.bindAttempts: then 3', [listen(1), inUse, expired, inUse, expired], inUse, {
    state: 'closed',
    effects: [['rejectListen', 1, { code: 3, detail: 'taken' }], ...over],
  }),
  on('the port fails when nobody listens any more: closed', [listen(1), stop(1)], inUse, {
    state: 'closed',
    effects: over,
  }),

  // retrying
  on('the next attempt', retrying, expired, { state: 'opening', effects: [['bind', 50_000]] }),
  on('a second listen between attempts', retrying, listen(2), {
    state: 'retrying',
    effects: [],
    context: {
      listens: [
        { listen: 1, demand: 0, takes: true },
        { listen: 2, demand: 0, takes: true },
      ],
    },
  }),
  on('demand between attempts', retrying, take(1), {
    state: 'retrying',
    effects: [],
    context: { listens: [{ listen: 1, demand: 1, takes: true }] },
  }),
  on('one of two stops between attempts', [...retrying, listen(2)], stop(1), {
    state: 'retrying',
    effects: [stoppedEarly(1), ['confirmStop', 1]],
    context: { listens: [{ listen: 2, demand: 0, takes: true }] },
  }),
  on('the last stops between attempts: closed', retrying, stop(1), {
    state: 'closed',
    effects: [stoppedEarly(1), ['confirmStop', 1], ...over],
  }),

  // listening
  on('another listen on the open port', listening, listen(2), {
    state: 'listening',
    effects: [['confirmListen', 2, 50_000]],
    context: {
      listens: [
        { listen: 1, demand: 0, takes: true },
        { listen: 2, demand: 0, takes: true },
      ],
    },
  }),
  on(
    'G-2.8.6-09 a request where only presence or synchronization listens: closed at once',
    [listen(1, false), bound],
    request(5),
    {
      state: 'listening',
      effects: refused(5, 'request.no-listener'),
    },
  ),
  on(
    'G-2.8.6-09 the last ASA that takes requests stops, presence stays: what waits is refused, the port stays',
    [...listening, listen(2, false), request(5)],
    stop(1),
    {
      state: 'listening',
      effects: [...refused(5, 'request.no-listener'), ['confirmStop', 1]],
      context: { queue: [], listens: [{ listen: 2, demand: 0, takes: false }] },
    },
  ),
  on(
    'presence ends while an ASA takes requests: what waits goes on waiting',
    [...listening, listen(2, false), request(5)],
    stop(2),
    {
      state: 'listening',
      effects: [['confirmStop', 2]],
      context: { queue: [5], listens: [{ listen: 1, demand: 0, takes: true }] },
    },
  ),
  on(
    'a request beside presence goes to the ASA that takes it',
    [...listening, listen(2, false), take(1)],
    request(5),
    {
      state: 'listening',
      effects: [['deliver', 5, 1]],
    },
  ),
  on('demand is added', [...listening, take(1, 2)], take(1, 3), {
    state: 'listening',
    effects: [],
    context: { listens: [{ listen: 1, demand: 5, takes: true }] },
  }),
  on('who waits first is served first', [...listening, listen(2), take(2), take(1)], request(5), {
    state: 'listening',
    effects: [['deliver', 5, 2]],
    context: {
      listens: [
        { listen: 1, demand: 1, takes: true },
        { listen: 2, demand: 0, takes: true },
      ],
    },
  }),
  on(
    'who was served waits behind the others',
    [...listening, listen(2), take(1, 2), take(2), request(5)],
    request(6),
    {
      state: 'listening',
      effects: [['deliver', 6, 2]],
      context: {
        listens: [
          { listen: 1, demand: 1, takes: true },
          { listen: 2, demand: 0, takes: true },
        ],
      },
    },
  ),
  on('queued requests go to the next take, oldest first', [...listening, request(5), request(6)], take(1), {
    state: 'listening',
    effects: [['deliver', 5, 1]],
    context: { queue: [6], listens: [{ listen: 1, demand: 0, takes: true }] },
  }),
  on(
    '16: without security a request is turned away, the listen stays',
    [...listening, take(1)],
    request(5),
    {
      state: 'listening',
      effects: refused(5, 'request.no-security'),
      context: { listens: [{ listen: 1, demand: 1, takes: true }] },
    },
    { secure: false },
  ),
  on(
    'overload: the client does not keep up',
    [...listening, take(1)],
    request(5),
    {
      state: 'listening',
      effects: refused(5, 'request.overload'),
    },
    { congested: [1] },
  ),
  on(
    'another client takes what a busy one cannot',
    [...listening, listen(2), take(1), take(2)],
    request(5),
    {
      state: 'listening',
      effects: [['deliver', 5, 2]],
    },
    { congested: [1] },
  ),
  on('C-20 nobody can take it now: queued', listening, request(5), {
    state: 'listening',
    effects: [],
    context: { queue: [5] },
  }),
  on('C-20 the queue is full: closed at once', [...listening, request(5), request(6)], request(7), {
    state: 'listening',
    effects: refused(7, 'request.queue-full'),
    context: { queue: [5, 6] },
  }),
  on('a queued request whose session ended', [...listening, request(5), request(6)], withdraw(5), {
    state: 'listening',
    effects: [],
    context: { queue: [6] },
  }),
  on('one of two stops: the port stays, the queue too', [...listening, listen(2), request(5)], stop(1), {
    state: 'listening',
    effects: [['confirmStop', 1]],
    context: { listens: [{ listen: 2, demand: 0, takes: true }], queue: [5] },
  }),
  on(
    'A-2.3.5-13 the last stops: the queue is turned away, the port closes',
    [...listening, request(5)],
    stop(1),
    {
      state: 'closing',
      effects: [...refused(5, 'request.no-listener'), ['unbind']],
      context: { listens: [], queue: [], stopping: [1] },
    },
  ),
  on(
    'credit comes back: what waited is served',
    [...listening, request(5), take(1)],
    credit,
    {
      state: 'listening',
      effects: [['deliver', 5, 1]],
      context: { queue: [], listens: [{ listen: 1, demand: 0, takes: true }] },
    },
    { congestedUntilLast: true },
  ),
  on('credit with nothing waiting changes nothing', [...listening, take(1)], credit, {
    state: 'listening',
    effects: [],
    context: { listens: [{ listen: 1, demand: 1, takes: true }] },
  }),

  // closing
  on('§2.8.6 a request while the port is being closed: nobody listens', closing, request(5), {
    state: 'closing',
    effects: refused(5, 'request.no-listener'),
  }),
  on('the port is free: the stop is confirmed', closing, closed, {
    state: 'closed',
    effects: [['confirmStop', 1], ...over],
  }),
  on('a listen meanwhile reopens the same port', [...closing, listen(2)], closed, {
    state: 'opening',
    effects: [
      ['confirmStop', 1],
      ['bind', 50_000],
    ],
    context: { stopping: [], listens: [{ listen: 2, demand: 0, takes: true }] },
  }),
  on('a listen while the port is being closed waits', closing, listen(2), {
    state: 'closing',
    effects: [],
    context: { listens: [{ listen: 2, demand: 0, takes: true }] },
  }),
  on('demand while the port is being closed', [...closing, listen(2)], take(2), {
    state: 'closing',
    effects: [],
    context: { listens: [{ listen: 2, demand: 1, takes: true }] },
  }),
  on('a stop of the listen that waited for it', [...closing, listen(2)], stop(2), {
    state: 'closing',
    effects: [stoppedEarly(2)],
    context: { listens: [], stopping: [1, 2] },
  }),
];

export const requestListenerCases: MachineSubject = {
  name: 'requestListener',
  machine: requestListener,
  cases,
};
