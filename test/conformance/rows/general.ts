/** RFC 8990 §2.2, §2.3, §2.5.3: deployment, instances, transport. */
import { Engine } from '../adapter.js';
import { encode } from '../cbor.js';
import { row } from '../rows.js';
import type { T } from '../context.js';
import { M_DISCOVERY, M_FLOOD, M_REQ_NEG, message, NEG, sameAddress } from '../wire.js';

row('G-2.2-02', { clean: true }, async (t) => {
  await t.listening({ name: 'EX1' });
  const addresses = async (link: string): Promise<readonly string[] | undefined> => {
    const { interfaces } = await t.engine.status();
    return interfaces.find(({ name }) => name === link)?.addresses;
  };
  const before = t.lab.addresses('i1').ula;
  t.ok(
    (await addresses('i1'))?.some((each) => sameAddress(each, before)),
    `status does not show ${before}`,
  );
  const after = await t.lab.renumber('i1');
  await t.eventually(
    () => addresses('i1'),
    (found) =>
      found?.some((each) => sameAddress(each, after)) === true &&
      !found.some((each) => sameAddress(each, before)),
    10_000,
    `status shows ${after} instead of ${before}`,
  );
  await t.eventually(
    () => t.discovered(t.p, 'EX1'),
    ({ place }) => sameAddress(place.address, after),
    10_000,
    `M_RESPONSE with ${after}`,
  );
  const seen = t.p.multicasts.length;
  void t.engine.discover(await t.asa(), { name: 'EX2' }, { timeoutMs: 300 });
  const asked = await t.heard(t.p, M_DISCOVERY, { name: 'EX2', from: seen });
  t.ok(!sameAddress(asked.message[2] as Buffer, before), 'the initiator is the address that is gone');
  await t.lab.setUp('i2', false);
  await t.eventually(
    () => addresses('i2'),
    (found) => (found ?? []).length === 0,
    10_000,
    'status no longer shows addresses of i2, which is down',
  );
});

row('G-2.2-03', { clean: true }, async (t) => {
  const objective = { name: 'EX1', negotiate: true, value: 1 };
  const { asa, request } = await t.listening({ name: 'EX1' });
  // Reset while the request waits for an answer.
  const listener = await t.p.listen();
  const call = t.engine.requestNegotiate(asa, objective, { peer: t.locatorOf(t.p, listener.port) });
  const conn = await listener.accept();
  await conn.next();
  await conn.reset();
  await t.code([23, 27], call, 'reset after M_REQ_NEG');
  // Nobody there.
  await listener.close();
  const refused = t.engine.requestNegotiate(asa, objective, { peer: t.locatorOf(t.p, listener.port) });
  await t.code(18, refused, 'connection refused');
  // Reset while the ASA of E makes an offer.
  const { place } = await t.discovered(t.p, 'EX1');
  const { conn: incoming } = await t.request(place, { name: 'EX1' });
  const { session } = await request;
  const step = t.engine.negotiateStep(asa, session, objective);
  await incoming.next();
  await incoming.reset();
  await t.code([22, 23, 27], step, 'reset after M_NEGOTIATE');
  // The responder's answer meets a reset.
  await t.engine.listenNegotiate(asa, objective);
  const { pair } = await t.disc('EX1', { pairOptions: { reset: true } });
  t.equal(pair.connections.length, 0, 'connections kept');
  // The interface goes while E sends.
  await t.lab.setUp('i1', false);
  const { error } = await t.timed(t.engine.discover(asa, { name: 'EX2' }, { timeoutMs: 200 }));
  t.ok(error === undefined || error.name === 'CallFailed', `discover on a dead link: ${error?.message}`);
  await t.lab.setUp('i1', true);
  await t.eventually(
    async () => {
      const { pair: tried } = await t.disc('EX1');
      return t.settled(tried.accept(500));
    },
    (answer) => answer !== undefined,
    10_000,
    'a normal discovery after all that',
  );
});

row('G-2.2-04', { start: null }, async (t) => {
  // `ip netns exec` gives the program a mount namespace of its own.
  const readOnly =
    'mount -o remount,bind,ro / && ! touch /conformance-write 2>/dev/null && cd / && exec "$@"';
  const adapter = await t.adapter(['sh', '-c', readOnly, 'sh']);
  const engine = new Engine(adapter);
  await engine.start();
  const asa = await engine.registerAsa();
  await engine.registerObjective(asa, { name: 'EX1', negotiate: true });
  const { request } = await engine.listenNegotiate(asa, { name: 'EX1', negotiate: true });
  const { place } = await t.discovered(t.p, 'EX1');
  const { conn, sid } = await t.request(place, { name: 'EX1' });
  const { session } = await request;
  await engine.endNegotiate(asa, session, true);
  t.same((await conn.next()).message, message.accept(sid), 'M_END accept');
  await engine.registerObjective(asa, { name: 'EX2', synchronize: true });
  await engine.flood(asa, 60_000, [{ objective: { name: 'EX2', synchronize: true, value: 1 } }]);
  await t.heard(t.p, M_FLOOD, { name: 'EX2' });
});

