/** A small plot: one line over time, as tall as its largest value. */
import type { Point } from '../model/engine.js';
import { short } from '../model/text.js';
import { h, s, setAttribute, setText } from './dom.js';

const WIDTH = 240;
const HEIGHT = 48;
/** Time from the left to the right edge, ms. */
const SPAN_MS = 120_000;

export class Plot {
  readonly element: HTMLElement;
  readonly #value = h('strong', {});
  readonly #top = h('span', { class: 'quiet' });
  readonly #line = s('path', { class: 'line' });
  readonly #area = s('path', { class: 'area' });
  readonly #svg = s(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' },
    this.#area,
    this.#line,
  );

  constructor(
    readonly title: string,
    readonly unit: string,
  ) {
    this.element = h(
      'figure',
      { class: 'plot' },
      h('figcaption', {}, h('span', {}, title), this.#value, this.#top),
      this.#svg,
    );
  }

  render(points: readonly Point[], now: number): void {
    const shown = points.filter(({ at }) => at >= now - SPAN_MS - 2_000);
    const most = Math.max(0, ...shown.map(({ value }) => value));
    const latest = shown.at(-1)?.value ?? 0;
    const text = `${short(latest)}${this.unit}`;
    setText(this.#value, text);
    setText(this.#top, `most ${short(most)}`);
    setAttribute(
      this.#svg,
      'aria-label',
      `${this.title}: now ${text}, at most ${short(most)} in the last two minutes`,
    );
    const { line, area } = paths(shown, now, most);
    setAttribute(this.#line, 'd', line);
    setAttribute(this.#area, 'd', area);
  }
}

/** A line without axes, for a row of a table. */
export function sparkline(points: readonly Point[], now: number): SVGElement {
  const most = Math.max(0, ...points.map(({ value }) => value));
  const { line } = paths(points, now, most);
  return s(
    'svg',
    { class: 'spark', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    s('path', { class: 'line', d: line }),
  );
}

function paths(points: readonly Point[], now: number, most: number): { line: string; area: string } {
  const places = points.map(({ at, value }) => {
    const x = Math.max(0, WIDTH - ((now - at) / SPAN_MS) * WIDTH);
    const y = HEIGHT - 2 - (most === 0 ? 0 : (value / most) * (HEIGHT - 6));
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  if (places.length === 0) return { line: '', area: '' };
  const line = `M${places.join('L')}`;
  const first = places[0]?.split(' ')[0] ?? '0';
  const last = places.at(-1)?.split(' ')[0] ?? String(WIDTH);
  return { line, area: `${line}L${last} ${HEIGHT}L${first} ${HEIGHT}Z` };
}
