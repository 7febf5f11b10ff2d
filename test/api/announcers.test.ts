/** Announcers and listeners of infrastructure: RFC 8994 §6.2.5.1 and §6.4, RFC 8995 §4. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { encode } from 'cborg';
import { getEventListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  announceAcp,
  announceEst,
  announceProxy,
  announceRegistrar,
  listenAcp,
  listenEst,
  listenProxy,
  listenRegistrar,
  type AcpMethod,
  type Grasp,
  type SimulatedClock,
  type SimulatedNode,
} from '../../src/index.js';
import { World } from './rig.js';
import { addressBytes, type Said, type Stranger, type Wire } from './wire.js';

const FLOOD = 9;
const DULL = { dull: { objectives: ['AN_ACP', 'AN_Proxy'] } };
const IKE = { name: 'IKEv2' } as const;

/** The examples of the RFCs as bytes: the address stands for `from`. */
const file = JSON.parse(
  readFileSync(new URL('../../../test/vectors/vectors.json', import.meta.url), 'utf8'),
) as { vectors: { name: string; hex: string }[] };
const example = (name: string): Uint8Array =>
  Uint8Array.from(Buffer.from(file.vectors.find((each) => each.name === `pub.${name}`)!.hex, 'hex'));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
/** The example as this node would send it: with its session id, and its address for the one in the example. */
function sentBy(name: string, exampleAddress: string, { message }: Said): string {
  const own = hex(message[2] as Uint8Array);
  const bytes = hex(example(name)).replaceAll(hex(addressBytes(exampleAddress)), own);
  // Array head and message type, then the session id in five bytes.
  return bytes.slice(0, 4) + hex(encode(message[1])) + bytes.slice(14);
}

let world: World;
let wire: Wire;
let dull: Grasp;
let node: SimulatedNode;
let p: Stranger;

beforeEach(async () => {
  world = new World();
  ({ grasp: dull, node } = await world.engine('e', { node: { security: 'none' }, more: DULL }));
  p = await world.stranger('p');
  wire = world.wire();
});

afterEach(() => world.close());

const floods = (): Said[] => wire.of(FLOOD).filter((said) => said.node === 'e');
const own = (): string => node.environment.interfaces[0]!.linkLocal!;
const theirs = (): string => p.substrate.environment.interfaces[0]!.linkLocal!;
let sessionId = 1;
/** A flood of p. */
async function flood(pairs: readonly unknown[], from = theirs(), ttlMs = 210_000): Promise<void> {
  await world.until(p.multicast([FLOOD, sessionId++, addressBytes(from), ttlMs, ...pairs], 'link'));
  await world.clock.settle();
}
const udp = (address: string, port: number): unknown[] => [103, addressBytes(address), 17, port];
const tcp = (address: string, port: number): unknown[] => [103, addressBytes(address), 6, port];
const next = async <T>(list: AsyncIterator<T>): Promise<T> => (await world.until(list.next())).value as T;

/** From now on: the delays of the timers that run, whole seconds. */
function watchTimers(clock: SimulatedClock): () => number[] {
  const running = new Map<unknown, number>();
  const set = clock.setTimeout.bind(clock);
  const clear = clock.clearTimeout.bind(clock);
  clock.setTimeout = (fn, ms) => {
    const id = set(() => {
      running.delete(id);
      fn();
    }, ms);
    running.set(id, Math.round(ms / 1_000) * 1_000);
    return id;
  };
  clock.clearTimeout = (id) => {
    running.delete(id);
    clear(id);
  };
  return () => [...running.values()];
}

