/**
 * Bad input by multicast, and to the ports discoveries are sent from: what it leaves behind is nothing but counts
 * under names, and a valid discovery is answered after it. Virtual time over the simulated substrate.
 *
 * What other files show already, and this one does not repeat:
 *
 * | Input | Where |
 * |---|---|
 * | flood: a pair of one, a scalar for a pair, loop count −1, ttl −1 | `floods` "spoils the whole flood" |
 * | flood: link-local initiator, loop count 0 or 2 in either pair | `floods` G-2.5.6.2-09 |
 * | flood: loop count 0 or 1 is cached, not relayed | `flood-relay` G-2.5.6.2-11 |
 * | flood: ttl 0 stays; 2^32−1 in the cache itself | `floods` G-2.8.11-04; `protocol/flood-cache` C-10 |
 * | discovery: loop count 255 relayed as 254, 256 none; 0 and 1 not relayed | `discovery-relay` |
 * | discovery: answered whatever its loop count, flags, value, IPv4 initiator | `core` M_RESPONSE |
 * | 20,000 objectives in a second at a relay, cache lowered to 1,000 | `flood-relay` storms |
 * | 100,000 objectives into the cache itself | `protocol/flood-cache` eviction |
 * | storm of discoveries with spoofed initiators at a relay; sources that do not answer | `discovery-relay`; `core` |
 * | response: another session ID or initiator, too late, no CBOR, nested 100,000 deep | `discovery` "what is no response" |
 * | response: by the interface the relayed discovery came by; with another initiator | `discovery-relay` |
 * | response: 2,600 bytes; ttl 0; cut at every byte, all of it arriving | `discovery` |
 * | M_NOOP, type 42, M_NEGOTIATE, M_INVALID, a number, an empty array by multicast | `listener` |
 * | random bytes, deep nesting, huge lengths, a wrong type in each field | `lab/hostile` |
 * | floods and datagrams per second of real time | `lab/protocol-storm` |
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { encode } from 'cborg';
import type { Datagrams } from '../../src/actors/core-protocol.js';
import { DataPort, inlinePair } from '../../src/runtime/index.js';
import {
  addressBytes,
  CoreRig,
  discovery,
  flood,
  tcp6,
  type CoreEngine,
  type CoreEngineOptions,
  type FloodClient,
  type MulticastPeer,
} from './core-rig.js';

const FAR = 'fd00::51';
/** An objective of this node, and one nobody has. */
const HERE = 'EX3';
const NOWHERE = 'EX9';

let rig: CoreRig;
let engine: CoreEngine;
let client: FloodClient;
/** On l1, from where the bad input comes, and on l2, where nothing of it may come out. */
let p: MulticastPeer;
let q: MulticastPeer;
let idle: Record<string, number>;
let sid: number;

beforeEach(() => {
  rig = new CoreRig();
  sid = 0x7000_0000;
});
afterEach(() => rig.close());

async function node(options: CoreEngineOptions = {}): Promise<void> {
  engine = await rig.engine('engine', { links: ['l1', 'l2'], ...options });
  client = engine.floodClient();
  p = await rig.peer('p', { links: ['l1'] });
  q = await rig.peer('q', { links: ['l2'] });
  p.polite = q.polite = true;
  await engine.announce(HERE, [{}]);
  idle = engine.census();
}

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const toHex = (message: unknown): string =>
  Buffer.from(message instanceof Uint8Array ? message : encode(message)).toString('hex');

/** All counts, of the listener and of the core. */
function counts(): Record<string, number> {
  return { ...engine.heard.snapshot(), ...engine.counters.snapshot() };
}

function sum(names: RegExp): number {
  const chosen = Object.entries(counts()).filter(([name]) => names.test(name));
  return chosen.reduce((total, [, count]) => total + count, 0);
}

/** Every datagram that came is counted under exactly one name, in the listener and, if it got there, in the core. */
function expectAccounted(): void {
  const { heard, counters } = engine;
  expect(heard.get('multicast.received')).toBe(
    sum(/^multicast\.(own-copy|too-big|malformed|other|passed|(discovery|flood)\.queue-full)$/),
  );
  expect(counters.get('multicast.handled')).toBe(heard.get('multicast.passed'));
  const ends =
    /^multicast\.(own|ignored|no-security|refused\..*|flood\.taken|discovery\.(rapid|request|answered|diverted|unknown|spent|repeated|relayed))$/;
  expect(sum(ends)).toBe(counters.get('multicast.handled'));
}

/** No queue, cache or memory is beyond its limit. */
function expectBounded(): void {
  for (const { length, limit } of [...engine.core.status().queues, ...engine.listener.status().queues]) {
    expect(length).toBeLessThanOrEqual(limit);
  }
}

