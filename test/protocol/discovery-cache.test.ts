import { describe, expect, test } from '@jest/globals';
import { DiscoveryCache, type DiscoveredLocator, type WireLocator } from '../../src/protocol/index.js';
import { hex } from './helpers.js';

const v6 = (n: number, port = 1): WireLocator => ({
  type: 103,
  address: Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n >> 8, n & 255),
  protocol: 6,
  port,
});
const linkLocal: WireLocator = {
  type: 103,
  address: hex('fe800000000000000000000000000001'),
  protocol: 6,
  port: 1,
};
const found = (locator: WireLocator, more: Partial<DiscoveredLocator> = {}): DiscoveredLocator => ({
  locator,
  interface: 'a',
  ttlMs: 1000,
  diverted: false,
  ...more,
});
const ports = (entries: readonly { readonly locator: WireLocator }[]) => entries.map((e) => e.locator.port);

describe('§2.5.4.3 the discovery cache', () => {
  test('returns what was learnt, with interface and expiry, until it expires', () => {
    const cache = new DiscoveryCache();
    expect(cache.add('EX1', [found(v6(1))], 5000)).toEqual({ added: 1, evicted: 0 });
    expect(cache.get('EX1', 5999)).toEqual([
      { locator: v6(1), interface: 'a', expiresAt: 6000, diverted: false },
    ]);
    expect(cache.get('EX2', 5000)).toEqual([]);
    expect(cache.size).toBe(1);
    expect(cache.get('EX1', 6000)).toEqual([]);
    expect(cache.size).toBe(0);
  });

  test('§2.8.5 ttl 0 means 600,000 ms', () => {
    const cache = new DiscoveryCache();
    cache.add('EX1', [found(v6(1), { ttlMs: 0 })], 0);
    expect(cache.get('EX1', 599_999)).toHaveLength(1);
    expect(cache.get('EX1', 600_000)).toHaveLength(0);
  });

  test('G-2.5.4.3-10 the same locator, protocol and port is one entry: newer expiry and interface, same place', () => {
    const cache = new DiscoveryCache();
    cache.add('EX1', [found(v6(1)), found(v6(2))], 0);
    expect(cache.add('EX1', [found(v6(1), { interface: 'b', ttlMs: 500 })], 100)).toEqual({
      added: 0,
      evicted: 0,
    });
    expect(cache.get('EX1', 0)).toMatchObject([
      { locator: v6(1), interface: 'b', expiresAt: 600 },
      { locator: v6(2), interface: 'a' },
    ]);
    cache.add('EX1', [found(v6(1, 2)), found({ ...v6(1), protocol: 17 } as WireLocator)], 0);
    expect(cache.get('EX1', 0)).toHaveLength(4);
  });

  test('a link-local locator is another one on another interface', () => {
    const cache = new DiscoveryCache();
    cache.add('EX1', [found(linkLocal), found(linkLocal, { interface: 'b' })], 0);
    expect(cache.get('EX1', 0).map((e) => e.interface)).toEqual(['a', 'b']);
  });

  test('direct before diverted, each in order of arrival', () => {
    const cache = new DiscoveryCache();
    const diverted = { diverted: true };
    cache.add(
      'EX1',
      [found(v6(1, 1), diverted), found(v6(2, 2)), found(v6(3, 3), diverted), found(v6(4, 4))],
      0,
    );
    expect(ports(cache.get('EX1', 0))).toEqual([2, 4, 1, 3]);
  });

  test('learnt both ways it counts as direct, and is kept as long as either says', () => {
    const cache = new DiscoveryCache();
    cache.add('EX1', [found(v6(1), { ttlMs: 100 })], 0);
    cache.add('EX1', [found(v6(1), { diverted: true, interface: 'b', ttlMs: 1000 })], 0);
    expect(cache.get('EX1', 0)).toMatchObject([{ diverted: false, interface: 'a', expiresAt: 1000 }]);
    cache.add('EX1', [found(v6(1), { diverted: true, ttlMs: 10 })], 0);
    expect(cache.get('EX1', 0)).toMatchObject([{ diverted: false, expiresAt: 1000 }]);
    cache.add('EX1', [found(v6(2), { diverted: true }), found(v6(2))], 0);
    expect(cache.get('EX1', 0)[1]).toMatchObject({ diverted: false });
    // Once the direct one has expired, the diverted one is what is known.
    cache.add('EX1', [found(v6(1), { diverted: true, interface: 'b', ttlMs: 10 })], 2000);
    expect(cache.get('EX1', 2000)).toMatchObject([{ diverted: true, interface: 'b' }]);
  });

  test('shares no memory with the message', () => {
    const cache = new DiscoveryCache();
    const locator = v6(1);
    cache.add('EX1', [found(locator)], 0);
    if (locator.type === 103) locator.address.fill(0);
    expect(cache.get('EX1', 0)[0]!.locator).toEqual(v6(1));
  });
});

