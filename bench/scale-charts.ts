/** What `scale` plots: coverage, messages and time against the size of the domain. */
import { DEFAULT_LOOPS, MOST_LOOPS } from './scale-domain.js';
import type { Growth } from './scale-growth.js';
import type { Chart, Series } from './scale-plot.js';
import { topologyNames, type TopologyName } from './scale-topologies.js';

const NODES = 'nodes';

/** By file name. */
export function chartsOf(growth: readonly Growth[]): Readonly<Record<string, Chart>> {
  /** One series per topology. */
  const each = (
    label: (name: TopologyName) => string,
    value: (growth: Growth) => number | undefined,
    dashed?: boolean,
  ): Series[] =>
    topologyNames.flatMap((name, group) => {
      const points = growth
        .filter(({ topology }) => topology === name)
        .sort((a, b) => a.nodes - b.nodes)
        .flatMap((one): [number, number][] => {
          const y = value(one);
          return y === undefined ? [] : [[one.nodes, y]];
        });
      return points.length === 0 ? [] : [{ label: label(name), points, group, dashed }];
    });
  const flood = ({ floods }: Growth, loopCount: number) => floods.find((one) => one.loopCount === loopCount);
  const discovery = ({ discoveries }: Growth) =>
    discoveries.find(({ loopCount }) => loopCount === MOST_LOOPS)!;
  return {
    'scale-coverage.svg': {
      title: `Nodes reached by a flood, loop count ${DEFAULT_LOOPS} (default) and ${MOST_LOOPS}`,
      x: NODES,
      y: '% of the nodes',
      series: [
        ...each(
          (name) => `${name}, ${DEFAULT_LOOPS}`,
          (one) => 100 * (flood(one, DEFAULT_LOOPS)?.coverage ?? 0),
        ),
        ...each(
          (name) => `${name}, ${MOST_LOOPS}`,
          (one) => 100 * (flood(one, MOST_LOOPS)?.coverage ?? 0),
          true,
        ),
      ],
    },
    'scale-messages.svg': {
      title: 'Messages per flood that reaches everybody',
      x: NODES,
      y: 'messages over all links',
      logarithmicY: true,
      series: [
        ...each(
          (name) => name,
          (one) => flood(one, MOST_LOOPS)?.messages,
        ),
        ...each(
          (name) => `${name}, 1 per direction`,
          (one) => one.perDirection,
          true,
        ),
      ],
    },
    'scale-discovery.svg': {
      title: 'Messages per discovery of the farthest node',
      x: NODES,
      y: 'messages over all links',
      logarithmicY: true,
      series: [
        ...each(
          (name) => `${name}, M_DISCOVERY`,
          (one) => discovery(one).messages,
        ),
        ...each(
          (name) => `${name}, M_RESPONSE`,
          (one) => discovery(one).responses,
          true,
        ),
      ],
    },
    'scale-time.svg': {
      title: 'Time until everybody has a flood, and until a discovery is answered',
      x: NODES,
      y: 'ms of virtual time; a link takes 1 … 1.5 ms',
      series: [
        ...each(
          (name) => `${name}, flood`,
          (one) => flood(one, MOST_LOOPS)?.virtualMs,
        ),
        ...each(
          (name) => `${name}, discovery`,
          (one) => discovery(one).virtualMs,
          true,
        ),
      ],
    },
  };
}
