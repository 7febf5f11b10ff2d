import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Asa, Grasp, NegotiationSession, ObjectiveOptions, SimulatedNode } from '../../src/index.js';
import { World } from './rig.js';
import { addressBytes, type Wire } from './wire.js';

let world: World;
let wire: Wire;
let bank: { grasp: Grasp; node: SimulatedNode };
let briggs: Asa;
let gray: Asa;

beforeEach(async () => {
  world = new World();
  wire = world.wire();
  bank = await world.engine('bank');
  briggs = await world.until(bank.grasp.registerAsa('Briggs'));
  const client = await world.engine('client');
  gray = await world.until(client.grasp.registerAsa('Gray'));
});

afterEach(() => world.close());

const accept = (session: NegotiationSession): Promise<void> => session.endNegotiate({ accept: true });
const refusal = (options: unknown): Promise<unknown> =>
  world.failure(briggs.registerObjective(options as ObjectiveOptions));
/** What a discovery gets: the M_RESPONSEs, without session ID and initiator. */
const answers = async (name = 'EX3'): Promise<unknown[][]> => {
  wire.forget();
  await world.until(gray.discover(name, { flush: true }));
  return wire.of(2).map(({ message }) => message.slice(3));
};

describe('RFC 8991 §2.3.3 register_objective', () => {
  test('A-2.3.2-07 defaults: no flags, loop count 6, value null', async () => {
    const objective = await world.until(briggs.registerObjective({ name: 'EX3' }));
    const { negotiate, synchronize, dryRun, loopCount, value, floodOnly } = objective;
    expect({ negotiate, synchronize, dryRun, loopCount, value, floodOnly }).toEqual({
      negotiate: false,
      synchronize: false,
      dryRun: false,
      loopCount: 6,
      value: null,
      floodOnly: false,
    });
    // Discovery only: nobody can listen for it, and nobody finds it unless it is `discoverable`.
    expect(await answers()).toEqual([]);
  });

  test.each<[string, unknown, number]>([
    ['A-2.3.2-05 both kinds', { name: 'X', negotiate: true, synchronize: true }, 8],
    ['A-2.3.2-06 dry run without negotiation', { name: 'X', dryRun: true }, 9],
    ['A-2.3.2-06 dry run of a synchronization', { name: 'X', synchronize: true, dryRun: true }, 9],
    ['A-2.3.2-01 loop count 0', { name: 'X', loopCount: 0 }, 3],
    ['A-2.3.2-01 loop count 256', { name: 'X', loopCount: 256 }, 3],
    ['A-2.3.2-01 loop count no integer', { name: 'X', loopCount: 1.5 }, 3],
    ['A-2.3.2-01 ttl 2^32', { name: 'X', ttlMs: 2 ** 32 }, 3],
    ['A-2.3.2-01 ttl −1', { name: 'X', ttlMs: -1 }, 3],
    ['no name', {}, 3],
    ['empty name', { name: '' }, 3],
    ['name with a lone surrogate', { name: '\ud800' }, 3],
    ['D-14 name longer than a message', { name: 'x'.repeat(1_300) }, 40],
    ['nothing', undefined, 3],
    ['a flag that is no boolean', { name: 'X', negotiate: 1 }, 3],
    ['discoverable no boolean', { name: 'X', discoverable: 'yes' }, 3],
    ['floodOnly and discoverable', { name: 'X', synchronize: true, floodOnly: true, discoverable: true }, 3],
    ['value that is none', { name: 'X', value: Symbol('x') }, 3],
    ['value that fits no message', { name: 'X', synchronize: true, value: 'x'.repeat(2_100) }, 40],
    ['locators no list', { name: 'X', locators: '[fd00::1]:1' }, 38],
    ['locator no text form', { name: 'X', locators: ['fd00::1'] }, 38],
    ['locator `::`', { name: 'X', locators: ['[::]:4000'] }, 38],
    ['locator with other protocol', { name: 'X', locators: ['[fd00::1]:1/41'] }, 38],
    ['locator without port', { name: 'X', locators: [{ kind: 'fqdn', address: 'a.example' }] }, 38],
    ['maxMessageBytes no number', { name: 'X', maxMessageBytes: 'many' }, 3],
  ])('%s: refused, nothing sent, the name stays free', async (_name, options, code) => {
    expect(await refusal(options)).toMatchObject({ code });
    expect(wire.said).toEqual([]);
    expect((await world.until(bank.grasp.status())).objectives).toEqual([]);
  });

  test('12 the name is taken, by this ASA or another; A-2.3.3-11 unless all say overlap', async () => {
    await world.until(briggs.registerObjective({ name: 'EX3', negotiate: true }));
    expect(await refusal({ name: 'EX3', negotiate: true })).toMatchObject({ code: 12, name: 'objReg' });
    const other = await world.until(bank.grasp.registerAsa('Other'));
    const mixed = world.failure(other.registerObjective({ name: 'EX3', negotiate: true, overlap: true }));
    expect(await mixed).toMatchObject({ code: 12 });
    await world.until(briggs.registerObjective({ name: 'EX4', negotiate: true, overlap: true }));
    await world.until(other.registerObjective({ name: 'EX4', negotiate: true, overlap: true }));
    const otherKind = world.failure(other.registerObjective({ name: 'EX5', synchronize: true }));
    expect(await otherKind).toEqual({ unexpected: expect.anything() });
  });

  test('A-3-02, 4 and 11: limits on ASAs and objectives', async () => {
    const { grasp } = await world.engine('small', { limits: { asas: 1, objectives: 1 } });
    const asa = await world.until(grasp.registerAsa('one'));
    expect(await world.failure(grasp.registerAsa('two'))).toMatchObject({ code: 4, name: 'ASAfull' });
    await world.until(asa.registerObjective({ name: 'one' }));
    expect(await world.failure(asa.registerObjective({ name: 'two' }))).toMatchObject({ code: 11 });
  });

  test('A-2.3.3-02, -03 names are unique; deregistering frees name and objectives, and 6 from then on', async () => {
    expect(await world.failure(bank.grasp.registerAsa('Briggs'))).toMatchObject({ code: 5, name: 'dupASA' });
    const ex3 = await world.until(briggs.registerObjective({ name: 'EX3', negotiate: true }));
    await world.until(ex3.onNegotiate(accept));
    expect(await answers()).toHaveLength(1);
    await world.until(briggs.deregister());
    await world.until(briggs.deregister());
    expect(await answers()).toEqual([]);
    expect(await refusal({ name: 'EX3' })).toMatchObject({ code: 6, name: 'noASA' });
    expect(() => briggs.discover('EX3')).toThrow(expect.objectContaining({ code: 6 }));
    expect(await world.failure(briggs.requestNegotiate(ex3, 1))).toMatchObject({ code: 6 });
    const again = await world.until(bank.grasp.registerAsa('Briggs'));
    await world.until(again.registerObjective({ name: 'EX3', negotiate: true }));
  });

  test('A-2.3.2-14 handles are unpredictable, unique, 32 bits', async () => {
    const handles: number[] = [];
    for (let i = 0; i < 200; i++) handles.push((await world.until(bank.grasp.registerAsa(`a${i}`))).handle);
    expect(new Set(handles).size).toBe(200);
    for (const handle of handles) expect(handle).toBe(handle >>> 0);
    const steps = new Set(handles.slice(1).map((handle, i) => handle - handles[i]!));
    expect(steps.size).toBeGreaterThan(190);
  });
});

