/**
 * Flood relay: what a node does with each flood of another node, RFC 8990 §2.5.6.2 ("Flooding") and §2.8.11.
 *
 * One per engine, in the core, and not one per relayed flood: a relay waits for nothing, so a flood has no state
 * beyond the memory of its (session ID, initiator), and at thousands of floods per second an actor for each would
 * cost more than everything else together.
 */
import { setup } from 'xstate';
import type { FloodMessage } from '../protocol/index.js';
import type { Arrival } from './multicast-handler.js';

export interface FloodRelayPort {
  /** There is another interface than the one of arrival. */
  hasOtherInterface(arrival: Arrival): boolean;
  /** This (session ID, initiator) has been relayed in the last two minutes. */
  isRelayed(message: FloodMessage): boolean;
  /** Less than one is left of the first objective's loop count. */
  isExhausted(bytes: Uint8Array): boolean;
  /** Nothing more can be remembered. */
  isMemoryFull(): boolean;
  /** As many copies as may be are on their way out of this node. */
  isBacklogged(): boolean;
  /** More may be relayed this second. */
  isWithinRate(): boolean;
  /** Into the flood cache, for the ASAs of this node. */
  cache(message: FloodMessage, arrival: Arrival): void;
  /** Remembers it, and sends it on by all other interfaces. */
  relay(message: FloodMessage, bytes: Uint8Array, arrival: Arrival): void;
  count(reason: string): void;
}

export interface FloodRelayContext {
  readonly port: FloodRelayPort;
}

/** A flood of another node, sound by itself: §2.5.6.2's rule for link-local initiators is part of decoding. */
export interface FloodRelayEvent {
  readonly type: 'flood.received';
  readonly message: FloodMessage;
  /** As it came. */
  readonly bytes: Uint8Array;
  readonly arrival: Arrival;
}

export const floodRelayMachine = setup({
  types: {
    context: {} as FloodRelayContext,
    events: {} as FloodRelayEvent,
    input: {} as FloodRelayContext,
  },
  guards: {
    hasNoOtherInterface: ({ context, event }) => !context.port.hasOtherInterface(event.arrival),
    isRelayed: ({ context, event }) => context.port.isRelayed(event.message),
    isExhausted: ({ context, event }) => context.port.isExhausted(event.bytes),
    isMemoryFull: ({ context }) => context.port.isMemoryFull(),
    isBacklogged: ({ context }) => context.port.isBacklogged(),
    isBeyondRate: ({ context }) => !context.port.isWithinRate(),
  },
  actions: {
    cache: ({ context, event }) => context.port.cache(event.message, event.arrival),
    relay: ({ context, event }) => context.port.relay(event.message, event.bytes, event.arrival),
    count: ({ context }, params: { reason: string }) => context.port.count(params.reason),
  },
}).createMachine({
  id: 'floodRelay',
  context: ({ input }) => input,
  initial: 'relaying',
  states: {
    relaying: {
      on: {
        'flood.received': [
          // Nothing to relay to, nothing to remember; "MUST cache the received objectives for use by local ASAs"
          // (§2.8.11) it is all the same.
          { guard: 'hasNoOtherInterface', actions: 'cache' },
          // "MUST NOT relay a Flood Synchronization message that carries a given cached Session ID and initiator
          // address more than once". Nor is it cached again: a copy that came the longer way may be older than what
          // the cache has got since (C-14).
          {
            guard: 'isRelayed',
            actions: { type: 'count', params: { reason: 'flood.relay.known' } },
          },
          // "MUST NOT relay the Flood Synchronization message if the result is zero". Not remembered: a copy that
          // came a shorter way has more left.
          {
            guard: 'isExhausted',
            actions: ['cache', { type: 'count', params: { reason: 'flood.relay.loop-count' } }],
          },
          // What cannot be remembered would go in circles.
          {
            guard: 'isMemoryFull',
            actions: ['cache', { type: 'count', params: { reason: 'flood.relay.memory-full' } }],
          },
          {
            guard: 'isBacklogged',
            actions: ['cache', { type: 'count', params: { reason: 'flood.relay.backlog' } }],
          },
          // "MUST limit the total rate at which it relays Flood Synchronization messages".
          {
            guard: 'isBeyondRate',
            actions: ['cache', { type: 'count', params: { reason: 'flood.relay.rate' } }],
          },
          // Further nodes are waiting for it; who waits here is told through a cache and a turn anyway.
          { actions: ['relay', 'cache', { type: 'count', params: { reason: 'flood.relay.relayed' } }] },
        ],
      },
    },
  },
});
