/** What `npm run bench -- scale` is made of, and what it shows in small. */
import { describe, expect, test } from '@jest/globals';
import { DEFAULT_LOOPS, Domain, MOST_LOOPS } from '../../bench/scale-domain.js';
import { svgOf } from '../../bench/scale-plot.js';
import { withTable } from '../../bench/scale-report.js';
import { measureSessions } from '../../bench/scale-sessions.js';
import {
  diameterOf,
  distancesFrom,
  makeTopology,
  messagesPerFlood,
  neighboursIn,
  topologyNames,
} from '../../bench/scale-topologies.js';

describe.each(topologyNames)('topology %s', (name) => {
  test.each([2, 3, 10, 97, 1000])('of %i nodes is connected, each link once', (nodes) => {
    const topology = makeTopology(name, nodes, 1);
    const distances = distancesFrom(0, neighboursIn(topology));
    expect(distances.length).toBe(nodes);
    expect(distances.every(Number.isFinite)).toBe(true);
    expect(new Set(topology.edges.map((edge) => edge.join(' '))).size).toBe(topology.edges.length);
    for (const [a, b] of topology.edges) {
      expect(a).toBeLessThan(b);
      expect(b).toBeLessThan(nodes);
    }
  });

  test('is the same for the same seed', () => {
    expect(makeTopology(name, 100, 7)).toEqual(makeTopology(name, 100, 7));
    // A grid has nothing to draw.
    if (name !== 'grid') expect(makeTopology(name, 100, 7)).not.toEqual(makeTopology(name, 100, 8));
  });
});

test('a grid is as square as can be; its last row may be shorter', () => {
  expect(makeTopology('grid', 5, 1).edges).toEqual([
    [0, 1],
    [0, 3],
    [1, 2],
    [1, 4],
    [3, 4],
  ]);
  expect(diameterOf(makeTopology('grid', 100, 1))).toBe(18);
});

test('random: a mean of four links per node; scale-free: two per new node, and some with many', () => {
  expect(makeTopology('random', 1000, 1).edges.length).toBe(2000);
  const scaleFree = makeTopology('scale-free', 1000, 1);
  expect(scaleFree.edges.length).toBe(3 + 2 * 997);
  const degrees = neighboursIn(scaleFree).map(({ length }) => length);
  expect(Math.min(...degrees)).toBe(2);
  expect(Math.max(...degrees)).toBeGreaterThan(30);
});

test('what a flood costs at most, and less the link each node hears it by', () => {
  expect(messagesPerFlood(makeTopology('grid', 4, 1))).toEqual({ perDirection: 8, relayed: 5 });
});

describe('a domain of 30 nodes', () => {
  async function domainOf(name: 'random' | 'grid', nodes: number): Promise<Domain> {
    return Domain.start(makeTopology(name, nodes, 3), { seed: 3 });
  }

  test('G-2.5.6.2-14 a flood reaches everybody, one datagram at most per node and link direction', async () => {
    const domain = await domainOf('random', 30);
    const { arrivedMs } = await domain.flood(domain.nodes[0]!, 'EX1', MOST_LOOPS);
    const { datagrams, mostPerDirection, streamMessages } = domain.traffic();
    expect(arrivedMs.length).toBe(30);
    expect(await domain.holders('EX1')).toBe(30);
    expect(mostPerDirection).toBe(1);
    expect(datagrams).toBe(messagesPerFlood(domain.topology).relayed);
    expect(streamMessages).toBe(0);
    await domain.close();
  });

  test('G-2.5.4.4 the farthest node is found at the first attempt', async () => {
    const domain = await domainOf('random', 30);
    const distances = distancesFrom(0, neighboursIn(domain.topology));
    const far = domain.nodes[distances.indexOf(Math.max(...distances))]!;
    await domain.until(far.asa.registerObjective({ name: 'EX3', negotiate: true, discoverable: true }));
    const { answeredMs } = await domain.discover(domain.nodes[0]!, 'EX3', MOST_LOOPS);
    expect(answeredMs).toBeGreaterThan(0);
    const { datagrams, mostPerDirection } = domain.traffic();
    expect(mostPerDirection).toBe(1);
    expect(datagrams).toBeLessThanOrEqual(messagesPerFlood(domain.topology).relayed);
    await domain.close();
  });

  test('the default loop count carries a flood over six links and no further', async () => {
    const domain = await domainOf('grid', 36);
    const within = distancesFrom(0, neighboursIn(domain.topology)).filter((distance) => distance <= 6).length;
    await domain.flood(domain.nodes[0]!, 'EX1', DEFAULT_LOOPS);
    expect(await domain.holders('EX1')).toBe(within);
    expect(within).toBeLessThan(36);
    await domain.close();
  });
});

test('sessions that are all under way at once', async () => {
  const result = await measureSessions(600);
  expect(result).toMatchObject({ aliveAtResponder: 600, aliveAtInitiator: 600, accepted: 600 });
});

test('a table takes the place of the one before, and nothing else', () => {
  const page = 'a\n\n<!-- scale:x -->\n\nold\n\n<!-- /scale:x -->\n\nb\n';
  expect(withTable(page, 'x', 'new')).toBe(page.replace('old', 'new'));
  expect(withTable(withTable(page, 'x', 'new'), 'x', 'old')).toBe(page);
  expect(() => withTable(page, 'y', 'new')).toThrow('<!-- scale:y -->');
});

test('a chart is an SVG with a line per series, and text that is escaped', () => {
  const svg = svgOf({
    title: 'a < b',
    x: 'nodes',
    y: 'messages',
    logarithmicY: true,
    series: [
      {
        label: 'R&D',
        group: 0,
        points: [
          [10, 20],
          [1000, 2000],
        ],
      },
      { label: 'ideal', group: 0, dashed: true, points: [[10, 10]] },
    ],
  });
  expect(svg).toContain('a &lt; b');
  expect(svg).toContain('R&amp;D');
  // Two series, and their two marks in the legend.
  expect(svg.match(/<polyline/g)?.length).toBe(4);
  expect(svg).not.toContain('NaN');
});
