/**
 * One synchronization session, either role: RFC 8990 §2.5.6.1 (procedure), §2.8.6 and §2.8.10 (messages).
 *
 *     initiator   idle ─request─> connecting ─connected─> awaitingReply ─M_SYNCH─> ended
 *     responder   idle ─accepted─> awaitingRequest ─M_REQ_SYN, answered by M_SYNCH─> ended
 *
 * One exchange per connection. The responder answers at once with what is published at that moment and closes; the
 * initiator waits for that one answer until its timer ends, and everything else is an error (api.md §5). Codes are
 * those of RFC 8991 Appendix A.
 *
 * Effects go through {@link SynchronizationPort}; the pure decisions are in `synchronization-rules.ts`. Hot path: three
 * transitions per session for the initiator, two for the responder.
 */
import { assign, setup } from 'xstate';
import { encodedSize, ErrorCode, MAX_UINT32 } from '../protocol/index.js';
import type { SessionInput } from './session-port.js';
import type { Failure, ObjectiveHead } from './session-protocol.js';
import {
  assertEvent,
  callOf,
  diagnosticText,
  headOf,
  invalidMessage,
  isAnswerable,
  isIgnorable,
  sessionIdOf,
  valueOf,
} from './session-rules.js';
import type { SynchronizationEvent, SynchronizationPort } from './synchronization-port.js';
import { synchMessage, synchronizationFailure, synchronizationRequest } from './synchronization-rules.js';

export interface SynchronizationContext {
  readonly port: SynchronizationPort;
  readonly sessionId: number;
  readonly hasSessionId: boolean;
  readonly drawTimeoutMs: number;
  readonly name: string;
  /** Responder: of the request, to be echoed. */
  readonly loopCount: number;
  /** The call that awaits the answer. */
  readonly call: number;
  readonly timeoutMs: number;
  readonly requested: ObjectiveHead | undefined;
}

/** As with negotiations: one hidden class for all. */
export const copySynchronizationContext = (from: SynchronizationContext): SynchronizationContext => ({
  port: from.port,
  sessionId: from.sessionId,
  hasSessionId: from.hasSessionId,
  drawTimeoutMs: from.drawTimeoutMs,
  name: from.name,
  loopCount: from.loopCount,
  call: from.call,
  timeoutMs: from.timeoutMs,
  requested: from.requested,
});

/** A session of one exchange has no steps; a call for one changes nothing. */
const notHere: Failure = { code: ErrorCode.unspec, detail: 'a synchronization session', over: false };

type Args = { context: SynchronizationContext; event: SynchronizationEvent };

