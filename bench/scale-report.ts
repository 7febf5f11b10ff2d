/**
 * The results of `scale` as Markdown tables; in a page they stand between `<!-- scale:NAME -->` and
 * `<!-- /scale:NAME -->`, and only what stands there is replaced.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chartsOf } from './scale-charts.js';
import type { DiscoveryResult, Growth } from './scale-growth.js';
import type { NodeCost } from './scale-node.js';
import { svgOf } from './scale-plot.js';
import type { RateResult } from './scale-rates.js';
import type { SessionsResult } from './scale-sessions.js';

export interface ScaleResult {
  readonly benchmark: 'scale';
  readonly question: string;
  readonly node: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly seed: number;
  readonly command: string;
  /** Absent: this part was not run. */
  readonly growth?: readonly Growth[] | undefined;
  readonly nodeCost?: NodeCost | undefined;
  readonly rates?: readonly RateResult[] | undefined;
  readonly sessions?: SessionsResult | undefined;
  readonly wallSeconds: number;
}

/** In the order of the page. */
const TABLES = ['run', 'node', 'domains', 'floods', 'discoveries', 'rates', 'sessions'] as const;

/** By name, of the parts that were run. */
export function tablesOf(result: ScaleResult): Partial<Record<(typeof TABLES)[number], string>> {
  const { growth, nodeCost, rates, sessions } = result;
  return {
    run: `\`${result.command}\`: ${result.wallSeconds} s with Node ${result.node} on ${result.cpus} cores, ${result.cpu}.`,
    ...(growth && {
      domains: domainTable(growth),
      floods: floodTable(growth),
      discoveries: discoveryTable(growth),
    }),
    ...(nodeCost && { node: nodeTable(nodeCost) }),
    ...(rates && { rates: rateTable(rates) }),
    ...(sessions && { sessions: sessionTable(sessions) }),
  };
}

/** Throws if the page cannot be read or has no place for a table: before minutes of work, not after them. */
export function checkPage(file: string): void {
  const page = readFileSync(file, 'utf8');
  for (const name of TABLES) withTable(page, name, '');
}

/** Renews the page's tables, and the plots in `plots/` beside it. */
export function writeReport(file: string, result: ScaleResult): void {
  let page = readFileSync(file, 'utf8');
  for (const [name, table] of Object.entries(tablesOf(result))) page = withTable(page, name, table);
  writeFileSync(file, page);
  if (!result.growth) return;
  const folder = join(dirname(file), 'plots');
  mkdirSync(folder, { recursive: true });
  for (const [name, chart] of Object.entries(chartsOf(result.growth))) {
    writeFileSync(join(folder, name), svgOf(chart));
  }
}

/** The page with this table; throws if it has no place for it. */
export function withTable(page: string, name: string, table: string): string {
  const [begin, end] = [`<!-- scale:${name} -->`, `<!-- /scale:${name} -->`];
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`the page has no ${begin} … ${end}`);
  return `${page.slice(0, from)}${begin}\n\n${table}\n\n${page.slice(to)}`;
}

function domainTable(growth: readonly Growth[]): string {
  return table(
    [
      'topology',
      'nodes',
      'links',
      'most links of a node',
      'diameter',
      'start, s',
      'per node: started, kB',
      'after the run, kB',
    ],
    growth.map((one) => [
      one.topology,
      one.nodes,
      one.links,
      one.mostLinksOfANode,
      one.diameter,
      (one.startMs / 1000).toFixed(1),
      one.kbPerNode,
      one.kbPerNodeInUse,
    ]),
  );
}

function floodTable(growth: readonly Growth[]): string {
  return table(
    [
      'topology',
      'nodes',
      'farthest node',
      'loop count',
      'coverage',
      'messages',
      '1 per direction',
      'less the way each came by',
      'most per direction',
      'last node after, ms',
      'wall, ms',
    ],
    growth.flatMap((one) =>
      one.floods.map((flood) => [
        one.topology,
        one.nodes,
        one.farthest,
        flood.loopCount,
        percent(flood.coverage),
        flood.messages,
        one.perDirection,
        one.ideal,
        flood.mostPerDirection,
        flood.virtualMs,
        flood.wallMs,
      ]),
    ),
  );
}

function discoveryTable(growth: readonly Growth[]): string {
  const row = (one: Growth, discovery: DiscoveryResult, which: string): (string | number)[] => [
    one.topology,
    one.nodes,
    which,
    discovery.distance,
    discovery.loopCount,
    discovery.answered ? 'yes' : 'no',
    discovery.messages,
    discovery.responses,
    discovery.virtualMs ?? '–',
    discovery.wallMs,
  ];
  return table(
    [
      'topology',
      'nodes',
      'asked',
      'links between',
      'loop count',
      'answered at the first attempt',
      'M_DISCOVERY',
      'M_RESPONSE',
      'first answer after, ms',
      'wall, ms',
    ],
    growth.flatMap((one) => [
      ...one.discoveries.map((discovery) => row(one, discovery, 'first')),
      row(one, one.repeated, 'again, by another node'),
    ]),
  );
}

function nodeTable(cost: NodeCost): string {
  return table(
    ['limits', 'memory per node, kB'],
    [
      ['default', cost.defaultKb],
      ['small queues, as in these runs', cost.smallKb],
    ],
  );
}

function rateTable(rates: readonly RateResult[]): string {
  return table(
    [
      'nodes',
      'floods/s of the domain',
      'a node hears, /s',
      'passes on, /s',
      'knew already, /s',
      'not relayed (rate)',
      'coverage',
      'CPU per message heard, µs',
      'of a core for one node',
      'bytes per flood and node',
    ],
    rates.map((one) => [
      one.nodes,
      one.rate,
      one.heard,
      one.relayed,
      one.known,
      percent(one.notRelayed),
      percent(one.coverage),
      one.cpuUsPerDatagram,
      percent(one.coreShare),
      one.bytesPerEntry,
    ]),
  );
}

function sessionTable(one: SessionsResult): string {
  return table(
    [
      'sessions at once',
      'alive at the responder',
      'alive at the initiator',
      'ended by O_ACCEPT',
      'memory per session and end, bytes',
      'opened in, s',
      'ended in, s',
    ],
    [
      [
        one.sessions,
        one.aliveAtResponder,
        one.aliveAtInitiator,
        one.accepted,
        one.bytesPerSession,
        (one.openMs / 1000).toFixed(1),
        (one.endMs / 1000).toFixed(1),
      ],
    ],
  );
}

function percent(share: number): string {
  return `${Number((100 * share).toFixed(2))} %`;
}

/** As prettier would have it: a page with fresh tables needs no formatting. */
function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const texts = [head, ...rows].map((row) =>
    row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : cell)),
  );
  const isNumeric = head.map((_, column) => rows.every((row) => /^[\d–]/.test(String(row[column]))));
  const widths = head.map((_, column) => Math.max(4, ...texts.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => {
    const cells = row.map((cell, column) =>
      isNumeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
    );
    return `| ${cells.join(' | ')} |`;
  };
  const rule = widths.map((width, column) =>
    isNumeric[column] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  return [line(texts[0]!), line(rule), ...texts.slice(1).map(line)].join('\n');
}
