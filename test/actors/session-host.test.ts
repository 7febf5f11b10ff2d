/** Two engines and many sessions: listening, queues, stopping, the clash rule, security, flow control. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { decode, encode } from 'cborg';
import { SubstrateError, type Stream, type Substrate, type Target } from '../../src/substrate/types.js';
import { Rig, withMembers } from './session-rig.js';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.close());

const request = (sid: number, value: unknown = 1, name = 'EX3'): unknown[] => [3, sid, [name, 3, 6, value]];

describe('two engines', () => {
  test('§2.5.5 request, steps with falling loop counts, acceptance; nothing is left behind', async () => {
    const briggs = await rig.engine('briggs');
    const gray = await rig.engine('gray');
    const { target } = await briggs.client.listen();
    const { session, answer } = gray.client.request(target, { value: ['NZD', 410] });
    const incoming = await briggs.client.nextIncoming();
    expect(incoming).toMatchObject({ objective: { name: 'EX3', flags: 3, loopCount: 6 } });
    expect(decode(incoming.value)).toEqual(['NZD', 410]);
    expect(incoming.remote.address).toBe(gray.address);

    const reply = briggs.client.step(incoming.session, ['NZD', 80]);
    const first = await rig.run(answer);
    expect(first).toMatchObject({ state: 'offered', loopCount: 5, sessionId: incoming.sessionId });
    expect(first).toMatchObject({ remote: target, value: encode(['NZD', 80]) });

    const second = gray.client.step(session, ['NZD', 307]);
    expect(await rig.run(reply)).toMatchObject({ state: 'offered', loopCount: 4 });
    expect(await rig.run(briggs.client.end(incoming.session, true))).toBeUndefined();
    expect(await rig.run(second)).toMatchObject({ state: 'accepted' });

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

  test('C-27 each step has its own time, whatever was left of the ones before', async () => {
    const briggs = await rig.engine('briggs');
    const gray = await rig.engine('gray');
    const { target } = await briggs.client.listen({ demand: 2 });
    /** A session in which a step with `before` ms was answered after 900; the step that is under way now has `ms`. */
    async function secondStep(before: number, ms: number): Promise<{ begun: number; ended: () => number }> {
      const { session, answer } = gray.client.request(target, { timeoutMs: before });
      const incoming = await briggs.client.nextIncoming();
      await rig.clock.advance(900);
      void briggs.client.step(incoming.session, 2, { timeoutMs: 4_000_000 });
      expect(await rig.run(answer)).toMatchObject({ state: 'offered' });
      const begun = rig.clock.now();
      let ended = 0;
      void gray.client.step(session, 3, { timeoutMs: ms }).then((failed) => {
        expect(failed).toMatchObject({ state: 'failed', failure: { code: 27 } });
        ended = rig.clock.now();
      });
      return { begun, ended: () => ended };
    }
    const shorter = await secondStep(10_000, 50);
    await rig.clock.advance(49);
    expect(shorter.ended()).toBe(0);
    await rig.clock.advance(2);
    expect(shorter.ended() - shorter.begun).toBeCloseTo(50, 3);
    const longer = await secondStep(1_000, 10_000);
    await rig.clock.advance(9_999);
    expect(longer.ended()).toBe(0);
    await rig.clock.advance(2);
    expect(longer.ended() - longer.begun).toBeCloseTo(10_000, 3);
    await rig.clock.advance(10_000);
    expect(gray.states()).toEqual({});
  });

  test('over a link-local address with its interface', async () => {
    const briggs = await rig.engine('briggs');
    const gray = await rig.engine('gray');
    const { port } = await briggs.client.listen();
    const { answer } = gray.client.request({ ...briggs.linkLocal, port });
    const incoming = await briggs.client.nextIncoming();
    expect(incoming.remote).toMatchObject({ ...gray.linkLocal, port: incoming.remote.port });
    void briggs.client.end(incoming.session, true);
    expect(await rig.run(answer)).toMatchObject({ state: 'accepted' });
  });

  test('G-2.5.5-08 100 sessions of the same pair and objective at once, no mix-up', async () => {
    const briggs = await rig.engine('briggs');
    const gray = await rig.engine('gray', { blockSize: 16 });
    const { target } = await briggs.client.listen({ demand: 100 });
    const requests = Array.from({ length: 100 }, (_, i) => gray.client.request(target, { value: i }));
    await rig.clock.settle();
    const all = briggs.client.incoming.splice(0);
    expect(all.length).toBe(100);
    expect(new Set(all.map(({ sessionId }) => sessionId)).size).toBe(100);
    const replies = all.reverse().map((incoming) => ({
      answer: briggs.client.step(incoming.session, [decode(incoming.value), 'mine']),
      incoming,
    }));
    const offers = await rig.run(Promise.all(requests.map(({ answer }) => answer)));
    offers.forEach((offer, i) =>
      expect(offer).toMatchObject({ state: 'offered', value: encode([i, 'mine']) }),
    );
    for (const [i, { session }] of requests.entries()) void gray.client.step(session, ['step', i]);
    const steps = await rig.run(Promise.all(replies.map(({ answer }) => answer)));
    steps.forEach((step, i) => expect(step).toMatchObject({ value: encode(['step', 99 - i]) }));
    expect(briggs.queue('sessions')).toBe(100);
    expect(gray.retired.length).toBe(0);
    for (const { session } of requests) void gray.client.end(session, false);
    await rig.clock.advance(5_000);
    expect(briggs.states()).toEqual({ listening: 1 });
    expect(gray.states()).toEqual({});
    // 100 ids of blocks of 16: six are used up, and given back when their last session had ended.
    expect(gray.retired.length).toBe(6);
  });

  test('§2.7 a request waits for the next block of session ids; without one it gives 3', async () => {
    const briggs = await rig.engine('briggs');
    const gray = await rig.engine('gray', { blocks: 1, blockSize: 2, limits: { sessionIdWaitMs: 300 } });
    const { target } = await briggs.client.listen({ demand: 3 });
    const [a, b, c, d] = [1, 2, 3, 4].map((value) => gray.client.request(target, { value }));
    await rig.clock.settle();
    expect(briggs.client.incoming.length).toBe(2);
    expect(gray.states()).toEqual({ awaitingReply: 2, awaitingSessionId: 2 });
    expect(await rig.run(gray.client.end(c!.session, false))).toBeUndefined();
    expect(await rig.run(c!.answer)).toMatchObject({ failure: { code: 19 } });
    expect(await rig.run(d!.answer)).toMatchObject({ failure: { code: 3 } });
    expect(rig.clock.now()).toBe(300);
    expect(a && b).toBeTruthy();
  });
});

