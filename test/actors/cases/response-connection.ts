/** RFC 8990 §2.8.4 and §2.8.5 (initiator's listening port) as cases of the response connection machine. */
import {
  responseConnectionMachine,
  type ResponseConnectionEvent,
  type ResponseConnectionPort,
} from '../../../src/actors/response-connection.js';
import { M_RESPONSE, M_SYNCH, type ResponseMessage, type SynchMessage } from '../../../src/protocol/index.js';
import type { MachineCase, MachineSubject } from './play.js';
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
const response: ResponseConnectionEvent = { type: 'message.response', message };
const synch: SynchMessage = {
  type: M_SYNCH,
  sessionId: 7,
  objective: { name: 'EX2', flags: 5, loopCount: 6, value: Uint8Array.of(1) },
};
const value: ResponseConnectionEvent = { type: 'message.synch', message: synch };
const answer: ResponseConnectionEvent = { type: 'message.negotiation', sessionId: 7 };
const noop: ResponseConnectionEvent = { type: 'message.ignored' };
const refused: ResponseConnectionEvent = { type: 'message.refused', reason: 'message.shape' };
const ended: ResponseConnectionEvent = { type: 'stream.ended' };
const closed: ResponseConnectionEvent = { type: 'stream.closed' };
const expired: ResponseConnectionEvent = { type: 'timer.expired' };
const stopped: ResponseConnectionEvent = { type: 'stopped' };

const cased = casesOf<ResponseConnectionPort, ResponseConnectionEvent>();
/** Of an instance that takes every response, unless the facts say otherwise. */
const on: typeof cased = (name, path, event, expected, facts = { refusal: () => undefined }) =>
  cased(name, path, event, expected, facts);

const cases: MachineCase[] = [
  on('G-2.8.4-02 a response is delivered and the connection closed', [], response, {
    state: 'done',
    effects: [['stopTimer'], ['deliver', message], ['close'], ['release']],
  }),
  on(
    'G-2.5.2-10 a DULL instance takes no response with a Divert: counted by reason, and closed',
    [],
    response,
    { state: 'done', effects: [['stopTimer'], ['count', 'dull.locator'], ['close'], ['release']] },
    { refusal: () => 'locator' },
  ),
  on('§2.5.6.3 a value is delivered and the connection closed', [], value, {
    state: 'done',
    effects: [['stopTimer'], ['deliverValue', synch], ['close'], ['release']],
  }),
  on(
    '§2.5.5.1 the answer to a request: the connection goes on without this machine',
    [noop],
    answer,
    { state: 'done', effects: [['stopTimer'], ['handOver', 7], ['release']] },
    { awaits: () => true },
  ),
  on(
    'G-2.5.5.1-04 nobody waits for it, or another one was first: closed',
    [],
    answer,
    { state: 'done', effects: [['stopTimer'], ['count', 'response.unmatched'], ['close'], ['release']] },
    { awaits: () => false },
  ),
  on('G-2.8.13-02 M_NOOP is ignored', [], noop, {
    state: 'waiting',
    effects: [['count', 'response.ignored']],
  }),
  on('G-2.8.13-02 a response behind it is taken', [noop], response, {
    state: 'done',
    effects: [['stopTimer'], ['deliver', message], ['close'], ['release']],
  }),
  on('what is no response ends the connection, counted by reason', [], refused, {
    state: 'done',
    effects: [['stopTimer'], ['count', 'response.refused.message.shape'], ['close'], ['release']],
  }),
  on('G-2.8.5-08 the peer ends without a response', [], ended, {
    state: 'done',
    effects: [['stopTimer'], ['count', 'response.none'], ['close'], ['release']],
  }),
  on('G-2.8.5-08 the connection breaks', [], closed, {
    state: 'done',
    effects: [['stopTimer'], ['count', 'response.none'], ['release']],
  }),
  on('a peer that is too slow is cut off', [noop], expired, {
    state: 'done',
    effects: [['stopTimer'], ['count', 'response.too-slow'], ['abort'], ['release']],
  }),
  on('the engine stops', [], stopped, { state: 'done', effects: [['stopTimer'], ['abort'], ['release']] }),
  on('§2.8.5 one response per connection', [response], response, { state: 'done', effects: [] }),
];

export const responseConnectionCases: MachineSubject = {
  name: 'responseConnection',
  machine: responseConnectionMachine,
  cases,
};
