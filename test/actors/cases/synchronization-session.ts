/** RFC 8990 §2.5.6.1, §2.8.6 and §2.8.10 as cases of the synchronization session machine, state by state. */
import type { Clash } from '../../../src/actors/session-port.js';
import type {
  PublishedValue,
  SynchronizationEvent,
  SynchronizationPort,
} from '../../../src/actors/synchronization-port.js';
import { synchronizationSession } from '../../../src/actors/synchronization-session.js';
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
const NULL = Uint8Array.of(0xf6);
const text = (content: string): Uint8Array => {
  const data = Buffer.from(content);
  return Uint8Array.from(data.length < 24 ? [0x60 | data.length, ...data] : [0x78, data.length, ...data]);
};

// Events

const objective = { name: 'EX3', flags: 5, loopCount: 6 };
const request: SynchronizationEvent = { type: 'request', call: 1, objective, timeoutMs: 1_000 };
const accepted: SynchronizationEvent = { type: 'accepted', firstMessageMs: 300 };
const drawn: SynchronizationEvent = { type: 'sessionId.drawn', sessionId: SID };
const connected: SynchronizationEvent = { type: 'connected' };
const expired: SynchronizationEvent = { type: 'timer.expired' };
const lost: SynchronizationEvent = { type: 'stream.lost', truncated: false };
const truncated: SynchronizationEvent = { type: 'stream.lost', truncated: true };
const foreign: SynchronizationEvent = { type: 'foreign' };
const noop: SynchronizationEvent = { type: 'message.noop', message: { type: M_NOOP } };
const closeWith = (code: number): SynchronizationEvent => ({ type: 'session.close', code, detail: 'why' });
const judged = (own: boolean): SynchronizationEvent => ({ type: 'clash.judged', own });

const asked = (over: object = {}): SynchronizationEvent => ({
  type: 'message.requestSynchronization',
  message: { type: M_REQ_SYN, sessionId: SID, objective: { ...objective, value: NULL, ...over } },
});
const synch = (over: object = {}): SynchronizationEvent => ({
  type: 'message.synch',
  message: { type: M_SYNCH, sessionId: SID, objective: { ...objective, value, ...over } },
});
const negotiationRequest: SynchronizationEvent = {
  type: 'message.requestNegotiation',
  message: { type: M_REQ_NEG, sessionId: SID, objective: { name: 'EX3', flags: 3, loopCount: 6, value } },
};
const offered = (sessionId = SID): SynchronizationEvent => ({
  type: 'message.negotiate',
  message: { type: M_NEGOTIATE, sessionId, objective: { name: 'EX3', flags: 3, loopCount: 5, value } },
});
const peerEnds: SynchronizationEvent = {
  type: 'message.end',
  message: { type: M_END, sessionId: SID, accept: false, reason: 'no' },
};
const peerWaits: SynchronizationEvent = {
  type: 'message.wait',
  message: { type: M_WAIT, sessionId: SID, waitingTime: 9_000 },
};
const peerInvalid: SynchronizationEvent = {
  type: 'message.invalid',
  message: { type: M_INVALID, sessionId: SID, info: undefined },
};
const garbage: SynchronizationEvent = {
  type: 'message.refused',
  kind: 'malformed',
  reason: 'cbor.reserved',
  messageType: undefined,
  sessionId: undefined,
};
const unusable = (messageType: number): SynchronizationEvent => ({
  type: 'message.refused',
  kind: 'unusable',
  reason: 'objective.no-value',
  messageType,
  sessionId: SID,
});
const noMessage: SynchronizationEvent = {
  type: 'message.refused',
  kind: 'unusable',
  reason: 'message.not-array',
  messageType: undefined,
  sessionId: undefined,
};
const giveUp: SynchronizationEvent = { type: 'end', call: 4, accept: false, reason: 'aborted' };
const step: SynchronizationEvent = {
  type: 'step',
  call: 2,
  value,
  loopCount: undefined,
  dryRun: undefined,
  timeoutMs: 2_000,
};
const wait: SynchronizationEvent = { type: 'wait', call: 3, waitMs: 5 };
const sendInvalid: SynchronizationEvent = { type: 'invalid', call: 5, info: undefined };