describe('listening', () => {
  test('A-2.3.5-12 10 listens, 10 requests: each served once, in the order of listening', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const listens = [];
    for (let asa = 1; asa <= 10; asa++) listens.push(await engine.client.listen({ asa }));
    expect(new Set(listens.map(({ port }) => port)).size).toBe(1);
    for (let i = 0; i < 10; i++) await (await peer.connect(listens[0]!.target)).send(request(i, i));
    expect(engine.client.incoming.map(({ listen }) => listen)).toEqual(listens.map(({ listen }) => listen));
    expect(engine.client.incoming.map(({ value }) => decode(value) as unknown)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    ]);
  });

  test('two listens that can take many share the requests', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const a = await engine.client.listen({ demand: 10 });
    const b = await engine.client.listen({ demand: 10 });
    for (let i = 0; i < 4; i++) await (await peer.connect(a.target)).send(request(i));
    expect(engine.client.incoming.map(({ listen }) => listen)).toEqual([
      a.listen,
      b.listen,
      a.listen,
      b.listen,
    ]);
  });

  test('C-20 requests wait in a bounded queue for the next take; beyond it they are closed at once', async () => {
    const engine = await rig.engine('engine', { limits: { requestQueue: 3 } });
    const peer = await rig.peer('peer');
    const { listen, target } = await engine.client.listen({ demand: 0 });
    const streams = [];
    for (let i = 0; i < 5; i++) {
      const stream = await peer.connect(target);
      await stream.send(request(i, i));
      streams.push(stream);
    }
    expect(engine.client.incoming).toEqual([]);
    expect(engine.queue('requests EX3')).toBe(3);
    expect(streams.map(({ over }) => over)).toEqual([false, false, false, true, true]);
    expect(streams.map(({ bytesReceived }) => bytesReceived)).toEqual([0, 0, 0, 0, 0]);
    expect(engine.counters.get('request.queue-full')).toBe(2);
    // One that gives up while it waits is not handed to anybody.
    await streams[1]!.send([6, 1, [102]]);
    engine.client.take(listen, 5);
    await rig.clock.settle();
    expect(engine.client.incoming.map(({ value }) => decode(value) as unknown)).toEqual([0, 2]);
    expect(engine.queue('requests EX3')).toBe(0);
    await (await peer.connect(target)).send(request(9, 9));
    expect(engine.client.incoming.length).toBe(3);
  });

  test.each([
    ['closes', undefined],
    ['resets', 'reset'],
    ['sends M_INVALID', [99, 7]],
    ['declines', [6, 7, [102]]],
    ['accepts', [6, 7, [101]]],
    ['steps', [5, 7, ['EX3', 3, 5, 1]]],
    ['sends an unknown type', [42, 7]],
    ['sends garbage', new Uint8Array([0xff])],
  ])('a peer that %s while its request waits is forgotten', async (_, message) => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const { target, listen } = await engine.client.listen({ demand: 0 });
    const stream = await peer.connect(target);
    await stream.send(request(7));
    expect(engine.states()).toEqual({ listening: 1, queued: 1 });
    if (message === undefined) await stream.end();
    else if (message === 'reset') await stream.abort();
    else if (message instanceof Uint8Array) await stream.bytes(message);
    else await stream.send(message);
    expect(engine.states()).toEqual({ listening: 1 });
    expect(engine.queue('requests EX3')).toBe(0);
    engine.client.take(listen);
    await rig.clock.settle();
    expect(engine.client.incoming).toEqual([]);
  });

  test('M_WAIT, M_NOOP, a bad M_INVALID and other sessions’ messages while a request waits change nothing', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const { target, listen } = await engine.client.listen({ demand: 0 });
    const stream = await peer.connect(target);
    await stream.send(request(7), [7, 7, 5], [0], [99], [6, 8, [102]]);
    engine.client.take(listen);
    expect((await engine.client.nextIncoming()).sessionId).toBe(7);
    expect(engine.counters.get('message.out-of-turn')).toBe(1);
    expect(engine.counters.get('message.foreign-session')).toBe(1);
  });

  test('two ASAs of different clients; one that is gone leaves the other listening', async () => {
    const engine = await rig.engine('engine');
    const other = engine.attach('other');
    const peer = await rig.peer('peer');
    const { target } = await engine.client.listen({ demand: 1 });
    await other.listen({ demand: 5, asa: 2 });
    await (await peer.connect(target)).send(request(1));
    const stream = await peer.connect(target);
    await stream.send(request(2));
    expect([engine.client.incoming.length, other.incoming.length]).toEqual([1, 1]);
    other.close();
    await rig.clock.advance(5_000);
    expect(stream.over).toBe(true);
    expect(engine.states()).toEqual({ listening: 1, ourTurn: 1 });
    expect(() => engine.queue('events to other')).toThrow();
  });

  test('A-2.3.5-13, §4.8 the last stop closes the port, queued requests and idle connections; sessions go on', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const first = await engine.client.listen({ demand: 1 });
    const second = await engine.client.listen({ demand: 0, asa: 2 });
    const running = await peer.connect(first.target);
    await running.send(request(1));
    const { session } = await engine.client.nextIncoming();
    const queued = await peer.connect(first.target);
    await queued.send(request(2));
    const idle = await peer.connect(first.target);
    await rig.run(engine.host.stopListen(first.listen));
    expect(queued.over).toBe(false);
    await rig.run(engine.host.stopListen(second.listen));
    await rig.run(engine.host.stopListen(second.listen));
    await rig.clock.settle();
    expect([queued.over, idle.over, running.over]).toEqual([true, true, false]);
    expect([queued.bytesReceived, idle.bytesReceived]).toEqual([0, 0]);
    await expect(peer.connect(first.target)).rejects.toMatchObject({ kind: 'refused' });
    expect(engine.counters.get('request.no-listener')).toBe(1);
    expect(await rig.run(engine.client.end(session, true))).toBeUndefined();
    // Peers cache locators: the objective comes back on the port it had.
    const again = await engine.client.listen({ port: first.port });
    expect(again.port).toBe(first.port);
  });

  test('a listen that comes while the port is being closed reopens it', async () => {
    const engine = await rig.engine('engine');
    const { listen, port } = await engine.client.listen();
    const stopped = engine.host.stopListen(listen);
    const again = engine.client.listen({ demand: 1 });
    await rig.run(stopped);
    const { port: reopened, target } = await again;
    expect(reopened).toBe(port);
    const peer = await rig.peer('peer');
    await (await peer.connect(target)).send(request(1));
    expect(engine.client.incoming.length).toBe(1);
  });

  test('a given port that is in use for a moment is tried again; in use for good: 3', async () => {
    const engine = await rig.engine('engine', { limits: { bindAttempts: 4, bindRetryMs: 50 } });
    const { listener, target } = await (await rig.peer('engine')).listen(5_000);
    const soon = engine.host.listen({
      listen: 1,
      client: 'main',
      asa: 1,
      objective: 'EX3',
      port: target.port,
    });
    await rig.clock.advance(60);
    expect(engine.states()).toEqual({ retrying: 1 });
    await rig.run(listener.close());
    await rig.clock.advance(60);
    expect((await soon).port).toBe(5_000);

    await (await rig.peer('engine')).listen(6_000);
    const at = rig.clock.now();
    await expect(engine.client.listen({ name: 'EX4', port: 6_000 })).rejects.toMatchObject({ code: 3 });
    expect(rig.clock.now() - at).toBe(150);
    expect(engine.states()).toEqual({ listening: 1 });
  });

  test('a listen that is stopped before the port is open: 42, and the port is closed again', async () => {
    const engine = await rig.engine('engine');
    const pending = engine.host.listen({ listen: 77, client: 'main', asa: 1, objective: 'EX3', port: 5_001 });
    const rejected = expect(pending).rejects.toMatchObject({ code: 42 });
    await rig.run(engine.host.stopListen(77));
    await rejected;
    await rig.clock.settle();
    expect(engine.states()).toEqual({});
    expect((await (await rig.peer('engine')).listen(5_001)).listener.port).toBe(5_001);
  });

  test('user errors: no such client 42, a listen number in use 3', async () => {
    const engine = await rig.engine('engine');
    const { listen } = await engine.client.listen();
    const request = { listen, client: 'main', asa: 1, objective: 'EX3', port: 0 };
    await expect(rig.run(engine.host.listen(request))).rejects.toMatchObject({ code: 3 });
    const stranger = { ...request, listen: 99, client: 'nobody' };
    await expect(rig.run(engine.host.listen(stranger))).rejects.toMatchObject({ code: 42 });
  });
});

