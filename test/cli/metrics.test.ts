import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EngineMetrics } from '../../src/cli/metrics/metrics.js';
import { serveMetrics, type MetricsServer } from '../../src/cli/metrics/server.js';
import { Exit } from '../../src/cli/exit.js';
import { textOf } from '../../src/cli/verbose.js';
import { CHANNEL_PREFIX } from '../../src/api/diagnostics.js';
import { Grasp, SimulatedNetwork } from '../../src/index.js';
import { root } from '../tooling/root.js';
import { grasp as command } from './world.js';

let network: SimulatedNetwork;
let bank: Grasp;
let client: Grasp;
let closing: (() => Promise<void> | void)[];

/** Subscribed before the engines start: they tell everything from their first moment. */
const EARLY = ['session.ended', 'session.step'].map((name) => `${CHANNEL_PREFIX}${name}`);
const ignore = (): void => undefined;

beforeEach(() => {
  for (const name of EARLY) subscribe(name, ignore);
  network = new SimulatedNetwork({ seed: 1 });
  closing = [() => network.close()];
});

afterEach(async () => {
  for (const close of closing.reverse()) await close();
  for (const name of EARLY) unsubscribe(name, ignore);
});

async function start(name: string): Promise<Grasp> {
  const node = network.addNode(name, { links: ['link'] });
  const grasp = await Grasp.start({ substrate: { kind: 'simulated', node }, sessionWorkers: 1 });
  closing.push(() => grasp.close());
  return grasp;
}

async function watched(): Promise<EngineMetrics> {
  bank = await start('bank');
  client = await start('client');
  const metrics = new EngineMetrics(client);
  closing.push(() => metrics.close());
  return metrics;
}

/** Negotiations that end as asked, and one that is declined. */
async function negotiate(times: number): Promise<void> {
  const briggs = await bank.registerAsa('Briggs');
  const offered = await briggs.registerObjective({ name: 'EX3', negotiate: true });
  await offered.onNegotiate((session) =>
    session.endNegotiate(session.value === 0 ? { accept: false, reason: 'no' } : { accept: true }),
  );
  const gray = await client.registerAsa('Gray');
  const wanted = await gray.registerObjective({ name: 'EX3', negotiate: true });
  for (let i = 1; i <= times; i++) await gray.requestNegotiate(wanted, i);
  await gray.requestNegotiate(wanted, 0);
}

/** Values of a metric, by its labels as they stand in the text. */
function valuesOf(text: string, name: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return Object.fromEntries(
    lines.map((line) => {
      const [labels, value] = line.slice(name.length).split(/ (?=[^ ]+$)/);
      return [labels!, Number(value)];
    }),
  );
}

