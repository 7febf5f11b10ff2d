/** The map of the network view: watched nodes above, the links they are on as lines, other nodes below them. */
import type { Flood, Hop, Peer } from '../model/network.js';
import { emptyState, h, s, setAttribute } from './dom.js';
import { reducedMotion, type Page } from './view.js';

const NODE = { width: 132, height: 44, y: 22 };
const PEER = { width: 150, height: 46, gap: 14, rows: 10 };
const LINK_Y = 132;
const PEER_Y = 176;
const MARGIN = 20;
/** Other nodes drawn on a link; the table has all. */
const PEERS_ON_LINK = 8;
const FLOOD_MS = 900;
/** Floods that came before this are history, and do not travel. */
const FRESH_MS = 2_000;

interface LinkPlace {
  readonly name: string;
  readonly x: number;
  readonly width: number;
  readonly nodes: readonly string[];
  readonly peers: readonly Peer[];
  readonly more: number;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

export class NetworkMap {
  readonly element = h('div', {
    class: 'map panel',
    role: 'region',
    'aria-label': 'Map of the network',
    tabindex: 0,
  });
  readonly #empty = emptyState('No link yet', 'The interfaces of the engine appear here.');
  #drawn = '';
  #svg: SVGSVGElement | undefined;
  /** Where nodes, links and peers are drawn. */
  readonly #places = new Map<string, Point>();
  /** Hops of a flood that have travelled. */
  readonly #travelled = new Map<string, number>();

  constructor(readonly page: Page) {}

  reset(): void {
    this.#drawn = '';
    this.#travelled.clear();
    for (const flood of this.page.model.network.floods.values())
      this.#travelled.set(flood.key, flood.hops.length);
  }

  render(): void {
    const links = this.#layOut();
    if (links.length === 0) {
      this.#drawn = '';
      this.element.replaceChildren(this.#empty);
      return;
    }
    const drawn = JSON.stringify([
      links,
      [
        ...links.flatMap(({ peers }) =>
          peers.map(({ address, roles, objectives }) => [address, [...roles], [...objectives]]),
        ),
      ],
    ]);
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      this.#draw(links);
    }
    for (const flood of this.page.model.network.floods.values()) this.#travel(flood);
  }

  /** Links side by side, each as wide as what is on it. */
  #layOut(): LinkPlace[] {
    const { engines, network } = this.page.model;
    const only = this.page.node();
    const on = new Map<string, string[]>();
    for (const [node, { latest }] of engines) {
      if (only !== undefined && node !== only) continue;
      // Watched engines are of one host: an interface of the same name is the same link.
      for (const { name } of latest?.status.interfaces ?? []) on.set(name, [...(on.get(name) ?? []), node]);
    }
    let x = MARGIN;
    return [...on].map(([name, nodes]) => {
      const all = [...network.peers.values()].filter(
        (peer) =>
          network.nodeAt(peer.address) === undefined &&
          [...peer.links].some((link) => nodes.some((node) => link === `${node} ${name}`)),
      );
      const peers = all.slice(-PEERS_ON_LINK);
      const wanted = Math.max(peers.length + (all.length > peers.length ? 1 : 0), nodes.length, 2);
      const width = wanted * (PEER.width + PEER.gap) + PEER.gap;
      const place = { name, x, width, nodes, peers, more: all.length - peers.length };
      x += width + MARGIN;
      return place;
    });
  }