describe('C-13 deregistration', () => {
  test('ends sessions of one objective, or of the ASA, with 19; others go on', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const ex3 = await engine.client.listen({ demand: 2 });
    const ex4 = await engine.client.listen({ name: 'EX4', demand: 1 });
    const other = await engine.client.listen({ name: 'EX5', demand: 1, asa: 2 });
    const open = async (target: Target, name: string, sid: number) => {
      const stream = await peer.connect(target);
      await stream.send(request(sid, 1, name));
      return { stream, session: (await engine.client.nextIncoming()).session };
    };
    const waiting = await open(ex3.target, 'EX3', 1);
    const turn = await open(ex3.target, 'EX3', 2);
    const fourth = await open(ex4.target, 'EX4', 3);
    const fifth = await open(other.target, 'EX5', 4);
    const step = engine.client.step(waiting.session, 1);
    await rig.run(engine.host.endSessions({ asa: 1, objective: 'EX3' }, 19));
    expect(await rig.run(step)).toMatchObject({ failure: { code: 19 } });
    expect(engine.client.ended.get(turn.session)).toMatchObject({ code: 19 });
    expect([waiting.stream.over, turn.stream.over, fourth.stream.over]).toEqual([true, true, false]);
    await rig.run(engine.host.endSessions({ asa: 1 }, 19));
    await rig.clock.settle();
    expect([fourth.stream.over, fifth.stream.over]).toEqual([true, false]);
  });
});

