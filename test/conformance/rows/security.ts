/** RFC 8990 §2.5.1, §2.5.2, §3: security, DULL instances. */
import { notApplicable, OPEN_SUBSTRATE, row, type RowOptions } from '../rows.js';
import {
  addressBytes,
  GRASP_LISTEN_PORT,
  isLinkLocal,
  locator,
  M_DISCOVERY,
  M_FLOOD,
  message,
  sameAddress,
} from '../wire.js';

notApplicable(
  OPEN_SUBSTRATE,
  'G-2.5.1-02',
  'G-2.5.1-04',
  'G-2.5.1-05',
  'G-2.5.1-06',
  'G-3-02',
  'G-3-03',
  'G-3-04',
);

row('G-2.5.1-03', { start: { interfaces: ['i1'] }, clean: true }, async (t) => {
  // Q is one link away from E's; E's node forwards packets, its engine is on i1 only.
  await t.lab.run('e', 'sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding');
  await t.lab.ip('q', 'route', 'add', 'fd00:0:0:1::/64', 'via', t.lab.addresses('i2').ula);
  const { request, asa } = await t.listening({ name: 'EX1' });
  await t.silence(await t.disc('EX1', { from: t.q }));
  const { place } = await t.discovered(t.p, 'EX1');
  const { conn, sid } = await t.request(place, { name: 'EX1' }, { from: t.q });
  const { session } = await request;
  await t.engine.endNegotiate(asa, session, true);
  t.same((await conn.next()).message, message.accept(sid), 'M_END accept');
  // What E sends on its own link does not leave it.
  await t.engine.discover(asa, { name: 'EX2' }, { timeoutMs: 200 });
  await t.heard(t.p, M_DISCOVERY, { name: 'EX2' });
  t.equal(t.count(t.q, M_DISCOVERY), 0, 'discoveries Q hears');
});

row('G-2.5.1-08', { needs: ['several-engines'], start: { interfaces: ['i1'] } }, async (t) => {
  const other = t.otherEngine('other');
  await other.start({ interfaces: ['i2'] });
  const reader = await other.registerAsa('conformance');
  // Registrations: the same names are free in the other, and nobody is found there.
  await t.listening({ name: 'EX1' });
  t.equal(
    (await other.discover(reader, { name: 'EX1' }, { timeoutMs: 300 })).length,
    0,
    'ASAs found by the other',
  );
  await t.silence(await t.disc('EX1', { from: t.q }));
  await other.registerObjective(reader, { name: 'EX1', negotiate: true });
  // Caches: what one has learnt, the other does not know.
  await t.learn('EX2', [t.p]);
  t.equal(
    (await other.discover(reader, { name: 'EX2' }, { timeoutMs: 0 })).length,
    0,
    'locators of the other',
  );
  await t.flood('EX3', { value: 1 });
  const asa = await t.asa();
  await t.eventually(
    () => t.engine.getFlood(asa, { name: 'EX3', synchronize: true }),
    (floods) => floods.length === 1,
    1000,
    'the flood in the cache',
  );
  const floods = await other.getFlood(reader, { name: 'EX3', synchronize: true });
  t.equal(floods.length, 0, 'floods of the other');
});

const DULL: RowOptions = { needs: ['dull'], start: { interfaces: ['i1'], dull: ['AN_ACP', 'AN_Proxy'] } };
const ACP = { name: 'AN_ACP', synchronize: true } as const;
/** What P floods as a DULL node: from its link-local address, loop count 1, a locator. */
const proper = { loopCount: 1, flags: 4, value: 'IKEv2' } as const;

row('G-2.5.2-01', DULL, async (t) => {
  const asa = await t.registered(ACP, { discoverable: true });
  await t.flood('AN_ACP', { ...proper, from: t.q, initiator: addressBytes(t.q.linkLocal) });
  await t.silence(await t.disc('AN_ACP', { loopCount: 1, from: t.q }));
  t.equal((await t.engine.getFlood(asa, ACP)).length, 0, 'floods from i2 in the cache');
  await t.flood('AN_ACP', { ...proper, initiator: addressBytes(t.p.linkLocal) });
  await t.eventually(
    () => t.engine.getFlood(asa, ACP),
    (floods) => floods.length === 1,
    1000,
    'the flood from i1 in the cache',
  );
  await t.engine.flood(asa, 60_000, [{ objective: { ...ACP, value: 1 } }]);
  await t.heard(t.p, M_FLOOD, { name: 'AN_ACP' });
  t.equal(t.q.multicasts.length, 0, 'multicasts on i2');
});

