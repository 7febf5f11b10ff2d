/** RFC 8990 §2.8.6–§2.8.9: the messages of requests and negotiations. */
import { row } from '../rows.js';
import { Engine } from '../adapter.js';
import type { T } from '../context.js';
import type { Conn } from '../peer.js';
import {
  M_END,
  M_NEGOTIATE,
  M_REQ_NEG,
  M_REQ_SYN,
  message,
  NEG,
  O_ACCEPT,
  O_DECLINE,
  SYNCH,
  TCP,
} from '../wire.js';
import { eNegotiates, eSynchronizes, having, pNegotiates, taken } from './parts.js';

row('G-2.8.6-01', { start: null }, async (t) => {
  // The adapter gets a name service that knows P: /etc/hosts, in a mount namespace of its own.
  const name = 'p.conformance.example';
  const hosts =
    'f=$(mktemp) && echo "$1" >"$f" && mount --bind "$f" /etc/hosts && rm "$f" && shift && exec "$@"';
  const adapter = await t.adapter(['sh', '-c', hosts, 'sh', `${t.p.global} ${name}`]);
  const engine = new Engine(adapter);
  await engine.start();
  const asa = await engine.registerAsa();
  await engine.registerObjective(asa, { name: 'EX1', negotiate: true });
  const listener = await t.p.listen();
  const call = engine.requestNegotiate(
    asa,
    { name: 'EX1', negotiate: true, value: 1 },
    { peer: { kind: 'fqdn', address: name, protocol: TCP, port: listener.port } },
  );
  const conn = await listener.accept(2000);
  const { message: request } = await conn.next();
  t.equal(request[0], M_REQ_NEG, 'message type');
  await conn.send(message.accept(request[1] as number));
  t.answer(await taken(t, call), 'accepted');
});

row('G-2.8.6-02', async (t) => {
  const negotiation = await eNegotiates(t, { value: ['NZD', 300] });
  t.same(
    negotiation.request,
    [M_REQ_NEG, negotiation.sid, ['EX1', NEG, 6, ['NZD', 300]]],
    'the request of a negotiation',
  );
  const { request } = await eSynchronizes(t);
  t.equal(request[0], M_REQ_SYN, 'message type');
  t.equal(request.length, 3, 'elements of M_REQ_SYN');
  const objective = request[2] as unknown[];
  t.same(objective.slice(0, 3), ['EX2', SYNCH, 6], 'the objective');
  t.ok(objective.length === 3 || objective.length === 4, `an objective of ${objective.length} elements`);
});

row('G-2.8.6-03', async (t) => {
  const { request, sid } = await eNegotiates(t, { value: undefined });
  t.same(request, [M_REQ_NEG, sid, ['EX1', NEG, 6, null]], 'M_REQ_NEG without a value of the ASA');
  const zero = await eNegotiates(t, { value: 0 });
  t.same(zero.request[2], ['EX1', NEG, 6, 0], 'the objective with value 0');
});

row(['G-2.8.6-04', 'G-2.8.6-05'], async (t) => {
  const { call, conn, at } = await eNegotiates(t, { value: 17, timeoutMs: 1000 });
  await t.code(27, taken(t, call, 3000));
  t.near((await conn.closes()).at - at, 1000, 'time until the end');
  t.equal(conn.messages.length, 1, 'messages of E');
});

row(['G-2.8.6-06', 'G-2.8.6-07'], async (t) => {
  const { call, conn, at } = await eSynchronizes(t, { timeoutMs: 1000 });
  await t.code(36, taken(t, call, 3000));
  t.near((await conn.closes()).at - at, 1000, 'time until the end');
  t.equal(conn.messages.length, 1, 'messages of E');
});

row('G-2.8.6-08', async (t) => {
  const loopCount = (request: unknown[]): unknown => (request[2] as unknown[])[2];
  for (const [given, expected] of [
    [{}, 6],
    [{ loopCount: 9 }, 9],
    [{ loopCount: 255 }, 255],
  ] as const) {
    t.equal(loopCount((await eNegotiates(t, given)).request), expected, 'loop count of M_REQ_NEG');
    t.equal(loopCount((await eSynchronizes(t, given)).request), expected, 'loop count of M_REQ_SYN');
  }
});

