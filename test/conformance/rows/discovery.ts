/** RFC 8990 §2.5.4.1–§2.5.4.3: discovery. */
import { row } from '../rows.js';

import { GRASP_LISTEN_PORT, locator, M_DISCOVERY, O_DIVERT, sameAddress } from '../wire.js';

row('G-2.5.4.1-01', async (t) => {
  await t.listening({ name: 'EX1' });
  await t.discovered(t.p, 'EX1');
});

row('G-2.5.4.1-02', async (t) => {
  const locators = await t.learn('EX1', [t.p], { port: 4711 });
  t.equal(locators.length, 1, 'locators found');
  t.equal(locators[0]!.port, 4711, 'port of the locator');
  t.ok(sameAddress(locators[0]!.address, t.p.global), `address ${locators[0]!.address}`);
});

row(['G-2.5.4.2-01', 'G-2.8.4-15'], async (t) => {
  const pair = await t.p.pair({ port: GRASP_LISTEN_PORT, address: t.p.global });
  const call = t.engine.discover(
    await t.asa(),
    { name: 'EX1' },
    { timeoutMs: 1000, unicast: t.locatorOf(t.p, GRASP_LISTEN_PORT) },
  );
  const asked = await Promise.race([
    t.until(
      () => pair.datagrams[0]?.message ?? pair.connections[0]?.messages[0]?.message,
      1000,
      'M_DISCOVERY',
    ),
    call,
  ]);
  t.equal((asked as unknown[])[0], M_DISCOVERY, 'message type of what comes unicast');
  await call;
});

row(['G-2.5.4.2-02', 'G-2.8.4-16'], async (t) => {
  await t.listening({ name: 'EX1' });
  const { linkLocal, ula } = t.lab.addresses('i1');
  for (const address of [linkLocal, ula]) {
    const pair = await t.p.pair();
    const sid = t.sid();
    const asked = [M_DISCOVERY, sid, t.p.initiator, ['EX1', 1, 6]];
    await pair.unicast(address, GRASP_LISTEN_PORT, asked);
    await t.response({ peer: t.p, pair, sid, initiator: t.p.initiator, message: asked });
  }
  const pair = await t.p.pair();
  const sid = t.sid();
  await pair.unicast(linkLocal, GRASP_LISTEN_PORT, [M_DISCOVERY, sid, t.p.initiator, ['EX2', 1, 6]]);
  await t.heard(t.q, M_DISCOVERY, { sid });
});

row(['G-2.5.4.2-03', 'G-2.5.4.4-06'], async (t) => {
  await t.listening({ name: 'EX1' });
  const { conn, refused } = await t.p.tryConnect(t.lab.addresses('i1').ula, GRASP_LISTEN_PORT);
  if (!conn) return t.notApplicable(`E does not take connections on TCP ${GRASP_LISTEN_PORT} (${refused})`);
  const sid = t.sid();
  await conn.send([M_DISCOVERY, sid, t.p.initiator, ['EX1', 1, 6]]);
  const { message: response } = await conn.next(2000);
  t.equal(response[0], 2, 'message type of the answer');
  t.equal(response[1], sid, 'session ID of the answer');
  t.same(response[2], t.p.initiator, 'initiator of the answer');
  t.placeIn(response);
});

row('G-2.5.4.3-01', async (t) => {
  for (const link of ['i1', 'i2']) {
    const groups = await t.lab.ip('e', '-6', 'maddr', 'show', 'dev', link);
    t.ok(/\bff02::13\b/.test(groups), `E is no member of ff02::13 on ${link}: ${groups}`);
  }
  // The peers hear what is sent to port 7017 of the group, and nothing else.
  const call = t.engine.discover(await t.asa(), { name: 'EX1' }, { timeoutMs: 300 });
  await t.heard(t.p, M_DISCOVERY, { name: 'EX1' });
  await t.heard(t.q, M_DISCOVERY, { name: 'EX1' });
  await call;
  if (!t.can('ipv4') || !t.can('several-engines')) return;
  // The same by IPv4.
  await t.ipv4();
  const engine = t.otherEngine('ipv4');
  await engine.start({ interfaces: ['i1', 'i2'], ipv4: true });
  const asa = await engine.registerAsa();
  for (const link of ['i1', 'i2']) {
    const groups = await t.lab.ip('e', '-4', 'maddr', 'show', 'dev', link);
    t.ok(/\b224\.0\.0\.119\b/.test(groups), `E is no member of 224.0.0.119 on ${link}: ${groups}`);
  }
  const again = engine.discover(asa, { name: 'EX2' }, { timeoutMs: 300 });
  for (const peer of [t.p, t.q]) {
    const asked = await peer.hears((m, { address }) => m[0] === M_DISCOVERY && address.includes('.'), 1000);
    t.ok(asked, `${peer.name} hears no M_DISCOVERY at 224.0.0.119`);
  }
  await again;
  await engine.registerObjective(asa, { name: 'EX3', negotiate: true });
  await engine.listenNegotiate(asa, { name: 'EX3', negotiate: true });
  const { conn } = await t.response(await t.disc('EX3', { pairOptions: { family: 4 } }));
  t.equal(conn.remoteAddress, '10.77.1.1', 'where the answer to a discovery by IPv4 comes from');
});

