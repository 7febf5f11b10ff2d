/** RFC 8991 §2.3.2: parameters and data structures. */
import type { LocatorAnswer } from '../adapter.js';
import { Tagged, Verbatim } from '../cbor.js';
import type { T } from '../context.js';
import { row } from '../rows.js';
import {
  addressBytes,
  DISC,
  locator,
  M_DISCOVERY,
  M_FLOOD,
  M_REQ_NEG,
  message,
  NEG,
  sameAddress,
  SYNCH,
  TCP,
  UDP,
} from '../wire.js';
import { ANY_CODE, everyCall, EX1, EX2, initiator, responder } from './api-sessions.js';

const MOST = 0xffff_ffff;

row('A-2.3.2-01', async (t) => {
  const asa = await t.registered(EX2);
  const flood = (ttlMs: number, loopCount?: number): Promise<void> =>
    t.engine.flood(asa, ttlMs, [
      { objective: { ...EX2, value: 1, ...(loopCount === undefined ? {} : { loopCount }) } },
    ]);
  await t.code(ANY_CODE, flood(MOST + 1), 'flood with ttl 2^32');
  await t.code(ANY_CODE, flood(-1), 'flood with ttl -1');
  await t.code(ANY_CODE, flood(60_000, 256), 'flood with loop count 256');
  await t.code(ANY_CODE, t.engine.registerObjective(asa, EX1, { ttlMs: MOST + 1 }), 'ttl of a registration');
  await t.registered(EX1);
  const listener = await t.p.listen();
  const peer = t.locatorOf(t.p, listener.port);
  const request = (loopCount: number, timeoutMs: number): Promise<unknown> =>
    t.engine.requestNegotiate(asa, { ...EX1, loopCount, value: 1 }, { peer, timeoutMs });
  await t.code(ANY_CODE, request(256, 1000), 'request with loop count 256');
  await t.code(ANY_CODE, request(6, MOST + 1), 'request with timeout 2^32');
  await t.code(
    ANY_CODE,
    t.engine.discover(asa, { name: 'EX5' }, { timeoutMs: -1 }),
    'discover with timeout -1',
  );
  await flood(MOST, 255);
  const { message: sent } = await t.heard(t.p, M_FLOOD, { name: 'EX2' });
  t.same(sent.slice(3), [MOST, [['EX2', SYNCH, 255, 1], []]], 'a flood with the largest numbers');
  t.equal(t.count(t.p, M_FLOOD), 1, 'floods sent');
  t.equal(t.count(t.p, M_DISCOVERY), 0, 'discoveries sent');
  t.equal(listener.connections.length, 0, 'connections');
});