/** E closes a connection without a byte, or did not take it at all. */
async function turnedAway(
  t: T,
  attempt: Promise<{ conn?: Conn; refused?: string }>,
  request: unknown[],
  what: string,
) {
  const { conn } = await attempt;
  if (!conn) return;
  await conn.send(request);
  await conn.closes();
  t.equal(conn.bytes.length, 0, `bytes E sends for ${what}`);
}

row('G-2.8.6-09', async (t) => {
  const asa = await having(t, 'EX1', 'negotiate');
  await having(t, 'EX3', 'synchronize');
  await having(t, 'EX2', 'negotiate');
  const listen = await t.engine.listenNegotiate(asa, { name: 'EX2', negotiate: true });
  listen.request.catch(() => undefined); // stopped below
  const { place } = await t.discovered(t.p, 'EX2');
  const connect = () => t.p.tryConnect(place.address, place.port);
  const negotiation = (name: string): unknown[] => message.requestNegotiate(t.sid(), [name, NEG, 6, 1]);
  const synchronization = (name: string): unknown[] => message.requestSynchronize(t.sid(), [name, SYNCH, 6]);
  await turnedAway(t, connect(), negotiation('EX1'), 'an objective registered, not listened for');
  await turnedAway(t, connect(), negotiation('EX8'), 'an unknown objective');
  await turnedAway(t, connect(), synchronization('EX3'), 'an objective registered, not listened for');
  await turnedAway(t, connect(), synchronization('EX8'), 'an unknown objective');
  // The place is the right one.
  const { conn } = await t.request(place, { name: 'EX2' });
  const { session } = await taken(t, listen.request);
  await t.engine.endNegotiate(asa, session, true);
  t.equal((await conn.next()).message[0], M_END, 'message type of the answer to a request listened for');
  const further = await t.engine.listenNegotiate(asa, { name: 'EX2', negotiate: true });
  further.request.catch(() => undefined); // stopped at once
  await t.engine.stopListenNegotiate(asa, { name: 'EX2', negotiate: true });
  await turnedAway(t, connect(), negotiation('EX2'), 'an objective no longer listened for');
});

row(['G-2.8.6-10', 'G-2.8.6-11'], async (t) => {
  const first = await pNegotiates(t);
  const { asa, place, sid } = first;
  let delivered = 0;
  const listen = await t.engine.listenNegotiate(asa, { name: 'EX1', negotiate: true });
  listen.request.then(
    () => delivered++,
    () => undefined, // ended with the engine
  );
  const { conn: clash } = await t.request(place, { name: 'EX1', value: 2 }, { sid });
  await t.never(
    () => {
      if (clash.bytes.length > 0) return 'E answers';
      return delivered > 0 ? 'the ASA gets the request' : undefined;
    },
    t.silenceMs,
    'a request with the session ID of a running session',
  );
  // The first session goes on, with this ID on its own connection.
  const step = t.engine.negotiateStep(asa, first.session, { name: 'EX1', value: 3 });
  t.same((await first.conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 5, 3]], 'the step of E');
  await first.conn.send(message.accept(sid));
  t.answer(await taken(t, step), 'accepted');
  // And another ID is no clash.
  const { conn } = await t.request(place, { name: 'EX1', value: 4 });
  const { session, objective } = await taken(t, listen.request);
  t.equal(t.value(objective), 4, 'the value of the next request');
  await t.engine.endNegotiate(asa, session, true);
  t.equal((await conn.next()).message[0], M_END, 'message type');
});

row('G-2.8.7-01', async (t) => {
  const { asa, session, conn, sid } = await pNegotiates(t, { loopCount: 6 });
  // E: 5, 3, 1; P: 4, 2.
  for (const loopCount of [5, 3, 1]) {
    const step = t.engine.negotiateStep(asa, session, { name: 'EX1', value: loopCount });
    t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, loopCount, loopCount]], 'the step');
    if (loopCount === 1) await conn.send(message.accept(sid));
    else await conn.send(message.negotiate(sid, ['EX1', NEG, loopCount - 1, 'P']));
    const answer = t.answer(await taken(t, step), loopCount === 1 ? 'accepted' : 'offered');
    if (answer.state === 'offered')
      t.equal(answer.objective.loopCount, loopCount - 1, 'loop count the ASA gets');
  }
});

