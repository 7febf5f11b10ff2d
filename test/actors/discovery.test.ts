import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { encode } from 'cborg';
import {
  addressBytes,
  CoreRig,
  tcp6,
  type CoreEngine,
  type MulticastPeer,
  type PeerConnection,
} from './core-rig.js';

let rig: CoreRig;
let engine: CoreEngine;
let peer: MulticastPeer;
beforeEach(() => {
  rig = new CoreRig();
});
afterEach(() => rig.close());

/** An engine and one peer on a link. */
async function two(options: Parameters<CoreRig['engine']>[1] = {}): Promise<void> {
  engine = await rig.engine('engine', options);
  peer = await rig.peer('peer', options.links ? { links: options.links } : {});
}

const Q = 'fd00::51';

describe('M_DISCOVERY (§2.8.4)', () => {
  test('G-2.5.4.3-01 G-2.8.4-01 -08 one objective of three elements, to the group', async () => {
    await two();
    await engine.client().discover('EX3', { loopCount: 4, flags: 11 });
    expect(peer.heard).toEqual([
      {
        interface: 'l1',
        address: engine.node.environment.interfaces[0]!.linkLocal,
        port: engine.core.boundPorts[0]!.port,
        message: [1, expect.any(Number), addressBytes(engine.address()), ['EX3', 11, 4]],
      },
    ]);
  });

  test('G-2.5.4.4-01 on every interface, with the same session ID and initiator', async () => {
    await two({ links: ['l1', 'l2', 'l3'] });
    await engine.client().discover('EX3');
    expect(peer.heard.map((heard) => heard.interface).sort()).toEqual(['l1', 'l2', 'l3']);
    expect(new Set(peer.heard.map(({ message }) => message[1])).size).toBe(1);
    for (const { message } of peer.heard) expect(message[2]).toEqual(addressBytes(engine.address('l1')));
  });

  test('G-2.7-01 each discovery has a session ID of its own; no two of 3,000 are equal', async () => {
    await two({ limits: { discoverySessions: 5_000 } });
    const client = engine.client();
    for (let i = 0; i < 3_000; i++) void client.discover('EX3');
    await rig.clock.settle();
    const ids = peer.heard.map(({ message }) => message[1] as number);
    expect(ids.length).toBe(3_000);
    expect(new Set(ids).size).toBe(3_000);
    for (const id of ids) expect(id >= 0 && id < 2 ** 32).toBe(true);
  });

  test('G-2.7-04 two fresh engines draw different sequences', async () => {
    await two();
    const other = await rig.engine('other');
    await engine.client().discover('EX3');
    await other.client().discover('EX3');
    expect(peer.heard[0]!.message[1]).not.toBe(peer.heard[1]!.message[1]);
  });

  test('G-2.8.4-07 a node without other addresses gives the link-local one of each link', async () => {
    await two({ links: ['l1', 'l2'], ula: false });
    await engine.client().discover('EX3');
    const initiators = Object.fromEntries(peer.heard.map((heard) => [heard.interface, heard.message[2]]));
    for (const { name, linkLocal } of engine.environment.interfaces) {
      expect(initiators[name]).toEqual(addressBytes(linkLocal!));
    }
  });

  test('and takes answers to any of them', async () => {
    await two({ links: ['l1', 'l2'], ula: false });
    const found = await engine.client().discover('EX3');
    let port = 1;
    for (const heard of peer.heard) await peer.respond(heard, 60_000, tcp6(Q, port++));
    expect(found.ports).toEqual([1, 2]);
    expect(found.found.map((locator) => locator.interface)).toEqual(
      peer.heard.map((heard) => heard.interface),
    );
  });

  test('G-2.8.4-03 -05 its source port accepts TCP; engines of one host have different ones', async () => {
    await two();
    const beside = await rig.engine('engine');
    expect(beside.core.boundPorts[0]!.port).not.toBe(engine.core.boundPorts[0]!.port);
    for (const each of [engine, beside]) {
      const stream = await peer.connect(each.discoveryPort());
      expect(stream.over).toBe(false);
      await stream.end();
    }
  });
});

