/** RFC 8991 §2.3.6, §2.3.7: synchronization, flooding and M_INVALID through the API. */
import type { FloodAnswer, LocatorArgument } from '../adapter.js';
import type { T } from '../context.js';
import { row } from '../rows.js';
import {
  addressBytes,
  freshSid,
  locator,
  M_DISCOVERY,
  M_FLOOD,
  M_REQ_SYN,
  M_SYNCH,
  message,
  O_IPv6_LOCATOR,
  SYNCH,
  TCP,
  UDP,
} from '../wire.js';
import { closedAt, EX2, responder, undiscoverable } from './api-sessions.js';
import { patient } from '../waiting.js';

const floods = async (t: T, count: number): Promise<FloodAnswer[]> => {
  const asa = await t.asa();
  return t.eventually(
    () => t.engine.getFlood(asa, EX2),
    (found) => found.length === count,
    2000,
    `${count} floods in the cache`,
  );
};

row('A-2.3.6-01', async (t) => {
  const asa = await t.asa();
  await t.flood('EX2', { value: 7 });
  await floods(t, 1);
  const { ms, value } = await t.timed(t.engine.synchronize(asa, EX2));
  t.equal(t.value(value), 7, 'value');
  t.ok(ms < patient(1000), `synchronize takes ${ms} ms`);
  for (const peer of [t.p, t.q]) t.equal(t.count(peer, M_DISCOVERY), 0, `discoveries ${peer.name} hears`);
  // One that has expired is no answer.
  await t.flood('EX3', { value: 8, ttl: 1500 });
  const ex3 = { name: 'EX3', synchronize: true };
  t.equal(t.value(await soon(t, ex3)), 8, 'value of EX3 while it lives');
  await t.eventually(
    () => t.engine.getFlood(asa, ex3),
    (found) => found.length === 0,
    2000,
    'the flood of EX3 expires',
  );
  const late = t.engine.synchronize(asa, { ...ex3, loopCount: 2 }, { timeoutMs: 500 });
  await t.heard(t.p, M_DISCOVERY, { name: 'EX3' });
  await t.code(33, late, 'synchronize of what has expired');
});

/** The value of a flood that is on its way. */
async function soon(t: T, objective: { name: string; synchronize: boolean }) {
  const asa = await t.asa();
  await t.eventually(
    () => t.engine.getFlood(asa, objective),
    (found) => found.length > 0,
    2000,
    `a flood of ${objective.name}`,
  );
  return t.engine.synchronize(asa, objective);
}

row('A-2.3.6-02', async (t) => {
  const asa = await t.asa();
  const listener = await t.p.listen();
  const call = t.engine.synchronize(asa, EX2);
  const asked = await t.heard(t.p, M_DISCOVERY, { name: 'EX2' });
  t.equal((asked.message[3] as unknown[]).length, 3, 'elements of the discovery objective');
  await t.respond(t.p, asked, { port: listener.port });
  const conn = await listener.accept(2000);
  const { message: request } = await conn.next();
  const [type, sid, objective] = request as [number, number, unknown[]];
  t.same([type, objective.slice(0, 3)], [M_REQ_SYN, ['EX2', SYNCH, 6]], 'M_REQ_SYN');
  await conn.send(message.synch(sid, ['EX2', SYNCH, 6, ['a', 1]]));
  t.same(t.value(await call), ['a', 1], 'value');
});

row('A-2.3.6-03', async (t) => {
  const asa = await t.asa();
  await t.flood('EX2', { value: 7 });
  await floods(t, 1);
  const listener = await t.p.listen();
  const call = t.engine.synchronize(asa, EX2, { peer: t.locatorOf(t.p, listener.port) });
  const conn = await listener.accept(2000);
  const { message: request } = await conn.next();
  t.equal(request[0], M_REQ_SYN, 'message type');
  await conn.send(message.synch(request[1] as number, ['EX2', SYNCH, 6, 8]));
  t.equal(t.value(await call), 8, 'value');
  t.equal(t.count(t.p, M_DISCOVERY), 0, 'discoveries');
});

row('A-2.3.6-04', async (t) => {
  const asa = await t.registered(EX2);
  await undiscoverable(t, 'EX2');
  const get = async (expected: unknown): Promise<void> => {
    const { place } = await t.discovered(t.p, 'EX2');
    const { conn, sid } = await t.requestSynch(place, { name: 'EX2' });
    t.same((await conn.next()).message, [M_SYNCH, sid, ['EX2', SYNCH, 6, expected]], 'M_SYNCH');
  };
  for (const value of [['first', 1], 'second', null]) {
    const { ms } = await t.timed(t.engine.listenSynchronize(asa, { ...EX2, value }));
    t.ok(ms < patient(1000), `listenSynchronize takes ${ms} ms`);
    await get(value);
    await get(value);
  }
});

