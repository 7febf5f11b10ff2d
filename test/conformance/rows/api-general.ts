/** RFC 8991 §2.2: concurrent operations, polling, handles. The parameters are in api-parameters.ts. */
import { CallFailed, type AsaHandle } from '../adapter.js';
import { encode, Verbatim } from '../cbor.js';
import type { T } from '../context.js';
import { row } from '../rows.js';
import { M_DISCOVERY, M_FLOOD, M_NEGOTIATE, message, NEG, SYNCH } from '../wire.js';
import { EX1, EX2, initiator, responder } from './api-sessions.js';

row('A-2.2-01', async (t) => {
  const { asa, request } = await t.listening(EX1);
  let served = false;
  void request.then(() => (served = true));
  await t.learn('EX5', [t.p]);
  await t.registered({ name: 'EX3', synchronize: true });
  await t.engine.flood(asa, 60_000, [{ objective: { name: 'EX3', synchronize: true, value: 1 } }]);
  await t.heard(t.p, M_FLOOD, { name: 'EX3' });
  const ex4 = { name: 'EX4', negotiate: true };
  await t.registered(ex4);
  const listener = await t.p.listen();
  const peer = t.locatorOf(t.p, listener.port);
  // A session that waits for its peer delays none of the others either.
  const waits = t.engine.requestNegotiate(asa, { ...ex4, value: 1 }, { peer });
  const waiting = await listener.accept(2000);
  const { message: first } = await waiting.next();
  const call = t.engine.requestNegotiate(asa, { ...ex4, value: 2 }, { peer });
  const conn = await listener.accept(2000, 1);
  await conn.send(message.accept((await conn.next()).message[1] as number));
  t.answer(await call, 'accepted');
  t.ok(!served, 'listenNegotiate has returned without a request');
  const { place } = await t.discovered(t.p, 'EX1');
  await t.request(place, { name: 'EX1', value: 5 });
  t.equal(t.value((await request).objective), 5, 'value of the request');
  await waiting.send(message.accept(first[1] as number));
  t.answer(await waits, 'accepted');
});

type Call = () => Promise<Record<string, unknown>>;

/** Polls until there is a result. */
async function polled(t: T, call: Call): Promise<Record<string, unknown>> {
  const poll = (): Promise<Record<string, unknown> | undefined> =>
    call().catch((error: unknown) => {
      if (error instanceof CallFailed && error.code === 2) return undefined;
      throw error;
    });
  return (await t.eventually(poll, (found) => found !== undefined, 3000, 'a result of polling'))!;
}

const stepOf = (t: T, asa: AsaHandle, session: string, value: unknown, poll: string): Call => {
  const objective = { ...EX1, value: encode(value).toString('hex') };
  return () => t.engine.call('negotiateStep', { asa: asa.handle, session, objective, poll });
};

row('A-2.2-02', { needs: ['poll'] }, async (t) => {
  const { asa, serve } = await responder(t);
  const { session, conn, sid } = await serve();
  const step = stepOf(t, asa, session, 2, 'step');
  for (let i = 0; i < 10; i++) await t.code(2, step(), `poll ${i} without an answer`);
  t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 5, 2]], 'the step');
  await conn.send(message.negotiate(sid, ['EX1', NEG, 4, 3]));
  const answer = await polled(t, step);
  t.equal(answer['state'], 'offered', 'state of the polled step');
  t.equal(t.value(answer['objective'] as never), 3, 'value of the polled step');
  t.equal(conn.messages.length, 1, 'messages of E in the session');
  // The same for a call that begins something.
  const objective = { name: 'EX5', negotiate: true };
  const discover: Call = () =>
    t.engine.call('discover', { asa: asa.handle, objective, timeoutMs: 1000, poll: 'discover' });
  for (let i = 0; i < 10; i++) await t.code(2, discover(), `poll ${i} of discover`);
  t.equal(((await polled(t, discover))['locators'] as unknown[]).length, 0, 'locators');
  t.equal(t.count(t.p, M_DISCOVERY, { name: 'EX5' }), 1, 'M_DISCOVERY on the wire');
});