row('G-2.5.2-02', { needs: ['dull', 'several-engines'], start: { interfaces: ['i2'] } }, async (t) => {
  const dull = t.otherEngine('dull');
  await dull.start({ interfaces: ['i1'], dull: ['AN_ACP'] });
  const [inside, outside] = [await t.asa(), await dull.registerAsa('conformance')];
  await t.flood('AN_ACP', { ...proper, initiator: addressBytes(t.p.linkLocal) });
  await t.flood('AN_ACP', { ...proper, value: 'inside', from: t.q, initiator: addressBytes(t.q.linkLocal) });
  for (const [engine, asa, value] of [
    [t.engine, inside, 'inside'],
    [dull, outside, 'IKEv2'],
  ] as const) {
    const floods = await t.eventually(
      () => engine.getFlood(asa, ACP),
      (found) => found.length > 0,
      1000,
      `a flood in the cache of ${engine.label}`,
    );
    t.equal(floods.length, 1, `floods in the cache of ${engine.label}`);
    t.equal(t.value(floods[0]!.objective), value, `value in the cache of ${engine.label}`);
  }
});

row('G-2.5.2-03', { ...DULL, start: { ...DULL.start, insecure: false } }, async (t) => {
  const asa = await t.registered(ACP);
  await t.engine.flood(asa, 60_000, [{ objective: { ...ACP, value: 1 } }]);
  await t.heard(t.p, M_FLOOD, { name: 'AN_ACP' });
  await t.engine.discover(asa, { name: 'AN_ACP' }, { timeoutMs: 200 });
  await t.heard(t.p, M_DISCOVERY, { name: 'AN_ACP' });
});

row('G-2.5.2-04', DULL, async (t) => {
  const asa = await t.registered({ ...ACP, loopCount: 6 });
  await t.registered({ name: 'AN_Proxy', synchronize: true, loopCount: 6 });
  await t.engine.flood(asa, 60_000, [
    { objective: { ...ACP, loopCount: 6, value: 1 } },
    { objective: { name: 'AN_Proxy', synchronize: true, loopCount: 6, value: 1 } },
  ]);
  const flood = await t.heard(t.p, M_FLOOD, { name: 'AN_ACP' });
  for (const [objective] of flood.message.slice(4) as [unknown[]][]) {
    t.equal(objective[2], 1, `loop count of ${String(objective[0])}`);
  }
  await t.engine.discover(asa, { name: 'AN_ACP', loopCount: 6 }, { timeoutMs: 200 });
  const asked = await t.heard(t.p, M_DISCOVERY, { name: 'AN_ACP' });
  t.equal((asked.message[3] as unknown[])[2], 1, 'loop count of the discovery');
});

row('G-2.5.2-05', DULL, async (t) => {
  const asa = await t.registered({ name: 'AN_Proxy', negotiate: true });
  const listener = await t.p.listen();
  const peer = t.locatorOf(t.p, listener.port);
  const request = t.engine.requestNegotiate(
    asa,
    { name: 'AN_Proxy', negotiate: true, value: 1 },
    { peer, timeoutMs: 1000 },
  );
  await t.code(16, request, 'requestNegotiate');
  await t.code(16, t.engine.synchronize(asa, ACP, { peer, timeoutMs: 1000 }), 'synchronize with a locator');
  await t.never(
    () => (listener.connections.length > 0 ? 'a connection' : undefined),
    t.silenceMs,
    'no request on the wire',
  );
});

row('G-2.5.2-06', DULL, async (t) => {
  const asa = await t.registered(ACP, { discoverable: true });
  const initiator = addressBytes(t.p.linkLocal);
  for (const loopCount of [0, 2, 255]) await t.silence(await t.disc('AN_ACP', { loopCount, initiator }));
  const first = await t.flood('AN_ACP', { ...proper, loopCount: 2, initiator });
  const pair = await t.p.pair();
  const second = t.sid();
  const objective = (name: string, loopCount: number): unknown[] => [[name, 4, loopCount, 1], []];
  await pair.multicast(
    message.flood(second, initiator, 60_000, objective('AN_ACP', 1), objective('AN_Proxy', 2)),
    message.flood(second + 1, initiator, 60_000, objective('AN_Proxy', 0)),
  );
  await t.silence(first, second, pair);
  for (const name of ['AN_ACP', 'AN_Proxy']) {
    t.equal((await t.engine.getFlood(asa, { name, synchronize: true })).length, 0, `floods of ${name}`);
  }
  await t.response(await t.disc('AN_ACP', { loopCount: 1, initiator }));
});

row('G-2.5.2-07', DULL, async (t) => {
  const asa = await t.asa();
  const initiator = addressBytes(t.p.linkLocal);
  const discovery = await t.disc('EX1', { loopCount: 1, initiator });
  const sid = await t.flood('EX1', { loopCount: 1, initiator });
  await t.silence(discovery, sid);
  t.equal((await t.engine.getFlood(asa, { name: 'EX1', synchronize: true })).length, 0, 'floods of EX1');
  await t.flood('AN_ACP', { ...proper, initiator });
  await t.eventually(
    () => t.engine.getFlood(asa, ACP),
    (floods) => floods.length === 1,
    1000,
    'a flood of AN_ACP is taken',
  );
});