describe('RFC 8991 §2.3.3 what an M_RESPONSE says of it', () => {
  test('A-2.3.3-09 discoverable: at once, and after stopping too; connections there are closed', async () => {
    const ex3 = await world.until(
      briggs.registerObjective({ name: 'EX3', negotiate: true, discoverable: true }),
    );
    expect(await answers()).toHaveLength(1);
    const own = await world.until(gray.registerObjective({ name: 'EX3', negotiate: true }));
    expect(await world.failure(gray.requestNegotiate(own, 1))).toMatchObject({ code: 23, name: 'noPeer' });
    const listening = await world.until(ex3.onNegotiate(accept));
    expect(await world.until(gray.requestNegotiate(own, 1))).toMatchObject({ state: 'accepted' });
    await world.until(ex3.stopNegotiate());
    expect(await world.until(listening.ended)).toBeUndefined();
    expect(await answers()).toHaveLength(1);
    await world.until(ex3.deregister());
    expect(await answers()).toEqual([]);
  });

  test('A-2.3.3-10 the ttl: 60000 by default, as registered, an explicit 0 as 0', async () => {
    const ttls: unknown[] = [];
    for (const ttlMs of [undefined, 5_000, 0]) {
      const ex3 = await world.until(
        briggs.registerObjective({ name: 'EX3', negotiate: true, discoverable: true, ttlMs }),
      );
      ttls.push((await answers())[0]![0]);
      await world.until(ex3.deregister());
    }
    expect(ttls).toEqual([60_000, 5_000, 0]);
  });

  test('A-2.3.3-12 local: the link-local address of the interface', async () => {
    const ex3 = await world.until(
      briggs.registerObjective({ name: 'EX3', negotiate: true, discoverable: true, local: true }),
    );
    const { linkLocal } = bank.node.environment.interfaces[0]!;
    const [response] = await answers();
    expect(response!.slice(1)).toEqual([[103, addressBytes(linkLocal!), 6, expect.any(Number)]]);
    const [found] = await world.until(gray.discover('EX3'));
    expect(found).toMatchObject({ address: linkLocal, interface: 'link' });
    await world.until(ex3.onNegotiate(accept));
    const own = await world.until(gray.registerObjective({ name: 'EX3', negotiate: true }));
    expect(await world.until(gray.requestNegotiate(own, 1))).toMatchObject({ state: 'accepted' });
  });

  test('D-05 exactly the locators given, in order, of every kind', async () => {
    const locators = [
      '[fd00::1]:4000',
      '192.0.2.1:4000/udp',
      'host.example.com:4000',
      { kind: 'uri', address: 'https://example.com/x' },
    ] as const;
    await world.until(briggs.registerObjective({ name: 'EX3', discoverable: true, locators }));
    const [response] = await answers();
    expect(response!.slice(1)).toEqual([
      [103, addressBytes('fd00::1'), 6, 4000],
      [104, addressBytes('192.0.2.1'), 17, 4000],
      [105, 'host.example.com', 6, 4000],
      [106, 'https://example.com/x', null, null],
    ]);
    // A-2.3.2-12: what the discoverer sees of each.
    expect(await world.until(gray.discover('EX3'))).toMatchObject([
      { kind: 'ipv6', address: 'fd00::1', protocol: 'tcp', port: 4000, diverted: false, interface: 'link' },
      { kind: 'ipv4', address: '192.0.2.1', protocol: 'udp', port: 4000 },
      { kind: 'fqdn', address: 'host.example.com', protocol: 'tcp', port: 4000 },
      { kind: 'uri', address: 'https://example.com/x', protocol: null, port: null },
    ]);
  });

  test('D-05 requests skip what they cannot connect to, and go to names', async () => {
    const ex3 = await world.until(
      briggs.registerObjective({
        name: 'EX3',
        negotiate: true,
        locators: [
          'https://example.com/x',
          '192.0.2.1:4000/udp',
          { kind: 'fqdn', address: 'bank.example', port: 1 },
        ],
      }),
    );
    const { port } = await world.until(ex3.onNegotiate(accept));
    const own = await world.until(gray.registerObjective({ name: 'EX3', negotiate: true }));
    // The name leads nowhere yet.
    expect(await world.failure(gray.requestNegotiate(own, 1))).toMatchObject({ code: 18 });
    const address = bank.node.environment.interfaces[0]!.addresses[0]!;
    world.network.setName('bank.example', [address]);
    expect(await world.until(gray.requestNegotiate(own, 1, { peer: `bank.example:${port}` }))).toMatchObject({
      state: 'accepted',
    });
  });

  test('D-04 rapid: the current value stands in the M_RESPONSE, and synchronizing needs no request', async () => {
    const ex1 = await world.until(
      briggs.registerObjective({ name: 'EX1', synchronize: true, rapid: true, ttlMs: 5_000 }),
    );
    await world.until(ex1.listenSynchronize(1));
    wire.forget();
    const expiresAt = world.clock.now() + 5_000;
    expect(await world.until(gray.synchronize('EX1'))).toMatchObject({
      value: 1,
      source: 'rapid',
      locator: { kind: 'ipv6', interface: 'link' },
      expiresAt,
    });
    expect(wire.of(2)[0]!.message[5]).toEqual(['EX1', 5, 6, 1]);
    expect(wire.of(4)).toEqual([]);
    // Reused while its response is unexpired, then fetched anew.
    await world.until(ex1.listenSynchronize(2));
    wire.forget();
    expect(await world.until(gray.synchronize('EX1'))).toMatchObject({ value: 1, source: 'rapid' });
    expect(wire.said).toEqual([]);
    await world.clock.advance(5_000);
    expect(await world.until(gray.synchronize('EX1'))).toMatchObject({ value: 2, source: 'rapid' });
    // A peer that is given is asked all the same.
    const [found] = await world.until(gray.discover('EX1'));
    expect(await world.until(gray.synchronize('EX1', { peer: found! }))).toMatchObject({ source: 'request' });
  });
});