/** A valid discovery is answered, and then, when all that was under way has had its time, no actor is left. */
async function expectServing(from = p): Promise<void> {
  const asked = ++sid;
  await from.multicast(discovery(HERE, { sid: asked, from: 'fd00::88' }));
  await rig.clock.advance(599);
  expect(from.responses.filter(([type, answered]) => type === 2 && answered === asked).length).toBe(1);
  expectBounded();
  expectAccounted();
  await rig.clock.advance(30_000);
  expect(engine.census()).toEqual(idle);
  for (const name of ['relay.discoveries', 'response.in-flight', 'response.waiting', 'response.connections'])
    expect([name, engine.queue(name).length]).toEqual([name, 0]);
}

async function cached(...names: string[]): Promise<number[]> {
  const lengths = [];
  for (const name of names) lengths.push((await client.get(name)).length);
  return lengths;
}

/** Nothing was kept, nothing sent on. */
async function expectNoTrace(): Promise<void> {
  expect(await cached('EX1', 'EX2', 'EX4', NOWHERE)).toEqual([0, 0, 0, 0]);
  for (const name of ['flood.cache', 'flood.memory', 'discovery.cache', 'relay.discovery-memory'])
    expect([name, engine.queue(name).length]).toEqual([name, 0]);
  expect([p.heard, q.heard]).toEqual([[], []]);
}

/** Plays the listener: the core at its own speed, without a network in between. */
function injector() {
  const [theirs, ours] = inlinePair(rig.clock, { clone: true });
  const port = new DataPort<Datagrams, never>(ours, rig.clock, { onEvents: () => undefined });
  engine.core.attachListener(theirs);
  return (...datagrams: Uint8Array[]): void => {
    const source = { interface: 'l1', address: p.linkLocal, port: p.port() };
    let end = 0;
    const entries = Uint32Array.from(datagrams.flatMap(({ length }) => [(end += length), 0]));
    port.send({ bytes: Uint8Array.from(Buffer.concat(datagrams)), entries, sources: [source] });
  };
}

describe('one wrong part spoils the whole flood (§2.8.11, §2.5.6.2)', () => {
  const good = (name: string): unknown[] => [[name, 5, 6, 1], []];
  test.each<[string, unknown, string]>([
    ['a pair of three', [['EX4', 5, 6, 1], [], []], 'flood.pair'],
    ['an empty array', [], 'flood.pair'],
    ['a map', new Map([['EX4', 5]]), 'flood.pair'],
    ['null', null, 'flood.pair'],
    ['no objective', ['EX4', []], 'objective.shape'],
    ['an objective of two', [['EX4', 5], []], 'objective.shape'],
    ['an objective of five', [['EX4', 5, 6, 1, 1], []], 'objective.shape'],
    ['a name of bytes', [[Uint8Array.of(0x45), 5, 6, 1], []], 'objective.name'],
    ['negative flags', [['EX4', -1, 6, 1], []], 'objective.flags'],
    ['flags of null', [['EX4', null, 6, 1], []], 'objective.flags'],
    ['loop count 256', [['EX4', 5, 256, 1], []], 'objective.loop-count'],
    ['a tag that is a number', [['EX4', 5, 6, 1], 103], 'flood.locator'],
    [
      'a tag that is no locator',
      [
        ['EX4', 5, 6, 1],
        [100, tcp6(FAR, 1)],
      ],
      'flood.locator',
    ],
    [
      'two tags in an array',
      [
        ['EX4', 5, 6, 1],
        [tcp6(FAR, 1), tcp6(FAR, 2)],
      ],
      'flood.locator',
    ],
    [
      'an address of 15 bytes',
      [
        ['EX4', 5, 6, 1],
        [103, new Uint8Array(15), 6, 1],
      ],
      'locator.address',
    ],
    [
      'an IPv4 address of 16',
      [
        ['EX4', 5, 6, 1],
        [104, new Uint8Array(16), 6, 1],
      ],
      'locator.address',
    ],
    ['port 65,536', [['EX4', 5, 6, 1], tcp6(FAR, 65_536)], 'locator.port'],
    [
      'protocol 256',
      [
        ['EX4', 5, 6, 1],
        [103, addressBytes(FAR), 256, 1],
      ],
      'locator.protocol',
    ],
    [
      'a locator of five',
      [
        ['EX4', 5, 6, 1],
        [103, addressBytes(FAR), 6, 1, 1],
      ],
      'locator.shape',
    ],
  ])('%s, first, in the middle or last', async (_, bad, reason) => {
    await node();
    const [one, two] = [good('EX1'), good('EX2')];
    const head = (n: number): unknown[] => [9, n, addressBytes('fd00::77'), 60_000];
    await p.multicast([...head(1), bad, one, two]);
    await p.multicast([...head(2), one, bad, two]);
    await p.multicast([...head(3), one, two, bad]);
    await expectNoTrace();
    expect(sum(/^multicast\.refused\./)).toBe(3);
    expect(engine.counters.get(`multicast.refused.${reason}`)).toBe(3);
    // The same session ID, now sound: being refused is not being remembered.
    await p.multicast([...head(1), one, two]);
    expect(await cached('EX1', 'EX2')).toEqual([1, 1]);
    expect(q.heard.length).toBe(1);
    await expectServing();
  });

  test('no pair at all, only options, only negotiation objectives', async () => {
    await node();
    const head = [9, 1, addressBytes('fd00::77'), 60_000];
    await p.multicast(head);
    await p.multicast([...head, [102, 'why'], [999]]);
    await p.multicast([...head, [['EX1', 3, 6, 1], []], [['EX2', 9, 6, 1], []]]);
    await expectNoTrace();
    expect(engine.counters.get('multicast.refused.message.arity')).toBe(1);
    expect(engine.counters.get('multicast.refused.flood.pair')).toBe(1);
    expect(engine.counters.get('multicast.refused.flood.not-synchronization')).toBe(1);
    await expectServing();
  });

  test.each(['fe80::1', 'fe80::ffff:ffff:ffff:ffff', 'febf:ffff::1', '169.254.1.1'])(
    'G-2.5.6.2-09 C-03 from %s with a loop count that is not 1, also of a pair that would not be cached',
    async (from) => {
      await node();
      const head = [9, 1, addressBytes(from), 60_000];
      for (const loop of [0, 2, 6, 255]) await p.multicast([...head, [['EX1', 5, loop, 1], []]]);
      await p.multicast([...head, [['EX1', 5, 1, 1], []], [['EX2', 3, 6, 1], []]]);
      await expectNoTrace();
      expect(engine.counters.get('multicast.refused.flood.link-local-loop-count')).toBe(5);
      await p.multicast([...head, [['EX1', 5, 1, 1], []]]);
      expect([await cached('EX1'), q.heard]).toEqual([[1], []]);
      await expectServing();
    },
  );
});

