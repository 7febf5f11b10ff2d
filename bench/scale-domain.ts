/**
 * A domain: one engine per node of a topology, all in this thread under virtual time, and what crosses its links,
 * counted there.
 */
import { Grasp, SimulatedClock, SimulatedNetwork, type Asa, type Limits } from 'anima-grasp';
import type { Topology } from './scale-topologies.js';

/**
 * Memory for waiting datagrams is taken at start, for storms at a host of its own: 2.3 MB. A node of a simulation
 * gets its datagrams in the turn they arrive.
 */
export const SMALL_QUEUES: Partial<Limits> = {
  discoveryQueue: 256,
  discoveryQueueBytes: 16_384,
  floodQueue: 256,
  floodQueueBytes: 16_384,
};

/** Largest loop count the wire can carry (RFC 8990 §4). */
export const MOST_LOOPS = 255;
/** GRASP_DEF_LOOPCT, RFC 8990 §2.6. */
export const DEFAULT_LOOPS = 6;

export interface DomainOptions {
  readonly seed: number;
  /** One-way delay of each link, ms, and up to so much more. Default 1 and 0.5. */
  readonly delayMs?: number;
  readonly jitterMs?: number;
  /** Default {@link SMALL_QUEUES}. */
  readonly limits?: Partial<Limits>;
}

export interface DomainNode {
  readonly number: number;
  readonly grasp: Grasp;
  readonly asa: Asa;
}

/** What crossed the links since {@link Domain.startCounting}. */
export interface Traffic {
  /** Multicasts; as a link has two nodes, each is heard once. */
  datagrams: number;
  /** Of these the most by one node on one link. */
  mostPerDirection: number;
  /** M_RESPONSEs, and everything else sent over streams. */
  streamMessages: number;
}

export class Domain {
  readonly topology: Topology;
  readonly clock: SimulatedClock;
  readonly nodes: readonly DomainNode[];
  readonly #network: SimulatedNetwork;
  readonly #perDirection = new Map<string, number>();
  #streamMessages = 0;

  private constructor(
    topology: Topology,
    clock: SimulatedClock,
    network: SimulatedNetwork,
    nodes: readonly DomainNode[],
  ) {
    this.topology = topology;
    this.clock = clock;
    this.nodes = nodes;
    this.#network = network;
    network.onTraffic(({ kind, node, link }) => {
      if (link === 'lo') return;
      if (kind === 'stream') this.#streamMessages++;
      else {
        const direction = `${node} ${link}`;
        this.#perDirection.set(direction, (this.#perDirection.get(direction) ?? 0) + 1);
      }
    });
  }

  static async start(topology: Topology, options: DomainOptions): Promise<Domain> {
    const { seed, delayMs = 1, jitterMs = 0.5, limits = SMALL_QUEUES } = options;
    const clock = new SimulatedClock();
    const network = new SimulatedNetwork({ seed, clock });
    const links = Array.from({ length: topology.nodes }, (): string[] => []);
    for (const [a, b] of topology.edges) {
      const name = `${a}-${b}`;
      network.link(name).set({ delayMs, jitterMs });
      links[a]!.push(name);
      links[b]!.push(name);
    }
    const starting = links.map(async (own, number): Promise<DomainNode> => {
      const node = network.addNode(`n${number}`, { links: own });
      const substrate = { kind: 'simulated', node } as const;
      const grasp = await Grasp.start({ substrate, placement: 'inline', clock, limits });
      return { number, grasp, asa: await grasp.registerAsa('asa') };
    });
    return new Domain(topology, clock, network, await clock.until(Promise.all(starting)));
  }

  startCounting(): void {
    this.#perDirection.clear();
    this.#streamMessages = 0;
  }

  traffic(): Traffic {
    let datagrams = 0;
    let mostPerDirection = 0;
    for (const count of this.#perDirection.values()) {
      datagrams += count;
      mostPerDirection = Math.max(mostPerDirection, count);
    }
    return { datagrams, mostPerDirection, streamMessages: this.#streamMessages };
  }

  /** Multicasts that arrived with a node that had no room for them. */
  lost(): number {
    return Object.values(this.#network.counters()).reduce((sum, link) => sum + link.overflowed, 0);
  }

  /**
   * Floods an objective from a node, once; resolves when nothing of it is under way any more. `arrivedMs`: when each
   * node's ASA was told, ms of virtual time after the flood, in that order.
   */
  async flood(origin: DomainNode, name: string, loopCount: number): Promise<{ arrivedMs: number[] }> {
    const objective = await this.until(
      origin.asa.registerObjective({ name, synchronize: true, loopCount, value: `${name} ${loopCount}` }),
    );
    const watches = this.nodes.map(({ asa }) => asa.watchFlood(name));
    const arrivedMs: number[] = [];
    let from = 0;
    const watching = watches.map(async (watch) => {
      for await (const entries of watch) {
        if (entries.length > 0) return void arrivedMs.push(this.clock.now() - from);
      }
    });
    await this.clock.settle();
    from = this.clock.now();
    this.startCounting();
    await this.until(origin.asa.flood([{ objective }], { ttlMs: 0 }));
    await this.clock.runUntilIdle();
    // Those out of the flood's reach would wait for ever.
    for (const watch of watches) void watch.return?.();
    await this.until(Promise.all(watching));
    return { arrivedMs };
  }

  /** Asks every node's flood cache: how many have the objective. */
  async holders(objective: string): Promise<number> {
    const held = await this.until(Promise.all(this.nodes.map(({ asa }) => asa.getFlood(objective))));
    return held.filter((entries) => entries.length > 0).length;
  }

  /**
   * One discovery, with nobody asked twice; resolves when nothing of it is under way any more. `answeredMs`: virtual
   * time until the first locator, undefined if none came.
   */
  async discover(
    seeker: DomainNode,
    objective: string,
    loopCount: number,
  ): Promise<{ answeredMs: number | undefined }> {
    const from = this.clock.now();
    this.startCounting();
    let answeredMs: number | undefined;
    const seek = async (): Promise<void> => {
      for await (const _ of seeker.asa.discover(objective, { loopCount })) {
        answeredMs ??= this.clock.now() - from;
        // What comes later is counted too.
      }
    };
    await this.until(seek());
    await this.clock.runUntilIdle();
    return { answeredMs };
  }

  until<T>(promise: Promise<T>): Promise<T> {
    return this.clock.until(promise);
  }

  async close(): Promise<void> {
    await this.until(Promise.all(this.nodes.map(({ grasp }) => grasp.close())));
    this.#network.close();
    await this.clock.settle();
  }
}
