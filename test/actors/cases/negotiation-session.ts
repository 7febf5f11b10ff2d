/** RFC 8990 §2.5.5 and §2.8.6 to §2.8.12 as cases of the negotiation session machine, state by state. */
import type { NegotiationEvent, NegotiationPort } from '../../../src/actors/negotiation-port.js';
import { negotiationSession } from '../../../src/actors/negotiation-session.js';
import type { Clash } from '../../../src/actors/session-port.js';
import {
  M_END,
  M_INVALID,
  M_NEGOTIATE,
  M_NOOP,
  M_REQ_NEG,
  M_REQ_SYN,
  M_SYNCH,
  M_WAIT,
} from '../../../src/protocol/index.js';
import { check, recording, type Effect, type MachineCase, type MachineSubject } from './play.js';

const SID = 77;
const value = Uint8Array.of(0x18, 0x2f);
const bytes = (text: string): Uint8Array => {
  const data = Buffer.from(text);
  return Uint8Array.from(data.length < 24 ? [0x60 | data.length, ...data] : [0x78, data.length, ...data]);
};

// Events

const objective = { name: 'EX3', flags: 3, loopCount: 6 };
const request: NegotiationEvent = { type: 'request', call: 1, objective, value, timeoutMs: 1_000 };
const rapid: NegotiationEvent = { ...request, rapid: true };
const rapidlyAsked: NegotiationEvent = {
  type: 'rapid.requested',
  message: { type: M_REQ_NEG, sessionId: SID, objective: { ...objective, value } },
};
const answered: NegotiationEvent = { type: 'rapid.answered', sessionId: SID };
const unanswered: NegotiationEvent = { type: 'rapid.over', failure: { code: 33 } };
const unreachable: NegotiationEvent = { type: 'connect.failed', detail: 'nobody' };
const accepted: NegotiationEvent = { type: 'accepted', firstMessageMs: 300 };
const drawn: NegotiationEvent = { type: 'sessionId.drawn', sessionId: SID };
const connected: NegotiationEvent = { type: 'connected' };
const expired: NegotiationEvent = { type: 'timer.expired' };
const lost: NegotiationEvent = { type: 'stream.lost', truncated: false };
const truncated: NegotiationEvent = { type: 'stream.lost', truncated: true };
const foreign: NegotiationEvent = { type: 'foreign' };
const noop: NegotiationEvent = { type: 'message.noop', message: { type: M_NOOP } };
const taken: NegotiationEvent = { type: 'request.taken', listen: 9 };
const turnedAway: NegotiationEvent = { type: 'request.refused' };
const closeWith = (code: number): NegotiationEvent => ({ type: 'session.close', code, detail: 'why' });
const judged = (own: boolean): NegotiationEvent => ({ type: 'clash.judged', own });

const asked = (over: object = {}): NegotiationEvent => ({
  type: 'message.requestNegotiation',
  message: { type: M_REQ_NEG, sessionId: SID, objective: { ...objective, value, ...over } },
});
const synchRequest: NegotiationEvent = {
  type: 'message.requestSynchronization',
  message: { type: M_REQ_SYN, sessionId: SID, objective: { name: 'EX3', flags: 5, loopCount: 6, value } },
};
const synch: NegotiationEvent = {
  type: 'message.synch',
  message: { type: M_SYNCH, sessionId: SID, objective: { name: 'EX3', flags: 5, loopCount: 6, value } },
};
const offered = (over: object = {}): NegotiationEvent => ({
  type: 'message.negotiate',
  message: { type: M_NEGOTIATE, sessionId: SID, objective: { ...objective, loopCount: 5, value, ...over } },
});
const peerEnds = (accept: boolean, reason?: string): NegotiationEvent => ({
  type: 'message.end',
  message: { type: M_END, sessionId: SID, accept, reason },
});
const peerWaits = (waitingTime: number): NegotiationEvent => ({
  type: 'message.wait',
  message: { type: M_WAIT, sessionId: SID, waitingTime },
});
const peerInvalid: NegotiationEvent = {
  type: 'message.invalid',
  message: { type: M_INVALID, sessionId: SID, info: undefined },
};
const garbage: NegotiationEvent = {
  type: 'message.refused',
  kind: 'malformed',
  reason: 'cbor.reserved',
  messageType: undefined,
  sessionId: undefined,
};
const unusable = (messageType: number): NegotiationEvent => ({
  type: 'message.refused',
  kind: 'unusable',
  reason: 'message.arity',
  messageType,
  sessionId: SID,
});
const noMessage: NegotiationEvent = {
  type: 'message.refused',
  kind: 'unusable',
  reason: 'message.not-array',
  messageType: undefined,
  sessionId: undefined,
};