row('G-2.5.4.3-02', async (t) => {
  const { request } = await t.listening({ name: 'EX1' });
  const discovery = await t.disc('EX1');
  const { message: response, conn } = await t.response(discovery);
  await conn.closes();
  t.equal(conn.messages.length, 1, 'messages on the connection');
  await t.never(
    () => (discovery.pair.connections.length > 1 ? 'a second connection' : undefined),
    t.silenceMs,
    'one M_RESPONSE',
  );
  // Reachable: what is sent there arrives.
  await t.request(t.placeIn(response), { name: 'EX1', value: 5 });
  t.equal((await request).objective.value, '05', 'the value the ASA gets');
});

row(['G-2.5.4.3-03', 'G-2.5.4.3-12', 'G-2.8.5-11'], async (t) => {
  const place = locator(t.q.global, 4711);
  await t.learn('EX1', [t.q], { locators: [place] });
  const { message: response } = await t.response(await t.disc('EX1'));
  t.same(response[4], [O_DIVERT, place], 'the divert');
  const ttl = response[3] as number;
  t.ok(ttl > 0 && ttl <= 60_000, `ttl ${ttl}: not longer than what is left`);
});

row('G-2.5.4.3-04', async (t) => {
  await t.learn('EX1', [t.p2]);
  // A relayed copy is allowed, an answer is not.
  const { pair } = await t.disc('EX1');
  await t.silence(pair);
  await t.alive();
});

row('G-2.5.4.3-05', { start: { interfaces: ['i1'] } }, async (t) => {
  await t.silence(await t.disc('EX1'));
  await t.alive();
});

row('G-2.5.4.3-06', async (t) => {
  const asa = await t.asa();
  const { ms, value } = await t.timed(t.engine.discover(asa, { name: 'EX1', loopCount: 6 }));
  t.equal(value?.length, 0, 'locators found');
  // Suggested: 100 ms × loop count; an engine may document another default.
  t.ok(ms > 400 && ms < 10_000, `discovery ends after ${ms.toFixed(0)} ms`);
});

row('G-2.5.4.3-07', async (t) => {
  const asa = await t.asa();
  for (let i = 0; i < 2; i++) {
    const locators = await t.engine.discover(asa, { name: 'EX1' }, { timeoutMs: 200 });
    t.equal(locators.length, 0, 'locators found');
  }
  await t.until(() => (t.count(t.p, M_DISCOVERY) >= 2 ? true : undefined), 1000, 'two discoveries');
  const sids = t.p.heard((m) => m[0] === M_DISCOVERY).map(({ message: m }) => m![1]);
  t.equal(new Set(sids).size, sids.length, 'different session IDs');
});

/** When E sends discoveries of its own accord during one call of `ms`. */
row(['G-2.5.4.3-08', 'G-2.5.4.3-09'], { slowMs: 25_000 }, async (t) => {
  await t.engine.discover(await t.asa(), { name: 'EX1' }, { timeoutMs: 20_000 });
  const sent = t.p.heard((m) => m[0] === M_DISCOVERY);
  t.ok(sent.length > 0, 'P hears no M_DISCOVERY');
  const sids = new Set(sent.map(({ message: m }) => m![1]));
  t.equal(sids.size, sent.length, 'a new session ID each time');
  const gaps = sent.slice(1).map(({ at }, i) => at - sent[i]!.at);
  const shown = gaps.map((gap) => `${gap.toFixed(0)} ms`).join(', ');
  // Never repeating is a backoff too.
  t.ok((gaps[0] ?? Infinity) >= 950, `intervals ${shown}: the first is shorter than 1 s`);
  for (const [i, gap] of gaps.slice(1).entries()) {
    t.ok(gap >= 1.8 * gaps[i]! || gap >= 60_000, `intervals ${shown} do not double`);
  }
  t.ok(sent.length <= 20 / 3, `${sent.length} discoveries in 20 s: more than one per 3 s`);
});

