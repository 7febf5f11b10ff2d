/** A machine's statechart as SVG: drawn once per machine, then lit, counted and animated. */
import { h, s, setAttribute, setText } from './dom.js';
import type { Box, ChartLayout, Point } from '../model/chart-layout.js';
import { short } from '../model/text.js';
import { reducedMotion } from './view.js';

const TITLE_HEIGHT = 30;
const INTERNAL_HEIGHT = 15;
const LABEL_HEIGHT = 14;
const CORNER = 6;
const FLASH_MS = 900;
const LEAST_SCALE = 0.8;
/** Around a state that is shown by scrolling. */
const MARGIN = 24;

/** What of a machine's way is shown on its chart. */
export interface Lit {
  readonly state: string | undefined;
  /** States it has been in, and `from>to` it has taken. */
  readonly visited: ReadonlySet<string>;
  readonly counts: ReadonlyMap<string, number>;
}

interface StateParts {
  readonly group: SVGGElement;
  readonly badge: SVGGElement;
  readonly count: SVGTextElement;
}

export class Chart {
  readonly element: HTMLElement;
  readonly #states = new Map<string, StateParts>();
  readonly #edges = new Map<string, SVGGElement>();
  readonly #labels = new Map<string, SVGGElement>();

  constructor(readonly layout: ChartLayout) {
    const { width, height, machine } = layout;
    const svg = s('svg', {
      class: 'chart',
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: 'group',
      'aria-label': `statechart of ${machine}`,
    });
    svg.append(arrowHead('arrow'), arrowHead('arrow-lit'));
    const [edges, labels, states] = [s('g'), s('g'), s('g')];
    for (const start of layout.starts) edges.append(...drawStart(start));
    for (const edge of layout.edges) {
      const group = s('g', { class: 'edge', 'data-edge': edge.id }, s('path', { d: path(edge.points) }));
      this.#edges.set(edge.id, group);
      edges.append(group);
      const label = drawLabel(edge);
      this.#labels.set(edge.id, label);
      labels.append(label);
    }
    for (const state of layout.states) {
      const parts = drawState(state);
      this.#states.set(state.id, parts);
      states.append(parts.group);
    }
    svg.append(edges, states, labels);
    // Smaller than this nobody can read it: then it is scrolled.
    svg.style.minWidth = `${Math.round(Math.min(width, Math.max(width * LEAST_SCALE, 320)))}px`;
    const { anywhere } = layout;
    this.element = h(
      'div',
      { class: 'chart-sheet' },
      svg,
      anywhere.length > 0 && h('p', { class: 'chart-note' }, `In every state: ${anywhere.join(', ')}`),
    );
  }

  /** Scrolls `stage` no farther than it takes to show a state. */
  reveal(state: string, stage: HTMLElement): void {
    const group = this.#states.get(state)?.group;
    if (group === undefined) return;
    const [of, at] = [stage.getBoundingClientRect(), group.getBoundingClientRect()];
    const by = (low: number, high: number, least: number, most: number): number =>
      low < least ? low - least : high > most ? high - most : 0;
    stage.scrollBy({
      left: by(at.left - MARGIN, at.right + MARGIN, of.left, of.right),
      top: by(at.top - MARGIN, at.bottom + MARGIN, of.top, of.bottom),
      behavior: reducedMotion() ? 'instant' : 'smooth',
    });
  }

  show({ state, visited, counts }: Lit): void {
    for (const [id, { group, badge, count }] of this.#states) {
      group.classList.toggle('lit', id === state || state?.startsWith(`${id}.`) === true);
      group.classList.toggle('visited', visited.has(id));
      setAttribute(group, 'aria-current', id === state ? 'true' : undefined);
      const n = counts.get(id) ?? 0;
      badge.classList.toggle('none', n === 0);
      setText(count, short(n));
    }
    for (const [id, edge] of this.#edges) {
      const taken = visited.has(id);
      edge.classList.toggle('visited', taken);
      this.#labels.get(id)?.classList.toggle('visited', taken);
    }
  }

