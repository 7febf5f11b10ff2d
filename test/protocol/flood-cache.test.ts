import { describe, expect, test } from '@jest/globals';
import { FloodCache, MAX_UINT32, type FloodEntry, type WireLocator } from '../../src/protocol/index.js';

const v6 = (n: number, port: number | null = 1, protocol = 6): WireLocator => ({
  type: 103,
  address: Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n >> 8, n & 255),
  protocol,
  port,
});
const pair = (name: string, value: number, locator?: WireLocator): FloodEntry => ({
  objective: { name, flags: 5, loopCount: 6, value: Uint8Array.of(value) },
  locator,
});
const initiator = Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9);
const from = (ttl = 1_000, name = 'a') => ({ interface: name, ttl, initiator });
const values = (cache: FloodCache, name: string, now: number) =>
  cache.get(name, now).map((record) => record.value![0]);

describe('§2.8.11 the flood cache', () => {
  test('G-2.8.11-08 -09 what was flooded, with its tag or none, interface, expiry and initiator', () => {
    const cache = new FloodCache();
    cache.add([pair('EX1', 1, v6(1)), pair('EX2', 2)], from(), 5_000);
    expect(cache.get('EX1', 5_000)).toEqual([
      {
        objective: { name: 'EX1', flags: 5, loopCount: 6 },
        value: Uint8Array.of(1),
        locator: v6(1),
        interface: 'a',
        expiresAt: 6_000,
        initiator,
      },
    ]);
    expect(cache.get('EX2', 5_000)[0]!.locator).toBeUndefined();
    expect(cache.get('EX3', 5_000)).toEqual([]);
  });

  test('G-2.8.11-12 is gone when its time is over', () => {
    const cache = new FloodCache();
    cache.add([pair('EX1', 1)], from(1_000), 5_000);
    expect(values(cache, 'EX1', 5_999)).toEqual([1]);
    expect(values(cache, 'EX1', 6_000)).toEqual([]);
    expect(cache.size).toBe(0);
  });

  test('G-2.8.11-04 C-10 ttl 0 is for ever, 1 for one millisecond, 2^32−1 for 49.7 days', () => {
    const cache = new FloodCache();
    cache.add([pair('for ever', 1)], from(0), 0);
    cache.add([pair('short', 2)], from(1), 0);
    cache.add([pair('long', 3)], from(MAX_UINT32), 0);
    expect([values(cache, 'short', 0), values(cache, 'short', 1)]).toEqual([[2], []]);
    expect(values(cache, 'long', MAX_UINT32 - 1)).toEqual([3]);
    expect(values(cache, 'long', MAX_UINT32)).toEqual([]);
    expect(values(cache, 'for ever', 2 ** 52)).toEqual([1]);
    expect(cache.get('for ever', 2 ** 52)[0]!.expiresAt).toBe(0);
  });

  test('an entry flooded for ever can be flooded again with a lifetime', () => {
    const cache = new FloodCache();
    cache.add([pair('EX1', 1)], from(0), 0);
    cache.add([pair('EX1', 2)], from(10), 0);
    expect(values(cache, 'EX1', 9)).toEqual([2]);
    expect(values(cache, 'EX1', 10)).toEqual([]);
  });

  test('G-2.8.11-10 same name and tag: overwritten, with flags, loop count, value and interface', () => {
    const cache = new FloodCache();
    cache.add([pair('EX1', 1, v6(1))], from(0, 'a'), 0);
    const again: FloodEntry = {
      objective: { name: 'EX1', flags: 4, loopCount: 2, value: undefined },
      locator: v6(1),
    };
    cache.add([again], from(500, 'b'), 100);
    const records = cache.get('EX1', 100);
    expect(records.length).toBe(1);
    expect(records[0]).toMatchObject({
      objective: { name: 'EX1', flags: 4, loopCount: 2 },
      value: undefined,
      interface: 'b',
      expiresAt: 600,
    });
  });

  test('G-2.8.11-11 another tag makes another entry: address, port, protocol, kind, null', () => {
    const tags: (WireLocator | undefined)[] = [
      undefined,
      v6(1),
      v6(2),
      v6(1, 2),
      v6(1, null),
      v6(1, 1, 17),
      v6(1, 1, 41),
      { type: 104, address: Uint8Array.of(192, 0, 2, 1), protocol: 6, port: 1 },
      { type: 105, name: 'host.example', protocol: 6, port: 1 },
      { type: 106, uri: 'host.example', protocol: 6, port: 1 },
      { type: 106, uri: 'host.example', protocol: null, port: null },
    ];
    const cache = new FloodCache();
    tags.forEach((tag, i) => cache.add([pair('EX1', i, tag)], from(), 0));
    expect(cache.get('EX1', 0).map(({ locator }) => locator)).toEqual([...tags].reverse());
    tags.forEach((tag, i) => cache.add([pair('EX1', 100 + i, tag)], from(), 0));
    expect(cache.size).toBe(tags.length);
    expect(values(cache, 'EX1', 0)).toEqual(tags.map((_, i) => 100 + i).reverse());
  });

  test('a name cannot pass for another name with a tag', () => {
    const cache = new FloodCache();
    const tag: WireLocator = { type: 105, name: 'x', protocol: 6, port: 1 };
    cache.add([pair('EX1', 1, tag)], from(), 0);
    cache.add([pair('EX1105/6/1/x', 2), pair('EX1 105/6/1/x', 3), pair('EX1\u0000105/6/1/x', 4)], from(), 0);
    expect(cache.size).toBe(4);
    expect(values(cache, 'EX1', 0)).toEqual([1]);
  });

  test('D-13 newest first; overwriting moves to the front', () => {
    const cache = new FloodCache();
    for (const n of [1, 2, 3]) cache.add([pair('EX1', n, v6(n))], from(), 0);
    expect(values(cache, 'EX1', 0)).toEqual([3, 2, 1]);
    cache.add([pair('EX1', 10, v6(1))], from(), 0);
    expect(values(cache, 'EX1', 0)).toEqual([10, 3, 2]);
  });

  test('api.md 4.18 one entry can be forgotten, also one without end; the others stay, and it may come back', () => {
    const cache = new FloodCache();
    cache.add([pair('EX1', 1), pair('EX1', 2, v6(1)), pair('EX2', 3)], from(0), 0);
    expect(cache.remove('EX1', v6(1), 0)).toBe(true);
    expect(cache.remove('EX1', v6(1), 0)).toBe(false);
    expect([values(cache, 'EX1', 0), values(cache, 'EX2', 0)]).toEqual([[1], [3]]);
    expect(cache.remove('EX1', undefined, 0)).toBe(true);
    cache.add([pair('EX1', 4)], from(10), 0);
    expect(values(cache, 'EX1', 0)).toEqual([4]);
    expect(cache.remove('EX1', undefined, 10)).toBe(false);
  });

  test('shares no memory with the message, and keeps no more of it than its own', () => {
    const cache = new FloodCache();
    const datagram = new Uint8Array(2_048).fill(7);
    const value = datagram.subarray(100, 110);
    const locator: WireLocator = { type: 103, address: datagram.subarray(200, 216), protocol: 6, port: 1 };
    const objective = { name: 'EX1', flags: 5, loopCount: 6, value };
    const origin = { interface: 'a', ttl: 0, initiator: datagram.subarray(0, 16) };
    cache.add([{ objective, locator }], origin, 0);
    datagram.fill(9);
    const [record] = cache.get('EX1', 0);
    const kept = [record!.value!, (record!.locator as { address: Uint8Array }).address, record!.initiator];
    expect(kept.map((bytes) => [bytes[0], bytes.length, bytes.buffer.byteLength])).toEqual([
      [7, 10, 10],
      [7, 16, 16],
      [7, 16, 16],
    ]);
    expect(cache.remove('EX1', { ...locator, address: new Uint8Array(16).fill(7) }, 0)).toBe(true);
  });
});

