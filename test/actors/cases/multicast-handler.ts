/** RFC 8990 §2.5.4.3 (receiver) as cases of the multicast handler machine. */
import {
  multicastHandlerMachine,
  type Arrival,
  type MulticastHandlerEvent,
  type MulticastHandlerPort,
} from '../../../src/actors/multicast-handler.js';
import {
  M_DISCOVERY,
  M_FLOOD,
  type DiscoveryMessage,
  type FloodMessage,
} from '../../../src/protocol/index.js';
import type { MachineCase, MachineSubject } from './play.js';
import { casesOf } from './subject.js';

const arrival: Arrival = { interface: 'l1', address: 'fe80::1:2', port: 40_000 };
const asked: DiscoveryMessage = {
  type: M_DISCOVERY,
  sessionId: 7,
  initiator: new Uint8Array(16),
  objective: { name: 'EX3', flags: 3, loopCount: 6, value: undefined },
};
const flooded: FloodMessage = {
  type: M_FLOOD,
  sessionId: 8,
  initiator: new Uint8Array(16),
  ttl: 60_000,
  objectives: [],
};
const bytes = Uint8Array.of(9);
const discovery: MulticastHandlerEvent = { type: 'message.discovery', message: asked, bytes, arrival };
const flood: MulticastHandlerEvent = { type: 'message.flood', message: flooded, bytes, arrival };
const noop: MulticastHandlerEvent = { type: 'message.ignored' };
const refused: MulticastHandlerEvent = { type: 'message.refused', reason: 'message.unknown-type' };
const lost: MulticastHandlerEvent = { type: 'security.lost' };
const up: MulticastHandlerEvent = { type: 'security.up' };

const facts = (own: boolean, supports: boolean, knows: boolean): Partial<MulticastHandlerPort> => ({
  isOwn: () => own,
  supports: () => supports,
  answersRapidly: () => false,
  negotiatesRapidly: () => false,
  knows: () => knows,
  canRelay: () => false,
  hasRelayed: () => false,
});
const nobody = facts(false, false, false);
const relay = (relayed = false): Partial<MulticastHandlerPort> => ({
  ...nobody,
  canRelay: () => true,
  hasRelayed: () => relayed,
});
const looped = (loopCount: number): MulticastHandlerEvent => ({
  type: 'message.discovery',
  message: { ...asked, objective: { ...asked.objective, loopCount } },
  bytes,
  arrival,
});

const on = casesOf<MulticastHandlerPort, MulticastHandlerEvent>();
const counted = (reason: string) => ({ state: 'handling', effects: [['count', reason] as const] });
const unsafe = { state: 'noSecurity', effects: [['count', 'multicast.no-security'] as const] };

const cases: MachineCase[] = [
  on(
    'G-2.5.4.3-02 a node that supports the objective answers with its locator',
    [],
    discovery,
    {
      state: 'handling',
      effects: [
        ['respond', asked, arrival],
        ['count', 'multicast.discovery.answered'],
      ],
    },
    facts(false, true, false),
  ),
  on(
    'G-2.5.4.3-03 a node that knows a locator answers with a Divert',
    [],
    discovery,
    {
      state: 'handling',
      effects: [
        ['divert', asked, arrival],
        ['count', 'multicast.discovery.diverted'],
      ],
    },
    facts(false, false, true),
  ),
  on(
    '§2.5.4.3 its own locator comes before what it knows of others',
    [],
    discovery,
    {
      state: 'handling',
      effects: [
        ['respond', asked, arrival],
        ['count', 'multicast.discovery.answered'],
      ],
    },
    facts(false, true, true),
  ),
  on(
    'G-2.5.4.3-05 without information: silence',
    [],
    discovery,
    counted('multicast.discovery.unknown'),
    nobody,
  ),
  on(
    'G-2.5.6.3-02 rapid mode: the value comes before the locator',
    [],
    discovery,
    {
      state: 'handling',
      effects: [
        ['synch', asked, arrival],
        ['count', 'multicast.discovery.rapid'],
      ],
    },
    { ...facts(false, true, true), answersRapidly: () => true },
  ),
  on(
    'G-2.5.5.1-02 rapid mode: an ASA takes the discovery as a request, no locator is sent',
    [],
    discovery,
    {
      state: 'handling',
      effects: [
        ['handOver', asked, arrival],
        ['count', 'multicast.discovery.request'],
      ],
    },
    { ...facts(false, true, true), negotiatesRapidly: () => true },
  ),
  on(
    'G-2.5.4.4-03 a node with several interfaces relays what it does not know',
    [],
    discovery,
    {
      state: 'handling',
      effects: [
        ['relay', asked, bytes, arrival],
        ['count', 'multicast.discovery.relayed'],
      ],
    },
    relay(),
  ),
  on('G-2.5.4.4-13 never twice', [], discovery, counted('multicast.discovery.repeated'), relay(true)),
  on('G-2.5.4.4-10 not with a loop count of 1', [], looped(1), counted('multicast.discovery.spent'), relay()),
  on('G-2.5.4.4-10 nor of 0', [], looped(0), counted('multicast.discovery.spent'), relay()),
  on(
    'G-2.5.4.4-09 with a loop count of 2, for the last time',
    [],
    looped(2),
    {
      state: 'handling',
      effects: [
        ['relay', { ...asked, objective: { ...asked.objective, loopCount: 2 } }, bytes, arrival],
        ['count', 'multicast.discovery.relayed'],
      ],
    },
    relay(),
  ),
  on(
    '§2.5.4.3 what is known is answered, not relayed',
    [],
    discovery,
    {
      state: 'handling',
      effects: [
        ['divert', asked, arrival],
        ['count', 'multicast.discovery.diverted'],
      ],
    },
    { ...relay(), knows: () => true },
  ),
  on(
    '§2.7 its own discovery is never answered, not even if it supports the objective',
    [],
    discovery,
    counted('multicast.own'),
    facts(true, true, true),
  ),
  on('§2.7 its own flood is known as such', [], flood, counted('multicast.own'), facts(true, false, false)),
  on(
    'G-2.8.11-01 -08 a flood of another node is taken, without having been asked for',
    [],
    flood,
    {
      state: 'handling',
      effects: [
        ['takeFlood', flooded, bytes, arrival],
        ['count', 'multicast.flood.taken'],
      ],
    },
    nobody,
  ),
  on('G-2.8.13-02 M_NOOP is ignored', [], noop, counted('multicast.ignored'), nobody),
  on(
    'G-2.8.2-07 what cannot be understood is counted by reason and discarded in silence',
    [],
    refused,
    counted('multicast.refused.message.unknown-type'),
    nobody,
  ),
  on('security is lost', [], lost, { state: 'noSecurity', effects: [] }, nobody),
  on('G-3-01 without security no discovery is answered', [lost], discovery, unsafe, facts(false, true, true)),
  on('G-2.5.6.2-19 without security floods are ignored', [lost], flood, unsafe, nobody),
  on('without security nothing else is looked at', [lost], refused, unsafe, nobody),
  on('security is back', [lost], up, { state: 'handling', effects: [] }, nobody),
  on(
    'and discoveries are answered again',
    [lost, up],
    discovery,
    {
      state: 'handling',
      effects: [
        ['respond', asked, arrival],
        ['count', 'multicast.discovery.answered'],
      ],
    },
    facts(false, true, false),
  ),
];

export const multicastHandlerCases: MachineSubject = {
  name: 'multicastHandler',
  machine: multicastHandlerMachine,
  cases,
};
