import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  asa_locator,
  cbor,
  tagged_objective,
  type objective,
  type synchronize_result,
} from '../../src/api/graspi/index.js';
import { FacadeWorld, negotiable, synchronizable, type Party } from './graspi-rig.js';

let world: FacadeWorld;
let bank: Party;
let client: Party;
let briggs: number;
let gray: number;
const ex1 = (changes: Partial<objective> = {}): objective =>
  synchronizable('EX1', { value: 'flooded', loop_count: 4, ...changes });
const ex2 = (changes: Partial<objective> = {}): objective =>
  synchronizable('EX2', { value: [1, 'two', 3], loop_count: 4, ...changes });

beforeEach(async () => {
  world = new FacadeWorld();
  bank = await world.party('bank');
  client = await world.party('client');
  briggs = await world.register(bank, 'Briggs', ex1(), ex2());
  gray = await world.register(client, 'Gray');
});

afterEach(() => world.close());

const synchronize = (wanted: objective, ...rest: [locator?: asa_locator | null, timeout?: number | null]) =>
  world.until(client.api.synchronize(gray, wanted, ...rest));
const locator = (address: string, changes: Partial<asa_locator> = {}): asa_locator =>
  Object.assign(new asa_locator(address), { is_ipaddress: true, port: 4000 }, changes);
const flood = (ttl: number, ...tagged: tagged_objective[]): Promise<number> =>
  world.until(bank.api.flood(briggs, ttl, tagged));

