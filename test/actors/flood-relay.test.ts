/** Relaying floods (RFC 8990 §2.5.6.2), on one node with several interfaces and in networks of them. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { encode } from 'cborg';
import type { Datagrams } from '../../src/actors/core-protocol.js';
import { DataPort, inlinePair } from '../../src/runtime/index.js';
import type { Substrate } from '../../src/substrate/types.js';
import {
  addressBytes,
  CoreRig,
  flood,
  type CoreEngine,
  type CoreEngineOptions,
  type FloodClient,
  type MulticastPeer,
} from './core-rig.js';

let rig: CoreRig;
beforeEach(() => {
  rig = new CoreRig();
});
afterEach(() => rig.close());

const from = 'fd00::77';
const RELAY_COUNTS = ['known', 'loop-count', 'memory-full', 'backlog', 'rate', 'relayed'] as const;

/** How many floods came to each end. */
function ends(engine: CoreEngine): Record<string, number> {
  const counts = RELAY_COUNTS.map((end) => [end, engine.counters.get(`flood.relay.${end}`)] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

const total = (counts: Record<string, number>) =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

/** Plays the listener, without a network in between. */
function injector(engine: CoreEngine) {
  const [theirs, ours] = inlinePair(rig.clock, { clone: true });
  const port = new DataPort<Datagrams, never>(ours, rig.clock, { onEvents: () => undefined });
  engine.core.attachListener(theirs);
  return (message: unknown, interfaceName = 'l1'): void => {
    const bytes = Uint8Array.from(message instanceof Uint8Array ? message : encode(message));
    port.send({
      bytes,
      entries: Uint32Array.of(bytes.length, 0),
      sources: [{ interface: interfaceName, address: 'fe80::9', port: 40_000 }],
    });
  };
}

describe('a node with three interfaces', () => {
  let engine: CoreEngine;
  let peer: MulticastPeer;
  let client: FloodClient;
  async function start(options: CoreEngineOptions = {}): Promise<void> {
    const links = ['l1', 'l2', 'l3'];
    engine = await rig.engine('engine', { links, ...options });
    peer = await rig.peer('peer', { links });
    client = engine.floodClient();
  }
  /** Interfaces by which copies came back to the peer. */
  const heardOn = () => peer.heard.map((heard) => heard.interface).sort();

  test('G-2.5.6.2-06 -07 -08 -10 relays on all others: session ID, initiator, ttl, values the same, loop count less', async () => {
    await start();
    const pairs = (first: number) => [
      [
        ['EX1', 5, first, [1, 'x']],
        [103, addressBytes('fd00::51'), 6, 4_000],
      ],
      [['EX2', 4, 5, null], []],
    ];
    await peer.multicast([9, 4_000_000_000, addressBytes(from), 77, ...pairs(5)]);
    expect(heardOn()).toEqual(['l2', 'l3']);
    for (const heard of peer.heard) {
      expect(heard.message).toEqual([9, 4_000_000_000, addressBytes(from), 77, ...pairs(4)]);
      const info = engine.environment.interfaces.find(({ name }) => name === heard.interface)!;
      const { port } = engine.core.boundPorts.find((bound) => bound.interface === heard.interface)!;
      expect([heard.address, heard.port]).toEqual([info.linkLocal, port]);
    }
    expect(ends(engine)).toEqual({ relayed: 1 });
  });

  test.each([0, 1])('G-2.5.6.2-11 loop count %i: cached, not relayed', async (loop) => {
    await start();
    await peer.multicast(flood('EX1', { loop }));
    expect(peer.heard).toEqual([]);
    expect((await client.get('EX1')).length).toBe(1);
    expect(ends(engine)).toEqual({ 'loop-count': 1 });
    await peer.multicast(flood('EX1', { sid: 1, loop: 2 }));
    expect(peer.heard.map(({ message }) => message[4])).toEqual([
      [['EX1', 5, 1, 1], []],
      [['EX1', 5, 1, 1], []],
    ]);
  });

  test('C-25 only the first loop count counts, also if its pair is of another kind', async () => {
    await start();
    const message = (first: number) => [
      9,
      7,
      addressBytes(from),
      1,
      [['EX1', 3, first, 1], []],
      [['EX2', 5, 1, 1], []],
    ];
    await peer.multicast(message(2));
    expect(peer.heard.map((heard) => heard.message)).toEqual([message(1), message(1)]);
  });

  test('G-2.5.6.2-09 C-03 a link-local initiator with loop count 1 goes no further', async () => {
    await start();
    await peer.multicast(flood('EX1', { from: 'fe80::1', loop: 1 }));
    expect(peer.heard).toEqual([]);
    expect((await client.get('EX1')).length).toBe(1);
  });

  test('G-2.5.6.2-14 never the same twice, by whatever interface it comes', async () => {
    await start();
    await peer.multicast(flood('EX1'));
    peer.heard.length = 0;
    for (const link of ['l1', 'l2', 'l3']) await peer.multicast(flood('EX1', { loop: 5 }), link);
    expect(peer.heard).toEqual([]);
    expect(ends(engine)).toEqual({ relayed: 1, known: 3 });
  });

  test('G-2.5.6.2-13 remembered for 120 s, from its first coming', async () => {
    await start();
    await peer.multicast(flood('EX1'));
    await rig.clock.advance(60_000);
    await peer.multicast(flood('EX1'));
    await rig.clock.advance(59_999);
    await peer.multicast(flood('EX1'));
    expect(ends(engine)).toEqual({ relayed: 1, known: 2 });
    await rig.clock.advance(1);
    await peer.multicast(flood('EX1'));
    expect(ends(engine)).toEqual({ relayed: 2, known: 2 });
  });

  test('limits.relayMemoryMs', async () => {
    await start({ limits: { relayMemoryMs: 300_000 } });
    await peer.multicast(flood('EX1'));
    await rig.clock.advance(299_999);
    await peer.multicast(flood('EX1'));
    expect(ends(engine)).toEqual({ relayed: 1, known: 1 });
  });

  test('G-2.7-09 the same session ID from two initiators: two floods', async () => {
    await start();
    await peer.multicast(flood('EX1', { sid: 7, from: 'fd00::1' }));
    await peer.multicast(flood('EX1', { sid: 7, from: 'fd00::2' }));
    await peer.multicast([9, 7, Uint8Array.of(192, 0, 2, 1), 1, [['EX1', 5, 6, 1], []]]);
    expect(ends(engine)).toEqual({ relayed: 3 });
  });

  test('C-14 a late copy of an older flood does not overwrite a newer one', async () => {
    await start();
    await peer.multicast(flood('EX1', { sid: 1, value: 'old' }));
    await peer.multicast(flood('EX1', { sid: 2, value: 'new' }));
    await peer.multicast(flood('EX1', { sid: 1, value: 'old', loop: 3 }), 'l2');
    expect((await client.get('EX1'))[0]!.value).toEqual(Uint8Array.from(encode('new')));
  });

  test('one whose loop count is used up is relayed when it comes by a shorter way', async () => {
    await start();
    await peer.multicast(flood('EX1', { loop: 1 }));
    await peer.multicast(flood('EX1', { loop: 4 }), 'l2');
    expect(heardOn()).toEqual(['l1', 'l3']);
  });

  test('interfaces that come and go', async () => {
    await start();
    engine.node.setInterfaceUp('l3', false);
    await rig.clock.settle();
    await peer.multicast(flood('EX1', { sid: 1 }));
    expect(heardOn()).toEqual(['l2']);
    engine.node.setInterfaceUp('l2', false);
    await rig.clock.settle();
    await peer.multicast(flood('EX1', { sid: 2 }));
    expect(heardOn()).toEqual(['l2']);
    // Nothing was relayed, so nothing is remembered.
    engine.node.setInterfaceUp('l2', true);
    engine.node.setInterfaceUp('l3', true);
    await rig.clock.advance(1_000);
    await peer.multicast(flood('EX1', { sid: 2 }));
    expect(heardOn()).toEqual(['l2', 'l2', 'l3']);
  });

  test('G-2.5.6.2-19 nothing without security', async () => {
    await start();
    engine.node.setSecurity('none');
    await rig.clock.settle();
    await peer.multicast(flood('EX1'));
    expect(peer.heard).toEqual([]);
    expect(ends(engine)).toEqual({});
  });

  test('wire.md §3 a flood of more than 1,232 bytes is relayed where the link carries it', async () => {
    await start();
    for (const link of ['l1', 'l3']) rig.network.link(link).set({ mtu: 2_096 });
    await peer.multicast(flood('EX1', { value: new Uint8Array(1_700) }));
    expect(heardOn()).toEqual(['l3']);
    expect(engine.counters.get('flood.relay.too-big')).toBe(1);
    expect((await client.get('EX1'))[0]!.value!.length).toBe(1_703);
    await peer.multicast(flood('EX1', { sid: 1 }));
    expect(heardOn()).toEqual(['l2', 'l3', 'l3']);
  });

  test('G-2.5.6.2-12 limits.floodRelayRate, floodRelayBurst: beyond them cached, not relayed', async () => {
    await start({ limits: { floodRelayRate: 10, floodRelayBurst: 4 } });
    for (let i = 0; i < 20; i++) await peer.multicast(flood(`EX${i}`, { sid: i }));
    expect(ends(engine)).toEqual({ relayed: 4, rate: 16 });
    expect((await client.get('EX19')).length).toBe(1);
    await rig.clock.advance(100);
    // Not relayed is not known: what was beyond the rate may be relayed when it comes again.
    await peer.multicast(flood('EX19', { sid: 19 }));
    await peer.multicast(flood('EX18', { sid: 18 }));
    expect(ends(engine)).toEqual({ relayed: 5, rate: 17 });
  });

  test('limits.floodMemory: when full a flood is cached, not relayed; none is forgotten early', async () => {
    await start({ limits: { floodMemory: 5 } });
    for (let i = 0; i < 8; i++) await peer.multicast(flood(`EX${i}`, { sid: i }));
    expect(ends(engine)).toEqual({ relayed: 5, 'memory-full': 3 });
    expect((await client.get('EX7')).length).toBe(1);
    expect(engine.queue('flood.memory')).toEqual({ name: 'flood.memory', length: 5, limit: 5 });
    await rig.clock.advance(119_999);
    for (let i = 0; i < 5; i++) await peer.multicast(flood(`EX${i}`, { sid: i }));
    await peer.multicast(flood('EX7', { sid: 7 }));
    expect(ends(engine)).toEqual({ relayed: 5, 'memory-full': 4, known: 5 });
    await rig.clock.advance(1);
    await peer.multicast(flood('EX7', { sid: 7 }));
    expect(ends(engine)).toEqual({ relayed: 6, 'memory-full': 4, known: 5 });
  });

  test('limits.floodRelaysInFlight: while the network takes nothing, floods are cached, not relayed', async () => {
    const waiting: (() => void)[] = [];
    const stuck = (substrate: Substrate): Substrate =>
      new Proxy(substrate, {
        get: (target, key) => {
          const member: unknown = Reflect.get(target, key, target);
          if (key !== 'openPair')
            return typeof member === 'function' ? (member.bind(target) as unknown) : member;
          return async (...args: Parameters<Substrate['openPair']>) => {
            const pair = await target.openPair(...args);
            const sendMulticast = () => new Promise<void>((resolve) => waiting.push(resolve));
            return { ...pair, sendMulticast, close: () => pair.close() };
          };
        },
      });
    await start({ limits: { floodRelaysInFlight: 6 }, wrap: stuck });
    for (let i = 0; i < 5; i++) await peer.multicast(flood(`EX${i}`, { sid: i }));
    // Two copies each.
    expect(ends(engine)).toEqual({ relayed: 3, backlog: 2 });
    expect((await client.get('EX4')).length).toBe(1);
    expect(engine.queue('flood.sending')).toEqual({ name: 'flood.sending', length: 6, limit: 6 });
    for (const taken of waiting.splice(0)) taken();
    await rig.clock.settle();
    await peer.multicast(flood('EX4', { sid: 4 }));
    expect(ends(engine)).toEqual({ relayed: 4, backlog: 2 });
  });
});

test('C-22 wire.md §9.4 relays everything else byte for byte, whatever its encoding', async () => {
  const engine = await rig.engine('engine', { links: ['l1', 'l2', 'l3'] });
  const send = injector(engine);
  const sent: string[] = [];
  rig.network.onTraffic(({ bytes }) => sent.push(Buffer.from(bytes).toString('hex')));
  // Indefinite arrays, chunked strings, long integers; a value with a map in a map's key, and undefined.
  const around = (count: string) =>
    `9f 1809 1b0000000000000007 5f 48fd00000000000000 480000000000000077 ff 1a0000ea60
     9f 9f 7f 6245 58 6131 ff 1b0000000000000005 ${count} bf a101f7 9f f97e00 ff ff ff 9f ff ff ff`.replaceAll(
      /\s/g,
      '',
    );
  send(Uint8Array.from(Buffer.from(around('190006'), 'hex')));
  await rig.clock.settle();
  expect(sent).toEqual([around('190005'), around('190005')]);
  expect((await engine.floodClient().get('EX1'))[0]!.value).toEqual(
    Uint8Array.from(Buffer.from('bfa101f79ff97e00ffff', 'hex')),
  );
});

test('cache and memory end with the core: what was relayed before may be relayed once more', async () => {
  const links = ['l1', 'l2'];
  const before = await rig.engine('engine', { links });
  const peer = await rig.peer('peer', { links });
  await peer.multicast(flood('EX1'));
  await rig.run(before.close());
  const after = await rig.engine('engine', { links });
  expect(await after.floodClient().get('EX1')).toEqual([]);
  for (let i = 0; i < 3; i++) await peer.multicast(flood('EX1'));
  expect(peer.heard.length).toBe(2);
  expect(ends(after)).toEqual({ relayed: 1, known: 2 });
  expect((await after.floodClient('other').get('EX1')).length).toBe(1);
});

describe('a node with one interface', () => {
  test('caches, sends nothing, and remembers nothing', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    for (let i = 0; i < 20; i++) await peer.multicast(flood('EX1', { sid: i, value: i }));
    expect(peer.heard).toEqual([]);
    expect((await engine.floodClient().get('EX1'))[0]!.value).toEqual(Uint8Array.of(19));
    expect(engine.queue('flood.memory').length).toBe(0);
    expect(ends(engine)).toEqual({});
  });
});

describe('storms', () => {
  test('20,000 objectives in a second: cache and memory stay at their limits, every flood is accounted for', async () => {
    const limits = { floodCache: 1_000 };
    const engine = await rig.engine('engine', { links: ['l1', 'l2'], limits });
    const send = injector(engine);
    for (let i = 0; i < 20_000; i++) {
      send(flood(`EX${i}`, { sid: i }));
      if (i % 1_000 === 999) await rig.clock.advance(50);
    }
    expect(engine.queue('flood.cache').length).toBe(1_000);
    expect(engine.counters.get('flood-cache.evicted')).toBe(19_000);
    const counts = ends(engine);
    expect(total(counts)).toBe(20_000);
    // 2,000 at once, then 2,000 in the second that all of it takes.
    expect(Math.abs(counts['relayed']! - 4_000)).toBeLessThanOrEqual(100);
    expect(rig.network.counters()['l2']!.datagrams).toBe(counts['relayed']);
    // What is remembered is what was relayed, so the rate bounds it too; nothing waits.
    expect(engine.queue('flood.memory').length).toBe(counts['relayed']);
    expect(engine.queue('flood.sending').length).toBe(0);
    await rig.clock.advance(120_000);
    send(flood('EX1', { sid: 1 }));
    await rig.clock.settle();
    expect(engine.queue('flood.memory').length).toBe(1);
  });
});

describe('networks of relays', () => {
  interface Sent {
    readonly node: string;
    readonly link: string;
  }
  /** Engines with the links given for each, and every datagram that any of them sends. */
  async function network(
    nodes: readonly (readonly string[])[],
  ): Promise<{ engines: CoreEngine[]; sent: Sent[] }> {
    const engines: CoreEngine[] = [];
    for (const [i, links] of nodes.entries()) engines.push(await rig.engine(`n${i}`, { links }));
    const sent: Sent[] = [];
    rig.network.onTraffic(({ node, link }) => sent.push({ node, link }));
    return { engines, sent };
  }
  const ring = (n: number) => Array.from({ length: n }, (_, i) => [`r${i}`, `r${(i + 1) % n}`]);
  const line = (n: number) =>
    Array.from({ length: n }, (_, i) => [i > 0 ? [`e${i - 1}`] : [], i < n - 1 ? [`e${i}`] : []].flat());
  const mesh = (n: number) =>
    Array.from({ length: n }, (_, i) =>
      Array.from({ length: n }, (_, j) => (i === j ? [] : [`m${Math.min(i, j)}${Math.max(i, j)}`])).flat(),
    );

  async function floodFrom(engine: CoreEngine, loopCount = 6): Promise<void> {
    const objective = { name: 'EX1', flags: 5, loopCount };
    const outcome = await engine
      .floodClient()
      .flood([{ objective, value: Uint8Array.of(7), locator: undefined }], 0);
    expect(outcome.failure).toBeUndefined();
    await rig.clock.advance(1_000);
  }
  async function cachedBy(engines: readonly CoreEngine[]): Promise<number[]> {
    const counts = [];
    for (const engine of engines) counts.push((await engine.floodClient('reader').get('EX1')).length);
    return counts;
  }
  const mostPerNodeAndLink = (sent: readonly Sent[]) => {
    const counts = new Map<string, number>();
    for (const { node, link } of sent)
      counts.set(`${node} ${link}`, (counts.get(`${node} ${link}`) ?? 0) + 1);
    return Math.max(...counts.values());
  };

  test.each([
    ['a ring of five', ring(5), 6, 10],
    ['a full mesh of five', mesh(5), 6, 20],
    ['a line of ten', line(10), 10, 10],
    [
      'two nodes on the same two links',
      [
        ['l1', 'l2'],
        ['l1', 'l2'],
      ],
      6,
      4,
    ],
    ['four nodes on the same two links', Array.from({ length: 4 }, () => ['l1', 'l2']), 6, 8],
  ])('%s: each cache filled, no node sends twice on a link', async (_, nodes, loopCount, bound) => {
    const { engines, sent } = await network(nodes);
    await floodFrom(engines[0]!, loopCount);
    expect(await cachedBy(engines)).toEqual(engines.map(() => 1));
    expect(mostPerNodeAndLink(sent)).toBe(1);
    expect(sent.length).toBeLessThanOrEqual(bound);
  });

  test.each([1, 2, 3, 4])('also with delays that differ, and doubled datagrams (seed %i)', async (seed) => {
    const { engines, sent } = await network(mesh(5));
    for (let a = 0; a < 5; a++) {
      for (let b = a + 1; b < 5; b++) {
        const delayMs = ((a * 7 + b * 3) * seed) % 11;
        rig.network.link(`m${a}${b}`).set({ delayMs, jitterMs: 5, duplicateRate: 0.3, reorderRate: 0.3 });
      }
    }
    await floodFrom(engines[seed]!);
    expect(await cachedBy(engines)).toEqual([1, 1, 1, 1, 1]);
    expect(mostPerNodeAndLink(sent)).toBe(1);
  });

  test('G-2.5.6.2-03 -10 the default loop count of 6 carries a flood over six links and no further', async () => {
    const { engines, sent } = await network(line(10));
    await floodFrom(engines[0]!);
    expect(await cachedBy(engines)).toEqual([1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
    expect(sent.map(({ node, link }) => `${node} ${link}`)).toEqual(
      Array.from({ length: 6 }, (_, i) => `n${i} e${i}`),
    );
  });

  test('a link-only flood does not leave its link', async () => {
    const { engines } = await network(line(3));
    const objective = { name: 'EX1', flags: 4, loopCount: 6 };
    const locator = { type: 103, address: new Uint8Array(16), protocol: 6, port: 1 } as const;
    await engines[0]!.floodClient().flood([{ objective, value: Uint8Array.of(7), locator }], 0);
    await rig.clock.advance(100);
    expect(await cachedBy(engines)).toEqual([1, 1, 0]);
  });

  test('G-2.2-05 a cut ring: the flood comes the other way', async () => {
    const { engines } = await network(ring(5));
    engines[0]!.node.setInterfaceUp('r1', false);
    await rig.clock.settle();
    await floodFrom(engines[0]!);
    expect(await cachedBy(engines)).toEqual([1, 1, 1, 1, 1]);
  });
});
