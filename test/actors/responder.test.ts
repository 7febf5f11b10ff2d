/** What a registration asks the responder for: RFC 8990 §2.9.5, api.md §4.3 (D-04, D-05), rapid mode (§2.5.6.3). */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { encode } from 'cborg';
import type { WireLocator } from '../../src/protocol/index.js';
import {
  addressBytes,
  CoreRig,
  discovery,
  tcp6,
  type CoreEngine,
  type CoreEngineOptions,
  type MulticastPeer,
} from './core-rig.js';

let rig: CoreRig;
let engine: CoreEngine;
let p1: MulticastPeer;
let p2: MulticastPeer;
beforeEach(() => {
  rig = new CoreRig();
});
afterEach(() => rig.close());

/** An engine on two links, and a peer on each. */
async function start(options: CoreEngineOptions = {}): Promise<void> {
  engine = await rig.engine('engine', { links: ['l1', 'l2'], ...options });
  p1 = await rig.peer('p1', { links: ['l1'], ipv4: options.ipv4 ?? false, ipv6: options.ipv6 ?? true });
  p2 = await rig.peer('p2', { links: ['l2'] });
}

const linkLocal = (link: string): string =>
  engine.environment.interfaces.find(({ name }) => name === link)!.linkLocal!;
const wire6 = (address: string, port: number): WireLocator => ({
  type: 103,
  address: addressBytes(address),
  protocol: 6,
  port,
});
/** The elements after the ttl. */
const answers = (peer: MulticastPeer): unknown[][] => peer.responses.map((message) => message.slice(4));

describe('local', () => {
  test('G-2.9.5.1-02 -03 the link-local address of the interface by which it is asked', async () => {
    await start();
    await engine.announce('EX3', [{ local: true }]);
    await p1.multicast(discovery('EX3'), 'l1');
    await p2.multicast(discovery('EX3'), 'l2');
    expect(answers(p1)).toEqual([[tcp6(linkLocal('l1'), 50_001)]]);
    expect(answers(p2)).toEqual([[tcp6(linkLocal('l2'), 50_001)]]);
    expect(linkLocal('l1')).not.toBe(linkLocal('l2'));
  });

  test('another node that has learnt it diverts nobody to it', async () => {
    await start();
    await engine.announce('EX3', [{ local: true }]);
    const third = await rig.engine('third', { links: ['l2', 'l3'] });
    const p3 = await rig.peer('p3', { links: ['l3'] });
    await third.client().discover('EX3');
    expect(third.core.status().queues).toContainEqual({ name: 'discovery.cache', length: 1, limit: 10_000 });
    await p3.multicast(discovery('EX3', { loop: 2 }), 'l3');
    expect(p3.responses).toEqual([]);
    expect(third.counters.get('relay.response.unusable')).toBe(1);
  });

  test('the ASAs of the node itself get an address that works there', async () => {
    await start();
    await engine.announce('EX3', [{ asa: 1, local: true }]);
    const found = await engine.client().discover('EX3', { asa: 2, timeoutMs: 0 });
    expect(found.found.map(({ locator }) => locator)).toEqual([wire6(engine.address('l1'), 50_001)]);
  });
});

describe('locators', () => {
  const name: WireLocator = { type: 105, name: 'host.example', protocol: 6, port: 443 };
  const uri: WireLocator = { type: 106, uri: 'coap://host.example/x', protocol: null, port: null };

  test('D-05 G-2.8.5-10 exactly these, in order, of any type', async () => {
    await start();
    await engine.announce('EX3', [{ locators: [name, wire6('fd00::9', 7), uri] }]);
    await p1.multicast(discovery('EX3'), 'l1');
    expect(answers(p1)).toEqual([
      [[105, 'host.example', 6, 443], tcp6('fd00::9', 7), [106, 'coap://host.example/x', null, null]],
    ]);
    const found = await engine.client().discover('EX3', { asa: 2, timeoutMs: 0 });
    expect(found.found.map(({ locator }) => locator)).toEqual([name, wire6('fd00::9', 7), uri]);
  });

  test('D-05 G-2.9.5.1-03 a link-local one only towards its interface', async () => {
    await start();
    const here = wire6(linkLocal('l2'), 7);
    await engine.announce('EX3', [{ locators: [here, name] }]);
    await engine.announce('EX4', [{ locators: [here, wire6('fe80::5', 8)] }]);
    await p1.multicast(discovery('EX3'), 'l1');
    await p1.multicast(discovery('EX4'), 'l1');
    await p2.multicast(discovery('EX3'), 'l2');
    await p2.multicast(discovery('EX4'), 'l2');
    // With none left there is no answer.
    expect(answers(p1)).toEqual([[[105, 'host.example', 6, 443]]]);
    expect(engine.counters.get('response.no-address')).toBe(1);
    const at2 = tcp6(linkLocal('l2'), 7);
    expect(answers(p2)).toEqual([[at2, [105, 'host.example', 6, 443]], [at2]]);
    const found = await engine.client().discover('EX4', { asa: 2, timeoutMs: 0 });
    expect(found.found.map((each) => each.interface)).toEqual(['l2', '']);
  });

  test('an empty list asks for nothing', async () => {
    await start();
    await engine.announce('EX3', [{ locators: [] }]);
    await p1.multicast(discovery('EX3'), 'l1');
    expect(answers(p1)).toEqual([[tcp6(engine.address('l1'), 50_001)]]);
  });

  test('G-2.8.3-02 more than fits a message: no answer, counted', async () => {
    await start();
    const many = Array.from({ length: 100 }, (_, i) => wire6('fd00::9', i + 1));
    await engine.announce('EX3', [{ locators: many }]);
    await p1.multicast(discovery('EX3'), 'l1');
    expect(p1.responses).toEqual([]);
    expect(engine.counters.get('response.too-big')).toBe(1);
  });
});