describe('§2.8.6, C-06 session id clash', () => {
  test('G-2.8.6-11 an id of a running session of the same peer: discarded; the first is unaffected', async () => {
    const engine = await rig.engine('engine', { limits: { firstMessageMs: 3_000 } });
    const peer = await rig.peer('peer');
    const { target } = await engine.client.listen({ demand: 5 });
    const first = await peer.connect(target);
    await first.send(request(7));
    const { session } = await engine.client.nextIncoming();
    const second = await peer.connect(target);
    await second.send(request(7), [6, 7, [102]]);
    expect(engine.counters.get('session.id-clash')).toBe(1);
    await rig.clock.advance(2_999);
    expect([second.over, second.bytesReceived]).toEqual([false, 0]);
    await rig.clock.advance(1);
    expect(second.over).toBe(true);
    expect(engine.client.incoming).toEqual([]);
    expect(await rig.run(engine.client.end(session, true))).toBeUndefined();
    // The id may be used again when the session is over.
    await (await peer.connect(target)).send(request(7));
    expect(engine.client.incoming.length).toBe(1);
  });

  test('G-2.7-09 two peers may use the same id at the same time', async () => {
    const engine = await rig.engine('engine');
    const { target } = await engine.client.listen({ demand: 5 });
    for (const name of ['p1', 'p2']) await (await (await rig.peer(name)).connect(target)).send(request(7));
    expect(engine.client.incoming.length).toBe(2);
    expect(engine.counters.get('session.id-clash')).toBe(0);
  });

  test('the id of an own outgoing session, or of a block of another worker: discarded', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const { target } = await engine.client.listen({ demand: 5 });
    const { target: theirs, streams } = await peer.listen();
    engine.client.request(theirs);
    await rig.clock.settle();
    const sid = streams[0]!.messages[0]![1] as number;
    engine.host.addSessionIds(Uint32Array.of(500, 501), false);
    const streams_ = [];
    for (const id of [sid, 500, 501]) {
      const stream = await peer.connect(target);
      await stream.send(request(id));
      streams_.push(stream);
    }
    expect(engine.client.incoming).toEqual([]);
    expect(engine.counters.get('session.id-clash')).toBe(3);
    expect(streams_.some(({ bytesReceived }) => bytesReceived > 0)).toBe(false);
    engine.host.dropSessionIds(500);
    await (await peer.connect(target)).send(request(501));
    expect(engine.client.incoming.length).toBe(1);
  });

  test('two ASAs of one host negotiate with each other: no clash', async () => {
    const engine = await rig.engine('engine');
    const { target } = await engine.client.listen({ demand: 2 });
    for (const address of [engine.address, '::1']) {
      const { answer } = engine.client.request({ address, port: target.port }, { asa: 2 });
      const incoming = await engine.client.nextIncoming();
      void engine.client.end(incoming.session, true);
      expect(await rig.run(answer)).toMatchObject({ state: 'accepted', sessionId: incoming.sessionId });
    }
    expect(engine.counters.get('session.id-clash')).toBe(0);
  });

  test('two hosts of one engine: the other is asked whether it opened the connection', async () => {
    const asked: Target[] = [];
    const second = await rig.engine('node');
    const first = await rig.engine('node', {
      isOwnConnection: (local) => {
        asked.push(local);
        return Promise.resolve(second.host.ownsConnection(local));
      },
    });
    const ids = rig.block(8);
    second.host.addSessionIds(ids, true);
    first.host.addSessionIds(ids, false);
    const { target } = await first.client.listen({ demand: 5 });
    const { answer } = second.client.request(target);
    const incoming = await first.client.nextIncoming();
    expect(incoming.sessionId).toBe(ids[0]);
    void first.client.end(incoming.session, true);
    expect(await rig.run(answer)).toMatchObject({ state: 'accepted' });
    expect(asked.length).toBe(1);

    // Another program of the same node that picks such an id is a stranger; a peer elsewhere is not even asked about.
    const neighbour = await rig.peer('node');
    const stream = await neighbour.connect(target);
    await stream.send(request(ids[1]!));
    await (await (await rig.peer('far')).connect(target)).send(request(ids[2]!));
    expect(asked.length).toBe(2);
    expect(first.counters.get('session.id-clash')).toBe(2);
    expect(first.client.incoming).toEqual([]);
  });

  test('the question fails: a clash', async () => {
    const engine = await rig.engine('node', {
      isOwnConnection: () => Promise.reject(new Error('core lost')),
    });
    engine.host.addSessionIds(Uint32Array.of(5), false);
    const { target } = await engine.client.listen();
    await (await (await rig.peer('node')).connect(target)).send(request(5));
    expect(engine.states()).toEqual({ discarded: 1, listening: 1 });
    expect(engine.counters.get('session.id-clash')).toBe(1);
  });

  test('no judgement: the first-message timer ends it; the peer closes meanwhile: nothing is left', async () => {
    let settle = (_own: boolean): void => undefined;
    const engine = await rig.engine('node', {
      isOwnConnection: () => new Promise((resolve) => (settle = resolve)),
      limits: { firstMessageMs: 400 },
    });
    engine.host.addSessionIds(Uint32Array.of(5, 6), false);
    const { target } = await engine.client.listen({ demand: 5 });
    const neighbour = await rig.peer('node');
    const gone = await neighbour.connect(target);
    await gone.send(request(5));
    expect(engine.states()).toEqual({ judgingClash: 1, listening: 1 });
    await gone.end();
    settle(true);
    await rig.clock.settle();
    expect(engine.states()).toEqual({ listening: 1 });
    const slow = await neighbour.connect(target);
    await slow.send(request(6));
    await rig.clock.advance(400);
    expect(slow.over).toBe(true);
    expect(engine.client.incoming).toEqual([]);
    const stopped = await neighbour.connect(target);
    await stopped.send(request(5));
    expect(engine.states()).toEqual({ judgingClash: 1, listening: 1 });
    await rig.run(engine.host.close());
    await rig.clock.settle();
    expect(stopped.over).toBe(true);
  });
});

