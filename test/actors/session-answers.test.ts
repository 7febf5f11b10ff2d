/** What each thing a peer does means to the side that waits, or has its turn: api.md §5, wire.md §9.3 and §10. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { encode } from 'cborg';
import type { Answer } from '../../src/actors/session-protocol.js';
import { type Engine, type Incoming, type PeerStream, Rig } from './session-rig.js';

let rig: Rig;
let engine: Engine;

beforeEach(async () => {
  rig = new Rig();
  engine = await rig.engine('engine');
});
afterEach(() => rig.close());

const objective = (loopCount: number, value: unknown = ['NZD', 80], name = 'EX3', flags = 3): unknown[] => [
  name,
  flags,
  loopCount,
  value,
];

interface Asked {
  readonly answer: Promise<Answer>;
  readonly session: number;
  readonly stream: PeerStream;
  readonly sid: number;
}

/** A request to a scripted peer, whose M_REQ_NEG has arrived. */
async function asked(options: Parameters<Engine['client']['request']>[1] = {}): Promise<Asked> {
  const peer = await rig.peer('peer');
  const { target, streams } = await peer.listen();
  const { session, answer } = engine.client.request(target, options);
  await rig.clock.settle();
  const stream = streams[0]!;
  return { answer, session, stream, sid: stream.messages[0]![1] as number };
}

/** A request of a scripted peer that an ASA has taken: this side's turn. */
async function taken(
  loopCount = 6,
  flags = 3,
): Promise<{ stream: PeerStream; incoming: Incoming; sid: number }> {
  const peer = await rig.peer('peer');
  const { target } = await engine.client.listen();
  const stream = await peer.connect(target);
  const sid = 4_000_000_000;
  await stream.send([3, sid, objective(loopCount, ['NZD', 47], 'EX3', flags)]);
  return { stream, incoming: await engine.client.nextIncoming(), sid };
}

/** The same after a step: this side waits, as a responder. */
async function stepped(): Promise<Asked> {
  const { stream, incoming, sid } = await taken();
  const answer = engine.client.step(incoming.session, ['NZD', 60]);
  await rig.clock.settle();
  return { answer, session: incoming.session, stream, sid };
}

async function failed(answer: Promise<Answer>, code: number): Promise<void> {
  expect(await rig.run(answer)).toMatchObject({ state: 'failed', failure: { code } });
}

/** The session is gone on both sides: FIN or reset seen, calls give 19, nothing kept. */
async function over(session: number, stream: PeerStream): Promise<void> {
  await rig.clock.settle();
  expect(stream.over).toBe(true);
  expect(await rig.run(engine.client.wait(session, 1))).toMatchObject({ code: 19 });
  expect(engine.host.status().actors.filter(({ machine }) => machine === 'negotiationSession')).toEqual([]);
  expect(engine.queue('sessions')).toBe(0);
}

describe('the request on the wire', () => {
  test('G-2.8.6-02, -03, -08, G-2.5.5: M_REQ_NEG with value, flags and loop count, as the only message', async () => {
    const { stream, sid } = await asked({ value: null, loopCount: 9 });
    expect(stream.messages).toEqual([[3, sid, ['EX3', 3, 9, null]]]);
  });

  test('dry run: flags 11 in the request and in the steps', async () => {
    const { stream, sid, answer, session } = await asked({ flags: 11 });
    await stream.send([5, sid, objective(5, 1, 'EX3', 11)]);
    await rig.run(answer);
    void engine.client.step(session, 2, { dryRun: true });
    await rig.clock.settle();
    expect(stream.messages.map((message) => (message[2] as unknown[])[1])).toEqual([11, 11]);
  });

  test('A-2.3.5-09 a step with the other dry flag: 3, nothing sent, the session lives', async () => {
    const { stream, incoming } = await taken(6, 11);
    const refused = engine.client.step(incoming.session, 1, { dryRun: false });
    expect(await rig.run(refused)).toMatchObject({ state: 'failed', failure: { code: 3, over: false } });
    expect(stream.messages).toEqual([]);
    expect(await rig.run(engine.client.end(incoming.session, true))).toBeUndefined();
  });

  test('undefined flag bits of a request are not sent back (C-08)', async () => {
    const { stream, incoming } = await taken(6, 0x13);
    void engine.client.step(incoming.session, 1);
    await rig.clock.settle();
    expect(stream.messages[0]).toEqual([5, 4_000_000_000, ['EX3', 3, 5, 1]]);
  });
});

