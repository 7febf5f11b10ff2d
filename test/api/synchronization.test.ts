import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  EncodedValue,
  RawCbor,
  type Asa,
  type Grasp,
  type Objective,
  type SimulatedNode,
  type Synchronized,
  type SynchronizeOptions,
} from '../../src/index.js';
import { World } from './rig.js';
import { addressBytes, type Wire, type Wrapped } from './wire.js';

let world: World;
let wire: Wire;
let bank: { grasp: Grasp; node: SimulatedNode };
let client: { grasp: Grasp; node: SimulatedNode };
let briggs: { asa: Asa; ex3: Objective };
let gray: Asa;

const EX1 = { name: 'EX1', negotiate: false, synchronize: true } as const;

beforeEach(async () => {
  world = new World();
  wire = world.wire();
  bank = await world.engine('bank');
  client = await world.engine('client');
  briggs = await world.asa(bank.grasp, 'Briggs', EX1);
  gray = await world.until(client.grasp.registerAsa('Gray'));
});

afterEach(() => world.close());

const get = (options: SynchronizeOptions = {}, asa = gray): Promise<Synchronized> =>
  world.until(asa.synchronize('EX1', options));
const fails = (options: SynchronizeOptions = {}, asa = gray): Promise<unknown> =>
  world.failure(asa.synchronize('EX1', options));
const publish = (value?: unknown): Promise<void> => world.until(briggs.ex3.listenSynchronize(value));
/** Types of the messages said, with who said them. */
const said = (): string[] => wire.said.map(({ node, message }) => `${node} ${String(message[0])}`);
const portOf = async (): Promise<number> => {
  const [found] = await world.until(gray.discover('EX1'));
  return found!.port!;
};
const bankAddress = (): string => bank.node.environment.interfaces[0]!.addresses[0]!;