describe('loop counts', () => {
  /** Session ID 7, initiator fd00::77. */
  const INITIATOR = `50${toHex(addressBytes('fd00::77'))}`;
  const floodOf = (loop: string): Uint8Array =>
    hex(`85 09 07 ${INITIATOR} 19ea60 82 84 63455831 05 ${loop} 01 80`);
  const discoveryOf = (loop: string): Uint8Array => hex(`84 01 07 ${INITIATOR} 83 63455839 03 ${loop}`);

  test.each([
    ['2', '02', 1],
    ['255', '18ff', 254],
    ['255 in nine bytes', '1b00000000000000ff', 254],
  ])('%s: flood and discovery go on with one less', async (_, loop, left) => {
    await node();
    await p.multicast(floodOf(loop));
    await p.multicast(discoveryOf(loop));
    const [flooded, asked] = q.heard.map(({ message }) => message);
    expect([(flooded![4] as unknown[][])[0]![2], (asked![3] as unknown[])[2]]).toEqual([left, left]);
    expect(await cached('EX1')).toEqual([1]);
    await expectServing();
  });

  test.each([
    ['0 in two bytes', '1800'],
    ['1 in nine bytes', '1b0000000000000001'],
  ])('%s: the flood is cached, neither goes on', async (_, loop) => {
    await node();
    await p.multicast(floodOf(loop));
    await p.multicast(discoveryOf(loop));
    expect([await cached('EX1'), q.heard]).toEqual([[1], []]);
    expect(engine.counters.get('flood.relay.loop-count')).toBe(1);
    expect(engine.counters.get('multicast.discovery.spent')).toBe(1);
    await expectServing();
  });

  test.each([
    ['256', '190100'],
    ['65,536', '1a00010000'],
    ['2^32', '1b0000000100000000'],
    ['2^32 + 6', '1b0000000100000006'],
    ['2^53', '1b0020000000000000'],
    ['2^64 − 1', '1bffffffffffffffff'],
    ['2^64, a bignum', 'c249010000000000000000'],
    ['6 as a bignum', 'c24106'],
    ['−1', '20'],
    ['−256', '38ff'],
    ['6.0', 'f94600'],
    ['NaN', 'f97e00'],
    ['infinity', 'f97c00'],
    ['text', '6136'],
    ['true', 'f5'],
    ['null', 'f6'],
    ['undefined', 'f7'],
    ['an array', '8106'],
  ])('%s: neither a flood nor a discovery', async (_, loop) => {
    await node();
    await p.multicast(floodOf(loop));
    await p.multicast(discoveryOf(loop));
    await expectNoTrace();
    expect(engine.counters.get('multicast.refused.objective.loop-count')).toBe(2);
    await expectServing();
  });
});

