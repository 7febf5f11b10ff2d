import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Asa, Grasp, Objective, SimulatedNode, TaggedObjective } from '../../src/index.js';
import { World } from './rig.js';
import { addressBytes, type Wire } from './wire.js';

let world: World;
let wire: Wire;
let source: { grasp: Grasp; node: SimulatedNode };
let flooder: { asa: Asa; ex3: Objective };
let reader: Asa;

const EX1 = { name: 'EX1', negotiate: false, synchronize: true } as const;

beforeEach(async () => {
  world = new World();
  wire = world.wire();
  source = await world.engine('source');
  flooder = await world.asa(source.grasp, 'Flooder', EX1);
  const { grasp } = await world.engine('reader');
  reader = await world.until(grasp.registerAsa('Reader'));
});

afterEach(() => world.close());

const flood = (value: unknown, locator?: string | null, ttlMs = 60_000): Promise<void> =>
  world.until(flooder.asa.flood([{ objective: flooder.ex3, value, locator }], { ttlMs }));
const held = (asa: Asa = reader, name = 'EX1'): Promise<TaggedObjective[]> => world.until(asa.getFlood(name));

describe('RFC 8991 §2.3.6 flood', () => {
  test('A-2.3.6-06 sends the list as one message per interface; ttl 0 stands for ever', async () => {
    const ex2 = await world.until(
      flooder.asa.registerObjective({ name: 'EX2', synchronize: true, loopCount: 3, value: 'own' }),
    );
    await world.until(
      flooder.asa.flood(
        [
          { objective: flooder.ex3, value: ['NZD', 7], locator: '[fd00::7]:4000' },
          { objective: ex2, locator: null },
        ],
        { ttlMs: 0 },
      ),
    );
    const said = wire.of(9);
    expect(said).toHaveLength(1);
    const { message } = said[0]!;
    expect(message.slice(3)).toEqual([
      0,
      [
        ['EX1', 5, 6, ['NZD', 7]],
        [103, addressBytes('fd00::7'), 6, 4000],
      ],
      [['EX2', 5, 3, 'own'], []],
    ]);
    expect(message[1]).toEqual(expect.any(Number));
    expect(message[2]).toEqual(addressBytes(source.node.environment.interfaces[0]!.addresses[0]!));
    await world.clock.advance(4_000_000_000);
    expect(await held()).toMatchObject([{ name: 'EX1', value: ['NZD', 7], expiresAt: 0 }]);
  });

  test('A-2.3.6-06 resolves when the datagrams have left', async () => {
    const done = flooder.asa.flood([{ objective: flooder.ex3 }], { ttlMs: 1 });
    let left = false;
    void done.then(() => (left = wire.of(9).length === 1));
    await world.until(done);
    await world.clock.settle();
    expect(left).toBe(true);
  });

  test('A-2.3.6-07 `::` is the link-local address of each link, and all loop counts are 1 (C-21)', async () => {
    const two = await world.engine('two', { node: { links: ['link', 'link2'] } });
    const { asa, ex3: ex1 } = await world.asa(two.grasp, 'Two', EX1);
    const ex2 = await world.until(asa.registerObjective({ name: 'EX2', synchronize: true }));
    wire.forget();
    await world.until(
      asa.flood(
        [
          { objective: ex1, value: 1 },
          { objective: ex2, value: 2, locator: '[::]:4000' },
        ],
        { ttlMs: 60_000 },
      ),
    );
    const copies = wire.of(9).filter(({ node }) => node === 'two');
    expect(copies.map(({ link }) => link).sort()).toEqual(['link', 'link2']);
    expect(new Set(copies.map(({ message }) => message[1])).size).toBe(1);
    for (const { link, message } of copies) {
      const { linkLocal } = two.node.environment.interfaces.find(({ name }) => name === link)!;
      expect(message.slice(4)).toEqual([
        [['EX1', 5, 1, 1], []],
        [
          ['EX2', 5, 1, 2],
          [103, addressBytes(linkLocal!), 6, 4000],
        ],
      ]);
    }
    // The objectives given are the ASA's own.
    expect([ex1.loopCount, ex2.loopCount]).toEqual([6, 6]);
  });

  test('A-2.3.6-08 one objective of another ASA, or deregistered: 13, and nothing is sent', async () => {
    const other = await world.until(source.grasp.registerAsa('Other'));
    const foreign = await world.until(other.registerObjective({ name: 'EX2', synchronize: true }));
    const both = [{ objective: flooder.ex3 }, { objective: foreign }];
    expect(await world.failure(flooder.asa.flood(both, { ttlMs: 1 }))).toMatchObject({ code: 13 });
    await world.until(foreign.deregister());
    expect(await world.failure(other.flood([{ objective: foreign }], { ttlMs: 1 }))).toMatchObject({
      code: 13,
    });
    expect(wire.of(9)).toEqual([]);
    expect(await held(other)).toEqual([]);
  });

  test.each<[string, unknown]>([
    ['no port', 'fd00::1'],
    ['no number of a port', '[fd00::1]:x'],
    ['port beyond 65535', { kind: 'ipv6', address: 'fd00::1', port: 65_536 }],
    ['no port in the parts', { kind: 'ipv6', address: 'fd00::1', port: null, protocol: 'tcp' }],
    ['negative port', { address: 'fd00::1', port: -1 }],
    ['protocol beyond 255', { address: 'fd00::1', port: 1, protocol: 256 }],
    ['protocol null without URI', { address: 'fd00::1', port: 1, protocol: null }],
    ['unknown protocol', { address: 'fd00::1', port: 1, protocol: 'sctp' }],
    ['address of the other family', { kind: 'ipv4', address: 'fd00::1', port: 1 }],
    ['no type', { address: 'example.com', port: 1 }],
    ['unknown type', { kind: 'mac', address: '00:11', port: 1 }],
    ['no host name', { kind: 'fqdn', address: 'a b', port: 1 }],
    ['no URI', { kind: 'uri', address: 'example' }],
    ['with an interface', '[fe80::1%link]:4000'],
    ['no locator at all', 7],
    ['empty', ''],
  ])('A-2.3.6-09 unusable locator, %s: 38, nothing sent', async (_name, locator) => {
    const item = { objective: flooder.ex3, locator: locator as string };
    expect(await world.failure(flooder.asa.flood([item], { ttlMs: 1 }))).toMatchObject({
      code: 38,
      name: 'invalidLoc',
    });
    expect(wire.of(9)).toEqual([]);
  });

  test.each<[string, unknown, unknown]>([
    ['IPv6', '[fd00::1]:4000', [103, addressBytes('fd00::1'), 6, 4000]],
    ['IPv6, UDP', '[fd00::1]:4000/udp', [103, addressBytes('fd00::1'), 17, 4000]],
    ['IPv4', '192.0.2.1:4000', [104, addressBytes('192.0.2.1'), 6, 4000]],
    [
      'IPv6, other protocol',
      { address: 'fd00::1', port: 0, protocol: 41 },
      [103, addressBytes('fd00::1'), 41, 0],
    ],
    ['FQDN', 'host.example.com:4000', [105, 'host.example.com', 6, 4000]],
    ['URI', 'https://example.com/x', [106, 'https://example.com/x', null, null]],
    ['URI without host', 'urn:x:y', [106, 'urn:x:y', null, null]],
    [
      'URI with port',
      { kind: 'uri', address: 'coap:x', port: 5683, protocol: 'udp' },
      [106, 'coap:x', 17, 5683],
    ],
  ])('locator %s is sent and comes back', async (_name, locator, sent) => {
    await world.until(
      flooder.asa.flood([{ objective: flooder.ex3, value: 1, locator: locator as string }], { ttlMs: 9_000 }),
    );
    expect(wire.of(9)[0]!.message[4]).toEqual([['EX1', 5, 6, 1], sent]);
    const [entry] = await held();
    wire.forget();
    // What was received can be flooded again.
    await world.until(
      flooder.asa.flood([{ objective: flooder.ex3, value: 1, locator: entry!.locator }], { ttlMs: 9_000 }),
    );
    expect(wire.of(9)[0]!.message[4]).toEqual([['EX1', 5, 6, 1], sent]);
  });

  test.each<[string, (one: { objective: Objective }) => Promise<void>, number]>([
    ['empty list', () => flooder.asa.flood([], { ttlMs: 1 }), 3],
    ['no list', (one) => flooder.asa.flood(one as never, { ttlMs: 1 }), 3],
    ['no ttl', (one) => flooder.asa.flood([one], {} as never), 3],
    ['no options', (one) => flooder.asa.flood([one], undefined as never), 3],
    ['ttl null', (one) => flooder.asa.flood([one], { ttlMs: null as never }), 3],
    ['A-2.3.2-01 ttl 2^32', (one) => flooder.asa.flood([one], { ttlMs: 2 ** 32 }), 3],
    ['A-2.3.2-01 ttl −1', (one) => flooder.asa.flood([one], { ttlMs: -1 }), 3],
    ['value that is none', (one) => flooder.asa.flood([{ ...one, value: () => 1 }], { ttlMs: 1 }), 3],
    ['no objective', () => flooder.asa.flood([{ objective: 'EX1' as never }], { ttlMs: 1 }), 13],
    [
      'too big for a datagram',
      (one) => flooder.asa.flood([{ ...one, value: 'x'.repeat(1_300) }], { ttlMs: 1 }),
      40,
    ],
  ])('%s is refused at once and nothing is sent', async (_name, call, code) => {
    const one = { objective: flooder.ex3 };
    expect(await world.failure(call(one))).toMatchObject({ code });
    // All or nothing.
    expect(wire.of(9)).toEqual([]);
    expect(await held(flooder.asa)).toEqual([]);
  });

  test('G-2.5.3-03 the largest that fits 1232 bytes leaves, one byte more is 40', async () => {
    await flood('x'.repeat(1_000));
    const room = 1_232 - wire.of(9)[0]!.bytes.length;
    await flood('x'.repeat(1_000 + room));
    expect(wire.of(9)[1]!.bytes).toHaveLength(1_232);
    const failed = flooder.asa.flood([{ objective: flooder.ex3, value: 'x'.repeat(1_001 + room) }], {
      ttlMs: 60_000,
    });
    expect(await world.failure(failed)).toMatchObject({ code: 40, name: 'tooBig' });
    expect(wire.of(9)).toHaveLength(2);
  });

  test('A-2.3.3-06 32 for an objective of negotiation, 6 after deregistration, 16 without security', async () => {
    const { ex3 } = await world.asa(source.grasp, 'Briggs');
    const neg = await world.failure(flooder.asa.flood([{ objective: ex3 }], { ttlMs: 1 }));
    expect(neg).toMatchObject({ code: 32, name: 'notSynch' });
    source.node.setSecurity('none');
    await world.clock.settle();
    const one = [{ objective: flooder.ex3 }];
    expect(await world.failure(flooder.asa.flood(one, { ttlMs: 1 }))).toMatchObject({ code: 16 });
    expect(await world.failure(flooder.asa.getFlood('EX1'))).toMatchObject({ code: 16 });
    expect(await world.failure(flooder.asa.watchFlood('EX1').next())).toMatchObject({ code: 16 });
    source.node.setSecurity('insecure');
    await world.until(flooder.asa.deregister());
    expect(await world.failure(flooder.asa.flood(one, { ttlMs: 1 }))).toMatchObject({
      code: 6,
      name: 'noASA',
    });
    expect(await world.failure(flooder.asa.getFlood('EX1'))).toMatchObject({ code: 6 });
    expect(() => flooder.asa.watchFlood('EX1')).toThrow(expect.objectContaining({ code: 6 }));
    expect(await world.failure(flooder.asa.expireFlood({ name: 'EX1' }))).toMatchObject({ code: 6 });
    expect(wire.of(9)).toEqual([]);
  });

  test('floodOnly: flags without F_DISC, as AN_ACP and SRV.est have them', async () => {
    const srv = await world.until(
      flooder.asa.registerObjective({ name: 'SRV.est', synchronize: true, floodOnly: true, loopCount: 255 }),
    );
    await world.until(flooder.asa.flood([{ objective: srv, locator: '[fd00::1]:80' }], { ttlMs: 210_000 }));
    expect(wire.of(9)[0]!.message[4]).toEqual([
      ['SRV.est', 4, 255, null],
      [103, addressBytes('fd00::1'), 6, 80],
    ]);
    expect(await held(reader, 'SRV.est')).toMatchObject([{ value: null, flags: 4, loopCount: 255 }]);
  });

  test('an aborted signal keeps the flood back', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    const one = [{ objective: flooder.ex3 }];
    expect(await world.failure(flooder.asa.flood(one, { ttlMs: 1, signal }))).toMatchObject({
      message: 'enough',
    });
    expect(wire.of(9)).toEqual([]);
  });
});