describe('security', () => {
  test('loss: waiting calls and sessions end with 16, requests and listens too; recovery needs no restart', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const { target, listen } = await engine.client.listen({ demand: 1 });
    const running = await peer.connect(target);
    await running.send(request(1));
    const { session } = await engine.client.nextIncoming();
    const queued = await peer.connect(target);
    await queued.send(request(2));
    const idle = await peer.connect(target);
    const { target: theirs } = await peer.listen();
    const outgoing = engine.client.request(theirs);
    await rig.clock.settle();

    engine.node_.setSecurity('none');
    await rig.clock.settle();
    expect(await rig.run(outgoing.answer)).toMatchObject({ failure: { code: 16 } });
    expect(engine.client.ended.get(session)).toMatchObject({ code: 16 });
    expect([running.over, queued.over, idle.over]).toEqual([true, true, true]);
    expect(engine.states()).toEqual({ listening: 1 });
    expect(engine.counters.get('security.lost')).toBe(1);
    expect(await rig.run(engine.client.request(theirs).answer)).toMatchObject({ failure: { code: 16 } });
    const more = { listen: 500, client: 'main', asa: 1, objective: 'EX4', port: 0 };
    await expect(rig.run(engine.host.listen(more))).rejects.toMatchObject({ code: 16 });
    const shut = await peer.connect(target);
    await rig.clock.settle();
    expect([shut.over, shut.bytesReceived]).toEqual([true, 0]);
    expect(engine.counters.get('request.no-security')).toBe(1);

    engine.node_.setSecurity('insecure');
    await rig.clock.settle();
    engine.client.take(listen);
    await (await peer.connect(target)).send(request(3));
    expect((await engine.client.nextIncoming()).sessionId).toBe(3);
  });
});