row('A-2.3.2-02', async (t) => {
  const { asa, peer, listener, ask } = await initiator(t);
  const { engine } = t;
  // Each call once with success …
  await t.registered(EX2);
  const { call, conn, sid } = await ask();
  await conn.send(message.negotiate(sid, ['EX1', NEG, 5, 3]));
  const { session } = t.answer(await call, 'offered');
  await engine.negotiateWait(asa, session, 1000);
  const step = engine.negotiateStep(asa, session, { ...EX1, value: 4 });
  for (const type of [7, 5]) t.equal((await conn.next()).message[0], type, 'message type');
  await conn.send(message.negotiate(sid, ['EX1', NEG, 3, 5]));
  t.answer(await step, 'offered');
  await engine.endNegotiate(asa, session, true);
  const second = await ask();
  await second.conn.send(message.negotiate(second.sid, ['EX1', NEG, 5, 3]));
  const offered = t.answer(await second.call, 'offered');
  await engine.sendInvalid(asa, offered.session, '01');
  const synchronize = engine.synchronize(asa, { name: 'EX5', synchronize: true }, { peer });
  const synch = await listener.accept(2000, 2);
  await synch.send(message.synch((await synch.next()).message[1] as number, ['EX5', SYNCH, 6, 7]));
  t.equal(t.value(await synchronize), 7, 'value synchronized');
  await engine.listenSynchronize(asa, { ...EX2, value: 1 });
  await engine.stopListenSynchronize(asa, EX2);
  const { request } = await engine.listenNegotiate(asa, EX1);
  await engine.stopListenNegotiate(asa, EX1);
  await t.code(ANY_CODE, request, 'a listen that was stopped');
  t.equal((await engine.discover(asa, { name: 'EX5' }, { timeoutMs: 200 })).length, 0, 'locators');
  await engine.flood(asa, 60_000, [{ objective: { ...EX2, value: 1 } }]);
  await engine.getFlood(asa, EX2);
  await engine.expireFlood(asa, EX2, null);
  // … and once with failure.
  const failures: readonly (readonly [string, readonly number[], () => Promise<unknown>])[] = [
    ['registerAsa', [5], () => engine.registerAsa(asa.name)],
    ['registerObjective', [12], () => engine.registerObjective(asa, EX1)],
    ['discover', [6], () => engine.discover({ ...asa, handle: asa.handle ^ 1 }, EX1, { timeoutMs: 200 })],
    ['requestNegotiate', [15], () => engine.requestNegotiate(asa, { ...EX2, value: 1 }, { peer })],
    ['listenNegotiate', [15], () => engine.listenNegotiate(asa, EX2)],
    ['negotiateStep', [19], () => engine.negotiateStep(asa, session, { ...EX1, value: 1 })],
    ['negotiateWait', [19], () => engine.negotiateWait(asa, session, 1000)],
    ['endNegotiate', [19], () => engine.endNegotiate(asa, session, true)],
    ['sendInvalid', [19], () => engine.sendInvalid(asa, offered.session)],
    ['synchronize', [32], () => engine.synchronize(asa, EX1, { peer })],
    ['listenSynchronize', [32], () => engine.listenSynchronize(asa, EX1)],
    ['flood', [32], () => engine.flood(asa, 1000, [{ objective: EX1 }])],
    ['getFlood', [32], () => engine.getFlood(asa, EX1)],
    ['deregisterObjective', [14], () => engine.deregisterObjective(asa, { name: 'EX6', negotiate: true })],
    ['deregisterAsa', [6], () => engine.deregisterAsa({ handle: asa.handle, name: 'nobody' })],
  ];
  for (const [name, codes, failing] of failures) await t.code(codes, failing(), name);
  await engine.deregisterObjective(asa, EX1);
  await engine.deregisterAsa(asa);
});

row('A-2.3.2-03', async (t) => {
  const { engine } = t;
  const [asa, other] = [await t.asa(), await engine.registerAsa('other')];
  await t.registered(EX1);
  await t.registered(EX2);
  const given = [
    [5, 'dupASA', () => engine.registerAsa(asa.name)],
    [6, 'noASA', () => engine.deregisterAsa({ handle: asa.handle, name: 'nobody' })],
    [7, 'notYourASA', () => engine.deregisterAsa({ handle: asa.handle, name: 'other' })],
    [8, 'notBoth', () => engine.registerObjective(asa, { name: 'EX3', negotiate: true, synchronize: true })],
    [9, 'notDry', () => engine.registerObjective(asa, { name: 'EX3', dryRun: true })],
    [12, 'objReg', () => engine.registerObjective(asa, EX1)],
    [13, 'notYourObj', () => engine.deregisterObjective(other, EX1)],
    [14, 'notObj', () => engine.deregisterObjective(asa, { name: 'EX3', negotiate: true })],
    [15, 'notNeg', () => engine.listenNegotiate(asa, EX2)],
    [17, 'noDiscReply', () => engine.requestNegotiate(asa, { ...EX1, loopCount: 2 }, { timeoutMs: 500 })],
    [19, 'noSession', () => engine.endNegotiate(asa, 'no session', true)],
    [32, 'notSynch', () => engine.synchronize(asa, EX1)],
    [33, 'notFloodDisc', () => engine.synchronize(asa, { ...EX2, loopCount: 2 }, { timeoutMs: 500 })],
  ] as const;
  for (const [code, name, call] of given) await t.code(code, call(), name);
});

