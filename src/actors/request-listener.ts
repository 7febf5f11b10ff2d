/**
 * The listener of one objective: RFC 8990 §2.8.6 ("if no ASA is listening, the socket is closed at once"), RFC 8991
 * §2.3.5 (listen_negotiate is re-entrant; every request goes to exactly one listen).
 *
 *     idle ─listen─> opening ─bound─> listening ─last stop─> closing ─closed─> closed
 *                    opening ⇄ retrying                       (a listen meanwhile reopens it on the same port)
 *
 * Any number of ASAs may listen. Each says with `take` how many requests it can use now; a request goes to the
 * listen that has waited longest, else into a bounded queue. Listens that take no requests only keep the port open:
 * those for synchronization, answered by their session, and those of a `discoverable` objective. Peers cache locators, so a given port is kept: while
 * it is in use by what is just being closed, binding is tried again a bounded number of times.
 */
import { assertEvent, assign, setup } from 'xstate';
import { ErrorCode } from '../protocol/index.js';
import type { Described } from '../runtime/index.js';
import type { Failure, SessionKey } from './session-protocol.js';

/** What the machine can cause; the driver is `objective-listener.ts`. */
export interface RequestListenerPort extends Described {
  readonly secure: boolean;
  /** True when the client of this listen does not keep up with its events. */
  congested(listen: number): boolean;
  /** Opens the stream listener; later event `bound` or `bind.failed`. 0: any port. */
  bind(port: number): void;
  /** Closes it and the connections that have not sent a request yet; later event `closed`. */
  unbind(): void;
  /** Later event `timer.expired`. */
  startTimer(ms: number): void;
  stopTimer(): void;
  /** The listen call of the ASA succeeded, failed, or was stopped. */
  confirmListen(listen: number, port: number): void;
  rejectListen(listen: number, failure: Failure): void;
  confirmStop(listen: number): void;
  deliver(session: SessionKey, listen: number): void;
  refuse(session: SessionKey): void;
  count(name: string): void;
  release(): void;
}

export interface RequestListenerInput {
  readonly port: RequestListenerPort;
  readonly objective: string;
  /** Port the objective had before; 0: any. */
  readonly wantedPort: number;
  /** `limits.requestQueue`. */
  readonly queueLimit: number;
  /** `limits.bindAttempts` and `limits.bindRetryMs`. */
  readonly bindAttempts: number;
  readonly bindRetryMs: number;
}

/** One listening ASA, and how many requests it can take now. The array is in the order of waiting. */
export interface Listen {
  readonly listen: number;
  readonly demand: number;
  /** For negotiation: it takes requests. */
  readonly takes: boolean;
}

/** A request and the listen that gets it. */
interface Given {
  readonly session: SessionKey;
  readonly listen: number;
}

const NOTHING_GIVEN: readonly Given[] = [];

export interface RequestListenerContext extends RequestListenerInput {
  /** Attempts to bind since opening. */
  readonly attempts: number;
  readonly listens: readonly Listen[];
  readonly queue: readonly SessionKey[];
  /** Requests that have been assigned last, to be delivered. */
  readonly given: readonly Given[];
  /** Stops to confirm when the port is free. */
  readonly stopping: readonly number[];
}

export type RequestListenerEvent =
  | { readonly type: 'listen'; readonly listen: number; readonly takes: boolean }
  | { readonly type: 'stop'; readonly listen: number }
  | { readonly type: 'take'; readonly listen: number; readonly n: number }
  | { readonly type: 'request'; readonly session: SessionKey }
  /** The session of a queued request ended. */
  | { readonly type: 'withdraw'; readonly session: SessionKey }
  | { readonly type: 'bound'; readonly port: number }
  /** `inUse`: somebody has the port, perhaps only for a moment. */
  | { readonly type: 'bind.failed'; readonly inUse: boolean; readonly detail: string }
  | { readonly type: 'closed' }
  /** A client that was congested takes events again. */
  | { readonly type: 'credit' }
  | { readonly type: 'timer.expired' };

type Args = { context: RequestListenerContext; event: RequestListenerEvent };

/** The listen that has waited longest among those that can take a request. */
function nextListen({ listens, port }: RequestListenerContext): Listen | undefined {
  return listens.find(({ listen, demand }) => demand > 0 && !port.congested(listen));
}

/** After a request, a listen waits behind the others. */
function served(listens: readonly Listen[], listen: number): readonly Listen[] {
  if (listens.length === 1) return demanded(listens, listen, -1);
  const waiting = listens.filter((other) => other.listen !== listen);
  const was = listens.find((other) => other.listen === listen);
  return was ? [...waiting, { listen, demand: was.demand - 1, takes: was.takes }] : waiting;
}

/** More demand; a listen that had none begins to wait now. */
function demanded(listens: readonly Listen[], listen: number, n: number): readonly Listen[] {
  const was = listens.find((other) => other.listen === listen);
  if (!was) return listens;
  const now = { listen, demand: was.demand + n, takes: was.takes };
  if (listens.length === 1) return [now];
  return was.demand > 0
    ? listens.map((other) => (other === was ? now : other))
    : [...listens.filter((other) => other !== was), now];
}

