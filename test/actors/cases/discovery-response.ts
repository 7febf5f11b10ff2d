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
const stopped: DiscoveryResponseEvent = { type: 'stopped' };

const on = casesOf<DiscoveryResponsePort, DiscoveryResponseEvent>();

const cases: MachineCase[] = [
  on('G-2.8.5-06 -07 connected: the response is sent, this side closed, and its place free', [], connected, {
    state: 'done',
    effects: [['send'], ['count', 'response.sent'], ['release']],
  }),
  on('a source that cannot be reached is counted and its place is free', [], failed, {
    state: 'done',
    effects: [['count', 'response.unreachable'], ['release']],
  }),
  on('the engine stops while it connects', [], stopped, { state: 'done', effects: [['release']] }),
  on('the place is given back once', [connected], stopped, { state: 'done', effects: [] }),
];

export const discoveryResponseCases: MachineSubject = {
  name: 'discoveryResponse',
  machine: discoveryResponseMachine,
  cases,
};