describe('flow control', () => {
  test('a client that does not keep up: new requests closed, its streams paused; nothing is lost', async () => {
    const engine = await rig.engine('engine', { window: 4 });
    const slow = engine.attach('slow', { holdEvents: true });
    const peer = await rig.peer('peer');
    const { target, listen } = await slow.listen({ demand: 3 });
    const streams = [];
    for (let i = 0; i < 3; i++) {
      const stream = await peer.connect(target);
      await stream.send(request(i));
      streams.push(stream);
    }
    slow.take(listen, 10);
    const [one, two, three] = slow.incoming.splice(0);
    // The fourth event fills the window.
    await streams[0]!.send([6, 0, [102]]);
    expect(slow.ended.has(one!.session)).toBe(true);
    await streams[1]!.send([6, 1, [102]]);
    expect(slow.ended.has(two!.session)).toBe(false);
    const late = await peer.connect(target);
    await late.send(request(9));
    expect([late.over, late.bytesReceived]).toEqual([true, 0]);
    expect(engine.counters.get('request.overload')).toBe(1);

    slow.release(4);
    await rig.clock.settle();
    expect(slow.ended.has(two!.session)).toBe(true);
    await (await peer.connect(target)).send(request(10));
    expect(slow.incoming.length).toBe(1);
    expect(await rig.run(slow.end(three!.session, true))).toBeUndefined();
  });

  test('a request that waited while the client was busy is served when it has credit again', async () => {
    const engine = await rig.engine('engine', { window: 2 });
    const slow = engine.attach('slow', { holdEvents: true });
    const peer = await rig.peer('peer');
    const { target, listen } = await slow.listen({ demand: 2 });
    for (let i = 0; i < 3; i++) await (await peer.connect(target)).send(request(i));
    expect(engine.queue('requests EX3')).toBe(1);
    slow.take(listen, 1);
    await rig.clock.settle();
    expect(slow.incoming.length).toBe(2);
    slow.release(2);
    await rig.clock.settle();
    expect(slow.incoming.length).toBe(3);
  });

  test('a peer that takes nothing: negotiate_wait gives 43 when the limit is reached', async () => {
    const engine = await rig.engine('engine', {
      limits: { sendBufferBytes: 1_000 },
      wrap: withStreams((stream) => Object.defineProperty(stream, 'bufferedBytes', { get: () => 1_000 })),
    });
    const peer = await rig.peer('peer');
    const { target } = await engine.client.listen();
    await (await peer.connect(target)).send(request(1));
    const { session } = await engine.client.nextIncoming();
    expect(await rig.run(engine.client.wait(session, 1))).toMatchObject({ code: 43, over: false });
    expect(engine.counters.get('session.send-buffer-full')).toBe(1);
    expect(await rig.run(engine.client.end(session, true))).toBeUndefined();
  });
});

