import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Asa, Grasp, NegotiationSession, Objective, SimulatedNode } from '../../src/index.js';
import { World } from './rig.js';
import { addressBytes, type Stranger, type Wire } from './wire.js';

let world: World;
let wire: Wire;
let client: Grasp;
let gray: { asa: Asa; ex3: Objective };

beforeEach(async () => {
  world = new World();
  wire = world.wire();
  client = (await world.engine('client')).grasp;
  gray = await world.asa(client, 'Gray');
});

afterEach(() => world.close());

const accept = (session: NegotiationSession): Promise<void> => session.endNegotiate({ accept: true });

async function bank(name: string): Promise<{ grasp: Grasp; node: SimulatedNode; asa: Asa; ex3: Objective }> {
  const { grasp, node } = await world.engine(name);
  const { asa, ex3 } = await world.asa(grasp, name);
  await world.until(ex3.onNegotiate(accept));
  return { grasp, node, asa, ex3 };
}

/** A node that answers discoveries with locators nobody listens at. */
async function misleading(name: string, ...ports: number[]): Promise<Stranger> {
  const stranger = await world.stranger(name);
  stranger.onHeard = (message, from) => {
    if (message[0] !== 1) return;
    const locators = ports.map((port) => [103, addressBytes(stranger.address), 6, port]);
    void stranger.respond(from, [2, message[1], message[2], 60_000, ...locators]);
  };
  return stranger;
}

describe('RFC 8991 §2.3.5 a request without a peer', () => {
  test('A-2.3.5-04 known peers are asked without a new discovery', async () => {
    await bank('one');
    await world.until(gray.asa.requestNegotiate(gray.ex3, 1));
    // Three elements: a value would ask for rapid mode.
    expect(wire.of(1).map(({ message }) => message[3])).toEqual([['EX3', 3, 6]]);
    await world.until(gray.asa.requestNegotiate(gray.ex3, 2));
    expect(wire.of(1)).toHaveLength(1);
    expect(wire.of(3)).toHaveLength(2);
  });

  test('4.6 when every known peer refuses, a new discovery is made before it fails', async () => {
    const first = await bank('one');
    await world.until(gray.asa.requestNegotiate(gray.ex3, 1));
    // It goes, and another one comes; what is cached leads nowhere.
    await world.until(first.grasp.close());
    await bank('two');
    wire.forget();
    expect(await world.until(gray.asa.requestNegotiate(gray.ex3, 2))).toMatchObject({ state: 'accepted' });
    expect(wire.of(1)).toHaveLength(1);
    expect(wire.of(3)).toHaveLength(1);
    // What led nowhere is forgotten.
    expect(await world.until(gray.asa.discover('EX3', { timeoutMs: 0 }))).toHaveLength(1);
  });

  test('4.6 nobody accepts: 18 after the discovery, and 17 if nobody was found at all', async () => {
    expect(await world.failure(gray.asa.requestNegotiate(gray.ex3, 1))).toMatchObject({ code: 17 });
    await misleading('liar', 1, 2);
    const started = world.clock.now();
    expect(await world.failure(gray.asa.requestNegotiate(gray.ex3, 1))).toMatchObject({ code: 18 });
    expect(world.clock.now() - started).toBe(600);
    wire.forget();
    // Both are cached now: tried, then looked for again.
    expect(await world.failure(gray.asa.requestNegotiate(gray.ex3, 1))).toMatchObject({ code: 18 });
    expect(wire.of(1)).toHaveLength(1);
  });

  test('D-08 a locator that leads nowhere is skipped while the discovery goes on', async () => {
    await misleading('liar', 1);
    const late = await world.stranger('late');
    const port = await world.until(late.listen(([, sid]) => [[6, sid, [101]]]));
    late.onHeard = (message, from) => {
      if (message[0] !== 1) return;
      world.clock.setTimeout(() => {
        void late.respond(from, [
          2,
          message[1],
          message[2],
          60_000,
          [103, addressBytes(late.address), 6, port],
        ]);
      }, 300);
    };
    const started = world.clock.now();
    expect(await world.until(gray.asa.requestNegotiate(gray.ex3, 1))).toMatchObject({ state: 'accepted' });
    // It ended at the first usable answer.
    expect(world.clock.now() - started).toBeLessThan(400);
  });

  test('what a relay remembers of a peer that refused is not tried again', async () => {
    const stranger = await world.stranger('relay');
    stranger.onHeard = (message, from) => {
      if (message[0] !== 1) return;
      const divert = [100, [103, addressBytes('fd00::dead'), 6, 4000]];
      void stranger.respond(from, [2, message[1], message[2], 60_000, divert]);
    };
    await world.until(gray.asa.discover('EX3'));
    const started = world.clock.now();
    expect(await world.failure(gray.asa.requestNegotiate(gray.ex3, 1))).toMatchObject({ code: 18 });
    const once = world.clock.now() - started;
    // The connection time-out once, and the discovery.
    expect(once).toBeLessThan(2 * 5_000);
    expect(wire.of(1)).toHaveLength(2);
  });

  test('other failures than 18 are not tried elsewhere', async () => {
    const stranger = await world.stranger('rude');
    const port = await world.until(stranger.listen(() => 'close'));
    stranger.onHeard = (message, from) => {
      if (message[0] !== 1) return;
      const locator = [103, addressBytes(stranger.address), 6, port];
      void stranger.respond(from, [2, message[1], message[2], 60_000, locator, locator]);
    };
    expect(await world.failure(gray.asa.requestNegotiate(gray.ex3, 1))).toMatchObject({ code: 23 });
    expect(wire.of(3)).toHaveLength(1);
  });

  test('the same for synchronize: the next one, then a new discovery, then 34', async () => {
    const liar = await misleading('liar', 1, 2);
    expect(await world.failure(gray.asa.synchronize('EX1'))).toMatchObject({ code: 34 });
    wire.forget();
    expect(await world.failure(gray.asa.synchronize('EX1'))).toMatchObject({ code: 34 });
    expect(wire.of(1)).toHaveLength(1);
    await world.until(liar.close());
    const { grasp } = await world.engine('publisher');
    const { ex3: ex1 } = await world.asa(grasp, 'P', { name: 'EX1', negotiate: false, synchronize: true });
    await world.until(ex1.listenSynchronize('here'));
    expect(await world.until(gray.asa.synchronize('EX1'))).toMatchObject({ value: 'here' });
  });
});