row('G-2.5.4.3-10', async (t) => {
  const first = await t.learn('EX1', [t.p], { port: 4711 });
  const sent = t.count(t.p, M_DISCOVERY);
  const again = await t.engine.discover(await t.asa(), { name: 'EX1' });
  t.equal(again.length, 1, 'locators of the second discovery');
  t.equal(again[0]!.port, first[0]!.port, 'its port');
  t.equal(again[0]!.interface, 'i1', 'its interface');
  await t.never(
    () => (t.count(t.p, M_DISCOVERY) > sent ? 'a second M_DISCOVERY' : undefined),
    t.silenceMs,
    'the cache is used',
  );
});

row(['G-2.5.4.3-11', 'G-2.5.4.3-20'], async (t) => {
  const asa = await t.registered({ name: 'EX1', negotiate: true });
  const listener = await t.p.listen();
  await t.learn('EX1', [t.p], { port: listener.port });
  const sent = t.count(t.p, M_DISCOVERY);
  const call = t.engine.requestNegotiate(asa, { name: 'EX1', negotiate: true, value: 1 });
  const conn = await listener.accept();
  const { message: request } = await conn.next();
  await conn.send([6, request[1], [101]]);
  t.answer(await call, 'accepted');
  t.equal(t.count(t.p, M_DISCOVERY), sent, 'discoveries on the wire');
});

row(['G-2.5.4.3-13', 'G-2.5.4.3-14', 'G-2.5.4.3-15'], async (t) => {
  const asa = await t.asa();
  const call = t.engine.discover(asa, { name: 'EX1' }, { timeoutMs: 300 });
  const asked = await t.heard(t.q, M_DISCOVERY, { name: 'EX1' });
  const received = t.now();
  await t.respond(t.q, asked, { ttl: 2000 });
  const [found] = await call;
  const left = t.defined(found?.expiresInMs, 'the lifetime of the locator');
  // The adapter says what is left at some moment since then.
  t.ok(left <= 2010 && left >= 2000 - (t.now() - received), `${left} ms are left of 2000`);
  const cached = await t.engine.discover(asa, { name: 'EX1' }, { timeoutMs: 0 });
  t.equal(cached.length, 1, 'locators cached');
  await t.response(await t.disc('EX1'));
  await t.eventually(
    () => t.engine.discover(asa, { name: 'EX1' }, { timeoutMs: 0 }),
    (locators) => locators.length === 0,
    3000,
    'the entry is ignored once it has expired',
  );
  t.near(t.now() - received, 2000, 'time until the entry is ignored');
  // Neither a divert from it, nor a result: a discovery asks anew.
  const late = await t.disc('EX1');
  const sent = t.p.multicasts.length;
  await t.engine.discover(asa, { name: 'EX1' }, { timeoutMs: 200 });
  await t.heard(t.p, M_DISCOVERY, { name: 'EX1', from: sent });
  await t.silence(late.pair);
});

row('G-2.5.4.3-17', { clean: true }, async (t) => {
  await t.listening({ name: 'EX1' });
  await t.discovered(t.p, 'EX1');
  const address = await t.lab.renumber('i1');
  await t.eventually(
    () => t.discovered(t.p, 'EX1'),
    ({ place }) => sameAddress(place.address, address),
    10_000,
    `M_RESPONSE with the new address ${address}`,
  );
});

row('G-2.5.4.3-18', async (t) => {
  const locators = await t.learn('EX1', [t.p, t.p2, t.q]);
  for (const peer of [t.p, t.p2, t.q]) {
    t.ok(
      locators.some(({ address }) => sameAddress(address, peer.global)),
      `the answer of ${peer.name} is not in the list: ${JSON.stringify(locators)}`,
    );
  }
});

row('G-2.5.4.3-19', async (t) => {
  const asa = await t.registered({ name: 'EX1', negotiate: true });
  const [at, at2] = [await t.p.listen(), await t.p2.listen()];
  const found = await Promise.all([
    t
      .heard(t.p, M_DISCOVERY, { name: 'EX1', ms: 2000 })
      .then((asked) => t.respond(t.p, asked, { port: at.port })),
    t
      .heard(t.p2, M_DISCOVERY, { name: 'EX1', ms: 2000 })
      .then((asked) => t.respond(t.p2, asked, { port: at2.port })),
    t.engine.discover(asa, { name: 'EX1' }, { timeoutMs: 600 }),
  ]);
  const locators = found[2];
  t.equal(locators.length, 2, 'locators found');
  for (const listener of [at2, at]) {
    const peer = t.defined(
      locators.find(({ port }) => port === listener.port),
      `the locator of ${listener.peer.name}`,
    );
    const call = t.engine.requestNegotiate(asa, { name: 'EX1', negotiate: true, value: 1 }, { peer });
    const conn = await listener.accept();
    const { message: request } = await conn.next();
    await conn.send([6, request[1], [101]]);
    t.answer(await call, 'accepted');
  }
});
