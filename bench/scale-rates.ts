/**
 * Floods of all nodes at a given rate: what one node of the domain must take in and pass on, whatever node a flood
 * is from, and what becomes of a rate beyond the relay's limit.
 */
import type { Objective } from 'anima-grasp';
import { Domain, MOST_LOOPS, SMALL_QUEUES } from './scale-domain.js';
import { bytesInUse, round, timed } from './scale-meter.js';
import { makeTopology, type TopologyName } from './scale-topologies.js';

export interface RateCase {
  readonly nodes: number;
  /** Floods per second of the whole domain. */
  readonly rate: number;
  readonly seconds: number;
}

/** The last one is twice what a relay passes on (`floodRelayRate`). */
export const RATE_CASES: readonly RateCase[] = [
  { nodes: 10, rate: 100, seconds: 2 },
  { nodes: 100, rate: 100, seconds: 1 },
  { nodes: 1000, rate: 10, seconds: 2 },
  { nodes: 1000, rate: 100, seconds: 1 },
  { nodes: 10, rate: 2000, seconds: 2 },
  { nodes: 10, rate: 4000, seconds: 2 },
];

export interface RateResult extends RateCase {
  readonly topology: TopologyName;
  /** Per node and second: datagrams heard, floods passed on, floods known already. */
  readonly heard: number;
  readonly relayed: number;
  readonly known: number;
  /** Floods that a relay cached and did not pass on, per flood and node. */
  readonly notRelayed: number;
  /** Entries in the caches, of those that would be there if every flood had reached every node. */
  readonly coverage: number;
  /** Datagrams dropped for want of room. */
  readonly dropped: number;
  /** CPU time for one datagram heard, µs. */
  readonly cpuUsPerDatagram: number;
  /** What part of one core a node takes at this rate, by that. */
  readonly coreShare: number;
  /** Memory of a flood at a node: cache entry, relay memory, and what the run itself leaves. */
  readonly bytesPerEntry: number;
  readonly wallMs: number;
}

export async function measureRate(
  { nodes, rate, seconds }: RateCase,
  topology: TopologyName,
  seed: number,
): Promise<RateResult> {
  // At thousands of floods per second a turn brings more than a few datagrams.
  const limits = { ...SMALL_QUEUES, floodQueue: 4096, floodQueueBytes: 262_144 };
  const domain = await Domain.start(makeTopology(topology, nodes, seed), { seed, limits });
  const { clock } = domain;
  const objectives: Objective[] = [];
  for (const { number, asa } of domain.nodes) {
    const options = { name: `F${number}`, synchronize: true, loopCount: MOST_LOOPS };
    objectives.push(await domain.until(asa.registerObjective(options)));
  }
  const floods = rate * seconds;
  const before = await bytesInUse();
  const { wallMs, cpuMs } = await timed(async () => {
    const sent: Promise<void>[] = [];
    for (let i = 0; i < floods; i++) {
      const { asa } = domain.nodes[i % nodes]!;
      // A tag of its own for each: otherwise they would take one another's place in the caches.
      const locator = { address: 'fd00::1', port: 1 + Math.floor(i / nodes) };
      sent.push(asa.flood([{ objective: objectives[i % nodes]!, value: i, locator }], { ttlMs: 0 }));
      await clock.advance(1000 / rate);
    }
    await domain.until(Promise.all(sent));
    await clock.runUntilIdle();
  });
  const after = await bytesInUse();
  const totals = new Map<string, number>();
  let cached = 0;
  for (const { grasp } of domain.nodes) {
    const { counters, threads } = await domain.until(grasp.status());
    for (const [name, count] of Object.entries(counters)) totals.set(name, (totals.get(name) ?? 0) + count);
    const queues = threads.flatMap((thread) => thread.queues);
    cached += queues.find(({ name }) => name === 'flood.cache')!.length;
  }
  await domain.close();
  const total = (name: string): number => totals.get(name) ?? 0;
  const perSecond = (count: number): number => round(count / nodes / seconds, 1);
  // Own copies that the stack loops back are the sender's cost, not another datagram.
  const heard = total('multicast.received') - total('multicast.own-copy');
  const cpuUsPerDatagram = (cpuMs * 1000) / heard;
  return {
    topology,
    nodes,
    rate,
    seconds,
    heard: perSecond(heard),
    relayed: perSecond(total('flood.relay.relayed')),
    known: perSecond(total('flood.relay.known')),
    notRelayed: round(total('flood.relay.rate') / floods / nodes, 4),
    coverage: round(cached / floods / nodes, 4),
    dropped: total('multicast.flood.queue-full'),
    cpuUsPerDatagram: round(cpuUsPerDatagram),
    coreShare: round((perSecond(heard) * cpuUsPerDatagram) / 1e6, 4),
    bytesPerEntry: round((after - before) / cached),
    wallMs: round(wallMs),
  };
}
