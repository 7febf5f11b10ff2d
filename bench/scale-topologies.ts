/**
 * The shapes of the networks that `scale` grows: pure, seeded, the same on every machine. An edge is a link of its
 * own between two nodes, so a node has as many interfaces as neighbours, and relays between them.
 */
import { Prng } from '../src/substrate/simulated/prng.js';

export const topologyNames = ['grid', 'random', 'scale-free'] as const;
export type TopologyName = (typeof topologyNames)[number];

export type Edge = readonly [number, number];

export interface Topology {
  readonly name: TopologyName;
  /** Nodes are 0 … nodes − 1. */
  readonly nodes: number;
  /** Each once, the lower node first. */
  readonly edges: readonly Edge[];
}

/** Links a new node of a scale-free network brings. */
const ATTACHED_LINKS = 2;

export function makeTopology(name: TopologyName, nodes: number, seed: number): Topology {
  const make = { grid: gridEdges, random: randomEdges, 'scale-free': scaleFreeEdges }[name];
  return { name, nodes, edges: make(nodes, new Prng(seed)) };
}

/** As square as can be, filled row by row; the last row may be shorter. */
function gridEdges(nodes: number): Edge[] {
  const width = Math.ceil(nodes / Math.max(1, Math.floor(Math.sqrt(nodes))));
  const edges: Edge[] = [];
  for (let node = 0; node < nodes; node++) {
    if ((node + 1) % width !== 0 && node + 1 < nodes) edges.push([node, node + 1]);
    if (node + width < nodes) edges.push([node, node + width]);
  }
  return edges;
}

/**
 * Mean degree 4: a random tree, so that it is connected (a graph of as many edges drawn freely hardly ever is), and
 * as many edges again between any two nodes that have none.
 */
function randomEdges(nodes: number, prng: Prng): Edge[] {
  const edges = new EdgeSet();
  for (let node = 1; node < nodes; node++) edges.add(below(node, prng), node);
  const wanted = Math.min(2 * nodes, (nodes * (nodes - 1)) / 2);
  while (edges.list.length < wanted) {
    const [a, b] = [below(nodes, prng), below(nodes, prng)];
    if (a !== b) edges.add(a, b);
  }
  return edges.list;
}

/** Preferential attachment (Barabási and Albert): a new node chooses a neighbour the likelier, the more it has. */
function scaleFreeEdges(nodes: number, prng: Prng): Edge[] {
  const edges = new EdgeSet();
  const core = Math.min(nodes, ATTACHED_LINKS + 1);
  for (let a = 0; a < core; a++) for (let b = a + 1; b < core; b++) edges.add(a, b);
  // Both ends of every edge: a node stands there as often as it has neighbours.
  const ends = edges.list.flat();
  for (let node = core; node < nodes; node++) {
    const chosen = new Set<number>();
    while (chosen.size < ATTACHED_LINKS) chosen.add(ends[below(ends.length, prng)]!);
    for (const neighbour of chosen) {
      edges.add(neighbour, node);
      ends.push(neighbour, node);
    }
  }
  return edges.list;
}

class EdgeSet {
  readonly list: Edge[] = [];
  readonly #known = new Set<string>();

  add(a: number, b: number): void {
    const edge: Edge = a < b ? [a, b] : [b, a];
    const key = edge.join(' ');
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.list.push(edge);
  }
}

function below(limit: number, prng: Prng): number {
  return Math.floor(prng.next() * limit);
}

/** The neighbours of each node. */
export function neighboursIn({ nodes, edges }: Topology): readonly (readonly number[])[] {
  const neighbours = Array.from({ length: nodes }, (): number[] => []);
  for (const [a, b] of edges) {
    neighbours[a]!.push(b);
    neighbours[b]!.push(a);
  }
  return neighbours;
}

/** Links between a node and each other one, on the shortest way; Infinity where there is none. */
export function distancesFrom(node: number, neighbours: readonly (readonly number[])[]): number[] {
  const distances = neighbours.map(() => Infinity);
  distances[node] = 0;
  // Grows while it is read: nearest first.
  const reached = [node];
  for (const from of reached) {
    for (const next of neighbours[from]!) {
      if (distances[next] !== Infinity) continue;
      distances[next] = distances[from]! + 1;
      reached.push(next);
    }
  }
  return distances;
}

/** The largest distance between any two nodes; Infinity if they are not all connected. */
export function diameterOf(topology: Topology): number {
  const neighbours = neighboursIn(topology);
  return Math.max(...neighbours.map((_, node) => Math.max(...distancesFrom(node, neighbours))));
}

/**
 * One message per node and link direction: what flooding without knowledge of the neighbours may cost at most, and
 * what RFC 8990 §2.5.6.2 asks for, less the one link by which each node heard it first.
 */
export function messagesPerFlood({ nodes, edges }: Topology): { perDirection: number; relayed: number } {
  return { perDirection: 2 * edges.length, relayed: 2 * edges.length - (nodes - 1) };
}
