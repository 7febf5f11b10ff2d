/** Bad input and limits (wire.md §12, api.md §3): nobody else suffers, memory stays bounded, refusals are counted. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { decode, encode } from 'cborg';
import { completeSessionLimits, DEFAULT_SESSION_LIMITS } from '../../src/actors/session-limits.js';
import type { Target } from '../../src/substrate/types.js';
import { type Engine, type EngineOptions, type Peer, type PeerStream, Rig } from './session-rig.js';

let rig: Rig;
let engine: Engine;
let peer: Peer;
let target: Target;

const request = (sid: number, value: unknown = 1, name = 'EX3'): unknown[] => [3, sid, [name, 3, 6, value]];

/** An engine that listens for EX3 and can take as many requests as come, and a scripted peer. */
async function listening(options: EngineOptions = {}): Promise<void> {
  engine = await rig.engine('engine', options);
  peer = await rig.peer('peer');
  ({ target } = await engine.client.listen({ demand: 10_000 }));
}

/** The next valid request is served. */
async function serves(sid = 77): Promise<void> {
  const before = engine.client.incoming.length;
  const stream = await peer.connect(target);
  await stream.send(request(sid));
  expect(engine.client.incoming.length).toBe(before + 1);
  const { session } = engine.client.incoming.at(-1)!;
  expect(await rig.run(engine.client.end(session, true))).toBeUndefined();
  await rig.clock.settle();
  expect(stream.messages).toEqual([[6, sid, [101]]]);
}

beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.close());

