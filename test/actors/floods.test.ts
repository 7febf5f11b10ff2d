/** Own floods, the flood cache and its watchers, in the core: RFC 8990 §2.5.6.2, §2.8.11; api.md 4.16–4.18. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { encode } from 'cborg';
import type { FloodPair, FloodRecord } from '../../src/actors/core-protocol.js';
import { ErrorCode, MAX_UINT32, type WireLocator } from '../../src/protocol/index.js';
import { SubstrateError, type Substrate } from '../../src/substrate/types.js';
import {
  addressBytes,
  CoreRig,
  flood,
  tcp6,
  type CoreEngine,
  type CoreEngineOptions,
  type FloodClient,
  type MulticastPeer,
} from './core-rig.js';

let rig: CoreRig;
let engine: CoreEngine;
let peer: MulticastPeer;
let client: FloodClient;
beforeEach(() => {
  rig = new CoreRig();
});
afterEach(() => rig.close());

/** An engine and one peer on a link. */
async function two(options: CoreEngineOptions = {}): Promise<void> {
  engine = await rig.engine('engine', options);
  peer = await rig.peer('peer', options.links ? { links: options.links } : {});
  client = engine.floodClient();
}

const pair = (
  name: string,
  value: unknown,
  more: { locator?: WireLocator; loop?: number } = {},
): FloodPair => ({
  objective: { name, flags: 5, loopCount: more.loop ?? 6 },
  value: Uint8Array.from(encode(value)),
  locator: more.locator,
});
const v6 = (address: string, port: number): WireLocator => ({
  type: 103,
  address: addressBytes(address),
  protocol: 6,
  port,
});
/** A value whose flood of EX1 from a 16-byte address has exactly so many bytes. */
const filling = (bytes: number): Uint8Array =>
  new Uint8Array(
    bytes - encode([9, 4_000_000_000, new Uint8Array(16), 60_000, [['EX1', 5, 6], []]]).length - 3,
  );
const values = (records: readonly FloodRecord[]) => records.map(({ value }) => value && Array.from(value));

