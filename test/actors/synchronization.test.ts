/** Unicast synchronization in session hosts: RFC 8990 §2.5.6.1, §2.8.6, §2.8.10; api.md §4.13 to §4.15 and §5. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { decode, encode } from 'cborg';
import type { Answer } from '../../src/actors/session-protocol.js';
import { SubstrateError, type Target } from '../../src/substrate/types.js';
import { type Engine, type Peer, type PeerStream, Rig, withMembers } from './session-rig.js';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.close());

const request = (sid: number, name = 'EX3', loopCount = 6): unknown[] => [4, sid, [name, 5, loopCount, null]];
const valueOf = (answer: Answer): unknown =>
  answer.state === 'synchronized' ? decode(answer.value) : answer;

describe.each(['compiled', 'interpreted'] as const)('two engines, machines %s', (machines) => {
  test('G-2.8.10-01 the value of the listening ASA; nothing is left behind', async () => {
    const briggs = await rig.engine('briggs', { machines });
    const gray = await rig.engine('gray', { machines });
    const { target } = await briggs.client.listen({ kind: 'synchronize', value: { power: [1, 2.5, null] } });
    const { answer } = gray.client.synchronize(target, { loopCount: 3 });
    const got = await rig.run(answer);
    expect(got).toMatchObject({
      state: 'synchronized',
      objective: { name: 'EX3', flags: 5, loopCount: 3 },
      remote: target,
    });
    expect(valueOf(got)).toEqual({ power: [1, 2.5, null] });
    expect(briggs.client.events).toEqual([]);
    await rig.clock.advance(5_000);
    expect(gray.states()).toEqual({});
    expect(briggs.states()).toEqual({ listening: 1 });
    for (const engine of [gray, briggs]) {
      expect(engine.queue('sessions')).toBe(0);
      expect(engine.queue('closing streams')).toBe(0);
      expect(engine.host.active.size).toBe(0);
      expect(engine.counters.snapshot()).toEqual({});
    }
  });

  test('any number of requesters at once, each gets the value; their ASA is not asked', async () => {
    const briggs = await rig.engine('briggs', { machines });
    const { target } = await briggs.client.listen({ kind: 'synchronize', value: 'all' });
    const engines = await Promise.all(['a', 'b', 'c', 'd'].map((name) => rig.engine(name, { machines })));
    const answers = engines.flatMap(({ client }) =>
      Array.from({ length: 100 }, () => client.synchronize(target).answer),
    );
    const values = (await rig.run(Promise.all(answers))).map(valueOf);
    expect(values).toEqual(Array.from({ length: 400 }, () => 'all'));
    expect(briggs.client.events).toEqual([]);
  });
});

describe('the request on the wire', () => {
  test('G-2.8.6-02, -08, C-05: M_REQ_SYN with null for a value, flags 5 and the loop count, as the only message', async () => {
    const engine = await rig.engine('engine');
    const { target, streams } = await (await rig.peer('peer')).listen();
    engine.client.synchronize(target);
    engine.client.synchronize(target, { loopCount: 9, name: 'example.com:ü' });
    await rig.clock.settle();
    const [first, second] = streams.map(({ messages }) => messages);
    expect(first).toEqual([[4, expect.any(Number), ['EX3', 5, 6, null]]]);
    expect(second).toEqual([[4, expect.any(Number), ['example.com:ü', 5, 9, null]]]);
    expect(first![0]![1]).not.toBe(second![0]![1]);
  });

  test('over a link-local address with its interface', async () => {
    const briggs = await rig.engine('briggs');
    const gray = await rig.engine('gray');
    const { port } = await briggs.client.listen({ kind: 'synchronize', value: 7 });
    expect(valueOf(await rig.run(gray.client.synchronize({ ...briggs.linkLocal, port }).answer))).toBe(7);
  });

  test('§2.7 a request waits for the next block of session ids; without one it gives 3', async () => {
    const engine = await rig.engine('engine', { blocks: 1, blockSize: 2, limits: { sessionIdWaitMs: 300 } });
    const { target, streams } = await (await rig.peer('peer')).listen();
    const sessions = [1, 2, 3, 4].map(() => engine.client.synchronize(target));
    await rig.clock.settle();
    expect(engine.states()).toEqual({ awaitingReply: 2, awaitingSessionId: 2 });
    engine.host.addSessionIds(Uint32Array.of(99), true);
    await rig.clock.settle();
    expect(streams[2]!.messages[0]![1]).toBe(99);
    expect(await rig.run(sessions[3]!.answer)).toMatchObject({ failure: { code: 3 } });
    expect(rig.clock.now()).toBe(300);
  });

  test('§2.8.3 a request that is too big is not sent: 40; with maxMessageBytes it is', async () => {
    const engine = await rig.engine('engine', { limits: { maxMessageBytes: 64 } });
    const { target, streams } = await (await rig.peer('peer')).listen();
    const name = 'x'.repeat(60);
    const refused = engine.client.synchronize(target, { name });
    expect(await rig.run(refused.answer)).toMatchObject({ failure: { code: 40 } });
    expect(streams).toEqual([]);
    engine.client.synchronize(target, { name, maxMessageBytes: 128 });
    await rig.clock.settle();
    expect(streams[0]!.messages.length).toBe(1);
  });
});

describe('§5 after M_REQ_SYN the peer', () => {
  let engine: Engine;
  let peer: Peer;
  let stream: PeerStream;
  let sid: number;
  let session: number;
  let answer: Promise<Answer>;

  beforeEach(async () => {
    engine = await rig.engine('engine');
    peer = await rig.peer('peer');
    const { target, streams } = await peer.listen();
    ({ session, answer } = engine.client.synchronize(target, { timeoutMs: 1_000 }));
    await rig.clock.settle();
    stream = streams[0]!;
    sid = stream.messages[0]![1] as number;
    stream.messages.length = 0;
  });

  /** The call fails with the code, the connection is over, nothing is kept. */
  async function failed(code: number, complaints = 0): Promise<void> {
    expect(await rig.run(answer)).toMatchObject({ state: 'failed', failure: { code } });
    await rig.clock.settle();
    expect(stream.over).toBe(true);
    expect(stream.messages.map((message) => message.slice(0, 2))).toEqual(
      Array.from({ length: complaints }, () => [99, sid]),
    );
    expect(engine.host.active.size).toBe(0);
    await rig.clock.advance(5_000);
    expect(engine.states()).toEqual({});
    expect(engine.queue('sessions')).toBe(0);
  }

  test.each<[string, unknown, number, number]>([
    ['M_INVALID', [99, 'S', 'x'], 37, 0],
    ['M_END accept', [6, 'S', [101]], 37, 0],
    ['M_END decline', [6, 'S', [102, 'no']], 37, 0],
    ['M_NEGOTIATE', [5, 'S', ['EX3', 3, 5, 1]], 37, 1],
    ['M_WAIT', [7, 'S', 60_000], 37, 1],
    ['M_REQ_SYN', [4, 'S', ['EX3', 5, 6, null]], 37, 1],
    ['M_SYNCH of another objective', [8, 'S', ['EX4', 5, 6, 1]], 37, 1],
    ['M_SYNCH of a name in another normal form', [8, 'S', ['EX3\u0301', 5, 6, 1]], 37, 1],
    ['M_SYNCH without a value', [8, 'S', ['EX3', 5, 6]], 37, 1],
    ['M_SYNCH without F_SYNCH', [8, 'S', ['EX3', 1, 6, 1]], 37, 1],
    ['M_SYNCH with F_NEG', [8, 'S', ['EX3', 7, 6, 1]], 37, 1],
    ['M_SYNCH of another session', [8, 5, ['EX3', 5, 6, 1]], 37, 0],
    ['an unknown message type', [42, 'S'], 37, 1],
    ['no message', 5, 37, 0],
    ['a text', 'hello', 37, 0],
    ['M_FLOOD', [9, 'S', new Uint8Array(16), 0, [['EX3', 5, 6, 1], []]], 37, 1],
  ])('answers %s: %i', async (_, message, code, complaints) => {
    await stream.send(
      Array.isArray(message) ? message.map((item: unknown) => (item === 'S' ? sid : item)) : message,
    );
    await failed(code, complaints);
  });

  test('§12 sends bytes that are not CBOR: 24', async () => {
    await stream.bytes('ff');
    await failed(24);
  });

  test('closes within a message: 24', async () => {
    await stream.bytes('8308');
    await stream.end();
    await failed(24);
  });

  test('sends more than the largest message: 24', async () => {
    await stream.send([8, sid, ['EX3', 5, 6, 'x'.repeat(3_000)]]);
    await failed(24);
  });

  test('closes without an answer: 35', async () => {
    await stream.end();
    await failed(35);
  });

  test('G-2.5.6.1-02 resets the connection: 35', async () => {
    await stream.abort();
    await failed(35);
  });

  test('G-2.8.6-06, -07 is silent until the timer ends: 36', async () => {
    await rig.clock.advance(999);
    expect(engine.states()).toEqual({ awaitingReply: 1 });
    await failed(36);
  });

  test('§2.8.13 sends M_NOOP and a bad M_INVALID: ignored, the timer goes on', async () => {
    await rig.clock.advance(500);
    await stream.send([0], [0, 'surplus'], [99]);
    expect(engine.states()).toEqual({ awaitingReply: 1 });
    await rig.clock.advance(499);
    await stream.send([8, sid, ['EX3', 5, 6, 'late']]);
    expect(valueOf(await rig.run(answer))).toBe('late');
  });

  test('answers in many segments: the value, and the connection is closed (§2.5.6.1)', async () => {
    const bytes = encode([8, sid, ['EX3', 5, 6, ['x'.repeat(200), null]]]);
    for (const byte of bytes) await stream.bytes(Uint8Array.of(byte));
    expect(valueOf(await rig.run(answer))).toEqual(['x'.repeat(200), null]);
    await rig.clock.settle();
    expect(stream.over).toBe(true);
  });

  test('answers null: the value is null; undefined flag bits are not handed on (C-08)', async () => {
    await stream.send([8, sid, ['EX3', 0x1000_0015, 2, null]]);
    const got = await rig.run(answer);
    expect(got).toMatchObject({ objective: { name: 'EX3', flags: 5, loopCount: 2 } });
    expect(valueOf(got)).toBeNull();
  });

  test('answers twice: the first counts', async () => {
    await stream.send([8, sid, ['EX3', 5, 6, 1]], [8, sid, ['EX3', 5, 6, 2]]);
    expect(valueOf(await rig.run(answer))).toBe(1);
  });

  test('is given up by the ASA: 19, closed without a message', async () => {
    expect(await rig.run(engine.client.end(session, false, 'aborted'))).toBeUndefined();
    await failed(19);
  });

  test('gets no step, wait or M_INVALID: refused with 3, the request goes on', async () => {
    expect(await rig.run(engine.client.step(session, 1))).toMatchObject({
      failure: { code: 3, over: false },
    });
    expect(await rig.run(engine.client.wait(session, 1))).toMatchObject({ code: 3, over: false });
    expect(await rig.run(engine.client.invalid(session))).toMatchObject({ code: 3, over: false });
    expect(stream.messages).toEqual([]);
    await stream.send([8, sid, ['EX3', 5, 6, 1]]);
    expect(valueOf(await rig.run(answer))).toBe(1);
  });

  test('C-13 loses the ASA that asked: 19 for its call', async () => {
    await rig.run(engine.host.endSessions({ asa: 1, objective: 'EX4' }, 19));
    expect(engine.states()).toEqual({ awaitingReply: 1 });
    await rig.run(engine.host.endSessions({ asa: 1, objective: 'EX3' }, 19));
    await failed(19);
  });

  test('§3 loses security: 16', async () => {
    engine.node_.setSecurity('none');
    await rig.clock.settle();
    await failed(16);
  });

  test('42: the engine closes', async () => {
    const closing = engine.host.close();
    expect(await rig.run(answer)).toMatchObject({ failure: { code: 42 } });
    await rig.run(closing);
  });
});

