/**
 * Multicast handler: what a node does with each multicast of its neighbours. RFC 8990 §2.5.4.3 (discovery),
 * §2.8.2 (unknown messages are silently discarded), §2.5.6.2 (floods; ignored without security).
 *
 * One per engine, in the core. It never waits: answers are connections of their own (`discovery-response`).
 */
import { setup } from 'xstate';
import {
  M_DISCOVERY,
  M_FLOOD,
  type DecodeResult,
  type DiscoveryMessage,
  type FloodMessage,
} from '../protocol/index.js';

/** Where a multicast came from. */
export interface Arrival {
  readonly interface: string;
  readonly address: string;
  readonly port: number;
}

export interface MulticastHandlerPort {
  /** Sent by this engine itself: (session id, initiator) of an active or recent session (§2.7). */
  isOwn(message: DiscoveryMessage | FloodMessage): boolean;
  /** An ASA here supports the objective and can be reached now. */
  supports(message: DiscoveryMessage): boolean;
  /** Unexpired locators are cached, learnt on another interface than the one of arrival. */
  knows(message: DiscoveryMessage, arrival: Arrival): boolean;
  /** M_RESPONSE with own locator to the sender. */
  respond(message: DiscoveryMessage, arrival: Arrival): void;
  /** M_RESPONSE with O_DIVERT to the sender. */
  divert(message: DiscoveryMessage, arrival: Arrival): void;
  /** Into the flood cache, and on to the other links (`flood-relay`). */
  takeFlood(message: FloodMessage, bytes: Uint8Array, arrival: Arrival): void;
  count(reason: string): void;
}

export interface MulticastHandlerContext {
  readonly port: MulticastHandlerPort;
}

export type MulticastHandlerEvent =
  | { readonly type: 'message.discovery'; readonly message: DiscoveryMessage; readonly arrival: Arrival }
  | {
      readonly type: 'message.flood';
      readonly message: FloodMessage;
      /** As it came. */
      readonly bytes: Uint8Array;
      readonly arrival: Arrival;
    }
  /** M_NOOP (§2.8.13) and M_INVALID: ignored, never answered. */
  | { readonly type: 'message.ignored' }
  /** What could not be decoded, or has no place in a multicast; already counted by reason. */
  | { readonly type: 'message.refused'; readonly reason: string }
  | { readonly type: 'security.lost' }
  | { readonly type: 'security.up' };

export const multicastHandlerMachine = setup({
  types: {
    context: {} as MulticastHandlerContext,
    events: {} as MulticastHandlerEvent,
    input: {} as MulticastHandlerContext,
  },
  guards: {
    isOwn: ({ context, event }) =>
      (event.type === 'message.discovery' || event.type === 'message.flood') &&
      context.port.isOwn(event.message),
    supports: ({ context, event }) =>
      event.type === 'message.discovery' && context.port.supports(event.message),
    knows: ({ context, event }) =>
      event.type === 'message.discovery' && context.port.knows(event.message, event.arrival),
  },
  actions: {
    respond: ({ context, event }) => {
      if (event.type === 'message.discovery') context.port.respond(event.message, event.arrival);
    },
    divert: ({ context, event }) => {
      if (event.type === 'message.discovery') context.port.divert(event.message, event.arrival);
    },
    takeFlood: ({ context, event }) => {
      if (event.type === 'message.flood') context.port.takeFlood(event.message, event.bytes, event.arrival);
    },
    countRefused: ({ context, event }) => {
      if (event.type === 'message.refused') context.port.count(`multicast.refused.${event.reason}`);
    },
    count: ({ context }, params: { reason: string }) => context.port.count(params.reason),
  },
}).createMachine({
  id: 'multicastHandler',
  context: ({ input }) => input,
  initial: 'handling',
  states: {
    handling: {
      on: {
        'message.discovery': [
          { guard: 'isOwn', actions: { type: 'count', params: { reason: 'multicast.own' } } },
          // §2.5.4.3: a node that supports the objective answers with its locator and does not relay …
          {
            guard: 'supports',
            actions: ['respond', { type: 'count', params: { reason: 'multicast.discovery.answered' } }],
          },
          // … one that has cached locators answers with a Divert …
          {
            guard: 'knows',
            actions: ['divert', { type: 'count', params: { reason: 'multicast.discovery.diverted' } }],
          },
          // … and any other discards it silently.
          { actions: { type: 'count', params: { reason: 'multicast.discovery.unknown' } } },
        ],
        'message.flood': [
          { guard: 'isOwn', actions: { type: 'count', params: { reason: 'multicast.own' } } },
          // §2.8.11: cached, and relayed, without having been asked for.
          { actions: ['takeFlood', { type: 'count', params: { reason: 'multicast.flood.taken' } }] },
        ],
        'message.ignored': { actions: { type: 'count', params: { reason: 'multicast.ignored' } } },
        'message.refused': { actions: 'countRefused' },
        'security.lost': { target: 'noSecurity' },
      },
    },
    // G-2.5.6.2-19, G-3-01: without a secure or explicitly insecure substrate nothing is processed.
    noSecurity: {
      on: {
        'message.*': { actions: { type: 'count', params: { reason: 'multicast.no-security' } } },
        'security.up': { target: 'handling' },
      },
    },
  },
});

/** The event for a decoded multicast; one table, no decision. */
export function multicastEvent(
  decoded: DecodeResult,
  bytes: Uint8Array,
  arrival: Arrival,
): MulticastHandlerEvent {
  if (!decoded.ok) return { type: 'message.refused', reason: decoded.reason };
  const { message } = decoded;
  switch (message.type) {
    case M_DISCOVERY:
      return { type: 'message.discovery', message, arrival };
    case M_FLOOD:
      return { type: 'message.flood', message, bytes, arrival };
    default:
      return { type: 'message.ignored' };
  }
}
