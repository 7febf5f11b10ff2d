/** RFC 8994 §6.2.5.1, §6.4, §6.9: what an ACP asks of a GRASP engine. */
import { addressBytes, locator, M_DISCOVERY, M_FLOOD, message, TCP, UDP, sameAddress } from '../wire.js';
import { FLOODED, IKEv2, listed, onLink } from './announced.js';
import { notApplicable, OPEN_SUBSTRATE, row, type RowOptions } from '../rows.js';
import { EX1, EX2, undiscoverable } from './api-sessions.js';
import { patient } from '../waiting.js';

notApplicable(
  OPEN_SUBSTRATE,
  'P-6.9.1-01',
  'P-6.9.2-03',
  'P-6.9.2-04',
  'P-6.9.2-05',
  'P-6.9.2-06',
  'P-6.9.2-07',
);

const ACP = { name: 'AN_ACP', synchronize: true } as const;
const DULL: RowOptions = { needs: ['dull'], start: { interfaces: ['i1'], dull: ['AN_ACP', 'AN_Proxy'] } };
const ANNOUNCING: RowOptions = { ...DULL, needs: ['dull', 'announce'] };
const methods = [
  { name: 'IKEv2', port: 15_000 },
  { name: 'DTLS', port: 17_000 },
];

row('P-6.2.5.1-02', async (t) => {
  const asa = await t.asa();
  const est = { name: 'SRV.est', synchronize: true };
  const pair = await t.p.pair({ tcp: false });
  const places = [1, 2, 3].map((n) => locator(t.p.global, 440 + n));
  const flood = (objective: unknown[], place: unknown): Promise<void> =>
    pair.multicast(message.flood(t.sid(), t.p.initiator, 210_000, [objective, place]));
  await flood(['SRV.est', FLOODED, 255], places[0]);
  await flood(['SRV.est', FLOODED, 255, 'what'], places[1]);
  await flood(['SRV.est', FLOODED, 255, [['x', new Map([['y', 1]])], null]], places[2]);
  const found = await t.eventually(
    () => t.engine.getFlood(asa, est),
    (floods) => floods.length === 3,
    2000,
    'three floods of SRV.est',
  );
  const ports = found.map(({ locator: at }) => {
    t.ok(at !== null && sameAddress(at.address, t.p.global) && at.protocol === TCP, 'the locator of P');
    return at!.port;
  });
  t.same([...ports].sort(), [441, 442, 443], 'ports');
  if (!t.can('announce')) return;
  const servers = await listed(t, 'SRV.est', 3);
  t.same(servers.map(({ port }) => port).sort(), [441, 442, 443], 'ports of the servers known');
});

row('P-6.2.5.1-09', { needs: ['announce'] }, async (t) => {
  await t.engine.call('announce', { kind: 'SRV.est', port: 443 });
  const { message: flood } = await t.heard(t.p, M_FLOOD, { name: 'SRV.est' });
  t.equal(flood[3], 210_000, 'ttl');
  const [[name, flags, loopCount], place] = flood[4] as [unknown[], unknown[]];
  t.same([name, flags, loopCount], ['SRV.est', FLOODED, 255], 'objective');
  t.same([place[0], place[2], place[3]], [103, TCP, 443], 'locator');
  t.ok(!t.isLinkLocal(place[1]), 'the locator is link-local');
});

row('P-6.4-01', DULL, async (t) => {
  const asa = await t.registered(ACP, { discoverable: true });
  // From elsewhere: another interface, an address that is not of the link.
  await t.flood('AN_ACP', { ...IKEv2, from: t.q, initiator: onLink(t.q) });
  const elsewhere = await t.disc('AN_ACP', { loopCount: 1, from: t.q, initiator: onLink(t.q) });
  const global = await t.p.pair({ address: t.p.global });
  const sid = t.sid();
  await global.multicast(
    message.flood(t.sid(), t.p.initiator, 60_000, [['AN_ACP', FLOODED, 1, 'IKEv2'], []]),
    message.discovery(sid, t.p.initiator, ['AN_ACP', 1, 1]),
  );
  await t.silence(elsewhere, global, sid);
  t.equal((await t.engine.getFlood(asa, ACP)).length, 0, 'floods from beyond the link');
  await t.flood('AN_ACP', { ...IKEv2, initiator: onLink(t.p) });
  await t.eventually(
    () => t.engine.getFlood(asa, ACP),
    (floods) => floods.length === 1,
    1000,
    'the flood of a neighbour',
  );
  await t.response(await t.disc('AN_ACP', { loopCount: 1, initiator: onLink(t.p) }));
});