row('G-2.8.7-02', async (t) => {
  const { asa, session, conn, sid } = await pNegotiates(t, { value: 'first', loopCount: 20 });
  for (const value of [null, ['a', 1], 'first']) {
    const step = t.engine.negotiateStep(asa, session, { name: 'EX1', value });
    const { message: m } = await conn.next();
    t.equal(m.length, 3, 'elements of M_NEGOTIATE');
    const objective = m[2] as unknown[];
    t.same(objective, ['EX1', NEG, objective[2], value], 'the objective');
    await conn.send(message.negotiate(sid, ['EX1', NEG, (objective[2] as number) - 1, 'next']));
    const offered = t.answer(await taken(t, step), 'offered');
    t.equal(t.value(offered.objective), 'next', 'the updated value the ASA gets');
  }
});

row('G-2.8.7-03', async (t) => {
  const { asa, session, conn, sid, objective } = await pNegotiates(t, { value: 300, loopCount: 6 });
  t.equal(objective.loopCount, 6, 'loop count the ASA gets');
  const answer = t.engine.negotiateStep(asa, session, { name: 'EX1', value: 200 });
  t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 5, 200]], 'first step');
  await conn.send(message.negotiate(sid, ['EX1', NEG, 4, 250]));
  const offered = t.answer(await taken(t, answer), 'offered');
  t.equal(offered.objective.loopCount, 4, 'loop count the ASA gets');
  t.equal(t.value(offered.objective), 250, 'value the ASA gets');
  const last = t.engine.negotiateStep(asa, session, { name: 'EX1', value: 220 });
  t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 3, 220]], 'second step');
  await conn.send(message.decline(sid));
  t.answer(await taken(t, last), 'declined');
});

row(['G-2.8.7-04', 'G-2.8.7-05'], async (t) => {
  for (const loopCount of [1, 0]) {
    const { asa, session, conn } = await pNegotiates(t, { loopCount });
    await t.code(
      21,
      t.engine.negotiateStep(asa, session, { name: 'EX1' }),
      `a step after M_REQ_NEG with ${loopCount}`,
    );
    await conn.closes();
    t.equal(conn.messages.length, 0, 'messages of E');
    await t.code(19, t.engine.negotiateStep(asa, session, { name: 'EX1' }), 'a step afterwards');
  }
  const { asa, call, conn, sid } = await eNegotiates(t);
  await conn.send(message.negotiate(sid, ['EX1', NEG, 1, 2]));
  const { session } = t.answer(await taken(t, call), 'offered');
  await t.code(21, t.engine.negotiateStep(asa, session, { name: 'EX1' }), 'a step after M_NEGOTIATE with 1');
  await conn.closes();
  t.equal(conn.messages.length, 1, 'messages of E, the request among them');
  await t.code(19, t.engine.endNegotiate(asa, session, true), 'the end afterwards');
  // With 0 or 1 an end is possible all the same.
  const still = await pNegotiates(t, { loopCount: 0 });
  await t.engine.endNegotiate(still.asa, still.session, true);
  t.same((await still.conn.next()).message, message.accept(still.sid), 'M_END after M_REQ_NEG with 0');
});

row('G-2.8.8-01', async (t) => {
  const end = async (accept: boolean, reason?: string): Promise<unknown[]> => {
    const { asa, session, conn, sid } = await pNegotiates(t);
    await t.engine.endNegotiate(asa, session, accept, reason);
    const { message: m } = await conn.next();
    t.same(m.slice(0, 2), [M_END, sid], 'M_END');
    t.equal(m.length, 3, 'elements of M_END');
    return m[2] as unknown[];
  };
  t.same(await end(true), [O_ACCEPT], 'acceptance');
  t.same(await end(false, 'zu wenig für €'), [O_DECLINE, 'zu wenig für €'], 'decline with a reason');
  const bare = await end(false);
  if (bare.length !== 1) t.same(bare, [O_DECLINE, ''], 'decline without a reason');
  t.equal(bare[0], O_DECLINE, 'decline without a reason');
});

