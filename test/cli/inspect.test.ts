/** `grasp inspect` and `--inspect`: where the page is, and how to find it. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Grasp, SimulatedNetwork } from '../../src/cli/api.js';
import { Exit } from '../../src/cli/exit.js';
import { grasp, type Line, type Run, type RunOptions } from './world.js';

let network: SimulatedNetwork;
const stop = { current: new AbortController() };
const running: Promise<Run>[] = [];

beforeEach(() => {
  network = new SimulatedNetwork({ seed: 1 });
  stop.current = new AbortController();
});

afterEach(async () => {
  stop.current.abort(new Error('the test is over'));
  await Promise.all(running.splice(0));
  network.close();
});

/** Runs until it has told of its page. */
async function watched(
  argv: readonly string[],
  options: RunOptions = {},
): Promise<{ page: Line; lines: Line[]; run: Promise<Run> }> {
  const lines: Line[] = [];
  let told!: (line: Line) => void;
  const page = new Promise<Line>((resolve) => (told = resolve));
  const run = grasp([...argv, '--json'], {
    signal: stop.current.signal,
    startEngine: () =>
      Grasp.start({
        substrate: { kind: 'simulated', node: network.addNode('n', { links: ['l'] }) },
        placement: 'inline',
      }),
    onLine: (text) => {
      const line = JSON.parse(text) as Line;
      lines.push(line);
      if (line['event'] === 'inspector') told(line);
    },
    ...options,
  });
  running.push(run);
  return { page: await page, lines, run };
}

const portOf = ({ page }: { page: Line }): string => new URL(String(page['url'])).port;

describe('grasp inspect', () => {
  test('serves the page of an engine of its own until interrupted', async () => {
    const opened: string[] = [];
    const own = await watched(['inspect', '-i', 'l', '--insecure', '--port', '0', '--open'], {
      openBrowser: async (url) => void opened.push(url),
    });
    expect(own.page).toEqual({
      event: 'inspector',
      url: `http://127.0.0.1:${portOf(own)}/`,
      stately: `http://127.0.0.1:${portOf(own)}/stately`,
    });
    const answer = await fetch(String(own.page['url']));
    expect([answer.status, (await answer.text()).includes('<title>GRASP inspector</title>')]).toEqual([
      200,
      true,
    ]);
    stop.current.abort(new Error('interrupted'));
    expect((await own.run).exit).toBe(Exit.done);
    expect(opened).toEqual([own.page['url']]);
    await expect(fetch(String(own.page['url']))).rejects.toThrow();
  });

  test('finds the page of another process, by port or URL, and opens it', async () => {
    const other = await watched(['daemon', '--insecure', '--inspect', '0']);
    const opened: string[] = [];
    const openBrowser = async (url: string): Promise<void> => void opened.push(url);
    for (const where of [portOf(other), `127.0.0.1:${portOf(other)}`, String(other.page['url'])]) {
      const found = await grasp(['inspect', where, '--json', '--open'], { openBrowser });
      expect([where, found.exit]).toEqual([where, Exit.done]);
      expect(found.lines).toEqual([
        { ...other.page, processId: process.pid, nodes: ['engine'], version: expect.any(String) },
      ]);
    }
    const text = await grasp(['inspect', portOf(other), '--stately', '--open'], { openBrowser });
    expect(text.stdout).toBe(`Watch process ${process.pid} (engine) at ${String(other.page['stately'])}\n`);
    expect(opened).toEqual([...Array<unknown>(3).fill(other.page['url']), other.page['stately']]);
  });

  test('says so where there is none, or something else', async () => {
    const site = createServer((_request, response) => response.end('hello'));
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    const { port } = site.address() as AddressInfo;
    const other = await grasp(['inspect', String(port)]);
    site.closeAllConnections();
    await new Promise((resolve) => site.close(resolve));
    const nobody = await grasp(['inspect', String(port)]);
    for (const run of [other, nobody]) {
      expect([run.exit, run.stderr]).toEqual([
        Exit.engine,
        expect.stringContaining(`no inspector is served at http://127.0.0.1:${port}/`),
      ]);
    }
  });

  test.each([
    [['inspect', 'nonsense place'], 'no inspector’s address'],
    [['inspect', 'http://192.0.2.1:8990'], 'no inspector’s address'],
    [['inspect', 'https://127.0.0.1:8990'], 'no inspector’s address'],
    [['inspect', '0'], 'no inspector’s address'],
    [['inspect', '8990', '--insecure'], 'goes without'],
    [['inspect', '--port', '70000'], 'whole number'],
    [['daemon', '--inspect', 'x'], 'whole number'],
  ])('%j is a usage error', async (argv, text) => {
    const run = await grasp(argv);
    expect([run.exit, run.stderr.replace(/'/g, '’')]).toEqual([Exit.usage, expect.stringContaining(text)]);
  });
});

describe('--inspect', () => {
  test.each([
    ['daemon'],
    ['offer', 'EX3', '["NZD",400]'],
    ['publish', 'EX1', '7'],
    ['flood', 'EX2', '42', '--every', '3'],
    ['get-flood', 'EX2', '--watch'],
  ])('%s tells of its page first, and serves its engine', async (...argv) => {
    const { page, lines } = await watched([...argv, '--insecure', '--inspect', '0']);
    expect(lines[0]).toBe(page);
    const about = (await (await fetch(new URL('/about.json', String(page['url'])))).json()) as object;
    expect(about).toMatchObject({ product: 'anima-grasp', nodes: ['engine'] });
  });

  test('a port in use is told, and ends the command', async () => {
    const first = await watched(['daemon', '--insecure', '--inspect', '0']);
    const second = await grasp(['daemon', '--insecure', '--inspect', portOf(first)], {
      startEngine: () =>
        Grasp.start({
          substrate: { kind: 'simulated', node: network.addNode('m', { links: ['l'] }) },
          placement: 'inline',
        }),
    });
    expect([second.exit, second.stderr]).toEqual([
      Exit.engine,
      expect.stringContaining(`port ${portOf(first)} of 127.0.0.1 is in use`),
    ]);
  });
});
