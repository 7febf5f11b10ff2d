/** Unicast port 7017: RFC 8990 §2.5.4.2, §2.6, the unicast column of wire.md §12. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { encode } from 'cborg';
import {
  addressBytes,
  CoreRig,
  discovery,
  flood,
  tcp6,
  type CoreEngine,
  type CoreEngineOptions,
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

async function start(options: CoreEngineOptions = {}): Promise<void> {
  engine = await rig.engine('engine', { links: ['l1', 'l2'], ...options });
  peer = await rig.peer('peer', { links: ['l1'] });
  await engine.announce('EX3', [{}]);
}

/** From the port of the peer's multicasts, by UDP. */
async function datagram(message: unknown): Promise<void> {
  const bytes = message instanceof Uint8Array ? message : encode(message);
  peer.node.sendDatagram({ address: engine.address('l1'), port: 7017 }, bytes, peer.port());
  await rig.clock.settle();
}

const stream = (): Promise<PeerConnection> => peer.connect({ address: engine.address('l1'), port: 7017 });
const FAR = 'fd00::51';

describe('by UDP', () => {
  test('G-2.5.4.2-02 G-2.8.4-16 C-24 answered by TCP to the source port', async () => {
    await start();
    await datagram(discovery('EX3'));
    expect(peer.responses).toEqual([
      [2, 77, addressBytes('fd00::77'), 60_000, tcp6(engine.address('l1'), 50_001)],
    ]);
    expect(peer.accepted[0]!.ended).toBe(true);
  });

  test('G-2.5.4.2-02 relayed if unknown, on the other interfaces', async () => {
    await start();
    const q = await rig.peer('q', { links: ['l2'] });
    await datagram(discovery('EX4'));
    expect(q.heard.map(({ message }) => message)).toEqual([discovery('EX4', { loop: 5 })]);
    expect(peer.heard).toEqual([]);
    await q.respond(q.heard[0]!, 5_000, tcp6(FAR, 1));
    expect(peer.responses.map((message) => message[4])).toEqual([[100, tcp6(FAR, 1)]]);
  });

  test('wire.md §12 what is no discovery is counted and gets no answer; floods are for all', async () => {
    await start();
    await datagram(Uint8Array.of(0xff));
    await datagram([0]);
    await datagram([42, 7]);
    await datagram([99, 7]);
    await datagram(flood('EX1'));
    expect(peer.accepted).toEqual([]);
    expect(engine.counters.get('unicast.handled')).toBe(5);
    expect(engine.counters.get('multicast.refused.message.misplaced')).toBe(2);
    expect(engine.counters.get('multicast.flood.taken')).toBe(0);
  });

  test('G-3-01 not without security', async () => {
    await start();
    engine.node.setSecurity('none');
    await rig.clock.settle();
    await datagram(discovery('EX3'));
    expect(peer.accepted).toEqual([]);
  });
});