describe('RFC 8994 §6.4 AN_ACP', () => {
  test('P-6.4-06 -07 -08 the bytes of Figure 6, every 60 s, each time with a new session id', async () => {
    const methods = [
      { name: 'IKEv2', port: 15_000 },
      { name: 'DTLS', port: 17_000 },
    ];
    const announcement = await world.until(announceAcp(dull, { methods }));
    expect(floods()).toHaveLength(1);
    const [first] = floods();
    expect(first!.message.slice(2, 4)).toEqual([addressBytes(own()), 210_000]);
    expect(hex(first!.bytes)).toBe(sentBy('an-acp-two-methods', 'fe80::c001:1001:feef:0', first!));
    const sent = [world.clock.now()];
    for (let n = 2; n <= 4; n++) {
      await world.clock.advance(59_999);
      expect(floods()).toHaveLength(n - 1);
      await world.clock.advance(1);
      expect(floods()).toHaveLength(n);
      sent.push(world.clock.now());
    }
    expect(sent.map((at) => at - sent[0]!)).toEqual([0, 60_000, 120_000, 180_000]);
    expect(new Set(floods().map(({ message }) => message[1])).size).toBe(4);
    await world.until(announcement.stop());
    await world.clock.advance(600_000);
    expect(floods()).toHaveLength(4);
    expect(await announcement.ended).toBeUndefined();
    expect((await world.until(dull.status())).asas).toEqual([]);
  });

  test('§6.4 a method with parameters and extensions, and the default port of IKEv2', async () => {
    const methods = [
      { ...IKE, params: ['p1'], extensions: ['ext'] },
      { ...IKE, extensions: [7] },
      { ...IKE, params: [1, 2] },
      IKE,
    ];
    await world.until(announceAcp(dull, { methods }));
    expect(floods()[0]!.message.slice(4)).toEqual(
      [[['IKEv2', 'p1'], 'ext'], ['IKEv2', 7], [['IKEv2', 1, 2]], 'IKEv2'].map((value) => [
        ['AN_ACP', 4, 1, value],
        udp(own(), 500),
      ]),
    );
  });

  test('P-6.4-02 -08 an instance per interface: each announces the address of its own', async () => {
    const two = world.network.addNode('two', { links: ['l1', 'l2'], security: 'none' });
    for (const name of ['l1', 'l2']) {
      const grasp = await world.engineOn(two, { more: { dull: { ...DULL.dull, interface: name } } });
      await world.until(announceAcp(grasp, { methods: [IKE] }));
    }
    const said = wire.of(FLOOD).filter((each) => each.node === 'two');
    expect(said.map(({ link }) => link)).toEqual(['l1', 'l2']);
    for (const { link, message } of said) {
      const { linkLocal } = two.environment.interfaces.find(({ name }) => name === link)!;
      expect([message[2], message[4]]).toEqual([
        addressBytes(linkLocal!),
        [['AN_ACP', 4, 1, 'IKEv2'], udp(linkLocal!, 500)],
      ]);
    }
  });

  test.each<[string, unknown[]]>([
    ['no method', []],
    ['an empty name', [{ name: '' }]],
    ['a name that is no identifier', [{ name: '1st', port: 1 }]],
    ['a name that ends in a hyphen', [{ name: 'x-', port: 1 }]],
    ['DTLS without port', [{ name: 'DTLS' }]],
    ['port 0', [{ name: 'IKEv2', port: 0 }]],
    ['port beyond 65535', [{ name: 'IKEv2', port: 65_536 }]],
  ])('§6.4 announceAcp refuses %s: 3, and leaves nothing behind', async (_, methods) => {
    const announcing = announceAcp(dull, { methods: methods as AcpMethod[] });
    expect(await world.failure(announcing)).toMatchObject({ code: 3 });
    expect(floods()).toEqual([]);
    expect((await world.until(dull.status())).asas).toEqual([]);
  });

  test('P-6.4-10 listenAcp hands over neighbours, with what it does not know of their methods', async () => {
    const heard = listenAcp(dull);
    expect(await next(heard)).toEqual([]);
    await flood([
      [['AN_ACP', 4, 1, 'IKEv2'], udp(theirs(), 15_000)],
      [['AN_ACP', 4, 1, [['DTLS', 'p1', 2], 'ext']], udp(theirs(), 17_000)],
      [['AN_ACP', 4, 1, [['IKEv2', 'p1'], 'ext']], []],
    ]);
    const expiresAt = world.clock.now() + 210_000;
    const all = { address: theirs(), interface: 'link', expiresAt };
    expect(await next(heard)).toEqual([
      { ...all, method: 'IKEv2', port: 500, params: ['p1'], extensions: ['ext'] },
      { ...all, method: 'DTLS', port: 17_000, params: ['p1', 2], extensions: ['ext'] },
      { ...all, method: 'IKEv2', port: 15_000, params: [], extensions: [] },
    ]);
    await world.until(heard.return!());
    expect((await world.until(dull.status())).asas).toEqual([]);
  });

  test.each<[string, unknown, unknown]>([
    ['an unknown method', 'WireGuard', () => udp(theirs(), 1)],
    ['no method', 7, () => udp(theirs(), 1)],
    ['an empty list', [], () => udp(theirs(), 1)],
    ['a method without name', [[1, 'IKEv2']], () => udp(theirs(), 1)],
    ['DTLS without locator', 'DTLS', () => []],
    ['P-6.4-09 another address', 'IKEv2', () => udp('fe80::bad', 500)],
    ['P-6.4-09 an address beyond the link', 'IKEv2', () => udp('fd00::1', 500)],
    ['P-6.4-09 a locator of another kind', 'IKEv2', () => [105, 'acp.example.com', 17, 500]],
    ['P-6.4-09 TCP', 'IKEv2', () => tcp(theirs(), 500)],
    ['port 0', 'IKEv2', () => udp(theirs(), 0)],
  ])('listenAcp leaves out %s', async (_, value, locator) => {
    const heard = listenAcp(dull);
    expect(await next(heard)).toEqual([]);
    await flood([
      [['AN_ACP', 4, 1, value], (locator as () => unknown)()],
      [['AN_ACP', 4, 1, 'IKEv2'], udp(theirs(), 4500)],
    ]);
    expect((await next(heard)).map(({ port }) => port)).toEqual([4500]);
    await world.until(heard.return!());
  });

  test('P-6.4-09 an initiator that is no link-local address, and this node itself, are no neighbours', async () => {
    await world.until(announceAcp(dull, { methods: [IKE] }));
    await flood([[['AN_ACP', 4, 1, 'IKEv2'], []]], 'fd00::1');
    const heard = listenAcp(dull);
    expect(await next(heard)).toEqual([]);
    await world.until(heard.return!());
  });

  test('two nodes find each other; one that falls silent is forgotten when its ttl ends', async () => {
    const other = await world.engine('other', { more: DULL });
    const announcement = await world.until(announceAcp(other.grasp, { methods: [IKE], periodMs: 3_000 }));
    const heard = listenAcp(dull, { methods: ['IKEv2'] });
    const [neighbour, ...more] = await next(heard);
    const address = other.node.environment.interfaces[0]!.linkLocal;
    expect([neighbour, more]).toMatchObject([{ address, method: 'IKEv2', port: 500 }, []]);
    // RFC 8994 §6.4: three and a half periods, whatever the period.
    expect(neighbour!.expiresAt - world.clock.now()).toBe(10_500);
    await world.clock.advance(3_000);
    expect((await next(heard))[0]!.expiresAt).toBe(neighbour!.expiresAt + 3_000);
    await world.until(announcement.stop());
    expect(await next(heard)).toEqual([]);
    expect(world.clock.now()).toBe(neighbour!.expiresAt + 3_000);
    await world.until(heard.return!());
  });
});

