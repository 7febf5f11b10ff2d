/** The inspector's server on a real port of 127.0.0.1; the engine is one of the test's. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { WebSocket } from 'ws';
import { serveInspector, type InspectorOptions, type InspectorServer } from '../../src/inspector/index.js';
import type { ToPage } from '../../src/inspector/feed.js';
import { actor, FakeEngine, message, step } from './fake-engine.js';

const servers: InspectorServer[] = [];
const sockets: WebSocket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(
  engine: FakeEngine | Record<string, FakeEngine> = new FakeEngine(),
  options: InspectorOptions = {},
): Promise<InspectorServer> {
  const server = await serveInspector(engine, { port: 0, ...options });
  servers.push(server);
  return server;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** As a browser would, but with any header: `fetch` lets nobody choose Host. */
function get(
  server: InspectorServer,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port: server.port, path, method, headers },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      },
    );
    request.on('error', reject);
    request.end();
  });
}

/** A page: what it was told, and a way to wait for it. */
class Watcher {
  readonly told: ToPage[] = [];
  readonly socket: WebSocket;
  #wake: () => void = () => undefined;

  constructor(server: InspectorServer, path = '/feed', headers: Record<string, string> = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, { headers });
    sockets.push(this.socket);
    this.socket.on('message', (data: Buffer) => {
      this.told.push(JSON.parse(data.toString()) as ToPage);
      this.#wake();
    });
    this.socket.on('error', () => undefined);
  }

  async first(matches: (told: ToPage) => boolean): Promise<ToPage> {
    for (;;) {
      const found = this.told.find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

const refused = (socket: WebSocket): Promise<string> =>
  new Promise((resolve) =>
    socket.once('unexpected-response', (_request, response) => resolve(String(response.statusCode))),
  );

const itemsOf = (told: ToPage): unknown[] => (told.type === 'items' ? [...told.items] : []);

describe('who is served', () => {
  test('this host by its own names; any other Host is refused (DNS rebinding)', async () => {
    const server = await serve();
    for (const host of [`127.0.0.1:${server.port}`, 'localhost:1', 'LOCALHOST', '[::1]:80']) {
      expect([host, (await get(server, '/', { host })).status]).toEqual([host, 200]);
    }
    for (const host of [
      'evil.example',
      '127.0.0.1.evil.example',
      'localhost.evil.example:80',
      '127.0.0.1@evil.example',
      '192.0.2.1',
    ]) {
      const answer = await get(server, '/', { host });
      expect([host, answer.status, answer.body]).toEqual([host, 403, 'this host is not served here\n']);
    }
  });

  test('no page of another origin gets the feed or anything else', async () => {
    const server = await serve();
    for (const origin of [
      'http://evil.example',
      `http://localhost:${server.port}`,
      `https://127.0.0.1:${server.port}`,
      'http://127.0.0.1:1',
      'null',
    ]) {
      expect([origin, await refused(new Watcher(server, '/feed', { origin }).socket)]).toEqual([
        origin,
        '403',
      ]);
      expect([origin, await refused(new Watcher(server, '/stately/feed', { origin }).socket)]).toEqual([
        origin,
        '403',
      ]);
      expect([origin, (await get(server, '/page/charts.json', { origin })).status]).toEqual([origin, 403]);
    }
    const host = `127.0.0.1:${server.port}`;
    const own = new Watcher(server, '/feed', { host, origin: `http://${host}` });
    expect(await own.first(({ type }) => type === 'hello')).toMatchObject({ type: 'hello' });
  });

  test('a WebSocket with another Host is refused, another path too', async () => {
    const server = await serve();
    expect(await refused(new Watcher(server, '/feed', { host: 'evil.example' }).socket)).toBe('403');
    expect(await refused(new Watcher(server, '/other').socket)).toBe('404');
  });

  test('it listens on 127.0.0.1 and no other address', async () => {
    const server = await serve();
    const others = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ address, scopeid }) => address !== '127.0.0.1' && !scopeid)
      .map(({ address }) => address);
    for (const host of [...others, '::1']) {
      const outcome = await new Promise((resolve) => {
        const socket = connect({ host, port: server.port });
        socket.once('connect', () => resolve('connected'));
        socket.once('error', () => resolve('refused'));
        socket.once('close', () => socket.destroy());
      });
      expect([host, outcome]).toEqual([host, 'refused']);
    }
  });

  test('nothing but its own files, read only', async () => {
    const server = await serve();
    for (const path of [
      '/package.json',
      '/page/../server.js',
      '/page/%2e%2e/server.js',
      '/../../package.json',
      '/page/main.d.ts',
      '/nothing',
    ]) {
      expect([path, (await get(server, path)).status]).toEqual([path, 404]);
    }
    expect((await get(server, '/', {}, 'POST')).status).toBe(405);
    expect(await get(server, '/', {}, 'HEAD')).toMatchObject({ status: 200, body: '' });
    expect((await get(server, '/page/main.js')).headers['content-type']).toBe(
      'text/javascript; charset=utf-8',
    );
  });

  test('the page has a policy without outside sources and without anything inline; the bridge has its own', async () => {
    const server = await serve();
    const page = await get(server, '/');
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toMatch(/unsafe|http|\*/);
    expect(page.body).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=|style=|https?:/);
    const bridge = await get(server, '/stately');
    expect(String(bridge.headers['content-security-policy'])).toContain('frame-src https://stately.ai;');
    expect(bridge.body).toContain('src="https://stately.ai/inspect"');
    expect(policy).not.toContain('stately');
  });

  test('only so many at once', async () => {
    const server = await serve(new FakeEngine(), { limits: { viewers: 1 } });
    await new Watcher(server).first(({ type }) => type === 'hello');
    expect(await refused(new Watcher(server).socket)).toBe('503');
  });
});

