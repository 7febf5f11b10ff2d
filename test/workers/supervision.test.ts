import { afterEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { decodeFirst, encode } from 'cborg';
import {
  Grasp,
  SimulatedNetwork,
  type NegotiateResult,
  type NegotiationSession,
  type SimulatedNode,
} from '../../src/index.js';
import { inlinePair } from '../../src/runtime/index.js';
import { openSimulatedSubstrate } from '../../src/substrate/index.js';
import type { Substrate, Target } from '../../src/substrate/types.js';
import { nodeClock } from '../../src/workers/node-clock.js';
import { osThread, threadTime } from '../../src/workers/thread-time.js';
import { startFaultyEngine, type Fault, type FaultyEngine } from './faulty.js';

let closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.reverse()) await close();
  closing = [];
});

async function twoEngines(): Promise<{
  faulty: FaultyEngine;
  other: Grasp;
  network: SimulatedNetwork;
  node: SimulatedNode;
}> {
  const network = new SimulatedNetwork({ seed: 1 });
  closing.push(() => network.close());
  const addNode = (name: string) => network.addNode(name, { links: ['link'] });
  const node = addNode('faulty');
  const faulty = await startFaultyEngine({ substrate: { kind: 'simulated', node }, sessionWorkers: 1 });
  closing.push(() => faulty.close());
  const other = await Grasp.start({
    substrate: { kind: 'simulated', node: addNode('other') },
    sessionWorkers: 1,
  });
  closing.push(() => other.close());
  return { faulty, other, network, node };
}

async function counterOffer(session: NegotiationSession): Promise<void> {
  const result = await session.negotiateStep(['NZD', 80]);
  if (result.state === 'offered') await result.session.endNegotiate({ accept: true });
}

/** A request with one counter-offer, found by a discovery that the cache does not answer. */
async function negotiates(
  asa: Awaited<ReturnType<Grasp['registerAsa']>>,
  ex3: Parameters<typeof asa.requestNegotiate>[0],
) {
  let result: NegotiateResult | undefined;
  for await (const peer of asa.discover('EX3', { flush: true, timeoutMs: 10_000 })) {
    result = await asa.requestNegotiate(ex3, ['NZD', 300], { peer, timeoutMs: 10_000 });
    break;
  }
  if (result?.state !== 'offered') return result?.state ?? 'nobody found';
  return (await result.session.negotiateStep(['NZD', 250])).state;
}

describe('RUNTIME: a worker that ends or hangs is replaced, on the same ports, and loses only its own sessions', () => {
  const faults: Fault[] = ['throw', 'exit', 'loop'];
  for (const host of ['core', 'listener', 'sessions-1']) {
    test.each(faults)(`${host}: %s`, async (fault) => {
      const { faulty, other } = await twoEngines();
      const briggs = await faulty.registerAsa('Briggs');
      const offered = await briggs.registerObjective({ name: 'EX3', negotiate: true });
      const listening = await offered.onNegotiate(counterOffer);
      const gray = await other.registerAsa('Gray');
      const wanted = await gray.registerObjective({ name: 'EX3', negotiate: true });
      expect(await negotiates(gray, wanted)).toBe('accepted');
      const before = await faulty.supervisor.status();

      faulty.fail({ host, fault });
      await faulty.restarted(host);

      expect(await negotiates(gray, wanted)).toBe('accepted');
      const after = await faulty.supervisor.status();
      expect(after.interfaces[0]?.port).toBe(before.interfaces[0]?.port);
      expect(after.objectives[0]?.listening[0]?.port).toBe(listening.port);
      const restarts = Object.fromEntries(after.threads.map((thread) => [thread.name, thread.restarts]));
      expect(restarts).toEqual({
        supervisor: 0,
        core: 0,
        listener: 0,
        'sessions-1': 0,
        [host]: 1,
      });
    });
  }

  test('a session of the lost worker ends with engineLost (41), its peer sees the connection go', async () => {
    const { faulty, other } = await twoEngines();
    const briggs = await faulty.registerAsa('Briggs');
    const offered = await briggs.registerObjective({ name: 'EX3', negotiate: true });
    let ended: unknown;
    let served!: () => void;
    const failed = new Promise<void>((resolve) => (served = resolve));
    await offered.onNegotiate(async (session) => {
      faulty.fail({ host: 'sessions-1', fault: 'exit' });
      await session.negotiateStep(['NZD', 80]).catch((error: unknown) => (ended = error));
      served();
    });
    const gray = await other.registerAsa('Gray');
    const wanted = await gray.registerObjective({ name: 'EX3', negotiate: true });
    const request = gray
      .requestNegotiate(wanted, ['NZD', 300])
      .then((result) => (result.state === 'offered' ? result.session.negotiateStep(['NZD', 250]) : result));
    await expect(request).rejects.toMatchObject({ code: 23, name: 'noPeer' });
    await failed;
    expect(ended).toMatchObject({ code: 41, name: 'engineLost' });
  });

  test('discoveries under way end with engineLost (41) when the core goes, later ones work', async () => {
    const { faulty } = await twoEngines();
    const asa = await faulty.registerAsa('Briggs');
    const found = Promise.resolve(asa.discover('nobody has it', { timeoutMs: 20_000 }));
    const refused = expect(found).rejects.toMatchObject({ code: 41 });
    faulty.fail({ host: 'core', fault: 'throw' });
    await refused;
    await faulty.restarted('core');
    expect(await asa.discover('nobody has it', { timeoutMs: 10 })).toEqual([]);
  });
});

