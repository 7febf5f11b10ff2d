import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import graspi, * as exported from '../../src/api/graspi/index.js';
import {
  asa_locator,
  cbor,
  createGraspi,
  errors,
  etext,
  objective,
  session_handle,
  tagged_objective,
} from '../../src/api/graspi/index.js';
import { environmentOptions, startOptions } from '../../src/api/graspi/settings.js';
import { FacadeWorld, negotiable, synchronizable, type Party } from './graspi-rig.js';

let world: FacadeWorld;
let bank: Party;
let client: Party;

beforeEach(async () => {
  world = new FacadeWorld();
  bank = await world.party('bank');
  client = await world.party('client');
});

afterEach(() => world.close());

describe('api.md §1 the names of both', () => {
  const older = [
    'register_asa',
    'deregister_asa',
    'register_obj',
    'deregister_obj',
    'discover',
    'req_negotiate',
    'listen_negotiate',
    'stop_negotiate',
    'negotiate_step',
    'negotiate_wait',
    'end_negotiate',
    'send_invalid',
    'synchronize',
    'listen_synchronize',
    'stop_synchronize',
    'flood',
    'get_flood',
    'expire_flood',
    'skip_dialogue',
    'tprint',
    'ttprint',
    'init_bubble_text',
    'dump_all',
  ];
  const rfc = [
    'register_objective',
    'deregister_objective',
    'request_negotiate',
    'stop_listen_negotiate',
    'stop_listen_synchronize',
    'notify',
  ];
  test.each([...older, ...rfc])('%s is a named export, and one of the default export', (name) => {
    expect(typeof (exported as Record<string, unknown>)[name]).toBe('function');
    expect((graspi as unknown as Record<string, unknown>)[name]).toBe(
      (exported as Record<string, unknown>)[name],
    );
    expect(typeof (graspi.grasp as unknown as Record<string, unknown>)[name]).toBe('function');
  });

  test('classes, errors, etext and constants are there', () => {
    expect([graspi.objective, graspi.asa_locator, graspi.tagged_objective]).toEqual([
      objective,
      asa_locator,
      tagged_objective,
    ]);
    expect([graspi.GRASP_LISTEN_PORT, graspi.GRASP_DEF_TIMEOUT, graspi.GRASP_DEF_LOOPCT]).toEqual([
      7017, 60_000, 6,
    ]);
    expect([graspi.GRASP_DEF_MAX_SIZE, graspi.ALL_GRASP_NEIGHBORS_6]).toEqual([2048, 'ff02::13']);
  });

  test('A-2.3.2-03 numbers and names of Appendix A', () => {
    expect(errors).toMatchObject({
      ok: 0,
      declined: 1,
      noReply: 2,
      noASA: 6,
      loopExhausted: 21,
      invalidLoc: 38,
    });
    expect([etext[0], etext[1], etext[16], etext[38]]).toEqual([
      'OK',
      'Declined',
      'No security',
      'Invalid locator',
    ]);
    for (const code of Object.values(errors)) expect(etext[code]).not.toMatch(/^Error/);
  });
});

describe('api.md §2 data structures', () => {
  test('A-2.3.2-07 a new objective: flags false, loop count 6, value null', () => {
    expect({ ...new objective('EX1') }).toEqual({
      name: 'EX1',
      discoverable: true,
      neg: false,
      dry: false,
      synch: false,
      loop_count: 6,
      value: null,
    });
  });

  test('tagged_objective: source and locator are one', () => {
    const locator = new asa_locator('2001:db8::1', 3);
    const tagged = new tagged_objective(new objective('EX1'), locator);
    expect(tagged.locator).toBe(locator);
    tagged.locator = null;
    expect(tagged.source).toBeNull();
    expect(new tagged_objective(new objective('EX1')).source).toBeNull();
  });

  test('asa_locator: TCP, port 7017, never expires, no kind yet', () => {
    expect({ ...new asa_locator('fe80::1', 'eth0', true) }).toEqual({
      locator: 'fe80::1',
      ifi: 0,
      interface: 'eth0',
      diverted: true,
      protocol: 6,
      port: 7017,
      expire: 0,
      is_ipaddress: false,
      is_fqdn: false,
      is_uri: false,
    });
  });

  test('cbor.dumps and cbor.loads: one item and back; what is not bytes is refused (24)', () => {
    expect(Buffer.from(cbor.dumps([1, 2])).toString('hex')).toBe('820102');
    expect(cbor.loads(Buffer.from('820102', 'hex'))).toEqual([1, 2]);
    expect(() => cbor.loads([5])).toThrow(expect.objectContaining({ code: 24 }));
    expect(() => cbor.loads(Buffer.from('8201', 'hex'))).toThrow(expect.objectContaining({ code: 24 }));
  });
});