describe('RFC 8995 §4.1.1 AN_Proxy', () => {
  test('B-4.1-02 the bytes of Figure 11', async () => {
    await world.until(announceProxy(dull, { port: 4443 }));
    const [said, ...more] = floods();
    expect(more).toEqual([]);
    expect(hex(said!.bytes)).toBe(sentBy('an-proxy', 'fe80::1', said!));
    expect(said!.message.slice(2)).toEqual([
      addressBytes(own()),
      180_000,
      [['AN_Proxy', 4, 1, ''], tcp(own(), 4443)],
    ]);
    await world.clock.advance(60_000);
    expect(floods()).toHaveLength(2);
  });

  test('B-4.1-03 further methods beside TCP', async () => {
    await world.until(
      announceProxy(dull, { port: 4443, others: [{ port: 5684, protocol: 'udp', value: 'x' }] }),
    );
    expect(floods()[0]!.message.slice(4)).toEqual([
      [['AN_Proxy', 4, 1, ''], tcp(own(), 4443)],
      [['AN_Proxy', 4, 1, 'x'], udp(own(), 5684)],
    ]);
  });

  test('B-4.1-01 a pledge hears proxies, by TCP, whatever the value is', async () => {
    const heard = listenProxy(dull);
    expect(await next(heard)).toEqual([]);
    await flood([
      [['AN_Proxy', 4, 1, ''], []],
      [['AN_Proxy', 4, 1, ''], tcp('fd00::1', 4443)],
      [
        ['AN_Proxy', 4, 1, ''],
        [105, 'proxy.example.com', 6, 4443],
      ],
      [['AN_Proxy', 4, 1, ''], udp(theirs(), 5684)],
      [['AN_Proxy', 4, 1, { any: 1 }], tcp(theirs(), 4443)],
    ]);
    expect(await next(heard)).toMatchObject([
      { address: theirs(), interface: 'link', port: 4443, protocol: 'tcp' },
    ]);
    await world.until(heard.return!());
    const both = listenProxy(dull, { protocols: ['tcp', 'udp'] });
    expect((await next(both)).map(({ port }) => port)).toEqual([4443, 5684]);
    await world.until(both.return!());
  });

  test('§6.4 AN_ACP and AN_Proxy side by side, and an ASA of one’s own for both', async () => {
    const asa = await world.until(dull.registerAsa('Mine'));
    await world.until(announceAcp(asa, { methods: [IKE] }));
    const announcement = await world.until(announceProxy(asa, { port: 4443 }));
    expect(floods().map(({ message }) => (message[4] as unknown[][])[0]![0])).toEqual(['AN_ACP', 'AN_Proxy']);
    await world.until(announcement.stop());
    // The ASA stays; what was registered for the announcement does not.
    const { asas, objectives } = await world.until(dull.status());
    expect([asas.map(({ name }) => name), objectives.map(({ name }) => name)]).toEqual([
      ['Mine'],
      ['AN_ACP'],
    ]);
  });
});

