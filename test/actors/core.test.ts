import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { encode } from 'cborg';
import type { Datagrams } from '../../src/actors/core-protocol.js';
import { DataPort, inlinePair } from '../../src/runtime/index.js';
import type { Environment, Stream, StreamHandlers, Substrate, Target } from '../../src/substrate/types.js';
import {
  addressBytes,
  CoreRig,
  discovery,
  flood,
  spread,
  tcp6,
  type CoreEngine,
  type MulticastPeer,
} from './core-rig.js';

let rig: CoreRig;
beforeEach(() => {
  rig = new CoreRig();
});
afterEach(() => rig.close());

const FAR = 'fd00::51';

/** Plays the listener, so that datagrams may come from anywhere. */
function injector(engine: CoreEngine) {
  const [theirs, ours] = inlinePair(rig.clock, { clone: true });
  const port = new DataPort<Datagrams, never>(ours, rig.clock, { onEvents: () => undefined });
  engine.core.attachListener(theirs);
  const send = (bytes: Uint8Array, address: string, from: number): void => {
    port.send({
      bytes: Uint8Array.from(bytes),
      entries: Uint32Array.of(bytes.length, 0),
      sources: [{ interface: 'l1', address, port: from }],
    });
  };
  return {
    /** A discovery of EX3 with that source. */
    send: (address: string, sid: number, udpPort = 40_000) =>
      send(encode(discovery('EX3', { sid })), address, udpPort),
    sendBytes: (bytes: Uint8Array) => send(bytes, 'fe80::9', 40_000),
  };
}

