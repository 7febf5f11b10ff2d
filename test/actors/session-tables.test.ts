/** The tables a session host keeps beside its machines: session ids (§2.7), active sessions (C-06), closing streams. */
import { describe, expect, test } from '@jest/globals';
import { ActiveSessions } from '../../src/actors/active-sessions.js';
import { SessionIds } from '../../src/actors/session-ids.js';
import { StreamLinger } from '../../src/actors/stream-linger.js';
import { Counters, inlinePair, SimulatedClock } from '../../src/runtime/index.js';
import { SessionIdSource } from '../../src/protocol/index.js';
import { SessionIdOffice } from '../../src/actors/session-id-office.js';
import type { RapidRequest } from '../../src/actors/core-protocol.js';
import type { Environment, Stream, StreamHandlers, Target } from '../../src/substrate/types.js';

const block = (first: number, size = 8): Uint32Array =>
  Uint32Array.from({ length: size }, (_, i) => first + i);

/** A connection with this local end. */
const leaving = (local: Target | undefined): Stream => ({ local }) as Stream;

describe('§2.7 session ids', () => {
  function ids() {
    const clock = new SimulatedClock();
    const retired: number[] = [];
    const asked: number[] = [];
    const table = new SessionIds(
      clock,
      () => asked.push(clock.now()),
      (first) => retired.push(first),
    );
    return { clock, retired, asked, table };
  }

  test('the next block is asked for before the last one is used up, once, and again when none comes', async () => {
    const { clock, asked, table } = ids();
    table.add(block(100), true);
    for (let i = 0; i < 6; i++) table.draw();
    expect(asked).toEqual([]);
    table.draw();
    table.draw();
    expect(table.draw()).toBeUndefined();
    expect(asked).toEqual([0]);
    await clock.advance(1_000);
    expect(table.draw()).toBeUndefined();
    expect(asked).toEqual([0, 1_000]);
    table.add(block(200), true);
    expect(table.draw()?.sessionId).toBe(200);
  });

  test('a block is given back when its last session has ended, not before; until then its ids are active', () => {
    const { retired, table } = ids();
    table.add(block(100, 2), true);
    table.add(block(200, 2), true);
    const [a, b] = [table.draw()!, table.draw()!];
    expect([a.sessionId, b.sessionId, table.draw()?.sessionId]).toEqual([100, 101, 200]);
    table.release(a);
    expect(retired).toEqual([]);
    expect(table.has(100)).toBe(true);
    expect(table.ownBlocks).toEqual([block(100, 2), block(200, 2)]);
    table.release(b);
    expect(retired).toEqual([100]);
    expect([100, 101, 200, 201].map((id) => table.has(id))).toEqual([false, false, true, true]);
    expect(table.ownBlocks).toEqual([block(200, 2)]);
  });

  test('blocks of others are recognised, never drawn from, and dropped on request', () => {
    const { table } = ids();
    table.add(block(300), false);
    table.add(new Uint32Array(), true);
    expect(table.draw()).toBeUndefined();
    expect(table.has(307)).toBe(true);
    table.drop(300);
    table.drop(301);
    expect(table.has(307)).toBe(false);
  });
});

describe('C-06 active sessions', () => {
  const environment: Environment = {
    security: 'insecure',
    interfaces: [
      { name: 'l1', index: 2, linkLocal: 'fe80::1', addresses: ['fd00::1', '192.0.2.1'] },
      { name: 'l2', index: 3, linkLocal: undefined, addresses: [] },
    ],
    otherAddresses: ['2001:db8::1'],
  };
  function tables(): { ids: SessionIds; active: ActiveSessions } {
    const ids = new SessionIds(
      new SimulatedClock(),
      () => undefined,
      () => undefined,
    );
    ids.add(block(100), false);
    return { ids, active: new ActiveSessions(ids, () => environment) };
  }

  test.each([
    ['fd00::1', 'ask'],
    ['fe80::1%l1', 'ask'],
    ['192.0.2.1', 'ask'],
    ['::ffff:192.0.2.1', 'ask'],
    ['2001:db8::1', 'ask'],
    ['::1', 'ask'],
    ['127.0.0.9', 'ask'],
    ['fd00::2', 'clash'],
    ['::ffff:192.0.2.2', 'clash'],
  ])('an id of this engine in a request from %s: %s', (address, judgement) => {
    expect(tables().active.judge(103, { address, port: 9 })).toBe(judgement);
    expect(tables().active.judge(99, { address, port: 9 })).toBe('none');
  });

  test('a connection of this host is known by its local end, however that is written', () => {
    const { active } = tables();
    const first = active.addOutgoing(leaving({ address: 'fe80::1', port: 9, interface: 'l1' }));
    const second = active.addOutgoing(leaving({ address: 'fe80::1%l1', port: 9 }));
    const mapped = active.addOutgoing(leaving({ address: '192.0.2.1', port: 9 }));
    const lost = active.addOutgoing(leaving(undefined));
    const unseen = active.addOutgoing(leaving({ address: 'fd00::1', port: 1 }));
    active.removeOutgoing(unseen);
    expect(active.owns({ address: '::ffff:192.0.2.1', port: 9 })).toBe(true);
    expect(active.judge(103, { address: '::ffff:192.0.2.1', port: 9 })).toBe('none');
    expect(active.owns({ address: 'fe80::1', port: 10 })).toBe(false);
    active.removeOutgoing(first);
    expect(active.owns({ address: 'fe80::1', port: 9 })).toBe(true);
    active.removeOutgoing(second);
    active.removeOutgoing(mapped);
    active.removeOutgoing(lost);
    expect(active.owns({ address: 'fe80::1', port: 9 })).toBe(false);
    expect(active.size).toBe(0);
  });

  test('an incoming session is told by id, address and interface', () => {
    const { active } = tables();
    const peer = { address: 'fe80::9', port: 1, interface: 'l1' };
    const other = { address: 'fe80::8', port: 1, interface: 'l1' };
    active.addIncoming(5, peer);
    active.addIncoming(5, other);
    expect(active.judge(5, { address: 'fe80::9', port: 2, interface: 'l1' })).toBe('clash');
    expect(active.judge(5, { address: 'fe80::9', port: 2, interface: 'l2' })).toBe('none');
    expect(active.judge(6, { address: 'fe80::9', port: 2, interface: 'l1' })).toBe('none');
    active.removeIncoming(5, peer);
    expect(active.judge(5, { address: 'fe80::9', port: 2, interface: 'l1' })).toBe('none');
    expect(active.judge(5, { address: 'fe80::8', port: 2, interface: 'l1' })).toBe('clash');
    active.removeIncoming(5, other);
    expect(active.size).toBe(0);
  });
});