describe('the first message of a connection', () => {
  beforeEach(() => listening());

  test.each<[string, unknown, string]>([
    ['M_REQ_SYN', [4, 9, ['EX3', 5, 6, null]], 'request.no-listener'],
    ['M_REQ_NEG for another objective', request(9, 1, 'EX4'), 'request.other-objective'],
    ['M_END', [6, 9, [101]], 'message.out-of-place'],
    ['M_INVALID', [99, 9, 'x'], 'message.out-of-place'],
    ['no message: a number', 5, 'message.not-array'],
    ['a message without a valid session id', [3, -1, ['EX3', 3, 6, 1]], 'message.session-id'],
  ])('%s: closed at once without a message (G-2.8.6-09, G-2.8.12-05)', async (_, message, reason) => {
    const stream = await peer.connect(target);
    await stream.send(message);
    expect([stream.over, stream.bytesReceived]).toEqual([true, 0]);
    expect(engine.counters.get(reason)).toBe(1);
    await serves();
  });

  test.each<[string, unknown, string]>([
    ['M_REQ_NEG with F_SYNCH', [3, 9, ['EX3', 5, 6, 1]], 'objective.not-negotiation'],
    ['M_REQ_NEG without F_NEG', [3, 9, ['EX3', 1, 6, 1]], 'objective.not-negotiation'],
    ['M_REQ_NEG without a value', [3, 9, ['EX3', 3, 6]], 'objective.no-value'],
    ['M_NEGOTIATE', [5, 9, ['EX3', 3, 6, 1]], 'message.out-of-place'],
    ['M_WAIT', [7, 9, 1], 'message.out-of-place'],
    ['M_SYNCH', [8, 9, ['EX3', 5, 6, 1]], 'message.out-of-place'],
    ['an unknown type', [42, 9], 'message.unknown-type'],
    ['M_DISCOVERY', [1, 9, new Uint8Array(16), ['EX3', 3, 6]], 'message.misplaced'],
  ])('%s: M_INVALID once with its session id, closed (C-17)', async (_, message, reason) => {
    const stream = await peer.connect(target);
    await stream.send(message, message);
    expect(stream.over).toBe(true);
    expect(stream.messages.map((answer) => answer.slice(0, 2))).toEqual([[99, 9]]);
    expect(engine.counters.get(reason)).toBe(1);
    await serves();
  });

  test('G-2.8.13-02 M_NOOP and a bad M_INVALID before the request are ignored', async () => {
    const stream = await peer.connect(target);
    await stream.send([0], [99], [0, 'surplus'], request(1));
    expect(engine.client.incoming.length).toBe(1);
  });

  test('every refused vector of a session connection: closed or ignored, never harmful', async () => {
    interface Vector {
      readonly name: string;
      readonly context: string;
      readonly valid: boolean;
      readonly hex: string;
    }
    const url = new URL('../../../test/vectors/vectors.json', import.meta.url);
    const { vectors } = JSON.parse(readFileSync(url, 'utf8')) as { vectors: Vector[] };
    const bad = vectors.filter(
      ({ valid, context }) => !valid && (context === 'tcp-session' || context === 'any'),
    );
    expect(bad.length).toBeGreaterThan(30);
    for (const { hex } of bad) await (await peer.connect(target)).bytes(hex);
    await rig.clock.advance(60_000);
    // Some are requests that an engine may process (2049 bytes under a raised limit, deep nesting).
    expect(engine.client.incoming.length).toBeLessThan(3);
    expect(engine.states()).toEqual({ listening: 1 });
    await serves();
  });

  test('G-2.8.3-01 a request of exactly 2048 bytes, whole and byte by byte; 2049 is closed', async () => {
    const overhead = encode(request(1, 'x'.repeat(300))).length - 300;
    const exact = encode(request(1, 'x'.repeat(2048 - overhead)));
    expect(exact.length).toBe(2048);
    const whole = await peer.connect(target);
    await whole.bytes(exact);
    const dribbled = await peer.connect(target);
    const other = encode(request(2, 'x'.repeat(2048 - overhead)));
    for (const byte of other) dribbled.stream.write(Uint8Array.of(byte));
    await rig.clock.settle();
    expect(engine.client.incoming.map(({ sessionId }) => sessionId)).toEqual([1, 2]);
    const long = await peer.connect(target);
    await long.bytes(encode(request(3, 'x'.repeat(2049 - overhead))));
    expect([long.over, long.bytesReceived]).toEqual([true, 0]);
    expect(engine.counters.get('limit.bytes')).toBe(1);
  });

  test('§2.8.3 an objective that allows more gets more', async () => {
    const big = await engine.client.listen({ name: 'BIG', demand: 1, max: 10_000 });
    await (await peer.connect(big.target)).send(request(5, 'x'.repeat(9_000), 'BIG'));
    const { session, value } = await engine.client.nextIncoming();
    expect(decode(value)).toBe('x'.repeat(9_000));
    void engine.client.step(session, 'y'.repeat(9_000));
    await rig.clock.settle();
    expect(engine.queue('sessions')).toBe(1);
  });

  test('a request cut off after each of its bytes, by FIN or reset, harms nobody', async () => {
    const bytes = encode(request(8, ['NZD', 300]));
    for (let length = 0; length < bytes.length; length++) {
      const finished = await peer.connect(target);
      await finished.bytes(bytes.subarray(0, length));
      await finished.end();
      expect([finished.over, finished.bytesReceived]).toEqual([true, 0]);
      const reset = await peer.connect(target);
      await reset.bytes(bytes.subarray(0, length));
      await reset.abort();
    }
    expect(engine.states()).toEqual({ listening: 1 });
    await serves();
  });

  test('two messages in one segment: a request and its end', async () => {
    const stream = await peer.connect(target);
    await stream.send(request(8), [6, 8, [102, 'never mind']]);
    const { session } = await engine.client.nextIncoming();
    expect(engine.client.ended.get(session)).toMatchObject({ code: 1, reason: 'never mind' });
  });

  test('random bytes on a hundred connections', async () => {
    let state = 12345;
    const next = (): number => (state = (state * 1103515245 + 12345) % 2147483648) % 256;
    for (let i = 0; i < 100; i++) {
      await (await peer.connect(target)).bytes(Uint8Array.from({ length: 1 + next() }, next));
    }
    await rig.clock.advance(60_000);
    expect(engine.states()).toEqual({ listening: 1 });
    await serves();
  });
});