row('A-2.3.6-05', async (t) => {
  const asa = await t.synchronizing({ ...EX2, value: 7 });
  const { place } = await t.discovered(t.p, 'EX2');
  await t.engine.stopListenSynchronize(asa, EX2);
  await closedAt(t, place, message.requestSynchronize(freshSid(), ['EX2', SYNCH, 6]));
  await undiscoverable(t, 'EX2');
  await t.engine.listenSynchronize(asa, { ...EX2, value: 8 });
  await t.discovered(t.p, 'EX2');
});

row('A-2.3.6-06', async (t) => {
  const asa = await t.registered(EX2);
  const ex3 = { name: 'EX3', synchronize: true };
  await t.registered(ex3);
  const tag: LocatorArgument = { kind: 'ipv6', address: t.p.global, protocol: UDP, port: 4711 };
  await t.engine.flood(asa, 0, [
    { objective: { ...EX2, value: 1 }, locator: tag },
    { objective: { ...ex3, value: 'x', loopCount: 3 } },
  ]);
  const [onP, onQ] = [await t.heard(t.p, M_FLOOD), await t.heard(t.q, M_FLOOD)];
  const sid = onP.message[1] as number;
  const expected = message.flood(
    sid,
    onP.message[2] as Buffer,
    0,
    [['EX2', SYNCH, 6, 1], locator(t.p.global, 4711, UDP)],
    [['EX3', SYNCH, 3, 'x'], []],
  );
  t.same(onP.message, expected, 'the flood on i1');
  t.equal(onQ.message[1], sid, 'session ID on i2');
  t.same(onQ.message.slice(3), expected.slice(3), 'the flood on i2');
  await t.engine.flood(asa, 5000, [{ objective: { ...EX2, value: 2 } }]);
  const second = await t.until(() => t.p.heard((m) => m[0] === M_FLOOD)[1], 1000, 'a second flood');
  t.equal(second.message![3], 5000, 'ttl');
  t.ok(second.message![1] !== sid, 'the second flood has the session ID of the first');
});

row('A-2.3.6-07', async (t) => {
  const asa = await t.registered(EX2);
  const ex3 = { name: 'EX3', synchronize: true };
  await t.registered(ex3);
  const here: LocatorArgument = { kind: 'ipv6', address: '::', protocol: TCP, port: 4443 };
  const elsewhere: LocatorArgument = { ...here, address: t.p.global };
  await t.engine.flood(asa, 60_000, [
    { objective: { ...EX2, value: 1, loopCount: 6 }, locator: here },
    { objective: { ...ex3, value: 2, loopCount: 6 }, locator: elsewhere },
  ]);
  for (const [peer, link] of [
    [t.p, 'i1'],
    [t.q, 'i2'],
  ] as const) {
    const { message: flood } = await t.heard(peer, M_FLOOD);
    const own = addressBytes(t.lab.addresses(link).linkLocal);
    t.same(
      flood[4],
      [
        ['EX2', SYNCH, 1, 1],
        [O_IPv6_LOCATOR, own, TCP, 4443],
      ],
      `the copy on ${link}`,
    );
    t.same(flood[5], [['EX3', SYNCH, 1, 2], locator(t.p.global, 4443)], `the other objective on ${link}`);
  }
});

row('A-2.3.6-08', async (t) => {
  const asa = await t.registered(EX2);
  const ex3 = { name: 'EX3', synchronize: true };
  const one = { objective: { ...EX2, value: 1 } };
  const both = [one, { objective: { ...ex3, value: 1 } }];
  await t.code(13, t.engine.flood(asa, 60_000, both), 'one of two is not registered');
  await t.engine.registerObjective(await t.engine.registerAsa('other'), ex3);
  await t.code(
    13,
    t.engine.flood(asa, 60_000, [...both].reverse()),
    'one of two is registered by another ASA',
  );
  await t.engine.flood(asa, 60_000, [one]);
  const { message: flood } = await t.heard(t.p, M_FLOOD);
  t.equal(flood.length, 5, 'elements of the flood');
  t.equal(t.count(t.p, M_FLOOD), 1, 'floods sent');
});