describe('responses (§2.8.5)', () => {
  test('G-2.8.4-02 -14 a locator is told as it arrives, with interface and expiry', async () => {
    await two();
    const found = await engine.client().discover('EX3');
    await rig.clock.advance(100);
    await peer.respond(peer.heard[0]!, 2_000, tcp6(Q, 40_000));
    expect(found.outcome).toBeUndefined();
    expect(found.found).toEqual([
      {
        locator: { type: 103, address: addressBytes(Q), protocol: 6, port: 40_000 },
        interface: 'l1',
        expiresAt: rig.clock.now() + 2_000,
        diverted: false,
      },
    ]);
  });

  test('G-2.5.4.3-18 all responders, each once, until the time is over', async () => {
    await two();
    const third = await rig.peer('third');
    const found = await engine.client().discover('EX3', { loopCount: 3 });
    await peer.respond(peer.heard[0]!, 60_000, tcp6(Q, 1));
    await third.respond(third.heard[0]!, 60_000, tcp6(Q, 2));
    await peer.respond(peer.heard[0]!, 60_000, tcp6(Q, 1));
    await rig.clock.advance(299);
    await third.respond(third.heard[0]!, 60_000, tcp6(Q, 3));
    expect(found.ports).toEqual([1, 2, 3]);
    expect(found.outcome).toBeUndefined();
    await rig.clock.advance(1);
    expect(found.outcome).toEqual({ atMs: rig.clock.now(), failure: undefined });
    expect(engine.counters.get('response.received')).toBe(4);
  });

  test('G-2.8.5-10 several kinds of locators in one response: all of them, in order', async () => {
    await two();
    const found = await engine.client().discover('EX3');
    const all = [tcp6(Q, 1), [104, Uint8Array.of(192, 0, 2, 1), 6, 2], [105, 'host.example', 6, 3]];
    await peer.respond(peer.heard[0]!, 60_000, ...all, [106, 'grasp://host.example', 6, 4]);
    expect(found.ports).toEqual([1, 2, 3, 4]);
    expect(found.found.map(({ locator }) => locator.type)).toEqual([103, 104, 105, 106]);
  });

  test('§2.9.2 diverted locators are marked as such', async () => {
    await two();
    const found = await engine.client().discover('EX3');
    await peer.respond(peer.heard[0]!, 60_000, [100, tcp6(Q, 1), tcp6(Q, 2)]);
    expect(found.found.map(({ diverted }) => diverted)).toEqual([true, true]);
  });

  test('G-2.8.5-05 a copy of the objective in the response changes nothing', async () => {
    await two();
    const found = await engine.client().discover('EX3');
    await peer.respond(peer.heard[0]!, 60_000, tcp6(Q, 1), ['EX3', 3, 6, null]);
    expect(found.ports).toEqual([1]);
  });

  test('G-2.8.5-04 ttl 0 stands for 600,000 ms', async () => {
    await two();
    const found = await engine.client().discover('EX3');
    await peer.respond(peer.heard[0]!, 0, tcp6(Q, 1));
    expect(found.found[0]!.expiresAt).toBe(rig.clock.now() + 600_000);
    await rig.clock.advance(61_000);
    const again = await engine.client().discover('EX3', { timeoutMs: 0 });
    expect(again.ports).toEqual([1]);
  });

  test('G-2.8.13-02 M_NOOP in front of it, in one segment or alone', async () => {
    await two();
    const found = await engine.client().discover('EX3');
    const { message } = peer.heard[0]!;
    const stream = await peer.connect(engine.discoveryPort());
    await stream.send([0]);
    await stream.send([0], [0], [2, message[1], message[2], 60_000, tcp6(Q, 1)]);
    expect(found.ports).toEqual([1]);
    expect(engine.counters.get('response.ignored')).toBe(3);
    expect(stream.over).toBe(true);
  });

  test('§2.5.3 a response cut at every byte', async () => {
    await two();
    const found = await engine.client().discover('EX3', { timeoutMs: 10_000 });
    const { message } = peer.heard[0]!;
    const bytes = encode([2, message[1], message[2], 60_000, tcp6(Q, 1)]);
    for (let cut = 1; cut < bytes.length; cut++) {
      const stream = await peer.connect(engine.discoveryPort());
      await stream.bytes(bytes.slice(0, cut));
      expect(stream.over).toBe(false);
      await stream.bytes(bytes.slice(cut));
      expect(stream.over).toBe(true);
      await stream.end();
    }
    expect(found.ports).toEqual([1]);
    expect(engine.counters.get('response.received')).toBe(bytes.length - 1);
  });

  test('§2.8.5 one response per connection: what follows it is not read', async () => {
    await two();
    const found = await engine.client().discover('EX3');
    const { message } = peer.heard[0]!;
    const one = (port: number): unknown[] => [2, message[1], message[2], 60_000, tcp6(Q, port)];
    const stream = await peer.connect(engine.discoveryPort());
    await stream.send(one(1), one(2));
    await stream.send(one(3));
    expect(found.ports).toEqual([1]);
  });
});

