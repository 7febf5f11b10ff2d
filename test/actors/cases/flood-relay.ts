/** RFC 8990 §2.5.6.2 (relaying device) and §2.8.11 (receiver) as cases of the flood relay machine. */
import {
  floodRelayMachine,
  type FloodRelayEvent,
  type FloodRelayPort,
} from '../../../src/actors/flood-relay.js';
import { M_FLOOD, type FloodMessage } from '../../../src/protocol/index.js';
import type { MachineCase, MachineSubject } from './play.js';
import { casesOf } from './subject.js';

const arrival = { interface: 'l1', address: 'fe80::1:2', port: 40_000 };
const message: FloodMessage = {
  type: M_FLOOD,
  sessionId: 8,
  initiator: new Uint8Array(16),
  ttl: 60_000,
  objectives: [],
};
const bytes = Uint8Array.of(9);
const flood: FloodRelayEvent = { type: 'flood.received', message, bytes, arrival };

/** A router with everything to spare. */
const router: Partial<FloodRelayPort> = {
  hasOtherInterface: () => true,
  isRelayed: () => false,
  isExhausted: () => false,
  isMemoryFull: () => false,
  isBacklogged: () => false,
  isWithinRate: () => true,
};
const cached = ['cache', message, arrival] as const;
const cachedOnly = (reason: string) => ({
  state: 'relaying',
  effects: [cached, ['count', reason] as const],
});

const on = casesOf<FloodRelayPort, FloodRelayEvent>();

const cases: MachineCase[] = [
  on(
    'G-2.5.6.2-06 G-2.8.11-08 a flood is relayed, and cached',
    [],
    flood,
    {
      state: 'relaying',
      effects: [['relay', message, bytes, arrival], cached, ['count', 'flood.relay.relayed']],
    },
    router,
  ),
  on(
    'G-2.8.11-08 a node with one interface caches it and asks nothing more',
    [],
    flood,
    { state: 'relaying', effects: [cached] },
    {
      hasOtherInterface: () => false,
      isRelayed: () => true,
      isExhausted: () => true,
      isMemoryFull: () => true,
      isBacklogged: () => true,
      isWithinRate: () => false,
    },
  ),
  on(
    'G-2.5.6.2-14 one that was relayed is not relayed again, nor cached (C-14)',
    [],
    flood,
    { state: 'relaying', effects: [['count', 'flood.relay.known']] },
    { ...router, isRelayed: () => true, isExhausted: () => true, isMemoryFull: () => true },
  ),
  on(
    'G-2.5.6.2-11 one whose loop count is used up is cached, not relayed',
    [],
    flood,
    cachedOnly('flood.relay.loop-count'),
    { ...router, isExhausted: () => true, isMemoryFull: () => true, isBacklogged: () => true },
  ),
  on(
    'G-2.5.6.2-13 one that cannot be remembered is cached, not relayed',
    [],
    flood,
    cachedOnly('flood.relay.memory-full'),
    { ...router, isMemoryFull: () => true, isBacklogged: () => true, isWithinRate: () => false },
  ),
  on(
    'one for which the network is not ready is cached, not relayed',
    [],
    flood,
    cachedOnly('flood.relay.backlog'),
    { ...router, isBacklogged: () => true, isWithinRate: () => false },
  ),
  on('G-2.5.6.2-12 one beyond the rate is cached, not relayed', [], flood, cachedOnly('flood.relay.rate'), {
    ...router,
    isWithinRate: () => false,
  }),
];

export const floodRelayCases: MachineSubject = { name: 'floodRelay', machine: floodRelayMachine, cases };
