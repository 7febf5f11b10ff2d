/**
 * Every limit of the engine, with its default. Each one is counted under the name given here when it is reached,
 * and can be set through `Grasp.start({ limits })`.
 */
import { RELAY_MEMORY_MS } from '../protocol/index.js';
import { DEFAULT_SESSION_LIMITS, type CompleteSessionLimits } from './session-limits.js';

/** Limits of the listener worker. */
export interface ListenerLimits {
  /** Discoveries waiting for the handler; beyond: dropped as `multicast.discovery.queue-full`. */
  readonly discoveryQueue: number;
  /** Floods waiting for the handler; beyond: dropped as `multicast.flood.queue-full`. */
  readonly floodQueue: number;
  /** Bytes of memory for the waiting discoveries, taken at start; beyond: `multicast.discovery.queue-full`. */
  readonly discoveryQueueBytes: number;
  /** Bytes of memory for the waiting floods, taken at start; beyond: `multicast.flood.queue-full`. */
  readonly floodQueueBytes: number;
  /** Datagrams handed to the handler and not yet handled. */
  readonly handlerWindow: number;
  /** Largest datagram looked at, bytes; larger: dropped as `multicast.too-big` (RFC 8990 §2.8.3). */
  readonly maxDatagramBytes: number;
}

/** Limits of the core worker. Responders that do not close their side are bounded as sessions' streams are. */
export interface CoreLimits extends Pick<CompleteSessionLimits, 'lingerMs' | 'lingeringStreams'> {
  /** Entries of the discovery cache; when full the one first learnt goes, `discovery-cache.evicted`. */
  readonly discoveryCache: number;
  /** Of these, locators of one objective, so that one busy name cannot drive out the others; likewise. */
  readonly discoveryCachePerObjective: number;
  /** Locators told in one Divert (RFC 8990 §2.5.4.2); what does not fit a message of 2048 bytes is left out, too. */
  readonly divertLocators: number;
  /** Discovery sessions under way; beyond: overload (43) for the caller. */
  readonly discoverySessions: number;
  /** Locators told to the caller of one discovery; beyond: cached, not told, `discovery.locators`. */
  readonly discoveryLocators: number;
  /** Own discoveries remembered after their end, to know relayed copies of them (RFC 8990 §2.7); oldest go first. */
  readonly recentDiscoveries: number;
  /** M_RESPONSE connections under way; beyond, they wait. */
  readonly responsesInFlight: number;
  /** The same towards one source address; beyond, they wait for one of these. */
  readonly responsesPerSource: number;
  /** M_RESPONSEs waiting for a connection, the newest served first; beyond: the oldest goes, `response.shed`. */
  readonly responsesWaiting: number;
  /** The same towards one source address. */
  readonly responsesWaitingPerSource: number;
  /** Sources remembered because a connect to them has succeeded: served before others; the oldest go first. */
  readonly responseKnownSources: number;
  /** ms an M_RESPONSE waits before its discovery is taken to be over: `response.shed`. */
  readonly responseWaitMs: number;
  /** ms after which a connect under way gives way to one that waits; tried again once, ten times as long. */
  readonly responseYieldMs: number;
  /**
   * Connects per second to sources that have never been there, those that are answered at once not counted; beyond, they
   * wait. Each that nobody answers takes a place in the host's neighbour table for 3 s: 1,024 in all on Linux, and
   * when they are gone the host reaches nobody.
   */
  readonly responseUnknownRate: number;
  /** The same at once, after a pause. */
  readonly responseUnknownBurst: number;
  /** ms to connect to the source of a discovery. A spoofed source hangs in neighbour discovery for seconds. */
  readonly responseConnectMs: number;
  /** Accepted connections that have not delivered their M_RESPONSE yet; beyond: `response.connections-full`. */
  readonly responseConnections: number;
  /** ms until such a connection is closed. */
  readonly responseMs: number;
  /** Discoveries relayed per second and interface they come by (RFC 8990 §2.5.4.4); beyond: `relay.discovery.rate`. */
  readonly discoveryRelayRate: number;
  /** Relayed discoveries under way; beyond, the oldest ends early: `relay.discovery.ended-early`. */
  readonly discoveryRelays: number;
  /** (session id, initiator) remembered by the discovery relay; beyond, none is relayed: `relay.discovery.memory`. */
  readonly discoveryRelayMemory: number;
  /** Locators passed back for one relayed discovery; beyond: `relay.response.locators`. */
  readonly discoveryRelayLocators: number;
  /** Streams accepted on port 7017 that are open; beyond: reset, `unicast.connections-full`. */
  readonly unicastConnections: number;
  /** ms until such a stream is closed if it has not brought its discovery: `unicast.too-slow`. */
  readonly unicastFirstMessageMs: number;
  /** Entries of the flood cache; when full the one flooded longest ago goes, `flood-cache.evicted`. */
  readonly floodCache: number;
  /** Entries of one objective, likewise. */
  readonly floodsPerObjective: number;
  /** Watches of floods by ASAs of this engine; beyond: overload (43) for the caller, `flood.watches-full`. */
  readonly floodWatches: number;
  /** Floods relayed per second (RFC 8990 §2.5.6.2); beyond: cached, not relayed, `flood.relay.rate`. */
  readonly floodRelayRate: number;
  /** Floods relayed at once after a pause; beyond: `flood.relay.rate`. */
  readonly floodRelayBurst: number;
  /** Floods remembered, not to relay them twice; beyond: cached, not relayed, `flood.relay.memory-full`. */
  readonly floodMemory: number;
  /** Own floods remembered, to know copies of them; beyond, a copy is taken for another's: `flood.own-memory-full`. */
  readonly ownFloodMemory: number;
  /** ms for which they are remembered; RFC 8990 §2.5.6.2 wants 120,000 at least. */
  readonly relayMemoryMs: number;
  /** Copies of relayed floods the network has not taken yet; beyond: not relayed, `flood.relay.backlog`. */
  readonly floodRelaysInFlight: number;
}

