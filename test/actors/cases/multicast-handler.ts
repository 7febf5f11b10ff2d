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

const dull: MulticastHandlerEvent = { type: 'dull' };

/** As DULL nodes send them. */
const near: DiscoveryMessage = { ...asked, objective: { ...asked.objective, loopCount: 1 } };
const nearFlood: FloodMessage = {
  ...flooded,
  objectives: [
    { objective: { name: 'AN_ACP', flags: 4, loopCount: 1, value: undefined }, locator: undefined },
    { objective: { name: 'AN_Proxy', flags: 4, loopCount: 1, value: undefined }, locator: undefined },
  ],
};
const nearby = (from: Partial<Arrival> = {}): MulticastHandlerEvent => ({
  type: 'message.discovery',
  message: near,
  bytes,
  arrival: { ...arrival, ...from },
});
const floodedNearby = (
  loopCounts: readonly number[],
  from: Partial<Arrival> = {},
): MulticastHandlerEvent => ({
  type: 'message.flood',
  message: {
    ...nearFlood,
    objectives: nearFlood.objectives.map(({ objective, locator }, i) => ({
      objective: { ...objective, loopCount: loopCounts[i]! },
      locator,
    })),
  },
  bytes,
  arrival: { ...arrival, ...from },
});

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

/** Of a DULL instance: everything that would make another node answer, divert or relay is true. */
const dullFacts = (serves: boolean, supports: boolean, own = false): Partial<MulticastHandlerPort> => ({
  ...facts(own, supports, true),
  serves: () => serves,
  answersRapidly: () => true,
  canRelay: () => true,
});
const discarded = (reason: string) => ({ state: 'dull', effects: [['count', reason] as const] });

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
  on('§2.5.2 the instance is a DULL one', [], dull, { state: 'dull', effects: [] }, nobody),
  on('P-6.4-01 and stays one when security comes', [dull], up, { state: 'dull', effects: [] }, nobody),
  on('G-2.5.2-03 or goes', [dull], lost, { state: 'dull', effects: [] }, nobody),
  on(
    'G-2.5.2-09 DULL: a discovery of what it supports is answered',
    [dull],
    nearby(),
    {
      state: 'dull',
      effects: [
        ['respond', near, arrival],
        ['count', 'multicast.discovery.answered'],
      ],
    },
    dullFacts(true, true),
  ),
  on(
    'G-2.5.2-08 -10 DULL: one of what it does not support is neither diverted, nor relayed, nor answered rapidly',
    [dull],
    nearby(),
    discarded('multicast.discovery.unknown'),
    dullFacts(true, false),
  ),
  on(
    'G-2.5.2-11 DULL: a discovery from beyond the link is discarded',
    [dull],
    nearby({ address: 'fd00::1' }),
    discarded('dull.source'),
    dullFacts(true, true),
  ),
  ...[0, 2, 255].map((loopCount) =>
    on(
      `G-2.5.2-06 DULL: a discovery with loop count ${loopCount} is discarded`,
      [dull],
      looped(loopCount),
      discarded('dull.loop-count'),
      dullFacts(true, true),
    ),
  ),
  on(
    'G-2.5.2-07 DULL: a discovery of what is not of its service is discarded',
    [dull],
    nearby(),
    discarded('dull.objective'),
    dullFacts(false, true),
  ),
  on(
    '§2.7 DULL: its own discovery',
    [dull],
    nearby(),
    discarded('multicast.own'),
    dullFacts(true, true, true),
  ),
  on(
    'G-2.5.2-03 DULL: a flood of the link is taken',
    [dull],
    floodedNearby([1, 1]),
    {
      state: 'dull',
      effects: [
        ['takeFlood', nearFlood, bytes, arrival],
        ['count', 'multicast.flood.taken'],
      ],
    },
    dullFacts(true, false),
  ),
  on(
    'G-2.5.2-11 DULL: a flood from beyond the link is discarded',
    [dull],
    floodedNearby([1, 1], { address: '2001:db8::1' }),
    discarded('dull.source'),
    dullFacts(true, false),
  ),
  on(
    'G-2.5.2-11 DULL: by IPv4, too',
    [dull],
    floodedNearby([1, 1], { address: '192.0.2.1' }),
    discarded('dull.source'),
    dullFacts(true, false),
  ),
  ...[
    [2, 1],
    [1, 2],
    [1, 0],
    [255, 255],
  ].map((loopCounts) =>
    on(
      `G-2.5.2-06 DULL: a flood with loop counts ${loopCounts.join(' and ')} is discarded as a whole`,
      [dull],
      floodedNearby(loopCounts),
      discarded('dull.loop-count'),
      dullFacts(true, false),
    ),
  ),
  on(
    'G-2.5.2-07 DULL: a flood about something else, too, is discarded as a whole',
    [dull],
    floodedNearby([1, 1]),
    discarded('dull.objective'),
    dullFacts(false, false),
  ),
  on(
    '§2.7 DULL: its own flood',
    [dull],
    floodedNearby([1, 1]),
    discarded('multicast.own'),
    dullFacts(true, false, true),
  ),
  on('G-2.8.13-02 DULL: M_NOOP is ignored', [dull], noop, discarded('multicast.ignored'), nobody),
  on(
    'G-2.8.2-07 DULL: what cannot be understood is counted',
    [dull],
    refused,
    discarded('multicast.refused.message.unknown-type'),
    nobody,
  ),
];

export const multicastHandlerCases: MachineSubject = {
  name: 'multicastHandler',
  machine: multicastHandlerMachine,
  cases,
};
