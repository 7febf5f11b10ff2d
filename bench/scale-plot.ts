/** Line charts as SVG, for docs/SCALING.md: a logarithmic x axis of network sizes, one line per series. */

export interface Series {
  readonly label: string;
  readonly points: readonly (readonly [number, number])[];
  /** The second of two quantities, or what one is compared with; without marks. */
  readonly dashed?: boolean | undefined;
  /** Series of one group share a colour. */
  readonly group: number;
}

export interface Chart {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly logarithmicY?: boolean | undefined;
  readonly series: readonly Series[];
}

const WIDTH = 720;
const HEIGHT = 400;
/** Room for the title, the legend, and the axes. */
const PLOT = { left: 70, right: 510, top: 44, bottom: 345 };
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7'];

export function svgOf(chart: Chart): string {
  const points = chart.series.flatMap((series) => series.points);
  const xs = points.map(([x]) => x);
  const most = Math.max(...points.map(([, y]) => y));
  const xTicks = decades(Math.min(...xs), Math.max(...xs));
  const yTicks = chart.logarithmicY
    ? decades(Math.max(1, Math.min(...points.map(([, y]) => y))), most)
    : evenTicks(most);
  const x = scale(xTicks, PLOT.left, PLOT.right, Math.log10);
  const y = scale(yTicks, PLOT.bottom, PLOT.top, chart.logarithmicY ? Math.log10 : (value) => value);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(PLOT.left, 24, chart.title, 'start', 'font-weight="bold" font-size="14"'),
    ...xTicks.flatMap((tick) => [
      line([x(tick), PLOT.top], [x(tick), PLOT.bottom], '#dddddd'),
      text(x(tick), PLOT.bottom + 18, label(tick), 'middle'),
    ]),
    ...yTicks.flatMap((tick) => [
      line([PLOT.left, y(tick)], [PLOT.right, y(tick)], '#dddddd'),
      text(PLOT.left - 8, y(tick) + 4, label(tick), 'end'),
    ]),
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 40, chart.x, 'middle'),
    text(0, 0, chart.y, 'middle', `transform="translate(16 ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)"`),
    ...chart.series.flatMap((series, index) => drawn(series, index, x, y)),
    '</svg>',
    '',
  ];
  return parts.join('\n');
}

function drawn(
  { label: name, points, dashed = false, group }: Series,
  index: number,
  x: (value: number) => number,
  y: (value: number) => number,
): string[] {
  const colour = COLOURS[group % COLOURS.length]!;
  const style = `stroke="${colour}" stroke-width="2" fill="none"${dashed ? ' stroke-dasharray="5 4"' : ''}`;
  const place = ([px, py]: readonly [number, number]): string =>
    `${x(px).toFixed(1)},${y(Math.max(py, 0)).toFixed(1)}`;
  const legendY = PLOT.top + 12 + index * 20;
  const legendX = PLOT.right + 14;
  return [
    `<polyline points="${points.map(place).join(' ')}" ${style}/>`,
    ...(dashed
      ? []
      : points.map((point) => {
          const [cx, cy] = place(point).split(',');
          return `<circle cx="${cx}" cy="${cy}" r="3.5" fill="${colour}"/>`;
        })),
    `<polyline points="${legendX},${legendY - 4} ${legendX + 24},${legendY - 4}" ${style}/>`,
    text(legendX + 30, legendY, name, 'start'),
  ];
}

/** The powers of ten around two values. */
function decades(least: number, most: number): number[] {
  const first = Math.floor(Math.log10(least));
  const last = Math.max(first + 1, Math.ceil(Math.log10(most)));
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

/** From 0 to at least `most`, in steps of 1, 2 or 5 times a power of ten. */
function evenTicks(most: number): number[] {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each * 5 >= most)!;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => i * step);
}

function scale(
  ticks: readonly number[],
  from: number,
  to: number,
  map: (value: number) => number,
): (value: number) => number {
  const [low, high] = [map(ticks[0]!), map(ticks.at(-1)!)];
  return (value) => from + ((map(value) - low) / (high - low)) * (to - from);
}

function label(value: number): string {
  return Number(value.toPrecision(6)).toLocaleString('en');
}

function line(from: readonly [number, number], to: readonly [number, number], colour: string): string {
  return `<line x1="${from[0]}" y1="${from[1]}" x2="${to[0]}" y2="${to[1]}" stroke="${colour}"/>`;
}

function text(x: number, y: number, content: string, anchor: string, more = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${more && ` ${more}`}>${escaped}</text>`;
}
