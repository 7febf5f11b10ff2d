/**
 * Multicast handler: what a node does with each multicast of its neighbours, and with each discovery sent to it alone
 * (§2.5.4.2). RFC 8990 §2.5.4.3 and §2.5.4.4 (discovery and its relay), §2.8.2 (unknown messages are silently
 * discarded), §2.5.6.2 (floods; ignored without security), §2.5.2 (DULL instances).
 *
 * One per engine, in the core. It never waits: answers are connections of their own (`discovery-response`).
 */
import { setup } from 'xstate';
import {
  isLinkLocal,
  isOnLinkOnly,
  M_DISCOVERY,
  M_FLOOD,
  type DecodeResult,
  type DiscoveryMessage,
  type FloodMessage,
  type Message,
} from '../protocol/index.js';
import type { Packet } from '../runtime/index.js';

/** Where a multicast, or a unicast discovery, came from. */
export interface Arrival {
  /** '' for a unicast that came by none of the chosen interfaces. */
  readonly interface: string;
  readonly address: string;
  readonly port: number;
  /** The stream it came over: it is answered there (§2.5.4.2). */
  readonly reply?: ReplyStream | undefined;
}

/** A message that came so, as whoever watches is told of it. */
export function received(
  via: Packet['via'],
  bytes: Uint8Array,
  message: Message,
  { interface: name, address, port }: Pick<Arrival, 'interface' | 'address' | 'port'>,
): Packet {
  return {
    direction: 'received',
    via,
    bytes,
    message,
    peer: { address, port, interface: name },
    interface: name,
  };
}

/** The way back of a discovery that came over a stream. */
export interface ReplyStream {
  send(bytes: Uint8Array): void;
  /** More answers may come, until the function returned is called. */
  hold(): () => void;
}

export interface MulticastHandlerPort {
  /** Sent by this engine itself: (session id, initiator) of an active or recent session (§2.7). */
  isOwn(message: DiscoveryMessage | FloodMessage): boolean;
  /** An ASA here supports the objective and can be reached now. */
  supports(message: DiscoveryMessage): boolean;
  /** Unexpired locators are cached, learnt on another interface than the one of arrival. */
  knows(message: DiscoveryMessage, arrival: Arrival): boolean;
  /** RFC rapid mode (§2.5.6.3) is switched on, and the discovery asks for a value that is here. */
  answersRapidly(message: DiscoveryMessage): boolean;
  /** The same for negotiation (§2.5.5.1): an ASA here takes the discovery as a request. */
  negotiatesRapidly(message: DiscoveryMessage, arrival: Arrival): boolean;
  /** This node has another interface than the one of arrival. */
  canRelay(arrival: Arrival): boolean;
  /** It was relayed before; remembered for two minutes. */
  hasRelayed(message: DiscoveryMessage): boolean;
  /** M_SYNCH with the value to the sender. */
  synch(message: DiscoveryMessage, arrival: Arrival): void;
  /** To the ASA, as a request. */
  handOver(message: DiscoveryMessage, arrival: Arrival): void;
  /** Sends it on, within the rate allowed. */
  relay(message: DiscoveryMessage, bytes: Uint8Array, arrival: Arrival): void;
  /** M_RESPONSE with own locator to the sender. */
  respond(message: DiscoveryMessage, arrival: Arrival): void;
  /** M_RESPONSE with O_DIVERT to the sender. */
  divert(message: DiscoveryMessage, arrival: Arrival): void;
  /** DULL: everything it is about is on the list of this instance. */
  serves(message: DiscoveryMessage | FloodMessage): boolean;
  /** Into the flood cache, and on to the other links (`flood-relay`). */
  takeFlood(message: FloodMessage, bytes: Uint8Array, arrival: Arrival): void;
  count(reason: string): void;
}

export interface MulticastHandlerContext {
  readonly port: MulticastHandlerPort;
}