describe('api.md §4.1–4.4 registration', () => {
  test('A-2.3.3-01 A-2.3.2-13 every call without a valid handle gives 6, with the tuple of its shape', async () => {
    const { api } = client;
    const handle = await world.register(client, 'Gray');
    const ex1 = synchronizable('EX1');
    const ex3 = negotiable('EX3');
    const session = new session_handle();
    for (const bad of [handle + 1, null]) {
      const results = await world.silently(() =>
        Promise.all([
          api.register_obj(bad, ex3),
          api.register_objective(bad, ex3),
          api.deregister_obj(bad, ex3),
          api.deregister_objective(bad, ex3),
          api.discover(bad, ex3),
          api.request_negotiate(bad, ex3, null, null),
          api.req_negotiate(bad, ex3, null, null),
          api.listen_negotiate(bad, ex3),
          api.stop_negotiate(bad, ex3),
          api.stop_listen_negotiate(bad, ex3),
          api.negotiate_step(bad, session, ex3, null),
          api.grasp.negotiate_step(bad, session, ex3, null),
          api.negotiate_wait(bad, session, null),
          api.end_negotiate(bad, session, true),
          api.send_invalid(bad, session),
          api.synchronize(bad, ex1, null, null),
          api.listen_synchronize(bad, ex1),
          api.stop_synchronize(bad, ex1),
          api.stop_listen_synchronize(bad, ex1),
          api.flood(bad, 0, [new tagged_objective(ex1)]),
          api.get_flood(bad, ex1),
          api.expire_flood(bad, new tagged_objective(ex1)),
          api.notify(bad),
          api.polling.discover(bad, ex3),
        ]),
      );
      expect(results).toEqual([
        6,
        6,
        6,
        6,
        [6, []],
        [6, null, null, null],
        [6, null, null],
        [6, null, null],
        6,
        6,
        [6, null, null, null],
        [6, null, null],
        6,
        6,
        6,
        [6, null],
        6,
        6,
        6,
        6,
        [6, null],
        6,
        [6, [], []],
        [6, []],
      ]);
    }
    expect(api.last_error).toMatchObject({ code: 6, name: 'noASA' });
  });

  test('4.1 [0, handle]; 5 name in use; 3 no text; 4 registry full', async () => {
    const small = await world.party('small', { limits: { asas: 2 } });
    const [err, handle] = await world.until(small.api.register_asa('one'));
    expect([err, typeof handle]).toEqual([0, 'number']);
    expect(await world.until(small.api.register_asa('one'))).toEqual([5, null]);
    expect(await world.until(small.api.register_asa(7 as unknown as string))).toEqual([3, null]);
    expect((await world.until(small.api.register_asa('two')))[0]).toBe(0);
    expect(await world.until(small.api.register_asa('three'))).toEqual([4, null]);
  });

  test('A-2.3.3-05 A-2.3.3-03 deregister_asa: 6 unknown name, 7 wrong handle; then everything is gone', async () => {
    const { api } = bank;
    const ex3 = negotiable('EX3');
    const briggs = await world.register(bank, 'Briggs', ex3);
    const other = await world.register(bank, 'Other');
    expect(await world.until(api.deregister_asa(briggs, 'Nobody'))).toBe(6);
    expect(await world.until(api.deregister_asa(other, 'Briggs'))).toBe(7);
    const listening = api.listen_negotiate(briggs, ex3);
    await world.clock.settle();
    expect(await world.until(api.deregister_asa(briggs, 'Briggs'))).toBe(0);
    expect(await world.until(listening)).toEqual([13, null, null]);
    expect(await world.until(api.deregister_asa(briggs, 'Briggs'))).toBe(6);
    expect(await world.until(api.listen_negotiate(briggs, ex3))).toEqual([6, null, null]);
    expect((await world.until(bank.grasp.status())).objectives).toEqual([]);
    expect((await world.until(api.register_asa('Briggs')))[0]).toBe(0);
  });

  test('A-2.3.2-05 A-2.3.2-06 A-2.3.2-01 register_objective: 8, 9, 12, 11, 3', async () => {
    const { api } = client;
    const gray = await world.register(client, 'Gray');
    const register = (changes: Partial<objective>, ...rest: [ttl?: number]): Promise<number> =>
      world.silently(() =>
        api.register_objective(gray, Object.assign(new objective('EX3'), changes), ...(rest as [number])),
      );
    expect(await register({ neg: true, synch: true })).toBe(8);
    expect(await register({ dry: true })).toBe(9);
    expect(await register({ dry: true, synch: true })).toBe(9);
    expect(await register({ name: '' })).toBe(3);
    expect(await register({ neg: true, loop_count: 0 })).toBe(3);
    expect(await register({ neg: true, loop_count: 256 })).toBe(3);
    expect(await register({ neg: true }, 2 ** 32)).toBe(3);
    expect(await register({ neg: true }, -1)).toBe(3);
    expect(await register({ neg: true, value: () => 1 })).toBe(3);
    expect(await register({ neg: true })).toBe(0);
    expect(await register({ neg: true })).toBe(12);
    const small = await world.party('small', { limits: { objectives: 1 } });
    const one = await world.register(small, 'one', negotiable('EX1'));
    expect(await world.until(small.api.register_obj(one, negotiable('EX2')))).toBe(11);
  });

  test('optional parameters by position and by keyword; an unknown one is refused', async () => {
    const { api } = client;
    const gray = await world.register(client, 'Gray');
    expect(await world.until(api.register_obj(gray, negotiable('A'), 5000, false, true))).toBe(0);
    expect(await world.until(api.register_obj(gray, negotiable('B'), { ttl: 5000, overlap: true }))).toBe(0);
    expect(await world.until(api.register_obj(gray, negotiable('C'), null))).toBe(0);
    const { objectives } = await world.until(client.grasp.status());
    expect(objectives.map(({ name, overlap }) => [name, overlap])).toEqual([
      ['A', true],
      ['B', true],
      ['C', false],
    ]);
    expect(await world.until(api.register_obj(gray, negotiable('D'), { overlp: true } as object))).toBe(3);
    expect(api.last_error?.message).toContain('overlp');
    expect(await world.until(api.register_obj(gray, negotiable('D'), 'soon' as unknown as number))).toBe(3);
    expect(await world.until(api.register_obj(gray, negotiable('D'), 1, 1 as unknown as boolean))).toBe(3);
  });

  test('A-2.3.3-11 overlap on both: both 0; on one: 12', async () => {
    const one = await world.register(client, 'one');
    const two = await world.register(client, 'two');
    const { api } = client;
    expect(await world.until(api.register_obj(one, negotiable('EX3'), { overlap: true }))).toBe(0);
    // Dry runs are a matter of the single negotiation here.
    const dry = negotiable('EX3', { dry: true });
    expect(await world.until(api.register_obj(two, dry, { overlap: true }))).toBe(0);
    expect(await world.until(api.register_obj(one, negotiable('EX4'), { overlap: true }))).toBe(0);
    expect(await world.until(api.register_obj(two, negotiable('EX4')))).toBe(12);
  });

  test('A-2.3.3-13 deregister_objective: 13 another ASA’s, 14 nobody’s, 0 one’s own', async () => {
    const { api } = client;
    const ex3 = negotiable('EX3');
    const gray = await world.register(client, 'Gray', ex3);
    const other = await world.register(client, 'Other');
    expect(await world.until(api.deregister_objective(other, ex3))).toBe(13);
    expect(await world.until(api.deregister_obj(gray, negotiable('EX9')))).toBe(14);
    expect(await world.until(api.deregister_obj(gray, ex3))).toBe(0);
    expect(await world.until(api.deregister_objective(gray, ex3))).toBe(14);
    expect(await world.until(api.request_negotiate(gray, ex3, null, null))).toEqual([13, null, null, null]);
  });
});

