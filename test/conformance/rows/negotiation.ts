/** RFC 8990 §2.5.5: negotiation, and its rapid mode. */
import { row } from '../rows.js';
import type { Answer, AsaHandle } from '../adapter.js';
import type { T } from '../context.js';
import {
  DRY,
  locator,
  M_DISCOVERY,
  M_END,
  M_NEGOTIATE,
  M_REQ_NEG,
  M_RESPONSE,
  message,
  NEG,
} from '../wire.js';
import { eNegotiates, having, pNegotiates, taken } from './parts.js';

row('G-2.5.5-01', async (t) => {
  // Whether E repeats by itself or its ASA does: never with the same session ID.
  const asa = await having(t, 'EX1', 'negotiate');
  const listener = await t.p.listen();
  for (let i = 0; i < 3; i++) {
    const call = t.engine.requestNegotiate(
      asa,
      { name: 'EX1', negotiate: true, value: 1 },
      { peer: t.locatorOf(t.p, listener.port), timeoutMs: 300 },
    );
    await t.code([17, 27], call);
  }
  const sids = listener.connections.flatMap((conn) =>
    conn.messages.filter(({ message: m }) => m[0] === M_REQ_NEG).map(({ message: m }) => m[1]),
  );
  t.ok(sids.length >= 3, `${sids.length} requests of 3 calls`);
  t.equal(new Set(sids).size, sids.length, 'different session IDs');
});

row('G-2.5.5-03', async (t) => {
  const { asa, session, conn, sid } = await pNegotiates(t, { value: ['NZD', 300] });
  await t.engine.endNegotiate(asa, session, true);
  t.same((await conn.next()).message, message.accept(sid), 'M_END accept');
  await conn.closes();
});

row('G-2.5.5-04', async (t) => {
  const initiated = await eNegotiates(t);
  await initiated.conn.send(message.accept(initiated.sid));
  t.answer(await taken(t, initiated.call), 'accepted');
  await initiated.conn.closes();
  t.equal(initiated.conn.messages.length, 1, 'messages of E, the request among them');
  const { asa, session, conn, sid } = await pNegotiates(t);
  const step = t.engine.negotiateStep(asa, session, { name: 'EX1', value: 2 });
  t.equal((await conn.next()).message[0], M_NEGOTIATE, 'message type of the step');
  await conn.send(message.decline(sid, 'no'));
  t.answer(await taken(t, step), 'declined');
  await conn.closes();
  t.equal(conn.messages.length, 1, 'messages of E, the step among them');
});

row('G-2.5.5-05', async (t) => {
  const ended = await eNegotiates(t);
  await ended.conn.send(message.accept(ended.sid));
  await ended.conn.closes();

  const ending = await pNegotiates(t);
  await t.engine.endNegotiate(ending.asa, ending.session, false, 'no');
  t.equal((await ending.conn.next()).message[0], M_END, 'message type');
  await ending.conn.closes();

  const late = await pNegotiates(t);
  const step = t.engine.negotiateStep(late.asa, late.session, { name: 'EX1' }, { timeoutMs: 500 });
  await late.conn.next();
  await t.code(27, step, 'no answer to the step');
  await late.conn.closes();

  const exhausted = await pNegotiates(t, { loopCount: 1 });
  await t.code(21, t.engine.negotiateStep(exhausted.asa, exhausted.session, { name: 'EX1' }));
  await exhausted.conn.closes();

  // What cannot belong to this negotiation ends it at once, or is ignored until the timeout ends it.
  const odd = await eNegotiates(t, { timeoutMs: 1000 });
  await odd.conn.send(message.negotiate(odd.sid, ['EX2', NEG, 5, 1]));
  await t.code([25, 27, 28], taken(t, odd.call));
  await odd.conn.closes();
});

row('G-2.5.5-06', async (t) => {
  for (const how of ['reset', 'finish'] as const) {
    const asked = await eNegotiates(t);
    await asked.conn[how]();
    await t.code([23, 27], taken(t, asked.call), `${how} after M_REQ_NEG`);

    const { asa, session, conn } = await pNegotiates(t);
    const step = t.engine.negotiateStep(asa, session, { name: 'EX1', value: 2 });
    await conn.next();
    await conn[how]();
    await t.code([23, 27], taken(t, step), `${how} after M_NEGOTIATE`);
  }
  await t.alive();
});

row('G-2.5.5-07', async (t) => {
  const late = await pNegotiates(t);
  const step = t.engine.negotiateStep(late.asa, late.session, { name: 'EX1' }, { timeoutMs: 500 });
  await t.code(27, step, 'no answer to the step');
  await t.code(19, t.engine.negotiateStep(late.asa, late.session, { name: 'EX1' }), 'a step afterwards');
  await t.code(19, t.engine.endNegotiate(late.asa, late.session, true), 'the end afterwards');

  const { asa, session } = await pNegotiates(t, { loopCount: 1 });
  await t.code(21, t.engine.negotiateStep(asa, session, { name: 'EX1' }), 'loop count exceeded');
  await t.code(19, t.engine.negotiateStep(asa, session, { name: 'EX1' }), 'a step afterwards');
});