describe('limits', () => {
  test('limits.firstMessageMs: an idle and a dribbling connection are closed, M_NOOP does not help', async () => {
    await listening({ limits: { firstMessageMs: 3_000 } });
    const idle = await peer.connect(target);
    const dribbling = await peer.connect(target);
    const bytes = encode(request(1));
    for (let i = 0; i < 3; i++) {
      await dribbling.bytes(bytes.subarray(i, i + 1));
      await idle.send([0]);
      await rig.clock.advance(990);
      expect([idle.over, dribbling.over]).toEqual([false, false]);
    }
    await rig.clock.advance(30);
    expect([idle.over, dribbling.over]).toEqual([true, true]);
    expect(engine.counters.get('request.first-message-timeout')).toBe(2);
    expect(engine.states()).toEqual({ listening: 1 });
  });

  test('limits.pendingConnections: 1,000 idle connections, the oldest make room, the next request is served', async () => {
    await listening({ limits: { pendingConnections: 100 } });
    const idle: PeerStream[] = [];
    for (let i = 0; i < 1_000; i++) idle.push(await peer.connect(target));
    await rig.clock.settle();
    expect(engine.queue('pending connections')).toBe(100);
    expect(idle.findIndex(({ over }) => !over)).toBe(900);
    expect(engine.counters.get('connection.pending-limit')).toBe(900);
    await serves();
    await rig.clock.advance(DEFAULT_SESSION_LIMITS.firstMessageMs + DEFAULT_SESSION_LIMITS.lingerMs);
    expect(engine.states()).toEqual({ listening: 1 });
    expect(engine.queue('pending connections')).toBe(0);
    expect(engine.queue('closing streams')).toBe(0);
  });

  test('1,000 idle connections with the default limits, all gone when their time is over', async () => {
    await listening();
    const idle: PeerStream[] = [];
    for (let i = 0; i < 1_000; i++) idle.push(await peer.connect(target));
    await serves();
    await rig.clock.advance(DEFAULT_SESSION_LIMITS.firstMessageMs);
    expect(idle.every(({ over }) => over)).toBe(true);
    expect(engine.states()).toEqual({ listening: 1 });
  });

  test('limits.sessions: 43 for an ASA, closed at once for a peer; a place is free when one ends', async () => {
    await listening({ limits: { sessions: 2 } });
    const first = await peer.connect(target);
    await first.send(request(1));
    const { target: theirs, streams } = await peer.listen();
    engine.client.request(theirs);
    await rig.clock.settle();
    const refused = engine.client.request(theirs);
    expect(await rig.run(refused.answer)).toMatchObject({ failure: { code: 43 } });
    const closed = await peer.connect(target);
    await closed.send(request(2));
    expect([closed.over, closed.bytesReceived]).toEqual([true, 0]);
    expect(engine.counters.get('session.limit')).toBe(2);
    expect(streams.length).toBe(1);
    await first.send([6, 1, [102]]);
    await serves();
  });

  test('limits.lingerMs: a peer that never finishes its side is reset', async () => {
    await listening({ limits: { lingerMs: 1_500 } });
    const stubborn = await peer.connect(target);
    await stubborn.send(request(1));
    const { session } = await engine.client.nextIncoming();
    await rig.clock.advance(700);
    const later = await peer.connect(target);
    await later.send([5, 1, 1]);
    await rig.run(engine.client.end(session, true));
    expect(engine.queue('sessions')).toBe(0);
    expect(engine.queue('closing streams')).toBe(2);
    await rig.clock.advance(1_499);
    expect([stubborn.closed, later.closed]).toEqual([undefined, undefined]);
    await rig.clock.advance(1);
    expect([stubborn.closed, later.closed]).not.toContain(undefined);
    expect(engine.counters.get('stream.linger-timeout')).toBe(2);
    expect(engine.queue('closing streams')).toBe(0);
  });

  test('limits.lingeringStreams: beyond it the oldest is reset', async () => {
    await listening({ limits: { lingeringStreams: 3 } });
    const streams: PeerStream[] = [];
    for (let i = 0; i < 5; i++) {
      const stream = await peer.connect(target);
      await stream.send(7);
      streams.push(stream);
    }
    expect(streams.map(({ closed }) => closed !== undefined)).toEqual([true, true, false, false, false]);
    expect(engine.counters.get('stream.linger-limit')).toBe(2);
    expect(engine.queue('closing streams')).toBe(3);
  });

  test('an answered peer that goes on talking is not heard', async () => {
    await listening();
    const stream = await peer.connect(target);
    await stream.send(7);
    await stream.send(request(1), request(2));
    await stream.bytes('ffffff');
    expect(engine.client.incoming).toEqual([]);
    expect(engine.counters.get('message.not-array')).toBe(1);
    expect(engine.counters.get('cbor.break')).toBe(0);
  });

  test('limits have defaults, and undefined means the default', () => {
    expect(completeSessionLimits({ sessions: 5, lingerMs: undefined })).toEqual({
      ...DEFAULT_SESSION_LIMITS,
      sessions: 5,
    });
    expect(DEFAULT_SESSION_LIMITS.maxMessageBytes).toBe(2048);
    expect(DEFAULT_SESSION_LIMITS.firstMessageMs).toBeLessThanOrEqual(60_000);
  });
});