describe('flooding (api.md 4.16)', () => {
  test('G-2.8.11-02 -03 -05 -07 G-2.5.6.2-02 to the group, with ttl, loop count, value as given, and []', async () => {
    await two();
    const outcome = await client.flood([pair('EX1', { a: [1, 2.5] })], 120_000);
    expect(outcome).toMatchObject({ done: true, failure: undefined });
    expect(peer.heard).toEqual([
      {
        interface: 'l1',
        address: engine.environment.interfaces[0]!.linkLocal,
        port: engine.core.boundPorts[0]!.port,
        message: [
          9,
          expect.any(Number),
          addressBytes(engine.address()),
          120_000,
          [['EX1', 5, 6, { a: [1, 2.5] }], []],
        ],
      },
    ]);
  });

  test('A-2.3.6-06 G-2.8.11-06 several objectives, with and without locator; ttl 0 is written', async () => {
    await two();
    await client.flood(
      [pair('EX1', 1, { locator: v6('fd00::51', 4_000) }), pair('EX2', null, { loop: 255 })],
      0,
    );
    expect(peer.heard[0]!.message.slice(3)).toEqual([
      0,
      [['EX1', 5, 6, 1], tcp6('fd00::51', 4_000)],
      [['EX2', 5, 255, null], []],
    ]);
  });

  test('the value goes out byte for byte, whatever its encoding', async () => {
    await two();
    let sent = '';
    rig.network.onTraffic(({ bytes }) => (sent = Buffer.from(bytes).toString('hex')));
    const value = Uint8Array.from(Buffer.from('9f190001fb3ff8000000000000ff', 'hex'));
    await client.flood([{ ...pair('EX1', 0), value }]);
    expect(sent).toContain(Buffer.from(value).toString('hex'));
  });

  test('G-2.5.6.2-05 -07 one copy per interface, all with the same session ID and initiator', async () => {
    await two({ links: ['l1', 'l2', 'l3'] });
    await client.flood([pair('EX1', 1)]);
    expect(peer.heard.map((heard) => heard.interface).sort()).toEqual(['l1', 'l2', 'l3']);
    expect(new Set(peer.heard.map(({ message }) => message[1])).size).toBe(1);
    for (const { message } of peer.heard) expect(message[2]).toEqual(addressBytes(engine.address('l1')));
  });

  test('G-2.7-01 each flood has a session ID of its own; no two of 1,000 are equal', async () => {
    await two();
    for (let i = 0; i < 1_000; i++)
      client.post({ t: 'flood', asa: 1, ttlMs: 1_000, pairs: [pair('EX1', i)] });
    await rig.clock.settle();
    const ids = new Set(peer.heard.map(({ message }) => message[1] as number));
    expect(ids.size).toBe(1_000);
    expect(Math.max(...ids) - Math.min(...ids)).toBeGreaterThan(2 ** 31);
  });

  test('C-03 a node with only link-local addresses floods its links: their address, loop count 1', async () => {
    await two({ links: ['l1', 'l2'], ula: false });
    await client.flood([pair('EX1', 1), pair('EX2', 2)]);
    expect(peer.heard.length).toBe(2);
    for (const { interface: name, message } of peer.heard) {
      const { linkLocal } = engine.environment.interfaces.find((info) => info.name === name)!;
      expect(message.slice(2)).toEqual([
        addressBytes(linkLocal!),
        60_000,
        [['EX1', 5, 1, 1], []],
        [['EX2', 5, 1, 2], []],
      ]);
    }
    expect((await client.get('EX1'))[0]!.objective.loopCount).toBe(1);
  });

  test('C-21 :: becomes the link-local address of each interface, and every loop count 1', async () => {
    await two({ links: ['l1', 'l2'] });
    await client.flood([pair('EX1', 1), pair('EX2', 2, { locator: v6('::', 4_000) })]);
    expect(peer.heard.length).toBe(2);
    for (const { interface: name, message } of peer.heard) {
      const { linkLocal } = engine.environment.interfaces.find((info) => info.name === name)!;
      expect(message.slice(4)).toEqual([
        [['EX1', 5, 1, 1], []],
        [['EX2', 5, 1, 2], tcp6(linkLocal!, 4_000)],
      ]);
    }
    // Here the tag stays as given, so that the flooder can take it back.
    expect((await client.get('EX2'))[0]!.locator).toEqual(v6('::', 4_000));
    await client.expire('EX2', v6('::', 4_000));
    expect(await client.get('EX2')).toEqual([]);
  });

  test('G-2.5.3-03 exactly 1,232 bytes are sent', async () => {
    await two();
    const outcome = await client.flood([
      { ...pair('EX1', 0), value: Uint8Array.from(encode(filling(1_232))) },
    ]);
    expect(outcome.failure).toBeUndefined();
    expect(peer.heard.length).toBe(1);
    expect(rig.network.counters()['l1']!.datagramBytes).toBe(1_232);
  });

  test('G-2.5.3-03 1,233 bytes: tooBig, nothing is sent on any interface, nothing is cached', async () => {
    await two({ links: ['l1', 'l2'] });
    const value = Uint8Array.from(encode(filling(1_233)));
    const outcome = await client.flood([{ ...pair('EX1', 0), value }]);
    expect(outcome.failure?.code).toBe(ErrorCode.tooBig);
    expect(outcome.failure?.detail).toContain('1233');
    expect(peer.heard).toEqual([]);
    expect(await client.get('EX1')).toEqual([]);
  });

  test('too big without any interface, too', async () => {
    await two({ links: [] });
    const value = Uint8Array.from(encode(filling(1_300)));
    expect((await client.flood([{ ...pair('EX1', 0), value }])).failure?.code).toBe(ErrorCode.tooBig);
  });

  test.each([
    ['ttl beyond 32 bits', [pair('EX1', 1)], MAX_UINT32 + 1],
    ['a negative ttl', [pair('EX1', 1)], -1],
    ['a loop count of 256', [pair('EX1', 1, { loop: 256 })], 1],
    ['no objective', [], 1],
  ])('%s: 3, nothing is sent, and the core goes on', async (_, pairs, ttl) => {
    await two();
    expect((await client.flood(pairs, ttl)).failure?.code).toBe(ErrorCode.unspec);
    expect(peer.heard).toEqual([]);
    expect((await client.flood([pair('EX1', 2)])).failure).toBeUndefined();
    expect(peer.heard.length).toBe(1);
  });

  test('C-12 D-07 P-6.9.2-01 own floods are there for other ASAs of the node, without neighbours too', async () => {
    await two({ links: [] });
    const outcome = await client.flood([pair('EX1', 5, { locator: v6('fd00::51', 4_000) })], 1_000);
    expect(outcome).toMatchObject({ done: true, failure: undefined });
    const other = engine.floodClient('another thread');
    expect(await other.get('EX1')).toEqual([
      {
        objective: { name: 'EX1', flags: 5, loopCount: 6 },
        value: Uint8Array.of(5),
        locator: v6('fd00::51', 4_000),
        interface: '',
        expiresAt: rig.clock.now() + 1_000,
        initiator: expect.any(Uint8Array),
      },
    ]);
  });

  test('C-12 a copy of an own flood that comes back is ignored', async () => {
    await two({ links: ['l1', 'l2'] });
    await client.flood([pair('EX1', 1)]);
    const [mine] = peer.heard;
    await client.flood([pair('EX1', 2)]);
    peer.heard.length = 0;
    await rig.clock.advance(119_000);
    await client.flood([pair('EX1', 2)]);
    peer.heard.length = 0;
    await peer.multicast(mine!.message, 'l2');
    expect(values(await client.get('EX1'))).toEqual([[2]]);
    expect(peer.heard).toEqual([]);
    expect(engine.counters.get('multicast.own')).toBe(1);
  });

  test('limits.ownFloodMemory: beyond it the flood is sent, and a copy of it taken for another node’s', async () => {
    await two({ limits: { ownFloodMemory: 2 } });
    for (const n of [1, 2, 3]) await client.flood([pair('EX1', n)]);
    expect(peer.heard.length).toBe(3);
    expect(engine.counters.get('flood.own-memory-full')).toBe(1);
    expect(engine.queue('flood.own-memory')).toMatchObject({ length: 2, limit: 2 });
    for (const { message } of [...peer.heard]) await peer.multicast(message);
    expect(engine.counters.get('multicast.own')).toBe(2);
    expect((await client.get('EX1'))[0]).toMatchObject({ interface: 'l1', value: Uint8Array.of(3) });
  });
});