describe.each([
  ['after M_REQ_NEG', asked],
  ['after M_NEGOTIATE', stepped],
])('§5 %s the peer', (_, begin) => {
  test('closes without a message: 23', async () => {
    const { answer, session, stream } = await begin();
    await stream.end();
    await failed(answer, 23);
    await over(session, stream);
  });

  test('resets the connection: 23', async () => {
    const { answer, session, stream } = await begin();
    await stream.abort();
    await failed(answer, 23);
    await over(session, stream);
  });

  test('does nothing until the timer: 27, at the time and not before', async () => {
    const { answer, session, stream } = await begin();
    let done = false;
    void answer.then(() => (done = true));
    await rig.clock.advance(59_999);
    expect(done).toBe(false);
    await rig.clock.advance(1);
    expect(done).toBe(true);
    await failed(answer, 27);
    await over(session, stream);
    expect(stream.messages.filter(([type]) => type === 99)).toEqual([]);
  });

  test('sends garbage: 24, closed without an answer', async () => {
    const { answer, session, stream } = await begin();
    const before = stream.messages.length;
    await stream.bytes('fc00');
    await failed(answer, 24);
    await over(session, stream);
    expect(stream.messages.length).toBe(before);
    expect(engine.counters.get('cbor.reserved')).toBe(1);
  });

  test('sends a truncated item, then FIN: 24', async () => {
    const { answer, session, stream } = await begin();
    await stream.bytes('83051a');
    await stream.end();
    await failed(answer, 24);
    await over(session, stream);
  });

  test('sends more than the size limit: 24, memory stays bounded', async () => {
    const { answer, session, stream } = await begin();
    await stream.bytes('5b7fffffffffffffff');
    await failed(answer, 24);
    await over(session, stream);
    expect(engine.counters.get('limit.bytes')).toBe(1);
  });

  test.each([
    ['a number', 42],
    ['an empty array', []],
    ['a map', {}],
    ['a text for a type', ['five', 1]],
  ])('sends well-formed CBOR that is no message (%s): 28', async (__, item) => {
    const { answer, session, stream } = await begin();
    await stream.send(item);
    await failed(answer, 28);
    await over(session, stream);
  });

  test('sends M_INVALID: 28, never answered', async () => {
    const { answer, session, stream, sid } = await begin();
    await stream.send([99, sid, 'no']);
    await failed(answer, 28);
    await over(session, stream);
    expect(stream.messages.filter(([type]) => type === 99)).toEqual([]);
  });

  test('sends another session id: ignored until the timer ends', async () => {
    const { answer, session, stream, sid } = await begin();
    await stream.send([5, sid + 1, objective(5)], [6, sid + 1, [101]], [6, sid + 1], [99, sid + 1]);
    expect(engine.counters.get('message.foreign-session')).toBe(4);
    await rig.clock.advance(59_000);
    expect(engine.states()).toHaveProperty('awaitingReply', 1);
    await failed(answer, 27);
    await over(session, stream);
  });

  test('sends M_NEGOTIATE with loop count 0: 21', async () => {
    const { answer, session, stream, sid } = await begin();
    await stream.send([5, sid, objective(0)]);
    await failed(answer, 21);
    await over(session, stream);
  });

  test.each([
    ['another name', ['EX4', 3, 5, 1]],
    ['without F_NEG', ['EX3', 1, 5, 1]],
    ['with F_SYNCH', ['EX3', 5, 5, 1]],
    ['without a value', ['EX3', 3, 5]],
    ['the dry flag changed', ['EX3', 11, 5, 1]],
  ])('sends M_NEGOTIATE %s: 25, M_INVALID once', async (__, wrong) => {
    const { answer, session, stream, sid } = await begin();
    await stream.send([5, sid, wrong]);
    await failed(answer, 25);
    await over(session, stream);
    expect(stream.messages.at(-1)?.slice(0, 2)).toEqual([99, sid]);
  });

  test.each([
    ['without an option', (sid: number) => [6, sid]],
    ['with another option', (sid: number) => [6, sid, [103, new Uint8Array(16), 6, 1]]],
    ['with both', (sid: number) => [6, sid, [101], [102]]],
    ['with a number for a reason', (sid: number) => [6, sid, [102, 1]]],
  ])('sends M_END %s: 26, M_INVALID once', async (__, make) => {
    const { answer, session, stream, sid } = await begin();
    await stream.send(make(sid));
    await failed(answer, 26);
    await over(session, stream);
    expect(stream.messages.at(-1)?.slice(0, 2)).toEqual([99, sid]);
  });

  test.each([
    ['[102]', [102], ''],
    ['[102, ""]', [102, ''], ''],
    ['[102, "x"]', [102, 'x'], 'x'],
    ['a reason beyond ASCII', [102, 'zu teuer: 1 000 €'], 'zu teuer: 1 000 €'],
  ])('A-2.3.5-07 declines with %s: 1 and the reason', async (__, option, reason) => {
    const { answer, session, stream, sid } = await begin();
    await stream.send([6, sid, option]);
    expect(await rig.run(answer)).toMatchObject({ state: 'failed', failure: { code: 1, reason } });
    await over(session, stream);
    expect(stream.messages.length).toBe(1);
  });

  test('G-2.5.5-04 accepts: success, no answer but FIN', async () => {
    const { answer, session, stream, sid } = await begin();
    await stream.send([6, sid, [101]]);
    expect(await rig.run(answer)).toMatchObject({ state: 'accepted', sessionId: sid });
    await over(session, stream);
    expect(stream.messages.length).toBe(1);
  });

  test.each([
    ['M_SYNCH', (sid: number) => [8, sid, ['EX3', 5, 5, 1]]],
    ['M_REQ_NEG', (sid: number) => [3, sid, ['EX3', 3, 5, 1]]],
    ['M_REQ_SYN', (sid: number) => [4, sid, ['EX3', 5, 5, 1]]],
    ['an unknown type', (sid: number) => [42, sid, 1]],
    ['M_WAIT without a time', (sid: number) => [7, sid]],
    ['M_FLOOD', (sid: number) => [9, sid, new Uint8Array(16), 0, [['EX3', 5, 1, 1], []]]],
  ])('sends %s: 28, M_INVALID once with the same session id', async (__, make) => {
    const { answer, session, stream, sid } = await begin();
    await stream.send(make(sid), make(sid));
    await failed(answer, 28);
    await over(session, stream);
    expect(stream.messages.filter(([type]) => type === 99).map((message) => message[1])).toEqual([sid]);
  });

  test('G-2.8.13-02, C-17 sends M_NOOP, surplus elements too, and a bad M_INVALID: ignored', async () => {
    const { answer, stream, sid } = await begin();
    await stream.send([0], [0, 1, 2], [99], [99, sid, 1, 2], [5, sid, objective(5)]);
    expect(await rig.run(answer)).toMatchObject({ state: 'offered', loopCount: 5 });
    expect(stream.messages.length).toBe(1);
  });

  test('G-2.8.9-02 M_WAIT restarts the timer with its value, longer or shorter', async () => {
    const { answer, stream, sid } = await begin();
    const at = rig.clock.now();
    await rig.clock.advance(500);
    await stream.send([7, sid, 100_000]);
    await rig.clock.advance(99_999);
    await stream.send([7, sid, 500]);
    await failed(answer, 27);
    expect(rig.clock.now() - at).toBe(500 + 99_999 + 500);
  });

  test('C-10 M_WAIT 0 expires at once, after what has already arrived', async () => {
    const { answer, stream, sid } = await begin();
    await stream.send([7, sid, 0], [5, sid, objective(5)]);
    expect(await rig.run(answer)).toMatchObject({ state: 'offered' });
  });

  test('C-10 M_WAIT 0 alone: 27 now', async () => {
    const { answer, session, stream, sid } = await begin();
    const at = rig.clock.now();
    await stream.send([7, sid, 0]);
    await failed(answer, 27);
    expect(rig.clock.now()).toBe(at);
    await over(session, stream);
  });

  test('M_WAIT 2^32−1 does not overflow a timer', async () => {
    const { answer, stream, sid } = await begin();
    let done = false;
    void answer.then(() => (done = true));
    await stream.send([7, sid, 0xffffffff]);
    await rig.clock.advance(0xfffffffe);
    expect(done).toBe(false);
    await rig.clock.advance(1);
    await failed(answer, 27);
  });

  test('M_WAIT and M_NEGOTIATE in one segment', async () => {
    const { answer, stream, sid } = await begin();
    await stream.send([7, sid, 5_000], [5, sid, objective(4, 'late')]);
    expect(await rig.run(answer)).toMatchObject({ state: 'offered', loopCount: 4 });
    await rig.clock.advance(120_000);
    expect(engine.states()).toHaveProperty('ourTurn', 1);
  });

  test('A-2.3.5-02 a second step, wait or acceptance meanwhile: 3, nothing sent, the call waits on', async () => {
    const { answer, session, stream, sid } = await begin();
    const sent = stream.messages.length;
    const second = engine.client.step(session, 1);
    expect(await rig.run(second)).toMatchObject({ failure: { code: 3, over: false } });
    expect(await rig.run(engine.client.wait(session, 1))).toMatchObject({ code: 3, over: false });
    expect(await rig.run(engine.client.end(session, true))).toMatchObject({ code: 3, over: false });
    expect(stream.messages.length).toBe(sent);
    await stream.send([5, sid, objective(5)]);
    expect(await rig.run(answer)).toMatchObject({ state: 'offered' });
  });

  test('a decline at any time: sent, and the waiting call gives 19', async () => {
    const { answer, session, stream, sid } = await begin();
    expect(await rig.run(engine.client.end(session, false, 'changed my mind'))).toBeUndefined();
    await failed(answer, 19);
    await over(session, stream);
    expect(stream.messages.at(-1)).toEqual([6, sid, [102, 'changed my mind']]);
  });

  test('M_INVALID at any time: sent, and the waiting call gives 19', async () => {
    const { answer, session, stream, sid } = await begin();
    expect(await rig.run(engine.client.invalid(session, 'what?'))).toBeUndefined();
    await failed(answer, 19);
    await over(session, stream);
    expect(stream.messages.at(-1)).toEqual([99, sid, 'what?']);
  });

  test('a message cut at every byte is the same message', async () => {
    const { answer, session, stream, sid } = await begin();
    const bytes = encode([5, sid, objective(5, { a: ['NZD', 1.5] })]);
    for (const byte of bytes) await stream.bytes(Uint8Array.of(byte));
    expect(await rig.run(answer)).toMatchObject({ state: 'offered', value: encode({ a: ['NZD', 1.5] }) });
    await stream.send([6, sid, [102]]);
    expect(engine.client.ended.get(session)).toMatchObject({ code: 1 });
  });
});