describe('IPv4', () => {
  test('who asks by IPv4 is given an IPv4 address', async () => {
    await start({ ipv4: true, ipv6: false });
    await engine.announce('EX3', [{}]);
    await p1.multicast(discovery('EX3', { from: '192.0.2.77' }), 'l1');
    const own = engine.environment.interfaces.find(({ name: link }) => link === 'l1')!.addresses;
    expect(answers(p1)).toEqual([[[104, addressBytes(own[0]!), 6, 50_001]]]);
    expect(p1.responses[0]![2]).toEqual(addressBytes('192.0.2.77'));
  });

  test('who asks by IPv6 an IPv6 one, though there is IPv4 too', async () => {
    await start({ ipv4: true });
    await engine.announce('EX3', [{}]);
    await p1.multicast(discovery('EX3'), 'l1');
    expect(answers(p1)).toEqual([[tcp6(engine.address('l1'), 50_001)]]);
  });

  test('by unicast, either way', async () => {
    await start({ ipv4: true });
    await engine.announce('EX3', [{}]);
    const ipv4 = engine.environment.interfaces[0]!.addresses.find((address) => !address.includes(':'))!;
    const ask = encode(discovery('EX3'));
    p1.node.sendDatagram({ address: ipv4, port: 7017 }, ask, p1.port());
    await rig.clock.settle();
    expect(answers(p1)).toEqual([[[104, addressBytes(ipv4), 6, 50_001]]]);
  });
});

describe('rapid (C-04, D-04)', () => {
  test('the value stands beside the locator, with the flags as registered', async () => {
    await start();
    await engine.announce('EX2', [{ rapidValue: encode({ a: [1, 'x'] }) }], 60_000, 5);
    await p1.multicast(discovery('EX2', { loop: 4 }), 'l1');
    expect(answers(p1)).toEqual([[tcp6(engine.address('l1'), 50_001), ['EX2', 5, 4, { a: [1, 'x'] }]]]);
  });

  test('not of a negotiation objective', async () => {
    await start();
    await engine.announce('EX3', [{ rapidValue: encode(1) }], 60_000, 3);
    await p1.multicast(discovery('EX3'), 'l1');
    expect(answers(p1)).toEqual([[tcp6(engine.address('l1'), 50_001)]]);
  });

  test('G-2.8.3-02 a value that does not fit 2048 bytes is left out: it can be asked for', async () => {
    await start();
    await engine.announce('EX2', [{ rapidValue: encode('x'.repeat(2_048)) }], 60_000, 5);
    await p1.multicast(discovery('EX2'), 'l1');
    expect(answers(p1)).toEqual([[tcp6(engine.address('l1'), 50_001)]]);
    expect(engine.counters.get('response.rapid-too-big')).toBe(1);
  });

  test('G-2.5.6.3-04 a discovery that asks for a value gets M_RESPONSE: M_SYNCH is off by default', async () => {
    await start();
    await engine.announce('EX2', [{ rapidValue: encode(42) }], 60_000, 5);
    await p1.multicast([1, 7, addressBytes('fd00::77'), ['EX2', 5, 6, null]], 'l1');
    expect(p1.responses.map(([type]) => type)).toEqual([2]);
  });

  test('G-2.5.6.3-02 G-2.8.4-13 switched on: M_SYNCH with the same session ID to the source port, closed after it', async () => {
    await start({ rapidAnswers: true });
    await engine.announce('EX2', [{ rapidValue: encode(42) }], 60_000, 5);
    await p1.multicast([1, 7, addressBytes('fd00::77'), ['EX2', 5, 6, 0]], 'l1');
    expect(p1.responses).toEqual([[8, 7, ['EX2', 5, 6, 42]]]);
    expect(p1.accepted[0]!.ended).toBe(true);
    expect(engine.counters.get('multicast.discovery.rapid')).toBe(1);
  });

  test.each([
    ['without value', ['EX2', 5, 6]],
    ['without F_SYNCH', ['EX2', 3, 6, 0]],
    ['of an objective without rapid value', ['EX4', 5, 6, 0]],
  ])('switched on, a discovery %s gets M_RESPONSE', async (_, objective) => {
    await start({ rapidAnswers: true });
    await engine.announce('EX2', [{ rapidValue: encode(42) }], 60_000, 5);
    await engine.announce('EX4', [{}], 60_000, 5);
    await p1.multicast([1, 7, addressBytes('fd00::77'), objective], 'l1');
    expect(p1.responses.map(([type]) => type)).toEqual([2]);
  });

  test('of several listeners whichever has a value gives it', async () => {
    await start({ rapidAnswers: true });
    await engine.announce('EX2', [{ asa: 1 }, { asa: 2, rapidValue: encode('b') }], 60_000, 5);
    await p1.multicast([1, 7, addressBytes('fd00::77'), ['EX2', 5, 6, 0]], 'l1');
    expect(p1.responses).toEqual([[8, 7, ['EX2', 5, 6, 'b']]]);
  });

  test('ASAs of the node itself get the value with the locator', async () => {
    await start();
    await engine.announce('EX2', [{ asa: 1, rapidValue: encode(42) }], 60_000, 5);
    const found = await engine.client().discover('EX2', { asa: 2, timeoutMs: 0 });
    expect(found.found[0]!.rapid).toMatchObject({ flags: 5, value: encode(42) });
  });
});