/** Limits held by the supervisor. */
export interface RegistryLimits {
  /** Registered ASAs; beyond: ASAfull (4). */
  readonly asas: number;
  /** Registered objectives; beyond: objFull (11). */
  readonly objectives: number;
}

export interface Limits extends CompleteSessionLimits, ListenerLimits, CoreLimits, RegistryLimits {
  /** Session events under way between a session worker and an ASA's thread, before requests are refused. */
  readonly sessionWindow: number;
}

export const DEFAULT_LIMITS: Limits = {
  ...DEFAULT_SESSION_LIMITS,
  asas: 1_000,
  objectives: 10_000,
  discoveryQueue: 1_024,
  floodQueue: 4_096,
  discoveryQueueBytes: 262_144,
  floodQueueBytes: 2_097_152,
  handlerWindow: 1_024,
  maxDatagramBytes: 2_048,
  discoveryCache: 10_000,
  discoveryCachePerObjective: 256,
  divertLocators: 32,
  discoverySessions: 1_000,
  discoveryLocators: 1_024,
  recentDiscoveries: 4_096,
  responsesInFlight: 64,
  responsesPerSource: 8,
  responsesWaiting: 8_192,
  responsesWaitingPerSource: 256,
  responseKnownSources: 1_024,
  responseWaitMs: 1_000,
  responseYieldMs: 10,
  responseUnknownRate: 64,
  responseUnknownBurst: 256,
  responseConnectMs: 1_000,
  responseConnections: 256,
  responseMs: 10_000,
  discoveryRelayRate: 200,
  discoveryRelays: 1_024,
  discoveryRelayMemory: 100_000,
  discoveryRelayLocators: 256,
  unicastConnections: 256,
  unicastFirstMessageMs: 10_000,
  floodCache: 10_000,
  floodsPerObjective: 1_000,
  floodWatches: 10_000,
  floodRelayRate: 2_000,
  floodRelayBurst: 2_000,
  floodMemory: 500_000,
  ownFloodMemory: 100_000,
  relayMemoryMs: RELAY_MEMORY_MS,
  floodRelaysInFlight: 4_096,
  sessionWindow: 4_096,
};
