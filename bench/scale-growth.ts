/**
 * One domain of a given shape and size: what floods and discoveries cost there, and how far they come, with the
 * default loop count (6) and with the largest one.
 */
import { DEFAULT_LOOPS, Domain, MOST_LOOPS, type DomainNode } from './scale-domain.js';
import { bytesInUse, round, timed } from './scale-meter.js';
import {
  diameterOf,
  distancesFrom,
  makeTopology,
  messagesPerFlood,
  neighboursIn,
  type TopologyName,
} from './scale-topologies.js';

export interface FloodResult {
  readonly loopCount: number;
  /** Share of the nodes that have it in their cache. */
  readonly coverage: number;
  readonly messages: number;
  /** The most by one node on one link; RFC 8990 §2.5.6.2 wants no more than one. */
  readonly mostPerDirection: number;
  /** Until the last of them had it. */
  readonly virtualMs: number;
  readonly wallMs: number;
}

export interface DiscoveryResult {
  readonly loopCount: number;
  /** Links between the seeker and who answers, on the shortest way. */
  readonly distance: number;
  /** At the first attempt. */
  readonly answered: boolean;
  readonly messages: number;
  /** M_RESPONSEs over all links they were passed back by. */
  readonly responses: number;
  readonly virtualMs: number | undefined;
  readonly wallMs: number;
}

export interface Growth {
  readonly topology: TopologyName;
  readonly nodes: number;
  readonly links: number;
  readonly mostLinksOfANode: number;
  readonly diameter: number;
  /** Links between the node that floods and seeks, and the farthest one. */
  readonly farthest: number;
  /** One message per node and link direction. */
  readonly perDirection: number;
  /** The same less the link each node hears it by first. */
  readonly ideal: number;
  readonly startMs: number;
  /** A node's memory when it has started, and after all floods and discoveries. */
  readonly kbPerNode: number;
  readonly kbPerNodeInUse: number;
  readonly floods: readonly FloodResult[];
  readonly discoveries: readonly DiscoveryResult[];
  /** With what relays have learnt from the discovery before: by a node half-way in the list. */
  readonly repeated: DiscoveryResult;
}

export async function measureGrowth(name: TopologyName, nodes: number, seed: number): Promise<Growth> {
  const topology = makeTopology(name, nodes, seed);
  const neighbours = neighboursIn(topology);
  const distances = distancesFrom(0, neighbours);
  const farthest = Math.max(...distances);
  const { perDirection, relayed } = messagesPerFlood(topology);
  const before = await bytesInUse();
  const { result: domain, wallMs: startMs } = await timed(() => Domain.start(topology, { seed }));
  const started = await bytesInUse();
  const [origin, responder] = [domain.nodes[0]!, domain.nodes[distances.indexOf(farthest)]!];

  const floods: FloodResult[] = [];
  for (const loopCount of [DEFAULT_LOOPS, MOST_LOOPS]) {
    floods.push(await measureFlood(domain, origin, loopCount));
  }
  const discoveries: DiscoveryResult[] = [];
  for (const loopCount of [DEFAULT_LOOPS, MOST_LOOPS]) {
    // One of its own for each, so that the second finds nothing in the caches of the first.
    const name = `found-${loopCount}`;
    await domain.until(responder.asa.registerObjective({ name, negotiate: true, discoverable: true }));
    discoveries.push(await measureDiscovery(domain, origin, name, loopCount, farthest));
  }
  const other = domain.nodes[Math.floor(nodes / 2)]!;
  const toOther = distancesFrom(other.number, neighbours)[responder.number]!;
  const repeated = await measureDiscovery(domain, other, `found-${MOST_LOOPS}`, MOST_LOOPS, toOther);
  const used = await bytesInUse();
  await domain.close();
  return {
    topology: name,
    nodes,
    links: topology.edges.length,
    mostLinksOfANode: Math.max(...neighbours.map(({ length }) => length)),
    diameter: diameterOf(topology),
    farthest,
    perDirection,
    ideal: relayed,
    startMs: round(startMs),
    kbPerNode: round((started - before) / nodes / 1000),
    kbPerNodeInUse: round((used - before) / nodes / 1000),
    floods,
    discoveries,
    repeated,
  };
}

async function measureFlood(domain: Domain, origin: DomainNode, loopCount: number): Promise<FloodResult> {
  const name = `flooded-${loopCount}`;
  const { result, wallMs } = await timed(() => domain.flood(origin, name, loopCount));
  const { datagrams, mostPerDirection } = domain.traffic();
  return {
    loopCount,
    coverage: round((await domain.holders(name)) / domain.nodes.length, 4),
    messages: datagrams,
    mostPerDirection,
    virtualMs: round(result.arrivedMs.at(-1) ?? 0, 1),
    wallMs: round(wallMs),
  };
}

async function measureDiscovery(
  domain: Domain,
  seeker: DomainNode,
  objective: string,
  loopCount: number,
  distance: number,
): Promise<DiscoveryResult> {
  const { result, wallMs } = await timed(() => domain.discover(seeker, objective, loopCount));
  const { datagrams, streamMessages } = domain.traffic();
  const { answeredMs } = result;
  return {
    loopCount,
    distance,
    answered: answeredMs !== undefined,
    messages: datagrams,
    responses: streamMessages,
    virtualMs: answeredMs === undefined ? undefined : round(answeredMs, 1),
    wallMs: round(wallMs),
  };
}