/** A node without an engine. */
async function bareNode(network: SimulatedNetwork): Promise<Substrate> {
  const [theirs, ours] = inlinePair(nodeClock, { clone: true });
  network.addNode('bare', { links: ['link'] }).connectPort(theirs);
  const substrate = await openSimulatedSubstrate(ours, { clock: nodeClock });
  closing.push(() => substrate.close());
  return substrate;
}

/** Asks with M_REQ_SYN: the value; undefined: closed without an answer; rejects when nobody listens. */
async function valueAt(substrate: Substrate, target: Target, name: string): Promise<unknown> {
  const stream = await substrate.connect(target, { timeoutMs: 1_000 });
  const received: Uint8Array[] = [];
  return new Promise((resolve) => {
    const over = (): void => {
      stream.abort();
      if (received.length === 0) return resolve(undefined);
      const [message] = decodeFirst(Buffer.concat(received)) as [[number, number, unknown[]], Uint8Array];
      resolve(message[2][3]);
    };
    stream.setHandlers({ onData: (bytes) => received.push(bytes.slice()), onEnd: over, onClose: over });
    stream.write(encode([4, 7, [name, 5, 6, null]]));
  });
}

describe('RUNTIME: what is published is answered by the worker that takes a dead one’s place', () => {
  const SYNCH = { negotiate: false, synchronize: true, dryRun: false, loopCount: 6, ttlMs: 60_000 };

  /** An ASA that publishes a value and has a discoverable objective, and where both are. */
  async function publishing() {
    const engines = await twoEngines();
    const { faulty, network } = engines;
    const { supervisor } = faulty;
    const control = supervisor.controlFor('main');
    const asa = await control.registerAsa('Briggs');
    for (const name of ['EX3', 'EX4']) {
      await control.registerObjective(asa, { name, ...SYNCH, overlap: false, discoverable: name === 'EX4' });
    }
    await control.listenSynchronize(asa, 'EX3', encode('first'));
    await control.listenSynchronize(asa, 'EX3', encode('last'));
    const { interfaces, objectives } = await supervisor.status();
    const address = interfaces[0]!.addresses[0]!;
    const [port, presence] = objectives.map(({ listening }) => listening[0]!.port);
    const substrate = await bareNode(network);
    const value = (): Promise<unknown> => valueAt(substrate, { address, port: port! }, 'EX3');
    const absent = (): Promise<unknown> => valueAt(substrate, { address, port: presence! }, 'EX4');
    return { ...engines, value, absent };
  }

  test('the last value, on the same port; a discoverable objective too', async () => {
    const { faulty, value, absent } = await publishing();
    expect(await value()).toBe('last');
    faulty.fail({ host: 'sessions-1', fault: 'exit' });
    await faulty.restarted('sessions-1');
    await faulty.supervisor.sessionHostFor();
    expect(await value()).toBe('last');
    // Connected, and closed without an answer.
    expect(await absent()).toBeUndefined();
  });

  test('a worker that died while there was no security: its listens are there when security is', async () => {
    const { faulty, node, value, absent, other } = await publishing();
    const briggs = await faulty.registerAsa('Gray');
    const offered = await briggs.registerObjective({ name: 'EX5', negotiate: true });
    const listening = await offered.onNegotiate(counterOffer);
    const insecure = expect(briggs.discover('nobody has it', { timeoutMs: 20_000 })).rejects.toMatchObject({
      code: 16,
    });
    node.setSecurity('none');
    await insecure;
    faulty.fail({ host: 'sessions-1', fault: 'exit' });
    await faulty.restarted('sessions-1');
    await faulty.supervisor.sessionHostFor();
    expect(await value()).toBeUndefined();
    node.setSecurity('insecure');
    // Found again, so security has come back everywhere that matters.
    const gray = await other.registerAsa('Gray');
    const wanted = await gray.registerObjective({ name: 'EX5', negotiate: true });
    let result: NegotiateResult | undefined;
    const peer = `[${(await faulty.supervisor.status()).interfaces[0]!.addresses[0]!}]:${listening.port}`;
    for await (const _ of gray.discover('EX5', { flush: true, timeoutMs: 10_000 })) {
      result = await gray.requestNegotiate(wanted, ['NZD', 300], { peer, timeoutMs: 10_000 });
      break;
    }
    expect(result?.state).toBe('offered');
    expect(await value()).toBe('last');
    expect(await absent()).toBeUndefined();
  });
});