describe('A-2.3.3-10 ttl of a registration in M_RESPONSE', () => {
  test.each([
    ['5000', { ttl: 5000 }, '191388'],
    ['none given: 60000', {}, '19ea60'],
    ['null: 60000', { ttl: null }, '19ea60'],
    ['0 is sent as 0', { ttl: 0 }, '00'],
  ])('%s', async (_name, keywords, wire) => {
    const ex3 = negotiable('EX3');
    const briggs = await world.register(bank, 'Briggs');
    const gray = await world.register(client, 'Gray');
    await world.until(bank.api.register_obj(briggs, ex3, keywords));
    const waiting = bank.api.listen_negotiate(briggs, ex3);
    await world.clock.settle();
    await world.until(client.api.discover(gray, ex3, 1000));
    // [2, sid, initiator, ttl, [103, …]]
    expect(world.messages(2)).toEqual([
      expect.stringMatching(new RegExp(`^8502\\w{10}50\\w{32}${wire}841867`)),
    ]);
    await world.until(bank.api.stop_negotiate(briggs, ex3));
    await world.until(waiting);
  });
});

describe('api.md §4.5 discover', () => {
  const ex3 = negotiable('EX3');
  let gray: number;
  let briggs: number;

  beforeEach(async () => {
    gray = await world.register(client, 'Gray', ex3);
    briggs = await world.register(bank, 'Briggs', ex3);
  });

  test('A-2.3.4-01 A-2.3.4-03 nobody: [0, []], after 100 ms × loop count; timeout 0 sends nothing', async () => {
    const start = world.clock.now();
    expect(await world.until(client.api.discover(gray, ex3, null))).toEqual([0, []]);
    expect(world.clock.now() - start).toBe(600);
    expect(await world.silently(() => client.api.discover(gray, ex3, 0))).toEqual([0, []]);
  });

  test('A-2.3.2-12 A-2.3.5-10 a listener is found, with every field of asa_locator', async () => {
    const listening = bank.api.listen_negotiate(briggs, ex3);
    await world.clock.settle();
    const [err, found] = await world.until(client.api.discover(gray, ex3, 1000));
    expect(err).toBe(0);
    expect(found).toHaveLength(1);
    const [one] = found;
    expect(one).toBeInstanceOf(asa_locator);
    const { interfaces, objectives } = await world.until(bank.grasp.status());
    const theirs = (await world.until(client.grasp.status())).interfaces[0]!;
    expect({ ...one }).toEqual({
      locator: interfaces[0]!.addresses[0] ?? interfaces[0]!.linkLocal,
      ifi: theirs.index,
      interface: theirs.name,
      diverted: false,
      protocol: 6,
      port: objectives[0]!.listening[0]!.port,
      expire: expect.any(Number),
      is_ipaddress: true,
      is_fqdn: false,
      is_uri: false,
    });
    expect(one!.expire).toBeGreaterThan(world.clock.now());
    expect(one!.expire).toBeLessThanOrEqual(world.clock.now() + 60_000);
    expect(await world.until(bank.api.stop_negotiate(briggs, ex3))).toBe(0);
    expect(await world.until(listening)).toEqual([3, null, null]);
  });

  test('D-06 the parameter decides the style: cached ones at once, flush, minimum_TTL', async () => {
    void bank.api.listen_negotiate(briggs, ex3);
    await world.clock.settle();
    await world.until(client.api.discover(gray, ex3, 1000));
    const discoveries = (): number => world.messages(1).length;
    expect(discoveries()).toBe(1);
    // Older: from the cache.
    expect((await world.silently(() => client.api.discover(gray, ex3, 1000)))[1]).toHaveLength(1);
    // RFC: performed, and what is cached is part of it.
    expect((await world.until(client.api.discover(gray, ex3, 1000, 5000)))[1]).toHaveLength(1);
    expect(discoveries()).toBe(2);
    expect((await world.until(client.api.discover(gray, ex3, 1000, { minimum_TTL: 1 })))[1]).toHaveLength(1);
    expect(discoveries()).toBe(3);
    await world.until(bank.api.stop_negotiate(briggs, ex3));
    // Older: flushed, so looked for anew.
    expect((await world.until(client.api.discover(gray, ex3, 1000, true)))[1]).toEqual([]);
    expect(discoveries()).toBe(4);
  });

  test('A-2.3.4-02 minimum_TTL 0 drops all that is cached', async () => {
    void bank.api.listen_negotiate(briggs, ex3);
    await world.clock.settle();
    expect((await world.until(client.api.discover(gray, ex3, 1000)))[1]).toHaveLength(1);
    await world.until(bank.api.stop_negotiate(briggs, ex3));
    expect((await world.until(client.api.discover(gray, ex3, 1000, 1)))[1]).toHaveLength(1);
    expect((await world.until(client.api.discover(gray, ex3, 1000, 0)))[1]).toEqual([]);
  });

  test('8, 9, 3 at once, with nothing sent', async () => {
    const discover = (changes: Partial<objective>, timeout: unknown = null, style?: unknown) =>
      world.silently(() =>
        client.api.discover(
          gray,
          Object.assign(new objective('X'), changes),
          timeout as null,
          style as boolean,
        ),
      );
    expect(await discover({ neg: true, synch: true })).toEqual([8, []]);
    expect(await discover({ dry: true })).toEqual([9, []]);
    expect(await discover({ loop_count: 256 })).toEqual([3, []]);
    expect(await discover({ loop_count: 0 })).toEqual([3, []]);
    expect(await discover({ name: '' })).toEqual([3, []]);
    expect(await discover({}, -1)).toEqual([3, []]);
    expect(await discover({}, 2 ** 32)).toEqual([3, []]);
    expect(await discover({}, 1.5)).toEqual([3, []]);
    expect(await discover({}, null, -1)).toEqual([3, []]);
    expect(await discover({}, null, 'flush')).toEqual([3, []]);
    expect(await discover({}, null, { nonsense: true })).toEqual([3, []]);
  });

  test('A-2.3.3-07 an objective that nobody registered here can be looked for', async () => {
    expect(await world.until(client.api.discover(gray, new objective('EX9'), null))).toEqual([0, []]);
  });
});