  /** A label that has no room for all its events shows the one that happened last. */
  #name(edge: string, event: string): void {
    const label = this.#labels.get(edge);
    const [first] = label?.querySelectorAll('text') ?? [];
    if (first && label?.querySelector('.more')) setText(first, event);
  }

  /** A transition happens: its line runs, or the event's row in the state lights up. */
  flash(from: string, to: string, event: string): void {
    const edge = this.#edges.get(`${from}>${to}`);
    this.#name(`${from}>${to}`, event);
    const targets: (Element | undefined)[] = [this.#labels.get(`${from}>${to}`), edge];
    if (from === to && edge === undefined) {
      const rows = this.#states.get(from)?.group.querySelectorAll('.internal') ?? [];
      targets.push([...rows].find((row) => matchesEvent(row.textContent, event)));
    }
    for (const target of targets) {
      if (target === undefined) continue;
      target.classList.remove('flash');
      // The animation begins again only if the class was away for a moment.
      target.getBoundingClientRect();
      target.classList.add('flash');
      setTimeout(() => target.classList.remove('flash'), FLASH_MS);
    }
    const line = edge?.querySelector('path') ?? undefined;
    if (line === undefined || reducedMotion()) return;
    const length = line.getTotalLength();
    line.animate(
      [
        { strokeDasharray: `${length}`, strokeDashoffset: length },
        { strokeDasharray: `${length}`, strokeDashoffset: 0 },
      ],
      { duration: 320, easing: 'ease-out' },
    );
  }
}

/** `message.*` stands for every message that is not named itself. */
function matchesEvent(descriptor: string | null, event: string): boolean {
  if (descriptor === event) return true;
  return descriptor?.endsWith('*') === true && event.startsWith(descriptor.slice(0, -1));
}

function arrowHead(id: string): SVGElement {
  return s(
    'marker',
    {
      id,
      class: id,
      viewBox: '0 0 8 8',
      refX: 7,
      refY: 4,
      markerWidth: 7,
      markerHeight: 7,
      orient: 'auto-start-reverse',
      markerUnits: 'userSpaceOnUse',
    },
    s('path', { d: 'M0 0.8 7.4 4 0 7.2Z' }),
  );
}

function drawStart({ x, y, width, points }: Box & { readonly points: readonly Point[] }): SVGElement[] {
  const r = width / 2;
  return [
    s('circle', { class: 'start', cx: x + r, cy: y + r, r: r - 1 }),
    s('g', { class: 'edge start-edge' }, s('path', { d: path(points) })),
  ];
}

function drawLabel({ id, label, events, to }: ChartLayout['edges'][number]): SVGGElement {
  const { x, y, width, height, lines } = label;
  const group = s('g', { class: 'edge-label', 'data-edge': id });
  group.append(s('title', {}, `${events.join(', ')} → ${to}`));
  group.append(s('rect', { x, y, width, height, rx: 4 }));
  lines.forEach((line, i) => {
    const more = line.startsWith('+ ');
    group.append(
      s('text', { x: x + width / 2, y: y + 12 + i * LABEL_HEIGHT, class: more ? 'more' : undefined }, line),
    );
  });
  return group;
}

function drawState(state: ChartLayout['states'][number]): StateParts {
  const { id, name, x, y, width, height, final, internal } = state;
  const group = s('g', { class: final ? 'state final' : 'state', 'data-state': id });
  group.append(s('rect', { class: 'body', x, y, width, height, rx: 8 }));
  if (final)
    group.append(
      s('rect', { class: 'inner', x: x + 3, y: y + 3, width: width - 6, height: height - 6, rx: 6 }),
    );
  group.append(s('text', { class: 'name', x: x + width / 2, y: y + 20 }, name));
  if (internal.length > 0) {
    const line = y + TITLE_HEIGHT;
    group.append(s('path', { class: 'rule', d: `M${x} ${line}H${x + width}` }));
    internal.forEach((event, i) => {
      group.append(s('text', { class: 'internal', x: x + 12, y: line + 14 + i * INTERNAL_HEIGHT }, event));
    });
  }
  const count = s('text', { x: x + width, y: y + 4 }, '0');
  const badge = s(
    'g',
    { class: 'badge none' },
    s('rect', { x: x + width - 15, y: y - 10, width: 30, height: 20, rx: 10 }),
    count,
  );
  group.append(badge);
  return { group, badge, count };
}

/** Through the points, with round corners. */
function path(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  let d = `M${first[0]} ${first[1]}`;
  rest.forEach((point, i) => {
    const next = rest[i + 1];
    const before = i === 0 ? first : (rest[i - 1] ?? first);
    if (next === undefined) {
      d += `L${point[0]} ${point[1]}`;
      return;
    }
    const into = towards(point, before);
    const out = towards(point, next);
    d += `L${into[0]} ${into[1]}Q${point[0]} ${point[1]} ${out[0]} ${out[1]}`;
  });
  return d;
}

/** A point near `from`, on the way to `to`. */
function towards(from: Point, to: Point): Point {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = Math.hypot(dx, dy);
  const r = Math.min(CORNER, length / 2);
  return length === 0 ? from : [from[0] + (dx / length) * r, from[1] + (dy / length) * r];
}