export type MulticastHandlerEvent =
  | {
      readonly type: 'message.discovery';
      readonly message: DiscoveryMessage;
      /** As it came. */
      readonly bytes: Uint8Array;
      readonly arrival: Arrival;
    }
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
  | { readonly type: 'security.up' }
  /** This is a DULL instance, for good. */
  | { readonly type: 'dull' };

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
    answersRapidly: ({ context, event }) =>
      event.type === 'message.discovery' && context.port.answersRapidly(event.message),
    negotiatesRapidly: ({ context, event }) =>
      event.type === 'message.discovery' && context.port.negotiatesRapidly(event.message, event.arrival),
    isLeaf: ({ context, event }) =>
      event.type === 'message.discovery' && !context.port.canRelay(event.arrival),
    // "MUST NOT relay the Discovery message if the result is zero" (§2.5.4.4)
    isSpent: ({ event }) => event.type === 'message.discovery' && event.message.objective.loopCount <= 1,
    hasRelayed: ({ context, event }) =>
      event.type === 'message.discovery' && context.port.hasRelayed(event.message),
    isFromOffLink: ({ event }) =>
      (event.type === 'message.discovery' || event.type === 'message.flood') &&
      !isLinkLocal(event.arrival.address),
    isForMoreLinks: ({ event }) =>
      (event.type === 'message.discovery' || event.type === 'message.flood') && !isOnLinkOnly(event.message),
    isForeign: ({ context, event }) =>
      (event.type === 'message.discovery' || event.type === 'message.flood') &&
      !context.port.serves(event.message),
  },
  actions: {
    synch: ({ context, event }) => {
      if (event.type === 'message.discovery') context.port.synch(event.message, event.arrival);
    },
    handOver: ({ context, event }) => {
      if (event.type === 'message.discovery') context.port.handOver(event.message, event.arrival);
    },
    relay: ({ context, event }) => {
      if (event.type === 'message.discovery') context.port.relay(event.message, event.bytes, event.arrival);
    },
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
          // §2.5.6.3: a value in the discovery asks for the value at once …
          {
            guard: 'answersRapidly',
            actions: ['synch', { type: 'count', params: { reason: 'multicast.discovery.rapid' } }],
          },
          // … or, with a negotiation objective, for an answer of the ASA: as if M_REQ_NEG had followed (§2.5.5.1).
          {
            guard: 'negotiatesRapidly',
            actions: ['handOver', { type: 'count', params: { reason: 'multicast.discovery.request' } }],
          },
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
          // … one that can neither answer nor relay discards it silently …
          { guard: 'isLeaf', actions: { type: 'count', params: { reason: 'multicast.discovery.unknown' } } },
          { guard: 'isSpent', actions: { type: 'count', params: { reason: 'multicast.discovery.spent' } } },
          // §2.5.4.4: never the same (session id, initiator) more than once, by whatever interface it comes …
          {
            guard: 'hasRelayed',
            actions: { type: 'count', params: { reason: 'multicast.discovery.repeated' } },
          },
          // … and any other relays it.
          { actions: ['relay', { type: 'count', params: { reason: 'multicast.discovery.relayed' } }] },
        ],
        'message.flood': [
          { guard: 'isOwn', actions: { type: 'count', params: { reason: 'multicast.own' } } },
          // §2.8.11: cached, and relayed, without having been asked for.
          { actions: ['takeFlood', { type: 'count', params: { reason: 'multicast.flood.taken' } }] },
        ],
        'message.ignored': { actions: { type: 'count', params: { reason: 'multicast.ignored' } } },
        'message.refused': { actions: 'countRefused' },
        'security.lost': { target: 'noSecurity' },
        dull: { target: 'dull' },
      },
    },
    // G-2.5.6.2-19, G-3-01: without a secure or explicitly insecure substrate nothing is processed.
    noSecurity: {
      on: {
        'message.*': { actions: { type: 'count', params: { reason: 'multicast.no-security' } } },
        'security.up': { target: 'handling' },
      },
    },
    // §2.5.2, RFC 8994 §6.4: needs no security, and therefore believes little. Whatever is not of this link, or not of
    // its service, is discarded silently; nothing is relayed, and nobody is sent elsewhere by a Divert.
    dull: {
      on: {
        'message.discovery': [
          { guard: 'isFromOffLink', actions: { type: 'count', params: { reason: 'dull.source' } } },
          { guard: 'isForMoreLinks', actions: { type: 'count', params: { reason: 'dull.loop-count' } } },
          { guard: 'isForeign', actions: { type: 'count', params: { reason: 'dull.objective' } } },
          { guard: 'isOwn', actions: { type: 'count', params: { reason: 'multicast.own' } } },
          {
            guard: 'supports',
            actions: ['respond', { type: 'count', params: { reason: 'multicast.discovery.answered' } }],
          },
          { actions: { type: 'count', params: { reason: 'multicast.discovery.unknown' } } },
        ],
        'message.flood': [
          { guard: 'isFromOffLink', actions: { type: 'count', params: { reason: 'dull.source' } } },
          { guard: 'isForMoreLinks', actions: { type: 'count', params: { reason: 'dull.loop-count' } } },
          { guard: 'isForeign', actions: { type: 'count', params: { reason: 'dull.objective' } } },
          { guard: 'isOwn', actions: { type: 'count', params: { reason: 'multicast.own' } } },
          { actions: ['takeFlood', { type: 'count', params: { reason: 'multicast.flood.taken' } }] },
        ],
        'message.ignored': { actions: { type: 'count', params: { reason: 'multicast.ignored' } } },
        'message.refused': { actions: 'countRefused' },
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
      return { type: 'message.discovery', message, bytes, arrival };
    case M_FLOOD:
      return { type: 'message.flood', message, bytes, arrival };
    default:
      return { type: 'message.ignored' };
  }
}

/** The same for a datagram to this node alone: floods are for all (§2.8.11), and come from the link. */
export function unicastDatagramEvent(
  decoded: DecodeResult,
  bytes: Uint8Array,
  arrival: Arrival,
): MulticastHandlerEvent {
  const event = multicastEvent(decoded, bytes, arrival);
  return event.type === 'message.flood' ? { type: 'message.refused', reason: 'message.misplaced' } : event;
}