describe('RFC 8991 §2.3.6 synchronize', () => {
  test('A-2.3.6-02, A-2.3.3-07 discovers and requests; the objective is not registered here', async () => {
    await publish(['NZD', 7]);
    wire.forget();
    const result = await get();
    expect(result).toMatchObject({
      name: 'EX1',
      value: ['NZD', 7],
      flags: 5,
      loopCount: 6,
      source: 'request',
      locator: { kind: 'ipv6', address: bankAddress(), protocol: 'tcp', diverted: false },
      expiresAt: undefined,
    });
    expect(said()).toEqual(['client 1', 'bank 2', 'client 4', 'bank 8']);
    const [discovery, , request, synch] = wire.said;
    expect(discovery!.message[3]).toEqual(['EX1', 5, 6]);
    expect(request!.message.slice(2)).toEqual([['EX1', 5, 6, null]]);
    expect(synch!.message.slice(2)).toEqual([['EX1', 5, 6, ['NZD', 7]]]);
    expect(synch!.message[1]).toBe(request!.message[1]);
  });

  test('4.13 a known responder is asked again without a discovery; the value is fetched anew', async () => {
    await publish(1);
    expect((await get()).value).toBe(1);
    await publish(2);
    wire.forget();
    expect((await get()).value).toBe(2);
    expect(said()).toEqual(['client 4', 'bank 8']);
  });

  test('A-2.3.6-01 a flooded value is returned at once, without a packet; the newest that has a value', async () => {
    await publish('unicast');
    const items = [
      { objective: briggs.ex3, value: 'flooded', locator: '[fd00::7]:4000' },
      { objective: briggs.ex3, value: null, locator: '[fd00::8]:4000' },
    ];
    await world.until(briggs.asa.flood(items, { ttlMs: 9_000 }));
    wire.forget();
    const expiresAt = world.clock.now() + 9_000;
    expect(await get({ timeoutMs: 1 })).toMatchObject({
      value: 'flooded',
      source: 'flood',
      locator: { address: 'fd00::7', port: 4000 },
      expiresAt,
    });
    expect(said()).toEqual([]);
    // It expires, and the next call asks.
    await world.clock.advance(9_000);
    expect(await get()).toMatchObject({ value: 'unicast', source: 'request' });
  });

  test('A-2.3.6-03 a peer that is given is asked, whatever is flooded', async () => {
    await publish('unicast');
    const port = await portOf();
    await world.until(briggs.asa.flood([{ objective: briggs.ex3, value: 'flooded' }], { ttlMs: 9_000 }));
    wire.forget();
    const peer = `[${bankAddress()}]:${port}`;
    expect(await get({ peer })).toMatchObject({
      value: 'unicast',
      source: 'request',
      locator: { kind: 'ipv6', address: bankAddress(), port, expiresAt: 0 },
    });
    expect(said()).toEqual(['client 4', 'bank 8']);
  });

  test('a peer by name is resolved (RFC 8990 §2.9.5.3); a name nobody knows is 34, a URI 38', async () => {
    await publish(7);
    const port = await portOf();
    world.network.setName('bank.example', [bankAddress()]);
    expect(await get({ peer: `bank.example:${port}` })).toMatchObject({
      value: 7,
      locator: { kind: 'fqdn', address: 'bank.example', port },
    });
    expect(await fails({ peer: { address: 'other.example', port } })).toMatchObject({ code: 34 });
    const uri = {
      kind: 'uri',
      address: 'coap://x',
      port,
      protocol: 'tcp',
      diverted: false,
      expiresAt: 0,
    } as const;
    expect(await fails({ peer: uri })).toMatchObject({ code: 38, name: 'invalidLoc' });
    expect(await fails({ peer: 'nonsense' })).toMatchObject({ code: 38 });
    expect(await fails({ peer: { ...uri, kind: 'fqdn', protocol: 'udp' } })).toMatchObject({ code: 38 });
  });

  test('D-07 other ASAs of the same node are found; the caller’s own are not', async () => {
    const local = await world.until(bank.grasp.registerAsa('Local'));
    await publish(7);
    expect(await get({}, local)).toMatchObject({ value: 7, source: 'request' });
    expect(await fails({}, briggs.asa)).toMatchObject({ code: 33, name: 'notFloodDisc' });
  });

  test('D-08 the discovery takes 100 ms × loop count, not longer than the timeout: then 33', async () => {
    const started = world.clock.now();
    expect(await fails({ loopCount: 3 })).toMatchObject({ code: 33 });
    expect(world.clock.now() - started).toBe(300);
    expect(await fails({ timeoutMs: 20 })).toMatchObject({ code: 33 });
    expect(world.clock.now() - started).toBe(320);
    expect(wire.of(1).map(({ message }) => (message[3] as unknown[])[2])).toEqual([3, 6]);
  });

  test('values come as they were given: tag 24, big integers, bytes, null', async () => {
    await publish(new RawCbor(Uint8Array.of(0x82, 1, 2)));
    const wrapped = await get();
    expect([...(wrapped.value as RawCbor).bytes]).toEqual([0x82, 1, 2]);
    expect(((wire.of(8)[0]!.message[2] as unknown[])[3] as Wrapped).bytes).toEqual(Uint8Array.of(0x82, 1, 2));
    await publish(2n ** 64n);
    expect((await get()).value).toBe(2n ** 64n);
    await publish(new EncodedValue(Uint8Array.of(0x18, 0x07)));
    expect([...(await get()).encodedValue]).toEqual([0x18, 0x07]);
    await publish(null);
    expect((await get()).value).toBeNull();
  });

  test('many requesters at once get the same value', async () => {
    await publish('all');
    const calls = Array.from({ length: 50 }, () => gray.synchronize('EX1'));
    const results = await world.until(Promise.all(calls));
    expect(results.map(({ value }) => value)).toEqual(Array(50).fill('all'));
  });

  test('32 for an objective that is not for synchronization; 6, 3, 16', async () => {
    const { asa, ex3 } = await world.asa(client.grasp, 'Neg');
    expect(await world.failure(asa.synchronize(ex3))).toMatchObject({ code: 32, name: 'notSynch' });
    expect(await world.failure(asa.synchronize(''))).toMatchObject({ code: 3 });
    expect(await world.failure(asa.synchronize('EX1', { timeoutMs: -1 }))).toMatchObject({ code: 3 });
    expect(await world.failure(asa.synchronize('EX1', { timeoutMs: 2 ** 32 }))).toMatchObject({ code: 3 });
    expect(await world.failure(asa.synchronize('EX1', { loopCount: 256 }))).toMatchObject({ code: 3 });
    client.node.setSecurity('none');
    await world.clock.settle();
    expect(await fails()).toMatchObject({ code: 16 });
    expect(await fails({ peer: '[fd00::1]:4000' })).toMatchObject({ code: 16 });
    await world.until(asa.deregister());
    expect(await world.failure(asa.synchronize('EX1'))).toMatchObject({ code: 6 });
    expect(wire.said).toEqual([]);
  });

  test('an aborted signal ends it, while it discovers and while it waits for an answer', async () => {
    const one = new AbortController();
    const discovering = gray.synchronize('EX1', { signal: one.signal });
    await world.clock.advance(10);
    one.abort(new Error('enough'));
    expect(await world.failure(discovering)).toMatchObject({ message: 'enough' });
    const stranger = await world.stranger('stranger');
    const port = await world.until(stranger.listen(() => 'silence'));
    const two = new AbortController();
    const asking = gray.synchronize('EX1', { signal: two.signal, peer: `[${stranger.address}]:${port}` });
    await world.clock.advance(10);
    expect(wire.of(4)).toHaveLength(1);
    two.abort(new Error('too long'));
    expect(await world.failure(asking)).toMatchObject({ message: 'too long' });
    expect(await fails({ signal: two.signal })).toMatchObject({ message: 'too long' });
    await world.clock.settle();
    const { threads } = await world.until(client.grasp.status());
    const sessions = threads.find(({ name }) => name === 'sessions-1')!;
    expect(sessions.queues.find(({ name }) => name === 'sessions')).toMatchObject({ length: 0 });
  });
});