describe('done when every copy has left', () => {
  /** sendMulticast as the test says, by interface. */
  function sending(by: Record<string, () => Promise<void>>): (substrate: Substrate) => Substrate {
    return (substrate) =>
      new Proxy(substrate, {
        get: (target, key) => {
          const member: unknown = Reflect.get(target, key, target);
          if (key !== 'openPair')
            return typeof member === 'function' ? (member.bind(target) as unknown) : member;
          return async (...args: Parameters<Substrate['openPair']>) => {
            const open = await target.openPair(...args);
            const send = by[args[0]];
            return send ? { ...open, sendMulticast: send, close: () => open.close() } : open;
          };
        },
      });
  }
  const unreachable = () => Promise.reject(new SubstrateError('unreachable', 'no route'));

  test('not before', async () => {
    let sent = (): void => undefined;
    const slow = () => new Promise<void>((resolve) => (sent = resolve));
    await two({ links: ['l1', 'l2'], wrap: sending({ l2: slow }) });
    const outcome = await client.flood([pair('EX1', 1)]);
    expect(peer.heard.length).toBe(1);
    expect(outcome.done).toBe(false);
    sent();
    await rig.clock.settle();
    expect(outcome).toMatchObject({ done: true, failure: undefined });
  });

  test('an interface that fails is counted', async () => {
    await two({ links: ['l1', 'l2'], wrap: sending({ l2: unreachable }) });
    expect(await client.flood([pair('EX1', 1)])).toMatchObject({ done: true, failure: undefined });
    expect(peer.heard.length).toBe(1);
    expect(engine.counters.get('multicast.send-failed')).toBe(1);
  });

  test('if all fail the flood has failed (3); the ASAs of this node have it all the same', async () => {
    await two({ links: ['l1', 'l2'], wrap: sending({ l1: unreachable, l2: unreachable }) });
    const outcome = await client.flood([pair('EX1', 1)]);
    expect(outcome.failure?.code).toBe(ErrorCode.unspec);
    expect(outcome.failure?.detail).toContain('any interface');
    expect(values(await client.get('EX1'))).toEqual([[1]]);
  });
});

