/**
 * One negotiation session, either role: RFC 8990 §2.5.5 (procedure), §2.8.6 to §2.8.9 and §2.8.12 (messages).
 *
 *     initiator   idle ─request─> connecting ─connected─> awaitingReply ⇄ ourTurn ─> ended
 *     responder   idle ─accepted─> awaitingRequest ─M_REQ_NEG─> queued ─taken─> ourTurn ⇄ awaitingReply ─> ended
 *     in rapid mode (§2.5.5.1, see `rapid-request.ts`)
 *     initiator   idle ─request─> discovering ─rapid.answered─> awaitingReply, and on as above
 *     responder   idle ─rapid.requested─> reaching ─connected─> queued, and on as above
 *
 * Steps alternate strictly. Whoever awaits a message of the peer has a timer (C-27), which M_WAIT restarts with its
 * value. The side that sends M_END or M_INVALID closes after the bytes; the receiver closes on reception; every end
 * closes the connection and leaves nothing behind. Codes are those of RFC 8991 Appendix A.
 *
 * Effects go through {@link NegotiationPort}; the pure decisions are in `negotiation-rules.ts`. Hot path: four
 * transitions per session for the initiator, five for the responder; the timer is the port's, not xstate's `after`.
 */
import { assign, setup } from 'xstate';
import { encodedSize, ErrorCode, MAX_UINT32, type Message } from '../protocol/index.js';
import type { NegotiationEvent, NegotiationPort } from './negotiation-port.js';
import {
  endMessage,
  failureOf,
  fitsTerms,
  isDryRun,
  nextLoopCount,
  requestMessage,
  stepMessage,
  waitMessage,
} from './negotiation-rules.js';
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

export interface NegotiationContext {
  readonly port: NegotiationPort;
  readonly sessionId: number;
  readonly hasSessionId: boolean;
  readonly drawTimeoutMs: number;
  readonly name: string;
  readonly flags: number;
  /** As last received; an initiator's own until the first answer. */
  readonly loopCount: number;
  /** The call that awaits an answer of the peer. */
  readonly call: number;
  readonly timeoutMs: number;
  /** The requested value: what is sent (initiator), or what the ASA that takes it gets (responder). */
  readonly requested: { readonly objective: ObjectiveHead; readonly value: Uint8Array } | undefined;
}

/**
 * A copy, field by field; the first context is one, too. So all are made at one place in the source and have one hidden class,
 * where a spread copy would have V8 look for the fields of many.
 */
export const copyNegotiationContext = (from: NegotiationContext): NegotiationContext => ({
  port: from.port,
  sessionId: from.sessionId,
  hasSessionId: from.hasSessionId,
  drawTimeoutMs: from.drawTimeoutMs,
  name: from.name,
  flags: from.flags,
  loopCount: from.loopCount,
  call: from.call,
  timeoutMs: from.timeoutMs,
  requested: from.requested,
});

/** Refusals that change nothing: the session lives on. */
const notNow: Failure = { code: ErrorCode.unspec, detail: 'not the turn of this side', over: false };
const messageTooBig: Failure = { code: ErrorCode.tooBig, over: false };
/** What a waiting call gets when its own ASA ends the session. */
const noSession: Failure = { code: ErrorCode.noSession };

type Args = { context: NegotiationContext; event: NegotiationEvent };

const tooBig = ({ port }: NegotiationContext, message: Message): boolean =>
  encodedSize(message) > port.maxMessageBytes;

/** Bytes of a message with an objective besides its name and value, at most. */
const MOST_AROUND_BYTES = 32;

/** Whether the message that carries this fits for sure, without making it: nearly all are far from the limit. */
const surelyFits = ({ port }: NegotiationContext, name: string, value: Uint8Array): boolean =>
  MOST_AROUND_BYTES + 3 * name.length + value.length <= port.maxMessageBytes;

