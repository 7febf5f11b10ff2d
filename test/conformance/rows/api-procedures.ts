/** RFC 8991 §2.3.4–§2.3.7, §3, Appendix A: discovery, negotiation, synchronization, flooding through the API. */
import { row } from '../rows.js';
import { valueOf } from '../adapter.js';
import { M_END, M_REQ_NEG, message, NEG, O_ACCEPT } from '../wire.js';

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