/** Encodings of what is no ttl. */
const NO_TTL: [string, string][] = [
  ['2^32', '1b0000000100000000'],
  ['2^64 − 1', '1bffffffffffffffff'],
  ['a bignum', 'c2410a'],
  ['−1', '20'],
  ['−2^32', '3affffffff'],
  ['a float', 'fb40ed4c0000000000'],
  ['NaN', 'f97e00'],
  ['infinity', 'f97c00'],
  ['text', '6130'],
  ['null', 'f6'],
  ['an array', '8100'],
];

describe('ttl of floods', () => {
  const INITIATOR = `50${toHex(addressBytes('fd00::77'))}`;
  const floodOf = (ttl: string): Uint8Array => hex(`85 09 07 ${INITIATOR} ${ttl} 82 84 63455831 05 06 01 80`);

  test.each([
    ['0', '00', 0],
    ['1', '01', 1],
    ['2^32 − 1', '1affffffff', 0xffff_ffff],
    ['2^32 − 1 in nine bytes', '1b00000000ffffffff', 0xffff_ffff],
  ])('%s: cached for that long, relayed with it', async (_, encoded, ttl) => {
    await node();
    await p.multicast(floodOf(encoded));
    const [entry] = await client.get('EX1');
    expect(entry!.expiresAt).toBe(ttl === 0 ? 0 : rig.clock.now() + ttl);
    expect(q.heard.map(({ message }) => message[3])).toEqual([ttl]);
    await expectServing();
  });

  test.each(NO_TTL)('%s: refused', async (_, ttl) => {
    await node();
    await p.multicast(floodOf(ttl));
    await expectNoTrace();
    expect(engine.counters.get('multicast.refused.message.ttl')).toBe(1);
    await expectServing();
  });
});

describe('what has no place in a multicast (§2.8.2)', () => {
  test('every message for connections, and every number without a meaning: silence', async () => {
    await node();
    const objective = [HERE, 3, 6, 1];
    const initiator = addressBytes('fd00::77');
    const known: unknown[] = [
      [2, 7, initiator, 60_000, tcp6(FAR, 1)],
      [3, 7, objective],
      [4, 7, [HERE, 5, 6]],
      [5, 7, objective],
      [6, 7, [101]],
      [7, 7, 1_000],
      [8, 7, [HERE, 5, 6, 1]],
    ];
    const unknown: unknown[] = [];
    for (let type = 10; type < 256; type++) unknown.push([type, 7, initiator, objective]);
    for (const type of [256, 257, 0x1_0001, 2 ** 32 + 1, -1, 1.5, '1', null])
      unknown.push([type, 7, initiator, objective]);
    for (const message of [...known, ...unknown]) p.post(message);
    await rig.clock.settle();
    await expectNoTrace();
    expect(engine.heard.get('multicast.other')).toBe(known.length + unknown.length);
    expect(engine.heard.get('multicast.passed')).toBe(0);
    expect(p.accepted).toEqual([]);
    await expectServing();
  });

  test.each([
    ['55799, self-described CBOR', 'd9d9f7'],
    ['24', 'd818'],
    ['0', 'c0'],
    ['2^64 − 1', 'dbffffffffffffffff'],
    ['one in another', 'd9d9f7d9d9f7'],
  ])('a tag around it: %s', async (_, tag) => {
    await node();
    await p.multicast(hex(tag + toHex(discovery(HERE))));
    await p.multicast(hex(tag + toHex(discovery(NOWHERE))));
    await p.multicast(hex(tag + toHex(flood('EX1'))));
    await expectNoTrace();
    expect(p.accepted).toEqual([]);
    expect(engine.heard.get('multicast.other')).toBe(3);
    await expectServing();
  });

  test('a tag around one of its fields: refused under the name of the field; around a value: part of it', async () => {
    await node();
    const initiator = `50${toHex(addressBytes('fd00::77'))}`;
    const cases: [string, string][] = [
      [`84 01 c1 07 ${initiator} 83 63455839 03 06`, 'message.session-id'],
      [`84 01 07 c1 ${initiator} 83 63455839 03 06`, 'message.initiator'],
      [`84 01 07 ${initiator} c1 83 63455839 03 06`, 'objective.shape'],
      [`84 01 07 ${initiator} 83 c1 63455839 03 06`, 'objective.name'],
      [`84 01 07 ${initiator} 83 63455839 c1 03 06`, 'objective.flags'],
      [`84 01 07 ${initiator} 83 63455839 03 c1 06`, 'objective.loop-count'],
      [`85 09 07 ${initiator} c1 01 82 84 63455831 05 06 01 80`, 'message.ttl'],
      [`85 09 07 ${initiator} 01 c1 82 84 63455831 05 06 01 80`, 'flood.pair'],
      [`85 09 07 ${initiator} 01 82 c1 84 63455831 05 06 01 80`, 'objective.shape'],
      [`85 09 07 ${initiator} 01 82 84 63455831 05 06 01 c1 80`, 'flood.locator'],
    ];
    for (const [bytes, reason] of cases) {
      const before = engine.counters.get(`multicast.refused.${reason}`);
      await p.multicast(hex(bytes));
      expect([reason, engine.counters.get(`multicast.refused.${reason}`)]).toEqual([reason, before + 1]);
    }
    await expectNoTrace();
    // Loop count 1: the library that reads what goes on knows no tags.
    await p.multicast(hex(`85 09 07 ${initiator} 00 82 84 63455831 05 01 c1 01 80`));
    expect((await client.get('EX1'))[0]!.value).toEqual(hex('c101'));
    await expectServing();
  });
});