describe('what is no response', () => {
  test.each([
    ['another session ID', (sid: number, ini: unknown) => [2, sid + 1, ini, 60_000, tcp6(Q, 1)]],
    ['G-2.7-09 another initiator', (sid: number) => [2, sid, addressBytes('fd00::99'), 60_000, tcp6(Q, 1)]],
  ])('%s: dropped, counted unmatched', async (_, response) => {
    await two();
    const found = await engine.client().discover('EX3');
    const { message } = peer.heard[0]!;
    const stream = await peer.connect(engine.discoveryPort());
    await stream.send(response(message[1] as number, message[2]));
    expect(stream.over).toBe(true);
    expect(found.found).toEqual([]);
    expect(engine.counters.get('response.unmatched')).toBe(1);
    expect((await engine.client().discover('EX3', { timeoutMs: 0 })).found).toEqual([]);
  });

  test('after the time is over: dropped, not cached', async () => {
    await two();
    const found = await engine.client().discover('EX3', { timeoutMs: 50 });
    await rig.clock.advance(50);
    await peer.respond(peer.heard[0]!, 60_000, tcp6(Q, 1));
    expect(found.found).toEqual([]);
    expect(engine.counters.get('response.unmatched')).toBe(1);
  });

  test.each([
    ['no CBOR', 'ff', 'cbor.break'],
    ['an object that is no message', 'a0', 'message.not-array'],
    ['an unknown type', '82182a07', 'message.unknown-type'],
    ['M_NEGOTIATE', '8305078463455833030501', 'message.misplaced'],
    ['a response without locator', `85020750${'fd'.repeat(16)}19ea608118c8`, 'response.no-locator'],
    ['a length of 2^63', '5b8000000000000000', 'limit.bytes'],
    ['nested 100,000 deep', '81'.repeat(100_000), 'limit'],
  ])('%s: closed and counted by reason, the discovery goes on', async (_, hex, reason) => {
    await two();
    const found = await engine.client().discover('EX3');
    const stream = await peer.connect(engine.discoveryPort());
    await stream.bytes(Buffer.from(hex, 'hex'));
    expect(stream.over).toBe(true);
    const refused = Object.keys(engine.counters.snapshot()).filter((name) =>
      name.startsWith(`response.refused.${reason}`),
    );
    expect(refused.length).toBe(1);
    await peer.respond(peer.heard[0]!, 60_000, tcp6(Q, 1));
    expect(found.ports).toEqual([1]);
  });

  test('G-2.8.3-03 beyond 2048 bytes: closed', async () => {
    await two();
    const found = await engine.client().discover('EX3');
    const { message } = peer.heard[0]!;
    const locators = Array.from({ length: 100 }, (_, i) => tcp6(Q, i + 1));
    const stream = await peer.connect(engine.discoveryPort());
    await stream.send([2, message[1], message[2], 60_000, ...locators]);
    expect(stream.over).toBe(true);
    expect(found.found).toEqual([]);
    expect(engine.counters.get('response.refused.limit.bytes')).toBe(1);
  });

  test('G-2.8.5-08 a connection that ends or breaks without a response is none', async () => {
    await two();
    const found = await engine.client().discover('EX3');
    const ending = await peer.connect(engine.discoveryPort());
    await ending.bytes(Buffer.from('85', 'hex'));
    await ending.end();
    expect(ending.over).toBe(true);
    const breaking = await peer.connect(engine.discoveryPort());
    await breaking.abort();
    expect(engine.counters.get('response.none')).toBe(2);
    expect(found.outcome).toBeUndefined();
    expect(engine.queue('response.connections').length).toBe(0);
  });

  test('limits.responseMs: a connection that says nothing, or too little, is cut off', async () => {
    await two({ limits: { responseMs: 3_000 } });
    const silent = await peer.connect(engine.discoveryPort());
    const slow = await peer.connect(engine.discoveryPort());
    await slow.send([0]);
    await rig.clock.advance(2_999);
    expect([silent.over, slow.over]).toEqual([false, false]);
    await rig.clock.advance(1);
    expect([silent.closed, slow.closed]).toMatchObject([{ kind: 'reset' }, { kind: 'reset' }]);
    expect(engine.counters.get('response.too-slow')).toBe(2);
    expect(engine.queue('response.connections').length).toBe(0);
  });

  test('limits.responseConnections: the oldest that has said nothing gives way to one more, and is counted', async () => {
    await two({ limits: { responseConnections: 3 } });
    const found = await engine.client().discover('EX3');
    const idle = [];
    for (let i = 0; i < 3; i++) idle.push(await peer.connect(engine.discoveryPort()));
    expect(engine.queue('response.connections')).toMatchObject({ length: 3, limit: 3 });
    // Idle ones shut no responder out.
    await peer.respond(peer.heard[0]!, 60_000, tcp6(Q, 1));
    expect(found.ports).toEqual([1]);
    expect(idle.map(({ closed }) => closed)).toMatchObject([{ kind: 'reset' }, undefined, undefined]);
    expect(engine.counters.get('response.connections-full')).toBe(1);
    expect(engine.queue('response.connections').length).toBe(2);
  });

  test('a responder that never closes its side holds no descriptor: reset after limits.lingerMs', async () => {
    await two({ limits: { lingerMs: 1_500 } });
    await engine.client().discover('EX3');
    const { message } = peer.heard[0]!;
    const answering = await peer.connect(engine.discoveryPort());
    await answering.send([2, message[1], message[2], 60_000, tcp6(Q, 1)]);
    const talking = await peer.connect(engine.discoveryPort());
    await talking.bytes(Buffer.from('ff', 'hex'));
    expect([answering.ended, answering.closed, talking.ended, talking.closed]).toEqual([
      true,
      undefined,
      true,
      undefined,
    ]);
    await rig.clock.advance(1_500);
    expect([answering.closed, talking.closed]).toMatchObject([{ kind: 'reset' }, { kind: 'reset' }]);
    expect(engine.counters.get('stream.linger-timeout')).toBe(2);
    expect(engine.queue('response.closing').length).toBe(0);
  });

  test('one that closes has left nothing behind', async () => {
    await two();
    await engine.client().discover('EX3');
    await peer.respond(peer.heard[0]!, 60_000, tcp6(Q, 1));
    expect(engine.queue('response.closing').length).toBe(0);
    await rig.clock.advance(10_000);
    expect(engine.counters.get('stream.linger-timeout')).toBe(0);
  });

  test('each after its own time', async () => {
    await two();
    const streams: PeerConnection[] = [];
    for (let i = 0; i < 2; i++) {
      const stream = await peer.connect(engine.discoveryPort());
      await stream.bytes(Buffer.from('ff', 'hex'));
      streams.push(stream);
      await rig.clock.advance(500);
    }
    const over = (): boolean[] => streams.map(({ closed }) => closed !== undefined);
    await rig.clock.advance(999);
    expect(over()).toEqual([false, false]);
    await rig.clock.advance(1);
    expect(over()).toEqual([true, false]);
    await rig.clock.advance(500);
    expect(over()).toEqual([true, true]);
  });

  test('limits.lingeringStreams: the oldest such connection is reset', async () => {
    await two({ limits: { lingeringStreams: 2 } });
    const streams: PeerConnection[] = [];
    for (let i = 0; i < 3; i++) {
      const stream = await peer.connect(engine.discoveryPort());
      await stream.bytes(Buffer.from('ff', 'hex'));
      streams.push(stream);
    }
    expect(streams.map(({ closed }) => closed !== undefined)).toEqual([true, false, false]);
    expect(engine.counters.get('stream.linger-limit')).toBe(1);
  });
});