function listenOf(event: RequestListenerEvent): number {
  assertEvent(event, ['listen', 'stop', 'take']);
  return event.listen;
}

function sessionOf(event: RequestListenerEvent): SessionKey {
  assertEvent(event, ['request', 'withdraw']);
  return event.session;
}

export const requestListener = setup({
  types: {
    context: {} as RequestListenerContext,
    events: {} as RequestListenerEvent,
    input: {} as RequestListenerInput,
  },

  guards: {
    isLast: ({ context: { listens }, event }: Args) =>
      listens.every(({ listen }) => listen === listenOf(event)),
    isLastTaker: ({ context: { listens }, event }: Args) =>
      listens.every(({ listen, takes }) => takes === (listen === listenOf(event))),
    nobodyListens: ({ context }) => context.listens.length === 0,
    nobodyTakes: ({ context }) => !context.listens.some(({ takes }) => takes),
    somebodyListens: ({ context }) => context.listens.length > 0,
    mayRetry: ({ context, event }: Args) => {
      assertEvent(event, 'bind.failed');
      return event.inUse && context.wantedPort !== 0 && context.attempts + 1 < context.bindAttempts;
    },
    noSecurity: ({ context }) => !context.port.secure,
    someCanTake: ({ context }) => nextListen(context) !== undefined,
    someWouldTake: ({ context }) => context.listens.some(({ demand }) => demand > 0),
    queueFull: ({ context }) => context.queue.length >= context.queueLimit,
    requestsWait: ({ context }) => context.queue.length > 0,
  },

  actions: {
    addListen: assign(({ context, event }) => {
      assertEvent(event, 'listen');
      const { listen, takes } = event;
      return { listens: [...context.listens, { listen, demand: 0, takes }] };
    }),
    removeListen: assign(({ context, event }) => ({
      listens: context.listens.filter(({ listen }) => listen !== listenOf(event)),
    })),
    removeAllListens: assign({ listens: [] }),
    addDemand: assign(({ context, event }) => {
      assertEvent(event, 'take');
      return { listens: demanded(context.listens, event.listen, event.n) };
    }),
    rememberPort: assign(({ event }) => {
      assertEvent(event, 'bound');
      return { wantedPort: event.port, attempts: 0 };
    }),
    countAttempt: assign(({ context }) => ({ attempts: context.attempts + 1 })),
    enqueue: assign(({ context, event }) => ({ queue: [...context.queue, sessionOf(event)] })),
    dequeue: assign(({ context, event }) => ({
      queue: context.queue.filter((session) => session !== sessionOf(event)),
    })),
    emptyQueue: assign({ queue: [] }),
    noteStop: assign(({ context, event }) => ({ stopping: [...context.stopping, listenOf(event)] })),
    forgetStops: assign({ stopping: [] }),

    bind: ({ context }) => context.port.bind(context.wantedPort),
    unbind: ({ context }) => context.port.unbind(),
    startTimer: ({ context }) => context.port.startTimer(context.bindRetryMs),
    stopTimer: ({ context }) => context.port.stopTimer(),
    confirmListen: ({ context, event }: Args) =>
      context.port.confirmListen(listenOf(event), context.wantedPort),
    confirmListens: ({ context: { port, listens, wantedPort } }) => {
      for (const { listen } of listens) port.confirmListen(listen, wantedPort);
    },
    /** A listen that is stopped before the port was open. */
    rejectStopped: ({ context, event }: Args) =>
      context.port.rejectListen(listenOf(event), { code: ErrorCode.closed, detail: 'stopped' }),
    rejectListens: ({ context: { port, listens }, event }: Args) => {
      assertEvent(event, 'bind.failed');
      for (const { listen } of listens) {
        port.rejectListen(listen, { code: ErrorCode.unspec, detail: event.detail });
      }
    },
    confirmStop: ({ context, event }: Args) => context.port.confirmStop(listenOf(event)),
    confirmStops: ({ context: { port, stopping } }) => {
      for (const listen of stopping) port.confirmStop(listen);
    },
    /** Who gets the request is settled before it is given: giving it may change who can take one. */
    assignRequest: assign(({ context, event }) => {
      const next = nextListen(context);
      if (!next) return { given: NOTHING_GIVEN };
      const given = [{ session: sessionOf(event), listen: next.listen }];
      return { given, listens: served(context.listens, next.listen) };
    }),
    /** Queued requests to those who can take them now, oldest first. */
    assignQueued: assign(({ context }) => {
      let { listens } = context;
      const given: Given[] = [];
      for (const session of context.queue) {
        const next = nextListen({ ...context, listens });
        if (!next) break;
        given.push({ session, listen: next.listen });
        listens = served(listens, next.listen);
      }
      return { given, listens, queue: context.queue.slice(given.length) };
    }),
    deliver: ({ context: { port, given } }) => {
      for (const { session, listen } of given) port.deliver(session, listen);
    },
    refuse: ({ context, event }: Args, { because }: { because: string }) => {
      context.port.count(because);
      context.port.refuse(sessionOf(event));
    },
    refuseQueue: ({ context: { port, queue } }) => {
      for (const session of queue) {
        port.count('request.no-listener');
        port.refuse(session);
      }
    },
    release: ({ context }) => context.port.release(),
  },
}).createMachine({
  id: 'requestListener',
  initial: 'idle',
  context: ({ input }) => ({
    ...input,
    attempts: 0,
    listens: [],
    queue: [],
    given: NOTHING_GIVEN,
    stopping: [],
  }),

  states: {
    idle: {
      on: { listen: { target: 'opening', actions: ['addListen', 'bind'] } },
    },

    opening: {
      on: {
        listen: { actions: 'addListen' },
        take: { actions: 'addDemand' },
        stop: { actions: ['removeListen', 'rejectStopped', 'confirmStop'] },
        // A peer that remembers the port may be quicker than the confirmation.
        request: [
          { guard: 'nobodyTakes', actions: { type: 'refuse', params: { because: 'request.no-listener' } } },
          { guard: 'queueFull', actions: { type: 'refuse', params: { because: 'request.queue-full' } } },
          { actions: 'enqueue' },
        ],
        withdraw: { actions: 'dequeue' },
        bound: [
          {
            guard: 'nobodyListens',
            target: 'closing',
            actions: ['rememberPort', 'refuseQueue', 'emptyQueue', 'unbind'],
          },
          {
            guard: 'nobodyTakes',
            target: 'listening',
            actions: ['rememberPort', 'confirmListens', 'refuseQueue', 'emptyQueue'],
          },
          { target: 'listening', actions: ['rememberPort', 'confirmListens', 'assignQueued', 'deliver'] },
        ],
        'bind.failed': [
          { guard: 'nobodyListens', target: 'closed' },
          { guard: 'mayRetry', target: 'retrying', actions: ['countAttempt', 'startTimer'] },
          { target: 'closed', actions: ['rejectListens', 'removeAllListens'] },
        ],
      },
    },

    /** The given port is in use for a moment: somebody is just closing it. */
    retrying: {
      on: {
        listen: { actions: 'addListen' },
        take: { actions: 'addDemand' },
        stop: [
          { guard: 'isLast', target: 'closed', actions: ['removeListen', 'rejectStopped', 'confirmStop'] },
          { actions: ['removeListen', 'rejectStopped', 'confirmStop'] },
        ],
        'timer.expired': { target: 'opening', actions: 'bind' },
      },
    },

    listening: {
      on: {
        listen: { actions: ['addListen', 'confirmListen'] },
        take: [
          { guard: 'requestsWait', actions: ['addDemand', 'assignQueued', 'deliver'] },
          { actions: 'addDemand' },
        ],
        stop: [
          {
            guard: 'isLast',
            target: 'closing',
            actions: ['removeListen', 'noteStop', 'refuseQueue', 'emptyQueue', 'unbind'],
          },
          // §2.8.6: the port stays open, but nobody takes requests any more.
          { guard: 'isLastTaker', actions: ['removeListen', 'refuseQueue', 'emptyQueue', 'confirmStop'] },
          { actions: ['removeListen', 'confirmStop'] },
        ],
        request: [
          // Listens outlive a loss of security and work again when it is back; meanwhile nothing is taken.
          { guard: 'noSecurity', actions: { type: 'refuse', params: { because: 'request.no-security' } } },
          { guard: 'nobodyTakes', actions: { type: 'refuse', params: { because: 'request.no-listener' } } },
          { guard: 'someCanTake', actions: ['assignRequest', 'deliver'] },
          // An ASA would take it, but its thread does not keep up with what it already got.
          { guard: 'someWouldTake', actions: { type: 'refuse', params: { because: 'request.overload' } } },
          // C-20: the queue is bounded; when it is full, the connection is closed at once.
          { guard: 'queueFull', actions: { type: 'refuse', params: { because: 'request.queue-full' } } },
          { actions: 'enqueue' },
        ],
        credit: { guard: 'requestsWait', actions: ['assignQueued', 'deliver'] },
        withdraw: { actions: 'dequeue' },
      },
    },

    closing: {
      on: {
        listen: { actions: 'addListen' },
        take: { actions: 'addDemand' },
        stop: { actions: ['removeListen', 'rejectStopped', 'noteStop'] },
        // §2.8.6: nobody listens any more.
        request: { actions: { type: 'refuse', params: { because: 'request.no-listener' } } },
        closed: [
          { guard: 'somebodyListens', target: 'opening', actions: ['confirmStops', 'forgetStops', 'bind'] },
          { target: 'closed', actions: ['confirmStops', 'forgetStops'] },
        ],
      },
    },

    closed: { type: 'final', entry: ['stopTimer', 'release'] },
  },
});
