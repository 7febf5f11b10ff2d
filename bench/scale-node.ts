/** What one node costs that does nothing yet: with the default limits, and with those of the simulations. */
import { Domain, SMALL_QUEUES } from './scale-domain.js';
import { bytesInUse, round } from './scale-meter.js';
import { makeTopology } from './scale-topologies.js';
import type { Limits } from 'anima-grasp';

export interface NodeCost {
  readonly defaultKb: number;
  readonly smallKb: number;
}

/** Enough of them that what is loaded once counts for little. */
const NODES = 50;

export async function measureNode(seed: number): Promise<NodeCost> {
  const kbPerNode = async (limits: Partial<Limits>): Promise<number> => {
    const before = await bytesInUse();
    const domain = await Domain.start(makeTopology('random', NODES, seed), { seed, limits });
    const after = await bytesInUse();
    await domain.close();
    return round((after - before) / NODES / 1000);
  };
  // The first of all loads the code.
  await kbPerNode(SMALL_QUEUES);
  return { defaultKb: await kbPerNode({}), smallKb: await kbPerNode(SMALL_QUEUES) };
}
