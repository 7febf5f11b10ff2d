/** The public surface of anima-grasp: everything a user imports. Start reading here, go on in `api/grasp.ts`. */
export { Grasp, type GraspOptions, type SpawnedAsa } from './api/grasp.js';
export { Asa, type DiscoverOptions, type RequestOptions } from './api/asa.js';
export type { AsaContext, AsaModule } from './api/asa-thread.js';
export { Discovery } from './api/discovery.js';
export type { Listening } from './api/listening.js';
export type { AsaLocator, PeerLike } from './api/locator.js';
export { SimulatedNetwork } from './api/network.js';
export { Objective, type ObjectiveOptions, type OnNegotiateOptions } from './api/objective.js';
export { NegotiationSession, type NegotiateResult, type StepOptions } from './api/session.js';
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
export type { EngineStatus, Limits, ThreadStatus } from './workers/engine-control.js';
export type { SubstrateChoice } from './workers/substrate-init.js';
