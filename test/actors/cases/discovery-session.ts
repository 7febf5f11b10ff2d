/** RFC 8990 §2.5.4.3 (initiator) as cases of the discovery session machine. */
import {
  discoverySessionMachine,
  type DiscoverySessionEvent,
  type DiscoverySessionPort,
} from '../../../src/actors/discovery-session.js';
import { M_RESPONSE, M_SYNCH, type ResponseMessage, type SynchMessage } from '../../../src/protocol/index.js';
import type { Effect, MachineCase, MachineSubject } from './play.js';
import { casesOf } from './subject.js';

const message: ResponseMessage = {
  type: M_RESPONSE,
  sessionId: 7,
  initiator: new Uint8Array(16),
  ttl: 60_000,
  locators: [],
  divert: undefined,
  objective: undefined,
};
const response: DiscoverySessionEvent = { type: 'response.received', message, interface: 'l1' };
const synch: SynchMessage = {
  type: M_SYNCH,
  sessionId: 7,
  objective: { name: 'EX2', flags: 5, loopCount: 6, value: Uint8Array.of(1) },
};
const remote = { address: 'fe80::1', interface: 'l1', port: 40_000 };
const value: DiscoverySessionEvent = { type: 'value.received', message: synch, interface: 'l1', remote };
const negotiation: DiscoverySessionEvent = { type: 'negotiation.received' };
const expired: DiscoverySessionEvent = { type: 'timer.expired' };
const cancelled: DiscoverySessionEvent = { type: 'cancelled' };
const sendFailed: DiscoverySessionEvent = { type: 'send.failed' };
const securityLost: DiscoverySessionEvent = { type: 'security.lost', code: 16 };

const play = casesOf<DiscoverySessionPort, DiscoverySessionEvent>();
const on: typeof play = (name, path, event, expected, facts = {}) =>
  play(name, path, event, expected, { isRequest: false, peerConnected: true, ...facts });
const request: Partial<DiscoverySessionPort> = { isRequest: true, peerConnected: false };
const finished: Effect[] = [['stopTimer'], ['finish', undefined]];

const cases: MachineCase[] = [
  on('G-2.5.4.3-18 a response is kept and the session goes on', [], response, {
    state: 'collecting',
    effects: [['keep', message, 'l1']],
  }),
  on('G-2.5.4.3-18 so is the next one', [response], response, {
    state: 'collecting',
    effects: [['keep', message, 'l1']],
  }),
  on('§2.5.6.3 a value in place of a response is told, and the session goes on', [], value, {
    state: 'collecting',
    effects: [['keepValue', synch, 'l1', remote]],
  }),
  on('G-2.5.4.3-06 the timer ends the discovery, without an error', [response], expired, {
    state: 'done',
    effects: finished,
  }),
  on('the caller ends the discovery early', [], cancelled, { state: 'done', effects: finished }),
  on('A-2.3.4-01 no interface took the discovery: over at once, nothing found', [], sendFailed, {
    state: 'done',
    effects: finished,
  }),
  on('G-3-01 security is lost: noSecurity (16)', [], securityLost, {
    state: 'done',
    effects: [['stopTimer'], ['finish', { code: 16 }]],
  }),
  on(
    'G-2.5.5.1-04 a response to a discovery that is a request ends it: it is kept, rapid mode does not occur',
    [],
    response,
    { state: 'done', effects: [['stopTimer'], ['keep', message, 'l1'], ['finish', undefined]] },
    request,
  ),
  on(
    '§2.5.5.1 the answer to a request: its connection goes to the session',
    [],
    negotiation,
    { state: 'done', effects: [['stopTimer'], ['handOver']] },
    request,
  ),
  on(
    '§2.5.5.1 nobody has connected: over in time',
    [],
    expired,
    { state: 'done', effects: finished },
    request,
  ),
  on(
    '§2.5.5.1 a peer has connected and may be about to answer: patience',
    [],
    expired,
    { state: 'collecting', effects: [['startTimer']] },
    { isRequest: true, peerConnected: true },
  ),
  on('a response after the end is nothing', [expired], response, { state: 'done', effects: [] }),
  on('the caller is told once', [cancelled], expired, { state: 'done', effects: [] }),
];

export const discoverySessionCases: MachineSubject = {
  name: 'discoverySession',
  machine: discoverySessionMachine,
  cases,
};
