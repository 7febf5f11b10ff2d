/** RFC 8991 §2.3.4, §2.3.5: discovery and negotiation through the API. */
import { valueOf } from '../adapter.js';
import { row } from '../rows.js';
import {
  DRY,
  freshSid,
  M_DISCOVERY,
  M_END,
  M_NEGOTIATE,
  M_REQ_NEG,
  message,
  NEG,
  O_ACCEPT,
  O_DECLINE,
  sameAddress,
} from '../wire.js';
import { ANY_CODE, closedAt, EX1, initiator, responder, undiscoverable } from './api-sessions.js';
import { patient } from '../waiting.js';

row('A-2.3.4-01', async (t) => {
  const asa = await t.asa();
  t.equal((await t.engine.discover(asa, { name: 'EX5' }, { timeoutMs: 300 })).length, 0, 'locators');
  await t.heard(t.p, M_DISCOVERY, { name: 'EX5' });
  t.equal((await t.learn('EX5', [t.p])).length, 1, 'locators when somebody answers');
});

row('A-2.3.4-02', async (t) => {
  const { asa, ask } = await initiator(t);
  const running = await ask();
  const ex5 = { name: 'EX5' };
  const call = t.engine.discover(asa, ex5, { timeoutMs: 800 });
  for (const [peer, ttl] of [
    [t.p, 4000],
    [t.p2, 100_000],
  ] as const) {
    await t.respond(peer, await t.heard(peer, M_DISCOVERY, { name: 'EX5' }), { ttl });
  }
  t.equal((await call).length, 2, 'locators discovered');
  const cached = (minimumTtlMs?: number) =>
    t.engine.discover(asa, ex5, { timeoutMs: 0, ...(minimumTtlMs === undefined ? {} : { minimumTtlMs }) });
  t.equal((await cached(100)).length, 2, 'with minimum_TTL 100');
  const left = await cached(5000);
  t.equal(left.length, 1, 'with minimum_TTL 5000');
  t.ok(sameAddress(left[0]!.address, t.p2.global), `${left[0]!.address} is left, with the shorter ttl`);
  t.equal((await cached(100)).length, 1, 'afterwards: the other one is deleted');
  t.equal((await cached(0)).length, 0, 'with minimum_TTL 0');
  t.equal((await cached()).length, 0, 'afterwards: none');
  // The session under way has not noticed.
  await running.conn.send(message.negotiate(running.sid, ['EX1', NEG, 5, 3]));
  t.equal(t.value(t.answer(await running.call, 'offered').objective), 3, 'offer in the session');
});

row('A-2.3.4-03', async (t) => {
  const asa = await t.asa();
  t.equal(
    (await t.engine.discover(asa, { name: 'EX5' }, { timeoutMs: 0 })).length,
    0,
    'locators, none known',
  );
  await t.learn('EX6', [t.p]);
  const { ms, value } = await t.timed(t.engine.discover(asa, { name: 'EX6' }, { timeoutMs: 0 }));
  t.near(ms, 0, 'discover with timeout 0');
  t.equal(value?.length, 1, 'locators cached');
  // What is sent later has been heard: what was sent before was not.
  await t.engine.discover(asa, { name: 'EX7' }, { timeoutMs: 200 });
  await t.heard(t.p, M_DISCOVERY, { name: 'EX7' });
  t.equal(t.count(t.p, M_DISCOVERY, { name: 'EX5' }), 0, 'discoveries of EX5');
  t.equal(t.count(t.p, M_DISCOVERY, { name: 'EX6' }), 1, 'discoveries of EX6');
});