describe('RFC 8994 §6.2.5.1 SRV.est, RFC 8995 §4.3 AN_join_registrar', () => {
  let inside: { grasp: Grasp; node: SimulatedNode };
  const said = (): Said[] => wire.of(FLOOD).filter((each) => each.node === 'inside');
  const ula = (): string => inside.node.environment.interfaces[0]!.addresses[0]!;
  beforeEach(async () => {
    inside = await world.engine('inside');
  });

  test('P-6.2.5.1-01 -05 -06 -09 EST server: the bytes of Figure 4 with a null value, every 60 s', async () => {
    await world.until(announceEst(inside.grasp, { port: 443 }));
    expect(hex(said()[0]!.bytes)).toBe(
      sentBy('srv-est-null-value', 'fd89:b714:f3db:0:2000:0:6400:1', said()[0]!),
    );
    await world.clock.advance(60_000);
    expect(said()).toHaveLength(2);
  });

  test('P-6.2.5.1-02 a value is ignored, and so are locators that are none of a server', async () => {
    const heard = listenEst(inside.grasp);
    expect(await next(heard)).toEqual([]);
    await flood(
      [
        [['SRV.est', 4, 255], tcp('fd00::1', 443)],
        [['SRV.est', 4, 255, { new: 1 }], tcp('fd00::2', 443)],
        [['SRV.est', 4, 255], udp('fd00::3', 443)],
        [['SRV.est', 4, 255], []],
        [
          ['SRV.est', 4, 255],
          [105, 'est.example.com', 6, 443],
        ],
      ],
      'fd00::1',
    );
    expect((await next(heard)).map(({ address, port }) => [address, port])).toEqual([
      ['fd00::2', 443],
      ['fd00::1', 443],
    ]);
    await world.until(heard.return!());
  });

  test('P-6.2.5.1-10 not while what is behind it is out of reach', async () => {
    let reachable = false;
    const failures: unknown[] = [];
    const broken = new Error('CA unknown');
    await world.until(
      announceEst(inside.grasp, {
        port: 443,
        when: () => {
          if (failures.length === 0 && reachable) throw broken;
          return Promise.resolve(reachable);
        },
        onFailure: (error) => failures.push(error),
      }),
    );
    await world.clock.advance(120_000);
    expect(said()).toEqual([]);
    reachable = true;
    await world.clock.advance(60_000);
    expect([said(), failures]).toEqual([[], [broken]]);
    await world.clock.advance(60_000);
    expect(said()).toHaveLength(1);
  });

  test('B-4.3-02 -03 registrar: the bytes of the example, periodically; the address follows the node’s', async () => {
    await world.until(announceRegistrar(inside.grasp, { protocols: [{ name: 'EST-TLS', port: 8443 }] }));
    const [first] = said();
    expect(hex(first!.bytes)).toBe(sentBy('an-join-registrar', 'fda3:79a6:f6ee:0:200:0:6400:1', first!));
    const before = ula();
    inside.node.renumber('link');
    expect(ula()).not.toBe(before);
    await world.clock.advance(60_000);
    const [, second] = said();
    expect(second!.message[1]).not.toBe(first!.message[1]);
    expect(second!.message[4]).toEqual([['AN_join_registrar', 4, 255, 'EST-TLS'], tcp(ula(), 8443)]);
    const heard = listenRegistrar(inside.grasp);
    expect((await next(heard)).map(({ name, locator: { address } }) => [name, address])).toEqual([
      ['EST-TLS', ula()],
      ['EST-TLS', before],
    ]);
    await world.until(heard.return!());
  });

  test('C-11 a registrar’s locators are handed over as they came', async () => {
    const heard = listenRegistrar(inside.grasp);
    expect(await next(heard)).toEqual([]);
    await flood(
      [
        [
          ['AN_join_registrar', 4, 255, 'IPIP'],
          [103, addressBytes('fd00::1'), 41, null],
        ],
        [['AN_join_registrar', 4, 255, 7], tcp('fd00::2', 1)],
        [['AN_join_registrar', 4, 255, 'EST-TLS'], []],
      ],
      'fd00::1',
    );
    expect(await next(heard)).toMatchObject([
      { name: 'IPIP', locator: { address: 'fd00::1', protocol: 41, port: null } },
    ]);
    await world.until(heard.return!());
  });

  test('B-4.3-07 one of the protocols is TCP', async () => {
    const protocols = [{ name: 'X', port: 1, protocol: 'udp' }] as const;
    expect(await world.failure(announceRegistrar(inside.grasp, { protocols }))).toMatchObject({ code: 3 });
  });

  test('B-4.3-06 P-6.4-05 each objective belongs to its own kind of instance: 3', async () => {
    const protocols = [{ name: 'EST-TLS', port: 8443 }];
    for (const wrong of [
      announceRegistrar(dull, { protocols }),
      announceEst(dull, { port: 443 }),
      listenEst(dull).next(),
      listenRegistrar(dull).next(),
      announceAcp(inside.grasp, { methods: [IKE] }),
      announceProxy(inside.grasp, { port: 4443 }),
      listenAcp(inside.grasp).next(),
      listenProxy(inside.grasp).next(),
    ]) {
      expect(await world.failure(wrong)).toMatchObject({ code: 3 });
    }
    expect(wire.of(FLOOD)).toEqual([]);
    for (const grasp of [dull, inside.grasp]) expect((await world.until(grasp.status())).asas).toEqual([]);
  });

  test('P-6.9.2-03 a node without address beyond its links has none to announce: 3', async () => {
    const { grasp } = await world.engine('bare', { node: { ula: false } });
    expect(await world.failure(announceEst(grasp, { port: 443 }))).toMatchObject({ code: 3 });
  });

  test('P-6.2.5.1-07 B-4.3-05 not more often than every 60 s; on a link every 3 s', async () => {
    for (const periodMs of [0, -1, 1.5, NaN, 59_999, 2 ** 32]) {
      expect(await world.failure(announceEst(inside.grasp, { port: 443, periodMs }))).toMatchObject({
        code: 3,
      });
    }
    for (const periodMs of [0, 2_999, 2 ** 31]) {
      expect(await world.failure(announceProxy(dull, { port: 1, periodMs }))).toMatchObject({ code: 3 });
    }
    expect(wire.of(FLOOD)).toEqual([]);
    await world.until(announceProxy(dull, { port: 1, periodMs: 3_000 }));
    expect(floods()[0]!.message[3]).toBe(9_000);
  });
});