/** Asks again until the metrics say it: events come from other threads in their own time. */
async function until(metrics: EngineMetrics, holds: (text: string) => boolean): Promise<string> {
  for (;;) {
    const text = await metrics.text();
    if (holds(text)) return text;
    await client.status();
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: NodeJS.Dict<string | string[]>;
}

function ask(
  url: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ...options, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, body, headers: response.headers }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

describe('what is measured', () => {
  test('sessions by outcome, latency of steps, caches, threads', async () => {
    const metrics = await watched();
    await negotiate(5);
    const total = (text: string): number =>
      Object.values(valuesOf(text, 'grasp_sessions_ended_total')).reduce((sum, n) => sum + n, 0);
    const text = await until(metrics, (now) => total(now) >= 6);
    expect(valuesOf(text, 'grasp_sessions_ended_total')).toEqual({
      '{procedure="negotiation",role="initiator",outcome="accepted"}': 5,
      '{procedure="negotiation",role="initiator",outcome="declined"}': 1,
    });
    expect(valuesOf(text, 'grasp_step_latency_seconds_count')).toEqual({ '{procedure="negotiation"}': 6 });
    const sum = valuesOf(text, 'grasp_step_latency_seconds_sum')['{procedure="negotiation"}']!;
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThan(60);
    expect(valuesOf(text, 'grasp_cache_entries')).toMatchObject({
      '{cache="discovery"}': 1,
      '{cache="flood"}': 0,
    });
    expect(valuesOf(text, 'grasp_cache_limit')).toMatchObject({ '{cache="discovery"}': 10_000 });
    expect(valuesOf(text, 'grasp_multicasts_sent_total')['{type="M_DISCOVERY",relayed="no"}']).toBe(1);
    expect(valuesOf(text, 'grasp_worker_restarts_total')).toEqual({
      '{thread="supervisor"}': 0,
      '{thread="core"}': 0,
      '{thread="listener"}': 0,
      '{thread="sessions-1"}': 0,
    });
    expect(Object.keys(valuesOf(text, 'grasp_thread_lag_seconds'))).toContain('{thread="core"}');
    expect(valuesOf(text, 'grasp_security')).toEqual({
      '{state="none"}': 0,
      '{state="insecure"}': 1,
      '{state="secure"}': 0,
    });
    expect(valuesOf(text, 'grasp_interfaces')).toEqual({ '': 1 });
  });

  test('multicasts by type and what became of them', async () => {
    const metrics = await watched();
    const gray = await bank.registerAsa('Gray');
    expect(await gray.discover('nobody', { timeoutMs: 50 })).toEqual([]);
    const result = '{type="M_DISCOVERY",result="unknown"}';
    const text = await until(metrics, (now) => valuesOf(now, 'grasp_multicasts_total')[result] === 1);
    expect(
      valuesOf(text, 'grasp_counts_total')['{thread="core",counter="multicast.discovery.unknown"}'],
    ).toBe(1);
  });

  test('only the engine they are of', async () => {
    const metrics = await watched();
    const others = new EngineMetrics(bank);
    closing.push(() => others.close());
    await negotiate(1);
    const text = await until(others, (now) => now.includes('grasp_sessions_ended_total{'));
    expect(Object.keys(valuesOf(text, 'grasp_sessions_ended_total')).join()).toContain('role="responder"');
    const own = await until(metrics, (now) => now.includes('grasp_sessions_ended_total{'));
    expect(Object.keys(valuesOf(own, 'grasp_sessions_ended_total')).join()).not.toContain('role="responder"');
  });

  test('every metric the dashboard asks for exists, and it asks for every one but the raw counts', async () => {
    const metrics = await watched();
    const file = `${root}/extras/grafana/grasp.json`;
    const dashboard = JSON.parse(readFileSync(file, 'utf8')) as {
      panels: { title: string; targets?: { expr: string }[] }[];
    };
    const expressions = dashboard.panels.flatMap(({ targets }) => (targets ?? []).map(({ expr }) => expr));
    expect(expressions.length).toBeGreaterThan(8);
    const asked = new Set(expressions.flatMap((expr) => expr.match(/\bgrasp_[a-z_]+/g) ?? []));
    // What is written beside the metric itself: the parts of a histogram.
    const known = new Set(
      metrics.names.flatMap((name) => [name, `${name}_bucket`, `${name}_count`, `${name}_sum`]),
    );
    for (const name of asked) expect([...known]).toContain(name);
    for (const name of metrics.names) {
      if (name === 'grasp_counts_total') continue;
      expect([...asked].some((each) => each === name || each === `${name}_bucket`)).toBe(true);
    }
  });

  test('the documentation has every metric', async () => {
    const metrics = await watched();
    const text = readFileSync(`${root}/docs/OBSERVABILITY.md`, 'utf8');
    for (const name of metrics.names) expect(text).toContain(`\`${name}\``);
  });
});

describe('who may ask', () => {
  let server: MetricsServer;

  beforeEach(async () => {
    const metrics = await watched();
    server = await serveMetrics(metrics, 0);
    closing.push(() => server.close());
  });

  test('Prometheus on this machine gets text', async () => {
    const { status, body, headers } = await ask(server.url);
    expect(status).toBe(200);
    expect(headers['content-type']).toContain('text/plain; version=0.0.4');
    expect(body).toContain('# TYPE grasp_sessions_ended_total counter');
    expect(new URL(server.url).hostname).toBe('127.0.0.1');
  });

  test.each<[string, { method?: string; headers?: Record<string, string> }, string, number]>([
    [
      'another host name, as a page of another origin has it',
      { headers: { host: 'evil.example' } },
      '/metrics',
      403,
    ],
    ['a name that only begins as ours', { headers: { host: 'localhost.evil.example' } }, '/metrics', 403],
    ['a page of another origin', { headers: { origin: 'http://evil.example' } }, '/metrics', 403],
    ['a page of no origin', { headers: { origin: 'null' } }, '/metrics', 403],
    ['no GET', { method: 'POST' }, '/metrics', 405],
    ['another method', { method: 'DELETE' }, '/metrics', 405],
    ['another path', {}, '/', 404],
  ])('%s is refused', async (_who, options, path, status) => {
    const answer = await ask(new URL(path, server.url).href, options);
    expect(answer.status).toBe(status);
    expect(answer.body).not.toContain('grasp_sessions');
  });

  test('HEAD has no body; localhost is this machine', async () => {
    expect(await ask(server.url, { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
    const { port } = new URL(server.url);
    expect(await ask(server.url, { headers: { host: `localhost:${port}` } })).toMatchObject({ status: 200 });
  });

  test('metrics that cannot be read: 503 and why', async () => {
    const gone = { contentType: 'text/plain', text: () => Promise.reject(new Error('the engine is closed')) };
    const broken = await serveMetrics(gone, 0);
    closing.push(() => broken.close());
    expect(await ask(broken.url)).toMatchObject({ status: 503, body: 'the engine is closed\n' });
  });
});

describe('grasp daemon --metrics', () => {
  test('the ready line says where; the port is free again at the end', async () => {
    bank = await start('bank');
    const end = new AbortController();
    let url = '';
    let body = '';
    const run = await command(['daemon', '--metrics', '0', '--insecure', '--json'], {
      signal: end.signal,
      startEngine: () => Promise.resolve(bank),
      onLine: (line) => {
        url = (JSON.parse(line) as { metrics: string }).metrics;
        void ask(url).then((answer) => {
          body = answer.body;
          end.abort();
        });
      },
    });
    expect(run.exit).toBe(Exit.done);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
    expect(body).toContain('grasp_security');
    await expect(ask(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('a port in use: one clear line, exit 3', async () => {
    bank = await start('bank');
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen({ host: '127.0.0.1', port: 0 }, resolve));
    closing.push(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    const run = await command(['daemon', '--metrics', String(port), '--insecure'], {
      startEngine: () => Promise.resolve(bank),
    });
    expect(run.exit).toBe(Exit.engine);
    expect(run.stderr).toContain(`port ${port} of 127.0.0.1 is in use`);
    expect(run.stdout).toBe('');
  });
});

describe('--verbose', () => {
  test('one line for what happens, on standard error', async () => {
    bank = await start('bank');
    const briggs = await bank.registerAsa('Briggs');
    const ex3 = await briggs.registerObjective({ name: 'EX3', negotiate: true });
    await ex3.onNegotiate((session) => session.endNegotiate({ accept: true }));
    const run = await command(['negotiate', 'EX3', '1', '--insecure', '--verbose'], {
      startEngine: () => start('client'),
    });
    expect(run.exit).toBe(Exit.done);
    expect(run.stderr).toMatch(/thread core: started/);
    expect(run.stderr).toMatch(/security: insecure; interfaces: link/);
    expect(run.stderr).toMatch(/M_DISCOVERY sent to link, session \d+, "EX3", \d+ bytes/);
    expect(run.stderr).toMatch(/M_RESPONSE received from \[/);
    expect(run.stderr).toMatch(/negotiation begun: "EX3", initiator/);
    expect(run.stderr).toMatch(/negotiation accepted: "EX3", initiator, peer \[/);
    expect(run.stderr).toMatch(/counters: \{.*"discovery.sent":1/);
  });

  test('the counters after a failure, too', async () => {
    const run = await command(['synchronize', 'EX3', '--insecure', '--verbose', '--loop-count', '1'], {
      startEngine: () => start('client'),
    });
    expect(run.exit).toBe(Exit.noAgreement);
    expect(run.stderr).toMatch(/counters: \{.*"discovery.sent":1/);
  });

  test('a name from the network cannot pass for a line of its own', () => {
    const text = textOf({
      name: 'session.begun',
      thread: 'sessions-1',
      at: 0,
      procedure: 'negotiation',
      about: { objective: 'x\nthread core: lost', role: 'responder' },
    });
    expect(text).toBe('negotiation begun: "x\\nthread core: lost", responder');
  });
});