describe('cut off, or with something behind it', () => {
  const whole: [string, unknown][] = [
    ['a discovery', discovery(NOWHERE, { value: [1, { a: 'b' }] })],
    ['a flood', [...flood('EX1', { tag: tcp6(FAR, 1) }), [['EX2', 5, 6, 'x'], []]]],
  ];

  test.each(whole)('%s cut off after each of its bytes', async (_, message) => {
    await node();
    const bytes = encode(message);
    for (let length = 0; length < bytes.length; length++) p.post(Uint8Array.from(bytes.subarray(0, length)));
    await rig.clock.settle();
    await expectNoTrace();
    expect(engine.heard.get('multicast.malformed')).toBe(bytes.length);
    expect(engine.heard.get('multicast.passed')).toBe(0);
    await expectServing();
  });

  test.each(whole)('%s with bytes behind it', async (_, message) => {
    await node();
    const bytes = toHex(message);
    const behind = ['00', '80', 'f6', 'ff', '1c', '18', bytes, '00'.repeat(500)];
    for (const more of behind) p.post(hex(bytes + more));
    await rig.clock.settle();
    await expectNoTrace();
    expect(engine.heard.get('multicast.malformed')).toBe(behind.length);
    await expectServing();
  });

  test.each(whole)('%s with elements behind it that are no options: refused', async (_, message) => {
    await node();
    const surplus = [1, 'x', null, Uint8Array.of(1), [], ['x'], new Map()];
    for (const more of surplus) p.post([...(message as unknown[]), more]);
    await rig.clock.settle();
    await expectNoTrace();
    expect(sum(/^multicast\.refused\.(message\.surplus|flood\.pair)$/)).toBe(surplus.length);
    await expectServing();
  });
});