describe('by TCP', () => {
  test('G-2.5.4.2-03 G-2.5.4.4-06 answered on the same stream, which ends', async () => {
    await start();
    const asking = await stream();
    await asking.send([0], discovery('EX3'));
    expect(asking.messages).toEqual([
      [2, 77, addressBytes('fd00::77'), 60_000, tcp6(engine.address('l1'), 50_001)],
    ]);
    expect(asking.ended).toBe(true);
    expect(peer.accepted).toEqual([]);
    await asking.end();
    expect(engine.queue('unicast.connections').length).toBe(0);
    expect(engine.queue('unicast.closing').length).toBe(0);
  });

  test('a discovery cut at every byte', async () => {
    await start();
    const bytes = encode(discovery('EX3'));
    const asking = await stream();
    for (const byte of bytes) await asking.bytes(Uint8Array.of(byte));
    expect(asking.messages.length).toBe(1);
  });

  test('nothing known, nobody to relay to: it ends without a word', async () => {
    engine = await rig.engine('engine');
    peer = await rig.peer('peer');
    const asking = await stream();
    await asking.send(discovery('EX4'));
    expect([asking.messages, asking.ended]).toEqual([[], true]);
  });

  test('§2.5.4.4 relayed: every result goes onto the stream, until the relay is over', async () => {
    await start();
    const q = await rig.peer('q', { links: ['l2'] });
    const asking = await stream();
    await asking.send(discovery('EX4', { loop: 3 }));
    await asking.end();
    await q.respond(q.heard[0]!, 5_000, tcp6(FAR, 1));
    await q.respond(q.heard[0]!, 5_000, tcp6(FAR, 2));
    expect(asking.messages.map((message) => message[4])).toEqual([
      [100, tcp6(FAR, 1)],
      [100, tcp6(FAR, 2)],
    ]);
    expect(asking.ended).toBe(false);
    await rig.clock.advance(200);
    expect(asking.ended).toBe(true);
    expect(engine.census()['unicastConnection answering']).toBeUndefined();
  });

  test('a peer that goes before the relay is over is let go', async () => {
    await start();
    const q = await rig.peer('q', { links: ['l2'] });
    const asking = await stream();
    await asking.send(discovery('EX4', { loop: 3 }));
    await asking.abort();
    expect(engine.queue('unicast.connections').length).toBe(0);
    await q.respond(q.heard[0]!, 5_000, tcp6(FAR, 1));
    await rig.clock.advance(200);
    expect(engine.census()['discoveryRelay collecting']).toBeUndefined();
  });

  test.each([
    ['unknown type', [42, 7, 'x'], [99, 7, 'message.unknown-type']],
    ['M_NEGOTIATE', [5, 8, ['EX3', 3, 6, 1]], [99, 8, 'message.misplaced']],
    ['M_FLOOD', flood('EX1', { sid: 9 }), [99, 9, 'message.misplaced']],
    ['a discovery of the wrong shape', [1, 10, 'x', ['EX3', 3, 6]], [99, 10, 'message.initiator']],
  ])('wire.md §12 %s: M_INVALID once, closed', async (_, message, invalid) => {
    await start();
    const asking = await stream();
    await asking.send(message, message);
    expect(asking.messages).toEqual([invalid]);
    expect(asking.over).toBe(true);
    expect(engine.counters.get(`unicast.refused.${String(invalid[2])}`)).toBe(1);
  });

  test.each([
    ['not well-formed', 'ff'],
    ['no message', 'a0'],
    ['no session id', '8118 2a'.replace(' ', '')],
    ['M_INVALID', '821863 07'.replace(' ', '')],
    ['M_REQ_NEG: nobody listens here', Buffer.from(encode([3, 7, ['EX3', 3, 6, 1]])).toString('hex')],
    ['M_REQ_SYN: nobody listens here', Buffer.from(encode([4, 7, ['EX3', 5, 6, null]])).toString('hex')],
  ])('wire.md §12 %s: closed without a word', async (_, hex) => {
    await start();
    const asking = await stream();
    await asking.bytes(Buffer.from(hex, 'hex'));
    expect([asking.messages, asking.over]).toEqual([[], true]);
  });

  test('G-2.8.3-03 beyond 2048 bytes: closed', async () => {
    await start();
    const asking = await stream();
    await asking.bytes(encode([1, 7, addressBytes(FAR), ['x'.repeat(2_048), 3, 6]]));
    expect(asking.over).toBe(true);
    expect(engine.counters.get('unicast.refused.limit.bytes')).toBe(1);
  });

  test('limits.unicastConnections: the oldest that has said nothing gives way; if none, the oldest', async () => {
    await start({ limits: { unicastConnections: 2 } });
    const asking = await stream();
    // Nobody has it here: the connection waits for what a relay of it finds.
    await asking.send(discovery('EX9'));
    const idle = await stream();
    const third = await stream();
    await third.send(discovery('EX3'));
    expect(third.messages.length).toBe(1);
    expect(engine.counters.get('unicast.connections-full')).toBe(1);
    expect([asking.closed, idle.closed]).toMatchObject([undefined, { kind: 'reset' }]);
    const fourth = await stream();
    await fourth.send(discovery('EX8', { sid: 78 }));
    expect([asking.closed, fourth.closed]).toEqual([undefined, undefined]);
    const fifth = await stream();
    expect([asking.closed, fourth.closed, fifth.closed]).toMatchObject([
      { kind: 'reset' },
      undefined,
      undefined,
    ]);
    expect(engine.counters.get('unicast.connections-full')).toBe(2);
  });

  test('limits.unicastFirstMessageMs: who says nothing, or too little, is cut off', async () => {
    await start({ limits: { unicastFirstMessageMs: 500 } });
    const silent = await stream();
    const slow = await stream();
    await slow.bytes(encode(discovery('EX3')).slice(0, 9));
    await rig.clock.advance(499);
    expect([silent.over, slow.over]).toEqual([false, false]);
    await rig.clock.advance(1);
    expect([silent.over, slow.over]).toEqual([true, true]);
    expect(engine.counters.get('unicast.too-slow')).toBe(2);
  });
});

describe('who has the port', () => {
  const has = (each: CoreEngine): boolean => each.core.status().wellKnown;

  test('G-2.6-03 one engine of a host; another takes it over when the first is gone', async () => {
    await start();
    const second = await rig.engine('engine');
    await second.announce('EX3', [{ port: 50_002 }]);
    expect([has(engine), has(second)]).toEqual([true, false]);
    await datagram(discovery('EX3', { sid: 1 }));
    await rig.run(engine.core.close());
    await rig.clock.advance(31_000);
    expect(has(second)).toBe(true);
    await datagram(discovery('EX3', { sid: 2 }));
    expect(peer.responses.map((message) => [message[1], (message[4] as unknown[])[3]])).toEqual([
      [1, 50_001],
      [2, 50_002],
    ]);
    expect(second.counters.get('well-known.binding.failed')).toBeGreaterThan(0);
  });

  test('close: what is connected is reset, the port is free', async () => {
    await start();
    const asking = await stream();
    await rig.run(engine.core.close());
    await rig.clock.settle();
    expect(asking.over).toBe(true);
    const next = await rig.engine('engine');
    expect(has(next)).toBe(true);
  });
});
