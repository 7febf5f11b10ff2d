/** RFC 8990 §2.5.4.4, §2.5.4.5: the discovery relay; rapid mode of discovery. */
import { row } from '../rows.js';
import { encode } from '../cbor.js';
import { locator, M_DISCOVERY, message, O_DIVERT } from '../wire.js';

row('G-2.5.4.4-01', async (t) => {
  const call = t.engine.discover(await t.asa(), { name: 'EX1' }, { timeoutMs: 300 });
  const [on1, on2] = await Promise.all([
    t.heard(t.p, M_DISCOVERY, { name: 'EX1' }),
    t.heard(t.q, M_DISCOVERY, { name: 'EX1' }),
  ]);
  t.equal(on2.message[1], on1.message[1], 'session ID on i2');
  await call;
  const sid = on1.message[1] as number;
  for (const peer of [t.p, t.q]) t.equal(t.count(peer, M_DISCOVERY, { sid }), 1, `copies ${peer.name} hears`);
  await t.listening({ name: 'EX2' });
  await t.discovered(t.p, 'EX2');
  await t.discovered(t.q, 'EX2');
});

row('G-2.5.4.4-03', async (t) => {
  const discovery = await t.disc('EX1', { loopCount: 3 });
  await t.heard(t.q, M_DISCOVERY, { sid: discovery.sid });
  await t.never(
    () => (t.count(t.p2, M_DISCOVERY, { sid: discovery.sid }) > 0 ? 'a copy on i1' : undefined),
    t.silenceMs,
    'not on the interface it came by',
  );
  t.equal(t.count(t.q, M_DISCOVERY, { sid: discovery.sid }), 1, 'copies on i2');
});

row(['G-2.5.4.4-04', 'G-2.5.4.4-09'], async (t) => {
  const { sid, initiator } = await t.disc('conformance.example:é', { loopCount: 3, flags: 3 });
  const copy = await t.heard(t.q, M_DISCOVERY, { sid });
  const expected = message.discovery(sid, initiator, ['conformance.example:é', 3, 2]);
  t.equal(copy.bytes.toString('hex'), encode(expected).toString('hex'), 'the relayed discovery');
  // With a value: that too.
  const rapid = await t.disc('EX2', { loopCount: 6, flags: 5, value: ['a', 1] });
  const second = await t.heard(t.q, M_DISCOVERY, { sid: rapid.sid });
  t.same(
    second.message,
    message.discovery(rapid.sid, rapid.initiator, ['EX2', 5, 5, ['a', 1]]),
    'with a value',
  );
});

row('G-2.5.4.4-05', async (t) => {
  await t.listening({ name: 'EX1' });
  const pair = await t.p.pair();
  // The same port there, so that an answer to the initiator would be seen.
  const other = await t.p2.pair({ port: pair.port });
  await t.response(await t.disc('EX1', { pair, initiator: t.p2.initiator }));
  await t.silence(other);
});

row('G-2.5.4.4-07', async (t) => {
  await t.listening({ name: 'EX1' });
  for (let i = 0; i < 3; i++) {
    const discovery = await t.disc('EX1');
    await t.response(discovery);
    t.equal(discovery.pair.datagrams.length, 0, 'datagrams to the source port');
  }
});

row('G-2.5.4.4-08', async (t) => {
  const call = t.engine.discover(await t.asa(), { name: 'EX1' }, { timeoutMs: 1000 });
  for (const peer of [t.p, t.q]) {
    const { address, port } = await t.heard(peer, M_DISCOVERY, { name: 'EX1' });
    const conn = await peer.connect(address, port);
    await conn.finish();
  }
  await call;
});

row('G-2.5.4.4-10', async (t) => {
  const one = await t.disc('EX1', { loopCount: 1 });
  const none = await t.disc('EX1', { loopCount: 0 });
  await t.silence(one, none);
  const { sid } = await t.disc('EX1', { loopCount: 2 });
  await t.heard(t.q, M_DISCOVERY, { sid });
});