describe('storms', () => {
  /** One of everything, the n-th of its kind; half of it of no use. */
  function mixed(n: number): unknown {
    const from = `fd00::bad:${(n % 65_536).toString(16)}`;
    switch (n % 10) {
      case 0:
        return discovery(NOWHERE, { sid: n, from, loop: 255 });
      case 1:
        return discovery(n % 50 === 1 ? HERE : NOWHERE, { sid: n, from, loop: 1 });
      case 2:
        return flood(`EX${n}`, { sid: n, from, ttl: 0 });
      case 3:
        return flood('EX1', { sid: n, from, tag: tcp6(FAR, n % 65_536) });
      case 4:
        return flood('EX2', { sid: n, from: 'fe80::1', loop: 6 });
      case 5:
        return [...flood('EX4', { sid: n, from }), [['EX4', 5, 256, 1], []]];
      case 6:
        return [3, n, [HERE, 3, 6, 1]];
      case 7:
        return hex('9f'.repeat(20));
      case 8:
        return new Uint8Array(2_500);
      default:
        return discovery(`X${n}`, { sid: n, from, loop: n % 3 });
    }
  }

  test.each([
    ['leaf', ['l1']],
    ['relay', ['l1', 'l2']],
  ])(
    '20,000 datagrams of all kinds in a second at a %s: answered during it, all of it counted',
    async (_, links) => {
      const limits = { floodCache: 500, floodsPerObjective: 100, discoveryRelays: 50, responsesWaiting: 64 };
      await node({ links, limits });
      rig.network.link('l1').set({ mtu: 3_000 });
      const asker = await rig.peer('asker', { links: ['l1'], deaf: true });
      asker.polite = true;
      let mostRelays = 0;
      for (let i = 0; i < 20_000; i++) {
        p.post(mixed(i));
        if (i % 500 !== 499) continue;
        if (i === 9_999) asker.post(discovery(HERE, { sid: 0x6000_0000 }));
        await rig.clock.advance(25);
        mostRelays = Math.max(mostRelays, engine.queue('relay.discoveries').length);
        expectBounded();
      }
      // Heard in the middle of the storm, and answered long before who asked has lost patience.
      expect(asker.responses.map(([type, answered]) => [type, answered])).toEqual([[2, 0x6000_0000]]);
      const { heard } = engine;
      expect(heard.get('multicast.received') - heard.get('multicast.own-copy')).toBe(20_001);
      expect(engine.heard.get('multicast.malformed')).toBe(2_000);
      expect(engine.heard.get('multicast.too-big')).toBe(2_000);
      expect(engine.heard.get('multicast.other')).toBe(2_000);
      expect(engine.heard.get('multicast.passed')).toBe(14_001);
      expect(engine.counters.get('multicast.refused.flood.link-local-loop-count')).toBe(2_000);
      expect(engine.counters.get('multicast.refused.objective.loop-count')).toBe(2_000);
      expect(engine.counters.get('multicast.flood.taken')).toBe(4_000);
      expect(engine.queue('flood.cache').length).toBe(500);
      expect(await cached('EX2', 'EX4')).toEqual([0, 0]);
      if (links.length === 1) {
        expect(q.heard).toEqual([]);
        expect(engine.counters.get('multicast.discovery.unknown')).toBe(5_600);
      } else {
        // 200 at once, and 200 in the second.
        const relayed = q.heard.filter(({ message }) => message[0] === 1).length;
        expect(Math.abs(relayed - 400)).toBeLessThanOrEqual(10);
        expect(engine.counters.get('multicast.discovery.relayed')).toBe(
          relayed + engine.counters.get('relay.discovery.rate'),
        );
        expect(mostRelays).toBe(50);
        expect(engine.counters.get('relay.discovery.ended-early')).toBeGreaterThan(0);
        expect(sum(/^flood\.relay\./)).toBe(4_000);
        expect(q.heard.length).toBe(relayed + engine.counters.get('flood.relay.relayed'));
      }
      await expectServing(asker);
    },
  );

  /** Of F00000 to F99999, with as many session IDs; ttl 0. */
  const template = Buffer.from(toHex(flood('F00000', { sid: 0xffff_ffff, ttl: 0 })), 'hex');
  const nameAt = template.indexOf('F00000');
  function numbered(n: number): Uint8Array {
    const bytes = Buffer.from(template);
    bytes.writeUInt32BE(n, 3);
    bytes.write(`F${String(n).padStart(5, '0')}`, nameAt);
    return bytes;
  }

  test('100,000 objectives that never expire, by way of the core: the cache stays at its limit', async () => {
    await node();
    const send = injector();
    for (let i = 0; i < 100_000; i += 1_000) {
      send(...Array.from({ length: 1_000 }, (_, j) => numbered(i + j)));
      await rig.clock.settle();
    }
    expect(engine.counters.get('multicast.flood.taken')).toBe(100_000);
    expect(engine.queue('flood.cache')).toEqual({ name: 'flood.cache', length: 10_000, limit: 10_000 });
    expect(engine.counters.get('flood-cache.evicted')).toBe(90_000);
    expect(engine.counters.get('flood.relay.relayed')).toBe(2_000);
    expect(engine.counters.get('flood.relay.rate')).toBe(98_000);
    expect(await cached('F89999', 'F90000', 'F99999')).toEqual([0, 1, 1]);
    send(encode(discovery(HERE, { sid: 5 })));
    await rig.clock.settle();
    expect(p.responses.map(([, answered]) => answered)).toEqual([5]);
    await rig.clock.advance(30_000);
    expect(engine.census()).toEqual(idle);
  });

  test('discoveries with spoofed initiators of every kind: answered and relayed by their source alone', async () => {
    await node();
    const spoofed = [
      '::',
      '::1',
      'ff02::13',
      'fe80::1',
      engine.address(),
      engine.discoveryPort().address,
      '::ffff:192.0.2.1',
      '0.0.0.0',
      '127.0.0.1',
      '255.255.255.255',
    ];
    for (const [i, from] of spoofed.entries()) {
      await p.multicast(discovery(HERE, { sid: 100 + i, from }));
      await p.multicast(discovery(NOWHERE, { sid: 200 + i, from }));
      expect(p.responses.at(-1)!.slice(1, 3)).toEqual([100 + i, addressBytes(from)]);
      expect(q.heard.at(-1)!.message.slice(1, 3)).toEqual([200 + i, addressBytes(from)]);
    }
    expect([p.responses.length, p.heard.length, q.heard.length, q.accepted.length]).toEqual([10, 0, 10, 0]);
    await expectServing();
  });

  test('what has the session ID and initiator of a discovery under way is taken for it, and disturbs it not', async () => {
    await node();
    const own = await engine.client().discover(NOWHERE);
    const [, ownId, initiator] = p.heard[0]!.message;
    for (let i = 0; i < 500; i++) {
      p.post([1, ownId, initiator, [HERE, 3, 255]]);
      p.post([9, ownId, initiator, 0, [['EX1', 5, 6, i], []]]);
    }
    await rig.clock.settle();
    expect(engine.counters.get('multicast.own')).toBe(1_000);
    expect([await cached('EX1'), p.accepted, q.heard.length]).toEqual([[0], [], 1]);
    await q.respond(q.heard[0]!, 60_000, tcp6(FAR, 9));
    expect(own.ports).toEqual([9]);
    await expectServing();
  });
});