test('§2.5.5.1 a host that does not get to it is handed no more requests than its window', async () => {
  const clock = new SimulatedClock();
  const [core, host] = inlinePair(clock);
  let got = 0;
  host.onMessage((message) => void (got += (message as [unknown[]])[0].length));
  const office = new SessionIdOffice(new SessionIdSource((bytes) => bytes.fill(1)), clock);
  office.attach('sessions-1', core);
  const request: RapidRequest = {
    t: 'rapid.request',
    sessionId: 7,
    objective: { name: 'EX3', flags: 3, loopCount: 6 },
    value: Uint8Array.of(1),
    target: { address: 'fd00::1', port: 1 },
  };
  const taken = Array.from({ length: 1_100 }, () => office.handOver('sessions-1', request));
  expect(taken.filter((each) => each)).toHaveLength(1_024);
  await clock.settle();
  expect(got).toBe(1_024);
  host.postMessage([[], 1_024]);
  await clock.settle();
  expect([office.handOver('sessions-1', request), office.handOver('nobody', request)]).toEqual([true, false]);
  office.close();
});

describe('limits.lingerMs', () => {
  test('one timer for all; each stream is reset when its own time is over, none that closed before', async () => {
    const clock = new SimulatedClock();
    const linger = new StreamLinger(clock, new Counters(), { lingerMs: 100, lingeringStreams: 10 });
    const log: string[] = [];
    const closed = new Map<string, () => void>();
    const stream = (name: string): Stream =>
      ({
        bufferedBytes: 0,
        setHandlers: (handlers: StreamHandlers) => closed.set(name, () => handlers.onClose()),
        end: () => log.push(`${name} end`),
        abort: () => log.push(`${name} abort ${clock.now()}`),
      }) as unknown as Stream;
    const [a, b, c] = [stream('a'), stream('b'), stream('c')];
    linger.finish(a);
    await clock.advance(40);
    linger.finish(b);
    await clock.advance(40);
    linger.finish(c);
    closed.get('b')!();
    expect(linger.size).toBe(2);
    // One that others read.
    const d = stream('d');
    linger.closed(linger.await(d));
    expect(closed.has('d')).toBe(false);
    expect(linger.size).toBe(2);
    await clock.advance(1_000);
    expect(log).toEqual(['a end', 'b end', 'c end', 'd end', 'a abort 100', 'c abort 180']);
    linger.finish(a);
    linger.abortAll();
    expect(linger.size).toBe(0);
    await clock.runUntilIdle();
    expect(clock.now()).toBe(1_080);
  });

  test('G-2.8.10-01 what is still on its way is not cut off, unless it does not get on', async () => {
    const clock = new SimulatedClock();
    const counters = new Counters();
    const linger = new StreamLinger(clock, counters, { lingerMs: 100, lingeringStreams: 10 });
    const stream = (bufferedBytes: number) => {
      const made = { bufferedBytes, abortedAt: NaN };
      return Object.assign(made, {
        setHandlers: () => undefined,
        end: () => undefined,
        abort: () => void (made.abortedAt = clock.now()),
      });
    };
    const [long, stuck, short] = [stream(50_000), stream(50_000), stream(0)];
    for (const each of [long, stuck, short]) linger.finish(each as unknown as Stream);
    for (const left of [40_000, 20_000, 300, 0]) {
      long.bufferedBytes = left;
      stuck.bufferedBytes -= 10;
      await clock.advance(100);
    }
    expect([stuck.abortedAt, short.abortedAt]).toEqual([100, 100]);
    // All has left: the system's own buffer has its time, too.
    expect([linger.size, long.abortedAt]).toEqual([1, NaN]);
    await clock.advance(100);
    expect([linger.size, long.abortedAt]).toEqual([0, 500]);
    expect(counters.get('stream.linger-timeout')).toBe(3);
  });
});