describe('what other nodes flood', () => {
  test('G-2.8.11-01 -08 -09 cached without having been asked for, with tag, interface and expiry', async () => {
    await two();
    await peer.multicast(flood('EX1', { value: 'x', ttl: 5_000, tag: tcp6('fd00::51', 4_000), loop: 3 }));
    expect(await client.get('EX1')).toEqual([
      {
        objective: { name: 'EX1', flags: 5, loopCount: 3 },
        value: Uint8Array.of(0x61, 0x78),
        locator: v6('fd00::51', 4_000),
        interface: 'l1',
        expiresAt: rig.clock.now() + 5_000,
        initiator: addressBytes('fd00::77'),
      },
    ]);
    expect(engine.counters.get('multicast.flood.taken')).toBe(1);
  });

  test('G-2.3-01 by every engine of the host', async () => {
    await two();
    const beside = await rig.engine('engine');
    await peer.multicast(flood('EX1'));
    expect((await client.get('EX1')).length).toBe(1);
    expect((await beside.floodClient().get('EX1')).length).toBe(1);
  });

  test('and what one engine of a host floods reaches the other, as any neighbour’s', async () => {
    await two();
    const beside = await rig.engine('engine');
    await client.flood([pair('EX1', 4)]);
    expect((await beside.floodClient().get('EX1'))[0]).toMatchObject({
      interface: 'l1',
      value: Uint8Array.of(4),
    });
    expect((await client.get('EX1'))[0]!.interface).toBe('');
  });

  test('G-2.8.11-10 D-13 same name and tag: one entry, the new value, in front', async () => {
    await two();
    await peer.multicast(flood('EX1', { sid: 1, value: 1, tag: tcp6('fd00::51', 1) }));
    await peer.multicast(flood('EX1', { sid: 2, value: 2, tag: tcp6('fd00::51', 2) }));
    await peer.multicast(flood('EX1', { sid: 3, value: 3, tag: tcp6('fd00::51', 1) }));
    expect(values(await client.get('EX1'))).toEqual([[3], [2]]);
  });

  test('A-2.3.6-10 G-2.8.11-11 other port, protocol, address or none: an entry each', async () => {
    await two();
    const tags = [
      [],
      tcp6('fd00::51', 1),
      tcp6('fd00::51', 2),
      tcp6('fd00::52', 1),
      [103, addressBytes('fd00::51'), 17, 1],
      // RFC 8995 §4.3
      [103, addressBytes('fd00::51'), 41, null],
      [105, 'host.example', 6, 1],
    ];
    for (const [i, tag] of tags.entries()) await peer.multicast(flood('EX1', { sid: i, value: i, tag }));
    expect(values(await client.get('EX1'))).toEqual([[6], [5], [4], [3], [2], [1], [0]]);
  });

  test('G-2.8.11-04 -12 gone after its ttl; with ttl 0 still there after ten minutes', async () => {
    await two();
    await peer.multicast(flood('EX1', { sid: 1, ttl: 1_000 }));
    await peer.multicast(flood('EX2', { sid: 2, ttl: 0 }));
    await peer.multicast(flood('EX3', { sid: 3, ttl: MAX_UINT32 }));
    await peer.multicast(flood('EX4', { sid: 4, ttl: 1 }));
    expect((await client.get('EX4')).length).toBe(1);
    await rig.clock.advance(1);
    expect(await client.get('EX4')).toEqual([]);
    await rig.clock.advance(998);
    expect((await client.get('EX1')).length).toBe(1);
    await rig.clock.advance(1);
    expect(await client.get('EX1')).toEqual([]);
    await rig.clock.advance(600_000);
    expect((await client.get('EX2'))[0]!.expiresAt).toBe(0);
    await rig.clock.advance(MAX_UINT32 - 601_001);
    expect((await client.get('EX3')).length).toBe(1);
    await rig.clock.advance(1);
    expect(await client.get('EX3')).toEqual([]);
    expect((await client.get('EX2')).length).toBe(1);
  });

  test('C-05 D-12 without value, or with null', async () => {
    await two();
    const pairs = [
      [['SRV.est', 4, 255], tcp6('fd00::51', 80)],
      [['EX1', 4, 6, null], []],
    ];
    await peer.multicast([9, 7, addressBytes('fd00::77'), 1_000, ...pairs]);
    expect((await client.get('SRV.est'))[0]!.value).toBeUndefined();
    expect((await client.get('EX1'))[0]!.value).toEqual(Uint8Array.of(0xf6));
  });

  test('G-2.10.3-07 pairs of negotiation objectives are not cached, the others are', async () => {
    await two();
    const pairs = [
      [['EX1', 3, 6, 1], []],
      [['EX2', 7, 6, 1], []],
      [['EX3', 1, 6, 1], []],
      [['EX4', 5, 6, 1], []],
    ];
    await peer.multicast([9, 7, addressBytes('fd00::77'), 1_000, ...pairs]);
    const counts = [];
    for (const name of ['EX1', 'EX2', 'EX3', 'EX4']) counts.push((await client.get(name)).length);
    expect(counts).toEqual([0, 0, 0, 1]);
  });

  test.each([
    ['a pair of one', [9, 7, addressBytes('fd00::77'), 1, [['EX1', 5, 6, 1], []], [['EX2', 5, 6, 1]]]],
    ['a scalar for a pair', [9, 7, addressBytes('fd00::77'), 1, [['EX1', 5, 6, 1], []], 19]],
    ['loop count −1', [9, 7, addressBytes('fd00::77'), 1, [['EX1', 5, 6, 1], []], [['EX2', 5, -1, 1], []]]],
    ['ttl −1', [9, 7, addressBytes('fd00::77'), -1, [['EX1', 5, 6, 1], []]]],
  ])('wire.md §9.4 %s spoils the whole flood; the next one is taken', async (_, message) => {
    await two({ links: ['l1', 'l2'] });
    await peer.multicast(message);
    expect(await client.get('EX1')).toEqual([]);
    expect(peer.heard).toEqual([]);
    await peer.multicast(flood('EX1'));
    expect((await client.get('EX1')).length).toBe(1);
  });

  test('G-2.5.6.2-09 C-03 a link-local initiator and any loop count other than 1: discarded, counted', async () => {
    await two({ links: ['l1', 'l2'] });
    for (const [first, second] of [
      [2, 1],
      [1, 2],
      [0, 1],
      [1, 0],
    ]) {
      const pairs = [
        [['EX1', 5, first, 1], []],
        [['EX2', 5, second, 1], []],
      ];
      await peer.multicast([9, 7, addressBytes('fe80::1'), 1_000, ...pairs]);
    }
    expect([await client.get('EX1'), await client.get('EX2')]).toEqual([[], []]);
    expect(engine.counters.get('multicast.refused.flood.link-local-loop-count')).toBe(4);
    await peer.multicast([9, 8, addressBytes('fe80::1'), 1_000, [['EX1', 5, 1, 1], []]]);
    expect((await client.get('EX1')).length).toBe(1);
    expect(peer.heard).toEqual([]);
  });

  test('wire.md §8 names are compared byte by byte', async () => {
    await two();
    await peer.multicast(flood('caf\u00e9'));
    expect([(await client.get('cafe\u0301')).length, (await client.get('Caf\u00e9')).length]).toEqual([0, 0]);
    expect((await client.get('caf\u00e9')).length).toBe(1);
  });

  test('what was learnt on an interface that is gone stays: it is no way to anywhere', async () => {
    await two({ links: ['l1', 'l2'] });
    await peer.multicast(flood('EX1'), 'l2');
    engine.node.detach('l2');
    await rig.clock.settle();
    expect((await client.get('EX1'))[0]!.interface).toBe('l2');
  });
});

