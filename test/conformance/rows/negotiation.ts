/** RFC 8990 §2.5.5: negotiation. */
import { row } from '../rows.js';
import { message } from '../wire.js';

row('G-2.5.5-03', async (t) => {
  const { asa, request } = await t.listening({ name: 'EX1' });
  const { place } = await t.discovered(t.p, 'EX1');
  const { conn, sid } = await t.request(place, { name: 'EX1', value: ['NZD', 300] });
  const { session } = await request;
  await t.engine.endNegotiate(asa, session, true);
  t.same((await conn.next()).message, message.accept(sid), 'M_END accept');
  await conn.closes();
});
