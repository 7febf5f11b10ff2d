/**
 * simulated: links, nodes and their faults in the memory of one thread, for tests, demonstrations and thousand-node
 * simulations. `network.ts` and what it uses run with the creator; `client.ts` in each engine thread; between them
 * an endpoint carries batches of plain objects (`messages.ts`), the same between threads and inline.
 * May import: runtime, `substrate/types.ts`.
 */
export { openSimulatedSubstrate } from './client.js';
export type { LinkCounters, LinkSettings, SimulatedLink } from './link.js';
export { SimulatedNetwork, type SimulatedNetworkOptions, type Traffic } from './network.js';
export type { NodeOptions, SimulatedNode } from './node.js';