row('G-2.2-05', { clean: true, slowMs: 130_000 }, async (t) => {
  await t.listening({ name: 'EX1' });
  await t.learn('EX2', [t.q], { ttl: 60_000 });
  t.signal('SIGSTOP');
  await t.never(() => undefined, 120_000, 'stopped');
  const address = await t.lab.renumber('i1');
  t.signal('SIGCONT');
  await t.eventually(
    () => t.settled(t.discovered(t.p, 'EX1')),
    (found) => found !== undefined && sameAddress(found.place.address, address),
    10_000,
    `M_RESPONSE with ${address} after two minutes of sleep`,
  );
  const expired = await t.engine.discover(await t.asa(), { name: 'EX2' }, { timeoutMs: 0 });
  t.equal(expired.length, 0, 'locators that have expired during the sleep');
  const { pair } = await t.disc('EX2');
  await t.silence(pair);
  await t.lab.setUp('i1', false);
  await t.lab.setUp('i1', true);
  await t.eventually(
    () => t.settled(t.discovered(t.p, 'EX1')),
    (found) => found !== undefined,
    10_000,
    'M_RESPONSE after the interface was down',
  );
});

row('G-2.3-01', { needs: ['several-engines'], start: { interfaces: ['i1'] } }, async (t) => {
  const second = t.otherEngine('second');
  await second.start({ interfaces: ['i1'] });
  await t.flood('EX1', { value: 7 });
  for (const engine of [t.engine, second]) {
    const asa = await engine.registerAsa('reader');
    await t.eventually(
      () => engine.getFlood(asa, { name: 'EX1', synchronize: true }),
      (floods) => floods.length === 1,
      1000,
      `the flood in the cache of ${engine.label}`,
    );
  }
});

/** disc(N) where only one of two engines has N. */
async function onlyOneAnswers(t: T, having: Engine): Promise<void> {
  const asa = await having.registerAsa();
  await having.registerObjective(asa, { name: 'EX1', negotiate: true });
  await having.listenNegotiate(asa, { name: 'EX1', negotiate: true });
  const discovery = await t.disc('EX1');
  await t.response(discovery);
  await t.never(
    () => (discovery.pair.connections.length > 1 ? 'a second response' : undefined),
    2000,
    'exactly one M_RESPONSE',
  );
  await having.deregisterAsa(asa);
}

row('G-2.3-02', { needs: ['several-engines'], start: { interfaces: ['i1'] } }, async (t) => {
  const second = t.otherEngine('second');
  await second.start({ interfaces: ['i1'] });
  await onlyOneAnswers(t, second);
  await onlyOneAnswers(t, t.engine);
});

row('G-2.5.3-02', async (t) => {
  const created = async (): Promise<number> => {
    const counters = await t.lab.run('e', 'cat', '/proc/net/snmp6');
    return Number(/Ip6FragCreates\s+(\d+)/.exec(counters)?.[1]);
  };
  const before = await created();
  const asa = await t.registered({ name: 'EX1', synchronize: true });
  const objective = (bytes: number) => ({
    name: 'EX1',
    synchronize: true,
    value: new Uint8Array(bytes).fill(7),
  });
  for (const bytes of [1100, 1170, 1180, 1190]) {
    const { error } = await t.timed(t.engine.flood(asa, 60_000, [{ objective: objective(bytes) }]));
    if (error) t.ok(bytes > 1170, `a flood with a value of ${bytes} bytes: ${error.message}`);
  }
  await t.until(() => (t.count(t.p, M_FLOOD) >= 2 ? true : undefined), 1000, 'large floods');
  t.equal((await created()) - before, 0, 'IPv6 fragments E has made');
});

