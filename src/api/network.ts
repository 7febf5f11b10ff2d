import type { Clock } from '../runtime/index.js';
import { SimulatedNetwork as Network, type SimulatedNetworkOptions } from '../substrate/index.js';
import { nodeClock } from '../workers/node-clock.js';

/**
 * Links and nodes in the memory of the thread that makes it; see {@link Network}. `clock` defaults to real time.
 *
 * @example
 * const network = new SimulatedNetwork({ seed: 7 });
 * const node = network.addNode('gray', { links: ['link'] });
 * const grasp = await Grasp.start({ substrate: { kind: 'simulated', node } });
 */
export class SimulatedNetwork extends Network {
  constructor(options: Omit<SimulatedNetworkOptions, 'clock'> & { readonly clock?: Clock | undefined } = {}) {
    super({ ...options, clock: options.clock ?? nodeClock });
  }
}