/** One event of every kind and shape that matters, for tests that play them in any order. */
export const everySynchronizationEvent: readonly SynchronizationEvent[] = [
  request,
  { ...request, objective: { ...objective, name: 'x'.repeat(3_000) } } as SynchronizationEvent,
  accepted,
  drawn,
  connected,
  { type: 'connect.failed', detail: 'refused' },
  expired,
  lost,
  truncated,
  foreign,
  noop,
  closeWith(19),
  judged(true),
  judged(false),
  asked(),
  asked({ name: 'EX4' }),
  asked({ loopCount: 1, value: undefined }),
  synch(),
  synch({ name: 'EX4' }),
  synch({ flags: 0x14, value: NULL }),
  negotiationRequest,
  offered(),
  peerEnds,
  peerWaits,
  peerInvalid,
  garbage,
  unusable(M_SYNCH),
  unusable(M_INVALID),
  noMessage,
  giveUp,
  step,
  wait,
  sendInvalid,
];

// Effects

const over: Effect[] = [['stopTimer'], ['close'], ['release']];
const count = (name: string): Effect => ['count', name];
const complain = (about: string, sessionId = SID): Effect => [
  'send',
  { type: M_INVALID, sessionId, info: text(about) },
];
const failed = (call: number, failure: object): Effect => ['answer', call, { state: 'failed', failure }];
const done = (call: number, failure?: object): Effect => ['done', call, failure];
const notHere = { code: 3, detail: 'a synchronization session', over: false };
const answered = (over_: object = {}): Effect => [
  'send',
  { type: M_SYNCH, sessionId: SID, objective: { ...objective, value, ...over_ } },
];

// Paths

const connecting = [request];
const awaitingReply = [request, connected];
const awaitingRequest = [accepted];
const judging = [accepted, asked()];

interface Facts {
  /** No session id is left in the block. */
  readonly noId?: boolean;
  readonly secure?: boolean;
  readonly sessionsFull?: boolean;
  readonly clash?: Clash;
  readonly published?: PublishedValue | undefined;
}

function on(
  name: string,
  path: readonly SynchronizationEvent[],
  event: SynchronizationEvent,
  expected: { readonly state: string; readonly effects: readonly Effect[]; readonly context?: object },
  facts: Facts = {},
): MachineCase {
  return {
    name,
    run: (machine) => {
      const { port, effects } = recording<SynchronizationPort>({
        secure: facts.secure ?? true,
        sessionsFull: facts.sessionsFull ?? false,
        maxMessageBytes: 2_048,
        published: 'published' in facts ? facts.published : { flags: 5, value },
        judgeSessionId: () => facts.clash ?? 'none',
      });
      const input = { port, sessionId: facts.noId ? undefined : SID, name: 'EX3', drawTimeoutMs: 250 };
      check(machine, input, effects, path, event, expected);
    },
  };
}

const ended = (...effects: Effect[]) => ({ state: 'ended', effects: [...effects, ...over] });

/** While nothing of the peer has come: the ASA gives up, the engine ends it, calls that have no place here. */
function whileWaiting(
  state: string,
  path: readonly SynchronizationEvent[],
  facts: Facts = {},
): MachineCase[] {
  return [
    on(
      `${state}: the ASA gives up, nothing is sent`,
      path,
      giveUp,
      ended(done(4), failed(1, { code: 19 })),
      facts,
    ),
    on(
      `${state}: the engine ends it`,
      path,
      closeWith(16),
      ended(failed(1, { code: 16, detail: 'why' })),
      facts,
    ),
    on(`${state}: a step is refused`, path, step, { state, effects: [failed(2, notHere)] }, facts),
    on(`${state}: a wait is refused`, path, wait, { state, effects: [done(3, notHere)] }, facts),
    on(`${state}: send_invalid is refused`, path, sendInvalid, { state, effects: [done(5, notHere)] }, facts),
  ];
}

/** What a session answers to each kind of bad message, by state. */
function badMessages(
  where: string,
  path: readonly SynchronizationEvent[],
  state: string,
  tell: (code: number, detail: string) => Effect[],
): MachineCase[] {
  return [
    on(
      `§12 ${where}, bytes that are not CBOR: closed, 24`,
      path,
      garbage,
      ended(...tell(24, 'cbor.reserved')),
    ),
    on(
      `C-17 ${where}, a bad M_SYNCH: M_INVALID once, closed, 37`,
      path,
      unusable(M_SYNCH),
      ended(complain('objective.no-value'), ...tell(37, 'objective.no-value')),
    ),
    on(
      `§2.8.2 ${where}, no message at all: closed without M_INVALID, 37`,
      path,
      noMessage,
      ended(...tell(37, 'message.not-array')),
    ),
    on(`§2.8.12 ${where}, a bad M_INVALID is ignored`, path, unusable(M_INVALID), { state, effects: [] }),
    on(`§2.8.13 ${where}, M_NOOP is ignored`, path, noop, { state, effects: [] }),
  ];
}

