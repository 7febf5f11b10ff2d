/** The charts that are committed are those of the machines there are. */
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AnyStateMachine } from 'xstate';
import type { ChartLayout } from '../../src/inspector/model/chart-layout.js';
import { loadScript, root } from '../tooling/root.js';

const { chartsOf, chartsText, definitionsText } = await loadScript<{
  chartsOf: (machines: readonly AnyStateMachine[]) => Promise<ChartLayout[]>;
  chartsText: (charts: readonly ChartLayout[]) => string;
  definitionsText: (machines: readonly AnyStateMachine[]) => string;
}>('scripts/lib/charts.mjs');
const { exportedMachines } = await loadScript<{
  exportedMachines: (folder: string) => Promise<{ machine: AnyStateMachine }[]>;
}>('scripts/lib/machines.mjs');

const machines = (await exportedMachines('dist/src/actors')).map(({ machine }) => machine);
const committed = (name: string): string => readFileSync(join(root, 'src/inspector/page', name), 'utf8');

describe('statecharts of the page', () => {
  test('are up to date; if not: npm run build && npm run charts', async () => {
    expect(machines.length).toBeGreaterThan(10);
    expect(chartsText(await chartsOf(machines)) === committed('charts.json')).toBe(true);
    expect(definitionsText(machines) === committed('definitions.json')).toBe(true);
  });

  test('have a place for every state, every transition and every label', async () => {
    const charts = JSON.parse(committed('charts.json')) as ChartLayout[];
    for (const chart of charts) {
      const inside = ({
        x,
        y,
        width,
        height,
      }: {
        x: number;
        y: number;
        width: number;
        height: number;
      }): boolean => x >= 0 && y >= 0 && x + width <= chart.width && y + height <= chart.height;
      const ids = new Set(chart.states.map(({ id }) => id));
      expect([chart.machine, chart.states.every(inside)]).toEqual([chart.machine, true]);
      expect([chart.machine, chart.edges.every(({ from, to }) => ids.has(from) && ids.has(to))]).toEqual([
        chart.machine,
        true,
      ]);
      expect([chart.machine, chart.edges.every(({ points }) => points.length >= 2)]).toEqual([
        chart.machine,
        true,
      ]);
      expect([chart.machine, chart.starts.length]).toEqual([chart.machine, 1]);
      // No state over another one.
      for (const a of chart.states) {
        for (const b of chart.states) {
          if (a === b) continue;
          const apart =
            a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
          expect([chart.machine, a.id, b.id, apart]).toEqual([chart.machine, a.id, b.id, true]);
        }
      }
    }
  });

  test('every state a machine can be in is on its chart', () => {
    const charts = JSON.parse(committed('charts.json')) as ChartLayout[];
    for (const machine of machines) {
      const chart = charts.find((each) => each.machine === machine.id);
      const states = [...Object.values(machine.root.states)].map(({ key }) => key);
      expect([machine.id, states.filter((state) => !chart?.states.some(({ id }) => id === state))]).toEqual([
        machine.id,
        [],
      ]);
    }
  });
});
