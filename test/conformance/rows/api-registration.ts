/** RFC 8991 §2.3.3, §3, Appendix A: registration, limits of the registries, the code noSecurity. */
import { Engine } from '../adapter.js';
import { row } from '../rows.js';
import { freshSid, isLinkLocal, M_FLOOD, message, NEG, sameAddress, addressBytes, SYNCH } from '../wire.js';
import { ANY_CODE, closedAt, everyCall, EX1, EX2, responder, undiscoverable } from './api-sessions.js';

row('A-2.3.3-01', async (t) => {
  const listener = await t.p.listen();
  const peer = t.locatorOf(t.p, listener.port);
  for (const handle of [0, 1, 0x1234_5678]) {
    for (const [name, call] of everyCall(t, { handle, name: 'nobody' }, peer)) await t.code(6, call(), name);
  }
  t.equal(listener.connections.length, 0, 'connections');
  for (const each of [t.p, t.q]) t.equal(t.count(each, M_FLOOD), 0, `floods ${each.name} hears`);
  const asa = await t.asa();
  await t.engine.discover(asa, { name: 'EX5' }, { timeoutMs: 200 });
});

row('A-2.3.3-02', async (t) => {
  const { engine } = t;
  const first = await engine.registerAsa('Gray');
  await t.code(5, engine.registerAsa('Gray'), 'the same name');
  const second = await engine.registerAsa('gray');
  t.ok(first.handle !== second.handle, 'two ASAs have one handle');
  await engine.deregisterAsa(first);
  await engine.registerAsa('Gray');
});

row('A-2.3.3-03', async (t) => {
  const { engine } = t;
  const { asa, serve } = await responder(t);
  const { session, conn } = await serve();
  const { request } = await engine.listenNegotiate(asa, EX1);
  const { place } = await t.discovered(t.p, 'EX1');
  await engine.deregisterAsa(asa);
  await t.code(ANY_CODE, request, 'the listen of an ASA that is gone');
  await conn.closes();
  await undiscoverable(t, 'EX1');
  await closedAt(t, place, message.requestNegotiate(freshSid(), ['EX1', NEG, 6, 1]));
  await t.code([6, 19], engine.endNegotiate(asa, session, true), 'its session');
  await t.code(6, engine.registerObjective(asa, EX2), 'its handle');
  const again = await engine.registerAsa(asa.name);
  await engine.registerObjective(again, EX1);
  await engine.listenNegotiate(again, EX1);
  await t.discovered(t.p, 'EX1');
});

row('A-2.3.3-04', { start: null }, async (t) => {
  const client = await t.adapter([]);
  const engine = new Engine(client);
  await engine.start();
  const asa = await engine.registerAsa('mortal');
  await engine.registerObjective(asa, EX1);
  await engine.listenNegotiate(asa, EX1);
  const { place } = await t.discovered(t.p, 'EX1');
  client.kill('SIGKILL');
  await t.until(() => client.end, 2000, 'the end of the client process');
  await undiscoverable(t, 'EX1');
  await closedAt(t, place, message.requestNegotiate(freshSid(), ['EX1', NEG, 6, 1]));
  // What it has left behind is in nobody's way.
  await t.engine.start();
  const heir = await t.engine.registerAsa('mortal');
  await t.engine.registerObjective(heir, EX1);
  await t.engine.listenNegotiate(heir, EX1);
  await t.discovered(t.p, 'EX1');
});

row('A-2.3.3-05', async (t) => {
  const { engine } = t;
  const [one, two] = [await engine.registerAsa('one'), await engine.registerAsa('two')];
  await t.code(7, engine.deregisterAsa({ handle: one.handle, name: 'two' }), 'the name of another');
  await t.code(6, engine.deregisterAsa({ handle: one.handle, name: 'three' }), 'a name nobody has');
  // Nobody was deregistered by that.
  for (const asa of [one, two]) await engine.deregisterAsa(asa);
  await t.code(6, engine.deregisterAsa(one), 'one that is gone');
});

row('A-2.3.3-06', async (t) => {
  const { engine } = t;
  const [asa, owner] = [await t.asa(), await engine.registerAsa('owner')];
  const listener = await t.p.listen();
  const peer = t.locatorOf(t.p, listener.port);
  const all = async (what: string): Promise<void> => {
    await t.code(
      13,
      engine.requestNegotiate(asa, { ...EX1, value: 1 }, { peer }),
      `requestNegotiate, ${what}`,
    );
    await t.code(13, engine.listenNegotiate(asa, EX1), `listenNegotiate, ${what}`);
    await t.code(13, engine.listenSynchronize(asa, { ...EX2, value: 1 }), `listenSynchronize, ${what}`);
    const tagged = [{ objective: { ...EX2, value: 1 } }];
    await t.code(13, engine.flood(asa, 60_000, tagged), `flood, ${what}`);
  };
  await all('not registered');
  await engine.registerObjective(owner, EX1);
  await engine.registerObjective(owner, EX2);
  await all('registered by another');
  t.equal(listener.connections.length, 0, 'connections');
  t.equal(t.count(t.p, M_FLOOD), 0, 'floods');
  await undiscoverable(t, 'EX1', 'EX2');
  await engine.listenNegotiate(owner, EX1);
  await t.discovered(t.p, 'EX1');
});