row('A-2.2-03', async (t) => {
  const { asa, ask } = await initiator(t);
  const [one, two] = [await ask(17), await ask(18)];
  t.ok(one.sid !== two.sid, `both sessions have the ID ${one.sid}`);
  t.same(one.request[2], ['EX1', NEG, 6, 17], 'first request');
  t.same(two.request[2], ['EX1', NEG, 6, 18], 'second request');
  await two.conn.send(message.negotiate(two.sid, ['EX1', NEG, 5, 'two']));
  const second = t.answer(await two.call, 'offered');
  await one.conn.send(message.negotiate(one.sid, ['EX1', NEG, 5, 'one']));
  const first = t.answer(await one.call, 'offered');
  t.equal(t.value(first.objective), 'one', 'offer in the first');
  t.equal(t.value(second.objective), 'two', 'offer in the second');
  void t.engine.negotiateStep(asa, first.session, { ...EX1, value: 1 });
  void t.engine.negotiateStep(asa, second.session, { ...EX1, value: 2 });
  t.same((await one.conn.next()).message, [M_NEGOTIATE, one.sid, ['EX1', NEG, 4, 1]], 'first step');
  t.same((await two.conn.next()).message, [M_NEGOTIATE, two.sid, ['EX1', NEG, 4, 2]], 'second step');
});

row('A-2.2-04', async (t) => {
  const { asa, serve } = await responder(t);
  const [one, two] = [await serve(1), await serve(2)];
  t.ok(one.session !== two.session, `both sessions have the handle ${one.session}`);
  const wrong = 'no session of mine';
  await t.code(19, t.engine.negotiateStep(asa, wrong, { ...EX1, value: 3 }), 'negotiateStep');
  await t.code(19, t.engine.negotiateWait(asa, wrong, 1000), 'negotiateWait');
  await t.code(19, t.engine.endNegotiate(asa, wrong, true), 'endNegotiate');
  await t.code(19, t.engine.sendInvalid(asa, wrong), 'sendInvalid');
  await t.engine.endNegotiate(asa, two.session, true);
  t.same((await two.conn.next()).message, message.accept(two.sid), 'M_END in the second');
  await t.engine.endNegotiate(asa, one.session, false);
  t.same((await one.conn.next()).message.slice(0, 2), [6, one.sid], 'M_END in the first');
  t.equal(two.conn.messages.length, 1, 'messages in the second');
});

row('A-2.2-05', async (t) => {
  const { asa, serve } = await responder(t);
  const sid = t.sid();
  const atP = await serve('P', { sid });
  const atP2 = await serve('P2', { sid, from: t.p2 });
  t.equal(t.value(atP.objective), 'P', 'value of the session with P');
  t.equal(t.value(atP2.objective), 'P2', 'value of the session with P2');
  await t.engine.endNegotiate(asa, atP2.session, true);
  t.same((await atP2.conn.next()).message, message.accept(sid), 'M_END to P2');
  void t.engine.negotiateStep(asa, atP.session, { ...EX1, value: 2 });
  t.same((await atP.conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 5, 2]], 'M_NEGOTIATE to P');
  // Discoveries of two initiators with one ID are two discoveries.
  await t.engine.listenNegotiate(asa, EX1);
  const same = t.sid();
  for (const from of [t.p, t.p2]) await t.response(await t.disc('EX1', { from, sid: same }));
});

row('A-2.2-06', async (t) => {
  const { asa, listener, ask } = await initiator(t);
  type End = (asked: Awaited<ReturnType<typeof ask>>) => Promise<void>;
  const ends: readonly (readonly [string, readonly number[], End])[] = [
    ['FIN', [23], ({ conn }) => conn.finish()],
    ['RST', [23, 27], ({ conn }) => conn.reset()],
    ['no CBOR', [24], ({ conn }) => conn.send(new Verbatim('83 05 1c'))],
    ['no message', [28], ({ conn }) => conn.send(['what'])],
    ['M_INVALID', [28], ({ conn, sid }) => conn.send(message.invalid(sid))],
    ['another name', [25], ({ conn, sid }) => conn.send(message.negotiate(sid, ['EX7', NEG, 5, 1]))],
    ['M_END without option', [26], ({ conn, sid }) => conn.send([6, sid, [104]])],
    ['silence', [27], () => Promise.resolve()],
  ];
  for (const [what, codes, end] of ends) {
    const asked = await ask(17, { timeoutMs: 1000 });
    await end(asked);
    await t.code(codes, asked.call, `requestNegotiate answered by ${what}`);
  }
  const declined = await ask();
  await declined.conn.send(message.decline(declined.sid, 'no'));
  t.answer(await declined.call, 'declined');
  const peer = t.locatorOf(t.p, listener.port);
  await listener.close();
  await t.code(18, t.engine.requestNegotiate(asa, { ...EX1, value: 1 }, { peer }), 'refused connection');
  await t.code(34, t.engine.synchronize(asa, EX2, { peer }), 'synchronize, refused connection');
  const synch = await t.p.listen();
  const answers: readonly (readonly [string, readonly number[], End])[] = [
    ['FIN', [35], ({ conn }) => conn.finish()],
    ['RST', [35, 36], ({ conn }) => conn.reset()],
    ['no CBOR', [24], ({ conn }) => conn.send(new Verbatim('83 08 1c'))],
    ['M_INVALID', [37], ({ conn, sid }) => conn.send(message.invalid(sid))],
    ['another name', [37], ({ conn, sid }) => conn.send(message.synch(sid, ['EX7', SYNCH, 6, 1]))],
    ['silence', [36], () => Promise.resolve()],
  ];
  for (const [i, [what, codes, end]] of answers.entries()) {
    const place = t.locatorOf(t.p, synch.port);
    const call = t.engine.synchronize(asa, EX2, { peer: place, timeoutMs: 1000 });
    const conn = await synch.accept(2000, i);
    const { message: request } = await conn.next();
    await end({ call: call as never, conn, sid: request[1] as number, request });
    await t.code(codes, call, `synchronize answered by ${what}`);
  }
  await t.alive();
});