describe('no connection', () => {
  test('34: nobody listens on the port, no such address, no answer to the connect', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const nowhere: Target[] = [
      { address: peer.address, port: 4 },
      { address: 'fd00::dead', port: 4 },
    ];
    for (const target of nowhere) {
      const { answer } = engine.client.synchronize(target, { connectTimeoutMs: 300 });
      expect(await rig.run(answer)).toMatchObject({ failure: { code: 34 } });
    }
    expect(engine.states()).toEqual({});
  });

  test('given up while connecting: 19; what connects later is reset', async () => {
    let connected: (() => void) | undefined;
    const engine = await rig.engine('engine', {
      wrap: withMembers((of) => ({
        connect: async (to) => {
          const stream = await of.connect(to, { timeoutMs: 1_000 });
          await new Promise<void>((resolve) => (connected = resolve));
          return stream;
        },
      })),
    });
    const { target, streams } = await (await rig.peer('peer')).listen();
    const { session, answer } = engine.client.synchronize(target);
    await rig.clock.settle();
    expect(engine.states()).toEqual({ connecting: 1 });
    expect(await rig.run(engine.client.end(session, false))).toBeUndefined();
    expect(await rig.run(answer)).toMatchObject({ failure: { code: 19 } });
    connected!();
    await rig.clock.settle();
    expect(streams[0]!.closed).toMatchObject({ kind: 'reset' });
    expect(streams[0]!.bytesReceived).toBe(0);
  });

  test('16 without security, 3 for a session number in use', async () => {
    const engine = await rig.engine('engine');
    const { target } = await (await rig.peer('peer')).listen();
    const { session } = engine.client.synchronize(target);
    const again = engine.client.synchronize(target, { session });
    expect(await rig.run(again.answer)).toMatchObject({ failure: { code: 3 } });
    engine.node_.setSecurity('none');
    await rig.clock.settle();
    expect(await rig.run(engine.client.synchronize(target).answer)).toMatchObject({ failure: { code: 16 } });
  });
});