describe('limits', () => {
  test('limits.floodCache: the entry flooded longest ago goes, counted', async () => {
    await two({ limits: { floodCache: 10 } });
    for (let i = 0; i < 15; i++) peer.post(flood(`EX${i}`, { sid: i }));
    await rig.clock.settle();
    expect(engine.queue('flood.cache')).toEqual({ name: 'flood.cache', length: 10, limit: 10 });
    expect(engine.counters.get('flood-cache.evicted')).toBe(5);
    expect([(await client.get('EX4')).length, (await client.get('EX5')).length]).toEqual([0, 1]);
  });

  test('limits.floodsPerObjective', async () => {
    await two({ limits: { floodsPerObjective: 3 } });
    for (let i = 0; i < 5; i++) peer.post(flood('EX1', { sid: i, value: i, tag: tcp6('fd00::51', i) }));
    await rig.clock.settle();
    expect(values(await client.get('EX1'))).toEqual([[4], [3], [2]]);
    expect(engine.counters.get('flood-cache.evicted')).toBe(2);
  });

  test('limits.floodWatches: overload (43), counted; one that ends makes room', async () => {
    await two({ limits: { floodWatches: 2 } });
    const first = await client.watch('EX1');
    await client.watch('EX1');
    expect((await client.watch('EX2')).failure?.code).toBe(ErrorCode.overload);
    expect(engine.counters.get('flood.watches-full')).toBe(1);
    await client.cancel(first.call);
    expect((await client.watch('EX2')).failure).toBeUndefined();
  });
});