describe('RUNTIME: what is busy is not hung', () => {
  test('a blocked main thread restarts nothing', async () => {
    const { faulty } = await twoEngines();
    const asa = await faulty.registerAsa('Briggs');
    const until = performance.now() + 3_000;
    while (performance.now() < until);
    // Enough supervision afterwards for a wrong judgement to show.
    await asa.discover('nobody has it', { timeoutMs: 1_500 });
    const { threads } = await faulty.supervisor.status();
    expect(threads.map((thread) => thread.restarts)).toEqual(threads.map(() => 0));
  });

  test('a worker that is blocked for less than hungAfterMs is left alone', async () => {
    const { faulty } = await twoEngines();
    const asa = await faulty.registerAsa('Briggs');
    faulty.fail({ host: 'listener', fault: 'block', ms: 300 });
    await asa.discover('nobody has it', { timeoutMs: 1_500 });
    const { threads } = await faulty.supervisor.status();
    expect(threads.map((thread) => thread.restarts)).toEqual(threads.map(() => 0));
  });

  test('a worker that works, on a machine that lets it run a fifth of the time only, is left alone', async () => {
    if (threadTime(osThread() ?? -1) === undefined) return; // The operating system does not tell; see thread-time.ts.
    const { faulty } = await twoEngines();
    const asa = await faulty.registerAsa('Briggs');
    // Bounded by themselves, whatever becomes of this test.
    const loop = 'const until = Date.now() + 5000; while (Date.now() < until);';
    const rivals = Array.from({ length: 4 * availableParallelism() }, () =>
      spawn(process.execPath, ['-e', loop]),
    );
    closing.push(() => rivals.forEach((rival) => rival.kill('SIGKILL')));
    await Promise.all(rivals.map((rival) => once(rival, 'spawn')));
    const began = performance.now();
    faulty.fail({ host: 'core', fault: 'work', ms: 250 });
    // Answered by the core, after its work.
    await asa.discover('nobody has it', { timeoutMs: 0 });
    const took = performance.now() - began;
    const { threads } = await faulty.supervisor.status();
    expect(threads.map((thread) => thread.restarts)).toEqual(threads.map(() => 0));
    // Longer than hungAfterMs, or nothing was shown.
    expect(took).toBeGreaterThan(600);
  }, 60_000);
});