describe('the responder', () => {
  let engine: Engine;
  let peer: Peer;
  beforeEach(async () => {
    engine = await rig.engine('engine', { limits: { firstMessageMs: 400 } });
    peer = await rig.peer('peer');
  });

  async function ask(target: Target, message: unknown = request(7)): Promise<PeerStream> {
    const stream = await peer.connect(target);
    await stream.send(message);
    return stream;
  }
  async function valueAt(target: Target): Promise<unknown> {
    const { messages } = await ask(target);
    return (messages[0]![2] as unknown[])[3];
  }

  test('G-2.8.10-01, §4.14: same sid and name, flags as registered, loop count echoed, value; G-2.5.6.1-01 FIN', async () => {
    const { target } = await engine.client.listen({ kind: 'synchronize', value: [1, 'a'] });
    const stream = await ask(target, [4, 4_294_967_295, ['EX3', 0x15, 200, 'anything']]);
    expect(stream.messages).toEqual([[8, 4_294_967_295, ['EX3', 5, 200, [1, 'a']]]]);
    expect(stream.ended).toBe(true);
  });

  test.each([
    ['without a value', [4, 0, ['EX3', 5, 6]]],
    ['with a loop count of 0', [4, 0, ['EX3', 5, 0, null]]],
    ['with flags 4', [4, 0, ['EX3', 4, 6, null]]],
  ])('C-05 a request %s is answered', async (_, message) => {
    const { target } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    const loopCount = (message[2] as unknown[])[2];
    expect((await ask(target, message)).messages).toEqual([[8, 0, ['EX3', 5, loopCount, 1]]]);
  });

  test('a request after M_NOOP, in many segments', async () => {
    const { target } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    const stream = await peer.connect(target);
    for (const byte of [...encode([0]), ...encode(request(9))]) await stream.bytes(Uint8Array.of(byte));
    expect(stream.messages).toEqual([[8, 9, ['EX3', 5, 6, 1]]]);
  });

  test('§4.14 null is sent as null, and so is a value that was never given; flags without F_DISC', async () => {
    const first = await engine.client.listen({ kind: 'synchronize', value: null, flags: 4 });
    expect((await ask(first.target)).messages).toEqual([[8, 7, ['EX3', 4, 6, null]]]);
    const second = await engine.client.listen({ kind: 'synchronize', name: 'EX4' });
    expect((await ask(second.target, request(7, 'EX4'))).messages).toEqual([[8, 7, ['EX4', 5, 6, null]]]);
  });

  test('A-2.3.6-04 a new value is in the next M_SYNCH, and nothing is sent for it', async () => {
    const { target, listen } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    const early = await peer.connect(target);
    expect(await valueAt(target)).toBe(1);
    engine.host.setValue(listen, encode('two'));
    await rig.clock.settle();
    expect(early.bytesReceived).toBe(0);
    expect(await valueAt(target)).toBe('two');
    await early.send(request(8));
    expect(early.messages).toEqual([[8, 8, ['EX3', 5, 6, 'two']]]);
    engine.host.setValue(listen + 1_000, encode(3));
    expect(await valueAt(target)).toBe('two');
  });

  test('D-03 the latest value given by an ASA that still listens', async () => {
    const a = await engine.client.listen({ kind: 'synchronize', asa: 1, value: 'a1', flags: 5 });
    const b = await engine.client.listen({ kind: 'synchronize', asa: 2, value: 'b1', flags: 4 });
    expect(b.port).toBe(a.port);
    expect((await ask(a.target)).messages).toEqual([[8, 7, ['EX3', 4, 6, 'b1']]]);
    engine.host.setValue(a.listen, encode('a2'));
    expect((await ask(a.target)).messages).toEqual([[8, 7, ['EX3', 5, 6, 'a2']]]);
    await rig.run(engine.host.stopListen(a.listen));
    expect(await valueAt(a.target)).toBe('b1');
    engine.host.setValue(b.listen, encode('b2'));
    expect(await valueAt(a.target)).toBe('b2');
    await rig.run(engine.host.stopListen(b.listen));
    await expect(peer.connect(a.target)).rejects.toMatchObject({ kind: 'refused' });
  });

  test('A-2.3.6-05 stopped: connections without a request are closed, the port refuses; listened for again: the same port', async () => {
    const { target, listen, port } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    const idle = await peer.connect(target);
    const stopping = engine.host.stopListen(listen);
    await rig.run(stopping);
    await rig.clock.settle();
    expect([idle.over, idle.bytesReceived]).toEqual([true, 0]);
    await expect(peer.connect(target)).rejects.toBeInstanceOf(SubstrateError);
    const again = await engine.client.listen({ kind: 'synchronize', value: 2, port });
    expect(again.port).toBe(port);
    expect(await valueAt(target)).toBe(2);
  });

  test('two objectives on two ports: each answers for its own', async () => {
    const a = await engine.client.listen({ kind: 'synchronize', value: 'a' });
    const b = await engine.client.listen({ kind: 'synchronize', name: 'EX4', value: 'b' });
    expect(b.port).not.toBe(a.port);
    const wrong = await ask(a.target, request(7, 'EX4'));
    expect([wrong.over, wrong.bytesReceived]).toEqual([true, 0]);
    expect(engine.counters.get('request.other-objective')).toBe(1);
    expect(await valueAt(a.target)).toBe('a');
  });

  test('negotiation goes on beside it, in the same host', async () => {
    const synch = await engine.client.listen({ kind: 'synchronize', value: 'a' });
    const neg = await engine.client.listen({ name: 'EX4', demand: 2 });
    const negotiating = await ask(neg.target, [3, 8, ['EX4', 3, 6, 1]]);
    await engine.client.nextIncoming();
    expect(await valueAt(synch.target)).toBe('a');
    expect(negotiating.over).toBe(false);
  });

  test.each<[string, unknown, string]>([
    ['M_REQ_NEG', [3, 9, ['EX3', 3, 6, 1]], 'request.no-listener'],
    ['M_REQ_SYN for another objective', request(9, 'EX4'), 'request.other-objective'],
    ['M_END', [6, 9, [101]], 'message.out-of-place'],
    ['M_INVALID', [99, 9, 'x'], 'message.out-of-place'],
    ['no message: a number', 5, 'message.not-array'],
    ['a message without a valid session id', [4, -1, ['EX3', 5, 6, null]], 'message.session-id'],
    ['a float for a session id', [4, 1.5, ['EX3', 5, 6, null]], 'message.session-id'],
  ])('%s: closed at once without a message (G-2.8.6-09, G-2.8.12-05)', async (_, message, reason) => {
    const { target } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    const stream = await ask(target, message);
    expect([stream.over, stream.bytesReceived]).toEqual([true, 0]);
    expect(engine.counters.get(reason)).toBe(1);
    expect(await valueAt(target)).toBe(1);
  });

  test.each<[string, unknown, string]>([
    ['M_REQ_SYN with F_NEG', [4, 9, ['EX3', 7, 6, null]], 'objective.not-synchronization'],
    ['M_REQ_SYN without F_SYNCH', [4, 9, ['EX3', 1, 6, null]], 'objective.not-synchronization'],
    ['M_REQ_SYN with loop count 256', [4, 9, ['EX3', 5, 256, null]], 'objective.loop-count'],
    ['M_REQ_SYN with a name of bytes', [4, 9, [new Uint8Array(3), 5, 6, null]], 'objective.name'],
    ['M_REQ_SYN without an objective', [4, 9], 'message.arity'],
    ['M_SYNCH', [8, 9, ['EX3', 5, 6, 1]], 'message.out-of-place'],
    ['M_NEGOTIATE', [5, 9, ['EX3', 3, 6, 1]], 'message.out-of-place'],
    ['M_WAIT', [7, 9, 1], 'message.out-of-place'],
    ['an unknown type', [42, 9], 'message.unknown-type'],
    ['M_DISCOVERY', [1, 9, new Uint8Array(16), ['EX3', 5, 6]], 'message.misplaced'],
  ])('%s: M_INVALID once with its session id, closed (C-17)', async (_, message, reason) => {
    const { target } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    const stream = await peer.connect(target);
    await stream.send(message, message, request(9));
    expect(stream.over).toBe(true);
    expect(stream.messages.map((answer) => answer.slice(0, 2))).toEqual([[99, 9]]);
    expect(engine.counters.get(reason)).toBe(1);
    expect(await valueAt(target)).toBe(1);
  });

  test('§12 bytes that are not CBOR: closed without a message', async () => {
    const { target } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    const stream = await peer.connect(target);
    await stream.bytes('ff');
    expect([stream.over, stream.bytesReceived]).toEqual([true, 0]);
    expect(await valueAt(target)).toBe(1);
  });

  test('§11 no request in time: closed; a begun one that ends: counted', async () => {
    const { target } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    const idle = await peer.connect(target);
    const cut = await peer.connect(target);
    await cut.bytes('8304');
    await cut.end();
    expect(engine.counters.get('request.incomplete')).toBe(1);
    await rig.clock.advance(400);
    expect([idle.over, idle.bytesReceived]).toEqual([true, 0]);
    expect(engine.counters.get('request.first-message-timeout')).toBe(1);
    expect(engine.states()).toEqual({ listening: 1 });
  });

  test('a second request on the connection is not answered: one exchange each (§2.5.6.1)', async () => {
    const { target } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    const stream = await peer.connect(target);
    await stream.send(request(1), request(2));
    expect(stream.messages.map((message) => message[1])).toEqual([1]);
  });

  test('G-2.8.6-10, -11, C-06 the id of an own running session: discarded without a reply, closed by the timer', async () => {
    const { target } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    const { target: theirs, streams } = await peer.listen();
    const own = engine.client.synchronize(theirs);
    await rig.clock.settle();
    const sid = streams[0]!.messages[0]![1] as number;
    const clashing = await ask(target, request(sid));
    expect([clashing.over, clashing.bytesReceived]).toEqual([false, 0]);
    expect(engine.counters.get('session.id-clash')).toBe(1);
    await rig.clock.advance(400);
    expect([clashing.over, clashing.bytesReceived]).toEqual([true, 0]);
    await streams[0]!.send([8, sid, ['EX3', 5, 6, 'unaffected']]);
    expect(valueOf(await rig.run(own.answer))).toBe('unaffected');
  });

  test('C-06 the id of a negotiation of the same peer clashes, of another peer it does not', async () => {
    const neg = await engine.client.listen({ name: 'EX4', demand: 1 });
    const { target } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    await ask(neg.target, [3, 7, ['EX4', 3, 6, 1]]);
    expect((await ask(target, request(7))).bytesReceived).toBe(0);
    const other = await (await rig.peer('other')).connect(target);
    await other.send(request(7));
    expect(other.messages.length).toBe(1);
  });

  test('two ASAs of one host synchronize with each other: no clash', async () => {
    const { target } = await engine.client.listen({ kind: 'synchronize', value: 'own' });
    for (const address of [engine.address, '::1']) {
      const { answer } = engine.client.synchronize({ address, port: target.port }, { asa: 2 });
      expect(valueOf(await rig.run(answer))).toBe('own');
    }
    expect(engine.counters.get('session.id-clash')).toBe(0);
  });

  test('two hosts of one engine: the other is asked whether it opened the connection', async () => {
    let judge: ((own: boolean) => void) | undefined;
    const first = await rig.engine('node', {
      isOwnConnection: () => new Promise((resolve) => (judge = resolve)),
    });
    first.host.addSessionIds(Uint32Array.of(5), false);
    const { target, listen } = await first.client.listen({ kind: 'synchronize', value: 'own' });
    const neighbour = await rig.peer('node');
    const own = await neighbour.connect(target);
    await own.send(request(5));
    judge!(true);
    await rig.clock.settle();
    expect(own.messages).toEqual([[8, 5, ['EX3', 5, 6, 'own']]]);
    const stranger = await neighbour.connect(target);
    await stranger.send(request(5));
    judge!(false);
    await rig.clock.settle();
    expect([stranger.over, stranger.bytesReceived]).toEqual([false, 0]);
    const late = await neighbour.connect(target);
    await late.send(request(5));
    await rig.run(first.host.stopListen(listen));
    judge!(true);
    await rig.clock.settle();
    expect([late.over, late.bytesReceived]).toEqual([true, 0]);
  });
});