describe('expire (api.md 4.18)', () => {
  test('A-2.3.6-11 one entry, also with ttl 0; the others stay; a later flood brings it back', async () => {
    await two();
    await peer.multicast(flood('EX1', { sid: 1, value: 1, ttl: 0 }));
    await peer.multicast(flood('EX1', { sid: 2, value: 2, tag: tcp6('fd00::51', 1) }));
    expect(await client.expire('EX1')).toMatchObject({ done: true, failure: undefined });
    expect(values(await client.get('EX1'))).toEqual([[2]]);
    expect(await client.expire('EX1', v6('fd00::51', 1))).toMatchObject({ done: true, failure: undefined });
    expect(await client.get('EX1')).toEqual([]);
    await peer.multicast(flood('EX1', { sid: 3, value: 3, ttl: 0 }));
    expect(values(await client.get('EX1'))).toEqual([[3]]);
  });

  test('an entry that is not there: no failure', async () => {
    await two();
    expect(await client.expire('EX9')).toMatchObject({ done: true, failure: undefined });
  });
});

describe('watching', () => {
  test('what is there now, and all of it after each change', async () => {
    await two();
    const watch = await client.watch('EX1');
    expect(watch.answers.map(values)).toEqual([[]]);
    await peer.multicast(flood('EX1', { sid: 1, value: 1 }));
    await peer.multicast(flood('EX2', { sid: 2 }));
    await client.flood([pair('EX1', 2, { locator: v6('fd00::51', 1) })]);
    await client.expire('EX1');
    await client.expire('EX1');
    expect(watch.answers.map(values)).toEqual([[], [[1]], [[2], [1]], [[2]]]);
    expect(watch.done).toBe(false);
  });

  test('changes of one turn are told once', async () => {
    await two();
    const watch = await client.watch('EX1');
    for (let i = 0; i < 50; i++) client.post({ t: 'flood', asa: 1, ttlMs: 0, pairs: [pair('EX1', i)] });
    await rig.clock.settle();
    expect(watch.answers.map(values)).toEqual([[], [[24, 49]]]);
  });

  test('until it is cancelled', async () => {
    await two();
    const watch = await client.watch('EX1');
    const other = await client.watch('EX1');
    await client.cancel(watch.call);
    await peer.multicast(flood('EX1'));
    expect([watch.answers.length, other.answers.length, watch.done]).toEqual([1, 2, false]);
    await client.cancel(other.call);
    await client.cancel(other.call);
    expect(engine.queue('flood.watches').length).toBe(0);
  });

  test('or its client is gone', async () => {
    await two();
    await client.watch('EX1');
    const other = engine.floodClient('other');
    const watch = await other.watch('EX1');
    await client.close();
    expect(engine.queue('flood.watches').length).toBe(1);
    await peer.multicast(flood('EX1'));
    expect(watch.answers.length).toBe(2);
  });

  test('an entry that expires is not told of, but is missing the next time', async () => {
    await two();
    await peer.multicast(flood('EX1', { sid: 1, value: 1, ttl: 1_000, tag: tcp6('fd00::51', 1) }));
    const watch = await client.watch('EX1');
    await rig.clock.advance(1_000);
    expect(watch.answers.length).toBe(1);
    await peer.multicast(flood('EX1', { sid: 2, value: 2 }));
    expect(watch.answers.map(values)).toEqual([[[1]], [[2]]]);
  });

  test('one that is behind is told when it has caught up, and then only how things are', async () => {
    await two();
    const lazy = engine.lazyFloodClient();
    lazy.watch('EX1');
    await rig.clock.settle();
    for (let i = 0; i < 3_000; i++) await peer.multicast(flood('EX1', { sid: i, value: i & 15 }));
    // As many as may be under way unhandled, and not one more.
    expect(lazy.told.length).toBe(1_024);
    await peer.multicast(flood('EX1', { sid: 5_000, value: 'last' }));
    await lazy.confirm(1_024);
    expect(lazy.told.length).toBe(1_025);
    expect(values(lazy.told.at(-1)!)).toEqual([Array.from(encode('last'))]);
    await peer.multicast(flood('EX1', { sid: 5_001, value: 7 }));
    expect(lazy.told.length).toBe(1_026);
  });

  test('a list counts as many as it has entries: long ones do not pile up before a client that is behind', async () => {
    await two();
    const lazy = engine.lazyFloodClient();
    for (let i = 0; i < 300; i++)
      await peer.multicast(flood('EX1', { sid: i, value: i, tag: tcp6('fd00::51', i + 1) }));
    lazy.watch('EX1');
    await rig.clock.settle();
    for (let i = 0; i < 50; i++)
      await peer.multicast(flood('EX1', { sid: 1_000 + i, value: i, tag: tcp6('fd00::51', 1) }));
    expect(lazy.told.map((entries) => entries.length)).toEqual([300, 300, 300, 300]);
    await lazy.confirm(1_200);
    expect(lazy.told.length).toBe(5);
  });
});