describe('its limits', () => {
  test('the entry flooded longest ago goes, and only unexpired ones count', () => {
    const cache = new FloodCache({ maxEntries: 3 });
    for (const n of [1, 2, 3]) expect(cache.add([pair(`EX${n}`, n)], from(0), 0)).toBe(0);
    // Refreshed: EX2 is now the one flooded longest ago.
    cache.add([pair('EX1', 1)], from(0), 0);
    expect(cache.add([pair('EX4', 4)], from(0), 0)).toBe(1);
    expect(['EX1', 'EX2', 'EX3', 'EX4'].map((name) => cache.get(name, 0).length)).toEqual([1, 0, 1, 1]);
    expect(cache.size).toBe(3);
  });

  test('what has expired goes before anything that has not', () => {
    const cache = new FloodCache({ maxEntries: 3 });
    cache.add([pair('for ever', 1)], from(0), 0);
    cache.add([pair('short', 2), pair('short too', 3)], from(10), 0);
    expect(cache.add([pair('EX1', 4)], from(0), 5_000)).toBe(0);
    expect(values(cache, 'for ever', 5_000)).toEqual([1]);
    expect(cache.size).toBe(2);
  });

  test('one busy name drives out its own entries only', () => {
    const cache = new FloodCache({ maxEntries: 100, maxPerObjective: 4 });
    cache.add([pair('EX1', 99)], from(0), 0);
    let evicted = 0;
    for (let n = 0; n < 50; n++) evicted += cache.add([pair('EX2', n, v6(n))], from(0), 0);
    expect(evicted).toBe(46);
    expect(values(cache, 'EX2', 0)).toEqual([49, 48, 47, 46]);
    expect(values(cache, 'EX1', 0)).toEqual([99]);
  });

  test('100,000 objectives in a cache of 10,000: the last 10,000 are there, each eviction is told', () => {
    const cache = new FloodCache();
    let evicted = 0;
    for (let n = 0; n < 100_000; n++) evicted += cache.add([pair(`EX${n}`, n & 255)], from(60_000), n / 100);
    expect([cache.size, evicted]).toEqual([10_000, 90_000]);
    expect(values(cache, 'EX89999', 1_000)).toEqual([]);
    expect(values(cache, 'EX90000', 1_000)).toEqual([90_000 & 255]);
  });
});
