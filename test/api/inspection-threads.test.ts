/** Inspection and diagnostics across threads: real workers, real time, a simulated network. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CHANNEL_PREFIX, type DiagnosticName, type Published } from '../../src/api/diagnostics.js';
import { Grasp, SimulatedNetwork, type InspectionItem } from '../../src/index.js';
import { read } from './read.js';

let network: SimulatedNetwork;
let closing: (() => Promise<void> | void)[];

beforeEach(() => {
  network = new SimulatedNetwork({ seed: 1 });
  closing = [() => network.close()];
});

afterEach(async () => {
  for (const close of closing.reverse()) await close();
});

async function start(name: string): Promise<Grasp> {
  const node = network.addNode(name, { links: ['link'] });
  const grasp = await Grasp.start({ substrate: { kind: 'simulated', node }, sessionWorkers: 2 });
  closing.push(() => grasp.close());
  return grasp;
}

const module = (name: string): URL => new URL(`./asas/${name}.js`, import.meta.url);

const endedIn = (items: readonly InspectionItem[], thread: string): number =>
  items.filter((item) => item.type === 'grasp.session' && item.phase === 'ended' && item.thread === thread)
    .length;

describe('inspection of an engine in worker threads', () => {
  test('actors, events and snapshots from every thread, a spawned ASA included; ids are unique', async () => {
    const bank = await start('bank');
    const client = await start('client');
    const inspection = bank.inspect();
    await inspection.attached;
    await bank.spawnAsa(module('banker'), { name: 'Briggs', data: 400 });
    const gray = await client.spawnAsa(module('client'), { name: 'Gray', data: 900 });
    expect(await gray.done).toBe(400);
    const items = await read(inspection, (all) => endedIn(all, 'asa:Briggs') > 0);
    const threads = new Set(items.map(({ thread }) => thread));
    expect([...threads].sort()).toEqual(['asa:Briggs', 'core', 'listener', 'supervisor']);
    const ids = items.flatMap((item) => (item.type === '@xstate.actor' ? [item.sessionId] : []));
    expect(new Set(ids).size).toBe(ids.length);
    for (const item of items) {
      if (item.type === '@xstate.actor') expect(item.sessionId.startsWith(`${item.thread}/x:`)).toBe(true);
    }
    const session = items.find(
      (item) => item.type === '@xstate.actor' && item.machine === 'negotiationSession',
    );
    expect(session).toMatchObject({ thread: 'asa:Briggs', existing: false });
    // In order within each thread, and serialisable as it is.
    for (const thread of threads) {
      const seqs = items.filter((item) => item.thread === thread).map(({ seq }) => seq);
      expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    }
    expect(() => JSON.stringify(items)).not.toThrow();
  });

  test('attached late, to a session that waits in another thread', async () => {
    const bank = await start('bank');
    const client = await start('client');
    const briggs = await bank.registerAsa('Briggs');
    const offered = await briggs.registerObjective({ name: 'EX3', negotiate: true });
    let go!: () => void;
    const wait = new Promise<void>((resolve) => (go = resolve));
    let taken!: () => void;
    const isTaken = new Promise<void>((resolve) => (taken = resolve));
    await offered.onNegotiate(async (session) => {
      taken();
      await wait;
      await session.endNegotiate({ accept: true });
    });
    const gray = await client.registerAsa('Gray');
    const wanted = await gray.registerObjective({ name: 'EX3', negotiate: true });
    const request = gray.requestNegotiate(wanted, 2n ** 80n);
    await isTaken;
    const inspection = bank.inspect({ machines: ['negotiationSession'] });
    await inspection.attached;
    go();
    expect(await request).toMatchObject({ state: 'accepted' });
    const items = await read(inspection, (all) =>
      all.some((item) => item.type === '@xstate.snapshot' && item.snapshot.status === 'done'),
    );
    const actor = items.find((item) => item.type === '@xstate.actor');
    expect(actor).toMatchObject({
      existing: true,
      snapshot: { value: 'ourTurn' },
      about: { role: 'responder' },
    });
    expect(actor!.thread).toMatch(/^sessions-\d$/);
    expect(JSON.stringify(actor)).toContain("2(h'0100000000000000000000')");
  });
});

/** What is published while the test runs. */
class Listening {
  readonly events: Published[] = [];
  readonly #names: readonly DiagnosticName[];
  #until: { holds: (events: readonly Published[]) => boolean; done: () => void } | undefined;

