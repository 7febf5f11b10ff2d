/** RFC 8990 §2.8.4, §2.8.5: M_DISCOVERY, M_RESPONSE. */
import { row } from '../rows.js';
import { encode } from '../cbor.js';
import type { LocatorAnswer } from '../adapter.js';
import type { T } from '../context.js';
import {
  addressBytes,
  GRASP_LISTEN_PORT,
  locator,
  M_DISCOVERY,
  M_REQ_SYN,
  message,
  O_FQDN_LOCATOR,
  O_IPv6_LOCATOR,
  O_URI_LOCATOR,
  sameAddress,
  SYNCH,
  TCP,
} from '../wire.js';
import { having, taken } from './parts.js';

/** E discovers EX1; what P and Q hear of it. */
async function asking(t: T, options: { loopCount?: number; timeoutMs?: number } = {}) {
  const { timeoutMs = 600, ...rest } = options;
  const call = t.engine.discover(await t.asa(), { name: 'EX1', ...rest }, { timeoutMs });
  call.catch(() => undefined); // the row looks at it later
  const [onP, onQ] = await Promise.all([
    t.heard(t.p, M_DISCOVERY, { name: 'EX1' }),
    t.heard(t.q, M_DISCOVERY, { name: 'EX1' }),
  ]);
  return { call, onP, onQ };
}

// The peers' sockets hear what is sent to port 7017 of ff02::13, and nothing else.
row('G-2.8.4-01', async (t) => {
  const { onP, onQ } = await asking(t);
  t.equal(onQ.message[1], onP.message[1], 'session ID on i2');
  t.same(onQ.message[3], onP.message[3], 'objective on i2');
});

row(['G-2.8.4-02', 'G-2.8.4-03'], async (t) => {
  const { call, onP, onQ } = await asking(t, { timeoutMs: 1500 });
  await t.respond(t.p, onP, { port: 4711 });
  await t.respond(t.q, onQ, { port: 4712 });
  const ports = (await call).map(({ port }) => port).sort();
  t.same(ports, [4711, 4712], 'ports of the locators found by TCP to the source ports');
});

row('G-2.8.4-04', async (t) => {
  await t.listening({ name: 'EX1' });
  const discovery = await t.disc('EX1', { pairOptions: { port: GRASP_LISTEN_PORT } });
  const { conn } = await t.response(discovery);
  t.equal(conn.localPort, GRASP_LISTEN_PORT, 'port the response comes to');
});

row('G-2.8.4-05', { needs: ['several-engines'] }, async (t) => {
  const second = t.otherEngine('second');
  await second.start();
  const asa = await second.registerAsa('second');
  await asking(t);
  const call = second.discover(asa, { name: 'EX2' }, { timeoutMs: 300 });
  // Own ones: of what one engine relays for the other, perhaps before that has sent there itself, the loop count is one less.
  const own =
    (name: string) =>
    ([type, , , about]: unknown[]): boolean =>
      type === M_DISCOVERY && Array.isArray(about) && about[0] === name && about[2] === 6;
  const onP = await t.p.hears(own('EX1'), 1000, 0);
  const onQ = await t.q.hears(own('EX1'), 1000, 0);
  const other = await t.p.hears(own('EX2'), 1000, 0);
  const otherQ = await t.q.hears(own('EX2'), 1000, 0);
  t.ok(onP && other && other.port !== onP.port, `both engines send from port ${onP?.port} of i1`);
  t.ok(onQ && otherQ && otherQ.port !== onQ.port, `both engines send from port ${onQ?.port} of i2`);
  await call;
});

row('G-2.8.4-06', async (t) => {
  const { onP, onQ } = await asking(t);
  const own = ['i1', 'i2'].map((link) => addressBytes(t.lab.addresses(link).ula));
  for (const { message: m } of [onP, onQ]) {
    const initiator = m[2] as Buffer;
    t.ok(initiator instanceof Uint8Array, 'the initiator is a byte string');
    t.ok(
      own.some((each) => each.equals(initiator)),
      `initiator ${initiator.toString('hex')} is no global address of E`,
    );
  }
  t.same(onQ.message[2], onP.message[2], 'initiator on i2');
});