const step = (over: object = {}): NegotiationEvent => ({
  type: 'step',
  call: 2,
  value,
  loopCount: undefined,
  dryRun: undefined,
  timeoutMs: 2_000,
  ...over,
});
const wait: NegotiationEvent = { type: 'wait', call: 3, waitMs: 34_965 };
const accept: NegotiationEvent = { type: 'end', call: 4, accept: true, reason: 'ignored' };
const decline: NegotiationEvent = { type: 'end', call: 4, accept: false, reason: 'no funds' };
const sendInvalid: NegotiationEvent = { type: 'invalid', call: 5, info: bytes('what?') };
const long = new Uint8Array(3_000);

/** One event of every kind and shape that matters, for tests that play them in any order. */
export const everyEvent: readonly NegotiationEvent[] = [
  request,
  rapid,
  rapidlyAsked,
  answered,
  unanswered,
  unreachable,
  accepted,
  drawn,
  connected,
  expired,
  lost,
  truncated,
  foreign,
  noop,
  taken,
  turnedAway,
  closeWith(19),
  judged(true),
  judged(false),
  asked(),
  asked({ name: 'EX4' }),
  asked({ loopCount: 1 }),
  asked({ flags: 11 }),
  synchRequest,
  synch,
  offered(),
  offered({ loopCount: 0 }),
  offered({ loopCount: 1 }),
  offered({ name: 'EX4' }),
  offered({ flags: 11 }),
  peerEnds(true),
  peerEnds(false, 'no'),
  peerEnds(false),
  peerWaits(500),
  peerInvalid,
  garbage,
  unusable(M_NEGOTIATE),
  unusable(M_INVALID),
  noMessage,
  step(),
  step({ loopCount: 1 }),
  step({ dryRun: true }),
  step({ value: new Uint8Array(3_000) }),
  wait,
  accept,
  decline,
  sendInvalid,
];

// Effects

const over: Effect[] = [['stopTimer'], ['close'], ['release']];
const count = (name: string): Effect => ['count', name];
const complain = (about: string, sessionId = SID): Effect => [
  'send',
  { type: M_INVALID, sessionId, info: bytes(about) },
];
const failed = (call: number, failure: object): Effect => ['answer', call, { state: 'failed', failure }];
const done = (call: number, failure?: object): Effect => ['done', call, failure];
const ended = (failure: object): Effect => ['reportEnded', failure];
const notNow = { code: 3, detail: 'not the turn of this side', over: false };
const tooBig = { code: 40, over: false };

// Paths

const connecting = [request];
const awaitingReply = [request, connected];
const ourTurn = [request, connected, offered()];
const awaitingRequest = [accepted];
const queued = [accepted, asked()];
const respondersTurn = [...queued, taken];

interface Facts {
  /** No session id is left in the block. */
  readonly noId?: boolean;
  readonly secure?: boolean;
  readonly sessionsFull?: boolean;
  readonly sendBufferFull?: boolean;
  readonly clash?: Clash;
  readonly late?: boolean;
}

interface Expected {
  readonly state: string;
  readonly effects: readonly Effect[];
  readonly context?: object;
}

/** `late`: the facts hold from the event of the case on; before, all is well. */
function on(
  name: string,
  path: readonly NegotiationEvent[],
  event: NegotiationEvent,
  expected: Expected,
  facts: Facts = {},
): MachineCase {
  return {
    name,
    run: (machine) => {
      let full = !facts.late && facts.sessionsFull === true;
      const { port, effects } = recording<NegotiationPort>({
        secure: facts.secure ?? true,
        get sessionsFull() {
          return full;
        },
        sendBufferFull: facts.sendBufferFull ?? false,
        maxMessageBytes: 2_048,
        judgeSessionId: () => facts.clash ?? 'none',
      });
      const input = { port, sessionId: facts.noId ? undefined : SID, name: 'EX3', drawTimeoutMs: 250 };
      check(machine, input, effects, path, event, expected, () => (full = facts.sessionsFull === true));
    },
  };
}