row('G-2.5.3-03', async (t) => {
  const asa = await t.registered({ name: 'EX1', synchronize: true });
  // The session ID takes 1 to 5 bytes, nearly always 5; what is around the value is seen in a first flood.
  const flood = (bytes: number): Promise<void> => {
    const value = new Uint8Array(bytes).fill(7);
    return t.engine.flood(asa, 60_000, [{ objective: { name: 'EX1', synchronize: true, value } }]);
  };
  await flood(1000);
  const around = (await t.heard(t.p, M_FLOOD, { name: 'EX1' })).bytes.length - 1000;
  await t.code([3, 40], flood(1300 - around), 'a flood of about 1300 bytes');
  await t.code([3, 40], flood(1237 - around), 'a flood of more than 1232 bytes');
  const seen = t.p.multicasts.length;
  await flood(1232 - around);
  const largest = await t.heard(t.p, M_FLOOD, { name: 'EX1', from: seen });
  t.ok(
    largest.bytes.length <= 1232 && largest.bytes.length >= 1228,
    `${largest.bytes.length} bytes instead of 1232`,
  );
  await t.code(
    [3, 40],
    t.engine.discover(asa, { name: 'x'.repeat(1233) }),
    'a discovery of more than 1232 bytes',
  );
  const sizes = t.p.multicasts.map((each) => each.bytes.length);
  t.ok(Math.max(...sizes) <= 1232, `datagrams of ${sizes.join(', ')} bytes`);
  t.equal(t.count(t.p, M_DISCOVERY), 0, 'discoveries sent');
});

row(['G-2.5.3-04', 'G-2.5.3-05'], async (t) => {
  const { asa, request } = await t.listening({ name: 'EX1' });
  // E as responder: M_RESPONSE, M_NEGOTIATE, M_END on TCP.
  const { place, discovery } = await t.discovered(t.p, 'EX1');
  const { conn, sid } = await t.request(place, { name: 'EX1' });
  const { session } = await request;
  const step = t.engine.negotiateStep(asa, session, { name: 'EX1', value: 2 });
  t.equal((await conn.next()).message[0], 5, 'message type');
  await conn.send(message.negotiate(sid, ['EX1', NEG, 4, 3]));
  t.answer(await step, 'offered');
  await t.engine.endNegotiate(asa, session, true);
  t.equal((await conn.next()).message[0], 6, 'message type');
  // E as initiator: M_REQ_NEG on TCP.
  const listener = await t.p.listen();
  const udp = await t.p.pair({ port: listener.port, tcp: false });
  const call = t.engine.requestNegotiate(
    asa,
    { name: 'EX1', negotiate: true, value: 1 },
    { peer: t.locatorOf(t.p, listener.port) },
  );
  const outgoing = await listener.accept();
  const { message: asked } = await outgoing.next();
  t.equal(asked[0], M_REQ_NEG, 'message type');
  await outgoing.send(message.decline(asked[1] as number));
  t.answer(await call, 'declined');
  t.equal(udp.datagrams.length + discovery.pair.datagrams.length, 0, 'unicast datagrams of E');
  const others = [t.p, t.p2, t.q].flatMap((peer) =>
    peer.multicasts.filter(({ message: m }) => ![0, M_DISCOVERY, M_FLOOD].includes(m?.[0] as number)),
  );
  t.equal(others.length, 0, 'multicasts that are no M_NOOP, M_DISCOVERY or M_FLOOD');
});

row('G-2.5.3-06', async (t) => {
  const { asa } = await t.listening({ name: 'EX1' });
  const { message: response, conn } = await t.response(await t.disc('EX1'));
  await conn.closes();
  t.equal(conn.bytes.toString('hex'), encode(response).toString('hex'), 'bytes of the response');
  const listener = await t.p.listen();
  const call = t.engine.requestNegotiate(
    asa,
    { name: 'EX1', negotiate: true, value: ['NZD', 300] },
    { peer: t.locatorOf(t.p, listener.port) },
  );
  const outgoing = await listener.accept();
  const { message: asked } = await outgoing.next();
  const expected = encode([M_REQ_NEG, asked[1], ['EX1', NEG, 6, ['NZD', 300]]]);
  t.equal(outgoing.bytes.toString('hex'), expected.toString('hex'), 'bytes of M_REQ_NEG');
  await outgoing.send(message.accept(asked[1] as number));
  t.answer(await call, 'accepted');
});

row('G-2.5.3-08', async (t) => {
  const asa = await t.registered({ name: 'EX1', negotiate: true });
  for (const listener of [await t.q.listen(), await t.q.listen(), await t.q.listen({ port: 1 })]) {
    const call = t.engine.requestNegotiate(
      asa,
      { name: 'EX1', negotiate: true, value: 1 },
      { peer: t.locatorOf(t.q, listener.port) },
    );
    const conn = await listener.accept();
    const { message: asked } = await conn.next();
    await conn.send(message.accept(asked[1] as number));
    t.answer(await call, 'accepted');
  }
});
