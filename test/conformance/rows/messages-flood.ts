/** RFC 8990 §2.8.10, §2.8.11: the messages of synchronization and flooding. */
import { row } from '../rows.js';
import {
  locator,
  M_DISCOVERY,
  M_FLOOD,
  M_REQ_SYN,
  message,
  O_FQDN_LOCATOR,
  O_IPv6_LOCATOR,
  O_URI_LOCATOR,
  sameAddress,
  SYNCH,
  TCP,
  UDP,
} from '../wire.js';
import { cached, flooded } from './flooding.js';
import { having, taken } from './parts.js';

row('G-2.8.10-01', async (t) => {
  const asa = await t.synchronizing({ name: 'EX1', value: 'old' });
  const { place } = await t.discovered(t.p, 'EX1');
  const values = ['old', ['a', 1], null] as const;
  for (const [i, value] of values.entries()) {
    if (i > 0) await t.engine.listenSynchronize(asa, { name: 'EX1', synchronize: true, value });
    // The request without a value, with null, and with one that means nothing.
    const { conn, sid } = await t.requestSynch(place, {
      name: 'EX1',
      ...[{}, { value: null }, { value: 9 }][i],
    });
    const { message: answer } = await conn.next();
    t.same(answer, [8, sid, ['EX1', SYNCH, (answer[2] as unknown[])[2], value]], 'M_SYNCH');
    await conn.closes();
  }
  // As initiator, E delivers the value it gets.
  await having(t, 'EX2', 'synchronize');
  const listener = await t.p.listen();
  const peer = t.locatorOf(t.p, listener.port);
  const call = t.engine.synchronize(asa, { name: 'EX2', synchronize: true }, { peer });
  const conn = await listener.accept();
  const { message: request } = await conn.next();
  t.equal(request[0], M_REQ_SYN, 'message type');
  await conn.send(message.synch(request[1] as number, ['EX2', SYNCH, 6, new Map([['a', 1]])]));
  t.same(t.value(await taken(t, call)), new Map([['a', 1]]), 'the value');
});

row('G-2.8.11-01', async (t) => {
  const { onP } = await flooded(t, { name: 'EX1', value: ['a', 7] });
  t.same(onP[4], [['EX1', SYNCH, 6, ['a', 7]], []], 'the objective flooded');
  await t.flood('EX2', { value: 8 });
  const [entry] = await cached(t, 'EX2');
  t.equal(t.value(entry!.objective), 8, 'the value flooded by P');
});

row('G-2.8.11-03', async (t) => {
  const asa = await having(t, 'EX1', 'synchronize');
  const objective = { name: 'EX1', synchronize: true, value: 7 };
  for (const ttl of [60_000, 0, 0xffff_ffff]) {
    const from = t.p.multicasts.length;
    await t.engine.flood(asa, ttl, [{ objective }]);
    const { message: m } = await t.heard(t.p, M_FLOOD, { name: 'EX1', from });
    t.equal(m[3], ttl, 'ttl');
  }
});

// 10 min are too long for a row: two minutes, which are longer than every default.
row('G-2.8.11-04', { slowMs: 125_000 }, async (t) => {
  await t.flood('EX1', { ttl: 0, value: 7, locator: locator(t.p.global, 4711) });
  await t.flood('EX2', { ttl: 100_000 });
  const [entry] = await cached(t, 'EX1');
  t.ok(entry!.expiresInMs === null || entry!.expiresInMs > 600_000, `it expires in ${entry!.expiresInMs} ms`);
  await cached(t, 'EX2');
  await t.never(() => undefined, 121_000, 'time passes');
  const [still] = await cached(t, 'EX1');
  t.equal(t.value(still!.objective), 7, 'the value after two minutes');
  await cached(t, 'EX2', 0);
});

row('G-2.8.11-06', async (t) => {
  const asa = await having(t, 'EX1', 'synchronize');
  const objective = { name: 'EX1', synchronize: true, value: 7 };
  const { ula } = t.lab.addresses('i1');
  const given = { kind: 'ipv6', address: ula, protocol: UDP, port: 4711 } as const;
  await t.engine.flood(asa, 60_000, [{ objective, locator: given }]);
  const { message: m } = await t.heard(t.p, M_FLOOD, { name: 'EX1' });
  t.same(m[4], [['EX1', SYNCH, 6, 7], locator(ula, 4711, UDP)], 'the objective with its locator');
  // Both forms are accepted, in one flood too.
  const place = locator(t.p.global, 4712);
  const pair = await t.p.pair({ tcp: false });
  const pairs = [
    [['EX2', SYNCH, 6, 1], place],
    [['EX3', SYNCH, 6, 2], []],
    [
      ['EX4', SYNCH, 6, 3],
      [O_URI_LOCATOR, 'https://p.conformance.example/', null, null],
    ],
  ];
  await pair.multicast(message.flood(t.sid(), t.p.initiator, 60_000, ...pairs));
  for (const [i, name] of ['EX2', 'EX3', 'EX4'].entries()) {
    const [entry] = await cached(t, name);
    t.equal(t.value(entry!.objective), i + 1, `value of ${name}`);
    t.equal(entry!.locator?.kind, (['ipv6', undefined, 'uri'] as const)[i], `locator of ${name}`);
  }
});

