/** What the command line uses of the API, in one place. */
import type { Grasp } from '../api/grasp.js';
import type { SimulatedNetwork } from '../api/network.js';

export { realTime } from '../api/clock.js';
export { CHANNEL_PREFIX, type DiagnosticEvent, type Published } from '../api/diagnostics.js';
export { DEFAULT_LIMITS, Grasp, type Limits } from '../api/grasp.js';
export type { About } from '../api/inspection.js';
export { toFloodLocator } from '../api/locator.js';
export { DEFAULT_INSPECTOR_PORT } from '../inspector/limits.js';
export type { InspectorServer, InspectorSubject } from '../inspector/index.js';
export { SimulatedNetwork } from '../api/network.js';
export type { Asa } from '../api/asa.js';
export type { TaggedObjective } from '../api/flooding.js';
export type { AsaLocator, LocatorLike } from '../api/locator.js';
export type { PeerLike } from '../api/peer.js';
export type { Synchronized } from '../api/synchronize.js';
export type { Objective } from '../api/objective.js';
export type { NegotiateResult, NegotiationSession } from '../api/session.js';

export type EngineStatus = Awaited<ReturnType<Grasp['status']>>;
export type Clock = SimulatedNetwork['clock'];