row('A-2.3.4-04', async (t) => {
  const asa = await t.asa();
  const objective = { name: 'EX5' };
  const call = t.timed(t.engine.discover(asa, objective, { timeoutMs: 1500 }));
  for (const peer of [t.p, t.p2, t.q]) {
    await t.respond(peer, await t.heard(peer, M_DISCOVERY, { name: 'EX5' }), { port: 4711 });
  }
  const { value, ms } = await call;
  t.near(ms, 1500, 'discover with timeout 1500');
  for (const peer of [t.p, t.p2, t.q]) {
    const found = value!.filter(({ address, port }) => sameAddress(address, peer.global) && port === 4711);
    t.equal(found.length, 1, `locators of ${peer.name}`);
  }
  t.equal(value!.length, 3, 'locators');
  // With what is cached it is performed nevertheless.
  const second = t.engine.discover(asa, objective, { timeoutMs: 800, minimumTtlMs: 100 });
  const asked = await t.until(
    () => t.p.heard((m) => m[0] === M_DISCOVERY)[1],
    1000,
    'a second M_DISCOVERY with minimum_TTL',
  );
  await t.respond(t.p, asked, { port: 4712 });
  t.ok(
    (await second).some(({ port }) => port === 4712),
    'the new locator is not in the result',
  );
});

row('A-2.3.5-01', async (t) => {
  const { asa, ask } = await initiator(t);
  const { call, conn, sid, request } = await ask(17, { objective: { loopCount: 4 } });
  t.same(request, [M_REQ_NEG, sid, ['EX1', NEG, 4, 17]], 'loop count of the ASA');
  await conn.send(message.negotiate(sid, ['EX1', NEG, 3, 18]));
  const first = t.answer(await call, 'offered');
  const step = t.engine.negotiateStep(asa, first.session, { ...EX1, value: 19 });
  t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 2, 19]], 'the step');
  await conn.send(message.negotiate(sid, ['EX1', NEG, 1, 20]));
  const last = t.answer(await step, 'offered');
  t.equal(last.objective.loopCount, 1, 'loop count the ASA gets');
  await t.code(21, t.engine.negotiateStep(asa, last.session, { ...EX1, value: 21 }), 'a step from 1 to 0');
  // The other side learns by the end of the connection, or by its own timeout: nothing is sent.
  t.equal(conn.messages.length, 2, 'messages of E');
  const zero = await ask();
  await zero.conn.send(message.negotiate(zero.sid, ['EX1', NEG, 0, 18]));
  await t.code(21, zero.call, 'an offer with loop count 0');
});

row('A-2.3.5-02', async (t) => {
  const { asa, serve } = await responder(t);
  const { session, conn, sid } = await serve();
  const step = t.engine.negotiateStep(asa, session, { ...EX1, value: 2 });
  t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 5, 2]], 'the first step');
  await t.code(ANY_CODE, t.engine.negotiateStep(asa, session, { ...EX1, value: 3 }), 'a second step');
  await conn.send(message.negotiate(sid, ['EX1', NEG, 4, 4]));
  t.equal(t.value(t.answer(await step, 'offered').objective), 4, 'the answer to the first step');
  t.equal(conn.messages.length, 1, 'messages of E');
  void t.engine.negotiateStep(asa, session, { ...EX1, value: 5 });
  t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 3, 5]], 'the next step');
});

row('A-2.3.5-03', async (t) => {
  const { ask } = await initiator(t);
  const value = ['NZD', 47];
  const { request, conn, call, sid } = await ask(value);
  t.same(request, [M_REQ_NEG, sid, ['EX1', NEG, 6, value]], 'M_REQ_NEG');
  await conn.send(message.accept(sid));
  t.answer(await call, 'accepted');
});

row('A-2.3.5-04', async (t) => {
  const asa = await t.registered(EX1);
  const nobody = t.engine.requestNegotiate(asa, { ...EX1, value: 1 }, { timeoutMs: 1000 });
  await t.heard(t.p, M_DISCOVERY, { name: 'EX1' });
  await t.code(17, nobody, 'nobody answers the discovery');
  const seen = t.p.multicasts.length;
  const listener = await t.p.listen();
  const call = t.engine.requestNegotiate(asa, { ...EX1, value: 2 });
  const asked = await t.heard(t.p, M_DISCOVERY, { name: 'EX1', from: seen });
  t.equal(listener.connections.length, 0, 'connections before the M_RESPONSE');
  await t.respond(t.p, asked, { port: listener.port });
  const conn = await listener.accept(2000);
  const { message: request } = await conn.next();
  t.same(request, [M_REQ_NEG, request[1], ['EX1', NEG, 6, 2]], 'M_REQ_NEG');
  await conn.send(message.accept(request[1] as number));
  t.answer(await call, 'accepted');
});