row('A-2.3.2-04', { slowMs: 61_000 }, async (t) => {
  const asa = await t.registered(EX1);
  const listener = await t.p.listen();
  const peer = t.locatorOf(t.p, listener.port);
  const negotiate = t.timed(t.engine.requestNegotiate(asa, { ...EX1, value: 1 }, { peer, timeoutMs: 0 }));
  const synchronize = t.timed(t.engine.synchronize(asa, EX2, { peer, timeoutMs: 0 }));
  const { ms, value } = await t.timed(t.engine.discover(asa, { name: 'EX5' }, { timeoutMs: 0 }));
  t.equal(value?.length, 0, 'locators of a discovery with timeout 0');
  t.near(ms, 0, 'a discovery with timeout 0');
  for (const [call, code, name] of [
    [negotiate, 27, 'requestNegotiate'],
    [synchronize, 36, 'synchronize'],
  ] as const) {
    const outcome = await call;
    t.near(outcome.ms, 60_000, `${name} with timeout 0`);
    t.equal((outcome.error as { code?: number } | undefined)?.code, code, `code of ${name}`);
  }
});

row('A-2.3.2-05', async (t) => {
  const asa = await t.asa();
  const both = { name: 'EX1', negotiate: true, synchronize: true };
  await t.code(8, t.engine.registerObjective(asa, both), 'negotiation and synchronization');
  await t.engine.registerObjective(asa, { name: 'EX1', synchronize: true });
});

row('A-2.3.2-06', async (t) => {
  const asa = await t.asa();
  await t.code(9, t.engine.registerObjective(asa, { name: 'EX1', dryRun: true }), 'dry alone');
  const synch = { name: 'EX1', synchronize: true, dryRun: true };
  await t.code([8, 9], t.engine.registerObjective(asa, synch), 'dry with synch');
  await t.engine.registerObjective(asa, { ...EX1, dryRun: true });
});

row('A-2.3.2-07', async (t) => {
  const { ask, asa } = await initiator(t);
  const { request, conn, call, sid } = await ask(undefined, { objective: { value: undefined } });
  t.same(request, [M_REQ_NEG, sid, ['EX1', NEG, 6, null]], 'M_REQ_NEG of a new objective');
  await conn.send(message.accept(sid));
  t.answer(await call, 'accepted');
  await t.engine.discover(asa, { name: 'EX5' }, { timeoutMs: 200 });
  const { message: asked } = await t.heard(t.p, M_DISCOVERY, { name: 'EX5' });
  t.same(asked[3], ['EX5', DISC, 6], 'the discovery objective of a new objective');
});

row('A-2.3.2-08', async (t) => {
  const garbage = (type: number): Verbatim => new Verbatim(`83 0${type} 1c ff`);
  const { asa, ask, listener } = await initiator(t);
  const first = await ask();
  await first.conn.send(garbage(5));
  await t.code(24, first.call, 'garbage in answer to M_REQ_NEG');
  const { call, conn, sid } = await ask();
  await conn.send(message.negotiate(sid, ['EX1', NEG, 5, 3]));
  const { session } = t.answer(await call, 'offered');
  const step = t.engine.negotiateStep(asa, session, { ...EX1, value: 4 });
  await conn.next();
  await conn.send(garbage(5));
  await t.code(24, step, 'garbage in answer to M_NEGOTIATE');
  // An item cut off by FIN is no CBOR either.
  const cut = await ask();
  await cut.conn.send(new Verbatim('83 05 1a 00 00'));
  await cut.conn.finish();
  await t.code(24, cut.call, 'a truncated answer');
  const synchronize = t.engine.synchronize(asa, EX2, { peer: t.locatorOf(t.p, listener.port) });
  const synch = await listener.accept(2000, 3);
  await synch.next();
  await synch.send(garbage(8));
  await t.code(24, synchronize, 'garbage in answer to M_REQ_SYN');
});