describe('§5 before an answer', () => {
  test('the peer refuses the connection: 18', async () => {
    const peer = await rig.peer('peer');
    const { answer, session } = engine.client.request({ address: peer.address, port: 9 });
    await failed(answer, 18);
    expect(await rig.run(engine.client.end(session, false))).toMatchObject({ code: 19 });
    expect(engine.queue('sessions')).toBe(0);
  });

  test('the connection takes too long: 18 after the connect timeout', async () => {
    const at = rig.clock.now();
    const { answer } = engine.client.request({ address: 'fd00::dead', port: 9 }, { connectTimeoutMs: 700 });
    await failed(answer, 18);
    expect(rig.clock.now() - at).toBeLessThanOrEqual(700);
  });

  test.each([
    ['declined', false, undefined, 19],
    ['accepted, which is not possible yet (D-15)', true, 3, 23],
  ])('a request that is %s while connecting', async (_, accept, code, answered) => {
    rig.network.link('l1').set({ delayMs: 50 });
    const peer = await rig.peer('peer');
    const { target, streams } = await peer.listen();
    const { answer, session } = engine.client.request(target);
    await rig.clock.advance(10);
    const done = await rig.run(engine.client.end(session, accept));
    expect(done?.code).toBe(code);
    await rig.clock.advance(1_000);
    await streams[0]?.end();
    await failed(answer, answered);
    expect(engine.states()).toEqual({});
    expect(streams[0]?.messages.length ?? 0).toBe(accept ? 1 : 0);
  });
});

