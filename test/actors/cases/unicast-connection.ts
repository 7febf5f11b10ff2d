/** RFC 8990 §2.5.4.2 and the unicast column of wire.md §12 as cases of the unicast connection machine. */
import {
  unicastConnectionMachine,
  type UnicastConnectionEvent,
  type UnicastConnectionPort,
} from '../../../src/actors/unicast-connection.js';
import { M_DISCOVERY, type DiscoveryMessage } from '../../../src/protocol/index.js';
import type { Effect, MachineCase, MachineSubject } from './play.js';
import { casesOf } from './subject.js';

const asked: DiscoveryMessage = {
  type: M_DISCOVERY,
  sessionId: 7,
  initiator: new Uint8Array(16),
  objective: { name: 'EX3', flags: 3, loopCount: 6, value: undefined },
};
const bytes = Uint8Array.of(1);
const answerBytes = Uint8Array.of(2);
const reason = 'message.unknown-type';
const discovery: UnicastConnectionEvent = { type: 'message.discovery', message: asked, bytes };
const noop: UnicastConnectionEvent = { type: 'message.ignored' };
const refused: UnicastConnectionEvent = { type: 'message.refused', reason, sessionId: 7 };
const silent: UnicastConnectionEvent = { type: 'message.refused', reason, sessionId: undefined };
const answer: UnicastConnectionEvent = { type: 'answer', bytes: answerBytes };
const answered: UnicastConnectionEvent = { type: 'answered' };
const ended: UnicastConnectionEvent = { type: 'stream.ended' };
const closed: UnicastConnectionEvent = { type: 'stream.closed' };
const expired: UnicastConnectionEvent = { type: 'timer.expired' };
const stopped: UnicastConnectionEvent = { type: 'stopped' };

const on = casesOf<UnicastConnectionPort, UnicastConnectionEvent>();
const leaving = (...effects: Effect[]) => ({
  state: 'done',
  effects: [['stopTimer'] as const, ...effects, ['release'] as const],
});
const over = (...effects: Effect[]) => ({ state: 'done', effects: [...effects, ['release'] as const] });

const cases: MachineCase[] = [
  on('G-2.5.4.2-02 a discovery is treated as a multicast one', [], discovery, {
    state: 'answering',
    effects: [['stopTimer'], ['count', 'unicast.discovery'], ['deliver', asked, bytes]],
  }),
  on('G-2.5.4.2-03 its answer goes onto the same stream', [discovery], answer, {
    state: 'answering',
    effects: [['send', answerBytes]],
  }),
  on('§2.5.4.4 so do further ones of a relayed discovery', [discovery, answer], answer, {
    state: 'answering',
    effects: [['send', answerBytes]],
  }),
  on('G-2.8.5-07 closed after the last one', [discovery, answer], answered, over(['close'])),
  on('closed where there is no answer', [discovery], answered, over(['close'])),
  on('a second discovery on the stream is not looked at', [discovery], discovery, {
    state: 'answering',
    effects: [],
  }),
  on('a peer that has finished its side is answered', [discovery], ended, {
    state: 'answering',
    effects: [],
  }),
  on('the peer goes before the answer', [discovery], closed, over()),
  on('the engine ends while it answers', [discovery], stopped, over(['abort'])),
  on('G-2.8.13-02 M_NOOP in front of it is ignored', [], noop, {
    state: 'waiting',
    effects: [['count', 'unicast.ignored']],
  }),
  on(
    'wire.md §12 what cannot be understood, with a session id: M_INVALID once, then closed',
    [],
    refused,
    leaving(['count', `unicast.refused.${reason}`], ['sendInvalid', 7, reason], ['close']),
  ),
  on(
    'wire.md §12 and without: closed',
    [],
    silent,
    leaving(['count', `unicast.refused.${reason}`], ['close']),
  ),
  on('a stream that ends without a discovery', [], ended, leaving(['count', 'unicast.none'], ['close'])),
  on('or breaks', [], closed, leaving(['count', 'unicast.none'])),
  on(
    'wire.md §11 or says nothing for too long',
    [],
    expired,
    leaving(['count', 'unicast.too-slow'], ['abort']),
  ),
  on('the engine ends', [], stopped, leaving(['abort'])),
];

export const unicastConnectionCases: MachineSubject = {
  name: 'unicastConnection',
  machine: unicastConnectionMachine,
  cases,
};