  #draw(links: readonly LinkPlace[]): void {
    this.#places.clear();
    const last = links.at(-1);
    const width = last === undefined ? 0 : last.x + last.width + MARGIN;
    const height = links.some(({ peers }) => peers.length > 0)
      ? PEER_Y + PEER.height + MARGIN
      : LINK_Y + MARGIN + 14;
    const svg = s('svg', {
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: 'img',
      'aria-label': describe(links),
    });
    const wires = s('g', { class: 'wires' });
    const boxes = s('g', {});
    svg.append(wires, boxes);
    for (const [node, x] of nodePlaces(links)) {
      const place = { x, y: NODE.y + NODE.height / 2 };
      this.#places.set(`node ${node}`, place);
      boxes.append(box('own', place, NODE, node, 'this process'));
    }
    for (const link of links) {
      wires.append(
        s('path', { class: 'link', d: `M${link.x} ${LINK_Y}H${link.x + link.width}` }),
        s('text', { class: 'link-name', x: link.x, y: LINK_Y - 8 }, link.name),
      );
      for (const node of link.nodes) {
        const from = this.#places.get(`node ${node}`);
        if (from === undefined) continue;
        // Straight down where the link is below, else to its nearest end.
        const x = Math.min(Math.max(from.x, link.x + 24), link.x + link.width - 24);
        this.#places.set(`tap ${node} ${link.name}`, { x, y: LINK_Y });
        const bottom = NODE.y + NODE.height;
        wires.append(
          s('path', {
            class: 'wire',
            d:
              x === from.x
                ? `M${x} ${bottom}V${LINK_Y}`
                : `M${from.x} ${bottom}V${bottom + 14}H${x}V${LINK_Y}`,
          }),
        );
        wires.append(s('circle', { class: 'tap', cx: x, cy: LINK_Y, r: 4 }));
      }
      link.peers.forEach((peer, i) => {
        const x = link.x + PEER.gap + i * (PEER.width + PEER.gap) + PEER.width / 2;
        const place = { x, y: PEER_Y + PEER.height / 2 };
        this.#places.set(`peer ${peer.address}`, place);
        wires.append(
          s('path', { class: 'wire', d: `M${x} ${LINK_Y}V${PEER_Y}` }),
          s('circle', { class: 'tap', cx: x, cy: LINK_Y, r: 4 }),
        );
        boxes.append(
          box(
            'peer',
            place,
            PEER,
            peer.address,
            [...peer.roles].sort().join(', '),
            [...peer.roles].sort()[0],
          ),
        );
      });
      if (link.more > 0) {
        const x = link.x + PEER.gap + link.peers.length * (PEER.width + PEER.gap);
        boxes.append(s('text', { class: 'more', x: x + 8, y: PEER_Y + 27 }, `and ${link.more} more`));
      }
    }
    this.#svg = svg;
    this.element.replaceChildren(svg);
  }

  /** What is new of a flood's way runs along the wires. */
  #travel(flood: Flood): void {
    const done = this.#travelled.get(flood.key) ?? 0;
    if (flood.hops.length === done) return;
    this.#travelled.set(flood.key, flood.hops.length);
    const now = this.page.now();
    for (const hop of flood.hops.slice(done)) if (now - hop.at < FRESH_MS) this.#run(hop, flood);
    for (const key of this.#travelled.keys())
      if (!this.page.model.network.floods.has(key)) this.#travelled.delete(key);
  }

  #run(hop: Hop, flood: Flood): void {
    const node = this.#places.get(`node ${hop.node}`);
    const tap = this.#places.get(`tap ${hop.node} ${hop.interface ?? ''}`);
    if (node === undefined || tap === undefined || this.#svg === undefined) return;
    const from = this.#placeOf(hop.from ?? flood.initiator, hop.interface ?? '');
    const way: Point[] = [];
    if (hop.direction === 'received') {
      if (from !== undefined) way.push(from, { x: from.x, y: LINK_Y });
      way.push(tap, node);
    } else way.push(node, tap, { x: tap.x + 60, y: LINK_Y }, { x: tap.x - 60, y: LINK_Y });
    const dot = s(
      'circle',
      { class: 'flood-dot', r: 6, cx: 0, cy: 0 },
      s('title', {}, flood.objectives.map(({ name }) => name).join(', ')),
    );
    this.#svg.append(dot);
    setAttribute(dot, 'data-flood', flood.objectives[0]?.name ?? '');
    const frames = reducedMotion() ? [way.at(-1) ?? node, way.at(-1) ?? node] : way;
    const run = dot.animate(
      frames.map(({ x, y }) => ({ transform: `translate(${x}px, ${y}px)` })),
      { duration: FLOOD_MS, easing: 'ease-in-out' },
    );
    run.addEventListener('finish', () => dot.remove());
    run.addEventListener('cancel', () => dot.remove());
  }

  #placeOf(address: string, link: string): Point | undefined {
    const own = this.page.model.network.nodeAt(address);
    if (own !== undefined) return this.#places.get(`tap ${own} ${link}`);
    return this.#places.get(`peer ${address}`);
  }
}

/** Each watched node over the middle of what it is on, and none over another. */
function nodePlaces(links: readonly LinkPlace[]): Map<string, number> {
  const places = new Map<string, number>();
  for (const link of links) {
    const fresh = link.nodes.filter((node) => !places.has(node));
    fresh.forEach((node, i) => {
      const of = links.filter(({ nodes }) => nodes.includes(node));
      if (of.length > 1) {
        const [first, last] = [of[0] ?? link, of.at(-1) ?? link];
        const middle = (first.x + last.x + last.width) / 2;
        places.set(node, free(middle, places));
      } else places.set(node, free(link.x + ((i + 0.5) * link.width) / fresh.length, places));
    });
  }
  return places;
}

function free(x: number, places: ReadonlyMap<string, number>): number {
  let place = x;
  while ([...places.values()].some((other) => Math.abs(other - place) < NODE.width + 10))
    place += NODE.width + 10;
  return place;
}

function box(
  kind: string,
  { x, y }: Point,
  { width, height }: { width: number; height: number },
  title: string,
  note: string,
  role?: string,
): SVGGElement {
  const most = Math.floor((width - 20) / 6.6);
  const shown = title.length > most ? `${title.slice(0, most - 1)}…` : title;
  return s(
    'g',
    { class: `box ${kind}`, 'data-role': role, 'data-name': title },
    s('title', {}, `${title}: ${note}`),
    s('rect', { x: x - width / 2, y: y - height / 2, width, height, rx: 8 }),
    s('text', { class: 'name', x, y: y - 2 }, shown),
    s('text', { class: 'role', x, y: y + 14 }, note),
  );
}

function describe(links: readonly LinkPlace[]): string {
  return links
    .map(
      ({ name, nodes, peers, more }) =>
        `link ${name}: watched ${nodes.join(', ')}; others ${peers.map(({ address }) => address).join(', ') || 'none'}${more > 0 ? ` and ${more} more` : ''}`,
    )
    .join('. ');
}