describe('presence: a discoverable objective that nobody listens for', () => {
  test.each([
    ['negotiation', 3, [3, 7, ['EX3', 3, 6, 1]]],
    ['synchronization', 5, request(7)],
    ['discovery only', 1, [3, 7, ['EX3', 3, 6, 1]]],
    ['discovery only, asked to synchronize', 1, request(7)],
  ])(
    'G-2.8.6-09 %s: the port is open, a request is closed at once without a message',
    async (_, flags, message) => {
      const engine = await rig.engine('engine');
      const peer = await rig.peer('peer');
      const { target } = await engine.client.listen({ kind: 'presence', flags });
      const stream = await peer.connect(target);
      await stream.send(message);
      expect([stream.over, stream.bytesReceived]).toEqual([true, 0]);
      expect(engine.counters.get('request.no-listener')).toBe(1);
      expect(engine.queue('requests EX3')).toBe(0);
      expect(engine.states()).toEqual({ listening: 1 });
    },
  );

  test('an ASA listens, and stops: served on the same port, then closed at once again', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const presence = await engine.client.listen({ kind: 'presence', flags: 5 });
    const early = await peer.connect(presence.target);
    const { port, listen, target } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    expect(port).toBe(presence.port);
    await early.send(request(7));
    expect(early.messages).toEqual([[8, 7, ['EX3', 5, 6, 1]]]);
    await rig.run(engine.host.stopListen(listen));
    const late = await peer.connect(target);
    await late.send(request(8));
    expect([late.over, late.bytesReceived]).toEqual([true, 0]);
    await rig.run(engine.host.stopListen(presence.listen));
    await expect(peer.connect(target)).rejects.toMatchObject({ kind: 'refused' });
  });

  test('a negotiating ASA beside it gets the requests; what waits when it stops is closed', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const { target } = await engine.client.listen({ kind: 'presence', flags: 3 });
    const { listen } = await engine.client.listen({ demand: 1 });
    const [taken, waiting] = [await peer.connect(target), await peer.connect(target)];
    await taken.send([3, 1, ['EX3', 3, 6, 1]]);
    await waiting.send([3, 2, ['EX3', 3, 6, 1]]);
    expect((await engine.client.nextIncoming()).sessionId).toBe(1);
    expect(engine.queue('requests EX3')).toBe(1);
    await rig.run(engine.host.stopListen(listen));
    await rig.clock.settle();
    expect([taken.over, waiting.over, waiting.bytesReceived]).toEqual([false, true, 0]);
  });
});