/** What a session answers to each kind of bad message, by state. */
function badMessages(
  where: string,
  path: readonly NegotiationEvent[],
  state: string,
  /** What the ASA hears for a code, and what is done before the session is over. */
  tell: (code: number, detail: string) => Effect[],
  last: Effect[] = over,
): MachineCase[] {
  return [
    on(`§12 ${where}, bytes that are not CBOR: closed, 24`, path, garbage, {
      state: 'ended',
      effects: [...tell(24, 'cbor.reserved'), ...last],
    }),
    on(`C-17 ${where}, a bad M_NEGOTIATE: M_INVALID once, closed, 25`, path, unusable(M_NEGOTIATE), {
      state: 'ended',
      effects: [complain('message.arity'), ...tell(25, 'message.arity'), ...last],
    }),
    on(`C-17 ${where}, a bad M_END: M_INVALID once, closed, 26`, path, unusable(M_END), {
      state: 'ended',
      effects: [complain('message.arity'), ...tell(26, 'message.arity'), ...last],
    }),
    on(`§2.8.2 ${where}, no message at all: closed without M_INVALID, 28`, path, noMessage, {
      state: 'ended',
      effects: [...tell(28, 'message.not-array'), ...last],
    }),
    on(`§2.8.12 ${where}, a bad M_INVALID is ignored`, path, unusable(M_INVALID), { state, effects: [] }),
    on(`§2.8.13 ${where}, a bad M_NOOP is ignored`, path, unusable(M_NOOP), { state, effects: [] }),
    on(`§2.8.13 ${where}, M_NOOP is ignored`, path, noop, { state, effects: [] }),
    on(`§2.8.2 ${where}, a message of another session is ignored`, path, foreign, {
      state,
      effects: [count('message.foreign-session')],
    }),
  ];
}

/** Calls of the ASA before its request is out. */
function beforeTheRequest(
  state: string,
  path: readonly NegotiationEvent[],
  facts: Facts = {},
): MachineCase[] {
  return [
    on(`${state}: a step is refused`, path, step(), { state, effects: [failed(2, notNow)] }, facts),
    on(`${state}: a wait is refused`, path, wait, { state, effects: [done(3, notNow)] }, facts),
    on(`D-15 ${state}: acceptance is refused`, path, accept, { state, effects: [done(4, notNow)] }, facts),
    on(
      `${state}: the ASA gives up, nothing is sent`,
      path,
      decline,
      { state: 'ended', effects: [done(4), failed(1, { code: 19 }), ...over] },
      facts,
    ),
    on(
      `${state}: send_invalid gives up, nothing is sent`,
      path,
      sendInvalid,
      { state: 'ended', effects: [done(5), failed(1, { code: 19 }), ...over] },
      facts,
    ),
    on(
      `${state}: the engine ends it`,
      path,
      closeWith(16),
      { state: 'ended', effects: [failed(1, { code: 16, detail: 'why' }), ...over] },
      facts,
    ),
  ];
}