row('A-2.2-07', { needs: ['notify', 'poll'] }, async (t) => {
  const { asa, serve } = await responder(t);
  const { session, conn, sid } = await serve();
  const other = await serve();
  const changed = async (): Promise<readonly string[]> =>
    (await t.engine.call('notify', { asa: asa.handle }))['sessions'] as string[];
  const step = stepOf(t, asa, session, 2, 'notified');
  await t.code(2, step(), 'a poll without an answer');
  await conn.next();
  t.ok(!(await changed()).includes(session), 'a session is listed before it has changed');
  await conn.send(message.negotiate(sid, ['EX1', NEG, 4, 3]));
  const listed = await t.eventually(
    changed,
    (found) => found.includes(session),
    2000,
    'the session is listed',
  );
  t.ok(!listed.includes(other.session), 'a session that has not changed is listed');
  t.equal((await step())['state'], 'offered', 'state of the session that was listed');
});

row('A-2.3.2-16', { needs: ['callback'] }, async (t) => {
  const { asa, serve } = await responder(t);
  const listener = await t.p.listen();
  const peer = t.locatorOf(t.p, listener.port);
  /** Makes a call with a callback; what the callback has got so far. */
  const begin = async (name: string, args: object): Promise<Record<string, unknown>[]> => {
    const got: Record<string, unknown>[] = [];
    const call = { engine: t.engine.label, asa: asa.handle, callback: true, ...args };
    await t.engine.adapter.call(name, call, (event) => {
      if (event['event'] === 'callback') got.push(event);
    });
    return got;
  };
  const first = (got: Record<string, unknown>[], what: string): Promise<Record<string, unknown>> =>
    t.until(() => got[0], 2000, `callback of ${what}`);
  const objective = { ...EX1, value: encode(1).toString('hex') };
  const discover = await begin('discover', { objective: { name: 'EX5' }, timeoutMs: 200 });
  t.equal((await first(discover, 'discover'))['code'], 0, 'code for discover');
  const request = await begin('requestNegotiate', { objective, peer });
  const asked = await listener.accept(2000);
  t.equal(request.length, 0, 'callbacks before the answer');
  await asked.send(message.accept((await asked.next()).message[1] as number));
  t.equal((await first(request, 'requestNegotiate'))['code'], 0, 'code for requestNegotiate');
  const { session, conn, sid } = await serve();
  const step = await begin('negotiateStep', { session, objective });
  await conn.next();
  await conn.send(message.negotiate(sid, ['EX1', NEG, 4, 3]));
  t.equal((await first(step, 'negotiateStep'))['code'], 0, 'code for negotiateStep');
  const failing = await begin('negotiateStep', { session: 'no session', objective });
  t.equal((await first(failing, 'negotiateStep'))['code'], 19, 'code for an unknown session');
  const synchronize = await begin('synchronize', { objective: EX2, peer });
  const synch = await listener.accept(2000, 1);
  await synch.send(message.synch((await synch.next()).message[1] as number, ['EX2', SYNCH, 6, 7]));
  t.equal((await first(synchronize, 'synchronize'))['code'], 0, 'code for synchronize');
  const listen = await begin('listenNegotiate', { objective: EX1 });
  const { place } = await t.eventually(
    async () => (await t.settled(t.discovered(t.p, 'EX1')))!,
    (found) => found !== undefined,
    5000,
    'EX1 can be discovered',
  );
  t.equal(listen.length, 0, 'callbacks of listenNegotiate before a request');
  await t.request(place, { name: 'EX1' });
  t.equal((await first(listen, 'listenNegotiate'))['code'], 0, 'code for listenNegotiate');
  const all = { discover, request, step, failing, synchronize, listen };
  await t.never(
    () => Object.entries(all).find(([, got]) => got.length !== 1)?.[0],
    500,
    'each callback is called once',
  );
});