row('G-2.8.11-07', async (t) => {
  const { onP } = await flooded(t, { name: 'EX1', value: 7 }, { name: 'EX2', value: 8 });
  t.equal(onP.length, 6, 'elements of M_FLOOD');
  for (const pair of onP.slice(4) as unknown[][]) t.same(pair[1], [], 'the empty option');
});

row('G-2.8.11-08', async (t) => {
  // RFC 8991 tells the lifetime with the locator.
  await t.flood('EX1', { value: ['a', 7], loopCount: 3, locator: locator(t.p.global, 4711) });
  const [entry] = await cached(t, 'EX1');
  t.same(t.value(entry!.objective), ['a', 7], 'value');
  const left = t.defined(entry!.expiresInMs, 'the lifetime of the entry');
  t.ok(left > 50_000 && left <= 60_000, `${left} ms are left of 60000`);
  // A local ASA that did not ask for it, and synchronize, find it in the cache.
  const other = await t.engine.registerAsa('other');
  const floods = await t.engine.getFlood(other, { name: 'EX1', synchronize: true });
  t.same(t.value(floods[0]?.objective), ['a', 7], 'value another ASA gets');
  const asa = await having(t, 'EX1', 'synchronize');
  const found = await t.engine.synchronize(asa, { name: 'EX1', synchronize: true }, { timeoutMs: 1000 });
  t.same(t.value(found), ['a', 7], 'value synchronize gets');
  t.equal(t.count(t.p, M_DISCOVERY), 0, 'discoveries sent for it');
});

row('G-2.8.11-09', async (t) => {
  await t.flood('EX1', { value: 1 });
  const [untagged] = await cached(t, 'EX1');
  t.equal(untagged!.locator, null, 'the tag of an objective with []');
  await t.flood('EX2', { value: 2, locator: [O_IPv6_LOCATOR, t.p.initiator, UDP, 4711] });
  const [tagged] = await cached(t, 'EX2');
  const tag = t.defined(tagged!.locator, 'the tag');
  t.ok(sameAddress(tag.address, t.p.global), `address ${tag.address}`);
  t.equal(tag.kind, 'ipv6', 'kind');
  t.equal(tag.protocol, UDP, 'protocol');
  t.equal(tag.port, 4711, 'port');
  await t.flood('EX3', { value: 3, locator: [O_FQDN_LOCATOR, 'p.conformance.example', TCP, 4712] });
  const [named] = await cached(t, 'EX3');
  t.equal(named!.locator?.address, 'p.conformance.example', 'name');
  t.equal(named!.locator?.port, 4712, 'port');
});

row('G-2.8.11-10', async (t) => {
  const places = [[], locator(t.p.global, 4711)];
  for (const [i, place] of places.entries()) {
    const name = `EX${i + 1}`;
    await t.flood(name, { value: 'old', locator: place, ttl: 5000 });
    await t.flood(name, { value: 'new', locator: place, from: t.q, ttl: 50_000 });
    const asa = await t.asa();
    const floods = await t.eventually(
      () => t.engine.getFlood(asa, { name, synchronize: true }),
      (found) => found.length > 0 && t.value(found[0]!.objective) === 'new',
      1000,
      `the new value of ${name}`,
    );
    t.equal(floods.length, 1, `entries of ${name}`);
    if (i === 1) t.ok((floods[0]!.expiresInMs ?? 0) > 5000, 'the new lifetime');
  }
});

row('G-2.8.11-11', async (t) => {
  const tags = [
    [],
    locator(t.p.global, 4711),
    locator(t.p.global, 4712),
    locator(t.p.global, 4711, UDP),
    locator(t.p2.global, 4711),
  ];
  for (const [i, tag] of tags.entries()) {
    await t.flood('EX1', { value: i, locator: tag });
    await cached(t, 'EX1', i + 1);
  }
  const values = (await cached(t, 'EX1', tags.length)).map((each) => t.value(each.objective) as number);
  t.same(values.sort(), [0, 1, 2, 3, 4], 'the values');
});

row('G-2.8.11-12', async (t) => {
  const asa = await having(t, 'EX1', 'synchronize');
  await t.flood('EX1', { ttl: 1000, value: 7 });
  const began = t.now();
  await cached(t, 'EX1');
  await t.eventually(
    () => t.engine.getFlood(asa, { name: 'EX1', synchronize: true }),
    (floods) => floods.length === 0,
    2000,
    'the entry is ignored once it has expired',
  );
  t.near(t.now() - began, 1000, 'time until the entry is ignored');
  const call = t.engine.synchronize(asa, { name: 'EX1', synchronize: true }, { timeoutMs: 1000 });
  call.catch(() => undefined); // nobody has it
  await t.heard(t.p, M_DISCOVERY, { name: 'EX1' });
});