describe('M_RESPONSE (§2.5.4.3, §2.8.5)', () => {
  let engine: CoreEngine;
  let peer: MulticastPeer;
  beforeEach(async () => {
    engine = await rig.engine('engine');
    peer = await rig.peer('peer');
  });

  test('G-2.5.4.3-02 G-2.8.5-02 -03 -09 same session ID and initiator, ttl, an own locator', async () => {
    await engine.announce('EX3', [{ port: 50_001 }], 5_000);
    await peer.multicast(discovery('EX3', { sid: 4_000_000_000 }));
    expect(peer.responses).toEqual([
      [2, 4_000_000_000, addressBytes('fd00::77'), 5_000, tcp6(engine.address(), 50_001)],
    ]);
    expect(engine.counters.get('multicast.discovery.answered')).toBe(1);
  });

  test('G-2.5.4.4-05 -07 to the source of the datagram, whatever the initiator field says', async () => {
    const bystander = await rig.peer('bystander');
    await engine.announce('EX3', [{}]);
    await peer.multicast(discovery('EX3', { from: bystander.address }));
    expect([peer.responses.length, bystander.responses.length]).toEqual([1, 0]);
    expect(peer.accepted[0]!.stream.remote.address).toBe(engine.environment.interfaces[0]!.linkLocal);
  });

  test('G-2.8.5-07 closed after sending', async () => {
    await engine.announce('EX3', [{}]);
    await peer.multicast(discovery('EX3'));
    expect(peer.accepted[0]!.ended).toBe(true);
    expect(engine.counters.get('response.sent')).toBe(1);
    expect(engine.queue('response.lingering').length).toBe(1);
    await peer.accepted[0]!.end();
    expect(engine.queue('response.lingering').length).toBe(0);
  });

  test('limits.lingerMs: a peer that does not close its side holds no place, and is cut off after 2 s', async () => {
    await engine.announce('EX3', [{}]);
    await peer.multicast(discovery('EX3'));
    expect(engine.queue('response.in-flight').length).toBe(0);
    await rig.clock.advance(1_999);
    expect(peer.accepted[0]!.closed).toBeUndefined();
    await rig.clock.advance(1);
    expect(peer.accepted[0]!.closed).toMatchObject({ kind: 'reset' });
    expect(engine.counters.get('stream.linger-timeout')).toBe(1);
    expect(engine.queue('response.lingering').length).toBe(0);
  });

  test('G-2.8.5-01 A-2.3.3-08 A-2.3.5-13 unregistered, not listening, or no more: silence', async () => {
    await peer.multicast(discovery('EX3', { sid: 1 }));
    engine.core.announce('EX3', { objective: 'EX3', flags: 0, ttlMs: 60_000, listeners: [] });
    await peer.multicast(discovery('EX3', { sid: 2 }));
    await engine.announce('EX3', [{}]);
    engine.core.announce('EX3', undefined);
    await peer.multicast(discovery('EX3', { sid: 3 }));
    expect(peer.accepted).toEqual([]);
    expect(peer.heard).toEqual([]);
    expect(engine.counters.get('multicast.discovery.unknown')).toBe(3);
  });

  test('G-2.5.4.3-05 no information: silence; nothing is relayed', async () => {
    await engine.announce('EX3', [{}]);
    await peer.multicast(discovery('EX4'));
    expect([peer.accepted, peer.heard]).toEqual([[], []]);
  });

  test('wire.md §8 names are compared byte by byte', async () => {
    await engine.announce('caf\u00e9', [{}]);
    await peer.multicast(discovery('cafe\u0301'));
    await peer.multicast(discovery('Caf\u00e9'));
    expect(peer.responses).toEqual([]);
    await peer.multicast(discovery('caf\u00e9'));
    expect(peer.responses.length).toBe(1);
  });

  test.each([
    ['loop count 0', [1, 7, addressBytes('fd00::77'), ['EX3', 3, 0]]],
    ['loop count 1', [1, 7, addressBytes('fd00::77'), ['EX3', 3, 1]]],
    ['C-08 other flags, also undefined ones', [1, 7, addressBytes('fd00::77'), ['EX3', 245, 6]]],
    ['G-2.5.4.5-01 a value, which asks for rapid mode', discovery('EX3', { value: 0 })],
    ['an IPv4 initiator', [1, 7, Uint8Array.of(192, 0, 2, 1), ['EX3', 3, 6]]],
  ])('%s: answered by M_RESPONSE', async (_, message) => {
    await engine.announce('EX3', [{}]);
    await peer.multicast(message);
    expect(peer.responses.map(([type]) => type)).toEqual([2]);
  });

  test('the locators of several listeners take turns', async () => {
    await engine.announce('EX3', [
      { asa: 1, port: 1 },
      { asa: 2, port: 2 },
    ]);
    for (let sid = 1; sid <= 4; sid++) await peer.multicast(discovery('EX3', { sid }));
    expect(peer.responses.map((message) => message[4])).toEqual(
      [1, 2, 1, 2].map((port) => tcp6(engine.address(), port)),
    );
  });

  test('G-2.5.4.3-17 G-2.2-05 after renumbering with the new address', async () => {
    await engine.announce('EX3', [{}]);
    const before = engine.address();
    engine.node.renumber('l1');
    await rig.clock.settle();
    expect(engine.address()).not.toBe(before);
    await peer.multicast(discovery('EX3'));
    expect(peer.responses[0]![4]).toEqual(tcp6(engine.address(), 50_001));
  });

  test('G-2.7-09 the same session ID from two initiators: both answered', async () => {
    await engine.announce('EX3', [{}]);
    await peer.multicast(discovery('EX3', { from: 'fd00::1' }));
    await peer.multicast(discovery('EX3', { from: 'fd00::2' }));
    expect(peer.responses.map((message) => message[2])).toEqual([
      addressBytes('fd00::1'),
      addressBytes('fd00::2'),
    ]);
  });

  test('§2.7 a relayed copy of its own discovery is not answered, under way or recent', async () => {
    const found = await engine.client().discover('EX3', { asa: 1, timeoutMs: 100 });
    await engine.announce('EX3', [{ asa: 1 }]);
    const [type, sid, initiator] = peer.heard[0]!.message;
    await peer.multicast([type, sid, initiator, ['EX3', 3, 5]]);
    await rig.clock.advance(100);
    expect(found.outcome).toBeDefined();
    await peer.multicast([type, sid, initiator, ['EX3', 3, 4]]);
    expect(peer.accepted).toEqual([]);
    expect(engine.counters.get('multicast.own')).toBe(2);
    // The same number from another initiator is somebody else's.
    await peer.multicast([type, sid, addressBytes('fd00::77'), ['EX3', 3, 4]]);
    expect(peer.responses.length).toBe(1);
  });

  test('limits.recentDiscoveries: the oldest is forgotten first', async () => {
    await rig.close();
    rig = new CoreRig();
    engine = await rig.engine('engine', { limits: { recentDiscoveries: 2 } });
    peer = await rig.peer('peer');
    await engine.announce('EX3', [{}]);
    const client = engine.client();
    for (let i = 0; i < 3; i++) await client.discover('EX3', { timeoutMs: 100 });
    await rig.clock.advance(100);
    const [first, second] = peer.heard;
    await peer.multicast(second!.message);
    expect(peer.accepted).toEqual([]);
    await peer.multicast(first!.message);
    expect(peer.responses.length).toBe(1);
  });

  test.each([
    ['a flood', flood('EX1'), 'multicast.flood.taken'],
    ['a malformed discovery', [1, 7], 'multicast.refused.message.arity'],
    [
      'a discovery of nothing',
      [1, 7, addressBytes('fd00::77'), ['', 3]],
      'multicast.refused.objective.shape',
    ],
  ])('%s: no answer, counted by name, and the next one is handled', async (_, message, reason) => {
    await engine.announce('EX3', [{}]);
    await peer.multicast(message);
    expect(engine.counters.get(reason)).toBe(1);
    expect(peer.accepted).toEqual([]);
    await peer.multicast(discovery('EX3'));
    expect(peer.responses.length).toBe(1);
  });

  test('§2.8.13 what the listener would have dropped is ignored by the handler too', async () => {
    const wire = injector(engine);
    await engine.announce('EX3', [{}]);
    wire.sendBytes(Buffer.from('8100', 'hex'));
    wire.sendBytes(Buffer.from('ff', 'hex'));
    await rig.clock.settle();
    expect(engine.counters.get('multicast.ignored')).toBe(1);
    expect(engine.counters.get('multicast.refused.cbor.break')).toBe(1);
  });

  test('G-3-01 without security nothing is answered; when it is back it is', async () => {
    await engine.announce('EX3', [{}]);
    engine.node.setSecurity('none');
    await rig.clock.settle();
    await peer.multicast(discovery('EX3', { sid: 1 }));
    await peer.multicast(flood('EX1'));
    expect(peer.accepted).toEqual([]);
    expect(engine.counters.get('multicast.no-security')).toBe(2);
    engine.node.setSecurity('secure');
    await rig.clock.settle();
    await peer.multicast(discovery('EX3', { sid: 2 }));
    engine.node.setSecurity('insecure');
    await rig.clock.settle();
    await peer.multicast(discovery('EX3', { sid: 3 }));
    expect(peer.responses.map(([, sid]) => sid)).toEqual([2, 3]);
  });
});

