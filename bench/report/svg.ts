/** Line and bar charts as SVG text, readable on light and dark ground, without a library. Pure. */

export interface Series {
  readonly name: string;
  /** One per category; undefined: not measured. */
  readonly values: readonly (number | undefined)[];
  /** Dashed: something to compare with, not the thing itself. */
  readonly reference?: boolean | undefined;
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly categories: readonly string[];
  readonly series: readonly Series[];
}

const WIDTH = 720;
const HEIGHT = 380;
const LEFT = 70;
const RIGHT = 150;
const TOP = 44;
const BOTTOM = 54;
const INNER_WIDTH = WIDTH - LEFT - RIGHT;
const INNER_HEIGHT = HEIGHT - TOP - BOTTOM;

/** Of the same lightness, told apart by who does not see red or green too; the marks differ as well. */
const COLOURS = ['#8a8f98', '#2f81f7', '#d9822b', '#2da44e', '#c2528b', '#8957e5'];

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .grid { stroke: #1f2328; stroke-opacity: .15; }
  .axis { stroke: #1f2328; stroke-opacity: .5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .grid, .axis { stroke: #e6edf3; }
  }`;

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** A round number not below `most`, and a step that divides it: 1, 2 or 5 times a power of ten. */
export function scale(most: number): { top: number; step: number } {
  if (!(most > 0)) return { top: 1, step: 1 };
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) ?? rough;
  return { top: step * Math.ceil(most / step), step };
}

const text = (x: number, y: number, content: string, attributes = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escape(content)}</text>`;

const colour = (index: number): string => COLOURS[index % COLOURS.length] ?? '';

function frame(chart: Chart, body: readonly string[], y: (value: number) => number, most: number): string {
  const { top, step } = scale(most);
  const lines: string[] = [];
  for (let value = 0; value <= top + step / 2; value += step) {
    const at = y(value).toFixed(1);
    lines.push(`<line class="grid" x1="${LEFT}" y1="${at}" x2="${LEFT + INNER_WIDTH}" y2="${at}"/>`);
    lines.push(text(LEFT - 8, y(value) + 4, Number(value.toPrecision(6)).toString(), 'text-anchor="end"'));
  }
  const width = INNER_WIDTH / chart.categories.length;
  chart.categories.forEach((category, index) => {
    lines.push(text(LEFT + width * (index + 0.5), HEIGHT - BOTTOM + 18, category, 'text-anchor="middle"'));
  });
  const legend = chart.series.map(({ name, reference }, index) => {
    const at = TOP + 8 + index * 20;
    const dash = reference ? ' stroke-dasharray="5 4"' : '';
    const x = LEFT + INNER_WIDTH + 14;
    return (
      `<line x1="${x}" y1="${at}" x2="${x + 22}" y2="${at}" stroke="${colour(index)}" stroke-width="3"${dash}/>` +
      text(x + 28, at + 4, name)
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    `<title>${escape(chart.title)}</title>`,
    `<style>${STYLE}\n</style>`,
    text(LEFT, 24, chart.title, 'class="title"'),
    ...lines,
    `<line class="axis" x1="${LEFT}" y1="${TOP + INNER_HEIGHT}" x2="${LEFT + INNER_WIDTH}" y2="${TOP + INNER_HEIGHT}"/>`,
    text(LEFT + INNER_WIDTH / 2, HEIGHT - 12, chart.xLabel, 'text-anchor="middle"'),
    `<g transform="rotate(-90 16 ${TOP + INNER_HEIGHT / 2})">${text(16, TOP + INNER_HEIGHT / 2, chart.yLabel, 'text-anchor="middle"')}</g>`,
    ...body,
    ...legend,
    '</svg>',
    '',
  ].join('\n');
}

const highest = (chart: Chart): number =>
  Math.max(0, ...chart.series.flatMap(({ values }) => values.filter((value) => value !== undefined)));

const toY = (most: number): ((value: number) => number) => {
  const { top } = scale(most);
  return (value) => TOP + INNER_HEIGHT * (1 - value / top);
};

/** Categories from left to right, a line through each series; what was not measured is left out. */
export function lineChart(chart: Chart): string {
  const most = highest(chart);
  const y = toY(most);
  const width = INNER_WIDTH / chart.categories.length;
  const body = chart.series.map(({ values, reference }, index) => {
    const points = values.flatMap((value, column) =>
      value === undefined ? [] : [[LEFT + width * (column + 0.5), y(value)] as const],
    );
    const path = points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(' ');
    const dash = reference ? ' stroke-dasharray="5 4"' : '';
    const marks = points.map(
      ([px, py]) => `<circle cx="${px.toFixed(1)}" cy="${py.toFixed(1)}" r="3.5" fill="${colour(index)}"/>`,
    );
    return `<polyline points="${path}" fill="none" stroke="${colour(index)}" stroke-width="2.5"${dash}/>${marks.join('')}`;
  });
  return frame(chart, body, y, most);
}

/** A group of bars per category, one of each series. */
export function barChart(chart: Chart): string {
  const most = highest(chart);
  const y = toY(most);
  const group = INNER_WIDTH / chart.categories.length;
  const bar = (group * 0.8) / chart.series.length;
  const body = chart.series.flatMap(({ values }, index) =>
    values.flatMap((value, column) => {
      if (value === undefined) return [];
      const x = LEFT + group * (column + 0.1) + bar * index;
      const height = TOP + INNER_HEIGHT - y(value);
      return [
        `<rect x="${x.toFixed(1)}" y="${y(value).toFixed(1)}" width="${(bar * 0.92).toFixed(1)}" height="${height.toFixed(1)}" fill="${colour(index)}"/>`,
      ];
    }),
  );
  return frame(chart, body, y, most);
}