describe('api.md §4.16–4.18 flooding', () => {
  test('A-2.3.6-06 A-2.3.6-10 a list or one after the other; ttl 0 is written; get_flood has tags and expiry', async () => {
    expect(
      await flood(0, new tagged_objective(ex1()), new tagged_objective(ex2(), locator('2001:db8::7'))),
    ).toBe(0);
    const [wire] = world.messages(9);
    // [9, sid, initiator, 0, [["EX1", 5, 4, "flooded"], []], …]
    expect(wire).toMatch(/^8609\w{10}50\w{32}00828463455831050467666c6f6f64656480/);
    await world.clock.settle();
    const [err, found] = await world.until(client.api.get_flood(gray, ex2()));
    expect(err).toBe(0);
    expect(found).toHaveLength(1);
    expect(found![0]).toBeInstanceOf(tagged_objective);
    expect(found![0]!.objective).toMatchObject({
      name: 'EX2',
      value: [1, 'two', 3],
      synch: true,
      loop_count: 4,
    });
    expect(found![0]!.source).toMatchObject({
      locator: '2001:db8::7',
      port: 4000,
      protocol: 6,
      expire: 0,
      is_ipaddress: true,
      diverted: false,
    });
    expect((await world.until(client.api.get_flood(gray, ex1())))[1]![0]!.locator).toBeNull();
    expect(
      await world.until(
        bank.api.flood(briggs, 1000, new tagged_objective(ex1()), new tagged_objective(ex2())),
      ),
    ).toBe(0);
    expect(world.messages(9)).toHaveLength(2);
    expect(world.messages(9)[1]).toMatch(/^8609/);
  });

  test('A-2.3.6-10 two floods with different tags are two entries, the newest first', async () => {
    await flood(60_000, new tagged_objective(ex1({ value: 1 }), locator('2001:db8::1')));
    await flood(60_000, new tagged_objective(ex1({ value: 2 }), locator('2001:db8::2')));
    await world.clock.settle();
    const [, found] = await world.until(client.api.get_flood(gray, ex1()));
    expect(found!.map(({ objective: { value }, source }) => [value, source!.locator])).toEqual([
      [2, '2001:db8::2'],
      [1, '2001:db8::1'],
    ]);
    expect(found![0]!.source!.expire).toBeGreaterThan(world.clock.now());
    expect(await world.until(client.api.get_flood(gray, synchronizable('EX9')))).toEqual([0, []]);
  });

  test('A-2.3.6-11 expire_flood removes one, also one that never expires; none there: 0', async () => {
    await flood(0, new tagged_objective(ex1({ value: 1 }), locator('2001:db8::1')));
    await flood(0, new tagged_objective(ex1({ value: 2 })));
    await world.clock.settle();
    const [, found] = await world.until(client.api.get_flood(gray, ex1()));
    expect(await world.until(client.api.expire_flood(gray, found![1]!))).toBe(0);
    const values = async (): Promise<unknown> =>
      (await world.until(client.api.get_flood(gray, ex1())))[1]!.map(({ objective: { value } }) => value);
    expect(await values()).toEqual([2]);
    expect(await world.until(client.api.expire_flood(gray, found![1]!))).toBe(0);
    expect(await world.until(client.api.expire_flood(gray, new tagged_objective(ex1())))).toBe(0);
    expect(await values()).toEqual([]);
  });

  test('A-2.3.6-08 A-2.3.6-09 3, 13, 32, 38, 40 and 8, all or nothing', async () => {
    const refused = (ttl: unknown, ...tagged: unknown[]): Promise<number> =>
      world.silently(() => bank.api.flood(briggs, ttl as number, tagged as tagged_objective[]));
    const good = new tagged_objective(ex1());
    expect(await refused(1000)).toBe(3);
    expect(await refused(null, good)).toBe(3);
    expect(await refused(undefined, good)).toBe(3);
    expect(await refused(-1, good)).toBe(3);
    expect(await refused(2 ** 32, good)).toBe(3);
    expect(await refused(1000, ex1())).toBe(3);
    expect(await refused(1000, new tagged_objective(ex1({ loop_count: 0 })))).toBe(3);
    expect(await refused(1000, good, new tagged_objective(synchronizable('EX9')))).toBe(13);
    expect(await refused(1000, new tagged_objective(negotiable('EX1')))).toBe(32);
    expect(await refused(1000, new tagged_objective(ex1({ neg: true })))).toBe(8);
    expect(await refused(1000, new tagged_objective(ex1(), locator('nowhere')))).toBe(38);
    expect(
      await refused(1000, new tagged_objective(ex1(), locator('2001:db8::1', { is_ipaddress: false }))),
    ).toBe(38);
    expect(await refused(1000, new tagged_objective(ex1(), locator('2001:db8::1', { port: 65_536 })))).toBe(
      38,
    );
    expect(await refused(1000, new tagged_objective(ex1(), locator('2001:db8::1', { port: null })))).toBe(38);
    expect(await refused(1000, new tagged_objective(ex1({ value: 'x'.repeat(1232) })))).toBe(40);
    expect(await world.until(client.api.get_flood(gray, negotiable('EX1')))).toEqual([32, null]);
  });

  test('A-2.3.6-07 :: becomes the sender’s link-local address, with loop count 1; the caller’s objects stay', async () => {
    const tagged = new tagged_objective(ex1(), locator('::'));
    expect(await flood(1000, tagged)).toBe(0);
    await world.clock.settle();
    const { linkLocal } = (await world.until(bank.grasp.status())).interfaces[0]!;
    const [, found] = await world.until(client.api.get_flood(gray, ex1()));
    expect(found![0]!.source!.locator).toBe(linkLocal);
    expect(found![0]!.objective.loop_count).toBe(1);
    expect([tagged.source!.locator, tagged.objective.loop_count]).toEqual(['::', 4]);
  });

  test('discoverable false: flags without F_DISC, as infrastructure floods have', async () => {
    const acp = synchronizable('AN_ACP', { discoverable: false, loop_count: 1, value: 'x' });
    expect(await world.until(bank.api.register_obj(briggs, acp))).toBe(0);
    expect(await flood(1000, new tagged_objective(acp))).toBe(0);
    expect(world.messages(9).at(-1)).toContain('66414e5f414350' + '04' + '01' + '6178');
    await world.clock.settle();
    const [, found] = await world.until(client.api.get_flood(gray, synchronizable('AN_ACP')));
    expect(found![0]!.objective.discoverable).toBe(false);
  });

  test('A-2.3.2-10 raw CBOR in a flood comes back as its bytes', async () => {
    await flood(1000, new tagged_objective(ex1({ value: cbor.dumps([1, 2]) })));
    await world.clock.settle();
    const [, found] = await world.until(client.api.get_flood(gray, ex1()));
    expect(cbor.loads(found![0]!.objective.value)).toEqual([1, 2]);
  });
});