describe('what a page is told', () => {
  test('what happens, in batches, without the events that snapshots repeat', async () => {
    const engine = new FakeEngine();
    const page = new Watcher(await serve({ bank: engine }));
    await page.first(({ type }) => type === 'hello');
    engine.show(
      actor('x:1', 'idle', { at: 1 }),
      { ...step('x:1', 'request', 'connecting', { at: 2 }), type: '@xstate.event', sourceId: undefined },
      step('x:1', 'request', 'connecting', { at: 2 }),
    );
    const told = await page.first(({ type }) => type === 'items');
    expect(told).toMatchObject({
      node: 'bank',
      items: [{ type: '@xstate.actor' }, { type: '@xstate.snapshot' }],
    });
    expect(itemsOf(told)).toHaveLength(2);
  });

  test('a page that comes late in a session is told its whole history so far, each item once', async () => {
    const engine = new FakeEngine();
    const server = await serve({ bank: engine }, { limits: { batchMs: 5 } });
    const early = new Watcher(server);
    await early.first(({ type }) => type === 'hello');
    engine.show(actor('x:1', 'idle', { at: 1 }), step('x:1', 'request', 'connecting', { at: 2 }));
    await early.first((told) => itemsOf(told).length > 0);
    engine.show(message('M_REQ_NEG', 'sent', { at: 3, actor: 'x:1' }));
    const late = new Watcher(server);
    const hello = await late.first(({ type }) => type === 'hello');
    engine.show(step('x:1', 'message.end', 'ended', { at: 4, status: 'done' }));
    await late.first((told) => itemsOf(told).some((item) => (item as { at: number }).at === 4));
    const history = hello.type === 'hello' ? hello.nodes.flatMap(({ items }) => [...items]) : [];
    const all = [...history, ...late.told.flatMap(itemsOf)].map((item) => (item as { at: number }).at);
    expect(all).toEqual([1, 2, 3, 4]);
    expect(hello).toMatchObject({
      nodes: [{ name: 'bank', forgotten: 0, ended: false, samples: [{ share: 1 }] }],
    });
  });

  test('which share of the sessions is shown: of late, not since the beginning', async () => {
    const engine = new FakeEngine();
    const page = new Watcher(await serve({ bank: engine }, { limits: { statusEveryMs: 1 } }));
    const share = (wanted: number): Promise<ToPage> =>
      page.first((told) => told.type === 'sample' && told.sample.share === wanted);
    await page.first(({ type }) => type === 'sample');
    engine.actors = { seen: 1_000, chosen: 100 };
    await share(0.1);
    page.told.length = 0;
    await share(1);
    engine.actors = { seen: 1_010, chosen: 105 };
    await share(0.5);
  });

  test('that the engine is closed', async () => {
    const engine = new FakeEngine();
    const server = await serve({ bank: engine });
    const page = new Watcher(server);
    await page.first(({ type }) => type === 'hello');
    engine.end();
    expect(await page.first(({ type }) => type === 'ended')).toEqual({ type: 'ended', node: 'bank' });
    expect(await new Watcher(server).first(({ type }) => type === 'hello')).toMatchObject({
      nodes: [{ ended: true }],
    });
  });

  test('one that does not read is sent no more than the limit, then begins again with the history', async () => {
    const engine = new FakeEngine();
    const server = await serve(engine, {
      limits: { unreadBytes: 64 * 1024, batchMs: 1, historyMulticasts: 10 },
    });
    const quick = new Watcher(server);
    const slow = new Watcher(server);
    await Promise.all([quick, slow].map((each) => each.first(({ type }) => type === 'hello')));
    slow.socket.pause();
    const big = 'x'.repeat(60_000);
    const rounds = 400;
    for (let at = 1; at <= rounds; at++) {
      engine.show(message('M_FLOOD', 'received', { at, via: 'multicast', reason: big }));
      await quick.first((told) => itemsOf(told).some((item) => (item as { at: number }).at === at));
    }
    slow.socket.resume();
    // Whoever reads again is greeted again at the next news.
    const hellos = (): number => slow.told.filter(({ type }) => type === 'hello').length;
    for (let at = rounds + 1; hellos() < 2; at++) {
      engine.show(message('M_FLOOD', 'received', { at, via: 'multicast' }));
      await quick.first((told) => itemsOf(told).some((item) => (item as { at: number }).at === at));
    }
    expect(slow.told.flatMap(itemsOf).length).toBeLessThan(rounds);
    expect(quick.told.flatMap(itemsOf).length).toBeGreaterThanOrEqual(rounds);
    expect(quick.told.filter(({ type }) => type === 'hello')).toHaveLength(1);
  });

  test('says what it is to `grasp inspect`', async () => {
    const server = await serve({ bank: new FakeEngine(), client: new FakeEngine() });
    const about = JSON.parse((await get(server, '/about.json')).body) as unknown;
    expect(about).toEqual({
      product: 'anima-grasp',
      version: expect.any(String),
      processId: process.pid,
      nodes: ['bank', 'client'],
    });
  });
});