  constructor(...names: DiagnosticName[]) {
    this.#names = names;
    for (const name of names) subscribe(`${CHANNEL_PREFIX}${name}`, this.#on);
    closing.push(() => this.stop());
  }

  stop(): void {
    for (const name of this.#names) unsubscribe(`${CHANNEL_PREFIX}${name}`, this.#on);
  }

  of<N extends DiagnosticName>(name: N): Extract<Published, { name: N }>[] {
    return this.events.filter((event): event is Extract<Published, { name: N }> => event.name === name);
  }

  until(holds: (events: readonly Published[]) => boolean): Promise<void> {
    if (holds(this.events)) return Promise.resolve();
    return new Promise((done) => (this.#until = { holds, done }));
  }

  readonly #on = (message: unknown): void => {
    this.events.push(message as Published);
    if (this.#until?.holds(this.events)) this.#until.done();
  };
}

async function negotiateOnce(bank: Grasp, client: Grasp): Promise<void> {
  const briggs = await bank.registerAsa('Briggs');
  const offered = await briggs.registerObjective({ name: 'EX3', negotiate: true });
  await offered.onNegotiate(async (session) => {
    const result = await session.negotiateStep(2);
    if (result.state === 'offered') await session.endNegotiate({ accept: false, reason: 'enough' });
  });
  const gray = await client.registerAsa('Gray');
  const wanted = await gray.registerObjective({ name: 'EX3', negotiate: true });
  const first = await gray.requestNegotiate(wanted, 1);
  if (first.state === 'offered') await first.session.negotiateStep(3);
}

describe('diagnostics_channel in the thread that called Grasp.start', () => {
  test('sessions with latencies and outcomes, multicasts, counts, caches, threads, interfaces', async () => {
    const heard = new Listening(
      'session.begun',
      'session.step',
      'session.ended',
      'multicast',
      'count',
      'caches',
      'worker',
      'environment',
    );
    const bank = await start('bank');
    const client = await start('client');
    await negotiateOnce(bank, client);
    await heard.until(() => heard.of('session.ended').length >= 2 && heard.of('session.step').length >= 3);
    const ofClient = heard.events.filter(({ grasp }) => grasp === client);
    expect(new Set(ofClient.map(({ name }) => name))).toEqual(
      new Set([
        'worker',
        'environment',
        'session.begun',
        'session.step',
        'session.ended',
        'multicast',
        'count',
        'caches',
      ]),
    );
    const end = heard.of('session.ended').find(({ grasp }) => grasp === client)!;
    expect(end).toMatchObject({
      outcome: 'declined',
      reason: 'enough',
      procedure: 'negotiation',
      about: { objective: 'EX3', role: 'initiator' },
    });
    const steps = heard.of('session.step').filter(({ grasp }) => grasp === client);
    expect(steps.map(({ message }) => message)).toEqual(['M_NEGOTIATE', 'M_END']);
    const waited = steps.reduce((sum, { latencyMs }) => sum + latencyMs, 0);
    expect(waited).toBeGreaterThan(0);
    expect(waited).toBeLessThanOrEqual(end.tookMs!);
    const begun = heard.of('session.begun').find(({ grasp }) => grasp === client)!;
    expect(begun.about).toMatchObject({ objective: 'EX3', role: 'initiator' });
    expect(
      heard
        .of('multicast')
        .map(({ message, direction }) => `${direction} ${message}`)
        .sort(),
    ).toEqual(['received M_DISCOVERY', 'received M_RESPONSE', 'sent M_DISCOVERY', 'sent M_RESPONSE']);
    expect(heard.of('caches').some(({ grasp, discovery }) => grasp === client && discovery === 1)).toBe(true);
    expect(heard.of('count').map(({ counter }) => counter)).toContain('multicast.discovery.answered');
    expect(
      heard
        .of('worker')
        .filter(({ change }) => change === 'started')
        .map(({ thread }) => thread),
    ).toContain('core');
    const [environment] = heard.of('environment');
    expect(environment).toMatchObject({ interfaces: [{ name: 'link' }] });
  });

  test('subscribed while it runs: told after the next look; unsubscribed: no thread watches any more', async () => {
    const bank = await start('bank');
    const client = await start('client');
    const heard = new Listening('session.ended');
    const briggs = await bank.registerAsa('Briggs');
    const offered = await briggs.registerObjective({ name: 'EX3', negotiate: true });
    await offered.onNegotiate((session) => session.endNegotiate({ accept: true }));
    const gray = await client.registerAsa('Gray');
    const wanted = await gray.registerObjective({ name: 'EX3', negotiate: true });
    // Sessions one after the other until one is told of.
    while (heard.events.length === 0) await gray.requestNegotiate(wanted, 1);
    expect(heard.events[0]).toMatchObject({ outcome: 'accepted' });
    heard.stop();
    const before = heard.events.length;
    await gray.requestNegotiate(wanted, 1);
    expect(heard.events).toHaveLength(before);
  });
});