row('A-2.3.5-05', async (t) => {
  const { ask } = await initiator(t);
  const { call, conn, sid, request } = await ask(17);
  t.same(request, [M_REQ_NEG, sid, ['EX1', NEG, 6, 17]], 'M_REQ_NEG');
  await conn.send([M_END, sid, [O_ACCEPT]]);
  const answer = t.answer(await call, 'accepted');
  t.equal(valueOf(answer.objective), 17, 'the value is the requested one');
});

row('A-2.3.5-06', async (t) => {
  const { ask } = await initiator(t);
  const { call, conn, sid } = await ask(17);
  await conn.send(message.negotiate(sid, ['EX1', NEG, 5, ['other', 1]]));
  const { objective } = t.answer(await call, 'offered');
  t.equal(objective.loopCount, 5, 'loop count');
  t.same(t.value(objective), ['other', 1], 'value');
  t.equal(objective.name, 'EX1', 'name');
});

row('A-2.3.5-07', async (t) => {
  const { ask } = await initiator(t);
  for (const reason of [[], [''], ['x']]) {
    const { call, conn, sid } = await ask();
    await conn.send(message.decline(sid, ...reason));
    t.equal(t.answer(await call, 'declined').reason, reason[0] ?? '', 'reason');
  }
});

row('A-2.3.5-09', async (t) => {
  const { asa, ask } = await initiator(t);
  const dry = await ask(17, { objective: { dryRun: true } });
  t.same(dry.request[2], ['EX1', DRY, 6, 17], 'objective of a dry run');
  await dry.conn.send(message.negotiate(dry.sid, ['EX1', DRY, 5, 18]));
  const { session, objective } = t.answer(await dry.call, 'offered');
  t.equal(objective.dryRun, true, 'dry flag the ASA gets');
  await t.code(
    ANY_CODE,
    t.engine.negotiateStep(asa, session, { ...EX1, value: 1, dryRun: false }),
    'wet step',
  );
  void t.engine.negotiateStep(asa, session, { ...EX1, value: 2, dryRun: true });
  t.same((await dry.conn.next()).message, [M_NEGOTIATE, dry.sid, ['EX1', DRY, 4, 2]], 'dry step');
  const wet = await ask(17);
  await wet.conn.send(message.negotiate(wet.sid, ['EX1', NEG, 5, 18]));
  const { session: other } = t.answer(await wet.call, 'offered');
  await t.code(ANY_CODE, t.engine.negotiateStep(asa, other, { ...EX1, value: 1, dryRun: true }), 'dry step');
  void t.engine.negotiateStep(asa, other, { ...EX1, value: 2, dryRun: false });
  t.same((await wet.conn.next()).message, [M_NEGOTIATE, wet.sid, ['EX1', NEG, 4, 2]], 'wet step');
});

row('A-2.3.5-10', async (t) => {
  const asa = await t.registered(EX1);
  await undiscoverable(t, 'EX1');
  await t.engine.listenNegotiate(asa, EX1);
  await t.discovered(t.p, 'EX1');
});

row('A-2.3.5-11', { slowMs: 11_000 }, async (t) => {
  const { request } = await t.listening(EX1);
  let settled: string | undefined;
  request.then(
    () => (settled = 'a request'),
    (error: Error) => (settled = error.message),
  );
  await t.never(() => settled, 10_000, 'listenNegotiate without a request returns');
  const { place } = await t.discovered(t.p, 'EX1');
  const { sid, conn } = await t.request(place, { name: 'EX1', value: 5 });
  const began = t.now();
  const { objective } = await request;
  t.ok(t.now() - began < patient(1000), `it returns ${t.now() - began} ms after M_REQ_NEG`);
  t.equal(t.value(objective), 5, 'value of the request');
  await conn.send(message.decline(sid));
});