row('G-2.8.4-07', { start: null, clean: true }, async (t) => {
  for (const link of ['i1', 'i2']) {
    await t.lab.ip('e', 'addr', 'del', `${t.lab.addresses(link).ula}/64`, 'dev', link);
  }
  await t.engine.start();
  const { onP, onQ } = await asking(t);
  const own = ['i1', 'i2'].map((link) => addressBytes(t.lab.addresses(link).linkLocal));
  for (const { message: m } of [onP, onQ]) {
    t.ok(t.isLinkLocal(m[2]), `initiator ${(m[2] as Buffer).toString('hex')} is not link-local`);
    t.ok(
      own.some((each) => each.equals(m[2] as Buffer)),
      'the initiator is no address of E',
    );
  }
});

row('G-2.8.4-08', async (t) => {
  const { onP, onQ } = await asking(t);
  for (const { message: m } of [onP, onQ]) {
    t.equal(m.length, 4, 'elements of M_DISCOVERY');
    t.equal((m[3] as unknown[])[0], 'EX1', 'name of the objective');
  }
});

row('G-2.8.4-09', async (t) => {
  const { onP } = await asking(t);
  t.equal((onP.message[3] as unknown[])[2], 6, 'loop count');
});

row('G-2.8.4-10', async (t) => {
  const { onP, onQ } = await asking(t, { loopCount: 1 });
  for (const { message: m } of [onP, onQ]) t.equal((m[3] as unknown[])[2], 1, 'loop count');
});

// On one link, so that no relayed copy is taken for an answer.
row('G-2.8.5-01', { start: { interfaces: ['i1'] } }, async (t) => {
  const objective = { name: 'EX1', negotiate: true };
  const synchronization = { name: 'EX2', synchronize: true, value: 1 };
  await t.silence(await t.disc('EX1'), await t.disc('EX2'));
  const asa = await t.registered(objective);
  await t.engine.registerObjective(asa, synchronization);
  await t.silence(await t.disc('EX1'), await t.disc('EX2'));
  const { request } = await t.engine.listenNegotiate(asa, objective);
  request.catch(() => undefined); // stopped below
  await t.engine.listenSynchronize(asa, synchronization);
  await t.discovered(t.p, 'EX1');
  await t.discovered(t.p, 'EX2');
  await t.engine.stopListenNegotiate(asa, objective);
  await t.engine.stopListenSynchronize(asa, synchronization);
  await t.silence(await t.disc('EX1'), await t.disc('EX2'));
  const again = await t.engine.listenNegotiate(asa, objective);
  again.request.catch(() => undefined); // ends when the objective is deregistered
  await t.discovered(t.p, 'EX1');
  await t.engine.deregisterObjective(asa, objective);
  await t.silence(await t.disc('EX1'));
  await t.alive();
});

row('G-2.8.5-02', async (t) => {
  await t.listening({ name: 'EX1' });
  const sids = [0, 23, 24, 255, 65_536, 0x8000_0000, 0xffff_ffff];
  for (const [i, sid] of sids.entries()) {
    const initiator = [t.p.global, '192.0.2.1', t.p.linkLocal][i % 3]!;
    // t.response compares both.
    await t.response(await t.disc('EX1', { sid, initiator: addressBytes(initiator) }));
  }
});

row('G-2.8.5-03', async (t) => {
  await t.listening({ name: 'EX1' });
  t.equal((await t.discovered(t.p, 'EX1')).response[3], 60_000, 'ttl without one in the registration');
  await t.listening({ name: 'EX2' }, { ttlMs: 123_456 });
  t.equal((await t.discovered(t.p, 'EX2')).response[3], 123_456, 'ttl of the registration');
});

row('G-2.8.5-04', { slowMs: 65_000 }, async (t) => {
  const [found] = await t.learn('EX1', [t.p], { ttl: 0, port: 4711 });
  t.equal(found?.port, 4711, 'port of the locator found');
  await t.learn('EX2', [t.p], { ttl: 1 });
  await t.never(() => undefined, 61_000, 'time passes');
  const asa = await t.asa();
  const cached = await t.engine.discover(asa, { name: 'EX1' }, { timeoutMs: 0 });
  t.equal(cached.length, 1, 'locators with ttl 0 in the cache after 61 s');
  const expired = await t.engine.discover(asa, { name: 'EX2' }, { timeoutMs: 0 });
  t.equal(expired.length, 0, 'locators with ttl 1 in the cache');
});