describe('the life of an announcement', () => {
  test('a signal ends it, and a loop with its reason', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const announcement = await world.until(announceAcp(dull, { methods: [IKE], signal }));
    const heard = listenAcp(dull, { signal });
    await next(heard);
    const reason = new Error('enough');
    const failing = world.failure(heard.next());
    controller.abort(reason);
    expect(await failing).toBe(reason);
    expect(await world.until(announcement.ended)).toBeUndefined();
    expect(await world.failure(announceAcp(dull, { methods: [IKE], signal }))).toBe(reason);
    expect(() => listenAcp(dull, { signal })).toThrow(reason);
    await world.clock.advance(300_000);
    expect(floods()).toHaveLength(1);
  });

  test('a signal that comes while nobody waits for the list is told at the next turn', async () => {
    const controller = new AbortController();
    const heard = listenAcp(dull, { signal: controller.signal });
    await next(heard);
    const reason = new Error('enough');
    controller.abort(reason);
    await world.clock.settle();
    expect(await world.failure(heard.next())).toBe(reason);
    expect((await world.until(dull.status())).asas).toEqual([]);
  });

  test('leaving a loop while it waits ends it', async () => {
    const heard = listenAcp(dull);
    await next(heard);
    const waiting = heard.next();
    await world.until(heard.return!());
    expect(await world.until(waiting)).toEqual({ done: true, value: undefined });
    expect(await world.until(heard.next())).toEqual({ done: true, value: undefined });
  });

  test('the end of the engine ends it at once (42), leaving no timer', async () => {
    const announcement = await world.until(announceAcp(dull, { methods: [IKE] }));
    await world.until(dull.close());
    expect(await announcement.ended).toMatchObject({ code: 42 });
    await world.clock.advance(300_000);
    expect(floods()).toHaveLength(1);
    await world.until(announcement.stop());
  });

  test('the end of the engine ends a loop (42), whether or not it waits', async () => {
    const [waits, looksAway] = [listenAcp(dull), listenAcp(dull)];
    for (const list of [waits, looksAway]) await next(list);
    const waiting = world.failure(waits.next());
    await world.until(dull.close());
    expect(await waiting).toMatchObject({ code: 42 });
    expect(await world.failure(looksAway.next())).toMatchObject({ code: 42 });
  });

  test('a deregistered ASA ends it (6) at the next flood', async () => {
    const asa = await world.until(dull.registerAsa('Mine'));
    const announcement = await world.until(announceAcp(asa, { methods: [IKE] }));
    await world.until(asa.deregister());
    await world.clock.advance(60_000);
    expect(await announcement.ended).toMatchObject({ code: 6 });
  });

  test('an ASA that is deregistered before the announcement is ended: no failure, then or by the signal', async () => {
    const asa = await world.until(dull.registerAsa('Mine'));
    const controller = new AbortController();
    const { signal } = controller;
    const failed: unknown[] = [];
    const onFailure = (error: unknown): void => void failed.push(error);
    const announcement = await world.until(announceAcp(asa, { methods: [IKE], signal, onFailure }));
    await world.until(asa.deregister());
    controller.abort();
    await world.clock.settle();
    expect(await announcement.ended).toBeUndefined();
    await world.until(announcement.stop());
    expect(failed).toEqual([]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test.each<[string, (controller: AbortController) => Promise<unknown> | void]>([
    ['a signal', (controller) => controller.abort(new Error('enough'))],
    ['the engine', () => dull.close()],
  ])('a loop that is ended by %s leaves no timer', async (_, end) => {
    const controller = new AbortController();
    const heard = listenAcp(dull, { signal: controller.signal });
    await next(heard);
    await flood([[['AN_ACP', 5, 1, 'IKEv2'], udp(theirs(), 500)]]);
    expect(await next(heard)).toHaveLength(1);
    const timers = watchTimers(world.clock);
    const failing = heard.next().catch((error: unknown) => error);
    await world.clock.settle();
    expect(timers()).toContain(210_000);
    await world.until(Promise.resolve(end(controller)));
    await world.until(failing);
    expect(timers()).not.toContain(210_000);
  });

  test('twice in one engine: 12, and the first goes on; listeners there may be many', async () => {
    await world.until(announceAcp(dull, { methods: [IKE] }));
    expect(await world.failure(announceAcp(dull, { methods: [IKE] }))).toMatchObject({ code: 12 });
    const lists = [listenAcp(dull), listenAcp(dull)];
    for (const list of lists) expect(await next(list)).toEqual([]);
    const { asas } = await world.until(dull.status());
    expect(asas.map(({ name }) => name)).toEqual([
      'AN_ACP announcer',
      'AN_ACP listener',
      'AN_ACP listener 2',
    ]);
    for (const list of lists) await world.until(list.return!());
    await world.clock.advance(60_000);
    expect(floods()).toHaveLength(2);
  });

  test('a first flood that cannot be sent rejects, and leaves nothing behind', async () => {
    const { grasp } = await world.engine('unsafe', { node: { security: 'none' } });
    expect(await world.failure(announceEst(grasp, { port: 443 }))).toMatchObject({ code: 16 });
    expect((await world.until(grasp.status())).asas).toEqual([]);
  });
});