describe('api.md §5 what the peer does after M_REQ_SYN', () => {
  type Script = Parameters<Awaited<ReturnType<World['stranger']>>['listen']>[0];
  const objective = (value: unknown, name = 'EX1'): unknown[] => [name, 5, 6, value];

  test.each<[string, number, Script]>([
    ['closes', 35, () => 'close'],
    ['says nothing', 36, () => 'silence'],
    ['says what is not CBOR', 24, () => [Uint8Array.of(0xff)]],
    ['says what is no message', 37, () => ['hello']],
    ['M_INVALID', 37, ([, sid]) => [[99, sid]]],
    ['M_SYNCH of another objective', 37, ([, sid]) => [[8, sid, objective(1, 'EX2')]]],
    ['M_SYNCH without value', 37, ([, sid]) => [[8, sid, ['EX1', 5, 6]]]],
    ['M_END', 37, ([, sid]) => [[6, sid, [101]]]],
    ['M_NEGOTIATE', 37, ([, sid]) => [[5, sid, objective(1)]]],
    ['M_WAIT', 37, ([, sid]) => [[7, sid, 10]]],
  ])('%s: %i', async (_name, code, script) => {
    const stranger = await world.stranger('stranger');
    const port = await world.until(stranger.listen(script));
    const peer = `[${stranger.address}]:${port}`;
    const started = world.clock.now();
    expect(await fails({ peer, timeoutMs: code === 36 ? 0 : 5_000 })).toMatchObject({ code });
    // A-2.3.2-04: 0 stands for 60000.
    if (code === 36) expect(world.clock.now() - started).toBe(60_000);
  });

  test('refuses the connection: 34', async () => {
    expect(await fails({ peer: `[${bankAddress()}]:1` })).toMatchObject({ code: 34, name: 'sockErrSynRq' });
  });

  test('C-10 a timeout beyond 2^31 ms is kept', async () => {
    const stranger = await world.stranger('stranger');
    const port = await world.until(stranger.listen(() => 'silence'));
    const started = world.clock.now();
    const peer = `[${stranger.address}]:${port}`;
    const asked = gray.synchronize('EX1', { peer, timeoutMs: 2 ** 32 - 1 }).catch((error: unknown) => error);
    expect(await world.clock.until(asked, 2 ** 33)).toMatchObject({ code: 36 });
    expect(world.clock.now() - started).toBe(2 ** 32 - 1);
  });
});

