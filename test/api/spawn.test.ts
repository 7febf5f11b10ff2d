import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Grasp, SimulatedNetwork } from '../../src/index.js';

let network: SimulatedNetwork;
let bank: Grasp;
let other: Grasp;

beforeEach(async () => {
  network = new SimulatedNetwork({ seed: 1 });
  const start = (name: string): Promise<Grasp> =>
    Grasp.start({
      substrate: { kind: 'simulated', node: network.addNode(name, { links: ['link'] }) },
      asaHungAfterMs: 500,
    });
  [bank, other] = await Promise.all([start('bank'), start('other')]);
});

afterEach(async () => {
  await Promise.all([bank.close(), other.close()]);
  network.close();
});

const module = (name: string): URL => new URL(`./asas/${name}.js`, import.meta.url);

async function asasOf(grasp: Grasp): Promise<string[]> {
  return (await grasp.status()).asas.map(({ name }) => name);
}

describe('spawnAsa: an ASA module in a worker of its own, with its sessions', () => {
  test('two modules negotiate, each in its thread; the sessions are there too', async () => {
    const banker = await bank.spawnAsa(module('banker'), { name: 'Briggs', data: 400 });
    const result = await other.spawnAsa(module('client'), { name: 'Gray', data: 900 });
    expect(await result.done).toBe(400);
    const { asas, threads, objectives } = await bank.status();
    expect(asas).toMatchObject([{ name: 'Briggs', thread: 'asa:Briggs' }]);
    expect(objectives[0]?.listening).toMatchObject([{ asa: 'Briggs', thread: 'asa:Briggs' }]);
    expect(threads.find(({ name }) => name === 'asa:Briggs')?.threadId).toBe(banker.threadId);
    await banker.stop();
    expect(await asasOf(bank)).toEqual([]);
  });

  test('a module publishes and floods from its thread, another one reads', async () => {
    const result = await other.spawnAsa(module('reader'), { name: 'Reader' });
    const publisher = await bank.spawnAsa(module('publisher'), { name: 'Publisher', data: ['NZD', 7] });
    expect(await result.done).toEqual([['NZD', 7], 'request', ['NZD', 7], 'fd00::7']);
    const { objectives } = await bank.status();
    expect(objectives.find(({ name }) => name === 'EX1')?.listening).toMatchObject([
      { asa: 'Publisher', thread: 'asa:Publisher', kind: 'synchronize' },
    ]);
    await publisher.stop();
  });

  test('when the module returns, its ASA is deregistered and its worker ends', async () => {
    await bank.spawnAsa(module('banker'), { name: 'Briggs', data: 400 });
    const gray = await other.spawnAsa(module('client'), { name: 'Gray', data: 300 });
    expect(await gray.done).toBe(300);
    expect(await asasOf(other)).toEqual([]);
    expect((await other.status()).threads.map(({ name }) => name)).not.toContain('asa:Gray');
    // The name is free again.
    const again = await other.spawnAsa(module('client'), { name: 'Gray', data: 200 });
    expect(await again.done).toBe(200);
  });

  test.each([
    ['throw', { name: 'RangeError', message: 'out of range' }],
    ['exit', { code: 41, name: 'engineLost' }],
    ['hang', { code: 41, name: 'engineLost' }],
  ])('A-2.3.3-04 when the module does %s, done rejects and the ASA is deregistered', async (how, error) => {
    const failing = await bank.spawnAsa(module('failing'), { name: 'Briggs', data: how });
    await expect(failing.done).rejects.toMatchObject(error);
    expect(await asasOf(bank)).toEqual([]);
    const asa = await other.registerAsa('Gray');
    expect(await asa.discover('EX3', { timeoutMs: 100 })).toEqual([]);
  });

  test('a module that cannot be loaded, or has no default function, is refused at once', async () => {
    await expect(bank.spawnAsa(module('missing'), { name: 'A' })).rejects.toThrow(/Cannot find module/);
    await expect(bank.spawnAsa(module('no-default'), { name: 'B' })).rejects.toMatchObject({ code: 3 });
    expect(await asasOf(bank)).toEqual([]);
  });

  test('a name in use is refused (5)', async () => {
    await bank.registerAsa('Briggs');
    await expect(bank.spawnAsa(module('banker'), { name: 'Briggs', data: 1 })).rejects.toMatchObject({
      code: 5,
    });
  });
});

describe('a thread that is busy with ASA code', () => {
  test('is ended by stop and close within their second, and holds nobody up', async () => {
    const slow = await Grasp.start({
      substrate: { kind: 'simulated', node: network.addNode('slow', { links: ['link'] }) },
      asaHungAfterMs: Infinity,
    });
    const looping = await slow.spawnAsa(module('failing'), { name: 'Looping', data: 'loop' });
    const closed = expect(looping.done).rejects.toMatchObject({ code: 42 });
    // Others register, listen and negotiate meanwhile.
    const asa = await slow.registerAsa('Briggs');
    const ex4 = await asa.registerObjective({ name: 'EX4', negotiate: true });
    await ex4.onNegotiate((session) => session.endNegotiate({ accept: true }));
    const gray = await other.registerAsa('Gray');
    const wanted = await gray.registerObjective({ name: 'EX4', negotiate: true });
    expect(await gray.requestNegotiate(wanted, 1)).toEqual({ state: 'accepted', value: 1 });
    await slow.close();
    await closed;
  });
});
