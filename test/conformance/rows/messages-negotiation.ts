/** RFC 8990 §2.8.6–§2.8.9: the messages of requests and negotiations. */
import { row } from '../rows.js';
import { valueOf } from '../adapter.js';
import { M_NEGOTIATE, message, NEG } from '../wire.js';

row('G-2.8.6-05', async (t) => {
  const asa = await t.registered({ name: 'EX1', negotiate: true });
  const listener = await t.p.listen();
  const call = t.engine.requestNegotiate(
    asa,
    { name: 'EX1', negotiate: true, value: 17 },
    { peer: t.locatorOf(t.p, listener.port), timeoutMs: 1000 },
  );
  const conn = await listener.accept();
  const { at } = await conn.next();
  await t.code(27, call);
  t.near(t.now() - at, 1000, 'time from M_REQ_NEG until 27');
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