row('G-2.8.8-02', async (t) => {
  for (const accept of [true, false]) {
    const end = (sid: number): unknown[] => (accept ? message.accept(sid) : message.decline(sid, 'no'));
    const state = accept ? 'accepted' : 'declined';
    const reason = accept ? undefined : 'no';
    // P ends: as responder, and as initiator after a step of E.
    const asked = await eNegotiates(t);
    await asked.conn.send(end(asked.sid));
    t.answer(await taken(t, asked.call), state);
    const stepping = await pNegotiates(t);
    const step = t.engine.negotiateStep(stepping.asa, stepping.session, { name: 'EX1', value: 2 });
    await stepping.conn.next();
    await stepping.conn.send(end(stepping.sid));
    t.answer(await taken(t, step), state);
    // E ends: as responder, and as initiator after an offer of P.
    const { asa, session, conn, sid } = await pNegotiates(t);
    await t.engine.endNegotiate(asa, session, accept, reason);
    t.same((await conn.next()).message, end(sid), 'M_END of the responder');
    const offered = await eNegotiates(t);
    await offered.conn.send(message.negotiate(offered.sid, ['EX1', NEG, 5, 2]));
    const { session: own } = t.answer(await taken(t, offered.call), 'offered');
    await t.engine.endNegotiate(offered.asa, own, accept, reason);
    t.same((await offered.conn.next()).message, end(offered.sid), 'M_END of the initiator');
  }
});

row('G-2.8.9-01', async (t) => {
  const { asa, session, conn, sid } = await pNegotiates(t);
  for (const ms of [1000, 70_000, 0xffff_ffff]) {
    await t.engine.negotiateWait(asa, session, ms);
    t.same((await conn.next()).message, message.wait(sid, ms), 'M_WAIT');
  }
  await t.engine.endNegotiate(asa, session, true);
  t.same((await conn.next()).message, message.accept(sid), 'M_END after M_WAIT');
});

row('G-2.8.9-02', { slowMs: 6000 }, async (t) => {
  const longer = async (): Promise<void> => {
    const { call, conn, sid } = await eNegotiates(t, { timeoutMs: 1000 });
    await t.never(() => conn.end?.how, 500, 'E waits');
    const sent = t.now();
    await conn.send(message.wait(sid, 3000));
    await t.code(27, taken(t, call, 5000), 'nothing after M_WAIT 3000');
    t.near((await conn.closes()).at - sent, 3000, 'time after M_WAIT 3000 with timeout 1000');
  };
  const shorter = async (): Promise<void> => {
    const { call, conn, sid } = await eNegotiates(t, { timeoutMs: 5000 });
    const sent = t.now();
    await conn.send(message.wait(sid, 500));
    await t.code(27, taken(t, call, 5000), 'nothing after M_WAIT 500');
    t.near((await conn.closes()).at - sent, 500, 'time after M_WAIT 500 with timeout 5000');
  };
  const repeated = async (): Promise<void> => {
    // Twice: the second overwrites the first, it is not added to it.
    const { call, conn, sid } = await eNegotiates(t, { timeoutMs: 5000 });
    await conn.send(message.wait(sid, 10_000));
    const sent = t.now();
    await conn.send(message.wait(sid, 1000));
    await t.code(27, taken(t, call, 5000), 'nothing after the second M_WAIT');
    t.near((await conn.closes()).at - sent, 1000, 'time after the second M_WAIT');
  };
  await Promise.all([longer(), shorter(), repeated()]);
});

row('G-2.8.9-04', async (t) => {
  const { asa, call, conn, sid } = await eNegotiates(t, { timeoutMs: 10_000 });
  await conn.send(message.wait(sid, 500));
  await t.code(27, taken(t, call, 3000), 'nothing after M_WAIT 500');
  await conn.closes();
  // In time, M_WAIT is followed by an answer like any other.
  const next = await eNegotiates(t);
  await next.conn.sendJoined(message.wait(next.sid, 2000), message.negotiate(next.sid, ['EX1', NEG, 5, 2]));
  const { session } = t.answer(await taken(t, next.call), 'offered');
  await t.engine.endNegotiate(asa, session, true);
  t.same((await next.conn.next()).message, message.accept(next.sid), 'M_END');
});