describe('§5 while it is this side’s turn the peer', () => {
  test('closes: ended with 20, later calls 19', async () => {
    const { stream, incoming } = await taken();
    await stream.end();
    expect(engine.client.ended.get(incoming.session)).toMatchObject({ code: 20 });
    await over(incoming.session, stream);
    expect(await rig.run(engine.client.step(incoming.session, 1))).toMatchObject({ failure: { code: 19 } });
    expect(await rig.run(engine.client.end(incoming.session, true))).toMatchObject({ code: 19 });
    expect(await rig.run(engine.client.invalid(incoming.session))).toMatchObject({ code: 19 });
  });

  test('resets: ended with 20', async () => {
    const { stream, incoming } = await taken();
    await stream.abort();
    expect(engine.client.ended.get(incoming.session)).toMatchObject({ code: 20 });
    await over(incoming.session, stream);
  });

  test('declines: ended at once with 1 and the reason', async () => {
    const { stream, incoming, sid } = await taken();
    await stream.send([6, sid, [102, 'sorry']]);
    expect(engine.client.ended.get(incoming.session)).toEqual({ code: 1, reason: 'sorry' });
    await over(incoming.session, stream);
  });

  test('accepts out of turn: 28', async () => {
    const { stream, incoming, sid } = await taken();
    await stream.send([6, sid, [101]]);
    expect(engine.client.ended.get(incoming.session)).toMatchObject({ code: 28 });
    await over(incoming.session, stream);
    expect(stream.messages).toEqual([]);
  });

  test('steps out of turn: 28, M_INVALID once', async () => {
    const { stream, incoming, sid } = await taken();
    await stream.send([5, sid, objective(5)], [5, sid, objective(5)]);
    expect(engine.client.ended.get(incoming.session)).toMatchObject({ code: 28 });
    await over(incoming.session, stream);
    expect(stream.messages.map((message) => message.slice(0, 2))).toEqual([[99, sid]]);
  });

  test('sends M_INVALID: 28, not answered', async () => {
    const { stream, incoming, sid } = await taken();
    await stream.send([99, sid]);
    expect(engine.client.ended.get(incoming.session)).toMatchObject({ code: 28 });
    await over(incoming.session, stream);
    expect(stream.messages).toEqual([]);
  });

  test('sends garbage: 24', async () => {
    const { stream, incoming } = await taken();
    await stream.bytes('ff');
    expect(engine.client.ended.get(incoming.session)).toMatchObject({ code: 24 });
    await over(incoming.session, stream);
  });

  test('sends an unknown type: 28, M_INVALID', async () => {
    const { stream, incoming, sid } = await taken();
    await stream.send([10, sid]);
    expect(engine.client.ended.get(incoming.session)).toMatchObject({ code: 28 });
    expect(stream.messages).toEqual([[99, sid, 'message.unknown-type']]);
  });

  test('waits, says M_NOOP, or speaks of another session: ignored and counted', async () => {
    const { stream, incoming, sid } = await taken();
    await stream.send([7, sid, 1], [0], [5, sid - 1, objective(5)], [99]);
    await rig.clock.advance(600_000);
    expect(engine.client.ended.size).toBe(0);
    expect(engine.counters.get('message.out-of-turn')).toBe(1);
    expect(engine.counters.get('message.foreign-session')).toBe(1);
    expect(await rig.run(engine.client.end(incoming.session, true))).toBeUndefined();
  });
});