test('a node without security from the beginning answers nothing', async () => {
  rig.network.addNode('engine', { links: ['l1'], security: 'none' });
  const engine = await rig.engine('engine');
  const peer = await rig.peer('peer');
  await engine.announce('EX3', [{}]);
  await peer.multicast(discovery('EX3'));
  expect(peer.accepted).toEqual([]);
  expect(engine.counters.get('multicast.no-security')).toBe(1);
});

test('§2.9.5.1 a node with link-local addresses only gives the one of the link concerned', async () => {
  const engine = await rig.engine('engine', { links: ['l1', 'l2'], ula: false });
  const peer = await rig.peer('peer', { links: ['l1', 'l2'] });
  await engine.announce('EX3', [{}]);
  for (const { name, linkLocal } of engine.environment.interfaces) {
    await peer.multicast(discovery('EX3'), name);
    expect(peer.responses.at(-1)![4]).toEqual(tcp6(linkLocal!, 50_001));
  }
});

describe('Divert (§2.5.4.3)', () => {
  /** The engine on two links has learnt EX3 from q on l2; p asks on l1, p2 on l2. */
  async function learnt(ttl: number, ...options: unknown[]) {
    const engine = await rig.engine('engine', { links: ['l1', 'l2'] });
    const p = await rig.peer('p', { links: ['l1'] });
    const q = await rig.peer('q', { links: ['l2'] });
    const p2 = await rig.peer('p2', { links: ['l2'] });
    const found = await engine.client().discover('EX3', { timeoutMs: 100 });
    if (options.length > 0) await q.respond(q.heard[0]!, ttl, ...options);
    return { engine, p, q, p2, found };
  }

  test('G-2.5.4.3-03 -12 G-2.8.5-11 on another interface, with the time that is left', async () => {
    const { p } = await learnt(60_000, tcp6(FAR, 1), tcp6(FAR, 2));
    await rig.clock.advance(20_000);
    await p.multicast(discovery('EX3'), 'l1');
    expect(p.responses).toEqual([
      [2, 77, addressBytes('fd00::77'), 40_000, [100, tcp6(FAR, 1), tcp6(FAR, 2)]],
    ]);
    expect(p.accepted[0]!.ended).toBe(true);
  });

  test('G-2.5.4.3-04 not on the interface where it was learnt', async () => {
    const { engine, p, p2 } = await learnt(60_000, tcp6(FAR, 1));
    p.heard.length = 0;
    await p2.multicast(discovery('EX3'), 'l2');
    expect(p2.accepted).toEqual([]);
    // Others may know more: wire.md §9.1 allows to relay it.
    expect(engine.counters.get('multicast.discovery.relayed')).toBe(1);
    expect(p.heard.map(({ message }) => message)).toEqual([discovery('EX3', { loop: 5 })]);
  });

  test('G-2.5.4.3-15 not from what has expired', async () => {
    const { p } = await learnt(5_000, tcp6(FAR, 1));
    await rig.clock.advance(4_999);
    await p.multicast(discovery('EX3', { sid: 1 }), 'l1');
    expect(p.responses.map((message) => message[3])).toEqual([1]);
    await rig.clock.advance(1);
    await p.multicast(discovery('EX3', { sid: 2 }), 'l1');
    expect(p.accepted.length).toBe(1);
  });

  test('§2.9.5.1–4 nothing that is valid on its own link only', async () => {
    const { p } = await learnt(60_000, tcp6('fe80::51', 1), [105, 'printer.local', 6, 2]);
    await p.multicast(discovery('EX3', { sid: 1 }), 'l1');
    expect(p.accepted).toEqual([]);
  });

  test('what was learnt from a Divert is passed on as one', async () => {
    const { p } = await learnt(60_000, [100, tcp6(FAR, 3)]);
    await p.multicast(discovery('EX3'), 'l1');
    expect(p.responses[0]!.slice(4)).toEqual([[100, tcp6(FAR, 3)]]);
  });

  test('G-2.8.3-02 as many locators as fit 2048 bytes, addresses first', async () => {
    const { engine, p, q } = await learnt(60_000);
    for (let i = 0; i < 3; i++) {
      const uri = `grasp://${'x'.repeat(900)}${i}.example/`;
      await q.respond(q.heard[0]!, 60_000, [106, uri, 6, i + 1]);
    }
    await q.respond(q.heard[0]!, 60_000, tcp6(FAR, 9));
    await p.multicast(discovery('EX3'), 'l1');
    expect(engine.counters.get('response.too-big')).toBe(0);
    expect(p.responses.length).toBe(1);
    const [, first, second, ...rest] = p.responses[0]![4] as unknown[][];
    expect(first).toEqual(tcp6(FAR, 9));
    expect(second![0]).toBe(106);
    expect(rest.length).toBe(1);
    expect(encode(p.responses[0]).length).toBeLessThanOrEqual(2_048);
  });

  test('a locator that fits a response and no Divert: silence, counted', async () => {
    const { engine, p, q } = await learnt(60_000);
    const [, sid, initiator] = q.heard[0]!.message;
    const room = 2_048 - encode([2, sid, initiator, 60_000, [106, 'x'.repeat(1_000), 6, 1]]).length;
    await q.respond(q.heard[0]!, 60_000, [106, 'x'.repeat(1_000 + room), 6, 1]);
    expect(engine.counters.get('response.received')).toBe(1);
    await p.multicast(discovery('EX3', { sid: 4_000_000_000 }), 'l1');
    expect(p.accepted).toEqual([]);
    expect(engine.counters.get('response.too-big')).toBe(1);
  });

  test('its own locator comes first: a node that supports the objective does not divert', async () => {
    const { engine, p } = await learnt(60_000, tcp6(FAR, 1));
    await engine.announce('EX3', [{ port: 50_001 }]);
    await p.multicast(discovery('EX3'), 'l1');
    expect(p.responses[0]!.slice(4)).toEqual([tcp6(engine.address('l1'), 50_001)]);
  });
});