row('G-2.5.5-08', { slowMs: 10_000 }, async (t) => {
  // Ten at once for each of EX1 to EX5, begun by P and P2; and fifty of E's own.
  const names = ['EX1', 'EX2', 'EX3', 'EX4', 'EX5'];
  const peers = [t.p, t.p2];
  const asa = await t.asa();
  const served: Promise<void>[] = [];
  const requests: Promise<void>[] = [];
  for (const name of names) {
    await having(t, name, 'negotiate');
    const listens = [];
    for (let i = 0; i < 10; i++) listens.push(await t.engine.listenNegotiate(asa, { name, negotiate: true }));
    served.push(...listens.map(({ request }) => serve(t, asa, name, request)));
    const places = new Map<(typeof peers)[number], { address: string; port: number }>();
    for (const peer of peers) places.set(peer, (await t.discovered(peer, name)).place);
    for (let i = 0; i < 10; i++) {
      const peer = peers[i % 2]!;
      requests.push(
        (async () => {
          const { conn, sid } = await t.request(
            places.get(peer)!,
            { name, value: [name, i] },
            { from: peer },
          );
          const step = await conn.next(10_000);
          t.same(step.message, [M_NEGOTIATE, sid, [name, NEG, 5, ['re', name, i]]], 'the step of E');
          await conn.send(message.negotiate(sid, [name, NEG, 4, ['and', name, i]]));
          t.same((await conn.next(10_000)).message, message.decline(sid, `${name} ${i}`), 'the end');
        })(),
      );
    }
  }
  const listener = await t.p2.listen();
  const own = Array.from({ length: 50 }, async (_, i) => {
    const name = names[i % 5]!;
    const peer = t.locatorOf(t.p2, listener.port);
    const call = t.engine.requestNegotiate(
      asa,
      { name, negotiate: true, value: ['own', i] },
      { peer, timeoutMs: 20_000 },
    );
    t.equal(t.answer(await call, 'declined').reason, `own ${i}`, 'reason');
  });
  // Answered in the opposite order, when all have come.
  await t.until(() => (listener.connections.length === 50 ? true : undefined), 10_000, '50 requests of E');
  const asked = await Promise.all(listener.connections.map((conn) => conn.next(10_000)));
  for (const [i, { message: m }] of [...asked.entries()].reverse()) {
    const [, sid, objective] = m as [number, number, [string, number, number, [string, number]]];
    await listener.connections[i]!.send(message.decline(sid, objective[3].join(' ')));
  }
  await Promise.all([...served, ...requests, ...own]);
});

/** An answer that shows which request it is for, one step more, and a decline that shows it too. */
async function serve(
  t: T,
  asa: AsaHandle,
  name: string,
  request: Promise<{ session: string; objective: { value?: string | null } }>,
): Promise<void> {
  const { session, objective } = await request;
  const [, i] = t.value(objective as Parameters<T['value']>[0]) as [string, number];
  const answer: Answer = await t.engine.negotiateStep(
    asa,
    session,
    { name, value: ['re', name, i] },
    { timeoutMs: 20_000 },
  );
  const offered = t.answer(answer, 'offered');
  t.same(t.value(offered.objective), ['and', name, i], `the offer in the session of ${name} ${i}`);
  await t.engine.endNegotiate(asa, session, false, `${name} ${i}`);
}

row('G-2.5.5-09', async (t) => {
  const asked = await eNegotiates(t, { timeoutMs: 1000 });
  await t.code(27, taken(t, asked.call, 3000), 'silence after M_REQ_NEG');
  t.near((await asked.conn.closes()).at - asked.at, 1000, 'time after M_REQ_NEG');

  const { asa, session, conn } = await pNegotiates(t);
  const step = t.engine.negotiateStep(asa, session, { name: 'EX1', value: 2 }, { timeoutMs: 1000 });
  const { at } = await conn.next();
  await t.code(27, taken(t, step, 3000), 'silence after M_NEGOTIATE');
  t.near((await conn.closes()).at - at, 1000, 'time after M_NEGOTIATE');

  const waiting = await eNegotiates(t, { timeoutMs: 1000 });
  const sent = t.now();
  await waiting.conn.send(message.wait(waiting.sid, 1500));
  await t.code(27, taken(t, waiting.call, 4000), 'silence after M_WAIT');
  t.near((await waiting.conn.closes()).at - sent, 1500, 'time after M_WAIT');
});