row('G-2.5.4.4-11', async (t) => {
  const pair = await t.p.pair();
  const copies = (): number =>
    t.q.heard((m) => m[0] === M_DISCOVERY && /^EX1-/.test(String((m[3] as unknown[])[0]))).length;
  // Spread over the second: what a receiver's buffer cannot hold would look like a limit.
  for (let batch = 0; batch < 20; batch++) {
    const names = Array.from({ length: 50 }, (_, i) => `EX1-${50 * batch + i}`);
    await pair.multicast(...names.map((name) => message.discovery(t.sid(), t.p.initiator, [name, 1, 6])));
    await t.never(() => undefined, 50, 'a pause');
  }
  await t.until(() => (copies() > 0 ? true : undefined), 1000, 'a relayed discovery');
  await t.never(
    () => (copies() >= 900 ? `${copies()} copies of 1000` : undefined),
    2 * t.silenceMs,
    'a limit of the rate',
  );
  // Once the storm is over, single ones pass again.
  await t.eventually(
    async () => {
      const { sid } = await t.disc('EX2');
      return t.q.hears((m) => m[1] === sid, 200);
    },
    (copy) => copy !== undefined,
    5000,
    'a single discovery is relayed after the storm',
  );
});

row(['G-2.5.4.4-12', 'G-2.5.4.4-13'], async (t) => {
  const discovery = await t.disc('EX1', { loopCount: 6 });
  const { sid, pair } = discovery;
  // Again before the first may be forgotten: on the same link, and by the other link with a lower loop count.
  await pair.multicast(discovery.message);
  await t.heard(t.q, M_DISCOVERY, { sid });
  const back = await t.q.pair();
  await back.multicast(message.discovery(sid, discovery.initiator, ['EX1', 1, 4]));
  await t.never(
    () => {
      if (t.count(t.q, M_DISCOVERY, { sid }) > 1) return 'a second copy on i2';
      if (t.count(t.p, M_DISCOVERY, { sid }) > 0) return 'a copy on i1';
      return undefined;
    },
    t.silenceMs,
    'relayed once',
  );
  await t.disc('EX1', { sid, initiator: t.p2.initiator });
  await t.until(
    () => (t.count(t.q, M_DISCOVERY, { sid }) === 2 ? true : undefined),
    1000,
    'the same session ID from another initiator is relayed',
  );
});

row('G-2.5.4.4-14', async (t) => {
  const discovery = await t.disc('EX1', { loopCount: 3 });
  const copy = await t.heard(t.q, M_DISCOVERY, { sid: discovery.sid });
  await t.never(
    () => (discovery.pair.connections.length > 0 ? 'E answers before Q has' : undefined),
    3000,
    'nothing before there is a result',
  );
  // Long after 100 ms × remaining loop count: need not be passed on, and does no harm.
  const { conn } = await t.q.tryConnect(copy.address, copy.port);
  await conn?.send(message.response(discovery.sid, discovery.initiator, 60_000, locator(t.q.global, 4711)));
  await conn?.finish();
  await t.alive();
});

row('G-2.5.4.4-15', async (t) => {
  const discovery = await t.disc('EX1', { loopCount: 4 });
  const copy = await t.heard(t.q, M_DISCOVERY, { sid: discovery.sid });
  const place = locator(t.q.global, 4711);
  await t.respond(t.q, copy, { locators: [place], ttl: 30_000 });
  const { message: response } = await t.response(discovery, 1000);
  t.same(response[4], [O_DIVERT, place], 'the divert');
  const ttl = response[3] as number;
  t.ok(ttl > 0 && ttl <= 30_000, `ttl ${ttl}: not longer than the one received`);
});

row('G-2.5.4.5-01', async (t) => {
  const call = t.engine.discover(await t.asa(), { name: 'EX1' }, { timeoutMs: patientMs });
  const asked = await t.heard(t.p, M_DISCOVERY, { name: 'EX1' });
  const objective = asked.message[3] as unknown[];
  t.ok(objective.length === 3 || objective.length === 4, `an objective of ${objective.length} elements`);
  // With a value or without: an M_RESPONSE is taken.
  await t.respond(t.p, asked, { port: 4711 });
  const locators = await call;
  t.equal(locators[0]?.port, 4711, 'port of the locator');
});

const patientMs = 600;