describe('api.md §4.13–4.15 synchronization', () => {
  test('A-2.3.6-01 what is flooded is there without a packet, also for who has registered nothing', async () => {
    await flood(60_000, new tagged_objective(ex1()));
    await world.clock.settle();
    const wanted = ex1({ value: null });
    const [err, found] = await world.silently(() => client.api.synchronize(gray, wanted, null, 5000));
    expect([err, found?.value, found?.name, found?.synch]).toEqual([0, 'flooded', 'EX1', true]);
    expect(wanted.value).toBeNull();
  });

  test('A-2.3.6-02 A-2.3.6-04 otherwise discovers and requests; a repeated listen changes the value', async () => {
    expect(await synchronize(ex2(), null, 5000)).toEqual([33, null]);
    expect(await world.until(bank.api.listen_synchronize(briggs, ex2()))).toBe(0);
    const before = world.sent.length;
    const [err, found] = await synchronize(ex2({ value: null }), null, 5000);
    expect([err, found?.value]).toEqual([0, [1, 'two', 3]]);
    expect(world.sent.slice(before).some((hex) => hex.startsWith('8304'))).toBe(true);
    await world.silently(() => bank.api.listen_synchronize(briggs, ex2({ value: 'new' })));
    expect((await synchronize(ex2(), null, 5000))[1]?.value).toBe('new');
  });

  test('A-2.3.6-03 a locator given: asked, whatever is flooded', async () => {
    await world.until(bank.api.listen_synchronize(briggs, ex2({ value: 'asked' })));
    await flood(60_000, new tagged_objective(ex2({ value: 'flooded' })));
    await world.clock.settle();
    const [, [peer]] = await world.until(client.api.discover(gray, ex2(), 1000));
    expect((await synchronize(ex2(), peer!, 5000))[1]?.value).toBe('asked');
    expect((await synchronize(ex2(), null, 5000))[1]?.value).toBe('flooded');
  });

  test('A-2.3.6-05 stop: requests are refused (34) and nobody is found (33); not listening: 0', async () => {
    await world.until(bank.api.listen_synchronize(briggs, ex2()));
    const [, [peer]] = await world.until(client.api.discover(gray, ex2(), 1000));
    expect(await world.until(bank.api.stop_synchronize(briggs, ex2()))).toBe(0);
    expect(await world.until(bank.api.stop_listen_synchronize(briggs, ex2()))).toBe(0);
    expect(await synchronize(ex2(), peer!, 5000)).toEqual([34, null]);
    await world.until(client.api.discover(gray, ex2(), 1000, true));
    expect(await synchronize(ex2(), null, 5000)).toEqual([33, null]);
  });

  test('32, 8, 13, 3, 38', async () => {
    const failing = (call: Promise<synchronize_result>) => world.silently(() => call);
    expect(await failing(client.api.synchronize(gray, negotiable('EX2'), null, null))).toEqual([32, null]);
    expect(await failing(client.api.synchronize(gray, ex2({ neg: true }), null, null))).toEqual([8, null]);
    expect(await failing(client.api.synchronize(gray, ex2(), null, -1))).toEqual([3, null]);
    expect(await failing(client.api.synchronize(gray, ex2({ loop_count: 0 }), null, null))).toEqual([
      3,
      null,
    ]);
    expect(await failing(client.api.synchronize(gray, ex2(), locator('nowhere'), null))).toEqual([38, null]);
    const listen = (wanted: objective) => world.until(bank.api.listen_synchronize(briggs, wanted));
    expect(await listen(negotiable('EX2'))).toBe(32);
    expect(await listen(synchronizable('EX9'))).toBe(13);
    expect(await listen(ex2({ value: () => 1 }))).toBe(3);
    const stop = (wanted: objective) => world.until(bank.api.stop_synchronize(briggs, wanted));
    expect(await stop(negotiable('EX2'))).toBe(32);
    expect(await stop(synchronizable('EX9'))).toBe(13);
  });

  test('A-2.3.3-09 A-2.3.3-12 D-05 discoverable, local and explicit locators at registration', async () => {
    const { linkLocal } = (await world.until(bank.grasp.status())).interfaces[0]!;
    await world.until(
      bank.api.register_obj(briggs, synchronizable('Boot'), { discoverable: true, local: true }),
    );
    const [, found] = await world.until(client.api.discover(gray, synchronizable('Boot'), 1000));
    expect(found.map((each) => each.locator)).toEqual([linkLocal]);
    const elsewhere = [
      locator('2001:db8::5', { port: 555 }),
      locator('host.example.com', { is_ipaddress: false, is_fqdn: true, port: 80 }),
      locator('https://example.com/x', { is_ipaddress: false, is_uri: true, protocol: null, port: null }),
    ];
    await world.until(
      bank.api.register_obj(briggs, synchronizable('Away'), null, true, false, false, false, elsewhere),
    );
    const [, away] = await world.until(client.api.discover(gray, synchronizable('Away'), 1000));
    expect(
      away.map((each) => [each.locator, each.port, each.is_ipaddress, each.is_fqdn, each.is_uri]),
    ).toEqual([
      ['2001:db8::5', 555, true, false, false],
      ['host.example.com', 80, false, true, false],
      ['https://example.com/x', null, false, false, true],
    ]);
    expect(
      await world.until(bank.api.register_obj(briggs, synchronizable('Bad'), { locators: [locator('x y')] })),
    ).toBe(38);
  });

  test('A-A-01 16 while there is no security', async () => {
    for (const party of [bank, client]) party.node.setSecurity('none');
    await world.clock.settle();
    expect(await synchronize(ex2(), null, 5000)).toEqual([16, null]);
    expect(await flood(1000, new tagged_objective(ex1()))).toBe(16);
    expect(await world.until(client.api.get_flood(gray, ex1()))).toEqual([16, null]);
    expect(await world.until(bank.api.listen_synchronize(briggs, ex2()))).toBe(16);
    expect(await world.until(bank.api.stop_synchronize(briggs, ex2()))).toBe(16);
  });
});

describe('api.md §4.19 dump_all', () => {
  test('registries and caches, printed and as data; partial leaves the rest out', async () => {
    await flood(0, new tagged_objective(ex1()));
    await world.until(bank.api.listen_synchronize(briggs, ex2()));
    await world.until(client.api.discover(gray, ex2(), 1000));
    await world.until(client.api.get_flood(gray, ex1()));
    const dump = await world.until(client.api.dump_all());
    expect(dump.status.asas.map(({ name }) => name)).toEqual(['Gray']);
    expect(dump.discovered['EX2']).toMatchObject([{ is_ipaddress: true }]);
    expect(dump.flooded['EX1']).toMatchObject([{ objective: { value: 'flooded' } }]);
    const printed = client.printed.join('');
    expect(printed).toContain('EX1 4 flooded');
    expect(printed).toMatch(/Gray: {3}EX2 \S+ 6 \d+/);
    client.printed.length = 0;
    await world.until(client.api.dump_all({ partial: true }));
    expect(client.printed.join('')).toContain('flooded');
    expect(client.printed.join('')).not.toContain('Discovered');
  });
});