describe('the call (§2.5.4.3, RFC 8991 §2.3.4)', () => {
  test.each([1, 6, 255])('G-2.5.4.3-06 by default 100 ms × loop count: %i', async (loopCount) => {
    await two();
    const start = rig.clock.now();
    const found = await engine.client().discover('EX3', { loopCount });
    await rig.clock.advance(100 * loopCount - 1);
    expect(found.outcome).toBeUndefined();
    await rig.clock.advance(1);
    expect(found.outcome).toEqual({ atMs: start + 100 * loopCount, failure: undefined });
    expect(engine.queue('discovery.sessions').length).toBe(0);
  });

  test('A-2.3.4-04 an explicit timeout, shorter or longer', async () => {
    await two();
    const start = rig.clock.now();
    const short = await engine.client().discover('EX3', { timeoutMs: 10 });
    const long = await engine.client('other').discover('EX4', { timeoutMs: 2 ** 32 - 1 });
    await rig.clock.advance(10);
    expect(short.outcome?.atMs).toBe(start + 10);
    await rig.clock.advance(2 ** 32 - 12);
    expect(long.outcome).toBeUndefined();
    await rig.clock.advance(1);
    expect(long.outcome?.atMs).toBe(start + 2 ** 32 - 1);
  });

  test('A-2.3.4-03 timeout 0: what is cached, nothing sent', async () => {
    await two();
    const client = engine.client();
    const first = await client.discover('EX3', { timeoutMs: 0 });
    expect(first.outcome).toEqual({ atMs: rig.clock.now(), failure: undefined });
    expect(peer.heard).toEqual([]);
    await client.discover('EX3', { timeoutMs: 100 });
    await peer.respond(peer.heard[0]!, 5_000, tcp6(Q, 1));
    await rig.clock.advance(100);
    const cached = await client.discover('EX3', { timeoutMs: 0 });
    expect(cached.ports).toEqual([1]);
    expect(cached.outcome).toBeDefined();
    expect(peer.heard.length).toBe(1);
  });

  test('D-06 G-2.5.4.3-10 older style: cached ones at once, with interface; nothing sent', async () => {
    await two();
    const client = engine.client();
    await client.discover('EX3');
    await peer.respond(peer.heard[0]!, 5_000, tcp6(Q, 1));
    await rig.clock.advance(600);
    const again = await client.discover('EX3');
    expect(again.ports).toEqual([1]);
    expect(again.found[0]!.interface).toBe('l1');
    expect(again.outcome).toBeDefined();
    expect(peer.heard.length).toBe(1);
  });

  test('G-2.5.4.3-13 -15 after the ttl it is forgotten, and discovery sends again', async () => {
    await two();
    const client = engine.client();
    await client.discover('EX3');
    await peer.respond(peer.heard[0]!, 2_000, tcp6(Q, 1));
    await rig.clock.advance(1_999);
    expect((await client.discover('EX3', { timeoutMs: 0 })).ports).toEqual([1]);
    await rig.clock.advance(1);
    const again = await client.discover('EX3');
    expect(again.found).toEqual([]);
    expect(again.outcome).toBeUndefined();
    expect(peer.heard.length).toBe(2);
  });

  test('flush: what is cached goes first, then discovery runs', async () => {
    await two();
    const client = engine.client();
    await client.discover('EX3');
    await peer.respond(peer.heard[0]!, 60_000, tcp6(Q, 1));
    await rig.clock.advance(600);
    const fresh = await client.discover('EX3', { flush: true });
    expect(fresh.found).toEqual([]);
    expect(fresh.outcome).toBeUndefined();
    await peer.respond(peer.heard[1]!, 60_000, tcp6(Q, 2));
    expect(fresh.ports).toEqual([2]);
    const emptied = await client.discover('EX3', { flush: true, timeoutMs: 0 });
    expect([emptied.found, emptied.outcome?.failure]).toEqual([[], undefined]);
  });

  test('A-2.3.4-02 D-06 minimumTtl: short-lived ones go, the rest is part of the result, discovery runs', async () => {
    await two();
    const client = engine.client();
    await client.discover('EX3', { timeoutMs: 10 });
    await peer.respond(peer.heard[0]!, 1_000, tcp6(Q, 1));
    await peer.respond(peer.heard[0]!, 100_000, tcp6(Q, 2));
    await rig.clock.advance(10);
    const found = await client.discover('EX3', { minimumTtlMs: 5_000 });
    expect(found.ports).toEqual([2]);
    expect(found.outcome).toBeUndefined();
    // The same one again is no news; a new one is.
    await peer.respond(peer.heard[1]!, 100_000, tcp6(Q, 2), tcp6(Q, 3));
    expect(found.ports).toEqual([2, 3]);
    await rig.clock.advance(600);
    expect(found.outcome).toBeDefined();
  });

  test('A-2.3.4-02 minimumTtl 0 forgets all of this objective, and of no other', async () => {
    await two();
    const client = engine.client();
    for (const name of ['EX3', 'EX4']) {
      await client.discover(name, { timeoutMs: 10 });
      await peer.respond(peer.heard.at(-1)!, 60_000, tcp6(Q, 1));
      await rig.clock.advance(10);
    }
    const found = await client.discover('EX3', { minimumTtlMs: 0 });
    expect(found.found).toEqual([]);
    expect((await client.discover('EX4', { timeoutMs: 0 })).ports).toEqual([1]);
  });

  test('direct locators come before diverted ones in what is cached', async () => {
    await two();
    const client = engine.client();
    await client.discover('EX3');
    await peer.respond(peer.heard[0]!, 60_000, [100, tcp6(Q, 1)]);
    await peer.respond(peer.heard[0]!, 60_000, tcp6(Q, 2));
    await rig.clock.advance(600);
    expect((await client.discover('EX3')).ports).toEqual([2, 1]);
  });

  test('D-07 ASAs of this node are found too, the caller itself is not', async () => {
    await two();
    await engine.announce('EX3', [
      { asa: 1, port: 50_001 },
      { asa: 2, port: 50_002 },
    ]);
    const found = await engine.client().discover('EX3', { asa: 1 });
    expect(found.found).toEqual([
      {
        locator: { type: 103, address: addressBytes(engine.address()), protocol: 6, port: 50_002 },
        interface: '',
        expiresAt: rig.clock.now() + 60_000,
        diverted: false,
      },
    ]);
    // Others are looked for all the same.
    expect(peer.heard.length).toBe(1);
    expect(found.outcome).toBeUndefined();
    const offline = await engine.client('b').discover('EX3', { asa: 2, timeoutMs: 0 });
    expect(offline.ports).toEqual([50_001]);
  });

  test('D-07 on a node without any network by ::1', async () => {
    engine = await rig.engine('lonely', { links: [] });
    await engine.announce('EX3', [{ asa: 2 }]);
    const found = await engine.client().discover('EX3', { asa: 1 });
    expect(found.found.map(({ locator }) => 'address' in locator && locator.address)).toEqual([
      addressBytes('::1'),
    ]);
  });

  test('cancelled: over at once, and what comes later is unmatched', async () => {
    await two();
    const client = engine.client();
    const found = await client.discover('EX3');
    await client.cancel(found);
    expect(found.outcome).toEqual({ atMs: rig.clock.now(), failure: undefined });
    await peer.respond(peer.heard[0]!, 60_000, tcp6(Q, 1));
    expect(found.found).toEqual([]);
    expect(engine.counters.get('response.unmatched')).toBe(1);
    await client.cancel(found);
    expect(engine.queue('discovery.sessions').length).toBe(0);
  });

  test('discoveries of one objective under way share what one of them finds; others do not', async () => {
    await two();
    const one = await engine.client('a').discover('EX3');
    const same = await engine.client('b').discover('EX3', { flush: true });
    const other = await engine.client('c').discover('EX4');
    await peer.respond(peer.heard[0]!, 60_000, tcp6(Q, 1));
    await peer.respond(peer.heard[1]!, 60_000, tcp6(Q, 1));
    expect([one.ports, same.ports, other.ports]).toEqual([[1], [1], []]);
  });

  test('calls of several clients do not mix, though their numbers are equal', async () => {
    await two();
    const [a, b] = [engine.client('a'), engine.client('b')];
    const one = await a.discover('EX3');
    const other = await b.discover('EX4');
    await peer.respond(peer.heard[1]!, 60_000, tcp6(Q, 4));
    await a.cancel(one);
    expect([one.ports, other.ports]).toEqual([[], [4]]);
    expect([one.outcome === undefined, other.outcome === undefined]).toEqual([false, true]);
  });

  test('a client that goes away leaves no discovery behind', async () => {
    await two();
    const client = engine.client();
    const others = await engine.client('other').discover('EX3', { timeoutMs: 60_000 });
    await client.discover('EX3', { timeoutMs: 60_000 });
    expect(engine.queue('discovery.sessions').length).toBe(2);
    await client.close();
    expect(engine.queue('discovery.sessions').length).toBe(1);
    expect(others.outcome).toBeUndefined();
    engine.core.detachClient('other');
    expect(engine.queue('discovery.sessions').length).toBe(0);
    engine.core.detachClient('main');
    engine.core.detachClient('never seen');
  });

  test('A-3-02 limits.discoverySessions: one more gives overload (43), the others go on', async () => {
    await two({ limits: { discoverySessions: 2 } });
    const client = engine.client();
    const running = [await client.discover('EX1'), await client.discover('EX2')];
    const surplus = await client.discover('EX3');
    expect(surplus.outcome?.failure?.code).toBe(43);
    expect(engine.counters.get('discovery.sessions-full')).toBe(1);
    expect(running.map(({ outcome }) => outcome)).toEqual([undefined, undefined]);
    await rig.clock.advance(600);
    expect((await client.discover('EX3')).outcome).toBeUndefined();
  });

  test('limits.discoveryCache: the oldest entry goes and is counted', async () => {
    await two({ limits: { discoveryCache: 3 } });
    const client = engine.client();
    const found = await client.discover('EX3');
    await peer.respond(peer.heard[0]!, 60_000, tcp6(Q, 1), tcp6(Q, 2), tcp6(Q, 3), tcp6(Q, 4));
    expect(found.ports).toEqual([1, 2, 3, 4]);
    expect(engine.counters.get('discovery-cache.evicted')).toBe(1);
    expect(engine.queue('discovery.cache')).toMatchObject({ length: 3, limit: 3 });
    await rig.clock.advance(600);
    expect((await client.discover('EX3')).ports).toEqual([2, 3, 4]);
  });

  test('limits.discoveryCachePerObjective: the oldest of the same name goes, others stay', async () => {
    await two({ limits: { discoveryCachePerObjective: 2 } });
    const client = engine.client();
    await client.discover('EX4');
    await peer.respond(peer.heard[0]!, 60_000, tcp6(Q, 9));
    await client.discover('EX3');
    await peer.respond(peer.heard[1]!, 60_000, tcp6(Q, 1), tcp6(Q, 2), tcp6(Q, 3));
    expect(engine.counters.get('discovery-cache.evicted')).toBe(1);
    await rig.clock.advance(600);
    expect((await client.discover('EX3')).ports).toEqual([2, 3]);
    expect((await client.discover('EX4')).ports).toEqual([9]);
  });

  test('A-2.3.4-01 no interface at all: over at once, nothing found, no error', async () => {
    engine = await rig.engine('lonely', { links: [] });
    const found = await engine.client().discover('EX3');
    expect([found.found, found.outcome]).toEqual([[], { atMs: rig.clock.now(), failure: undefined }]);
  });

  test('G-2.2-03 one interface that does not take it is counted; the other carries it', async () => {
    await two({ links: ['l1', 'l2'] });
    rig.network.link('l2').set({ mtu: 53 });
    const found = await engine.client().discover('EX3');
    expect(peer.heard.map((heard) => heard.interface)).toEqual(['l1']);
    expect(found.outcome).toBeUndefined();
    expect(engine.counters.get('multicast.send-failed')).toBe(1);
    expect(engine.counters.get('multicast.sent')).toBe(1);
    rig.network.link('l1').set({ mtu: 53 });
    const none = await engine.client('b').discover('EX4');
    expect(none.outcome).toEqual({ atMs: rig.clock.now(), failure: undefined });
  });

  test('G-2.5.3-11 C-16 1232 bytes are sent, one more gives tooBig (40)', async () => {
    await two();
    // [1, sid (5 bytes), initiator (17), [name (3 + n), 3, 6]] with a session id that needs all its bytes.
    const fits = await engine.client().discover('x'.repeat(1_232 - 30));
    expect(fits.outcome).toBeUndefined();
    expect(peer.heard.length).toBe(1);
    const found = await engine.client().discover('x'.repeat(1_232 - 29));
    expect(found.outcome).toEqual({ atMs: rig.clock.now(), failure: { code: 40 } });
    expect(engine.counters.get('discovery.too-big')).toBe(1);
    expect(peer.heard.length).toBe(1);
  });

  test('a client that attaches again under its name replaces the old one', async () => {
    await two();
    const old = engine.client('main');
    await old.discover('EX3');
    const fresh = engine.client('main');
    expect(engine.queue('discovery.sessions').length).toBe(0);
    const found = await fresh.discover('EX3');
    await peer.respond(peer.heard[1]!, 60_000, tcp6(Q, 1));
    expect(found.ports).toEqual([1]);
  });
});