describe('the engine of a facade', () => {
  test('A-2.3.3-01 configure, register_asa starts it, close ends it, the next register_asa starts another', async () => {
    const node = world.network.addNode('own', { links: ['link'] });
    const own = createGraspi();
    own.configure({ substrate: { kind: 'simulated', node }, placement: 'inline', clock: world.clock });
    expect(await world.until(own.discover(1, new objective('X')))).toEqual([6, []]);
    const [err, handle] = await world.until(own.register_asa('one'));
    expect(err).toBe(0);
    expect(() => own.configure({ insecure: true })).toThrow(expect.objectContaining({ code: 3 }));
    const ex3 = negotiable('EX3');
    await world.until(own.register_obj(handle, ex3));
    const waiting = own.listen_negotiate(handle, ex3);
    await world.clock.settle();
    await world.until(own.close());
    expect(await world.until(waiting)).toEqual([42, null, null]);
    expect(await world.until(own.register_obj(handle, ex3))).toBe(6);
    const [again] = await world.until(own.register_asa('one'));
    expect(again).toBe(0);
    await world.until(own.close());
  });

  test('an engine that cannot start: 3, and the reason in last_error; another try may succeed', async () => {
    const node = world.network.addNode('late', { links: ['link'] });
    const own = createGraspi();
    own.configure({ substrate: { kind: 'simulated', node }, placement: 'worker', clock: world.clock });
    expect(await world.until(own.register_asa('one'))).toEqual([3, null]);
    expect(own.last_error?.message).toContain('inline');
    own.configure({ placement: 'inline' });
    expect((await world.until(own.register_asa('one')))[0]).toBe(0);
    await world.until(own.close());
  });

  test('a facade on a given engine leaves it running when it is closed', async () => {
    await world.register(client, 'Gray');
    await world.until(client.api.close());
    expect((await world.until(client.grasp.status())).security).toBe('insecure');
  });

  test('and leaves nothing of its own there: calls that wait return, names are free again', async () => {
    const ex3 = negotiable('EX3');
    const handle = await world.register(client, 'Gray', ex3);
    const waiting = client.api.listen_negotiate(handle, ex3);
    await world.clock.settle();
    await world.until(client.api.close());
    expect((await world.until(waiting))[0]).toBe(13);
    const { asas, objectives } = await world.until(client.grasp.status());
    expect([asas, objectives]).toEqual([[], []]);
    expect((await world.until(client.api.register_asa('Gray')))[0]).toBe(0);
    // Once more, with the engine closed before.
    await world.until(client.grasp.close());
    await world.until(client.api.close());
  });

  test('interfaces and insecure, from the program or the environment', () => {
    expect(startOptions({ interfaces: ['eth0'], insecure: true })).toEqual({
      substrate: { kind: 'plain', interfaces: ['eth0'], insecure: true },
    });
    expect(startOptions({})).toEqual({ substrate: { kind: 'plain', insecure: false } });
    expect(environmentOptions({ GRASP_INTERFACES: 'eth0, eth1', GRASP_INSECURE: '1' })).toEqual({
      interfaces: ['eth0', 'eth1'],
      insecure: true,
    });
    expect(environmentOptions({ GRASP_INSECURE: '0' })).toEqual({});
    expect(() => environmentOptions({ GRASP_INSECURE: 'yes' })).toThrow('GRASP_INSECURE');
    expect(() => startOptions({ substrate: { kind: 'plain' }, insecure: true })).toThrow('substrate');
  });

  test('skip_dialogue: listen_self and test mode, only before register_asa', async () => {
    const node = world.network.addNode('own', { links: ['link'] });
    const own = createGraspi(undefined, {
      substrate: { kind: 'simulated', node },
      placement: 'inline',
      clock: world.clock,
      output: () => undefined,
    });
    own.skip_dialogue(true, true, { diagnosing: false, quadsing: false });
    expect(() => own.skip_dialogue({ be_dull: true } as object)).toThrow('DULL');
    expect(() => own.skip_dialogue({ tesing: true } as object)).toThrow('tesing');
    expect([own.test_mode, own.listen_self, own.mess_check]).toEqual([true, true, false]);
    const [, handle] = await world.until(own.register_asa('one'));
    await world.until(own.discover(handle, new objective('X'), 100));
    own.skip_dialogue(false, false, true);
    expect([own.test_mode, own.listen_self, own.mess_check]).toEqual([true, true, false]);
    expect(() => {
      own.listen_self = false;
    }).toThrow('before register_asa');
    // Heard its own discovery: not dropped as an own copy.
    const { counters } = await world.until(own.dump_all(true)).then(({ status }) => status);
    expect(counters['multicast.own-copy'] ?? 0).toBe(0);
    expect(counters['multicast.received']).toBeGreaterThan(0);
    expect(own.grasp.test_mode).toBe(true);
    own.grasp.test_mode = false;
    expect(own.test_mode).toBe(false);
    await world.until(own.close());
  });

  test('test_divert: what this node offers is found as diverted', async () => {
    const node = world.network.addNode('own', { links: ['link'] });
    const own = createGraspi(undefined, {
      substrate: { kind: 'simulated', node },
      placement: 'inline',
      clock: world.clock,
    });
    own.test_divert = true;
    const ex3 = negotiable('EX3');
    const [, handle] = await world.until(own.register_asa('one'));
    await world.until(own.register_obj(handle, ex3, { discoverable: true }));
    const gray = await world.register(client, 'Gray');
    const [, found] = await world.until(client.api.discover(gray, ex3, 500));
    expect(found.map(({ diverted, is_ipaddress }) => [diverted, is_ipaddress])).toEqual([[true, true]]);
    expect(() => {
      own.test_divert = false;
    }).toThrow('before register_asa');
    await world.until(own.close());
  });

  test('several facades, one process: nothing is shared', async () => {
    const one = await world.register(client, 'Same');
    const other = await world.register(bank, 'Same');
    expect(await world.until(client.api.register_obj(other, negotiable('EX3')))).toBe(6);
    expect(await world.until(bank.api.register_obj(one, negotiable('EX3')))).toBe(6);
    expect(client.grasp).not.toBe(bank.grasp);
  });
});
