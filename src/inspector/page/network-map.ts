/** The map of the network view, and floods that travel on it. */
import {
  layOutMap,
  LINK_Y,
  NODE,
  PEER,
  type LinkContent,
  type MapLayout,
  type Place,
} from '../model/map-layout.js';
import type { Flood, Hop, Peer } from '../model/network.js';
import { emptyState, h, s, setAttribute } from './dom.js';
import { reducedMotion, type Page } from './view.js';

/** Other nodes drawn on a link; the table has all. */
const PEERS_ON_LINK = 8;
const FLOOD_MS = 900;
/** Floods that came before this are history, and do not travel. */
const FRESH_MS = 2_000;
/** How far what is sent runs along a link, to both sides. */
const REACH = 70;

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
  #layout: MapLayout = layOutMap([]);
  /** Hops of a flood that have travelled. */
  readonly #travelled = new Map<string, number>();

  constructor(readonly page: Page) {}

  reset(): void {
    this.#drawn = '';
    this.#travelled.clear();
    for (const flood of this.page.model.network.floods.values()) {
      this.#travelled.set(flood.key, flood.hops.length);
    }
  }

  render(): void {
    const { network } = this.page.model;
    const contents = this.#contents();
    if (contents.length === 0) {
      this.#drawn = '';
      this.element.replaceChildren(this.#empty);
      return;
    }
    const roles = contents.flatMap(({ peers }) => peers.map((name) => rolesText(network.peers.get(name))));
    const drawn = JSON.stringify([contents, roles]);
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      this.#layout = layOutMap(contents);
      this.#draw();
    }
    for (const flood of network.floods.values()) this.#travel(flood);
    for (const key of this.#travelled.keys()) if (!network.floods.has(key)) this.#travelled.delete(key);
  }

  #contents(): LinkContent[] {
    const { engines, network } = this.page.model;
    const only = this.page.node();
    const on = new Map<string, string[]>();
    for (const [node, { latest }] of engines) {
      if (only !== undefined && node !== only) continue;
      // Watched engines are of one host: an interface of the same name is the same link.
      for (const { name } of latest?.status.interfaces ?? []) on.set(name, [...(on.get(name) ?? []), node]);
    }
    return [...on].map(([name, nodes]) => {
      const all = [...network.peers.values()]
        .filter((peer) => !engines.has(peer.name))
        .filter(({ links }) => nodes.some((node) => links.has(`${node} ${name}`)))
        .map((peer) => peer.name);
      // The newest, in an order that stays while they do.
      const peers = all.slice(-PEERS_ON_LINK).sort();
      return { name, nodes, peers, more: all.length > peers.length };
    });
  }

  #draw(): void {
    const { width, height, nodes, links } = this.#layout;
    const { network } = this.page.model;
    const svg = s('svg', {
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: 'img',
      'aria-label': describe(this.#layout),
    });
    const wires = s('g');
    const boxes = s('g');
    svg.append(wires, boxes);
    for (const [name, place] of nodes) boxes.append(box('own', place, NODE, name, 'watched here'));
    for (const { name, x, width: length, taps, peers, more } of links) {
      wires.append(
        s('path', { class: 'link', d: `M${x} ${LINK_Y}H${x + length}` }),
        s('text', { class: 'link-name', x, y: LINK_Y + 20 }, name),
      );
      for (const [node, tap] of taps) {
        const from = nodes.get(node);
        if (from) wires.append(s('path', { class: 'wire', d: wire(from, tap) }), tapAt(tap));
      }
      for (const [peer, place] of peers) {
        const on = { x: place.x, y: LINK_Y };
        wires.append(
          s('path', { class: 'wire', d: `M${on.x} ${on.y}V${place.y - PEER.height / 2}` }),
          tapAt(on),
        );
        boxes.append(box('peer', place, PEER, peer, rolesText(network.peers.get(peer))));
      }
      if (more)
        boxes.append(
          s('text', { class: 'more', x: more.x - PEER.width / 2 + 8, y: more.y + 4 }, 'and others'),
        );
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
  }

  #run(hop: Hop, flood: Flood): void {
    const node = this.#layout.nodes.get(hop.node);
    const link = this.#layout.links.find(({ name }) => name === hop.interface);
    const tap = link?.taps.get(hop.node);
    if (node === undefined || link === undefined || tap === undefined || this.#svg === undefined) return;
    const { network } = this.page.model;
    const sender = network.nameOf(hop.from ?? flood.initiator);
    const from = link.taps.get(sender) ?? link.peers.get(sender);
    const heard = [...(from === undefined ? [] : [from, { x: from.x, y: LINK_Y }]), tap, node];
    const way =
      hop.direction === 'received'
        ? heard
        : [node, tap, { x: tap.x + REACH, y: LINK_Y }, { x: tap.x - REACH, y: LINK_Y }];
    const names = flood.objectives.map(({ name }) => name);
    const dot = s('circle', { class: 'flood-dot', r: 6, cx: 0, cy: 0 }, s('title', {}, names.join(', ')));
    setAttribute(dot, 'data-flood', names[0]);
    this.#svg.append(dot);
    const frames = reducedMotion() ? [node, node] : way;
    const run = dot.animate(
      frames.map(({ x, y }) => ({ transform: `translate(${x}px, ${y}px)` })),
      { duration: FLOOD_MS, easing: 'ease-in-out' },
    );
    run.addEventListener('finish', () => dot.remove());
    run.addEventListener('cancel', () => dot.remove());
  }
}

function rolesText(peer: Peer | undefined): string {
  return [...(peer?.roles ?? [])].sort().join(', ');
}

/** Straight down, or over to where the link is. */
function wire(from: Place, to: Place): string {
  const bottom = from.y + NODE.height / 2;
  if (Math.abs(from.x - to.x) < 1) return `M${from.x} ${bottom}V${to.y}`;
  // Beside each other at the node, and at different heights, so that no two wires run on one line.
  const side = Math.sign(to.x - from.x);
  const x = from.x + side * 14;
  const level = bottom + 22 - side * 7;
  return `M${x} ${bottom}V${level}H${to.x}V${to.y}`;
}

function tapAt({ x, y }: Place): SVGElement {
  return s('circle', { class: 'tap', cx: x, cy: y, r: 4 });
}

function box(
  kind: string,
  { x, y }: Place,
  { width, height }: { readonly width: number; readonly height: number },
  title: string,
  note: string,
): SVGGElement {
  const most = Math.floor((width - 16) / 6.4);
  const shown = title.length > most ? `${title.slice(0, most - 1)}…` : title;
  return s(
    'g',
    { class: `box ${kind}`, 'data-name': title },
    s('title', {}, `${title}: ${note}`),
    s('rect', { x: x - width / 2, y: y - height / 2, width, height, rx: 8 }),
    s('text', { class: 'name', x, y: y - 2 }, shown),
    s('text', { class: 'role', x, y: y + 14 }, note),
  );
}

function describe({ links }: MapLayout): string {
  const others = (peers: ReadonlyMap<string, Place>): string => [...peers.keys()].join(', ') || 'none';
  return links
    .map(
      ({ name, taps, peers }) =>
        `link ${name}: watched ${[...taps.keys()].join(', ')}; others ${others(peers)}`,
    )
    .join('. ');
}