row('A-2.3.5-12', async (t) => {
  const asa = await t.registered(EX1);
  const listens = [];
  for (let i = 0; i < 10; i++) listens.push(await t.engine.listenNegotiate(asa, EX1));
  const { place } = await t.discovered(t.p, 'EX1');
  const requests = [];
  for (let i = 0; i < 10; i++) requests.push(await t.request(place, { name: 'EX1', value: i }));
  const served = await Promise.all(listens.map(({ request }) => request));
  const values = served.map(({ objective }) => t.value(objective) as number);
  t.same([...values].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 'values of the requests served');
  t.equal(new Set(served.map(({ session }) => session)).size, 10, 'different sessions');
  // All ten at once: each gets the answer meant for it.
  served.forEach(
    ({ session }, i) => void t.engine.negotiateStep(asa, session, { ...EX1, value: `to ${values[i]}` }),
  );
  for (const [i, { conn, sid }] of requests.entries()) {
    t.same(
      (await conn.next(3000)).message,
      [M_NEGOTIATE, sid, ['EX1', NEG, 5, `to ${i}`]],
      `answer to request ${i}`,
    );
  }
});

row('A-2.3.5-13', async (t) => {
  const { asa, request } = await t.listening(EX1);
  const { place } = await t.discovered(t.p, 'EX1');
  await t.engine.stopListenNegotiate(asa, EX1);
  await t.code(ANY_CODE, request, 'the pending listen');
  await undiscoverable(t, 'EX1');
  await closedAt(t, place, message.requestNegotiate(freshSid(), ['EX1', NEG, 6, 1]));
  await t.engine.listenNegotiate(asa, EX1);
  await t.discovered(t.p, 'EX1');
});

row('A-2.3.5-14', async (t) => {
  const { asa, ask } = await initiator(t);
  const { call, conn, sid } = await ask();
  // The peer's count is taken as it comes.
  await conn.send(message.negotiate(sid, ['EX1', NEG, 4, 18]));
  const { session, objective } = t.answer(await call, 'offered');
  t.equal(objective.loopCount, 4, 'loop count the ASA gets');
  const { loopCount } = objective;
  const step = t.engine.negotiateStep(asa, session, { ...EX1, value: 19, loopCount });
  t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 3, 19]], 'the step');
  await conn.send(message.negotiate(sid, ['EX1', NEG, 2, 20]));
  const second = t.answer(await step, 'offered');
  t.equal(second.objective.loopCount, 2, 'loop count the ASA gets');
  void t.engine.negotiateStep(asa, session, { ...EX1, value: 21, loopCount: 2 });
  t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 1, 21]], 'the second step');
});

row('A-2.3.5-15', async (t) => {
  const { asa, serve } = await responder(t);
  const { session, conn, sid } = await serve();
  const { ms } = await t.timed(t.engine.negotiateWait(asa, session, 5000));
  t.ok(ms < patient(1000), `negotiateWait takes ${ms} ms`);
  t.same((await conn.next()).message, message.wait(sid, 5000), 'M_WAIT');
  await t.engine.negotiateWait(asa, session, 0);
  t.same((await conn.next()).message, message.wait(sid, 60_000), 'M_WAIT of timeout 0');
  await t.engine.endNegotiate(asa, session, true);
  t.same((await conn.next()).message, message.accept(sid), 'M_END');
});

row('A-2.3.5-16', async (t) => {
  const { asa, serve } = await responder(t);
  const accepted = await serve();
  await t.engine.endNegotiate(asa, accepted.session, true, 'because');
  t.same((await accepted.conn.next()).message, message.accept(accepted.sid), 'accept with a reason');
  const declined = await serve();
  await t.engine.endNegotiate(asa, declined.session, false, 'not today: é');
  const end = message.decline(declined.sid, 'not today: é');
  t.same((await declined.conn.next()).message, end, 'decline with a reason');
  const silent = await serve();
  await t.engine.endNegotiate(asa, silent.session, false);
  const [type, sid, option] = (await silent.conn.next()).message as [number, number, unknown[]];
  t.same([type, sid, option[0]], [M_END, silent.sid, O_DECLINE], 'decline without a reason');
  for (const { conn } of [accepted, declined, silent]) await conn.closes();
});