row('G-2.8.5-05', async (t) => {
  await t.synchronizing({ name: 'EX1', value: 7 });
  const { message: response } = await t.response(await t.disc('EX1', { flags: SYNCH }));
  for (const item of response.slice(4) as unknown[][]) {
    if (typeof item[0] === 'string') t.equal(item[0], 'EX1', 'name of the objective in the response');
  }
  // E as initiator: with a copy of the objective, and without, an M_RESPONSE is no synchronization.
  const asa = await having(t, 'EX2', 'synchronize');
  for (const copy of [undefined, ['EX2', SYNCH, 6], ['EX2', SYNCH, 6, null]]) {
    const listener = await t.p.listen();
    const from = t.p.multicasts.length;
    await t.engine.discover(asa, { name: 'EX2' }, { timeoutMs: 0, flush: true });
    const call = t.engine.synchronize(asa, { name: 'EX2', synchronize: true }, { timeoutMs: 3000 });
    const asked = await t.heard(t.p, M_DISCOVERY, { name: 'EX2', from });
    await t.respond(t.p, asked, { port: listener.port, objective: copy, ttl: 1 });
    const conn = await listener.accept(3000);
    const { message: request } = await conn.next();
    t.equal(request[0], M_REQ_SYN, 'message type after the response');
    await conn.send(message.synch(request[1] as number, ['EX2', SYNCH, 6, 7]));
    t.equal(t.value(await taken(t, call)), 7, 'the value');
  }
});

row('G-2.8.5-06', async (t) => {
  // As responder to a discovery that P relays for Q.
  await t.listening({ name: 'EX1' });
  const there = await t.p2.pair();
  const relayed = await t.disc('EX1', { initiator: t.p2.initiator });
  const { conn } = await t.response(relayed);
  t.equal(conn.localPort, relayed.pair.port, 'port of the relay');
  // As relay: the copy comes from a port of E where the response is taken.
  const discovery = await t.disc('EX2');
  const copy = await t.heard(t.q, M_DISCOVERY, { sid: discovery.sid });
  const place = locator(t.q.global, 4711);
  await t.respond(t.q, copy, { locators: [place] });
  await t.response(discovery);
  await t.silence(there);
});

row('G-2.8.5-07', async (t) => {
  await t.listening({ name: 'EX1' });
  const { conn } = await t.response(await t.disc('EX1'));
  await conn.closes();
  t.equal(conn.messages.length, 1, 'messages of E');
});

row('G-2.8.5-08', async (t) => {
  const { call, onP } = await asking(t, { timeoutMs: 2000 });
  const began = t.now();
  const [, sid, initiator] = onP.message as [number, number, Buffer];
  const whole = message.response(sid, initiator, 60_000, locator(t.p.global, 4711));
  for (const how of ['reset', 'finish'] as const) {
    const conn = await t.p.connect(onP.address, onP.port);
    await conn.send(encode(whole).subarray(0, 20));
    await conn[how]();
  }
  const other = await t.p.connect(onP.address, onP.port);
  await other.reset();
  await t.respond(t.p2, onP, { port: 4712 });
  const locators = await taken(t, call, 4000);
  t.near(t.now() - began, 2000, 'the discovery goes on until its timeout');
  t.same(
    locators.map(({ port }) => port),
    [4712],
    'ports of the locators found',
  );
});

row('G-2.8.5-09', async (t) => {
  await t.listening({ name: 'EX1' });
  await t.synchronizing({ name: 'EX2', value: 7 });
  for (const name of ['EX1', 'EX2']) {
    const { message: response } = await t.response(await t.disc(name));
    const type = (response[4] as unknown[])[0] as number;
    t.ok(type >= O_IPv6_LOCATOR && type <= O_URI_LOCATOR, `the first option is ${type}`);
  }
});

row('G-2.8.5-10', async (t) => {
  const locators = await t.learn('EX1', [t.p], {
    locators: [
      locator('192.0.2.1', 4711),
      locator(t.p.global, 4712),
      [O_FQDN_LOCATOR, 'p.conformance.example', TCP, 4713],
      [O_URI_LOCATOR, 'https://p.conformance.example/', null, null],
    ],
  });
  const of = (kind: LocatorAnswer['kind']): LocatorAnswer =>
    t.defined(
      locators.find((each) => each.kind === kind),
      `a locator of kind ${kind}`,
    );
  t.ok(sameAddress(of('ipv4').address, '192.0.2.1'), 'the IPv4 address');
  t.ok(sameAddress(of('ipv6').address, t.p.global), 'the IPv6 address');
  t.equal(of('fqdn').address, 'p.conformance.example', 'the name');
  t.equal(of('uri').address, 'https://p.conformance.example/', 'the URI');
  t.same(
    (['ipv4', 'ipv6', 'fqdn', 'uri'] as const).map((kind) => of(kind).port),
    [4711, 4712, 4713, null],
    'the ports',
  );
});