describe('this side’s calls', () => {
  test('G-2.8.7-03 each step is one less than received; an ASA cannot raise it (D-11)', async () => {
    const { stream, incoming, sid } = await taken(6);
    void engine.client.step(incoming.session, 1, { loopCount: 200 });
    await rig.clock.settle();
    await stream.send([5, sid, objective(4)]);
    void engine.client.step(incoming.session, 2, { loopCount: 2 });
    await rig.clock.settle();
    expect(stream.messages).toEqual([
      [5, sid, ['EX3', 3, 5, 1]],
      [5, sid, ['EX3', 3, 1, 2]],
    ]);
  });

  test.each([0, 1])(
    'G-2.8.7-04 after a request with loop count %d: 21, nothing sent, closed',
    async (loopCount) => {
      const { stream, incoming } = await taken(loopCount);
      await failed(engine.client.step(incoming.session, 1), 21);
      await over(incoming.session, stream);
      expect(stream.messages).toEqual([]);
    },
  );

  test.each([0, 1])('G-2.8.7-04 a loop count %d passed by the ASA: 21', async (loopCount) => {
    const { incoming } = await taken(6);
    await failed(engine.client.step(incoming.session, 1, { loopCount }), 21);
  });

  test('G-2.8.7-01 five steps from loop count 6', async () => {
    const { stream, incoming, sid } = await taken(6);
    for (const loopCount of [4, 2]) {
      void engine.client.step(incoming.session, 'more');
      await rig.clock.settle();
      await stream.send([5, sid, objective(loopCount)]);
    }
    void engine.client.step(incoming.session, 'last');
    await rig.clock.settle();
    expect(stream.messages.map((message) => (message[2] as unknown[])[2])).toEqual([5, 3, 1]);
  });

  test('A-2.3.5-15 wait: [7, sid, ms], repeated at will, and the turn is kept', async () => {
    const { stream, incoming, sid } = await taken();
    expect(await rig.run(engine.client.wait(incoming.session, 34_965))).toBeUndefined();
    expect(await rig.run(engine.client.wait(incoming.session, 0xffffffff))).toBeUndefined();
    void engine.client.step(incoming.session, 1);
    await rig.clock.settle();
    expect(stream.messages).toEqual([
      [7, sid, 34_965],
      [7, sid, 0xffffffff],
      [5, sid, ['EX3', 3, 5, 1]],
    ]);
  });

  test.each([
    ['accept, reason ignored', true, 'why', [101]],
    ['decline without a reason', false, undefined, [102]],
    ['decline with a reason', false, 'Insufficient funds', [102, 'Insufficient funds']],
  ])('A-2.3.5-16 end: %s, then FIN', async (_, accept, reason, option) => {
    const { stream, incoming, sid } = await taken();
    expect(await rig.run(engine.client.end(incoming.session, accept, reason))).toBeUndefined();
    await over(incoming.session, stream);
    expect(stream.messages).toEqual([[6, sid, option]]);
  });

  test('A-2.3.7-01 invalid: [99, sid, info] or [99, sid], then FIN', async () => {
    const { stream, incoming, sid } = await taken();
    expect(await rig.run(engine.client.invalid(incoming.session))).toBeUndefined();
    await over(incoming.session, stream);
    expect(stream.messages).toEqual([[99, sid]]);
  });

  test('§2.8.3 too big: 40, nothing sent, the session lives; with a raised limit it is sent', async () => {
    const { stream, incoming, sid } = await taken();
    const long = 'x'.repeat(2_100);
    const step = engine.client.step(incoming.session, long);
    expect(await rig.run(step)).toMatchObject({ failure: { code: 40, over: false } });
    expect(await rig.run(engine.client.end(incoming.session, false, long))).toMatchObject({
      code: 40,
      over: false,
    });
    expect(await rig.run(engine.client.invalid(incoming.session, long))).toMatchObject({
      code: 40,
      over: false,
    });
    expect(stream.messages).toEqual([]);
    expect(await rig.run(engine.client.end(incoming.session, true))).toBeUndefined();

    const peer = await rig.peer('peer');
    const { target, streams } = await peer.listen();
    await failed(engine.client.request(target, { value: long }).answer, 40);
    expect(streams.length).toBe(0);
    void engine.client.request(target, { value: long, maxMessageBytes: 3_000 });
    await rig.clock.settle();
    expect((streams[0]!.messages[0]![2] as unknown[])[3]).toBe(long);
    expect(sid).toBeDefined();
  });

  test('a step that waits longer than a host timer can hold', async () => {
    const { incoming } = await taken();
    const answer = engine.client.step(incoming.session, 1, { timeoutMs: 0xffffffff });
    await rig.clock.advance(0xfffffff0);
    expect(engine.states()).toHaveProperty('awaitingReply', 1);
    await failed(answer, 27);
  });

  test('a session number in use, and one that never was', async () => {
    const { incoming } = await taken();
    const peer = await rig.peer('peer');
    const { target } = await peer.listen();
    const { session } = engine.client.request(target);
    const again = engine.client.request(target, { session });
    await failed(again.answer, 3);
    expect(await rig.run(engine.client.wait(987_654, 1))).toMatchObject({ code: 19 });
    expect(incoming.session).toBeLessThan(0);
  });
});
