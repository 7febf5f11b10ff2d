/** RFC 8990 §2.5.5, §2.8.6–§2.8.9: negotiation. */
import { row } from '../rows.js';
import { valueOf } from '../adapter.js';
import { M_END, M_NEGOTIATE, M_REQ_NEG, message, NEG, O_ACCEPT } from '../wire.js';

row('G-2.5.5-03', async (t) => {
  const { asa, request } = await t.listening({ name: 'EX1' });
  const { place } = await t.discovered(t.p, 'EX1');
  const { conn, sid } = await t.request(place, { name: 'EX1', value: ['NZD', 300] });
  const { session } = await request;
  await t.engine.endNegotiate(asa, session, true);
  t.same((await conn.next()).message, message.accept(sid), 'M_END accept');
  await conn.closes();
});

row('G-2.8.7-03', async (t) => {
  const { asa, request } = await t.listening({ name: 'EX1' });
  const { place } = await t.discovered(t.p, 'EX1');
  const { conn, sid } = await t.request(place, { name: 'EX1', value: 300, loopCount: 6 });
  const { session, objective } = await request;
  t.equal(objective.loopCount, 6, 'loop count the ASA gets');
  const answer = t.engine.negotiateStep(asa, session, { name: 'EX1', value: 200 });
  t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 5, 200]], 'first step');
  await conn.send(message.negotiate(sid, ['EX1', NEG, 4, 250]));
  const offered = t.answer(await answer, 'offered');
  t.equal(offered.objective.loopCount, 4, 'loop count the ASA gets');
  t.equal(valueOf(offered.objective), 250, 'value the ASA gets');
  void t.engine.negotiateStep(asa, session, { name: 'EX1', value: 220 }).catch(() => undefined);
  t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 3, 220]], 'second step');
  await conn.send(message.decline(sid));
});

row('A-2.3.5-05', async (t) => {
  const asa = await t.registered({ name: 'EX1', negotiate: true });
  const listener = await t.p.listen();
  const call = t.engine.requestNegotiate(
    asa,
    { name: 'EX1', negotiate: true, value: 17 },
    { peer: t.locatorOf(t.p, listener.port) },
  );
  const conn = await listener.accept();
  const { message: request } = await conn.next();
  t.same(request, [M_REQ_NEG, request[1], ['EX1', NEG, 6, 17]], 'M_REQ_NEG');
  await conn.send([M_END, request[1], [O_ACCEPT]]);
  const answer = t.answer(await call, 'accepted');
  t.equal(valueOf(answer.objective), 17, 'the value is the requested one');
});

row('A-2.3.5-07', async (t) => {
  const asa = await t.registered({ name: 'EX1', negotiate: true });
  const listener = await t.p.listen();
  for (const [i, reason] of [[], [''], ['x']].entries()) {
    const call = t.engine.requestNegotiate(
      asa,
      { name: 'EX1', negotiate: true, value: 17 },
      { peer: t.locatorOf(t.p, listener.port) },
    );
    const conn = await listener.accept(1000, i);
    const { message: request } = await conn.next();
    await conn.send(message.decline(request[1] as number, ...reason));
    t.equal(t.answer(await call, 'declined').reason, reason[0] ?? '', 'reason');
  }
});

row('G-2.8.6-05', async (t) => {
  const asa = await t.registered({ name: 'EX1', negotiate: true });
  const listener = await t.p.listen();
  const call = t.timed(
    t.engine.requestNegotiate(
      asa,
      { name: 'EX1', negotiate: true, value: 17 },
      { peer: t.locatorOf(t.p, listener.port), timeoutMs: 1000 },
    ),
  );
  const conn = await listener.accept();
  await conn.next();
  const { ms, error } = await call;
  await t.code(27, error ? Promise.reject(error) : Promise.resolve('success'));
  t.near(ms, 1000, 'time until 27');
  await conn.closes();
});