row('P-6.4-02', { ...ANNOUNCING, needs: [...ANNOUNCING.needs!, 'several-engines'] }, async (t) => {
  const second = t.otherEngine('second');
  await second.start({ interfaces: ['i2'], dull: ['AN_ACP'] });
  for (const engine of [t.engine, second]) await engine.call('announce', { kind: 'AN_ACP', methods });
  for (const [peer, link] of [
    [t.p, 'i1'],
    [t.q, 'i2'],
  ] as const) {
    const { message: flood } = await t.heard(peer, M_FLOOD, { name: 'AN_ACP' });
    const own = addressBytes(t.lab.addresses(link).linkLocal);
    t.same(flood[2], own, `initiator on ${link}`);
    const pair = (name: string, port: number): unknown[] => [
      ['AN_ACP', FLOODED, 1, name],
      [103, own, UDP, port],
    ];
    t.same(flood.slice(4), [pair('IKEv2', 15_000), pair('DTLS', 17_000)], `methods on ${link}`);
    t.equal(t.count(peer, M_FLOOD, { name: 'AN_ACP' }), 1, `floods on ${link}`);
  }
});

row('P-6.4-03', { ...DULL, start: null }, async (t) => {
  const reports = async (): Promise<number> => {
    const counters = await t.lab.run('e', 'cat', '/proc/net/dev_snmp6/i1');
    return Number(/Icmp6OutMLDv2Reports\s+(\d+)/.exec(counters)?.[1]);
  };
  const groups = (): Promise<string> => t.lab.ip('e', '-6', 'maddr', 'show', 'dev', 'i1');
  t.ok(!/ff02::13\b/.test(await groups()), 'E is in the group before it has been started');
  const before = await reports();
  await t.engine.start(DULL.start!);
  t.ok(/ff02::13\b/.test(await groups()), 'i1 is not in ff02::13');
  await t.eventually(reports, (count) => count > before, 5000, 'an MLDv2 report is sent on i1');
  const asa = await t.asa();
  await t.flood('AN_ACP', { ...IKEv2, initiator: onLink(t.p) });
  await t.eventually(
    () => t.engine.getFlood(asa, ACP),
    (floods) => floods.length === 1,
    1000,
    'the flood of a neighbour',
  );
});

row('P-6.4-06', { ...ANNOUNCING, slowMs: 66_000 }, async (t) => {
  await t.engine.call('announce', { kind: 'AN_ACP', methods });
  const first = await t.heard(t.p, M_FLOOD, { name: 'AN_ACP' });
  const second = await t.until(() => t.p.heard((m) => m[0] === M_FLOOD)[1], 66_000, 'a second flood');
  const interval = second.at - first.at;
  t.ok(Math.abs(interval - 60_000) <= 5000, `${interval.toFixed(0)} ms from flood to flood`);
  t.ok(first.message[1] !== second.message![1], 'both floods have one session ID');
  t.same(second.message!.slice(2), first.message.slice(2), 'the second flood');
});

row('P-6.4-07', ANNOUNCING, async (t) => {
  await t.engine.call('announce', { kind: 'AN_ACP', methods });
  t.equal((await t.heard(t.p, M_FLOOD, { name: 'AN_ACP' })).message[3], 210_000, 'ttl');
});

row('P-6.4-08', DULL, async (t) => {
  const asa = await t.registered(ACP);
  await t.engine.flood(asa, 210_000, [{ objective: { ...ACP, value: 'IKEv2' } }]);
  const flood = await t.heard(t.p, M_FLOOD, { name: 'AN_ACP' });
  const own = addressBytes(t.lab.addresses('i1').linkLocal);
  t.same(flood.message[2], own, 'initiator of the flood');
  t.ok(sameAddress(flood.address, own), `the flood comes from ${flood.address}`);
  await t.engine.discover(asa, { name: 'AN_ACP' }, { timeoutMs: 200 });
  t.same((await t.heard(t.p, M_DISCOVERY)).message[2], own, 'initiator of the discovery');
});

