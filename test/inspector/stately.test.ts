/** The Stately bridge, read by the package's own receivers. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { Grasp, SimulatedNetwork } from '../../src/index.js';
import { serveInspector, type InspectorServer } from '../../src/inspector/index.js';
import { root } from '../tooling/root.js';
import { browserDescribe } from './browser.js';

jest.setTimeout(60_000);

let network: SimulatedNetwork;
let bank: Grasp;
let client: Grasp;
let inspector: InspectorServer | undefined;
const closers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  network = new SimulatedNetwork({ seed: 3 });
  const start = (name: string): Promise<Grasp> =>
    Grasp.start({
      substrate: { kind: 'simulated', node: network.addNode(name, { links: ['l'] }) },
      sessionWorkers: 1,
    });
  [bank, client] = await Promise.all([start('bank'), start('client')]);
});

afterEach(async () => {
  await inspector?.close();
  inspector = undefined;
  await Promise.all([bank.close(), client.close(), ...closers.splice(0).map((close) => close())]);
  network.close();
});

async function negotiate(): Promise<void> {
  const briggs = await bank.registerAsa('Briggs');
  const offered = await briggs.registerObjective({ name: 'EX3', negotiate: true });
  await offered.onNegotiate((session) => session.endNegotiate({ accept: true }));
  const gray = await client.registerAsa('Gray');
  const asked = await gray.registerObjective({ name: 'EX3', negotiate: true });
  // A big integer ends other bridges.
  const result = await gray.requestNegotiate(asked, ['NZD', 2n ** 64n], { timeoutMs: 20_000 });
  expect(result.state).toBe('accepted');
}

const threadOf = ({ sessionId }: { sessionId: string }): string =>
  sessionId.slice(0, sessionId.lastIndexOf('/'));

/** What a negotiation of two engines must have shown: every kind of event, of machines in many threads. */
function expectWhole(events: readonly StatelyInspectionEvent[]): void {
  const actors = events.filter(({ type }) => type === '@xstate.actor');
  const threads = new Set(events.filter(({ type }) => type === '@xstate.snapshot').map(threadOf));
  expect(new Set(actors.map(threadOf)).size).toBeGreaterThanOrEqual(6);
  expect(threads.size).toBeGreaterThanOrEqual(3);
  // Ids are unique across threads: each actor is told of once.
  expect(new Set(actors.map(({ sessionId }) => sessionId)).size).toBe(actors.length);
  const sessions = actors.filter(
    (event) => 'name' in event && String(event.name).startsWith('negotiationSession'),
  );
  expect(new Set(sessions.map(threadOf))).toEqual(new Set(['bank/sessions-1', 'client/sessions-1']));
  for (const session of sessions) {
    const of = events.filter(({ sessionId }) => sessionId === session.sessionId);
    expect(of.map(({ type }) => type).slice(0, 3)).toEqual([
      '@xstate.actor',
      '@xstate.event',
      '@xstate.snapshot',
    ]);
    expect(of.at(-1)).toMatchObject({
      type: '@xstate.snapshot',
      snapshot: { status: 'done', value: 'ended' },
    });
    const definition =
      'definition' in session
        ? (JSON.parse(String(session.definition)) as { id: string; states: object })
        : undefined;
    expect(definition?.id).toBe('negotiationSession');
    expect(Object.keys(definition?.states ?? {})).toEqual(
      expect.arrayContaining(['idle', 'ourTurn', 'ended']),
    );
  }
}

const isEnd = (event: StatelyInspectionEvent): boolean =>
  event.type === '@xstate.snapshot' && (event.snapshot as { value?: unknown }).value === 'ended';

describe('the Stately bridge', () => {
  test.each(['before', 'after'] as const)(
    'its official receiver in Node, connected %s the negotiation, gets actors, events and snapshots of all threads',
    async (when) => {
      inspector = await serveInspector({ bank, client }, { port: 0 });
      if (when === 'after') await negotiate();
      const events: StatelyInspectionEvent[] = [];
      const receiver = createWebSocketReceiver({ server: `ws://127.0.0.1:${inspector.port}/stately/feed` });
      const both = new Promise<void>((resolve) =>
        receiver.subscribe((event) => {
          events.push(event);
          if (events.filter(isEnd).length === 2) resolve();
        }),
      );
      if (when === 'before') await negotiate();
      await both;
      expectWhole(events);
    },
  );
});

/** A page that is what the Stately Inspector is to the bridge: it uses the package's receiver, in a frame. */
function inspectorPage(): string {
  // The receiver needs none of what the rest of the package imports, so that may be empty.
  const none = 'data:text/javascript,export default {}; export const stringify = 0; export const uuid = 0;';
  const imports = Object.fromEntries(
    [
      'fast-safe-stringify',
      'safe-stable-stringify',
      'isomorphic-ws',
      'partysocket',
      'superjson',
      '#uuid',
    ].map((name) => [
      name,
      name === 'safe-stable-stringify'
        ? 'data:text/javascript,export default { configure: () => JSON.stringify };'
        : none,
    ]),
  );
  return `<!doctype html><script type="importmap">${JSON.stringify({ imports: { ...imports, xstate: '/xstate.js' } })}</script>
<script type="module">
  import { createBrowserReceiver } from '/inspect.js';
  globalThis.received = [];
  createBrowserReceiver().subscribe((event) => globalThis.received.push(event));
</script>`;
}

browserDescribe('the Stately bridge in Chromium', ({ open, complaints }) => {
  test('the package’s receiver in the frame gets actors, events and snapshots of all threads', async () => {
    const files: Record<string, string> = {
      '/inspect': inspectorPage(),
      '/inspect.js': readFileSync(join(root, 'node_modules/@statelyai/inspect/dist/index.mjs'), 'utf8'),
      // What the receiver uses of it.
      '/xstate.js': 'export const toObserver = (next) => (typeof next === "function" ? { next } : next);',
    };
    const site = createServer(({ url = '' }, response) => {
      response.setHeader('content-type', url.endsWith('.js') ? 'text/javascript' : 'text/html');
      response.end(files[url] ?? '');
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => site.close(() => resolve())));
    const statelyUrl = `http://127.0.0.1:${(site.address() as AddressInfo).port}/inspect`;
    inspector = await serveInspector({ bank, client }, { port: 0, statelyUrl });
    const page = await open(inspector.statelyUrl);
    await page.waitForSelector('#state >> text=Live');
    await negotiate();
    const frame = page.frames().find((each) => each.url() === statelyUrl);
    if (frame === undefined) throw new Error('the bridge shows no frame');
    await frame.waitForFunction(
      `globalThis.received.filter(({ type, snapshot }) => type === '@xstate.snapshot' && snapshot.value === 'ended').length === 2`,
    );
    expectWhole((await frame.evaluate('globalThis.received')) as StatelyInspectionEvent[]);
    expect(complaints).toEqual([]);
    site.closeAllConnections();
  });
});
