/** RFC 8990 §2.5.4.4 as cases of the discovery relay machine. */
import {
  discoveryRelayMachine,
  type DiscoveryRelayEvent,
  type DiscoveryRelayPort,
} from '../../../src/actors/discovery-relay.js';
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
const response: DiscoveryRelayEvent = { type: 'response.received', message, interface: 'l2' };
const back: DiscoveryRelayEvent = { type: 'response.received', message, interface: 'l1' };
const synch: SynchMessage = {
  type: M_SYNCH,
  sessionId: 7,
  objective: { name: 'EX2', flags: 5, loopCount: 6, value: Uint8Array.of(1) },
};
const value: DiscoveryRelayEvent = { type: 'value.received', message: synch, interface: 'l2' };
const valueBack: DiscoveryRelayEvent = { type: 'value.received', message: synch, interface: 'l1' };
const expired: DiscoveryRelayEvent = { type: 'timer.expired' };
const failed: DiscoveryRelayEvent = { type: 'send.failed' };
const stopped: DiscoveryRelayEvent = { type: 'stopped' };

const on = casesOf<DiscoveryRelayPort, DiscoveryRelayEvent>({ interface: 'l1' });
const over: Effect[] = [['stopTimer'], ['release']];

const cases: MachineCase[] = [
  on('G-2.5.4.4-15 a result is passed back at once', [], response, {
    state: 'collecting',
    effects: [['passBack', message, 'l2']],
  }),
  on('C-07 and so is the next one', [response], response, {
    state: 'collecting',
    effects: [['passBack', message, 'l2']],
  }),
  on('a response by the interface the discovery came by is none', [], back, {
    state: 'collecting',
    effects: [['count', 'relay.response.wrong-side']],
  }),
  on('§2.5.6.3 a value in place of a response too', [], value, {
    state: 'collecting',
    effects: [['passValueBack', synch]],
  }),
  on('but not by the interface the discovery came by', [], valueBack, {
    state: 'collecting',
    effects: [['count', 'relay.response.wrong-side']],
  }),
  on('G-2.5.4.4-14 the timer ends it', [response], expired, { state: 'done', effects: over }),
  on('no interface takes it: over at once', [], failed, { state: 'done', effects: over }),
  on('it is stopped', [], stopped, { state: 'done', effects: over }),
  on('a result after the end is nothing', [expired], response, { state: 'done', effects: [] }),
];

export const discoveryRelayCases: MachineSubject = {
  name: 'discoveryRelay',
  machine: discoveryRelayMachine,
  cases,
};