/** E looks for a peer for EX1 itself: its M_DISCOVERY, as P hears it. */
async function looking(t: T, options: { loopCount?: number } = {}) {
  const asa = await having(t, 'EX1', 'negotiate');
  const call = t.engine.requestNegotiate(asa, { name: 'EX1', negotiate: true, value: 17, ...options });
  call.catch(() => undefined);
  const asked = await t.heard(t.p, M_DISCOVERY, { name: 'EX1' });
  return { asa, call, asked, objective: asked.message[3] as unknown[] };
}

row('G-2.5.5.1-01', async (t) => {
  const { call, asked, objective } = await looking(t);
  // With a value it is a request, of the value that the ASA asked for.
  if (objective.length !== 3) t.same(objective, ['EX1', NEG, 6, 17], 'the objective with a value');
  const listener = await t.p.listen();
  await t.respond(t.p, asked, { port: listener.port });
  const conn = await listener.accept();
  const { message: request } = await conn.next();
  t.same(request, [M_REQ_NEG, request[1], ['EX1', NEG, 6, 17]], 'M_REQ_NEG after M_RESPONSE');
  await conn.send(message.accept(request[1] as number));
  t.answer(await taken(t, call), 'accepted');
});

row('G-2.5.5.1-02', { needs: ['rapid'], start: { rapid: true } }, async (t) => {
  const asa = await having(t, 'EX1', 'negotiate');
  const { request } = await t.engine.listenNegotiate(asa, { name: 'EX1', negotiate: true });
  const discovery = await t.disc('EX1', { flags: NEG, value: 17 });
  const conn = await discovery.pair.accept();
  const begun = conn.next().then(({ message: m }) => m);
  const first = await Promise.race([begun, request]);
  if (Array.isArray(first) && first[0] === M_RESPONSE) {
    t.notApplicable('E has rapid mode for synchronization alone');
  }
  const { session, objective } = await taken(t, request);
  t.equal(t.value(objective), 17, 'the value the ASA gets');
  await t.engine.endNegotiate(asa, session, true);
  t.same(await begun, message.accept(discovery.sid), 'M_END accept to the discovery');
});

row(['G-2.5.5.1-03', 'G-2.5.5.1-05'], async (t) => {
  const { request } = await t.listening({ name: 'EX1' });
  for (const flags of [NEG, DRY]) {
    // t.response takes nothing but an M_RESPONSE.
    const { message: response } = await t.response(await t.disc('EX1', { flags, value: 17 }));
    t.placeIn(response);
  }
  // It was not taken for a request: the listen still waits for one.
  const { place } = await t.discovered(t.p, 'EX1');
  await t.request(place, { name: 'EX1', value: 18 });
  t.equal(t.value((await taken(t, request)).objective), 18, 'the value of the first request');
});

row('G-2.5.5.1-04', async (t) => {
  const { call, asked } = await looking(t);
  const listener = await t.p.listen();
  const [, sid, initiator] = asked.message as [number, number, Buffer];
  const conn = await t.p.connect(asked.address, asked.port);
  const response = message.response(sid, initiator, 60_000, locator(t.p.global, listener.port));
  await conn.sendJoined(response, message.negotiate(sid, ['EX1', NEG, 5, 99]));
  const { conn: other } = await t.p.tryConnect(asked.address, asked.port);
  await other?.send(message.negotiate(sid, ['EX1', NEG, 5, 99]));
  // Normal negotiation all the same.
  const requested = await listener.accept(2000);
  const { message: request } = await requested.next();
  t.same(request, [M_REQ_NEG, request[1], ['EX1', NEG, 6, 17]], 'M_REQ_NEG');
  await requested.send(message.negotiate(request[1] as number, ['EX1', NEG, 5, 18]));
  const offered = t.answer(await taken(t, call), 'offered');
  t.equal(t.value(offered.objective), 18, 'the offer the ASA gets');
});

row('G-2.8.4-12', async (t) => {
  const { call, objective } = await looking(t, { loopCount: 9 });
  if (objective.length === 3) {
    await t.code(17, taken(t, call, 3000), 'no answer to the discovery');
    t.notApplicable('E has no rapid negotiation as initiator');
  }
  t.same(objective, ['EX1', NEG, 9, 17], 'loop count and value of a rapid request');
  await t.code([17, 27], taken(t, call, 65_000), 'no answer to the rapid request');
});

/** A discovery with a value may be answered by M_RESPONSE or at once. */
row('G-2.8.4-11', async (t) => {
  const { request } = await t.listening({ name: 'EX1' });
  request.then(
    ({ session }) => t.asa().then((asa) => t.engine.endNegotiate(asa, session, true)),
    () => undefined, // no request: it was answered by M_RESPONSE
  );
  const discovery = await t.disc('EX1', { flags: NEG, value: 17 });
  const conn = await discovery.pair.accept();
  const { message: first } = await conn.next();
  if (first[0] === M_RESPONSE) t.placeIn(first);
  else if (first[0] !== M_NEGOTIATE) t.same(first, message.accept(discovery.sid), 'a direct answer');
  t.equal(first[1], discovery.sid, 'session ID of the answer');
});