describe('RFC 8991 §2.3.3 deregister_objective', () => {
  test('A-2.3.3-13 by its owner only, removes all state; twice: no error', async () => {
    const ex3 = await world.until(briggs.registerObjective({ name: 'EX3', negotiate: true }));
    const listening = await world.until(ex3.onNegotiate(accept));
    await world.until(ex3.deregister());
    await world.until(ex3.deregister());
    // Why it ended.
    expect(await world.until(listening.ended)).toMatchObject({ code: 13, name: 'notYourObj' });
    expect((await world.until(bank.grasp.status())).objectives).toEqual([]);
    expect(await world.failure(ex3.onNegotiate(accept))).toMatchObject({ code: 13 });
    expect(await world.failure(briggs.requestNegotiate(ex3, 1))).toMatchObject({ code: 13 });
    const foreign = await world.until(gray.registerObjective({ name: 'EX3', negotiate: true }));
    expect(await world.failure(briggs.requestNegotiate(foreign, 1))).toMatchObject({ code: 13 });
  });

  test('Listening.ended says 42 when the engine closes', async () => {
    const ex3 = await world.until(briggs.registerObjective({ name: 'EX3', negotiate: true }));
    const { ended } = await world.until(ex3.onNegotiate(accept));
    await world.until(bank.grasp.close());
    expect(await world.until(ended)).toMatchObject({ code: 42, name: 'closed' });
  });

  test('A-2.3.5-13 stopNegotiate ends every listen of the objective: loops end, handlers are not called', async () => {
    const ex3 = await world.until(briggs.registerObjective({ name: 'EX3', negotiate: true }));
    const listening = await world.until(ex3.onNegotiate(accept));
    const sessions = ex3.listenNegotiate();
    const next = sessions.next();
    await world.clock.settle();
    await world.until(ex3.stopNegotiate());
    expect(await world.until(next)).toEqual({ done: true, value: undefined });
    expect(await world.until(listening.ended)).toBeUndefined();
    expect(await answers()).toEqual([]);
    await world.until(ex3.stopNegotiate());
    // It can be listened for again.
    await world.until(ex3.onNegotiate(accept));
    expect(await answers()).toHaveLength(1);
  });
});