describe('responses in flight', () => {
  test('a discovery of a known source in the middle of 5,000 from sources that do not answer: answered at the first try', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    peer.polite = true;
    await engine.announce('EX3', [{}]);
    const wire = injector(engine);
    wire.send(peer.linkLocal, 9_998, peer.port());
    await rig.clock.settle();
    for (let i = 0; i < 2_500; i++) wire.send(`fe80::bad:${i.toString(16)}`, i);
    wire.send(peer.linkLocal, 9_999, peer.port());
    for (let i = 2_500; i < 5_000; i++) wire.send(`fe80::bad:${i.toString(16)}`, i);
    await rig.clock.settle();
    expect(engine.counters.get('multicast.handled')).toBe(5_002);
    expect(engine.queue('response.in-flight')).toEqual({ name: 'response.in-flight', length: 64, limit: 64 });
    expect(engine.queue('response.waiting').length).toBe(5_001 - 64);
    expect(engine.census()).toMatchObject({ 'discoveryResponse connecting': 64 });
    expect(peer.responses.map(([, sid]) => sid)).toEqual([9_998]);
    // Who asked waits 600 ms.
    await rig.clock.advance(599);
    expect(peer.responses.map(([, sid]) => sid)).toEqual([9_998, 9_999]);
    // What has waited for more than limits.responseWaitMs is given up.
    await rig.clock.advance(5_000);
    expect(engine.queue('response.waiting').length).toBe(0);
    expect(engine.queue('response.in-flight').length).toBe(0);
    const { counters } = engine;
    expect(counters.get('response.shed') + counters.get('response.unreachable')).toBe(5_000);
    expect(counters.get('response.sent')).toBe(2);
    wire.send(peer.linkLocal, 10_000, peer.port());
    await rig.clock.settle();
    expect(peer.responses.map(([, sid]) => sid)).toEqual([9_998, 9_999, 10_000]);
  });

  test('a discovery of a source never heard of, within limits.responseUnknownBurst of the newest: answered at the first try', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    peer.polite = true;
    await engine.announce('EX3', [{}]);
    const wire = injector(engine);
    for (let i = 0; i < 2_500; i++) wire.send(`fe80::bad:${i.toString(16)}`, i);
    wire.send(peer.linkLocal, 9_999, peer.port());
    for (let i = 2_500; i < 2_650; i++) wire.send(`fe80::bad:${i.toString(16)}`, i);
    await rig.clock.settle();
    expect(peer.responses).toEqual([]);
    await rig.clock.advance(599);
    expect(peer.responses.map(([, sid]) => sid)).toEqual([9_999]);
  });

  test('limits.responseUnknownRate and responseUnknownBurst: nobody fills the host’s neighbour table', async () => {
    const asked = new Map<string, number>();
    const counting = (substrate: Substrate): Substrate =>
      new Proxy(substrate, {
        get: (target, key) => {
          const value: unknown = Reflect.get(target, key, target);
          if (typeof value !== 'function') return value;
          if (key !== 'connect') return value.bind(target) as unknown;
          return (to: Target, options: Parameters<Substrate['connect']>[1]) => {
            asked.set(to.address, (asked.get(to.address) ?? 0) + 1);
            return target.connect(to, options);
          };
        },
      });
    const engine = await rig.engine('engine', {
      wrap: counting,
      limits: { responseUnknownRate: 10, responseUnknownBurst: 100 },
    });
    await engine.announce('EX3', [{}]);
    const wire = injector(engine);
    for (let i = 0; i < 1_000; i++) wire.send(`fe80::bad:${i.toString(16)}`, i);
    await rig.clock.advance(900);
    expect(asked.size).toBeGreaterThanOrEqual(108);
    expect(asked.size).toBeLessThanOrEqual(110);
    // They wait no longer than any other.
    await rig.clock.advance(1_000);
    expect(engine.queue('response.waiting').length).toBe(0);
  });

  test('limits.responseUnknownBurst: newcomers who answer do not count', async () => {
    const engine = await rig.engine('engine', {
      limits: { responseUnknownRate: 1, responseUnknownBurst: 1 },
    });
    const peers = [await rig.peer('first'), await rig.peer('second'), await rig.peer('third')];
    await engine.announce('EX3', [{}]);
    const wire = injector(engine);
    for (const [i, peer] of peers.entries()) {
      peer.polite = true;
      wire.send(peer.linkLocal, i, peer.port());
    }
    await rig.clock.advance(100);
    expect(peers.map(({ responses }) => responses.length)).toEqual([1, 1, 1]);
  });

  test('the newest first; a connect that had to make room is tried again', async () => {
    const engine = await rig.engine('engine', { limits: { responsesInFlight: 1 } });
    const slow = await rig.peer('slow');
    slow.polite = true;
    await engine.announce('EX3', [{}]);
    const wire = injector(engine);
    // Later than responseYieldMs, the first connect is there; but another one waits.
    rig.network.link('l1').set({ delayMs: 15 });
    wire.send(slow.linkLocal, 1, slow.port());
    wire.send('fe80::bad', 2);
    wire.send(slow.linkLocal, 3, slow.port());
    await rig.clock.settle();
    expect(engine.queue('response.waiting').length).toBe(2);
    await rig.clock.advance(300);
    expect(slow.responses.map(([, sid]) => sid).sort()).toEqual([1, 3]);
  });

  test('who has been there before is served before all who have not; limits.responseKnownSources', async () => {
    const engine = await rig.engine('engine', { limits: { responsesInFlight: 1, responseKnownSources: 1 } });
    const [known, later] = [await rig.peer('known'), await rig.peer('later')];
    known.polite = later.polite = true;
    await engine.announce('EX3', [{}]);
    const wire = injector(engine);
    wire.send(known.linkLocal, 1, known.port());
    await rig.clock.advance(10);
    const storm = async (sid: number): Promise<void> => {
      wire.send(known.linkLocal, sid, known.port());
      for (let i = 0; i < 200; i++) wire.send(`fe80::bad:${i}`, sid + 1 + i);
      await rig.clock.advance(25);
    };
    wire.send('fe80::bad', 2);
    await storm(1_000);
    expect(known.responses.map(([, sid]) => sid)).toEqual([1, 1_000]);
    await rig.clock.advance(5_000);
    wire.send(later.linkLocal, 3, later.port());
    await rig.clock.advance(10);
    wire.send('fe80::bad', 4);
    await storm(2_000);
    expect(known.responses.map(([, sid]) => sid)).toEqual([1, 1_000]);
  });

  test('connects that fail at once do not keep the thread busy: other turns come between', async () => {
    const engine = await rig.engine('engine', {
      wrap: (substrate) =>
        new Proxy(substrate, {
          get: (target, key) => {
            if (key === 'connect') return () => Promise.reject(new Error('no route'));
            const value: unknown = Reflect.get(target, key, target);
            return typeof value === 'function' ? (value.bind(target) as unknown) : value;
          },
        }),
    });
    await engine.announce('EX3', [{}]);
    const wire = injector(engine);
    for (let i = 0; i < 1_000; i++) wire.send(`fe80::bad:${i.toString(16)}`, i);
    let most = 0;
    let before = 0;
    const look = (): void => {
      const now = engine.counters.get('response.unreachable');
      most = Math.max(most, now - before);
      before = now;
      if (now < 1_000) rig.clock.defer(look);
    };
    look();
    await rig.clock.settle();
    expect(engine.counters.get('response.unreachable')).toBe(1_000);
    expect(most).toBeLessThanOrEqual(128);
  });

  test('limits.responsesWaiting: beyond, the oldest goes', async () => {
    const engine = await rig.engine('engine', { limits: { responsesInFlight: 1, responsesWaiting: 2 } });
    const peer = await rig.peer('peer');
    peer.polite = true;
    await engine.announce('EX3', [{}]);
    const wire = injector(engine);
    wire.send('fe80::bad', 0);
    for (const sid of [1, 2, 3]) wire.send(peer.linkLocal, sid, peer.port());
    await rig.clock.settle();
    expect(engine.counters.get('response.shed')).toBe(1);
    expect(engine.queue('response.waiting')).toEqual({ name: 'response.waiting', length: 2, limit: 2 });
    await rig.clock.advance(50);
    expect(peer.responses.map(([, sid]) => sid)).toEqual([3, 2]);
  });

  test('limits.responsesPerSource: one source takes no more than its share, the rest waits for it', async () => {
    const engine = await rig.engine('engine', {
      limits: { responsesPerSource: 3, responsesWaitingPerSource: 4 },
    });
    const peer = await rig.peer('peer');
    peer.polite = true;
    await engine.announce('EX3', [{}]);
    const wire = injector(engine);
    for (let i = 0; i < 10; i++) wire.send('fe80::bad', i, 40_000 + i);
    wire.send(peer.linkLocal, 10, peer.port());
    await rig.clock.settle();
    // limits.responsesWaitingPerSource
    expect(engine.counters.get('response.shed')).toBe(3);
    expect(engine.queue('response.waiting').length).toBe(4);
    expect(peer.responses.length).toBe(1);
    await rig.clock.advance(1_000);
    // limits.responseWaitMs: it is too late for those four.
    expect(engine.counters.get('response.shed')).toBe(7);
    expect(engine.queue('response.waiting').length).toBe(0);
    // 100 at once from one source that answers: all of them.
    for (let i = 0; i < 7; i++) wire.send(peer.linkLocal, 20 + i, peer.port());
    await rig.clock.settle();
    expect(peer.responses.length).toBe(8);
    expect(engine.counters.get('response.shed')).toBe(7);
  });

  test('limits.responsesInFlight and responseConnectMs', async () => {
    const engine = await rig.engine('engine', {
      limits: { responsesInFlight: 2, responseConnectMs: 300, responsesWaiting: 0 },
    });
    await engine.announce('EX3', [{}]);
    const wire = injector(engine);
    for (let i = 0; i < 3; i++) wire.send(`fe80::bad:${i}`, i);
    await rig.clock.settle();
    expect(engine.counters.get('response.shed')).toBe(1);
    await rig.clock.advance(299);
    expect(engine.queue('response.in-flight').length).toBe(2);
    await rig.clock.advance(1);
    expect(engine.queue('response.in-flight').length).toBe(0);
  });

  test('who takes its answer and never closes holds no place', async () => {
    const engine = await rig.engine('engine', { limits: { responsesInFlight: 1, responsesPerSource: 1 } });
    const peer = await rig.peer('peer');
    await engine.announce('EX3', [{}]);
    for (let sid = 1; sid <= 5; sid++) await peer.multicast(discovery('EX3', { sid }));
    expect(peer.responses.map(([, sid]) => sid)).toEqual([1, 2, 3, 4, 5]);
    expect(peer.accepted.every(({ closed }) => closed === undefined)).toBe(true);
  });

  test('a source where nobody listens is unreachable at once', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    await engine.announce('EX3', [{}]);
    injector(engine).send(peer.linkLocal, 1, 9);
    await rig.clock.settle();
    expect(engine.counters.get('response.unreachable')).toBe(1);
    expect(engine.queue('response.in-flight').length).toBe(0);
  });

  test('the handler never waits: what connects slowly delays nobody', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    await engine.announce('EX3', [{}]);
    const wire = injector(engine);
    for (let i = 0; i < 60; i++) wire.send(`fe80::bad:${i}`, i);
    wire.send(peer.linkLocal, 60, peer.port());
    await rig.clock.settle();
    expect(peer.responses.length).toBe(1);
  });

  test('close: what connects is given up, what waits for the peer is cut off', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    await engine.announce('EX3', [{}]);
    await peer.multicast(discovery('EX3'));
    injector(engine).send('fe80::bad', 2);
    await rig.clock.settle();
    expect(engine.census()).toMatchObject({ 'discoveryResponse connecting': 1 });
    expect(engine.queue('response.lingering').length).toBe(1);
    await rig.run(engine.core.close());
    await rig.clock.settle();
    expect(peer.accepted[0]!.closed).toMatchObject({ kind: 'reset' });
    expect(engine.queue('response.in-flight').length).toBe(0);
  });

  test('a stream that opens only after it was given up is not left open', async () => {
    let open: (stream: Stream) => void = () => undefined;
    let handlers: StreamHandlers | undefined;
    let aborted = 0;
    const engine = await rig.engine('engine', {
      wrap: (substrate) =>
        new Proxy(substrate, {
          get: (target, key) => {
            if (key === 'connect') return () => new Promise<Stream>((resolve) => (open = resolve));
            const value: unknown = Reflect.get(target, key, target);
            return typeof value === 'function' ? (value.bind(target) as unknown) : value;
          },
        }),
    });
    const peer = await rig.peer('peer');
    await engine.announce('EX3', [{}]);
    await peer.multicast(discovery('EX3'));
    await rig.run(engine.core.close());
    open({
      setHandlers: (given: StreamHandlers) => void (handlers = given),
      abort: () => aborted++,
    } as unknown as Stream);
    await rig.clock.settle();
    expect(aborted).toBe(1);
    expect(handlers).toBeDefined();
  });
});