describe('security (§2.5.1)', () => {
  test('G-2.5.6.2-18 -19 without it nothing is sent, nothing taken: 16; forgetting works', async () => {
    await two();
    await peer.multicast(flood('EX1', { sid: 1, ttl: 0 }));
    engine.node.setSecurity('none');
    await rig.clock.settle();
    expect((await client.flood([pair('EX2', 1)])).failure?.code).toBe(ErrorCode.noSecurity);
    await peer.multicast(flood('EX3', { sid: 2, ttl: 0 }));
    expect(peer.heard).toEqual([]);
    await expect(client.get('EX3')).rejects.toThrow('code 16');
    expect((await client.watch('EX3')).failure?.code).toBe(ErrorCode.noSecurity);
    expect((await client.expire('EX1')).failure).toBeUndefined();
    engine.node.setSecurity('secure');
    await rig.clock.settle();
    for (const name of ['EX1', 'EX2', 'EX3']) expect(await client.get(name)).toEqual([]);
    expect((await client.flood([pair('EX2', 1)])).failure).toBeUndefined();
    await peer.multicast(flood('EX3', { sid: 3 }));
    expect((await client.get('EX3')).length).toBe(1);
  });

  test('watches end with 16 when it is lost', async () => {
    await two();
    const watch = await client.watch('EX1');
    engine.node.setSecurity('none');
    await rig.clock.settle();
    expect(watch).toMatchObject({ done: true, failure: { code: ErrorCode.noSecurity } });
    engine.node.setSecurity('insecure');
    await rig.clock.settle();
    const again = await client.watch('EX1');
    await peer.multicast(flood('EX1'));
    expect([watch.answers.length, again.answers.length]).toEqual([1, 2]);
  });
});