const cases: MachineCase[] = [
  // Rapid mode, initiator
  on(
    'G-2.8.4-12 a request that goes out with a discovery: timer and loop count begin',
    [],
    rapid,
    {
      state: 'discovering',
      effects: [['admit'], ['startTimer', 1_000], ['discover']],
      context: { call: 1, name: 'EX3', flags: 3, loopCount: 6, requested: { objective, value } },
    },
    { noId: true },
  ),
  ...beforeTheRequest('discovering', [rapid], { noId: true }),
  on(
    '§2.5.5.1 the peer answers: its message is awaited with the session id of the discovery, the timer runs on',
    [rapid],
    answered,
    { state: 'awaitingReply', effects: [], context: { sessionId: SID, hasSessionId: true } },
    { noId: true },
  ),
  on(
    '§2.5.5.1 its M_NEGOTIATE is the answer of the call',
    [rapid, answered],
    offered(),
    {
      state: 'ourTurn',
      effects: [['stopTimer'], ['answer', 1, { state: 'offered', value, loopCount: 5 }]],
      context: { loopCount: 5 },
    },
    { noId: true },
  ),
  on(
    'G-2.5.5.1-04 nobody answers so: the call is told',
    [rapid],
    unanswered,
    { state: 'ended', effects: [failed(1, { code: 33 }), ...over] },
    { noId: true },
  ),
  on(
    'G-2.8.4-12 27: the timer of the negotiation ends it',
    [rapid],
    expired,
    { state: 'ended', effects: [failed(1, { code: 27 }), ...over] },
    { noId: true },
  ),
  // Rapid mode, responder
  on('G-2.5.5.1-02 a discovery that is a request: its source is connected to first', [], rapidlyAsked, {
    state: 'reaching',
    effects: [['stopTimer'], ['connect']],
    context: { sessionId: SID, hasSessionId: true, loopCount: 6, requested: { objective, value } },
  }),
  on(
    'G-3-01 none without security',
    [],
    rapidlyAsked,
    { state: 'ended', effects: [count('request.no-security'), ...over] },
    { secure: false },
  ),
  on(
    'limits.sessions: none beyond',
    [],
    rapidlyAsked,
    { state: 'ended', effects: [count('session.limit'), ...over] },
    { sessionsFull: true },
  ),
  on('G-2.5.5.1-02 then the ASA is asked', [rapidlyAsked], connected, {
    state: 'queued',
    effects: [['stopTimer'], ['admit'], ['offer', SID]],
  }),
  on(
    'limits.sessions: the last place was taken meanwhile',
    [rapidlyAsked],
    connected,
    { state: 'ended', effects: [count('session.limit'), ...over] },
    { sessionsFull: true, late: true },
  ),
  on(
    'C-06 the session id is active here: nothing is answered',
    [rapidlyAsked],
    connected,
    { state: 'ended', effects: [count('session.id-clash'), ...over] },
    { clash: 'clash' },
  ),
  on('§2.5.4.4 nobody is at the source: no ASA hears of it', [rapidlyAsked], unreachable, {
    state: 'ended',
    effects: [count('request.unreachable'), ...over],
  }),
  on('the engine ends it while it connects', [rapidlyAsked], closeWith(42), {
    state: 'ended',
    effects: over,
  }),

  // idle
  on(
    '16: no request without security',
    [],
    request,
    {
      state: 'ended',
      effects: [failed(1, { code: 16 }), ...over],
    },
    { secure: false },
  ),
  on(
    '43: no request beyond limits.sessions',
    [],
    request,
    {
      state: 'ended',
      effects: [count('session.limit'), failed(1, { code: 43, detail: 'limits.sessions' }), ...over],
    },
    { sessionsFull: true },
  ),
  on(
    '§2.8.3 40: a request that is too big is not sent',
    [],
    { ...request, value: long } as NegotiationEvent,
    {
      state: 'ended',
      effects: [failed(1, { code: 40 }), ...over],
    },
  ),
  on('§2.5.5 a request opens a connection', [], request, {
    state: 'connecting',
    effects: [['admit'], ['stopTimer'], ['connect']],
    context: {
      call: 1,
      timeoutMs: 1_000,
      name: 'EX3',
      flags: 3,
      loopCount: 6,
      requested: { objective, value },
    },
  }),
  on(
    '§2.7 a request without a session id waits for one',
    [],
    request,
    {
      state: 'awaitingSessionId',
      effects: [['admit'], ['drawSessionId'], ['startTimer', 250]],
    },
    { noId: true },
  ),
  on(
    'a peer is not heard without security',
    [],
    accepted,
    {
      state: 'ended',
      effects: [count('request.no-security'), ...over],
    },
    { secure: false },
  ),
  on('§11 a peer has a limited time for its first message', [], accepted, {
    state: 'awaitingRequest',
    effects: [['startTimer', 300]],
  }),

  // awaitingSessionId
  on(
    '§2.7 the id is there: connect',
    [request],
    drawn,
    {
      state: 'connecting',
      effects: [['stopTimer'], ['connect']],
      context: { sessionId: SID, hasSessionId: true },
    },
    { noId: true },
  ),
  on(
    '3: no id in time',
    [request],
    expired,
    {
      state: 'ended',
      effects: [failed(1, { code: 3, detail: 'no session id' }), ...over],
    },
    { noId: true },
  ),
  ...beforeTheRequest('awaitingSessionId', [request], { noId: true }),

  // connecting
  on('§2.8.6 connected: M_REQ_NEG, and the timer starts', connecting, connected, {
    state: 'awaitingReply',
    effects: [
      ['send', { type: M_REQ_NEG, sessionId: SID, objective: { ...objective, value } }],
      ['startTimer', 1_000],
    ],
  }),
  on(
    '18: no connection',
    connecting,
    { type: 'connect.failed', detail: 'refused' },
    {
      state: 'ended',
      effects: [failed(1, { code: 18, detail: 'refused' }), ...over],
    },
  ),
  ...beforeTheRequest('connecting', connecting),

  // awaitingRequest
  on('§2.8.6 a request goes to the listener', awaitingRequest, asked({ flags: 0x13, loopCount: 4 }), {
    state: 'queued',
    effects: [['stopTimer'], ['admit'], ['offer', SID]],
    context: {
      sessionId: SID,
      flags: 3,
      loopCount: 4,
      requested: { objective: { name: 'EX3', flags: 3, loopCount: 4 }, value },
    },
  }),
  on(
    '§2.8.6 a request for another objective: closed without a message',
    awaitingRequest,
    asked({ name: 'EX4' }),
    {
      state: 'ended',
      effects: [count('request.other-objective'), ...over],
    },
  ),
  on(
    'limits.sessions: closed without a message',
    awaitingRequest,
    asked(),
    {
      state: 'ended',
      effects: [count('session.limit'), ...over],
    },
    { sessionsFull: true },
  ),
  on(
    'C-06 a clash is discarded without a reply; the timer runs on',
    awaitingRequest,
    asked(),
    {
      state: 'discarded',
      effects: [count('session.id-clash')],
    },
    { clash: 'clash' },
  ),
  on(
    'C-06 an id of this engine from an own address: asked who opened the connection',
    awaitingRequest,
    asked(),
    {
      state: 'judgingClash',
      effects: [['askOwnConnection']],
      context: { requested: { objective, value } },
    },
    { clash: 'ask' },
  ),
  on('§2.8.6 M_REQ_SYN: nobody listens for it, closed without a message', awaitingRequest, synchRequest, {
    state: 'ended',
    effects: [count('request.no-listener'), ...over],
  }),
  on('§2.8.8 M_END first: closed, needs no answer', awaitingRequest, peerEnds(false), {
    state: 'ended',
    effects: [count('message.out-of-place'), ...over],
  }),
  on('§2.8.12 M_INVALID first: closed, never answered', awaitingRequest, peerInvalid, {
    state: 'ended',
    effects: [count('message.out-of-place'), ...over],
  }),
  on(
    'C-17 another message first: M_INVALID with its session id, closed',
    awaitingRequest,
    {
      ...(offered() as NegotiationEvent & { type: 'message.negotiate' }),
      message: { type: M_NEGOTIATE, sessionId: 5, objective: { ...objective, value } },
    },
    {
      state: 'ended',
      effects: [count('message.out-of-place'), complain('no request', 5), ...over],
    },
  ),
  ...badMessages('before a request', awaitingRequest, 'awaitingRequest', () => []),
  on('§11 no first message in time: closed', awaitingRequest, expired, {
    state: 'ended',
    effects: [count('request.first-message-timeout'), ...over],
  }),
  on('a peer that closes before its request is complete: counted', awaitingRequest, lost, {
    state: 'ended',
    effects: [count('request.incomplete'), ...over],
  }),
  on('the engine closes an idle connection', awaitingRequest, closeWith(42), {
    state: 'ended',
    effects: over,
  }),

  // judgingClash
  on(
    'C-06 this engine opened the connection: no clash',
    [accepted, asked()],
    judged(true),
    {
      state: 'queued',
      effects: [['stopTimer'], ['admit'], ['offer', SID]],
    },
    { clash: 'ask' },
  ),
  on(
    'C-06 it did not: discarded',
    [accepted, asked()],
    judged(false),
    {
      state: 'discarded',
      effects: [count('session.id-clash')],
    },
    { clash: 'ask' },
  ),
  on(
    'no judgement in time',
    [accepted, asked()],
    expired,
    { state: 'ended', effects: over },
    { clash: 'ask' },
  ),
  on(
    'the peer closes before the judgement',
    [accepted, asked()],
    lost,
    { state: 'ended', effects: over },
    {
      clash: 'ask',
    },
  ),
  on(
    'the engine closes before the judgement',
    [accepted, asked()],
    closeWith(42),
    {
      state: 'ended',
      effects: over,
    },
    { clash: 'ask' },
  ),

  // discarded
  on(
    'G-2.8.6-11 the discarded connection ends with the first-message timer',
    [accepted, asked()],
    expired,
    {
      state: 'ended',
      effects: over,
    },
    { clash: 'clash' },
  ),
  on(
    'the peer of a discarded request closes',
    [accepted, asked()],
    lost,
    { state: 'ended', effects: over },
    {
      clash: 'clash',
    },
  ),
  on(
    'the engine closes a discarded connection',
    [accepted, asked()],
    closeWith(42),
    {
      state: 'ended',
      effects: over,
    },
    { clash: 'clash' },
  ),
  on(
    'nothing else on a discarded connection is heard',
    [accepted, asked()],
    asked(),
    {
      state: 'discarded',
      effects: [],
    },
    { clash: 'clash' },
  ),

  // queued
  on('A-2.3.5-12 an ASA takes the request', queued, taken, {
    state: 'ourTurn',
    effects: [['announce', 9, objective, value]],
  }),
  on('C-20 the listener has no place: closed without a message', queued, turnedAway, {
    state: 'ended',
    effects: over,
  }),
  on('M_WAIT while the request waits is out of turn', queued, peerWaits(5), {
    state: 'queued',
    effects: [count('message.out-of-turn')],
  }),
  on('the peer declines while its request waits', queued, peerEnds(false), {
    state: 'ended',
    effects: [['withdraw'], ...over],
  }),
  on('the peer sends M_INVALID while its request waits', queued, peerInvalid, {
    state: 'ended',
    effects: [['withdraw'], ...over],
  }),
  on('the peer steps while its request waits', queued, offered(), {
    state: 'ended',
    effects: [count('message.out-of-turn'), complain('out of turn'), ['withdraw'], ...over],
  }),
  ...badMessages('while the request waits', queued, 'queued', () => [], [['withdraw'], ...over]),
  on('the peer closes while its request waits', queued, lost, {
    state: 'ended',
    effects: [['withdraw'], ...over],
  }),
  on('the engine ends a waiting request', queued, closeWith(16), {
    state: 'ended',
    effects: [['withdraw'], ...over],
  }),

  // awaitingReply
  on('§2.8.7 a counter-offer', awaitingReply, offered(), {
    state: 'ourTurn',
    effects: [['stopTimer'], ['answer', 1, { state: 'offered', value, loopCount: 5 }]],
    context: { loopCount: 5 },
  }),
  on('25: another objective, M_INVALID once', awaitingReply, offered({ name: 'EX4' }), {
    state: 'ended',
    effects: [complain('other objective'), failed(1, { code: 25 }), ...over],
  }),
  on('§2.10.2 25: the dry-run flag changed', awaitingReply, offered({ flags: 11 }), {
    state: 'ended',
    effects: [complain('other objective'), failed(1, { code: 25 }), ...over],
  }),
  on('C-02 21: loop count 0 must not have been sent', awaitingReply, offered({ loopCount: 0 }), {
    state: 'ended',
    effects: [failed(1, { code: 21 }), ...over],
  }),
  on('§2.8.8 accepted', awaitingReply, peerEnds(true), {
    state: 'ended',
    effects: [['answer', 1, { state: 'accepted' }], ...over],
  }),
  on('§2.8.8 1: declined with a reason', awaitingReply, peerEnds(false, 'sorry'), {
    state: 'ended',
    effects: [failed(1, { code: 1, reason: 'sorry' }), ...over],
  }),
  on('A-2.3.5-07 1: declined without a reason', awaitingReply, peerEnds(false), {
    state: 'ended',
    effects: [failed(1, { code: 1, reason: '' }), ...over],
  }),
  on('§2.8.9 M_WAIT restarts the timer with its value', awaitingReply, peerWaits(9_000), {
    state: 'awaitingReply',
    effects: [['startTimer', 9_000]],
  }),
  on('§2.8.12 28: M_INVALID, never answered', awaitingReply, peerInvalid, {
    state: 'ended',
    effects: [failed(1, { code: 28, detail: 'M_INVALID received' }), ...over],
  }),
  on('28: another message, M_INVALID once', awaitingReply, synch, {
    state: 'ended',
    effects: [complain('no valid step'), failed(1, { code: 28 }), ...over],
  }),
  ...badMessages('awaiting a reply', awaitingReply, 'awaitingReply', (code, detail) => [
    failed(1, { code, detail }),
  ]),
  on('C-27 27: no reply in time', awaitingReply, expired, {
    state: 'ended',
    effects: [failed(1, { code: 27 }), ...over],
  }),
  on('§2.5.5 23: the peer closes', awaitingReply, lost, {
    state: 'ended',
    effects: [failed(1, { code: 23 }), ...over],
  }),
  on('24: the peer closes within a message', awaitingReply, truncated, {
    state: 'ended',
    effects: [failed(1, { code: 24, detail: 'truncated message' }), ...over],
  }),
  on('A-2.3.5-02 a step out of turn: 3, the call waits on', awaitingReply, step(), {
    state: 'awaitingReply',
    effects: [failed(2, notNow)],
    context: { call: 1 },
  }),
  on('§4.10 a wait out of turn: 3', awaitingReply, wait, {
    state: 'awaitingReply',
    effects: [done(3, notNow)],
  }),
  on('§4.11 acceptance out of turn: 3', awaitingReply, accept, {
    state: 'awaitingReply',
    effects: [done(4, notNow)],
  }),
  on('§4.11 a decline at any time; the waiting call gives 19', awaitingReply, decline, {
    state: 'ended',
    effects: [
      ['send', { type: M_END, sessionId: SID, accept: false, reason: 'no funds' }],
      done(4),
      failed(1, { code: 19 }),
      ...over,
    ],
  }),
  on(
    '40: a decline that is too big',
    awaitingReply,
    { ...decline, reason: 'x'.repeat(3_000) } as NegotiationEvent,
    {
      state: 'awaitingReply',
      effects: [done(4, tooBig)],
    },
  ),
  on('§4.12 send_invalid at any time; the waiting call gives 19', awaitingReply, sendInvalid, {
    state: 'ended',
    effects: [
      ['send', { type: M_INVALID, sessionId: SID, info: bytes('what?') }],
      done(5),
      failed(1, { code: 19 }),
      ...over,
    ],
  }),
  on('40: an M_INVALID that is too big', awaitingReply, { ...sendInvalid, info: long } as NegotiationEvent, {
    state: 'awaitingReply',
    effects: [done(5, tooBig)],
  }),
  on('C-13 the engine ends a session that waits', awaitingReply, closeWith(19), {
    state: 'ended',
    effects: [failed(1, { code: 19, detail: 'why' }), ...over],
  }),

  // ourTurn
  on('§2.8.7 a step: loop count one less than received, the timer starts', ourTurn, step(), {
    state: 'awaitingReply',
    effects: [
      ['send', { type: M_NEGOTIATE, sessionId: SID, objective: { ...objective, loopCount: 4, value } }],
      ['startTimer', 2_000],
    ],
    context: { call: 2 },
  }),
  on('D-11 an ASA cannot raise the loop count', respondersTurn, step({ loopCount: 255 }), {
    state: 'awaitingReply',
    effects: [
      ['send', { type: M_NEGOTIATE, sessionId: SID, objective: { ...objective, loopCount: 5, value } }],
      ['startTimer', 2_000],
    ],
  }),
  on('§2.8.7 21: a step with loop count 0 is not sent', ourTurn, step({ loopCount: 1 }), {
    state: 'ended',
    effects: [failed(2, { code: 21 }), ...over],
  }),
  on('§2.10.2 3: the dry-run flag of a step differs', ourTurn, step({ dryRun: true }), {
    state: 'ourTurn',
    effects: [failed(2, { ...notNow, detail: 'dry-run flag' })],
  }),
  on('§2.8.3 40: a step that is too big', ourTurn, step({ value: long }), {
    state: 'ourTurn',
    effects: [failed(2, tooBig)],
  }),
  on('§2.8.9 a wait keeps the turn', ourTurn, wait, {
    state: 'ourTurn',
    effects: [['send', { type: M_WAIT, sessionId: SID, waitingTime: 34_965 }], done(3)],
  }),
  on(
    '43: a wait that the peer does not take',
    ourTurn,
    wait,
    {
      state: 'ourTurn',
      effects: [
        count('session.send-buffer-full'),
        done(3, { code: 43, detail: 'limits.sendBufferBytes', over: false }),
      ],
    },
    { sendBufferFull: true },
  ),
  on('§2.8.8 acceptance; the reason is ignored', ourTurn, accept, {
    state: 'ended',
    effects: [['send', { type: M_END, sessionId: SID, accept: true, reason: undefined }], done(4), ...over],
  }),
  on('§2.8.8 decline', ourTurn, decline, {
    state: 'ended',
    effects: [['send', { type: M_END, sessionId: SID, accept: false, reason: 'no funds' }], done(4), ...over],
  }),
  on(
    '40: a decline too big on this side’s turn',
    ourTurn,
    {
      ...decline,
      reason: 'x'.repeat(3_000),
    } as NegotiationEvent,
    { state: 'ourTurn', effects: [done(4, tooBig)] },
  ),
  on('§2.8.12 send_invalid', ourTurn, sendInvalid, {
    state: 'ended',
    effects: [['send', { type: M_INVALID, sessionId: SID, info: bytes('what?') }], done(5), ...over],
  }),
  on(
    '40: an M_INVALID too big on this side’s turn',
    ourTurn,
    { ...sendInvalid, info: long } as NegotiationEvent,
    {
      state: 'ourTurn',
      effects: [done(5, tooBig)],
    },
  ),
  on('M_WAIT out of turn is ignored', ourTurn, peerWaits(1), {
    state: 'ourTurn',
    effects: [count('message.out-of-turn')],
  }),
  on('28: the peer accepts out of turn', ourTurn, peerEnds(true), {
    state: 'ended',
    effects: [count('message.out-of-turn'), ended({ code: 28, detail: 'accepted out of turn' }), ...over],
  }),
  on('1: the peer declines; the ASA hears it at once', ourTurn, peerEnds(false, 'sorry'), {
    state: 'ended',
    effects: [ended({ code: 1, reason: 'sorry' }), ...over],
  }),
  on('28: M_INVALID on this side’s turn, never answered', ourTurn, peerInvalid, {
    state: 'ended',
    effects: [ended({ code: 28, detail: 'M_INVALID received' }), ...over],
  }),
  on('28: the peer steps out of turn, M_INVALID once', ourTurn, offered(), {
    state: 'ended',
    effects: [
      count('message.out-of-turn'),
      complain('out of turn'),
      ended({ code: 28, detail: 'out of turn' }),
      ...over,
    ],
  }),
  ...badMessages('on this side’s turn', ourTurn, 'ourTurn', (code, detail) => [ended({ code, detail })]),
  on('20: the peer closes on this side’s turn', ourTurn, lost, {
    state: 'ended',
    effects: [ended({ code: 20 }), ...over],
  }),
  on('the engine ends a session on this side’s turn', respondersTurn, closeWith(16), {
    state: 'ended',
    effects: [ended({ code: 16, detail: 'why' }), ...over],
  }),
];

export const negotiationSessionCases: MachineSubject = {
  name: 'negotiationSession',
  machine: negotiationSession,
  cases,
};