row('P-6.4-09', ANNOUNCING, async (t) => {
  await listed(t, 'AN_ACP', 0);
  const own = locator(t.p.linkLocal, 15_000, UDP);
  const bad = [
    locator(t.p2.linkLocal, 15_001, UDP),
    locator(t.p.global, 15_002, UDP),
    locator('192.0.2.1', 15_003, UDP),
    [105, 'node.example', UDP, 15_004],
  ];
  for (const place of [...bad, own])
    await t.flood('AN_ACP', { ...IKEv2, initiator: onLink(t.p), locator: place });
  const [neighbour] = await listed(t, 'AN_ACP', 1);
  t.equal(neighbour!.port, 15_000, 'port of the neighbour');
  t.ok(sameAddress(neighbour!.address, t.p.linkLocal), `${neighbour!.address} is not the address of P`);
  // Without locator: the initiator's address, and the method's own port.
  await t.flood('AN_ACP', { ...IKEv2, from: t.p2, initiator: onLink(t.p2) });
  const found = await listed(t, 'AN_ACP', 2);
  const second = found.find(({ address }) => sameAddress(address, t.p2.linkLocal));
  t.equal(second?.port, 500, 'port of the neighbour without locator');
});

row('P-6.4-10', ANNOUNCING, async (t) => {
  const place = (port: number): unknown => locator(t.p.linkLocal, port, UDP);
  const initiator = onLink(t.p);
  const value = [['IKEv2', 'parameter', 7], new Map([['extension', true]]), 'x'];
  await t.flood('AN_ACP', { ...IKEv2, initiator, value: ['unheard-of'], locator: place(15_001) });
  await t.flood('AN_ACP', { ...IKEv2, initiator, value, locator: place(15_000) });
  const [neighbour] = await listed(t, 'AN_ACP', 1);
  t.same([neighbour!.method, neighbour!.port], ['IKEv2', 15_000], 'the neighbour');
  const asa = await t.asa();
  const cached = await t.engine.getFlood(asa, ACP);
  const found = cached.find(({ locator: at }) => at?.port === 15_000);
  t.same(t.value(found?.objective), value, 'the value as an ASA gets it');
});

row('P-6.9.2-01', { needs: ['overlap'] }, async (t) => {
  // Nobody else speaks GRASP: P, P2 and Q only listen.
  const { engine } = t;
  const [asa, other] = [await t.asa(), await engine.registerAsa('other')];
  await engine.registerObjective(other, EX1, { overlap: true });
  await engine.registerObjective(asa, EX1, { overlap: true });
  await engine.registerObjective(other, EX2);
  const { request } = await engine.listenNegotiate(other, EX1);
  const found = await engine.discover(asa, { name: 'EX1' }, { timeoutMs: 1000 });
  const place = t.defined(found[0], 'a locator of the other ASA');
  const call = engine.requestNegotiate(asa, { ...EX1, value: 3 }, { peer: place });
  const { session, objective } = await request;
  t.equal(t.value(objective), 3, 'value the other ASA gets');
  await engine.endNegotiate(other, session, true);
  t.answer(await call, 'accepted');
  await engine.flood(other, 60_000, [{ objective: { ...EX2, value: 7 } }]);
  t.equal(t.value(await engine.synchronize(asa, EX2)), 7, 'value flooded by the other ASA');
  const [flood] = await engine.getFlood(asa, EX2);
  t.equal(t.value(flood?.objective), 7, 'value in the flood cache');
});

row('P-6.9.2-02', { needs: ['no-security'], start: { insecure: false } }, async (t) => {
  const { engine } = t;
  t.equal((await engine.status()).security, 'none', 'security in the status');
  const asa = await t.registered(EX1);
  await t.registered(EX2);
  const calls = [
    ['discover', engine.discover(asa, { name: 'EX5' }, { timeoutMs: 300 })],
    ['requestNegotiate', engine.requestNegotiate(asa, { ...EX1, value: 1 })],
    ['listenNegotiate', engine.listenNegotiate(asa, EX1)],
    ['synchronize', engine.synchronize(asa, EX2)],
    ['listenSynchronize', engine.listenSynchronize(asa, { ...EX2, value: 1 })],
    ['flood', engine.flood(asa, 60_000, [{ objective: { ...EX2, value: 1 } }])],
    ['getFlood', engine.getFlood(asa, EX2)],
  ] as const;
  for (const [name, call] of calls) {
    const began = t.now();
    await t.code(16, call, name);
    t.ok(t.now() - began < patient(2000), `${name} takes ${t.now() - began} ms to say so`);
  }
  await undiscoverable(t, 'EX1');
  for (const each of [t.p, t.q]) t.equal(each.multicasts.length, 0, `multicasts ${each.name} hears`);
  // The ASA still runs.
  await engine.deregisterObjective(asa, EX1);
  await engine.registerObjective(asa, EX1);
  t.equal((await engine.status()).security, 'none', 'security in the status');
});
