/** The public surface of anima-grasp: everything a user imports. Start reading here, go on in `api/grasp.ts`. */
export { Grasp, type GraspOptions, type SpawnedAsa } from './api/grasp.js';
export * from './api/announcers/index.js';
export { Asa, type DiscoverOptions } from './api/asa.js';
export type { AsaContext, AsaModule } from './api/asa-thread.js';
export type * from './api/diagnostics.js';
export { Discovery } from './api/discovery.js';
export type { FloodItem, FloodOptions, FloodTag, TaggedObjective } from './api/flooding.js';
export type * from './api/inspection.js';
export type { Listening } from './api/listening.js';
export type { AsaLocator, LocatorLike } from './api/locator.js';
export type { RequestOptions } from './api/negotiate.js';
export { SimulatedNetwork } from './api/network.js';
export { Objective, type OnNegotiateOptions } from './api/objective.js';
export type { PeerLike } from './api/peer.js';
export type { ObjectiveOptions } from './api/registration.js';
export { NegotiationSession, type NegotiateResult, type StepOptions } from './api/session.js';
export type { Synchronized, SynchronizeOptions } from './api/synchronize.js';
export {
  decodeValue,
  diagnostic,
  encodeValue,
  EncodedValue,
  ErrorCode,
  GraspError,
  RawCbor,
  Simple,
  Tag,
} from './protocol/index.js';
export { SimulatedClock, type Clock } from './runtime/index.js';
export type { LinkCounters, LinkSettings, NodeOptions, SimulatedNode, Traffic } from './substrate/index.js';
export {
  DEFAULT_LIMITS,
  type EngineStatus,
  type Limits,
  type ThreadStatus,
} from './workers/engine-control.js';
export type { DullOptions, SubstrateChoice } from './workers/substrate-init.js';