describe('responses (§2.8.5)', () => {
  const INITIATOR = addressBytes('fd00::77');

  /** Sends bytes to the discovery port of `link`; the node has to end the stream. */
  async function say(from: MulticastPeer, link: string, ...messages: unknown[]): Promise<void> {
    const stream = await from.connect(engine.discoveryPort(link));
    await stream.send(...messages);
    await stream.end();
    expect(stream.over).toBe(true);
  }

  test('500 to sessions that do not exist, 100 at a time: unmatched, nothing learnt, nothing told', async () => {
    await node();
    const own = await engine.client().discover(NOWHERE);
    for (let round = 0; round < 5; round++) {
      const streams = [];
      for (let i = 0; i < 100; i++) streams.push(await p.connect(engine.discoveryPort('l1')));
      expect(engine.queue('response.connections').length).toBe(100);
      for (const [i, stream] of streams.entries())
        await stream.send([2, round * 100 + i, INITIATOR, 0xffff_ffff, tcp6(FAR, i), [NOWHERE, 5, 6, 1]]);
      for (const stream of streams) await stream.end();
      expect(streams.every(({ over }) => over)).toBe(true);
    }
    expect(engine.counters.get('response.unmatched')).toBe(500);
    expect([engine.queue('discovery.cache').length, own.found]).toEqual([0, []]);
    await expectServing();
  });

  test('the session ID of one discovery with the initiator of another', async () => {
    await node();
    const own = await engine.client().discover(NOWHERE);
    const [, ownId, ownInitiator] = q.heard[0]!.message;
    await p.multicast(discovery('EX8', { sid: 7 }));
    await say(q, 'l2', [2, ownId, INITIATOR, 60_000, tcp6(FAR, 1)]);
    await say(q, 'l2', [2, 7, ownInitiator, 60_000, tcp6(FAR, 2)]);
    // As IPv4 it would be the same four bytes, and is not the same initiator.
    await say(q, 'l2', [2, 7, INITIATOR.slice(0, 4), 60_000, tcp6(FAR, 3)]);
    expect(engine.counters.get('response.unmatched')).toBe(3);
    expect([own.found, p.responses, engine.queue('discovery.cache').length]).toEqual([[], [], 0]);
    await expectServing();
  });

  test('from the wrong side to a relay, of any number: none goes back or is learnt, the right one still is', async () => {
    await node();
    await p.multicast(discovery(NOWHERE, { sid: 7 }));
    for (let i = 0; i < 50; i++) await say(p, 'l1', [2, 7, INITIATOR, 60_000, tcp6(FAR, i)]);
    expect(engine.counters.get('relay.response.wrong-side')).toBe(50);
    expect([p.responses, engine.queue('discovery.cache').length]).toEqual([[], 0]);
    await q.respond(q.heard[0]!, 60_000, tcp6(FAR, 1_000));
    expect(p.responses.map((response) => response[4])).toEqual([[100, tcp6(FAR, 1_000)]]);
    await rig.clock.advance(1_000);
    await say(q, 'l2', [2, 7, INITIATOR, 60_000, tcp6(FAR, 2_000)]);
    expect(engine.counters.get('response.unmatched')).toBe(1);
    await expectServing();
  });

  test.each(NO_TTL)('ttl %s: refused, by the node that asked and by a relay', async (_, ttl) => {
    await node();
    const own = await engine.client().discover(NOWHERE);
    await p.multicast(discovery('EX8', { sid: 7 }));
    for (const { message } of [...q.heard]) {
      const stream = await q.connect(engine.discoveryPort('l2'));
      const head = `${toHex(message[1])}50${toHex(message[2])}`;
      await stream.bytes(hex(`8502${head}${ttl}${toHex(tcp6(FAR, 1))}`));
      expect(stream.over).toBe(true);
      await stream.end();
    }
    expect(engine.counters.get('response.refused.message.ttl')).toBe(2);
    expect([own.found, p.responses, engine.queue('discovery.cache').length]).toEqual([[], [], 0]);
    await expectServing();
  });

  test.each([1, 0xffff_ffff])('ttl %i: kept for that long, passed back with it', async (ttl) => {
    await node();
    const own = await engine.client().discover(NOWHERE);
    await p.multicast(discovery('EX8', { sid: 7 }));
    for (const heard of [...q.heard]) await q.respond(heard, ttl, tcp6(FAR, 1));
    expect(own.found.map(({ expiresAt }) => expiresAt)).toEqual([rig.clock.now() + ttl]);
    expect(p.responses.map((response) => response[3])).toEqual([ttl]);
    await expectServing();
  });

  const deep = (depth: number): unknown => (depth === 0 ? tcp6(FAR, 1) : [100, deep(depth - 1)]);
  test.each<[string, unknown[], string]>([
    ['a divert in a divert and nothing else', [deep(2)], 'divert.empty'],
    ['diverts ten deep', [deep(10)], 'divert.empty'],
    ['an empty divert', [[100]], 'divert.empty'],
    ['two diverts', [deep(1), deep(1)], 'response.order'],
    ['a divert behind a locator', [tcp6(FAR, 1), deep(1)], 'response.order'],
    ['a locator behind a divert', [deep(1), tcp6(FAR, 1)], 'response.order'],
    ['a divert to a link', [[100, tcp6('fe80::1', 1)]], 'divert.unusable'],
    ['a number in a divert', [[100, 103]], 'locator.shape'],
    ['10,000 locators', Array.from({ length: 10_000 }, (_, i) => tcp6(FAR, i)), 'limit.bytes'],
    [
      '10,000 locators in a divert',
      [[100, ...Array.from({ length: 10_000 }, () => tcp6(FAR, 1))]],
      'limit.bytes',
    ],
    ['10,000 empty arrays', Array(10_000).fill([]), 'limit.bytes'],
    ['1,500 empty arrays', Array(1_500).fill([]), 'limit.elements'],
  ])('%s: refused, by the node that asked and by a relay', async (_, rest, reason) => {
    await node();
    const own = await engine.client().discover(NOWHERE);
    await p.multicast(discovery('EX8', { sid: 7 }));
    for (const heard of [...q.heard]) await q.respond(heard, 60_000, ...rest);
    expect(engine.counters.get(`response.refused.${reason}`)).toBe(2);
    expect([own.found, p.responses, engine.queue('discovery.cache').length]).toEqual([[], [], 0]);
    await expectServing();
  });

  test('a divert beside locators in a divert is skipped, they are taken', async () => {
    await node();
    const own = await engine.client().discover(NOWHERE);
    await p.multicast(discovery('EX8', { sid: 7 }));
    for (const heard of [...q.heard])
      await q.respond(heard, 60_000, [100, [100, tcp6(FAR, 1)], tcp6(FAR, 2)]);
    expect(own.ports).toEqual([2]);
    expect(p.responses.map((response) => response[4])).toEqual([[100, tcp6(FAR, 2)]]);
    await expectServing();
  });

  test('cut off after each of its bytes by the end of the stream: none', async () => {
    await node();
    const own = await engine.client().discover(NOWHERE);
    const { message } = q.heard[0]!;
    const bytes = encode([2, message[1], message[2], 60_000, tcp6(FAR, 1)]);
    for (let length = 0; length < bytes.length; length++) {
      const stream = await q.connect(engine.discoveryPort('l2'));
      if (length > 0) await stream.bytes(Uint8Array.from(bytes.subarray(0, length)));
      await stream.end();
      expect(stream.over).toBe(true);
    }
    expect(engine.counters.get('response.none')).toBe(bytes.length);
    expect([own.found, engine.queue('discovery.cache').length]).toEqual([[], 0]);
    await expectServing();
  });

  test('10,000 locators in 200 responses to one discovery, and as many to a relayed one', async () => {
    await node();
    const own = await engine.client().discover(NOWHERE, { timeoutMs: 60_000 });
    await p.multicast(discovery('EX8', { sid: 7, loop: 255 }));
    for (const heard of [...q.heard]) {
      for (let i = 0; i < 200; i++) {
        const locators = Array.from({ length: 50 }, (_, j) => tcp6(FAR, i * 50 + j));
        await q.respond(heard, 60_000, ...locators);
      }
    }
    const { counters } = engine;
    expect(counters.get('response.received')).toBe(200);
    expect([own.found.length, counters.get('discovery.locators')]).toEqual([1_024, 10_000 - 1_024]);
    // Of each objective 256 are kept.
    expect(engine.queue('discovery.cache').length).toBe(512);
    expect(counters.get('discovery-cache.evicted')).toBe(20_000 - 512);
    expect(p.responses.flatMap((response) => (response[4] as unknown[]).slice(1)).length).toBe(256);
    expect(counters.get('relay.response.locators')).toBe(10_000 - 256);
    await rig.clock.advance(60_000);
    expect(own.outcome?.failure).toBeUndefined();
    await expectServing();
  });

  test('limits.discoveryLocators: beyond it cached, not told', async () => {
    await node({ limits: { discoveryLocators: 2 } });
    const own = await engine.client().discover(NOWHERE);
    await q.respond(q.heard[0]!, 60_000, tcp6(FAR, 1), tcp6(FAR, 2), tcp6(FAR, 3));
    // Known ones are no news, and not counted.
    await q.respond(q.heard[0]!, 60_000, tcp6(FAR, 1));
    expect([own.ports, engine.counters.get('discovery.locators')]).toEqual([[1, 2], 1]);
    expect(engine.queue('discovery.cache').length).toBe(3);
  });
});