describe('how it is called', () => {
  test('the usual port is not insisted on, a given one is', async () => {
    const first = await serve(new FakeEngine(), { port: undefined });
    const second = await serve(new FakeEngine(), { port: undefined });
    expect(first.port).not.toBe(second.port);
    await expect(serveInspector(new FakeEngine(), { port: first.port })).rejects.toMatchObject({
      code: 3,
      message: expect.stringContaining(`port ${first.port} of 127.0.0.1 is in use`),
    });
  });

  test.each<[string, InspectorOptions]>([
    ['a port is a whole number', { port: 65_536 }],
    ['a port is a whole number', { port: 1.5 }],
    ['no limit', { limits: { nonsense: 1 } as never }],
    ['limits.viewers', { limits: { viewers: 0 } }],
    ['statelyUrl', { statelyUrl: 'javascript:alert(1)' }],
  ])('%s: %j is refused', async (text, options) => {
    await expect(serveInspector(new FakeEngine(), { port: 0, ...options })).rejects.toMatchObject({
      code: 3,
      message: expect.stringContaining(text),
    });
  });

  test('no engine at all is refused', async () => {
    await expect(serveInspector({})).rejects.toMatchObject({ code: 3 });
  });

  test('close may be called twice, with pages open', async () => {
    const server = await serve();
    await new Watcher(server).first(({ type }) => type === 'hello');
    await Promise.all([server.close(), server.close()]);
  });
});