describe('RFC 8991 §2.3.6 listen_synchronize', () => {
  test('A-2.3.6-04 makes discoverable, does not wait, and may be repeated to change the value', async () => {
    expect(await world.until(gray.discover('EX1'))).toEqual([]);
    await publish(1);
    wire.forget();
    expect(await world.until(gray.discover('EX1'))).toHaveLength(1);
    await publish({ b: 2 });
    // Nothing is sent for it.
    expect(said()).toEqual(['client 1', 'bank 2']);
    expect((await get()).value).toEqual(new Map([['b', 2]]));
    expect(briggs.ex3.value).toEqual(new Map([['b', 2]]));
  });

  test('A-2.3.2-07 without a value it is the registered one, null by default', async () => {
    await publish();
    expect((await get()).value).toBeNull();
    const ex2 = await world.until(
      briggs.asa.registerObjective({ name: 'EX2', synchronize: true, value: ['NZD', 2] }),
    );
    expect(ex2.value).toEqual(['NZD', 2]);
    await world.until(ex2.listenSynchronize());
    expect((await world.until(gray.synchronize('EX2'))).value).toEqual(['NZD', 2]);
  });

  test('what is given is copied: later changes have no effect, nor do changes of what is returned', async () => {
    const value = { a: [1] };
    await publish(value);
    value.a.push(2);
    (briggs.ex3.value as Map<string, unknown>).set('b', 1);
    briggs.ex3.encodedValue.fill(0);
    expect((await get()).value).toEqual(new Map([['a', [1]]]));
    expect(briggs.ex3.value).toEqual(new Map([['a', [1]]]));
  });

  test('A-2.3.6-05 stopSynchronize: not found any more, a request is refused; again: no error; and back', async () => {
    await publish(7);
    const peer = `[${bankAddress()}]:${await portOf()}`;
    await world.until(briggs.ex3.stopSynchronize());
    await world.until(briggs.ex3.stopSynchronize());
    expect(await world.until(gray.discover('EX1', { flush: true }))).toEqual([]);
    expect(await fails({ peer })).toMatchObject({ code: 34 });
    await publish(8);
    // Peers cache locators: the port is the same.
    expect((await get({ peer })).value).toBe(8);
  });

  test('a request that waits for nothing is answered while another ASA of the node is busy', async () => {
    const { asa, ex3 } = await world.asa(bank.grasp, 'Neg');
    const pending = ex3.listenNegotiate().next();
    pending.catch(() => undefined);
    await publish(7);
    expect((await get()).value).toBe(7);
    await world.until(asa.deregister());
  });

  test('15 and 32: each kind of objective has its own calls; 13 after deregistration; 16 without security', async () => {
    const { ex3 } = await world.asa(bank.grasp, 'Neg');
    expect(await world.failure(ex3.listenSynchronize(1))).toMatchObject({ code: 32 });
    expect(await world.failure(ex3.stopSynchronize())).toMatchObject({ code: 32 });
    expect(await world.failure(briggs.ex3.onNegotiate(() => undefined))).toMatchObject({ code: 15 });
    expect(() => briggs.ex3.listenNegotiate()).toThrow(expect.objectContaining({ code: 15 }));
    expect(await world.failure(briggs.ex3.stopNegotiate())).toMatchObject({ code: 15 });
    bank.node.setSecurity('none');
    await world.clock.settle();
    expect(await world.failure(briggs.ex3.listenSynchronize(1))).toMatchObject({ code: 16 });
    expect(await world.failure(briggs.ex3.stopSynchronize())).toMatchObject({ code: 16 });
    bank.node.setSecurity('insecure');
    await world.clock.settle();
    await world.until(briggs.ex3.deregister());
    expect(await world.failure(briggs.ex3.listenSynchronize(1))).toMatchObject({ code: 13 });
    expect(await world.failure(briggs.ex3.stopSynchronize())).toMatchObject({ code: 13 });
  });

  test('3 a value that cannot be encoded, 40 one that fits no message; what was published stays', async () => {
    await publish(7);
    expect(await world.failure(briggs.ex3.listenSynchronize(() => 1))).toMatchObject({ code: 3 });
    const big = 'x'.repeat(2_100);
    expect(await world.failure(briggs.ex3.listenSynchronize(big))).toMatchObject({
      code: 40,
      name: 'tooBig',
    });
    expect(briggs.ex3.value).toBe(7);
    expect((await get()).value).toBe(7);
  });

  test('D-03 overlap: the value given last is what others get; when its ASA stops, the one before', async () => {
    const shared = { name: 'EX9', synchronize: true, overlap: true } as const;
    const one = await world.until(briggs.asa.registerObjective(shared));
    const other = await world.until(bank.grasp.registerAsa('Other'));
    const two = await world.until(other.registerObjective(shared));
    const value = async (): Promise<unknown> => (await world.until(gray.synchronize('EX9'))).value;
    await world.until(one.listenSynchronize(1));
    await world.until(two.listenSynchronize(2));
    expect(await value()).toBe(2);
    await world.until(one.listenSynchronize(3));
    expect(await value()).toBe(3);
    await world.until(one.deregister());
    expect(await value()).toBe(2);
    await world.until(other.deregister());
    expect(await world.failure(gray.synchronize('EX9'))).toMatchObject({ code: 34 });
  });

  test('P-6.9.2-02 after a loss of security the same handles serve again', async () => {
    await publish(7);
    bank.node.setSecurity('none');
    await world.clock.settle();
    expect(await fails({ timeoutMs: 1_000 })).toMatchObject({ code: 33 });
    bank.node.setSecurity('insecure');
    await world.clock.settle();
    expect((await get()).value).toBe(7);
  });
});

describe('addresses', () => {
  test('a link-local locator is asked through its interface', async () => {
    const stranger = await world.stranger('stranger');
    const port = await world.until(stranger.listen(([, sid]) => [[8, sid, ['EX7', 5, 6, 7]]]));
    const { linkLocal } = stranger.substrate.environment.interfaces[0]!;
    stranger.onHeard = (message, from) => {
      const response = [2, message[1], message[2], 60_000, [103, addressBytes(linkLocal!), 6, port]];
      void stranger.respond(from, response);
    };
    expect(await world.until(gray.synchronize('EX7'))).toMatchObject({
      value: 7,
      locator: { address: linkLocal, interface: 'link' },
    });
  });
});