describe('a fault of the engine', () => {
  test('in one session ends that session with 3, each call is answered, others go on', async () => {
    let broken = false;
    const engine = await rig.engine('engine', {
      wrap: withStreams((stream) => {
        const write = stream.write.bind(stream);
        stream.write = (bytes) => {
          if (broken) throw new Error('disk on fire');
          return write(bytes);
        };
      }),
    });
    const peer = await rig.peer('peer');
    const { target } = await engine.client.listen({ demand: 5 });
    const sessions: number[] = [];
    for (let i = 0; i < 4; i++) {
      await (await peer.connect(target)).send(request(i));
      sessions.push((await engine.client.nextIncoming()).session);
    }
    const waiting = engine.client.step(sessions[0]!, 1);
    await rig.clock.settle();
    broken = true;
    expect(await rig.run(engine.client.step(sessions[1]!, 1))).toMatchObject({ failure: { code: 3 } });
    expect(await rig.run(engine.client.wait(sessions[2]!, 1))).toMatchObject({ code: 3 });
    expect(await rig.run(engine.client.end(sessions[0]!, false))).toMatchObject({ code: 3 });
    expect(await rig.run(waiting)).toMatchObject({ failure: { code: 3 } });
    broken = false;
    expect(await rig.run(engine.client.end(sessions[3]!, true))).toBeUndefined();
    expect(engine.counters.get('session.crashed')).toBe(3);
    expect(engine.queue('sessions')).toBe(0);
    expect(engine.client.openCalls).toBe(0);
  });

  test('in closing a stream is counted too, and the session is gone', async () => {
    const engine = await rig.engine('engine', {
      wrap: withStreams((stream) => {
        stream.end = stream.abort = () => {
          throw new Error('already gone');
        };
      }),
    });
    const peer = await rig.peer('peer');
    const { target } = await engine.client.listen();
    await (await peer.connect(target)).send(request(1));
    const { session } = await engine.client.nextIncoming();
    expect(await rig.run(engine.client.end(session, true))).toBeUndefined();
    expect(engine.counters.get('session.crashed')).toBe(1);
    expect(engine.states()).toEqual({ listening: 1 });
    expect(engine.queue('sessions')).toBe(0);
  });

  test('in a listener ends its listens, not the others', async () => {
    let broken = false;
    const engine = await rig.engine('engine', {
      wrap: withMembers((of) => ({
        listen: (options, onStream) => {
          if (broken) throw new Error('no sockets today');
          return of.listen(options, onStream);
        },
      })),
    });
    await engine.client.listen();
    broken = true;
    await expect(engine.client.listen({ name: 'EX4' })).rejects.toMatchObject({ code: 3 });
    broken = false;
    expect(engine.counters.get('listener.crashed')).toBe(1);
    expect(engine.states()).toEqual({ listening: 1 });
    expect((await engine.client.listen({ name: 'EX4' })).port).toBeGreaterThan(0);
  });

  test('in an open listener: its queue and listens end, its port is free, sessions go on', async () => {
    let broken = false;
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const { target } = await engine.client.listen({ demand: 1 });
    const running = await peer.connect(target);
    await running.send(request(1));
    const { session } = await engine.client.nextIncoming();
    const queued = await peer.connect(target);
    await queued.send(request(2));
    const count = engine.counters.add.bind(engine.counters);
    engine.counters.add = (name, n) => {
      if (broken && name === 'request.queue-full') throw new Error('no memory');
      count(name, n);
    };
    broken = true;
    for (let sid = 3; sid < 140 && !queued.over; sid++) await (await peer.connect(target)).send(request(sid));
    expect(queued.over).toBe(true);
    expect(engine.counters.get('listener.crashed')).toBe(1);
    await rig.clock.settle();
    expect(engine.states()).toEqual({ ourTurn: 1 });
    expect(await rig.run(engine.client.end(session, true))).toBeUndefined();
    expect((await engine.client.listen({ port: target.port })).port).toBe(target.port);
  });

  test('a stream that is accepted while the port is being closed is reset', async () => {
    let accept: (stream: Stream) => void = () => undefined;
    const engine = await rig.engine('engine', {
      wrap: withMembers((of) => ({
        listen: (options, onStream) => {
          accept = onStream;
          return of.listen(options, onStream);
        },
      })),
    });
    const { listen } = await engine.client.listen();
    await rig.run(engine.host.stopListen(listen));
    const peer = await rig.peer('engine');
    const { target, streams } = await peer.listen();
    const late = await rig.run(engine.substrate.connect(target, { timeoutMs: 1_000 }));
    accept(late);
    await rig.clock.settle();
    expect(streams[0]!.over).toBe(true);
    expect(engine.states()).toEqual({});
  });

  test('a bind that fails for another reason is not tried again', async () => {
    const engine = await rig.engine('engine', {
      wrap: withMembers(() => ({
        listen: () => Promise.reject(new SubstrateError('local', 'no descriptors')),
      })),
    });
    await expect(engine.client.listen({ port: 5_000 })).rejects.toMatchObject({ code: 3 });
    expect(rig.clock.now()).toBe(0);
  });
});

