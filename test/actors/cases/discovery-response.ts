/** RFC 8990 §2.8.5 (responder) as cases of the discovery response machine. */
import {
  discoveryResponseMachine,
  type DiscoveryResponseEvent,
  type DiscoveryResponsePort,
} from '../../../src/actors/discovery-response.js';
import type { MachineCase, MachineSubject } from './play.js';
import { casesOf } from './subject.js';

const connected: DiscoveryResponseEvent = { type: 'stream.connected' };
const failed: DiscoveryResponseEvent = { type: 'stream.failed' };
const closed: DiscoveryResponseEvent = { type: 'stream.closed' };
const expired: DiscoveryResponseEvent = { type: 'timer.expired' };
const stopped: DiscoveryResponseEvent = { type: 'stopped' };

const on = casesOf<DiscoveryResponsePort, DiscoveryResponseEvent>();

const cases: MachineCase[] = [
  on('G-2.8.5-06 connected: the response is sent', [], connected, { state: 'closing', effects: [['send']] }),
  on('a source that cannot be reached is counted and its place is free', [], failed, {
    state: 'done',
    effects: [['count', 'response.unreachable'], ['release']],
  }),
  on('the engine stops while it connects', [], stopped, { state: 'done', effects: [['release']] }),
  on('G-2.8.5-07 closed after sending', [connected], closed, {
    state: 'done',
    effects: [['count', 'response.sent'], ['release']],
  }),
  on('a peer that does not close is cut off', [connected], expired, {
    state: 'done',
    effects: [['abort'], ['count', 'response.not-closed'], ['release']],
  }),
  on('the engine stops before the peer has closed', [connected], stopped, {
    state: 'done',
    effects: [['abort'], ['release']],
  }),
  on('the place is given back once', [connected, expired], closed, { state: 'done', effects: [] }),
];

export const discoveryResponseCases: MachineSubject = {
  name: 'discoveryResponse',
  machine: discoveryResponseMachine,
  cases,
};
