/**
 * actors: the xstate machines, one per file, and the actors that own their state. Effects go through injected
 * ports, so the same code runs in a worker, inline, and under virtual time. May import: protocol, runtime, and of
 * substrate its types only.
 */
export { negotiationSession } from './negotiation-session.js';
export { synchronizationSession } from './synchronization-session.js';
export type { NegotiationEvent, NegotiationPort } from './negotiation-port.js';
export { requestListener } from './request-listener.js';
export type { RequestListenerEvent, RequestListenerPort } from './request-listener.js';
export { SessionHost, type SessionHostOptions, type SessionHostStatus } from './session-host.js';
export {
  completeSessionLimits,
  DEFAULT_SESSION_LIMITS,
  type CompleteSessionLimits,
} from './session-limits.js';
export type * from './session-protocol.js';