describe('close', () => {
  test('ends everything with 42, closes ports, leaves no timer; idempotent', async () => {
    const engine = await rig.engine('engine');
    const peer = await rig.peer('peer');
    const { target } = await engine.client.listen({ demand: 2 });
    const stream = await peer.connect(target);
    await stream.send(request(1));
    const { session } = await engine.client.nextIncoming();
    const { target: theirs } = await peer.listen();
    const { answer } = engine.client.request(theirs);
    await rig.clock.settle();
    await rig.run(engine.host.close());
    await rig.run(engine.host.close());
    expect(await rig.run(answer)).toMatchObject({ failure: { code: 42 } });
    expect(engine.client.ended.get(session)).toMatchObject({ code: 42 });
    expect(stream.over).toBe(true);
    await expect(peer.connect(target)).rejects.toMatchObject({ kind: 'refused' });
    expect(engine.host.status()).toMatchObject({ actors: [] });
    const at = rig.clock.now();
    await rig.clock.runUntilIdle();
    expect(rig.clock.now()).toBe(at);
  });
});

function withStreams(change: (stream: Stream) => void): (of: Substrate) => Substrate {
  return withMembers((of) => ({
    listen: (options, onStream) =>
      of.listen(options, (stream) => {
        change(stream);
        onStream(stream);
      }),
  }));
}