describe('security', () => {
  test('none: a request is closed, a new listen gives 16, one that was there is taken up; then all are served', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const { target } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    const idle = await peer.connect(target);
    engine.node_.setSecurity('none');
    await rig.clock.settle();
    expect([idle.over, idle.bytesReceived]).toEqual([true, 0]);
    const shut = await peer.connect(target);
    await rig.clock.settle();
    expect([shut.over, shut.bytesReceived]).toEqual([true, 0]);
    await expect(engine.client.listen({ kind: 'synchronize', name: 'EX4' })).rejects.toMatchObject({
      code: 16,
    });
    const resumed = await engine.client.listen({ kind: 'synchronize', name: 'EX4', value: 4, resumed: true });
    engine.node_.setSecurity('insecure');
    await rig.clock.settle();
    for (const [name, at, value] of [
      ['EX3', target, 1],
      ['EX4', resumed.target, 4],
    ] as const) {
      const stream = await peer.connect(at);
      await stream.send(request(7, name));
      expect(stream.messages).toEqual([[8, 7, [name, 5, 6, value]]]);
    }
  });
});

describe('limits', () => {
  test('10,000 sessions at once; the next gives 43 and peers are closed; room again when they have ended', async () => {
    const engine = await rig.engine('engine', { blockSize: 1_024 });
    const peer = await rig.peer('peer');
    const { target, streams } = await peer.listen();
    const { target: own } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    const answers: Promise<Answer>[] = [];
    for (let i = 0; i < 10_000; i += 500) {
      for (let k = 0; k < 500; k++) answers.push(engine.client.synchronize(target).answer);
      await rig.clock.settle();
    }
    expect(engine.states()).toEqual({ awaitingReply: 10_000, listening: 1 });
    expect(await rig.run(engine.client.synchronize(target).answer)).toMatchObject({
      failure: { code: 43, detail: 'limits.sessions' },
    });
    const refused = await peer.connect(own);
    await refused.send(request(7));
    expect([refused.over, refused.bytesReceived]).toEqual([true, 0]);
    expect(engine.counters.get('session.limit')).toBe(2);
    for (const stream of streams)
      stream.stream.write(encode([8, stream.messages[0]![1], ['EX3', 5, 6, 'v']]));
    expect(new Set((await rig.run(Promise.all(answers))).map(valueOf))).toEqual(new Set(['v']));
    await rig.clock.advance(5_000);
    expect(engine.queue('sessions')).toBe(0);
    const served = await peer.connect(own);
    await served.send(request(8));
    expect(served.messages.length).toBe(1);
  }, 120_000);

  test('limits.pendingConnections: idle ones give way, requests are answered', async () => {
    const engine = await rig.engine('engine', { limits: { pendingConnections: 3 } });
    const peer = await rig.peer('peer');
    const { target } = await engine.client.listen({ kind: 'synchronize', value: 1 });
    const idle = [];
    for (let i = 0; i < 5; i++) idle.push(await peer.connect(target));
    await rig.clock.settle();
    expect(idle.map(({ over }) => over)).toEqual([true, true, false, false, false]);
    expect(engine.counters.get('connection.pending-limit')).toBe(2);
    const stream = await peer.connect(target);
    await stream.send(request(7));
    expect(stream.messages.length).toBe(1);
  });

  test('§2.8.3 a value beyond 2048 bytes where the objective allows it', async () => {
    const engine = await rig.engine('engine');
    const gray = await rig.engine('gray');
    const value = 'x'.repeat(5_000);
    const { target } = await engine.client.listen({ kind: 'synchronize', value, max: 10_000 });
    const { answer } = gray.client.synchronize(target, { maxMessageBytes: 10_000 });
    expect(valueOf(await rig.run(answer))).toBe(value);
    const small = gray.client.synchronize(target);
    expect(await rig.run(small.answer)).toMatchObject({ failure: { code: 24 } });
  });

  test('a fault of the engine ends one session with 3, counted; the next works', async () => {
    let faulty = true;
    const engine = await rig.engine('engine', {
      wrap: withMembers((of) => ({
        connect: async (...args) => {
          const stream = await of.connect(...args);
          if (!faulty) return stream;
          stream.write = () => {
            throw new Error('broken');
          };
          return stream;
        },
      })),
    });
    const gray = await rig.engine('gray');
    const { target } = await gray.client.listen({ kind: 'synchronize', value: 1 });
    expect(await rig.run(engine.client.synchronize(target).answer)).toMatchObject({
      failure: { code: 3, detail: 'broken' },
    });
    expect(engine.counters.get('session.crashed')).toBe(1);
    expect(engine.queue('sessions')).toBe(0);
    expect(engine.states()).toEqual({});
    faulty = false;
    expect(valueOf(await rig.run(engine.client.synchronize(target).answer))).toBe(1);
  });
});
