/** RFC 8990 §2.5.4.1–§2.5.4.3: discovery. */
import { row } from '../rows.js';
import { M_DISCOVERY } from '../wire.js';

row('G-2.5.4.1-01', async (t) => {
  await t.listening({ name: 'EX1' });
  await t.discovered(t.p, 'EX1');
});

row('G-2.5.4.3-02', async (t) => {
  const { request } = await t.listening({ name: 'EX1' });
  const discovery = await t.disc('EX1');
  const { message: response, conn } = await t.response(discovery);
  t.ok(response.length >= 5, 'a response holds a locator');
  await conn.closes();
  t.equal(discovery.pair.connections.length, 1, 'connections for one discovery');
  t.equal(conn.messages.length, 1, 'messages on it');
  // Reachable: what is connected to is served.
  const { sid } = await t.request(t.placeIn(response), { name: 'EX1', value: 5 });
  const incoming = await request;
  t.equal(incoming.objective.value, '05', 'the value the ASA gets');
  t.ok(sid >= 0, 'sent');
});

row('G-2.5.4.3-05', { start: { interfaces: ['i1'] } }, async (t) => {
  await t.silence(await t.disc('EX1'));
  await t.alive();
});

row('G-2.5.4.3-07', async (t) => {
  const asa = await t.asa();
  for (let i = 0; i < 2; i++) {
    const locators = await t.engine.discover(asa, { name: 'EX1' }, { timeoutMs: 200 });
    t.equal(locators.length, 0, 'locators found');
  }
  await t.until(
    () => (t.p.heard((m) => m[0] === M_DISCOVERY).length >= 2 ? true : undefined),
    1000,
    'discoveries',
  );
  const sids = t.p.heard((m) => m[0] === M_DISCOVERY).map(({ message: m }) => m![1]);
  t.equal(new Set(sids).size, sids.length, 'different session IDs');
});