row('A-2.3.3-07', async (t) => {
  const asa = await t.asa();
  t.equal((await t.learn('EX1', [t.p])).length, 1, 'locators discovered');
  await t.flood('EX2', { value: 7 });
  const floods = await t.eventually(
    () => t.engine.getFlood(asa, EX2),
    (found) => found.length > 0,
    1000,
    'the flood',
  );
  t.equal(t.value(floods[0]!.objective), 7, 'value flooded');
  const listener = await t.p.listen();
  const ex3 = { name: 'EX3', synchronize: true };
  const call = t.engine.synchronize(asa, ex3, { peer: t.locatorOf(t.p, listener.port) });
  const conn = await listener.accept(2000);
  await conn.send(message.synch((await conn.next()).message[1] as number, ['EX3', SYNCH, 6, 8]));
  t.equal(t.value(await call), 8, 'value synchronized');
});

row('A-2.3.3-08', async (t) => {
  const asa = await t.registered(EX1);
  await t.registered(EX2);
  await undiscoverable(t, 'EX1', 'EX2');
  await t.engine.listenNegotiate(asa, EX1);
  await t.discovered(t.p, 'EX1');
  await undiscoverable(t, 'EX2');
  await t.engine.listenSynchronize(asa, { ...EX2, value: 1 });
  await t.discovered(t.p, 'EX2');
});

row('A-2.3.3-09', async (t) => {
  await t.registered(EX1, { discoverable: true });
  await t.discovered(t.p, 'EX1');
  await t.registered({ name: 'EX3' }, { discoverable: true });
  await t.discovered(t.p, 'EX3');
});

row('A-2.3.3-10', async (t) => {
  await t.registered(EX1, { discoverable: true, ttlMs: 5000 });
  await t.registered(EX2, { discoverable: true });
  for (const [name, ttl] of [
    ['EX1', 5000],
    ['EX2', 60_000],
  ] as const) {
    const { response } = await t.discovered(t.p, name);
    t.equal(response[3], ttl, `ttl of ${name}`);
  }
});

row('A-2.3.3-11', { needs: ['overlap'] }, async (t) => {
  const { engine } = t;
  const [one, two] = [await engine.registerAsa('one'), await engine.registerAsa('two')];
  for (const asa of [one, two]) await engine.registerObjective(asa, EX1, { overlap: true });
  for (const [name, first, second] of [
    ['EX3', true, false],
    ['EX4', false, true],
  ] as const) {
    const objective = { name, negotiate: true };
    await engine.registerObjective(one, objective, { overlap: first });
    await t.code(
      12,
      engine.registerObjective(two, objective, { overlap: second }),
      `overlap ${first}, ${second}`,
    );
  }
  // Each of the two serves a request.
  const listens = [await engine.listenNegotiate(one, EX1), await engine.listenNegotiate(two, EX1)];
  const { place } = await t.discovered(t.p, 'EX1');
  const conns = [await t.request(place, { name: 'EX1' }), await t.request(place, { name: 'EX1' })];
  const [ofOne, ofTwo] = [await listens[0]!.request, await listens[1]!.request];
  await engine.endNegotiate(one, ofOne.session, true);
  await engine.endNegotiate(two, ofTwo.session, true);
  for (const { conn, sid } of conns) t.same((await conn.next()).message, message.accept(sid), 'M_END');
  await engine.listenNegotiate(two, EX1);
  await engine.deregisterAsa(one);
  await t.discovered(t.p, 'EX1');
});

row('A-2.3.3-12', async (t) => {
  const asa = await t.registered(EX1, { local: true });
  const { request } = await t.engine.listenNegotiate(asa, EX1);
  for (const [peer, link] of [
    [t.q, 'i2'],
    [t.p, 'i1'],
  ] as const) {
    const { place, response } = await t.discovered(peer, 'EX1');
    const [, address] = response[4] as [number, Buffer];
    t.ok(isLinkLocal(address), `${place.address} is not link-local`);
    t.ok(sameAddress(address, t.lab.addresses(link).linkLocal), `${place.address} is not that of ${link}`);
  }
  const { place } = await t.discovered(t.p, 'EX1');
  const { conn, sid } = await t.request({ ...place, address: `${place.address}%i1` }, { name: 'EX1' });
  await t.engine.endNegotiate(asa, (await request).session, true);
  t.same((await conn.next()).message, message.accept(sid), 'M_END');
});