export const synchronizationSession = setup({
  types: {
    context: {} as SynchronizationContext,
    events: {} as SynchronizationEvent,
    input: {} as SessionInput<SynchronizationPort>,
  },

  guards: {
    noSecurity: ({ context }) => !context.port.secure,
    sessionsFull: ({ context }) => context.port.sessionsFull,
    noSessionId: ({ context }) => !context.hasSessionId,
    nobodyListens: ({ context }) => context.port.published === undefined,
    requestTooBig: ({ context, event }: Args) => {
      assertEvent(event, 'request');
      return encodedSize(synchronizationRequest(MAX_UINT32, event.objective)) > context.port.maxMessageBytes;
    },
    otherName: ({ context, event }: Args) => {
      assertEvent(event, 'message.requestSynchronization', 'message.synch');
      return event.message.objective.name !== context.name;
    },
    // §2.8.6: the id of a request is checked for being locally active.
    clash: ({ context, event }: Args) => {
      assertEvent(event, 'message.requestSynchronization');
      return context.port.judgeSessionId(event.message.sessionId) === 'clash';
    },
    unclearClash: ({ context, event }: Args) => {
      assertEvent(event, 'message.requestSynchronization');
      return context.port.judgeSessionId(event.message.sessionId) === 'ask';
    },
    isOtherConnection: ({ event }) => {
      assertEvent(event, 'clash.judged');
      return !event.own;
    },
    ignorable: ({ event }) => {
      assertEvent(event, 'message.refused');
      return isIgnorable(event);
    },
    answerable: ({ event }) => {
      assertEvent(event, 'message.refused');
      return isAnswerable(event);
    },
  },

  actions: {
    // What is remembered
    keepOwnRequest: assign(({ event }) => {
      assertEvent(event, 'request');
      const { call, timeoutMs, objective } = event;
      return { call, timeoutMs, name: objective.name, requested: objective };
    }),
    keepSessionId: assign(({ event }) => {
      assertEvent(event, 'sessionId.drawn');
      return { sessionId: event.sessionId, hasSessionId: true };
    }),
    keepPeersRequest: assign(({ event }) => {
      assertEvent(event, 'message.requestSynchronization');
      const { sessionId, objective } = event.message;
      return { sessionId, hasSessionId: true, loopCount: objective.loopCount };
    }),

    // Session and stream
    admit: ({ context }) => context.port.admit(),
    drawSessionId: ({ context }) => context.port.drawSessionId(),
    connect: ({ context: { port } }) => {
      port.stopTimer();
      port.connect();
    },
    askOwnConnection: ({ context }) => context.port.askOwnConnection(),
    startTimer: ({ context }, { ms }: { ms: number }) => context.port.startTimer(ms),
    leave: ({ context: { port } }) => {
      port.stopTimer();
      port.close();
      port.release();
    },
    count: ({ context }, { name }: { name: string }) => context.port.count(name),

    // To the peer
    // §2.8.6: "a synchronization timer is started".
    sendRequest: ({ context: { port, sessionId, requested, timeoutMs } }) => {
      if (requested) port.send(synchronizationRequest(sessionId, requested));
      port.startTimer(timeoutMs);
    },
    // §2.8.10: the objective and its current value.
    sendSynch: ({ context: { port, sessionId, name, loopCount } }) => {
      if (port.published) port.send(synchMessage(sessionId, name, loopCount, port.published));
    },
    // C-17: well-formed but unusable is answered by M_INVALID once, then the connection is closed.
    complain: ({ context, event }: Args, { about }: { about: string }) =>
      context.port.send(invalidMessage(sessionIdOf(event) ?? context.sessionId, diagnosticText(about))),
    complainOfRefusal: ({ context, event }: Args) => {
      assertEvent(event, 'message.refused');
      context.port.send(invalidMessage(event.sessionId ?? context.sessionId, diagnosticText(event.reason)));
    },

    // To the ASA
    answerSynchronized: ({ context, event }: Args) => {
      assertEvent(event, 'message.synch');
      const { objective } = event.message;
      context.port.answer(context.call, {
        state: 'synchronized',
        objective: headOf(objective),
        value: valueOf(objective),
      });
    },
    fail: ({ context }, failure: Failure) => context.port.answer(context.call, { state: 'failed', failure }),
    failWith: ({ context, event }: Args) =>
      context.port.answer(context.call, { state: 'failed', failure: synchronizationFailure(event) }),
    confirm: ({ context, event }: Args) => context.port.done(callOf(event), undefined),
    refuseCall: ({ context, event }: Args, failure: Failure) =>
      context.port.answer(callOf(event), { state: 'failed', failure }),
    refuse: ({ context, event }: Args, failure: Failure) => context.port.done(callOf(event), failure),
  },
}).createMachine({
  id: 'synchronizationSession',
  initial: 'idle',
  context: ({ input }) =>
    copySynchronizationContext({
      port: input.port,
      sessionId: input.sessionId ?? 0,
      hasSessionId: input.sessionId !== undefined,
      drawTimeoutMs: input.drawTimeoutMs,
      name: input.name,
      loopCount: 0,
      call: 0,
      timeoutMs: 0,
      requested: undefined,
    }),

  on: {
    step: { actions: { type: 'refuseCall', params: notHere } },
    wait: { actions: { type: 'refuse', params: notHere } },
    invalid: { actions: { type: 'refuse', params: notHere } },
  },

  states: {
    idle: {
      on: {
        request: [
          {
            guard: 'noSecurity',
            target: 'ended',
            actions: { type: 'refuseCall', params: { code: ErrorCode.noSecurity } },
          },
          {
            guard: 'sessionsFull',
            target: 'ended',
            actions: [
              { type: 'count', params: { name: 'session.limit' } },
              { type: 'refuseCall', params: { code: ErrorCode.overload, detail: 'limits.sessions' } },
            ],
          },
          {
            guard: 'requestTooBig',
            target: 'ended',
            actions: { type: 'refuseCall', params: { code: ErrorCode.tooBig } },
          },
          {
            guard: 'noSessionId',
            target: 'awaitingSessionId',
            actions: [
              'keepOwnRequest',
              'admit',
              'drawSessionId',
              { type: 'startTimer', params: ({ context }) => ({ ms: context.drawTimeoutMs }) },
            ],
          },
          { target: 'connecting', actions: ['keepOwnRequest', 'admit', 'connect'] },
        ],
        accepted: [
          {
            guard: 'noSecurity',
            target: 'ended',
            actions: { type: 'count', params: { name: 'request.no-security' } },
          },
          {
            target: 'awaitingRequest',
            actions: { type: 'startTimer', params: ({ event }) => ({ ms: event.firstMessageMs }) },
          },
        ],
      },
    },

    /** The block of session ids is used up and the next one is on its way. */
    awaitingSessionId: {
      on: {
        'sessionId.drawn': { target: 'connecting', actions: ['keepSessionId', 'connect'] },
        'timer.expired': {
          target: 'ended',
          actions: { type: 'fail', params: { code: ErrorCode.unspec, detail: 'no session id' } },
        },
        // The ASA gives up.
        end: {
          target: 'ended',
          actions: ['confirm', { type: 'fail', params: { code: ErrorCode.noSession } }],
        },
        'session.close': { target: 'ended', actions: 'failWith' },
      },
    },

    connecting: {
      on: {
        connected: { target: 'awaitingReply', actions: 'sendRequest' },
        'connect.failed': { target: 'ended', actions: 'failWith' },
        end: {
          target: 'ended',
          actions: ['confirm', { type: 'fail', params: { code: ErrorCode.noSession } }],
        },
        'session.close': { target: 'ended', actions: 'failWith' },
      },
    },

    /** A peer has connected. Nothing is answered that is not a request for this objective. */
    awaitingRequest: {
      on: {
        'message.requestSynchronization': [
          // §2.8.6: no ASA listens for it here: the socket is closed at once, without a message.
          {
            guard: 'otherName',
            target: 'ended',
            actions: { type: 'count', params: { name: 'request.other-objective' } },
          },
          {
            guard: 'nobodyListens',
            target: 'ended',
            actions: { type: 'count', params: { name: 'request.no-listener' } },
          },
          {
            guard: 'sessionsFull',
            target: 'ended',
            actions: { type: 'count', params: { name: 'session.limit' } },
          },
          // C-06: discarded without a reply; the connection ends with the first-message timer.
          {
            guard: 'clash',
            target: 'discarded',
            actions: { type: 'count', params: { name: 'session.id-clash' } },
          },
          {
            guard: 'unclearClash',
            target: 'judgingClash',
            actions: ['keepPeersRequest', 'askOwnConnection'],
          },
          { target: 'ended', actions: ['keepPeersRequest', 'sendSynch'] },
        ],
        // §2.8.6: nobody listens for negotiation on this port.
        'message.requestNegotiation': {
          target: 'ended',
          actions: { type: 'count', params: { name: 'request.no-listener' } },
        },
        'message.noop': {},
        // §2.8.8, §2.8.12: an end and an M_INVALID need no answer.
        'message.end': {
          target: 'ended',
          actions: { type: 'count', params: { name: 'message.out-of-place' } },
        },
        'message.invalid': {
          target: 'ended',
          actions: { type: 'count', params: { name: 'message.out-of-place' } },
        },
        'message.*': {
          target: 'ended',
          actions: [
            { type: 'count', params: { name: 'message.out-of-place' } },
            { type: 'complain', params: { about: 'no request' } },
          ],
        },
        'message.refused': [
          { guard: 'ignorable' },
          { guard: 'answerable', target: 'ended', actions: 'complainOfRefusal' },
          { target: 'ended' },
        ],
        'timer.expired': {
          target: 'ended',
          actions: { type: 'count', params: { name: 'request.first-message-timeout' } },
        },
        'stream.lost': {
          target: 'ended',
          actions: { type: 'count', params: { name: 'request.incomplete' } },
        },
        'session.close': { target: 'ended' },
      },
    },

    /** C-06: the same engine may have opened this connection in another thread. */
    judgingClash: {
      on: {
        'clash.judged': [
          {
            guard: 'isOtherConnection',
            target: 'discarded',
            actions: { type: 'count', params: { name: 'session.id-clash' } },
          },
          // The ASA may have stopped meanwhile.
          {
            guard: 'nobodyListens',
            target: 'ended',
            actions: { type: 'count', params: { name: 'request.no-listener' } },
          },
          { target: 'ended', actions: 'sendSynch' },
        ],
        'timer.expired': { target: 'ended' },
        'stream.lost': { target: 'ended' },
        'session.close': { target: 'ended' },
      },
    },

    /** §2.8.6: "the message MUST be discarded"; the peer sees a timeout. */
    discarded: {
      on: {
        'timer.expired': { target: 'ended' },
        'stream.lost': { target: 'ended' },
        'session.close': { target: 'ended' },
      },
    },

    /** M_REQ_SYN is out, the timer runs. */
    awaitingReply: {
      on: {
        'message.synch': [
          {
            guard: 'otherName',
            target: 'ended',
            actions: [
              { type: 'complain', params: { about: 'other objective' } },
              { type: 'fail', params: { code: ErrorCode.noValidSynch, detail: 'other objective' } },
            ],
          },
          { target: 'ended', actions: 'answerSynchronized' },
        ],
        'message.noop': {},
        // §2.8.8, §2.8.12: an end and an M_INVALID need no answer.
        'message.end': {
          target: 'ended',
          actions: { type: 'fail', params: { code: ErrorCode.noValidSynch, detail: 'M_END received' } },
        },
        'message.invalid': {
          target: 'ended',
          actions: { type: 'fail', params: { code: ErrorCode.noValidSynch, detail: 'M_INVALID received' } },
        },
        'message.*': {
          target: 'ended',
          actions: [
            { type: 'complain', params: { about: 'no valid synch' } },
            { type: 'fail', params: { code: ErrorCode.noValidSynch } },
          ],
        },
        'message.refused': [
          { guard: 'ignorable' },
          { guard: 'answerable', target: 'ended', actions: ['complainOfRefusal', 'failWith'] },
          { target: 'ended', actions: 'failWith' },
        ],
        // api.md §5: this connection is for one answer, and this is not it.
        foreign: {
          target: 'ended',
          actions: [
            { type: 'count', params: { name: 'message.foreign-session' } },
            { type: 'fail', params: { code: ErrorCode.noValidSynch, detail: 'other session' } },
          ],
        },
        // §2.8.6: expiry means failure.
        'timer.expired': {
          target: 'ended',
          actions: { type: 'fail', params: { code: ErrorCode.noSynchReply } },
        },
        // §2.5.6.1: a failure of the connection is a failure of the synchronization.
        'stream.lost': { target: 'ended', actions: 'failWith' },
        end: {
          target: 'ended',
          actions: ['confirm', { type: 'fail', params: { code: ErrorCode.noSession } }],
        },
        'session.close': { target: 'ended', actions: 'failWith' },
      },
    },

    /** §2.5.6.1: the connection is closed when the exchange is over, however it ended. */
    ended: { type: 'final', entry: 'leave' },
  },
});