const cases: MachineCase[] = [
  // idle
  on('16: no request without security', [], request, ended(failed(1, { code: 16 })), { secure: false }),
  on(
    '43: no request beyond limits.sessions',
    [],
    request,
    ended(count('session.limit'), failed(1, { code: 43, detail: 'limits.sessions' })),
    { sessionsFull: true },
  ),
  on(
    '§2.8.3 40: a request that is too big is not sent',
    [],
    { ...request, objective: { ...objective, name: 'x'.repeat(3_000) } } as SynchronizationEvent,
    ended(failed(1, { code: 40 })),
  ),
  on('§2.5.6.1 a request opens a connection', [], request, {
    state: 'connecting',
    effects: [['admit'], ['stopTimer'], ['connect']],
    context: { call: 1, timeoutMs: 1_000, name: 'EX3', requested: objective },
  }),
  on(
    '§2.7 a request without a session id waits for one',
    [],
    request,
    { state: 'awaitingSessionId', effects: [['admit'], ['drawSessionId'], ['startTimer', 250]] },
    { noId: true },
  ),
  on('a peer is not heard without security', [], accepted, ended(count('request.no-security')), {
    secure: false,
  }),
  on('§11 a peer has a limited time for its request', [], accepted, {
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
  on('3: no id in time', [request], expired, ended(failed(1, { code: 3, detail: 'no session id' })), {
    noId: true,
  }),
  ...whileWaiting('awaitingSessionId', [request], { noId: true }),

  // connecting
  on(
    '§2.8.6 connected: M_REQ_SYN with null for a value (C-05), and the timer starts',
    connecting,
    connected,
    {
      state: 'awaitingReply',
      effects: [
        ['send', { type: M_REQ_SYN, sessionId: SID, objective: { ...objective, value: NULL } }],
        ['startTimer', 1_000],
      ],
    },
  ),
  on(
    '34: no connection',
    connecting,
    { type: 'connect.failed', detail: 'refused' },
    ended(failed(1, { code: 34, detail: 'refused' })),
  ),
  ...whileWaiting('connecting', connecting),

  // awaitingRequest
  on(
    'G-2.8.10-01 M_SYNCH: name and flags as registered, loop count echoed, current value; then closed',
    awaitingRequest,
    asked({ flags: 0x17, loopCount: 4, value: undefined }),
    ended(answered({ loopCount: 4 })),
  ),
  on(
    '§4.14 flags of an infrastructure objective, and null as it was given',
    awaitingRequest,
    asked(),
    ended(answered({ flags: 4, value: NULL })),
    { published: { flags: 4, value: NULL } },
  ),
  on(
    'G-2.8.6-09 a request for another objective: closed without a message',
    awaitingRequest,
    asked({ name: 'EX4' }),
    ended(count('request.other-objective')),
  ),
  on(
    'G-2.8.6-09 nobody listens: closed without a message',
    awaitingRequest,
    asked(),
    ended(count('request.no-listener')),
    { published: undefined },
  ),
  on('limits.sessions: closed without a message', awaitingRequest, asked(), ended(count('session.limit')), {
    sessionsFull: true,
  }),
  on(
    'C-06 a clash is discarded without a reply; the timer runs on',
    awaitingRequest,
    asked(),
    { state: 'discarded', effects: [count('session.id-clash')] },
    { clash: 'clash' },
  ),
  on(
    'C-06 an id of this engine from an own address: asked who opened the connection',
    awaitingRequest,
    asked({ loopCount: 3 }),
    { state: 'judgingClash', effects: [['askOwnConnection']], context: { sessionId: SID, loopCount: 3 } },
    { clash: 'ask' },
  ),
  on(
    'G-2.8.6-09 M_REQ_NEG: nobody listens for it, closed without a message',
    awaitingRequest,
    negotiationRequest,
    ended(count('request.no-listener')),
  ),
  on(
    '§2.8.8 M_END first: closed, needs no answer',
    awaitingRequest,
    peerEnds,
    ended(count('message.out-of-place')),
  ),
  on(
    '§2.8.12 M_INVALID first: closed, never answered',
    awaitingRequest,
    peerInvalid,
    ended(count('message.out-of-place')),
  ),
  on(
    'C-17 another message first: M_INVALID with its session id, closed',
    awaitingRequest,
    offered(5),
    ended(count('message.out-of-place'), complain('no request', 5)),
  ),
  ...badMessages('before a request', awaitingRequest, 'awaitingRequest', () => []),
  on(
    '§11 no first message in time: closed',
    awaitingRequest,
    expired,
    ended(count('request.first-message-timeout')),
  ),
  on(
    'a peer that closes before its request is complete: counted',
    awaitingRequest,
    lost,
    ended(count('request.incomplete')),
  ),
  on('the engine closes an idle connection', awaitingRequest, closeWith(42), ended()),

  // judgingClash
  on('C-06 this engine opened the connection: no clash', judging, judged(true), ended(answered()), {
    clash: 'ask',
  }),
  on(
    'C-06 it did not: discarded',
    judging,
    judged(false),
    { state: 'discarded', effects: [count('session.id-clash')] },
    { clash: 'ask' },
  ),
  {
    name: 'the ASA stopped during the judgement: closed without a message',
    run: (machine) => {
      let published: PublishedValue | undefined = { flags: 5, value };
      const { port, effects } = recording<SynchronizationPort>({
        secure: true,
        sessionsFull: false,
        maxMessageBytes: 2_048,
        get published() {
          return published;
        },
        judgeSessionId: () => 'ask',
      });
      const input = { port, sessionId: undefined, name: 'EX3', drawTimeoutMs: 250 };
      check(machine, input, effects, judging, judged(true), ended(count('request.no-listener')), () => {
        published = undefined;
      });
    },
  },
  on('no judgement in time', judging, expired, ended(), { clash: 'ask' }),
  on('the peer closes before the judgement', judging, lost, ended(), { clash: 'ask' }),
  on('the engine closes before the judgement', judging, closeWith(42), ended(), { clash: 'ask' }),

  // discarded
  on('G-2.8.6-11 the discarded connection ends with the first-message timer', judging, expired, ended(), {
    clash: 'clash',
  }),
  on('the peer of a discarded request closes', judging, lost, ended(), { clash: 'clash' }),
  on('the engine closes a discarded connection', judging, closeWith(42), ended(), { clash: 'clash' }),
  on(
    'nothing else on a discarded connection is heard',
    judging,
    asked(),
    { state: 'discarded', effects: [] },
    { clash: 'clash' },
  ),

  // awaitingReply
  on(
    '§2.8.10 M_SYNCH is the answer; undefined flags are not handed on (C-08)',
    awaitingReply,
    synch({ flags: 0x15 }),
    {
      state: 'ended',
      effects: [['answer', 1, { state: 'synchronized', objective, value }], ...over],
    },
  ),
  on('37: another objective, M_INVALID once', awaitingReply, synch({ name: 'EX4' }), {
    state: 'ended',
    effects: [complain('other objective'), failed(1, { code: 37, detail: 'other objective' }), ...over],
  }),
  on(
    '37: M_END needs no answer',
    awaitingReply,
    peerEnds,
    ended(failed(1, { code: 37, detail: 'M_END received' })),
  ),
  on(
    '§2.8.12 37: M_INVALID, never answered',
    awaitingReply,
    peerInvalid,
    ended(failed(1, { code: 37, detail: 'M_INVALID received' })),
  ),
  on(
    '37: M_NEGOTIATE, M_INVALID once',
    awaitingReply,
    offered(),
    ended(complain('no valid synch'), failed(1, { code: 37 })),
  ),
  on(
    '37: M_WAIT has no place here',
    awaitingReply,
    peerWaits,
    ended(complain('no valid synch'), failed(1, { code: 37 })),
  ),
  on(
    '37: an answer to another session',
    awaitingReply,
    foreign,
    ended(count('message.foreign-session'), failed(1, { code: 37, detail: 'other session' })),
  ),
  ...badMessages('awaiting the answer', awaitingReply, 'awaitingReply', (code, detail) => [
    failed(1, { code, detail }),
  ]),
  on('G-2.8.6-07 36: no answer in time', awaitingReply, expired, ended(failed(1, { code: 36 }))),
  on('35: the peer closes', awaitingReply, lost, ended(failed(1, { code: 35 }))),
  on(
    '24: the peer closes within a message',
    awaitingReply,
    truncated,
    ended(failed(1, { code: 24, detail: 'truncated message' })),
  ),
  ...whileWaiting('awaitingReply', awaitingReply),
];

export const synchronizationSessionCases: MachineSubject = {
  name: 'synchronizationSession',
  machine: synchronizationSession,
  cases,
};