describe('forDivert', () => {
  const cache = () => {
    const made = new DiscoveryCache({ maxDivertLocators: 3 });
    made.add(
      'EX1',
      [
        found({ type: 104, address: hex('c0000201'), protocol: 6, port: 9 }, { interface: 'b', ttlMs: 5000 }),
        found(v6(1), { interface: 'b', ttlMs: 3000 }),
        found(linkLocal, { interface: 'b' }),
        found({ type: 105, name: 'x.local', protocol: 6, port: 1 }, { interface: 'b' }),
      ],
      0,
    );
    return made;
  };

  test('G-2.5.4.3-12 the usable locators with the shortest remaining lifetime, IPv6 TCP first', () => {
    expect(cache().forDivert('EX1', 'a', 1000.5)).toEqual({
      locators: [v6(1), { type: 104, address: hex('c0000201'), protocol: 6, port: 9 }],
      ttl: 1999,
    });
  });

  test('S5 nothing that was learnt on the interface the discovery came by', () => {
    expect(cache().forDivert('EX1', 'b', 0)).toBeUndefined();
  });

  test('nothing known, or nothing that means anything elsewhere', () => {
    expect(cache().forDivert('EX2', 'a', 0)).toBeUndefined();
    const local = new DiscoveryCache();
    local.add('EX1', [found(linkLocal, { interface: 'b' })], 0);
    expect(local.forDivert('EX1', 'a', 0)).toBeUndefined();
  });

  test('never ttl 0, which would mean ten minutes', () => {
    expect(cache().forDivert('EX1', 'a', 2999.9)).toMatchObject({ ttl: 1 });
  });

  test('maxDivertLocators', () => {
    const made = new DiscoveryCache({ maxDivertLocators: 3 });
    made.add(
      'EX1',
      [1, 2, 3, 4].map((n) => found(v6(n, n), { interface: 'b' })),
      0,
    );
    expect(made.forDivert('EX1', 'a', 0)!.locators).toHaveLength(3);
  });
});

describe('forgetting', () => {
  const filled = (options = {}) => {
    const made = new DiscoveryCache(options);
    made.add(
      'EX1',
      [found(v6(1, 1), { ttlMs: 1000 }), found(v6(2, 2), { ttlMs: 100_000 }), found(v6(3, 3), { ttlMs: 10 })],
      0,
    );
    made.add('EX2', [found(v6(1, 1)), found(linkLocal, { interface: 'b' })], 0);
    return made;
  };

  test('A-2.3.4-02 D-06 dropExpiring: remaining lifetime at most the minimum; 0 drops all of the objective', () => {
    const cache = filled();
    expect(cache.dropExpiring('EX1', 980, 20)).toBe(1);
    expect(ports(cache.get('EX1', 20))).toEqual([2]);
    expect(cache.dropExpiring('EX1', 0, 20)).toBe(1);
    expect(cache.get('EX1', 20)).toEqual([]);
    expect(cache.get('EX2', 20)).toHaveLength(2);
    expect(cache.dropExpiring('EX9', 0, 20)).toBe(0);
  });

  test('remove one, all, or an interface', () => {
    const cache = filled();
    expect(cache.remove('EX1', { locator: v6(2, 2), interface: 'elsewhere' })).toBe(1);
    expect(cache.remove('EX2', { locator: linkLocal, interface: 'a' })).toBe(0);
    expect(cache.remove('EX2', { locator: linkLocal, interface: 'b' })).toBe(1);
    expect(cache.remove('EX1')).toBe(2);
    expect(cache.remove('EX1')).toBe(0);
    expect(cache.removeInterface('b')).toBe(0);
    expect(cache.removeInterface('a')).toBe(1);
    expect(cache.size).toBe(0);
    const other = filled();
    other.clear();
    expect([other.size, other.get('EX1', 0)]).toEqual([0, []]);
  });

  test('maxEntries: the one first learnt makes room', () => {
    const cache = new DiscoveryCache({ maxEntries: 3 });
    cache.add('EX1', [found(v6(1, 1)), found(v6(2, 2))], 0);
    cache.add('EX2', [found(v6(1, 1))], 0);
    expect(cache.add('EX3', [found(v6(1, 1)), found(v6(2, 2))], 0)).toEqual({ added: 2, evicted: 2 });
    expect(cache.size).toBe(3);
    expect(cache.get('EX1', 0)).toEqual([]);
    expect(cache.get('EX2', 0)).toHaveLength(1);
    // One that had expired is no loss.
    expect(cache.add('EX4', [found(v6(1))], 5000)).toEqual({ added: 1, evicted: 0 });
  });

  test('maxPerObjective: a busy name drives out its own, not others', () => {
    const cache = new DiscoveryCache({ maxPerObjective: 2 });
    cache.add('EX2', [found(v6(9, 9))], 0);
    expect(
      cache.add(
        'EX1',
        [1, 2, 3].map((n) => found(v6(n, n))),
        0,
      ),
    ).toEqual({ added: 3, evicted: 1 });
    expect(ports(cache.get('EX1', 0))).toEqual([2, 3]);
    expect(cache.get('EX2', 0)).toHaveLength(1);
    const single = new DiscoveryCache({ maxPerObjective: 1 });
    expect(
      single.add(
        'EX1',
        [1, 2, 3].map((n) => found(v6(n, n))),
        0,
      ),
    ).toEqual({ added: 3, evicted: 2 });
    expect(ports(single.get('EX1', 0))).toEqual([3]);
  });

  test('the default limit holds under a flood of names', () => {
    const cache = new DiscoveryCache();
    for (let i = 0; i < 10_100; i++) cache.add(`EX${i}`, [found(v6(1))], 0);
    expect(cache.size).toBe(10_000);
    expect(cache.get('EX99', 0)).toEqual([]);
    expect(cache.get('EX100', 0)).toHaveLength(1);
  });
});