row(['G-2.5.2-08', 'G-2.5.4.4-02'], { ...DULL, slowMs: 11_000 }, async (t) => {
  const initiator = addressBytes(t.p.linkLocal);
  for (const loopCount of [1, 2, 6, 255]) {
    for (const name of ['AN_ACP', 'AN_Proxy', 'EX1']) {
      await t.disc(name, { loopCount, initiator });
      await t.flood(name, { loopCount, initiator });
    }
  }
  await t.never(
    () => (t.q.multicasts.length > 0 ? `Q hears ${t.q.multicasts.length} multicasts` : undefined),
    10_000,
    'nothing on i2',
  );
  await t.registered(ACP, { discoverable: true });
  await t.response(await t.disc('AN_ACP', { loopCount: 1, initiator }));
});

row('G-2.5.2-09', DULL, async (t) => {
  await t.registered(ACP, { discoverable: true });
  const { message: response } = await t.response(
    await t.disc('AN_ACP', { loopCount: 1, initiator: addressBytes(t.p.linkLocal) }),
  );
  const { address } = t.placeIn(response);
  t.ok(isLinkLocal(addressBytes(address)), `${address} is not link-local`);
  t.ok(sameAddress(address, t.lab.addresses('i1').linkLocal), `${address} is not the address of i1`);
});

row('G-2.5.2-10', DULL, async (t) => {
  await t.learn('AN_ACP', [t.p2], { locators: [locator(t.p2.linkLocal, 4711)] });
  await t.silence(await t.disc('AN_ACP', { loopCount: 1, initiator: addressBytes(t.p.linkLocal) }));
  await t.registered({ name: 'AN_Proxy', synchronize: true }, { discoverable: true });
  await t.response(await t.disc('AN_Proxy', { loopCount: 1 }));
});

row('G-2.5.2-11', DULL, async (t) => {
  const asa = await t.registered(ACP, { discoverable: true });
  const pair = await t.p.pair({ address: t.p.global });
  const sid = t.sid();
  await pair.multicast(
    message.discovery(sid, t.p.initiator, ['AN_ACP', 1, 1]),
    message.flood(t.sid(), t.p.initiator, 60_000, [['AN_ACP', 4, 1, 1], []]),
  );
  await t.silence(pair, sid);
  t.equal((await t.engine.getFlood(asa, ACP)).length, 0, 'floods from a global address');
  // An answer to a discovery of E, by TCP from a global address.
  const call = t.engine.discover(asa, { name: 'AN_Proxy' }, { timeoutMs: 1000 });
  const asked = await t.heard(t.p, M_DISCOVERY, { name: 'AN_Proxy' });
  const { conn } = await t.p.tryConnect(t.lab.addresses('i1').ula, asked.port, { localAddress: t.p.global });
  if (conn) {
    const place = locator(t.p.linkLocal, 4711);
    await conn.send(message.response(asked.message[1] as number, asked.message[2] as Buffer, 60_000, place));
    await conn.closes(2000);
  }
  t.equal((await call).length, 0, 'locators taken from a global address');
  const { conn: unicast } = await t.p.tryConnect(t.lab.addresses('i1').ula, GRASP_LISTEN_PORT, {
    localAddress: t.p.global,
  });
  await unicast?.closes(2000);
  await t.response(await t.disc('AN_ACP', { loopCount: 1 }));
});

row('G-3-01', { needs: ['no-security'], start: { insecure: false } }, async (t) => {
  const asa = await t.registered({ name: 'EX1', negotiate: true });
  await t.registered({ name: 'EX2', synchronize: true });
  const listener = await t.p.listen();
  const peer = t.locatorOf(t.p, listener.port);
  const [ex1, ex2] = [
    { name: 'EX1', negotiate: true, value: 1 },
    { name: 'EX2', synchronize: true, value: 1 },
  ];
  const { engine } = t;
  await t.code(16, engine.discover(asa, ex1, { timeoutMs: 300 }), 'discover');
  await t.code(16, engine.requestNegotiate(asa, ex1, { peer, timeoutMs: 500 }), 'requestNegotiate');
  await t.code(16, engine.listenNegotiate(asa, ex1), 'listenNegotiate');
  await t.code(16, engine.synchronize(asa, ex2, { peer, timeoutMs: 500 }), 'synchronize');
  await t.code(16, engine.listenSynchronize(asa, ex2), 'listenSynchronize');
  await t.code(16, engine.flood(asa, 60_000, [{ objective: ex2 }]), 'flood');
  await t.silence(await t.disc('EX1'));
  t.equal(listener.connections.length, 0, 'connections of E');
  for (const each of [t.p, t.q]) t.equal(each.multicasts.length, 0, `multicasts ${each.name} hears`);
});
