/**
 * Statecharts for the inspector's page: what a machine's definition says, laid out by elkjs. Done when the sources
 * change (`npm run charts`), not when somebody looks: a layout takes 40 to 75 ms, and elkjs is no package a user needs.
 */
import ELK from 'elkjs';

/** Sizes in units of the SVG; the page draws with the same ones (src/inspector/page/chart.ts, style.css). */
const TITLE = { height: 30, perCharacter: 7.4, padding: 30 };
const INTERNAL = { height: 15, perCharacter: 6, padding: 26, bottom: 8 };
const LABEL = { height: 14, perCharacter: 6, padding: 10 };
const INITIAL_SIZE = 10;

/** An edge that stands for more events than this names the first ones and counts the others. */
const LABEL_LINES = 4;
/** There are many ways to the end, and they are alike. */
const LABEL_LINES_TO_END = 2;

/** How a state is named in snapshots and in `status()`: `parent.child`. */
const pathOf = (node) => node.path.join('.');

/** The states and transitions of a machine, without places: what the definition says. */
export function graphOf(machine) {
  const states = [];
  const edges = new Map();
  const visit = (node, parent) => {
    const id = pathOf(node);
    const internal = [];
    for (const [event, transitions] of node.transitions) {
      for (const { target } of transitions) {
        if (target === undefined) {
          if (!internal.includes(event)) internal.push(event);
          continue;
        }
        for (const to of target) {
          const key = `${id}>${pathOf(to)}`;
          const edge = edges.get(key) ?? { id: key, from: id, to: pathOf(to), events: [] };
          if (!edge.events.includes(event)) edge.events.push(event);
          edges.set(key, edge);
        }
      }
    }
    const first = node.type === 'compound' ? node.initial.target[0].key : undefined;
    states.push({ id, name: node.key, parent, type: node.type, initial: first, internal });
    for (const child of Object.values(node.states)) visit(child, id);
  };
  visit(machine.root, undefined);
  const [root, ...others] = states;
  return {
    machine: machine.id,
    initial: root.initial,
    anywhere: root.internal,
    states: others,
    edges: [...edges.values()],
  };
}

/** What an edge's label shows. */
function labelLines({ events, to }, { states }) {
  const isEnd = states.some(({ id, type }) => id === to && type === 'final');
  const most = isEnd ? LABEL_LINES_TO_END : LABEL_LINES;
  if (events.length <= most) return events;
  const shown = events.slice(0, most - 1);
  return [...shown, `+ ${events.length - shown.length} more`];
}

const widest = (lines, { perCharacter, padding }) =>
  Math.ceil(Math.max(0, ...lines.map((line) => line.length)) * perCharacter + padding);

function sizeOf(state) {
  const { name, internal } = state;
  const rows = internal.length === 0 ? 0 : internal.length * INTERNAL.height + INTERNAL.bottom;
  return {
    width: Math.max(84, widest([name], TITLE), internal.length === 0 ? 0 : widest(internal, INTERNAL)),
    height: TITLE.height + rows,
  };
}

function elkNode(state, graph) {
  const children = graph.states.filter(({ parent }) => parent === state.id);
  if (children.length === 0) return { id: state.id, ...sizeOf(state) };
  return {
    id: state.id,
    layoutOptions: { 'elk.padding': `[top=${sizeOf(state).height + 14},left=16,bottom=16,right=16]` },
    children: [...children.map((child) => elkNode(child, graph)), initialNode(state.id)],
  };
}

const initialNode = (of) => ({ id: `${of}#initial`, width: INITIAL_SIZE, height: INITIAL_SIZE });
const initialEdge = (of, to) => ({ id: `${of}#start`, sources: [`${of}#initial`], targets: [to] });