describe('RFC 8991 §2.3.6 get_flood and expire_flood', () => {
  test('A-2.3.3-07, A-2.3.6-10 all unexpired copies with their locators, newest first, unregistered', async () => {
    await flood(1, '[fd00::1]:4000');
    await world.clock.advance(1_000);
    await flood(2, '[fd00::2]:4000');
    const now = world.clock.now();
    const expected = (address: string, value: number, expiresAt: number) => ({
      name: 'EX1',
      value,
      flags: 5,
      loopCount: 6,
      locator: {
        kind: 'ipv6',
        address,
        port: 4000,
        protocol: 'tcp',
        interface: 'link',
        diverted: false,
        expiresAt,
      },
      interface: 'link',
      initiator: source.node.environment.interfaces[0]!.addresses[0]!,
      expiresAt,
    });
    const entries = await held();
    // Bytes that crossed the engine belong to another realm under jest.
    expect(entries.map(({ encodedValue }) => [...encodedValue])).toEqual([[2], [1]]);
    expect(entries.map(({ encodedValue: _, ...rest }) => rest)).toEqual([
      expected('fd00::2', 2, now + 60_000),
      expected('fd00::1', 1, now - 1_000 + 60_000),
    ]);
    // The same tag: overwritten, and the newest again.
    await flood(3, '[fd00::1]:4000');
    expect((await held()).map(({ value }) => value)).toEqual([3, 2]);
    await world.clock.advance(60_000);
    expect(await held()).toEqual([]);
    expect(await held(reader, 'nothing')).toEqual([]);
  });

  test('A-2.3.6-11 expireFlood forgets one entry, also of ttl 0; the others stay; a flood brings it back', async () => {
    await flood(1, '[fd00::1]:4000', 0);
    await flood(2, 'host.example:4000');
    await flood(3, null);
    const entries = await held();
    expect(entries.map(({ value }) => value)).toEqual([3, 2, 1]);
    await world.until(reader.expireFlood(entries[2]!));
    expect((await held()).map(({ value }) => value)).toEqual([3, 2]);
    await world.until(reader.expireFlood({ name: 'EX1', locator: 'host.example:4000' }));
    await world.until(reader.expireFlood({ name: 'EX1', locator: null }));
    expect(await held()).toEqual([]);
    // Not there any more: no error.
    await world.until(reader.expireFlood(entries[2]!));
    await flood(1, '[fd00::1]:4000', 0);
    expect((await held()).map(({ value }) => value)).toEqual([1]);
    expect(await world.failure(reader.expireFlood({ name: 'EX1', locator: 'x' }))).toMatchObject({
      code: 38,
    });
    expect(await world.failure(reader.expireFlood({ name: '' }))).toMatchObject({ code: 3 });
  });

  test('C-12 other ASAs of the flooder’s node see it too, without an interface', async () => {
    const local = await world.until(source.grasp.registerAsa('Local'));
    await flood({ a: 1 });
    const [entry, ...rest] = await held(local);
    expect(rest).toEqual([]);
    expect(entry).toMatchObject({ name: 'EX1', value: new Map([['a', 1]]), locator: null });
    expect(entry).not.toHaveProperty('interface');
  });

  test('D-12 an objective flooded without a value comes as null; oddities of other nodes are kept as tags', async () => {
    const stranger = await world.stranger('stranger');
    const tag = [103, addressBytes('fd00::9'), 41, null];
    await world.until(
      stranger.multicast([9, 77, addressBytes('fd00::9'), 0, [['SRV.est', 4, 4], tag]], 'link'),
    );
    await world.clock.settle();
    const entries = await held(reader, 'SRV.est');
    expect(entries).toMatchObject([
      { value: null, flags: 4, loopCount: 4, locator: { kind: 'ipv6', protocol: 41, port: null } },
    ]);
    await world.until(reader.expireFlood(entries[0]!));
    expect(await held(reader, 'SRV.est')).toEqual([]);
  });

  test('watchFlood gives the entries now and after every change; a late one only the newest', async () => {
    await flood(1);
    const watch = reader.watchFlood('EX1');
    const values = async (): Promise<unknown[]> => {
      const result: IteratorResult<TaggedObjective[], unknown> = await world.until(watch.next());
      return result.done ? ['done'] : result.value.map((entry) => entry.value);
    };
    expect(await values()).toEqual([1]);
    await flood(2);
    expect(await values()).toEqual([2]);
    await flood(3);
    await flood(4, 'host.example:1');
    expect(await values()).toEqual([4, 3]);
    await world.until(reader.expireFlood({ name: 'EX1' }));
    expect(await values()).toEqual([4]);
    await world.until(watch.return!());
    expect(await values()).toEqual(['done']);
    // Nothing is told to a watch that has ended.
    await flood(5);
    expect(await values()).toEqual(['done']);
  });

  test('watchFlood rejects with the reason of its signal, and with 42 when the engine closes', async () => {
    const controller = new AbortController();
    const watch = reader.watchFlood('EX1', { signal: controller.signal });
    expect(await world.until(watch.next())).toEqual({ done: false, value: [] });
    const aborted = watch.next();
    controller.abort(new Error('enough'));
    expect(await world.failure(aborted)).toMatchObject({ message: 'enough' });
    expect(() => reader.watchFlood('EX1', { signal: controller.signal })).toThrow('enough');
    const own = flooder.asa.watchFlood('EX1');
    await world.until(own.next());
    const closed = own.next().catch((error: unknown) => error);
    expect(await world.failure(own.next())).toMatchObject({ code: 3 });
    await world.until(source.grasp.close());
    expect(await closed).toMatchObject({ code: 42 });
  });

  test('32 for an objective of negotiation, 3 for a name that is none', async () => {
    const { asa, ex3 } = await world.asa(source.grasp, 'Briggs');
    expect(await world.failure(asa.getFlood(ex3))).toMatchObject({ code: 32 });
    expect(() => asa.watchFlood(ex3)).toThrow(expect.objectContaining({ code: 32 }));
    expect(await world.failure(asa.getFlood(''))).toMatchObject({ code: 3 });
    const signal = AbortSignal.abort(new Error('enough'));
    expect(await world.failure(asa.getFlood('EX1', { signal }))).toMatchObject({ message: 'enough' });
  });
});