row('A-2.3.3-13', async (t) => {
  const { engine } = t;
  const { asa, request } = await t.listening(EX1);
  const other = await engine.registerAsa('other');
  await t.code(13, engine.deregisterObjective(other, EX1), 'by another ASA');
  await t.code(14, engine.deregisterObjective(asa, { name: 'EX3', negotiate: true }), 'one that is unknown');
  const { place } = await t.discovered(t.p, 'EX1');
  await engine.deregisterObjective(asa, EX1);
  await t.code(ANY_CODE, request, 'the pending listen');
  await undiscoverable(t, 'EX1');
  await closedAt(t, place, message.requestNegotiate(freshSid(), ['EX1', NEG, 6, 1]));
  await t.code(13, engine.listenNegotiate(asa, EX1), 'a listen afterwards');
  await engine.registerObjective(other, EX1);
  await engine.listenNegotiate(other, EX1);
  await t.discovered(t.p, 'EX1');
});

row('A-3-02', { slowMs: 40_000 }, async (t) => {
  const { engine } = t;
  /** Registers until the registry is full; undefined if it does not get full. */
  const fill = async (most: number, code: number, register: (i: number) => Promise<unknown>) => {
    for (let i = 0; i < most; i += 100) {
      const outcomes = await Promise.all(Array.from({ length: 100 }, (_, n) => t.timed(register(i + n))));
      const refused = outcomes.filter(({ error }) => error);
      for (const { error } of refused) {
        t.equal((error as { code?: number }).code, code, 'code of a registration that has no room');
      }
      if (refused.length > 0) return i + 100 - refused.length;
    }
    return undefined;
  };
  const asa = await engine.registerAsa('first');
  const name = (i: number): string => `conformance.example:${i}`;
  const objectives = await fill(12_000, 11, (i) =>
    engine.registerObjective(asa, { name: name(i), negotiate: true }),
  );
  const asas = await fill(1200, 4, (i) => engine.registerAsa(`asa ${i}`));
  if (objectives === undefined && asas === undefined) t.notApplicable('neither registry gets full');
  // What is registered works on, and what leaves makes room.
  const ex = { name: name(0), negotiate: true };
  await engine.listenNegotiate(asa, ex);
  await t.discovered(t.p, ex.name);
  if (objectives !== undefined) {
    await engine.deregisterObjective(asa, { name: name(1), negotiate: true });
    await engine.registerObjective(asa, EX1);
    await t.code(11, engine.registerObjective(asa, EX2), 'one more objective');
  }
  await engine.deregisterAsa(asa);
  await engine.registerAsa('last');
  if (asas !== undefined) await t.code(4, engine.registerAsa('one more'), 'one more ASA');
});

row('A-A-01', { needs: ['no-security'], start: { insecure: false } }, async (t) => {
  const asa = await t.registered(EX1);
  await t.registered(EX2);
  const listener = await t.p.listen();
  const peer = t.locatorOf(t.p, listener.port);
  const works = ['registerObjective', 'deregisterObjective', 'deregisterAsa', 'expireFlood'];
  const free = ['stopListenNegotiate', 'stopListenSynchronize', ...works];
  // Without security there is no session: 19 says that as well as 16.
  const sessions = ['negotiateStep', 'negotiateWait', 'endNegotiate', 'sendInvalid'];
  for (const [name, call] of everyCall(t, asa, peer)) {
    if (sessions.includes(name)) await t.code([16, 19], call(), name);
    else if (!free.includes(name)) await t.code(16, call(), name);
    else if (works.includes(name)) await call();
  }
  t.equal(listener.connections.length, 0, 'connections');
  for (const each of [t.p, t.q]) t.equal(each.multicasts.length, 0, `multicasts ${each.name} hears`);
  if (!t.can('dull') || !t.can('several-engines')) return;
  const dull = t.otherEngine('dull');
  await dull.start({ interfaces: ['i1'], insecure: false, dull: ['EX2'] });
  const outside = await dull.registerAsa();
  await dull.registerObjective(outside, EX2);
  await dull.flood(outside, 60_000, [{ objective: { ...EX2, value: 1 } }]);
  await t.heard(t.p, M_FLOOD, { name: 'EX2' });
  await dull.getFlood(outside, EX2);
  await t.flood('EX2', { loopCount: 1, initiator: addressBytes(t.p.linkLocal) });
});