/** Places for everything of `graph`. The same input gives the same output. */
export async function layOut(graph) {
  const compounds = graph.states.filter(({ initial }) => initial !== undefined);
  const laid = await new ELK().layout({
    id: '',
    layoutOptions: {
      'elk.algorithm': 'layered',
      'elk.direction': 'DOWN',
      'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
      'elk.layered.cycleBreaking.strategy': 'DEPTH_FIRST',
      // Of all combinations these give the narrowest charts: a page is scrolled down more easily than sideways.
      'elk.layered.layering.strategy': 'LONGEST_PATH',
      'elk.layered.nodePlacement.strategy': 'LINEAR_SEGMENTS',
      'elk.layered.compaction.postCompaction.strategy': 'EDGE_LENGTH',
      'elk.edgeRouting': 'ORTHOGONAL',
      'elk.json.edgeCoords': 'ROOT',
      'elk.json.shapeCoords': 'ROOT',
      'elk.spacing.nodeNode': '24',
      'elk.spacing.edgeNode': '14',
      'elk.spacing.edgeEdge': '10',
      'elk.spacing.edgeLabel': '3',
      'elk.layered.spacing.nodeNodeBetweenLayers': '28',
      'elk.layered.spacing.edgeNodeBetweenLayers': '14',
      'elk.padding': '[top=16,left=16,bottom=16,right=16]',
    },
    children: [
      ...graph.states.filter(({ parent }) => parent === '').map((state) => elkNode(state, graph)),
      initialNode(''),
    ],
    edges: [
      initialEdge('', graph.initial),
      ...compounds.map(({ id, initial }) => initialEdge(id, `${id}.${initial}`)),
      ...graph.edges.map((edge) => {
        const lines = labelLines(edge, graph);
        const size = { width: widest(lines, LABEL), height: lines.length * LABEL.height + 4 };
        return {
          id: edge.id,
          sources: [edge.from],
          targets: [edge.to],
          labels: [{ text: edge.id, ...size, layoutOptions: { 'elk.edgeLabels.inline': 'true' } }],
        };
      }),
    ],
  });
  return place(graph, laid);
}

const round = (n) => Math.round(n * 10) / 10;
const box = ({ x, y, width, height }) => ({
  x: round(x),
  y: round(y),
  width: round(width),
  height: round(height),
});

function place(graph, laid) {
  const nodes = new Map();
  const collect = (node) => {
    nodes.set(node.id, node);
    node.children?.forEach(collect);
  };
  collect(laid);
  const lines = new Map();
  const route = (edge) => {
    const [{ startPoint, bendPoints = [], endPoint }] = edge.sections;
    lines.set(
      edge.id,
      [startPoint, ...bendPoints, endPoint].map(({ x, y }) => [round(x), round(y)]),
    );
  };
  laid.edges.forEach(route);
  const labels = new Map(laid.edges.map((edge) => [edge.id, edge.labels?.[0]]));
  return {
    machine: graph.machine,
    width: Math.ceil(laid.width),
    height: Math.ceil(laid.height),
    anywhere: graph.anywhere,
    starts: [...lines]
      .filter(([id]) => id.endsWith('#start'))
      .map(([id, points]) => ({ ...box(nodes.get(id.replace('#start', '#initial'))), points })),
    states: graph.states.map(({ id, name, type, internal }) => ({
      id,
      name,
      final: type === 'final',
      internal,
      ...box(nodes.get(id)),
    })),
    edges: graph.edges.map((edge) => ({
      ...edge,
      points: lines.get(edge.id),
      label: { lines: labelLines(edge, graph), ...box(labels.get(edge.id)) },
    })),
  };
}

/** Every machine's chart, in the order of their names. */
export async function chartsOf(machines) {
  const charts = [];
  for (const machine of [...machines].sort((a, b) => a.id.localeCompare(b.id, 'en'))) {
    charts.push(await layOut(graphOf(machine)));
  }
  return charts;
}

/** As it is committed: one state or edge a line, so that a difference shows what changed. */
export function chartsText(charts) {
  const list = (items) => items.map((item) => `      ${JSON.stringify(item)}`).join(',\n');
  const one = ({ starts, states, edges, ...head }) =>
    `  ${JSON.stringify(head).slice(0, -1)},"starts":${JSON.stringify(starts)},\n    "states":[\n${list(states)}],\n    "edges":[\n${list(edges)}]}`;
  return `[\n${charts.map(one).join(',\n')}\n]\n`;
}

/** Functions have no place in JSON; the names of actions and guards do. */
const plain = (_key, value) => (typeof value === 'function' ? undefined : value);

/** The configuration of every machine by its id, as the Stately Inspector wants it. */
export function definitionsText(machines) {
  const sorted = [...machines].sort((a, b) => a.id.localeCompare(b.id, 'en'));
  const lines = sorted.map(({ id, config }) => `  ${JSON.stringify(id)}: ${JSON.stringify(config, plain)}`);
  return `{\n${lines.join(',\n')}\n}\n`;
}