row('A-2.3.6-09', async (t) => {
  const asa = await t.registered(EX2);
  const good: LocatorArgument = { kind: 'ipv6', address: t.p.global, protocol: TCP, port: 4711 };
  const bad: readonly LocatorArgument[] = [
    { ...good, address: 'no address' },
    { ...good, kind: 'ipv4', address: '256.1.1.1' },
    { ...good, port: 65_536 },
    { ...good, port: null },
    { ...good, protocol: 256 },
    { ...good, protocol: null },
  ];
  for (const each of bad) {
    const call = t.engine.flood(asa, 60_000, [{ objective: { ...EX2, value: 1 }, locator: each }]);
    await t.code(38, call, JSON.stringify(each));
  }
  await t.engine.flood(asa, 60_000, [{ objective: { ...EX2, value: 1 }, locator: good }]);
  const { message: flood } = await t.heard(t.p, M_FLOOD);
  t.same(flood[4], [['EX2', SYNCH, 6, 1], locator(t.p.global, 4711)], 'a flood with a good one');
  t.equal(t.count(t.p, M_FLOOD), 1, 'floods sent');
});

row('A-2.3.6-10', async (t) => {
  const asa = await t.asa();
  const [ofP, ofP2] = [locator(t.p.global, 4711), locator(t.p2.global, 4712)];
  await t.flood('EX2', { value: 'P', locator: ofP, ttl: 100_000 });
  await t.flood('EX2', { value: 'P2', locator: ofP2, from: t.p2, ttl: 0 });
  await t.flood('EX2', { value: 'brief', from: t.p2, ttl: 1000 });
  await t.eventually(
    () => t.engine.getFlood(asa, EX2),
    (found) =>
      found.some(({ locator: l }) => l?.port === 4711) && found.some(({ locator: l }) => l?.port === 4712),
    2000,
    'both floods',
  );
  const found = await floods(t, 2);
  const at = (port: number) => found.find(({ locator: l }) => l?.port === port);
  t.equal(t.value(at(4711)?.objective), 'P', 'value of P');
  t.equal(t.value(at(4712)?.objective), 'P2', 'value of P2');
  t.equal(at(4712)!.locator!.expiresInMs ?? null, null, 'expiry of a flood with ttl 0');
  const left = at(4711)!.expiresInMs!;
  t.ok(left > 80_000 && left <= 100_250, `${left} ms left of 100 s`);
  // A new value from the same place is in the place of the old one.
  await t.flood('EX2', { value: 'new', locator: ofP });
  await t.eventually(
    () => t.engine.getFlood(asa, EX2),
    (all) => all.length === 2 && all.some(({ objective }) => t.value(objective) === 'new'),
    2000,
    'a new value overwrites the old one',
  );
});

row('A-2.3.6-11', async (t) => {
  const asa = await t.asa();
  await t.flood('EX2', { value: 1, locator: locator(t.p.global, 4711), ttl: 0 });
  await t.flood('EX2', { value: 2, locator: locator(t.p2.global, 4712), from: t.p2 });
  await t.flood('EX2', { value: 3 });
  const values = async (count: number): Promise<unknown[]> =>
    (await floods(t, count)).map(({ objective }) => t.value(objective)).sort();
  t.same(await values(3), [1, 2, 3], 'values flooded');
  const forever: LocatorArgument = { kind: 'ipv6', address: t.p.global, protocol: TCP, port: 4711 };
  await t.engine.expireFlood(asa, EX2, forever);
  t.same(await values(2), [2, 3], 'values when the one with ttl 0 is removed');
  await t.engine.expireFlood(asa, EX2, null);
  t.same(await values(1), [2], 'values when the one without locator is removed');
  t.equal(t.value(await t.engine.synchronize(asa, EX2)), 2, 'value of the one left');
  await t.flood('EX2', { value: 4 });
  t.same(await values(2), [2, 4], 'a later flood brings it back');
});

row('A-2.3.7-01', async (t) => {
  const { asa, serve } = await responder(t);
  const { session, conn, sid } = await serve();
  await t.engine.sendInvalid(asa, session, 'c0ffee');
  t.same((await conn.next()).message, message.invalid(sid, Buffer.from('c0ffee', 'hex')), 'M_INVALID');
  await conn.closes();
  await t.code(19, t.engine.endNegotiate(asa, session, true), 'the session afterwards');
  const plain = await serve();
  await t.engine.sendInvalid(asa, plain.session);
  const { message: invalid } = await plain.conn.next();
  t.same(invalid.slice(0, 2), message.invalid(plain.sid), 'M_INVALID without information');
  await plain.conn.closes();
});