export const negotiationSession = setup({
  types: {
    context: {} as NegotiationContext,
    events: {} as NegotiationEvent,
    input: {} as SessionInput<NegotiationPort>,
  },

  guards: {
    noSecurity: ({ context }) => !context.port.secure,
    sessionsFull: ({ context }) => context.port.sessionsFull,
    sendBufferFull: ({ context }) => context.port.sendBufferFull,
    noSessionId: ({ context }) => !context.hasSessionId,
    isRapid: ({ event }) => {
      assertEvent(event, 'request');
      return event.rapid === true;
    },

    // Commands of the ASA
    requestTooBig: ({ context, event }: Args) => {
      assertEvent(event, 'request');
      const { objective, value } = event;
      if (surelyFits(context, objective.name, value)) return false;
      return tooBig(context, requestMessage(MAX_UINT32, objective, value));
    },
    stepTooBig: ({ context, event }: Args) => {
      assertEvent(event, 'step');
      if (surelyFits(context, context.name, event.value)) return false;
      return tooBig(context, stepMessage(context, event));
    },
    endTooBig: ({ context, event }: Args) => {
      assertEvent(event, 'end');
      return tooBig(context, endMessage(context.sessionId, event));
    },
    invalidTooBig: ({ context, event }: Args) => {
      assertEvent(event, 'invalid');
      return tooBig(context, invalidMessage(context.sessionId, event.info));
    },
    accepts: ({ event }) => {
      assertEvent(event, 'end');
      return event.accept;
    },
    // RFC 8990 §2.10.2: the dry-run flag is the same in all messages of a session.
    dryRunChanged: ({ context, event }: Args) => {
      assertEvent(event, 'step');
      return event.dryRun !== undefined && event.dryRun !== isDryRun(context.flags);
    },
    // §2.8.7: "If the loop count is zero, the message MUST NOT be sent."
    loopExhausted: ({ context, event }: Args) => {
      assertEvent(event, 'step');
      return nextLoopCount(context.loopCount, event.loopCount) <= 0;
    },

    // Messages of the peer
    otherObjective: ({ context, event }: Args) => {
      assertEvent(event, 'message.requestNegotiation');
      return event.message.objective.name !== context.name;
    },
    // §2.8.6: the id of a request is checked for being locally active.
    clash: ({ context, event }: Args) => {
      assertEvent(event, 'message.requestNegotiation');
      return context.port.judgeSessionId(event.message.sessionId) === 'clash';
    },
    unclearClash: ({ context, event }: Args) => {
      assertEvent(event, 'message.requestNegotiation');
      return context.port.judgeSessionId(event.message.sessionId) === 'ask';
    },
    isInUse: ({ context: { port, sessionId } }) => port.judgeSessionId(sessionId) !== 'none',
    isOwnConnection: ({ event }) => {
      assertEvent(event, 'clash.judged');
      return event.own;
    },
    otherTerms: ({ context, event }: Args) => {
      assertEvent(event, 'message.negotiate');
      return !fitsTerms(context, event.message.objective);
    },
    loopCountZero: ({ event }) => {
      assertEvent(event, 'message.negotiate');
      return event.message.objective.loopCount === 0;
    },
    peerAccepts: ({ event }) => {
      assertEvent(event, 'message.end');
      return event.message.accept;
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
      const { call, timeoutMs, objective, value } = event;
      const { name, flags, loopCount } = objective;
      return { call, timeoutMs, name, flags, loopCount, requested: { objective, value } };
    }),
    keepSessionId: assign(({ event }) => {
      assertEvent(event, 'sessionId.drawn', 'rapid.answered');
      return { sessionId: event.sessionId, hasSessionId: true };
    }),
    keepPeersRequest: assign(({ event }) => {
      assertEvent(event, 'message.requestNegotiation', 'rapid.requested');
      const { sessionId, objective } = event.message;
      const head = headOf(objective);
      const { flags, loopCount } = head;
      const requested = { objective: head, value: valueOf(objective) };
      return { sessionId, hasSessionId: true, flags, loopCount, requested };
    }),
    keepCall: assign(({ event }) => ({ call: callOf(event) })),
    keepLoopCount: assign(({ event }) => {
      assertEvent(event, 'message.negotiate');
      return { loopCount: event.message.objective.loopCount };
    }),

    // Session and stream
    admit: ({ context }) => context.port.admit(),
    drawSessionId: ({ context }) => context.port.drawSessionId(),
    connect: ({ context: { port } }) => {
      port.stopTimer();
      port.connect();
    },
    // §2.8.4: the negotiation's timer and loop count begin with the discovery.
    discover: ({ context: { port, timeoutMs } }) => {
      port.startTimer(timeoutMs);
      port.discover();
    },
    offer: ({ context: { port, sessionId } }) => {
      port.stopTimer();
      port.admit();
      port.offer(sessionId);
    },
    withdraw: ({ context }) => context.port.withdraw(),
    askOwnConnection: ({ context }) => context.port.askOwnConnection(),
    startTimer: ({ context }, { ms }: { ms: number }) => context.port.startTimer(ms),
    leave: ({ context: { port } }) => {
      port.stopTimer();
      port.close();
      port.release();
    },
    count: ({ context }, { name }: { name: string }) => context.port.count(name),

    // To the peer
    // What awaits an answer starts the timer (C-27).
    sendRequest: ({ context: { port, sessionId, requested, timeoutMs } }) => {
      if (requested) port.send(requestMessage(sessionId, requested.objective, requested.value));
      port.startTimer(timeoutMs);
    },
    sendStep: ({ context, event }: Args) => {
      assertEvent(event, 'step');
      context.port.send(stepMessage(context, event));
      context.port.startTimer(event.timeoutMs);
    },
    sendWait: ({ context, event }: Args) => {
      assertEvent(event, 'wait');
      context.port.send(waitMessage(context.sessionId, event.waitMs));
    },
    sendEnd: ({ context, event }: Args) => {
      assertEvent(event, 'end');
      context.port.send(endMessage(context.sessionId, event));
    },
    sendInvalid: ({ context, event }: Args) => {
      assertEvent(event, 'invalid');
      context.port.send(invalidMessage(context.sessionId, event.info));
    },
    // C-17: well-formed but unusable is answered by M_INVALID once, then the connection is closed.
    complain: ({ context, event }: Args, { about }: { about: string }) =>
      context.port.send(invalidMessage(sessionIdOf(event) ?? context.sessionId, diagnosticText(about))),
    complainOfRefusal: ({ context, event }: Args) => {
      assertEvent(event, 'message.refused');
      context.port.send(invalidMessage(event.sessionId ?? context.sessionId, diagnosticText(event.reason)));
    },

    // To the ASA: answers of calls that wait, confirmations, refusals of calls that change nothing
    announce: ({ context: { port, requested }, event }: Args) => {
      assertEvent(event, 'request.taken');
      if (requested) port.announce(event.listen, requested.objective, requested.value);
    },
    answerOffered: ({ context, event }: Args) => {
      assertEvent(event, 'message.negotiate');
      const { objective } = event.message;
      const { loopCount } = objective;
      context.port.stopTimer();
      context.port.answer(context.call, { state: 'offered', value: valueOf(objective), loopCount });
    },
    answerAccepted: ({ context }) => context.port.answer(context.call, { state: 'accepted' }),
    fail: ({ context }, failure: Failure) => context.port.answer(context.call, { state: 'failed', failure }),
    failWith: ({ context, event }: Args) =>
      context.port.answer(context.call, { state: 'failed', failure: failureOf(event) }),
    confirm: ({ context, event }: Args) => context.port.done(callOf(event), undefined),
    refuseCall: ({ context, event }: Args, failure: Failure) =>
      context.port.answer(callOf(event), { state: 'failed', failure }),
    refuse: ({ context, event }: Args, failure: Failure) => context.port.done(callOf(event), failure),
    report: ({ context }, failure: Failure) => context.port.reportEnded(failure),
    reportWith: ({ context, event }: Args) => context.port.reportEnded(failureOf(event)),
  },
}).createMachine({
  id: 'negotiationSession',
  initial: 'idle',
  context: ({ input }) =>
    copyNegotiationContext({
      port: input.port,
      sessionId: input.sessionId ?? 0,
      hasSessionId: input.sessionId !== undefined,
      drawTimeoutMs: input.drawTimeoutMs,
      name: input.name,
      flags: 0,
      loopCount: 0,
      call: 0,
      timeoutMs: 0,
      requested: undefined,
    }),

  on: {
    // §2.8.2: a message of another session on this connection is ignored.
    foreign: { actions: { type: 'count', params: { name: 'message.foreign-session' } } },
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
          { guard: 'isRapid', target: 'discovering', actions: ['keepOwnRequest', 'admit', 'discover'] },
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
        // §2.5.5.1: as if M_REQ_NEG had come right behind the discovery.
        'rapid.requested': [
          {
            guard: 'noSecurity',
            target: 'ended',
            actions: { type: 'count', params: { name: 'request.no-security' } },
          },
          {
            guard: 'sessionsFull',
            target: 'ended',
            actions: { type: 'count', params: { name: 'session.limit' } },
          },
          { target: 'reaching', actions: ['keepPeersRequest', 'connect'] },
        ],
      },
    },

    /**
     * §2.5.5.1: the answer will go over a connection to the source of the discovery. It is opened before an ASA is
     * asked: a source that does not exist costs no ASA anything.
     */
    reaching: {
      on: {
        connected: [
          {
            guard: 'sessionsFull',
            target: 'ended',
            actions: { type: 'count', params: { name: 'session.limit' } },
          },
          {
            guard: 'isInUse',
            target: 'ended',
            actions: { type: 'count', params: { name: 'session.id-clash' } },
          },
          { target: 'queued', actions: 'offer' },
        ],
        'connect.failed': {
          target: 'ended',
          actions: { type: 'count', params: { name: 'request.unreachable' } },
        },
        'session.close': { target: 'ended' },
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
        end: [
          { guard: 'accepts', actions: { type: 'refuse', params: notNow } },
          { target: 'ended', actions: ['confirm', { type: 'fail', params: noSession }] },
        ],
        invalid: { target: 'ended', actions: ['confirm', { type: 'fail', params: noSession }] },
        step: { actions: { type: 'refuseCall', params: notNow } },
        wait: { actions: { type: 'refuse', params: notNow } },
        'session.close': { target: 'ended', actions: 'failWith' },
      },
    },

    /** §2.5.5.1: the request is out with a discovery, whose session id it has. */
    discovering: {
      on: {
        'rapid.answered': { target: 'awaitingReply', actions: 'keepSessionId' },
        'rapid.over': { target: 'ended', actions: 'failWith' },
        'timer.expired': {
          target: 'ended',
          actions: { type: 'fail', params: { code: ErrorCode.noNegReply } },
        },
        end: [
          { guard: 'accepts', actions: { type: 'refuse', params: notNow } },
          { target: 'ended', actions: ['confirm', { type: 'fail', params: noSession }] },
        ],
        invalid: { target: 'ended', actions: ['confirm', { type: 'fail', params: noSession }] },
        step: { actions: { type: 'refuseCall', params: notNow } },
        wait: { actions: { type: 'refuse', params: notNow } },
        'session.close': { target: 'ended', actions: 'failWith' },
      },
    },

    /** §2.5.5: one stream per negotiation, opened when the message is ready. */
    connecting: {
      on: {
        connected: {
          target: 'awaitingReply',
          actions: 'sendRequest',
        },
        'connect.failed': { target: 'ended', actions: 'failWith' },
        end: [
          { guard: 'accepts', actions: { type: 'refuse', params: notNow } },
          { target: 'ended', actions: ['confirm', { type: 'fail', params: noSession }] },
        ],
        invalid: { target: 'ended', actions: ['confirm', { type: 'fail', params: noSession }] },
        step: { actions: { type: 'refuseCall', params: notNow } },
        wait: { actions: { type: 'refuse', params: notNow } },
        'session.close': { target: 'ended', actions: 'failWith' },
      },
    },

    /** A peer has connected. Nothing is answered that is not a request for this objective. */
    awaitingRequest: {
      on: {
        'message.requestNegotiation': [
          // §2.8.6: no ASA listens for it here: the socket is closed at once, without a message.
          {
            guard: 'otherObjective',
            target: 'ended',
            actions: { type: 'count', params: { name: 'request.other-objective' } },
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
          { target: 'queued', actions: ['keepPeersRequest', 'offer'] },
        ],
        // §2.8.6: nobody listens for synchronization on this port.
        'message.requestSynchronization': {
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
          { guard: 'isOwnConnection', target: 'queued', actions: 'offer' },
          {
            target: 'discarded',
            actions: { type: 'count', params: { name: 'session.id-clash' } },
          },
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

    /** With the objective's listener until an ASA takes it. */
    queued: {
      on: {
        'request.taken': { target: 'ourTurn', actions: 'announce' },
        'request.refused': { target: 'ended' },
        'message.noop': {},
        'message.wait': { actions: { type: 'count', params: { name: 'message.out-of-turn' } } },
        'message.end': { target: 'ended', actions: 'withdraw' },
        'message.invalid': { target: 'ended', actions: 'withdraw' },
        'message.*': {
          target: 'ended',
          actions: [
            { type: 'count', params: { name: 'message.out-of-turn' } },
            { type: 'complain', params: { about: 'out of turn' } },
            'withdraw',
          ],
        },
        'message.refused': [
          { guard: 'ignorable' },
          { guard: 'answerable', target: 'ended', actions: ['complainOfRefusal', 'withdraw'] },
          { target: 'ended', actions: 'withdraw' },
        ],
        'stream.lost': { target: 'ended', actions: 'withdraw' },
        'session.close': { target: 'ended', actions: 'withdraw' },
      },
    },

    /** A message of ours is out, a call of the ASA waits, the timer runs. */
    awaitingReply: {
      on: {
        'message.negotiate': [
          {
            guard: 'otherTerms',
            target: 'ended',
            actions: [
              { type: 'complain', params: { about: 'other objective' } },
              { type: 'fail', params: { code: ErrorCode.invalidNeg } },
            ],
          },
          // §2.8.7 and C-02: it must not have been sent.
          {
            guard: 'loopCountZero',
            target: 'ended',
            actions: { type: 'fail', params: { code: ErrorCode.loopExhausted } },
          },
          { target: 'ourTurn', actions: ['answerOffered', 'keepLoopCount'] },
        ],
        'message.end': [
          { guard: 'peerAccepts', target: 'ended', actions: 'answerAccepted' },
          { target: 'ended', actions: 'failWith' },
        ],
        // §2.8.9: the value overwrites and restarts the timer; it is never added.
        'message.wait': {
          actions: { type: 'startTimer', params: ({ event }) => ({ ms: event.message.waitingTime }) },
        },
        'message.noop': {},
        // §2.8.12: M_INVALID is never answered.
        'message.invalid': {
          target: 'ended',
          actions: [{ type: 'fail', params: { code: ErrorCode.noValidStep, detail: 'M_INVALID received' } }],
        },
        'message.*': {
          target: 'ended',
          actions: [
            { type: 'complain', params: { about: 'no valid step' } },
            { type: 'fail', params: { code: ErrorCode.noValidStep } },
          ],
        },
        'message.refused': [
          { guard: 'ignorable' },
          { guard: 'answerable', target: 'ended', actions: ['complainOfRefusal', 'failWith'] },
          { target: 'ended', actions: 'failWith' },
        ],
        'timer.expired': {
          target: 'ended',
          actions: { type: 'fail', params: { code: ErrorCode.noNegReply } },
        },
        // §2.5.5: a failure of the connection is a failure of the negotiation.
        'stream.lost': { target: 'ended', actions: 'failWith' },
        // RFC 8991 §2.3.5: steps alternate strictly; the call that waits goes on waiting.
        step: { actions: { type: 'refuseCall', params: notNow } },
        wait: { actions: { type: 'refuse', params: notNow } },
        end: [
          // Out of turn the two sides could agree on different values.
          { guard: 'accepts', actions: { type: 'refuse', params: notNow } },
          { guard: 'endTooBig', actions: { type: 'refuse', params: messageTooBig } },
          { target: 'ended', actions: ['sendEnd', 'confirm', { type: 'fail', params: noSession }] },
        ],
        invalid: [
          { guard: 'invalidTooBig', actions: { type: 'refuse', params: messageTooBig } },
          { target: 'ended', actions: ['sendInvalid', 'confirm', { type: 'fail', params: noSession }] },
        ],
        'session.close': { target: 'ended', actions: 'failWith' },
      },
    },

    /** The ASA has the peer's offer. It steps, waits or ends; nothing of the peer is due but the end. */
    ourTurn: {
      on: {
        step: [
          {
            guard: 'dryRunChanged',
            actions: { type: 'refuseCall', params: { ...notNow, detail: 'dry-run flag' } },
          },
          // §2.8.7 and C-02: nothing is sent, the negotiation has failed, the connection is closed at once.
          {
            guard: 'loopExhausted',
            target: 'ended',
            actions: { type: 'refuseCall', params: { code: ErrorCode.loopExhausted } },
          },
          { guard: 'stepTooBig', actions: { type: 'refuseCall', params: messageTooBig } },
          { target: 'awaitingReply', actions: ['sendStep', 'keepCall'] },
        ],
        wait: [
          {
            guard: 'sendBufferFull',
            actions: [
              { type: 'count', params: { name: 'session.send-buffer-full' } },
              {
                type: 'refuse',
                params: { code: ErrorCode.overload, detail: 'limits.sendBufferBytes', over: false },
              },
            ],
          },
          { actions: ['sendWait', 'confirm'] },
        ],
        end: [
          { guard: 'endTooBig', actions: { type: 'refuse', params: messageTooBig } },
          { target: 'ended', actions: ['sendEnd', 'confirm'] },
        ],
        invalid: [
          { guard: 'invalidTooBig', actions: { type: 'refuse', params: messageTooBig } },
          { target: 'ended', actions: ['sendInvalid', 'confirm'] },
        ],
        'message.noop': {},
        'message.wait': { actions: { type: 'count', params: { name: 'message.out-of-turn' } } },
        'message.end': [
          // It is not the peer's turn to accept: there is no offer of ours.
          {
            guard: 'peerAccepts',
            target: 'ended',
            actions: [
              { type: 'count', params: { name: 'message.out-of-turn' } },
              { type: 'report', params: { code: ErrorCode.noValidStep, detail: 'accepted out of turn' } },
            ],
          },
          { target: 'ended', actions: 'reportWith' },
        ],
        'message.invalid': {
          target: 'ended',
          actions: [
            { type: 'report', params: { code: ErrorCode.noValidStep, detail: 'M_INVALID received' } },
          ],
        },
        'message.*': {
          target: 'ended',
          actions: [
            { type: 'count', params: { name: 'message.out-of-turn' } },
            { type: 'complain', params: { about: 'out of turn' } },
            { type: 'report', params: { code: ErrorCode.noValidStep, detail: 'out of turn' } },
          ],
        },
        'message.refused': [
          { guard: 'ignorable' },
          { guard: 'answerable', target: 'ended', actions: ['complainOfRefusal', 'reportWith'] },
          { target: 'ended', actions: 'reportWith' },
        ],
        'stream.lost': { target: 'ended', actions: { type: 'report', params: { code: ErrorCode.noSocket } } },
        'session.close': { target: 'ended', actions: 'reportWith' },
      },
    },

    /** §2.5.5: the connection is closed when the procedure ends, for whatever reason. */
    ended: { type: 'final', entry: 'leave' },
  },
});