describe('peers as users give them', () => {
  test('text, parts and discovered locators lead to the same place; names are resolved', async () => {
    const { node } = await bank('one');
    const [found] = await world.until(gray.asa.discover('EX3'));
    const { address, port } = found!;
    world.network.setName('one.example', node.environment.interfaces[0]!.addresses);
    const peers = [
      found!,
      { address, port: port! },
      `[${address}]:${port}`,
      `one.example:${port}`,
      { address: 'one.example', port: port! },
      { ...found!, kind: 'fqdn', address: 'one.example' } as const,
    ];
    for (const peer of peers) {
      expect(await world.until(gray.asa.requestNegotiate(gray.ex3, 1, { peer }))).toMatchObject({
        state: 'accepted',
      });
    }
  });

  test.each<[string, unknown]>([
    ['URI', { kind: 'uri', address: 'https://x/', port: 80, protocol: 'tcp', diverted: false, expiresAt: 0 }],
    ['UDP', { kind: 'ipv6', address: 'fd00::1', port: 80, protocol: 'udp', diverted: false, expiresAt: 0 }],
    ['no port', '[fd00::1]'],
    ['port 0', { address: 'fd00::1', port: 0 }],
    ['link-local without its interface', '[fe80::1]:4000'],
    ['neither address nor name', { address: 'a b', port: 1 }],
    ['number', 7],
    ['empty', {}],
  ])('38 %s: nothing is sent', async (_name, peer) => {
    const options = { peer: peer as string };
    expect(await world.failure(gray.asa.requestNegotiate(gray.ex3, 1, options))).toMatchObject({ code: 38 });
    expect(await world.failure(gray.asa.synchronize('EX1', options))).toMatchObject({ code: 38 });
    expect(wire.said).toEqual([]);
  });

  test('18 a name that nobody knows', async () => {
    const peer = 'nowhere.example:4000';
    expect(await world.failure(gray.asa.requestNegotiate(gray.ex3, 1, { peer }))).toMatchObject({ code: 18 });
  });
});