describe('security (§3)', () => {
  test('G-3-01 without security: 16, nothing sent', async () => {
    await two();
    engine.node.setSecurity('none');
    await rig.clock.settle();
    for (const timeoutMs of [undefined, 0]) {
      const found = await engine.client().discover('EX3', { timeoutMs });
      expect(found.outcome?.failure).toMatchObject({ code: 16 });
    }
    expect(peer.heard).toEqual([]);
  });

  test('G-3-01 lost under way: 16; when it is back discovery works', async () => {
    await two();
    const client = engine.client();
    const found = await client.discover('EX3');
    engine.node.setSecurity('none');
    await rig.clock.settle();
    expect(found.outcome).toEqual({ atMs: rig.clock.now(), failure: { code: 16 } });
    expect(engine.queue('discovery.sessions').length).toBe(0);
    engine.node.setSecurity('secure');
    await rig.clock.settle();
    const again = await client.discover('EX3');
    await peer.respond(peer.heard[1]!, 60_000, tcp6(Q, 1));
    expect(again.ports).toEqual([1]);
  });
});

describe('close', () => {
  test('ends discoveries, connections and ports; nothing is left', async () => {
    await two();
    await engine.client().discover('EX3');
    const idle = await peer.connect(engine.discoveryPort());
    const target = engine.discoveryPort();
    const lingering = await peer.connect(engine.discoveryPort());
    await lingering.bytes(Buffer.from('ff', 'hex'));
    expect(engine.queue('response.closing').length).toBe(1);
    await rig.run(engine.core.close());
    await rig.clock.settle();
    expect(lingering.closed).toMatchObject({ kind: 'reset' });
    expect(engine.queue('response.closing').length).toBe(0);
    expect(idle.over).toBe(true);
    await expect(peer.connect(target)).rejects.toMatchObject({ kind: 'refused' });
    expect(engine.queue('discovery.sessions').length).toBe(0);
    expect(engine.queue('response.connections').length).toBe(0);
  });
});