row('A-2.3.2-10', { needs: ['raw-cbor'] }, async (t) => {
  const { ask } = await initiator(t);
  const { call, conn, sid, request } = await ask(undefined, {
    objective: { value: undefined, raw: '820102' },
  });
  t.same(request[2], ['EX1', NEG, 6, new Tagged(24, Buffer.of(0x82, 1, 2))], 'objective of M_REQ_NEG');
  t.ok(conn.bytes.toString('hex').endsWith('d81843820102'), `${conn.bytes.toString('hex')}: value`);
  const offer = ['EX1', NEG, 5, new Tagged(24, Buffer.of(0x82, 1, 3))];
  await conn.send(message.negotiate(sid, offer));
  const answer = t.answer(await call, 'offered');
  t.equal(answer.objective.raw, '820103', 'raw CBOR the ASA gets');
  // The other way: raw CBOR of an initiator.
  await t.engine.deregisterAsa(await t.asa());
  const asa = await t.engine.registerAsa('responder');
  await t.engine.registerObjective(asa, EX1);
  const { request: incoming } = await t.engine.listenNegotiate(asa, EX1);
  const { place } = await t.discovered(t.p, 'EX1');
  await t.request(place, { name: 'EX1', value: new Tagged(24, Buffer.of(0xa0)) });
  t.equal((await incoming).objective.raw, 'a0', 'raw CBOR of a request');
});

row('A-2.3.2-11', async (t) => {
  const { asa, ask, peer } = await initiator(t);
  const long = { name: 'x'.repeat(3000), negotiate: true };
  const { error } = await t.timed(t.engine.registerObjective(asa, long));
  // With or without a limit on names: what does not fit a message of 2048 bytes is not sent.
  if (!error) await t.code(ANY_CODE, t.engine.requestNegotiate(asa, { ...long, value: 1 }, { peer }), 'name');
  const value = new Uint8Array(3000);
  await t.code([3, 40], t.engine.requestNegotiate(asa, { ...EX1, value }, { peer }), 'a value of 3000 bytes');
  const { call, conn, sid, request } = await ask(new Uint8Array(2000));
  t.same(request[2], ['EX1', NEG, 6, Buffer.alloc(2000)], 'a request with a value of 2000 bytes');
  await conn.send(message.accept(sid));
  t.answer(await call, 'accepted');
});

/** The one locator of a kind. */
function only(t: T, found: readonly LocatorAnswer[], kind: string): LocatorAnswer {
  const all = found.filter((each) => each.kind === kind);
  t.equal(all.length, 1, `locators that are ${kind}`);
  return all[0]!;
}

row('A-2.3.2-12', async (t) => {
  const asa = await t.asa();
  const call = t.engine.discover(asa, { name: 'EX5' }, { timeoutMs: 1000 });
  const asked = await t.heard(t.p, M_DISCOVERY, { name: 'EX5' });
  await t.respond(t.p, asked, {
    ttl: 50_000,
    locators: [
      locator(t.p.global, 4711),
      locator('192.0.2.1', 4712, UDP),
      [105, 'node.example', TCP, 4713],
      [106, 'https://node.example/x', null, null],
    ],
  });
  const elsewhere = 'fd00:0:0:77::1';
  const there = await t.heard(t.q, M_DISCOVERY, { name: 'EX5' });
  await t.respond(t.q, there, { locators: [message.divert([103, addressBytes(elsewhere), TCP, 4714])] });
  const found = await call;
  const [direct, diverted] = [found.filter((l) => !l.diverted), found.filter((l) => l.diverted)];
  const ipv6 = only(t, direct, 'ipv6');
  t.ok(sameAddress(ipv6.address, t.p.global), `${ipv6.address} is not the address of P`);
  t.same([ipv6.protocol, ipv6.port, ipv6.interface], [TCP, 4711, 'i1'], 'the IPv6 locator');
  const ipv4 = only(t, direct, 'ipv4');
  t.same([ipv4.address, ipv4.protocol, ipv4.port], ['192.0.2.1', UDP, 4712], 'the IPv4 locator');
  const fqdn = only(t, direct, 'fqdn');
  t.same([fqdn.address, fqdn.protocol, fqdn.port], ['node.example', TCP, 4713], 'the FQDN locator');
  const uri = only(t, direct, 'uri');
  t.same([uri.address, uri.protocol, uri.port], ['https://node.example/x', null, null], 'the URI locator');
  const divert = only(t, diverted, 'ipv6');
  t.ok(sameAddress(divert.address, elsewhere), `${divert.address} is not where the Divert points to`);
  t.same([divert.protocol, divert.port, divert.interface], [TCP, 4714, 'i2'], 'the diverted locator');
  const { expiresInMs } = ipv6;
  t.ok(typeof expiresInMs === 'number' && expiresInMs > 30_000 && expiresInMs <= 50_250, `${expiresInMs} ms`);
  t.equal(found.length, 5, 'locators');
});

