/** Rapid negotiation: RFC 8990 §2.5.5.1, wire.md §9.5. One end is an engine, the other speaks bytes made by cborg. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { decodeFirst, encode } from 'cborg';
import type { Asa, Grasp, NegotiationSession, Objective, ObjectiveOptions } from '../../src/index.js';
import type { Stream, Target } from '../../src/substrate/types.js';
import { World } from './rig.js';
import { addressBytes, Stranger, type Wire } from './wire.js';

let world: World;
let wire: Wire;
beforeEach(() => {
  world = new World();
  wire = world.wire();
});
afterEach(() => world.close());

const rapid = { rapid: true };
const on = { rapidAnswers: true };
const accept = (session: NegotiationSession): Promise<void> => session.endNegotiate({ accept: true });

/** One stream: what came, and what is said. */
class Line {
  readonly heard: unknown[][] = [];
  over = false;
  #rest = new Uint8Array();

  constructor(readonly stream: Stream) {
    stream.setHandlers({
      onData: (bytes) => {
        this.#rest = Uint8Array.from([...this.#rest, ...bytes]);
        while (this.#rest.length > 0) {
          const [message, after] = decodeFirst(this.#rest) as [unknown[], Uint8Array];
          this.heard.push(message);
          this.#rest = after.slice();
        }
      },
      onEnd: () => {
        this.over = true;
        stream.end();
      },
      onClose: () => (this.over = true),
    });
  }

  async say(...messages: unknown[]): Promise<void> {
    this.stream.write(Buffer.concat(messages.map((message) => encode(message))));
    await world.clock.settle();
  }
}

describe('§2.5.5.1 responder', () => {
  let asker: Stranger;
  let lines: Line[];

  beforeEach(async () => {
    asker = await world.stranger('asker');
    lines = [];
    asker.onStream = (stream) => lines.push(new Line(stream));
  });

  /** A bank that listens; what its ASA does with a request. */
  async function bank(
    serve: (session: NegotiationSession) => unknown,
    objective: Partial<ObjectiveOptions> = rapid,
    more: { rapidAnswers?: boolean } = { rapidAnswers: true },
    limits = {},
  ): Promise<{ grasp: Grasp; asa: Asa; ex3: Objective }> {
    const { grasp } = await world.engine('bank', { limits, more });
    const { asa, ex3 } = await world.asa(grasp, 'Bank', objective);
    await world.until(ex3.onNegotiate(async (session) => void (await serve(session))));
    return { grasp, asa, ex3 };
  }

  async function ask(sid: number, ...objective: unknown[]): Promise<void> {
    await world.until(asker.multicast([1, sid, addressBytes(asker.address), objective], 'link'));
    await world.clock.settle();
  }

  test('G-2.5.5.1-02 M_NEGOTIATE instead of M_RESPONSE, to the source port; the connection carries the negotiation', async () => {
    const seen: unknown[] = [];
    const results: unknown[] = [];
    await bank(async (session) => {
      seen.push(session.role, session.value, session.loopCount, session.sessionId, session.dryRun);
      results.push(await session.negotiateStep(['NZD', 30]));
    });
    await ask(4711, 'EX3', 3, 6, ['NZD', 47]);
    expect(seen).toEqual(['responder', ['NZD', 47], 6, 4711, false]);
    expect(lines).toHaveLength(1);
    // Loop count: one less than that of the discovery (G-2.8.4-12).
    expect(lines[0]!.heard).toEqual([[5, 4711, ['EX3', 3, 5, ['NZD', 30]]]]);
    await lines[0]!.say([6, 4711, [101]]);
    expect(results).toEqual([{ state: 'accepted', value: ['NZD', 30] }]);
    expect(lines[0]!.over).toBe(true);
    expect(wire.of(2)).toEqual([]);
  });

  test('G-2.5.5.1-02 M_END with O_ACCEPT if it is satisfied at once, or O_DECLINE', async () => {
    await bank((session) =>
      session.value === 1 ? accept(session) : session.endNegotiate({ accept: false, reason: 'no' }),
    );
    await ask(1, 'EX3', 3, 6, 1);
    await ask(2, 'EX3', 3, 6, 2);
    expect(lines.map(({ heard }) => heard)).toEqual([[[6, 1, [101]]], [[6, 2, [102, 'no']]]]);
    expect(lines.every(({ over }) => over)).toBe(true);
  });

  test('§2.10.2 a dry run stays one, for objectives that know it; others are discovered as usual', async () => {
    const { grasp } = await bank(
      async (session) => {
        expect(session.dryRun).toBe(true);
        await session.negotiateStep(8);
      },
      { rapid: true, dryRun: true },
    );
    await ask(1, 'EX3', 11, 6, 9);
    expect(lines[0]!.heard).toEqual([[5, 1, ['EX3', 11, 5, 8]]]);
    await lines[0]!.say([6, 1, [101]]);
    const asa = await world.until(grasp.registerAsa('other'));
    const ex4 = await world.until(asa.registerObjective({ name: 'EX4', negotiate: true, rapid: true }));
    await world.until(ex4.onNegotiate(accept));
    await ask(2, 'EX4', 11, 6, 9);
    expect(wire.of(2)).toHaveLength(1);
  });

  test.each<[string, Partial<ObjectiveOptions>, { rapidAnswers?: boolean }, unknown[]]>([
    ['G-2.5.5.1-05 by default', rapid, {}, ['EX3', 3, 6, 47]],
    ['G-2.5.5.1-03 switched off', rapid, { rapidAnswers: false }, ['EX3', 3, 6, 47]],
    ['of an objective that is not rapid', {}, on, ['EX3', 3, 6, 47]],
    ['without a value', rapid, on, ['EX3', 3, 6]],
    ['with null, as the prototype puts it into every discovery', rapid, on, ['EX3', 3, 6, null]],
    ['without F_NEG', rapid, on, ['EX3', 1, 6, 47]],
  ])('%s discovery goes on as usual: M_RESPONSE, and no ASA is asked', async (_, objective, more, asked) => {
    const served: unknown[] = [];
    await bank((session) => served.push(session.value), objective, more);
    await ask(1, ...asked);
    expect(lines.map(({ heard }) => heard.map(([type]) => type))).toEqual([[2]]);
    expect(served).toEqual([]);
  });

  test('G-2.5.4.4-05 no ASA hears of a discovery whose source nobody can reach', async () => {
    const served: unknown[] = [];
    const { grasp } = await bank((session) => served.push(session.value));
    const ghost = await world.until(Stranger.open(world.network, world.clock, 'ghost', ['link']));
    // Nobody is there any more when the answer comes: the discovery is underway for 5 ms.
    world.network.link('link').set({ delayMs: 5 });
    void ghost.multicast([1, 1, addressBytes('fd00::99'), ['EX3', 3, 6, 47]], 'link');
    await world.clock.advance(2);
    await world.until(ghost.close());
    await world.clock.advance(1_000);
    expect(served).toEqual([]);
    const { counters } = await world.until(grasp.status());
    expect(counters['request.unreachable']).toBe(1);
  });

  test('limits.sessions: one more is closed without an answer', async () => {
    const { grasp } = await bank(() => new Promise(() => undefined), rapid, on, { sessions: 1 });
    await ask(1, 'EX3', 3, 6, 1);
    await ask(2, 'EX3', 3, 6, 1);
    expect(lines.filter(({ over }) => over)).toHaveLength(lines.length - 1);
    expect((await world.until(grasp.status())).counters['session.limit']).toBe(1);
  });
});

describe('§2.5.5.1 initiator', () => {
  let peer: Stranger;
  let asa: Asa;
  let ex3: Objective;
  let grasp: Grasp;
  let asked: { message: unknown[]; from: Target }[];

  beforeEach(async () => {
    peer = await world.stranger('peer');
    asked = [];
    peer.onHeard = (message, from) => {
      if (message[0] === 1) asked.push({ message, from });
    };
    grasp = (await world.engine('gray')).grasp;
    ({ asa, ex3 } = await world.asa(grasp, 'Gray', { dryRun: true, loopCount: 5 }));
  });

  /** The request, when its discovery has been heard. */
  async function request(options: object = {}, value: unknown = ['NZD', 47]) {
    const result = asa.requestNegotiate(ex3, value, { rapid: true, ...options });
    result.catch(() => undefined);
    await world.clock.settle();
    return { result, sid: asked[0]?.message[1] };
  }

  async function connect(): Promise<Line> {
    return new Line(await world.until(peer.substrate.connect(asked[0]!.from, { timeoutMs: 1_000 })));
  }

  test('G-2.5.5.1-01 off by default: three elements', async () => {
    const result = asa.requestNegotiate(ex3, 1);
    expect(await world.failure(result)).toMatchObject({ code: 17 });
    expect(asked.map(({ message }) => message[3])).toEqual([['EX3', 3, 5]]);
  });

  test('G-2.5.5.1-01 G-2.10.3-09 the discovery carries the objective with its value; M_NEGOTIATE begins the session', async () => {
    const { result, sid } = await request();
    expect(asked[0]!.message[3]).toEqual(['EX3', 3, 5, ['NZD', 47]]);
    const line = await connect();
    await line.say([5, sid, ['EX3', 3, 4, ['NZD', 30]]]);
    const answer = await world.until(result);
    expect(answer).toMatchObject({ state: 'offered', value: ['NZD', 30], loopCount: 4 });
    if (answer.state !== 'offered') throw new Error();
    expect([answer.session.role, answer.session.sessionId]).toEqual(['initiator', sid]);
    const next = answer.session.negotiateStep(['NZD', 35]);
    await world.clock.settle();
    expect(line.heard).toEqual([[5, sid, ['EX3', 3, 3, ['NZD', 35]]]]);
    await line.say([6, sid, [101]]);
    expect(await world.until(next)).toEqual({ state: 'accepted', value: ['NZD', 35] });
    expect(line.over).toBe(true);
    expect(wire.of(3)).toEqual([]);
  });

  test('M_END: accepted, or declined with a reason', async () => {
    const first = await request();
    await (await connect()).say([6, first.sid, [101]]);
    expect(await world.until(first.result)).toEqual({ state: 'accepted', value: ['NZD', 47] });
    asked = [];
    const second = await request();
    expect(second.sid).not.toBe(first.sid);
    await (await connect()).say([6, second.sid, [102, 'no']]);
    expect(await world.until(second.result)).toEqual({ state: 'declined', reason: 'no' });
  });

  test('§2.8.9 M_WAIT first, whatever the cuts: the timer begins anew, what follows is read', async () => {
    const { result, sid } = await request({ timeoutMs: 1_000 });
    const line = await connect();
    const offer = encode([5, sid, ['EX3', 3, 4, 1]]);
    line.stream.write(Buffer.concat([encode([7, sid, 5_000]), offer.slice(0, 3)]));
    await world.clock.advance(4_900);
    line.stream.write(offer.slice(3));
    expect(await world.until(result)).toMatchObject({ state: 'offered', value: 1 });
  });

  test('an answer with rubbish behind it ends the session', async () => {
    const { result, sid } = await request();
    const line = await connect();
    line.stream.write(Buffer.concat([encode([5, sid, ['EX3', 3, 4, 1]]), Uint8Array.of(0xff)]));
    const answer = await world.until(result);
    if (answer.state !== 'offered') throw new Error();
    // What it ended of is told once, though it ended in the very moment in which it began.
    expect(await world.failure(answer.session.negotiateStep(2))).toMatchObject({ code: 24 });
    expect(await world.failure(answer.session.negotiateStep(2))).toMatchObject({ code: 19 });
    expect(line.over).toBe(true);
  });

  test('G-2.5.5.1-04 an M_RESPONSE comes first: the usual request follows, a late M_NEGOTIATE is closed', async () => {
    const requests: unknown[][] = [];
    const port = await world.until(
      peer.listen((message) => {
        requests.push(message);
        return [[6, message[1], [101]]];
      }),
    );
    const { result, sid } = await request();
    const [, , initiator] = asked[0]!.message;
    const locator = [103, addressBytes(peer.address), 6, port];
    await world.until(peer.respond(asked[0]!.from, [2, sid, initiator, 60_000, locator]));
    const late = await connect();
    await late.say([5, sid, ['EX3', 3, 4, 1]]);
    expect(late.over).toBe(true);
    expect(await world.until(result)).toEqual({ state: 'accepted', value: ['NZD', 47] });
    // §2.7: a new message, a new session id.
    expect(requests).toEqual([[3, expect.any(Number), ['EX3', 3, 5, ['NZD', 47]]]]);
    expect(requests[0]![1]).not.toBe(sid);
    expect(asked).toHaveLength(1);
  });

  test('only the first answer counts, others are closed', async () => {
    const { result, sid } = await request();
    const [first, second] = [await connect(), await connect()];
    await first.say([5, sid, ['EX3', 3, 4, 1]]);
    await second.say([5, sid, ['EX3', 3, 4, 2]]);
    expect(await world.until(result)).toMatchObject({ state: 'offered', value: 1 });
    expect([first.over, second.over]).toEqual([false, true]);
  });

  test('an answer to another session is closed, and the right one taken', async () => {
    const { result, sid } = await request();
    const wrong = await connect();
    await wrong.say([5, (sid as number) ^ 1, ['EX3', 3, 4, 1]]);
    expect(wrong.over).toBe(true);
    await (await connect()).say([6, sid, [101]]);
    expect(await world.until(result)).toMatchObject({ state: 'accepted' });
  });

  test('nobody answers: after 100 ms × loop count the usual way is tried, which tells 17', async () => {
    const before = world.clock.now();
    const { result } = await request();
    expect(await world.failure(result)).toMatchObject({ code: 17 });
    expect(world.clock.now() - before).toBe(1_000);
    expect(asked.map(({ message }) => message[3])).toEqual([
      ['EX3', 3, 5, ['NZD', 47]],
      ['EX3', 3, 5],
    ]);
  });

  test('a peer that has connected may take its time, not longer than the negotiation: 27', async () => {
    const first = await request();
    const line = await connect();
    await world.clock.advance(3_000);
    await line.say([6, first.sid, [101]]);
    expect(await world.until(first.result)).toMatchObject({ state: 'accepted' });
    asked = [];
    const second = await request({ timeoutMs: 2_000 });
    await connect();
    const before = world.clock.now();
    expect(await world.failure(second.result)).toMatchObject({ code: 27 });
    expect(world.clock.now() - before).toBe(2_000);
  });

  test('§2.8.3 40: a discovery has at most 1232 bytes; nothing is sent', async () => {
    const { result } = await request({}, 'x'.repeat(1_200));
    expect(await world.failure(result)).toMatchObject({ code: 40 });
    expect(asked).toEqual([]);
  });

  test('§2.10.2 dry run', async () => {
    const { result, sid } = await request({ dryRun: true }, 1);
    expect(asked[0]!.message[3]).toEqual(['EX3', 11, 5, 1]);
    await (await connect()).say([5, sid, ['EX3', 11, 4, 2]]);
    const answer = await world.until(result);
    expect(answer.state === 'offered' && answer.session.dryRun).toBe(true);
  });

  test('who is known already is asked as usual', async () => {
    const port = await world.until(peer.listen((message) => [[6, message[1], [101]]]));
    peer.onHeard = (message, from) => {
      if (message[0] !== 1) return;
      asked.push({ message, from });
      const locator = [103, addressBytes(peer.address), 6, port];
      void peer.respond(from, [2, message[1], message[2], 60_000, locator]);
    };
    await world.until(asa.requestNegotiate(ex3, 1));
    expect(await world.until(asa.requestNegotiate(ex3, 1, rapid))).toMatchObject({ state: 'accepted' });
    expect(asked).toHaveLength(1);
  });

  test('an aborted call ends its discovery; a late answer is closed', async () => {
    const controller = new AbortController();
    const { result, sid } = await request({ signal: controller.signal });
    controller.abort(new Error('enough'));
    expect(await world.failure(result)).toMatchObject({ message: 'enough' });
    const late = await connect();
    await late.say([5, sid, ['EX3', 3, 4, 1]]);
    expect(late.over).toBe(true);
  });

  test('C-13 19: deregistered, the session ends', async () => {
    const { result, sid } = await request();
    const line = await connect();
    await line.say([5, sid, ['EX3', 3, 4, 1]]);
    const answer = await world.until(result);
    if (answer.state !== 'offered') throw new Error();
    await world.until(asa.deregister());
    await world.clock.settle();
    expect(line.over).toBe(true);
    expect(await world.failure(answer.session.negotiateStep(2))).toMatchObject({ code: 19 });
  });
});

test('two engines: one discovery, one connection', async () => {
  const { grasp } = await world.engine('bank', { more: { rapidAnswers: true } });
  const { ex3: offered } = await world.asa(grasp, 'Bank', rapid);
  await world.until(offered.onNegotiate(accept));
  const { asa, ex3 } = await world.asa((await world.engine('gray')).grasp, 'Gray');
  wire.forget();
  expect(await world.until(asa.requestNegotiate(ex3, 5, rapid))).toEqual({ state: 'accepted', value: 5 });
  expect(wire.said.map(({ node, message }) => `${node} ${String(message[0])}`)).toEqual(['gray 1', 'bank 6']);
});
