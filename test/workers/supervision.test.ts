import { afterEach, describe, expect, test } from '@jest/globals';
import { Grasp, SimulatedNetwork, type NegotiateResult, type NegotiationSession } from '../../src/index.js';
import { startFaultyEngine, type Fault, type FaultyEngine } from './faulty.js';

let closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.reverse()) await close();
  closing = [];
});

async function twoEngines(): Promise<{ faulty: FaultyEngine; other: Grasp }> {
  const network = new SimulatedNetwork({ seed: 1 });
  closing.push(() => network.close());
  const node = (name: string) => network.addNode(name, { links: ['link'] });
  const faulty = await startFaultyEngine({
    substrate: { kind: 'simulated', node: node('faulty') },
    sessionWorkers: 1,
  });
  closing.push(() => faulty.close());
  const other = await Grasp.start({
    substrate: { kind: 'simulated', node: node('other') },
    sessionWorkers: 1,
  });
  closing.push(() => other.close());
  return { faulty, other };
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
});