row('A-2.3.2-13', async (t) => {
  const { asa, peer } = await initiator(t);
  await t.registered(EX2);
  for (const handle of [(asa.handle + 1) % (MOST + 1), (asa.handle ^ 0x8000_0000) >>> 0]) {
    for (const [name, call] of everyCall(t, { handle, name: 'nobody' }, peer)) await t.code(6, call(), name);
  }
  t.equal(t.count(t.p, M_DISCOVERY) + t.count(t.p, M_FLOOD), 0, 'multicasts sent');
  await t.engine.discover(asa, { name: 'EX5' }, { timeoutMs: 200 });
});

row('A-2.3.2-14', async (t) => {
  const handles: number[] = [];
  for (let i = 0; i < 1000; i++) {
    const { value, error } = await t.timed(t.engine.registerAsa(`asa ${i}`));
    // The registry may be full before (code 4).
    if (error) {
      t.equal((error as { code?: number }).code, 4, `code at registration ${i}`);
      break;
    }
    handles.push(value!.handle);
  }
  t.ok(handles.length >= 20, `only ${handles.length} ASAs fit`);
  t.equal(new Set(handles).size, handles.length, 'different handles');
  t.ok(
    handles.every((each) => Number.isInteger(each) && each >= 0 && each <= MOST),
    'handles of up to 32 bits',
  );
  const steps = new Set(handles.slice(1).map((each, i) => each - handles[i]!));
  t.ok(steps.size > handles.length / 2, `only ${steps.size} different steps from handle to handle`);
});

row('A-2.3.2-15', async (t) => {
  const { asa, serve } = await responder(t);
  const { engine } = t;
  const ends: readonly (readonly [
    string,
    (served: Awaited<ReturnType<typeof serve>>) => Promise<unknown>,
  ])[] = [
    ['accept', ({ session }) => engine.endNegotiate(asa, session, true)],
    ['decline', ({ session }) => engine.endNegotiate(asa, session, false)],
    ['sendInvalid', ({ session }) => engine.sendInvalid(asa, session)],
    [
      'the accept of the peer',
      async ({ session, conn, sid }) => {
        const step = engine.negotiateStep(asa, session, { ...EX1, value: 2 });
        await conn.next();
        await conn.send(message.accept(sid));
        t.answer(await step, 'accepted');
      },
    ],
    [
      'the end of the connection',
      async ({ session, conn }) => {
        const step = engine.negotiateStep(asa, session, { ...EX1, value: 2 });
        await conn.next();
        await conn.finish();
        await t.code([23, 27], step, 'a step when the peer closes');
      },
    ],
  ];
  for (const [what, end] of ends) {
    const served = await serve();
    await end(served);
    const { session } = served;
    await t.code(19, engine.negotiateStep(asa, session, { ...EX1, value: 2 }), `negotiateStep after ${what}`);
    await t.code(19, engine.negotiateWait(asa, session, 1000), `negotiateWait after ${what}`);
    await t.code(19, engine.endNegotiate(asa, session, true), `endNegotiate after ${what}`);
    await t.code(19, engine.sendInvalid(asa, session), `sendInvalid after ${what}`);
  }
  await t.code(19, engine.endNegotiate(asa, 'never given', true), 'a handle never given');
});