test('a fault of the handler is counted and ends its worker, which is replaced', async () => {
  let broken = false;
  const engine = await rig.engine('engine', {
    wrap: (substrate) =>
      new Proxy(substrate, {
        get: (target, key) => {
          if (broken && key === 'environment') throw new Error('a fault');
          const value: unknown = Reflect.get(target, key, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      }),
  });
  const peer = await rig.peer('peer');
  await engine.announce('EX3', [{}]);
  broken = true;
  await expect(peer.multicast(discovery('EX3'))).rejects.toThrow('a fault');
  expect(engine.counters.get('actor.error.multicastHandler')).toBe(1);
  broken = false;
});

describe('discovery ports (§2.8.4)', () => {
  test('the port held before a restart, and the same again after the interface was down', async () => {
    const engine = await rig.engine('engine', { preferredPorts: { l1: 40_123 } });
    expect(engine.core.boundPorts).toEqual([{ interface: 'l1', port: 40_123 }]);
    engine.node.setInterfaceUp('l1', false);
    await rig.clock.settle();
    expect(engine.core.boundPorts).toEqual([]);
    expect(engine.ports.at(-1)).toEqual([]);
    engine.node.setInterfaceUp('l1', true);
    await rig.clock.settle();
    expect(engine.core.boundPorts).toEqual([{ interface: 'l1', port: 40_123 }]);
    expect(engine.ports.at(-1)).toEqual([{ interface: 'l1', port: 40_123 }]);
  });

  test('a port once had is kept, also without one held before', async () => {
    const engine = await rig.engine('engine');
    const before = engine.core.boundPorts;
    engine.node.setInterfaceUp('l1', false);
    await rig.clock.settle();
    engine.node.setInterfaceUp('l1', true);
    await rig.clock.settle();
    expect(engine.core.boundPorts).toEqual(before);
  });

  test('a port that is still in use is waited for, and had as soon as it is free', async () => {
    const before = await rig.engine('engine');
    const { port } = before.core.boundPorts[0]!;
    const after = await rig.engine('engine', { preferredPorts: { l1: port } });
    expect(after.core.boundPorts).toEqual([]);
    expect(after.counters.get('discovery-port.binding.failed')).toBe(1);
    await rig.run(before.core.close());
    await rig.clock.advance(250);
    expect(after.core.boundPorts).toEqual([{ interface: 'l1', port }]);
  });

  test('but not for ever: then any free one', async () => {
    const before = await rig.engine('engine');
    const { port } = before.core.boundPorts[0]!;
    const after = await rig.engine('engine', { preferredPorts: { l1: port } });
    await rig.clock.advance(10_000);
    expect(after.core.boundPorts).toEqual([
      { interface: 'l1', port: expect.any(Number) as unknown as number },
    ]);
    expect(after.core.boundPorts[0]!.port).not.toBe(port);
    expect(after.counters.get('discovery-port.binding.failed')).toBe(8);
  });

  test('G-2.2-02 an interface that comes later is discovered on and answered on', async () => {
    const engine = await rig.engine('engine', { links: ['l1'] });
    const peer = await rig.peer('peer', { links: ['l1', 'l2'] });
    await engine.announce('EX3', [{}]);
    engine.node.attach('l2');
    await rig.clock.settle();
    await engine.client().discover('EX4');
    expect(peer.heard.map((heard) => heard.interface).sort()).toEqual(['l1', 'l2']);
    await peer.multicast(discovery('EX3'), 'l2');
    expect(peer.responses.length).toBe(1);
    engine.node.detach('l1');
    await rig.clock.settle();
    await engine.client().discover('EX5');
    expect(peer.heard.slice(2).map((heard) => heard.interface)).toEqual(['l2']);
    expect(engine.counters.get('discovery-port.binding.lost')).toBe(1);
  });
});

test('§2.2 what was learnt on an interface goes when one of its name is made again between two looks', async () => {
  const watchers: ((environment: Environment) => void)[] = [];
  const engine = await rig.engine('engine', {
    wrap: (substrate) =>
      new Proxy(substrate, {
        get: (target, key) => {
          if (key === 'watch') {
            return (watcher: (environment: Environment) => void) => {
              watchers.push(watcher);
              return () => undefined;
            };
          }
          const value: unknown = Reflect.get(target, key, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      }),
  });
  const peer = await rig.peer('peer');
  await engine.client().discover('EX3');
  await peer.respond(peer.heard[0]!, 60_000, tcp6(FAR, 1));
  expect(engine.queue('discovery.cache').length).toBe(1);
  const { environment } = engine.node;
  const tell = (index: number, addresses: readonly string[]): void => {
    const interfaces = environment.interfaces.map((info) => ({ ...info, index, addresses }));
    for (const watcher of watchers) watcher({ ...environment, interfaces });
  };
  tell(environment.interfaces[0]!.index, ['2001:db8::77']); // renumbered: the peers are where they were
  expect(engine.queue('discovery.cache').length).toBe(1);
  tell(environment.interfaces[0]!.index + 1, ['2001:db8::77']);
  expect(engine.queue('discovery.cache').length).toBe(0);
});

describe('session ids for session hosts (§2.7, C-06)', () => {
  /** The host's end of its line to the core. */
  function host(engine: CoreEngine, name: string, { notes = true } = {}) {
    const [theirs, ours] = inlinePair(rig.clock, { clone: true });
    const own: Uint32Array[] = [];
    const others: Uint32Array[] = [];
    const dropped: number[] = [];
    const questions: { call: number; local: unknown }[] = [];
    const answers: unknown[] = [];
    const port = new DataPort<object, { t: string; [key: string]: unknown }>(ours, rig.clock, {
      onEvents: (events) => {
        for (const event of events) {
          if (event.t === 'ids.block') {
            const block = Uint32Array.from(event['block'] as Uint32Array);
            (event['own'] ? own : others).push(block);
            if (!event['own'] && notes) port.send({ t: 'ids.noted', first: block[0] });
          } else if (event.t === 'ids.drop') dropped.push(event['first'] as number);
          else if (event.t === 'owns?') questions.push(event as never);
          else answers.push({ call: event['call'], yes: event['yes'] });
        }
      },
    });
    engine.core.attachSessionHost(name, theirs);
    const say = async (event: object): Promise<void> => {
      port.send(event);
      await rig.clock.settle();
    };
    return { own, others, dropped, questions, answers, say, close: () => port.close() };
  }

  test('a block is known to every other host before its owner gets it', async () => {
    const engine = await rig.engine('engine');
    const a = host(engine, 'a');
    const b = host(engine, 'b');
    const slow = host(engine, 'slow', { notes: false });
    await a.say({ t: 'ids.request' });
    expect([b.others.length, slow.others.length, a.own.length]).toEqual([1, 1, 0]);
    await slow.say({ t: 'ids.noted', first: slow.others[0]![0] });
    expect(a.own).toEqual([slow.others[0]]);
    expect(b.others).toEqual(slow.others);
    expect(b.own).toEqual([]);
    expect(new Set(a.own[0]).size).toBe(1_024);
  });

  test('a host that dies before it has noted it holds nobody up', async () => {
    const engine = await rig.engine('engine');
    const a = host(engine, 'a');
    const slow = host(engine, 'slow', { notes: false });
    await a.say({ t: 'ids.request' });
    expect(a.own).toEqual([]);
    slow.close();
    await rig.clock.settle();
    expect(a.own.length).toBe(1);
  });

  test('a host alone gets its block at once; one that comes later is told of it', async () => {
    const engine = await rig.engine('engine');
    const a = host(engine, 'a');
    await a.say({ t: 'ids.request' });
    await a.say({ t: 'ids.request' });
    expect(a.own.length).toBe(2);
    expect(new Set([...a.own[0]!, ...a.own[1]!]).size).toBe(2_048);
    const b = host(engine, 'b');
    await rig.clock.settle();
    expect(b.others).toEqual(a.own);
  });

  test('a block used up, and those of a host that is gone, are forgotten by the others', async () => {
    const engine = await rig.engine('engine');
    const a = host(engine, 'a');
    const b = host(engine, 'b');
    await a.say({ t: 'ids.request' });
    await a.say({ t: 'ids.request' });
    const [first, second] = a.own.map((block) => block[0]!);
    await a.say({ t: 'ids.retired', first });
    await a.say({ t: 'ids.retired', first });
    expect(b.dropped).toEqual([first]);
    engine.core.detachSessionHost('a');
    engine.core.detachSessionHost('a');
    await rig.clock.settle();
    expect(b.dropped).toEqual([first, second]);
  });

  test('G-2.7-06 after a restart of the core blocks in use elsewhere are never drawn', async () => {
    const before = await rig.engine('engine', { random: spread(7) });
    const a = host(before, 'a');
    await a.say({ t: 'ids.request' });
    // The same random bytes again: without the reservation the second core would draw the same block.
    const after = await rig.engine('engine', { random: spread(7) });
    const again = host(after, 'a');
    const b = host(after, 'b');
    await again.say({ t: 'ids.reserve', blocks: a.own });
    expect(b.others).toEqual(a.own);
    await b.say({ t: 'ids.request' });
    const used = new Set(a.own[0]);
    expect(b.own[0]!.filter((id) => used.has(id)).length).toBe(0);
  });

  test('C-06 whose connection it is: the other hosts are asked, one yes is enough', async () => {
    const engine = await rig.engine('engine');
    const [a, b, c] = ['a', 'b', 'c'].map((name) => host(engine, name)) as [
      ReturnType<typeof host>,
      ReturnType<typeof host>,
      ReturnType<typeof host>,
    ];
    const local = { address: 'fd00::1', port: 7 };
    await a.say({ t: 'owns?', call: 41, local });
    expect([a.questions.length, b.questions, c.questions]).toMatchObject([0, [{ local }], [{ local }]]);
    await b.say({ t: 'owns', call: b.questions[0]!.call, yes: false });
    expect(a.answers).toEqual([]);
    await c.say({ t: 'owns', call: c.questions[0]!.call, yes: true });
    expect(a.answers).toEqual([{ call: 41, yes: true }]);

    await a.say({ t: 'owns?', call: 42, local });
    await b.say({ t: 'owns', call: b.questions[1]!.call, yes: true });
    await c.say({ t: 'owns', call: c.questions[1]!.call, yes: false });
    expect(a.answers.slice(1)).toEqual([{ call: 42, yes: true }]);
  });

  test('C-06 nobody else, all no, or gone before the answer: no', async () => {
    const engine = await rig.engine('engine');
    const a = host(engine, 'a');
    const local = { address: 'fd00::1', port: 7 };
    await a.say({ t: 'owns?', call: 1, local });
    expect(a.answers).toEqual([{ call: 1, yes: false }]);
    const b = host(engine, 'b');
    await a.say({ t: 'owns?', call: 2, local });
    await b.say({ t: 'owns', call: b.questions[0]!.call, yes: false });
    await a.say({ t: 'owns?', call: 3, local });
    b.close();
    await rig.clock.settle();
    expect(a.answers.slice(1)).toEqual([
      { call: 2, yes: false },
      { call: 3, yes: false },
    ]);
  });
});
