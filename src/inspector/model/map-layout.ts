/** Places for the map of the network: watched nodes above, the links they are on as lines, other nodes below them. */

export const NODE = { width: 132, height: 44, gap: 18 };
export const PEER = { width: 150, height: 46, gap: 14 };
const NODE_Y = 40;
export const LINK_Y = 134;
const PEER_Y = 201;
const MARGIN = 20;

/** What is on a link. */
export interface LinkContent {
  readonly name: string;
  /** Watched nodes. */
  readonly nodes: readonly string[];
  /** Other nodes. */
  readonly peers: readonly string[];
  /** There are others that are not drawn. */
  readonly more: boolean;
}

export interface Place {
  readonly x: number;
  readonly y: number;
}

export interface LinkLine {
  readonly name: string;
  readonly x: number;
  readonly width: number;
  /** Where its watched nodes reach it. */
  readonly taps: ReadonlyMap<string, Place>;
  readonly peers: ReadonlyMap<string, Place>;
  readonly more: Place | undefined;
}

export interface MapLayout {
  readonly width: number;
  readonly height: number;
  readonly nodes: ReadonlyMap<string, Place>;
  readonly links: readonly LinkLine[];
}

/** Links side by side; a node stands over what it is on, and none over another. */
export function layOutMap(contents: readonly LinkContent[]): MapLayout {
  const middleOf = (node: string): number => {
    const on = contents.flatMap(({ nodes }, i) => (nodes.includes(node) ? [i] : []));
    return on.reduce((sum, i) => sum + i, 0) / on.length;
  };
  let x = MARGIN;
  const links = contents.map((content): LinkLine => {
    const below = content.peers.length + (content.more ? 1 : 0);
    const width = Math.max(
      below * (PEER.width + PEER.gap) + PEER.gap,
      content.nodes.length * (NODE.width + NODE.gap) + NODE.gap,
      2 * NODE.width,
    );
    // Nodes that are on links farther right go right, so that wires cross as little as they can.
    const nodes = [...content.nodes].sort((a, b) => middleOf(a) - middleOf(b));
    const tap = (i: number): Place => ({ x: x + ((i + 0.5) * width) / nodes.length, y: LINK_Y });
    const peerAt = (i: number): Place => ({
      x: x + (width - below * (PEER.width + PEER.gap)) / 2 + (i + 0.5) * (PEER.width + PEER.gap),
      y: PEER_Y,
    });
    const line = {
      name: content.name,
      x,
      width,
      taps: new Map(nodes.map((node, i) => [node, tap(i)])),
      peers: new Map(content.peers.map((peer, i) => [peer, peerAt(i)])),
      more: content.more ? peerAt(content.peers.length) : undefined,
    };
    x += width + 2 * MARGIN;
    return line;
  });
  const nodes = placeNodes(links);
  const rightmost = Math.max(0, ...[...nodes.values()].map((place) => place.x + NODE.width / 2));
  const end = links.at(-1);
  const width = Math.max(rightmost, end === undefined ? 0 : end.x + end.width) + MARGIN;
  const deep = links.some(({ peers }) => peers.size > 0);
  return { width, height: deep ? PEER_Y + PEER.height / 2 + MARGIN : LINK_Y + 2 * MARGIN, nodes, links };
}

function placeNodes(links: readonly LinkLine[]): Map<string, Place> {
  const wanted = new Map<string, number[]>();
  for (const { taps } of links) {
    for (const [node, { x }] of taps) wanted.set(node, [...(wanted.get(node) ?? []), x]);
  }
  const middles = [...wanted]
    .map(([node, xs]) => ({ node, x: xs.reduce((sum, one) => sum + one, 0) / xs.length }))
    .sort((a, b) => a.x - b.x);
  let free = 0;
  return new Map(
    middles.map(({ node, x }) => {
      const place = Math.max(x, free + NODE.width / 2);
      free = place + NODE.width / 2 + NODE.gap;
      return [node, { x: place, y: NODE_Y }];
    }),
  );
}
