/**
 * runtime: what the world is to an actor — clock, chance, message channels, flow control, counters. The lowest
 * floor beside `protocol`; substrate, actors and workers all stand on it. May import: protocol.
 */
export { loading, type Clock, type RandomFill, type TimerId } from './clock.js';
export type { Endpoint, Transferable } from './endpoint.js';
export { Counters } from './counters.js';
export { DataPort, type DataPortOptions } from './data-port.js';
export { NumberTable } from './number-table.js';
export { InlineEndpoint, inlinePair } from './inline-endpoint.js';
export type * from './watcher.js';
export { SimulatedClock } from './simulated-clock.js';
