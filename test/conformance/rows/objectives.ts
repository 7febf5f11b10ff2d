/** RFC 8990 §2.10: objectives. */
import { row } from '../rows.js';
import type { ObjectiveArgument } from '../adapter.js';
import { encode, Verbatim } from '../cbor.js';
import { isMessage } from '../cddl.js';
import type { Place, T } from '../context.js';
import { messageOf, vectorsOf } from '../vectors.js';
import {
  DRY,
  F_DISC,
  F_NEG,
  F_SYNCH,
  M_DISCOVERY,
  M_END,
  M_FLOOD,
  M_NEGOTIATE,
  M_REQ_NEG,
  M_RESPONSE,
  M_SYNCH,
  message,
  NEG,
  SYNCH,
} from '../wire.js';
import { ANY_CODE } from './api-sessions.js';
import { cached, flooded } from './flooding.js';
import { onlyInvalid } from './messages.js';
import { eNegotiates, eSynchronizes, having, pNegotiates, taken } from './parts.js';

/** Where the objective begins in the vectors of malformed ones: after type, session ID and initiator. */
const BEFORE_OBJECTIVE = '8401191b66'.length + 2 * (1 + 16);

/** A first message of a connection that E refuses: nothing but an M_INVALID, and the connection ends. */
async function refused(t: T, place: Place, request: unknown[], what: string): Promise<void> {
  const conn = await t.p.connect(place.address, place.port);
  await conn.send(request);
  await conn.finish();
  await conn.closes();
  t.ok(
    conn.messages.every(({ message: m }) => m[0] !== M_END && m[0] !== M_NEGOTIATE && m[0] !== M_SYNCH),
    `${what} is answered`,
  );
  onlyInvalid(t, conn.messages, request[1]);
}

/** An ASA that listens for an objective; `place` is where, `count` how many requests it got. */
async function waiting(t: T, name: string) {
  const asa = await having(t, name, 'negotiate');
  const { request } = await t.engine.listenNegotiate(asa, { name, negotiate: true });
  const got = { count: 0 };
  request.then(
    () => got.count++,
    () => undefined, // ends with the engine
  );
  const { place } = await t.discovered(t.p, name);
  return { asa, request, place, got };
}

/** An objective as E has sent it, and in what. */
interface Sent {
  readonly what: string;
  readonly objective: unknown[];
  readonly kind: 'negotiate' | 'synchronize';
}

/** E sends objectives in every message that bears one; `value` is what its ASA gives. */
async function carriers(t: T, value: unknown): Promise<Sent[]> {
  const sent: Sent[] = [];
  const add = (what: string, objective: unknown, kind: Sent['kind']): void => {
    t.ok(Array.isArray(objective), `the objective of ${what}`);
    sent.push({ what, objective: objective as unknown[], kind });
  };
  const given = value === undefined ? {} : { value };

  const asked = await eNegotiates(t, { name: 'EX1', value });
  add('M_REQ_NEG', asked.request[2], 'negotiate');
  await asked.conn.send(message.negotiate(asked.sid, ['EX1', NEG, 5, 1]));
  const { session: own } = t.answer(await taken(t, asked.call), 'offered');
  const second = t.engine.negotiateStep(asked.asa, own, { name: 'EX1', negotiate: true, ...given });
  add('M_NEGOTIATE of the initiator', (await asked.conn.next()).message[2], 'negotiate');
  await asked.conn.send(message.accept(asked.sid));
  t.answer(await taken(t, second), 'accepted');

  const { asa, session, conn, sid } = await pNegotiates(t, { name: 'EX1' });
  const step = t.engine.negotiateStep(asa, session, { name: 'EX1', negotiate: true, ...given });
  add('M_NEGOTIATE of the responder', (await conn.next()).message[2], 'negotiate');
  await conn.send(message.accept(sid));
  t.answer(await taken(t, step), 'accepted');

  const fetching = await eSynchronizes(t, { name: 'EX2' });
  add('M_REQ_SYN', fetching.request[2], 'synchronize');
  await fetching.conn.send(message.synch(fetching.sid, ['EX2', SYNCH, 6, 1]));
  await taken(t, fetching.call);

  const served = await having(t, 'EX3', 'synchronize');
  await t.engine.listenSynchronize(served, { name: 'EX3', synchronize: true, ...given });
  const { place } = await t.discovered(t.p, 'EX3');
  const requested = await t.requestSynch(place, { name: 'EX3' });
  add('M_SYNCH', ((await requested.conn.next()).message as unknown[])[2], 'synchronize');

  const { onP } = await flooded(t, { name: 'EX4', ...given });
  add('M_FLOOD', (onP[4] as unknown[])[0], 'synchronize');
  return sent;
}

/** E discovers an objective that nobody has: the objective in its M_DISCOVERY. */
async function discovering(t: T, objective: ObjectiveArgument): Promise<unknown[]> {
  const from = t.p.multicasts.length;
  const call = t.engine.discover(await t.asa(), objective, { timeoutMs: 300 });
  const { message: m } = await t.heard(t.p, M_DISCOVERY, { name: objective.name, from });
  t.equal((await taken(t, call)).length, 0, 'locators found');
  return m[3] as unknown[];
}

row('G-2.10.1-01', async (t) => {
  const { asa, request, place, got } = await waiting(t, 'EX1');
  await waiting(t, 'EX3');
  // Well-formed: any flags, any loop count.
  for (const vector of vectorsOf(({ name }) => /^disc\.(flags|loop|dry)/.test(name))) {
    const pair = await t.p.pair();
    await pair.multicast(Buffer.from(vector.hex, 'hex'));
    const conn = await pair.accept();
    const { message: response } = await conn.next();
    t.same(response.slice(0, 2), [M_RESPONSE, messageOf(vector)[1]], `the response to ${vector.name}`);
    t.ok(isMessage(response), `the response to ${vector.name} does not follow the CDDL`);
  }
  // Malformed: in a discovery, in a flood, in a request.
  const broken = vectorsOf(({ name }) => name.startsWith('bad.obj.'));
  const pair = await t.p.pair();
  await pair.multicast(...broken.map(({ hex }) => Buffer.from(hex, 'hex')));
  const objectives = broken.map(({ hex }) => new Verbatim(hex.slice(BEFORE_OBJECTIVE)));
  const floods = objectives.map((each) => message.flood(t.sid(), t.p.initiator, 60_000, [each, []]));
  await pair.multicast(...floods);
  await t.silence(pair, ...floods.map((each) => each[1] as number), messageOf(broken[0]!)[1] as number);
  await cached(t, 'EX1', 0);
  for (const [i, each] of objectives.entries()) {
    await refused(t, place, message.requestNegotiate(t.sid(), each), `M_REQ_NEG with ${broken[i]!.name}`);
  }
  t.equal(got.count, 0, 'requests the ASA gets');
  const { conn } = await t.request(place, { name: 'EX1', value: 17 });
  const { session, objective } = await taken(t, request);
  t.equal(t.value(objective), 17, 'the value of the first proper request');
  await t.engine.endNegotiate(asa, session, true);
  t.equal((await conn.next()).message[0], M_END, 'message type of the answer');
});

// On one link, so that no relayed copy is taken for an answer.
row('G-2.10.1-02', { start: { interfaces: ['i1'] } }, async (t) => {
  const [first, second] = ['EX1', 'caf\u00e9'] as const;
  const others = ['ex1', 'EX1 ', ' EX1', 'EX1\u0000', 'cafe\u0301', 'CAF\u00c9'];
  const fetch = async (name: string): Promise<unknown> => {
    const { place } = await t.discovered(t.p, name);
    const { conn } = await t.requestSynch(place, { name });
    return ((await conn.next()).message[2] as unknown[])[3];
  };
  await t.synchronizing({ name: first, value: 1 });
  await t.synchronizing({ name: second, value: 2 });
  await t.silence(...(await Promise.all(others.map((name) => t.disc(name)))));
  const { place } = await t.discovered(t.p, first);
  for (const name of others) {
    await refused(t, place, message.requestSynchronize(t.sid(), [name, SYNCH, 6, null]), `'${name}'`);
  }
  // Those with visible letters only: no engine need let the others be registered.
  for (const name of ['ex1', 'cafe\u0301', 'CAF\u00c9']) await t.synchronizing({ name, value: name });
  for (const name of ['ex1', 'cafe\u0301', 'CAF\u00c9']) t.equal(await fetch(name), name, `value of ${name}`);
  t.equal(await fetch(first), 1, 'value of EX1');
  t.equal(await fetch(second), 2, 'value of the composed name');
});

row('G-2.10.1-08', async (t) => {
  // In a discovery it may be absent, and in a response.
  const { request, place, got } = await waiting(t, 'EX1');
  for (const flags of [NEG, DRY]) {
    const bare = message.requestNegotiate(t.sid(), ['EX1', flags, 6]);
    await refused(t, place, bare, 'M_REQ_NEG without value');
  }
  t.equal(got.count, 0, 'requests the ASA gets');
  await t.request(place, { name: 'EX1', value: null });
  t.equal(t.value((await taken(t, request)).objective), null, 'the value of the first proper request');

  const asked = await eNegotiates(t, { timeoutMs: 1000 });
  await asked.conn.send(message.negotiate(asked.sid, ['EX1', NEG, 5]));
  await t.code([25, 27, 28], taken(t, asked.call, 3000), 'M_NEGOTIATE without value to the initiator');
  await asked.conn.closes();
  onlyInvalid(t, asked.conn.messages.slice(1), asked.sid);

  const fetching = await eSynchronizes(t, { timeoutMs: 1000 });
  await fetching.conn.send(message.synch(fetching.sid, ['EX2', SYNCH, 6]));
  await t.code([36, 37], taken(t, fetching.call, 3000), 'M_SYNCH without value');
  await fetching.conn.closes();
  const again = await eSynchronizes(t);
  await again.conn.send(message.synch(again.sid, ['EX2', SYNCH, 6, null]));
  t.equal(t.value(await taken(t, again.call)), null, 'the value of M_SYNCH with null');
});

row('G-2.10.2-01', async (t) => {
  for (const [flags, other] of [
    [NEG, DRY],
    [DRY, NEG],
  ] as const) {
    const dryRun = flags === DRY;
    const what = dryRun ? 'a dry run' : 'a negotiation';
    // P changes it, as initiator and as responder.
    const { asa, session, conn, sid, objective } = await pNegotiates(t, { flags });
    t.equal(objective.dryRun ?? false, dryRun, 'dry flag the ASA gets');
    const wrong = { name: 'EX1', negotiate: true, value: 2, dryRun: !dryRun };
    await t.code(ANY_CODE, t.engine.negotiateStep(asa, session, wrong), `the caller changes ${what}`);
    t.equal(conn.messages.length, 0, 'messages of E');
    const step = t.engine.negotiateStep(asa, session, { ...wrong, dryRun });
    t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', flags, 5, 2]], 'the step');
    await conn.send(message.negotiate(sid, ['EX1', other, 4, 3]));
    await t.code(25, taken(t, step), `the initiator changes ${what}`);
    await conn.closes();

    const listener = await t.p.listen();
    const peer = t.locatorOf(t.p, listener.port);
    const call = t.engine.requestNegotiate(asa, { name: 'EX1', negotiate: true, dryRun, value: 1 }, { peer });
    const asked = await listener.accept(2000);
    const { message: request } = await asked.next();
    t.same(request, [M_REQ_NEG, request[1], ['EX1', flags, 6, 1]], 'the request');
    await asked.send(message.negotiate(request[1] as number, ['EX1', other, 5, 3]));
    await t.code(25, taken(t, call), `the responder changes ${what}`);
    await asked.closes();
  }
});

// M_REQ_SYN asks for a value: whether it bears null or nothing in its place, §2.10.3 and §2.8.6 leave open.
row('G-2.10.3-06', async (t) => {
  for (const value of [undefined, 0]) {
    for (const { what, objective } of await carriers(t, value)) {
      if (what === 'M_REQ_SYN')
        t.ok(objective.length === 3 || objective.length === 4, 'objective of M_REQ_SYN');
      else t.equal(objective.length, 4, `elements of the objective in ${what}`);
    }
  }
});

row('G-2.10.3-07', async (t) => {
  const asa = await having(t, 'EX1', 'negotiate');
  await having(t, 'EX3', 'synchronize');
  const own = { name: 'EX1', negotiate: true, value: 1 };
  await t.code(32, t.engine.flood(asa, 60_000, [{ objective: own }]), 'flood() of a negotiation objective');
  const mixed = [{ objective: { name: 'EX3', synchronize: true, value: 1 } }, { objective: own }];
  await t.code(32, t.engine.flood(asa, 60_000, mixed), 'flood() of one among others');
  // The pair with it is not taken; one with a synchronization objective is.
  const pair = await t.p.pair({ tcp: false });
  for (const flags of [NEG, DRY, F_NEG]) {
    await pair.multicast(message.flood(t.sid(), t.p.initiator, 60_000, [['EX2', flags, 6, 1], []]));
  }
  await t.flood('EX4');
  await cached(t, 'EX4');
  await cached(t, 'EX2', 0);
  t.equal(t.count(t.p, M_FLOOD, { name: 'EX1' }), 0, 'floods of the negotiation objective');
  t.equal(t.count(t.p, M_FLOOD, { name: 'EX3' }), 0, 'floods of what was given with it');
});

row('G-2.10.3-08', async (t) => {
  for (const [given, expected] of [
    [{}, 6],
    [{ loopCount: 2 }, 2],
    [{ loopCount: 255 }, 255],
  ] as const) {
    const requests = [await eNegotiates(t, given), await eSynchronizes(t, given)];
    for (const { request } of requests) {
      t.equal((request[2] as unknown[])[2], expected, `loop count of message ${String(request[0])}`);
    }
    const discovery = await discovering(t, { name: 'EX3', negotiate: true, ...given });
    t.equal(discovery[2], expected, 'loop count of M_DISCOVERY');
    const { onP } = await flooded(t, { name: 'EX4', value: 1, ...given });
    t.equal(((onP[4] as unknown[])[0] as unknown[])[2], expected, 'loop count of M_FLOOD');
  }
});

row('G-2.10.3-09', { start: null }, async (t) => {
  await t.engine.start(t.can('rapid') ? { rapid: true } : {});
  for (const value of [undefined, 0, '', ['a', 1]]) {
    const { request, sid } = await eNegotiates(t, { value, loopCount: 9 });
    t.same(request, [M_REQ_NEG, sid, ['EX1', NEG, 9, value ?? null]], 'M_REQ_NEG');
  }
  // A discovery by the same call, whether it is rapid or not: it has no value, or is complete.
  const asa = await having(t, 'EX2', 'negotiate');
  const wanted = { name: 'EX2', negotiate: true, value: 17, loopCount: 9 };
  const call = t.engine.requestNegotiate(asa, wanted, { timeoutMs: 1000 });
  call.catch(() => undefined); // looked at below
  const { message: m } = await t.heard(t.p, M_DISCOVERY, { name: 'EX2' });
  const objective = m[3] as unknown[];
  if (objective.length !== 3) t.same(objective, ['EX2', NEG, 9, 17], 'the objective of a rapid discovery');
  await t.code([17, 27], taken(t, call, 5000), 'nobody answers');
});

row('G-2.10.3-10', async (t) => {
  for (const given of [{ value: undefined }, { value: null }]) {
    const { request, conn, sid } = await eNegotiates(t, given);
    t.same(request, [M_REQ_NEG, sid, ['EX1', NEG, 6, null]], 'M_REQ_NEG');
    t.equal(
      conn.bytes.toString('hex'),
      encode([M_REQ_NEG, sid, ['EX1', NEG, 6, new Verbatim('f6')]]).toString('hex'),
      'its bytes',
    );
  }
});

row('G-2.10.3-11', async (t) => {
  const { asa, request, place, got } = await waiting(t, 'EX1');
  await t.synchronizing({ name: 'EX2', value: 7 });
  const { place: other } = await t.discovered(t.p, 'EX2');
  for (const flags of [SYNCH, F_SYNCH]) {
    const wrong = (name: string): unknown[] => message.requestNegotiate(t.sid(), [name, flags, 6, 1]);
    await refused(t, place, wrong('EX1'), `M_REQ_NEG with flags ${flags} for a negotiation objective`);
    await refused(t, other, wrong('EX2'), `M_REQ_NEG with flags ${flags} for a synchronization objective`);
  }
  t.equal(got.count, 0, 'requests the ASA gets');
  // In M_NEGOTIATE too.
  const asked = await eNegotiates(t, { timeoutMs: 1000 });
  await asked.conn.send(message.negotiate(asked.sid, ['EX1', SYNCH, 5, 2]));
  await t.code([25, 27, 28], taken(t, asked.call, 3000), 'M_NEGOTIATE with a synchronization objective');
  await asked.conn.closes();
  // Both objectives can still be had in their own messages.
  const fetched = await t.requestSynch(other, { name: 'EX2' });
  t.same((await fetched.conn.next()).message, [M_SYNCH, fetched.sid, ['EX2', SYNCH, 6, 7]], 'M_SYNCH');
  const { conn, sid } = await t.request(place, { name: 'EX1' });
  const { session } = await taken(t, request);
  await t.engine.endNegotiate(asa, session, true);
  t.same((await conn.next()).message, message.accept(sid), 'M_END');
});

row('G-2.10.4-06', async (t) => {
  for (const { what, objective, kind } of await carriers(t, 1)) {
    t.equal(objective[1], kind === 'negotiate' ? NEG : SYNCH, `flags in ${what}`);
  }
  const dry = await pNegotiates(t, { flags: DRY });
  const step = { name: 'EX1', negotiate: true, dryRun: true, value: 2 };
  const call = t.engine.negotiateStep(dry.asa, dry.session, step);
  t.same((await dry.conn.next()).message[2], ['EX1', DRY, 5, 2], 'the objective of a dry step');
  await dry.conn.send(message.accept(dry.sid));
  t.answer(await taken(t, call), 'accepted');
  // A discovery shows what is wanted, or only that it is a discovery.
  for (const [objective, flags] of [
    [{ name: 'EX5', negotiate: true }, NEG],
    [{ name: 'EX6', synchronize: true }, SYNCH],
    [{ name: 'EX7' }, F_DISC],
  ] as const) {
    const [, seen] = (await discovering(t, objective)) as [string, number];
    t.ok(seen === flags || seen === F_DISC, `flags ${seen} in the discovery of ${objective.name}`);
  }
});

row('G-2.10.4-08', async (t) => {
  for (const { what, objective } of await carriers(t, 1)) {
    t.equal((objective[1] as number) & F_DISC, F_DISC, `F_DISC in ${what}`);
  }
  for (const mode of [{ negotiate: true }, { synchronize: true }, {}]) {
    const objective = await discovering(t, { name: t.name(), ...mode });
    t.equal((objective[1] as number) & F_DISC, F_DISC, 'F_DISC in M_DISCOVERY');
  }
  // Whatever is listened for is discovered, whatever flags the one who asks sends.
  const dry = { name: t.name(), negotiate: true, dryRun: true };
  await t.listening(dry);
  const wet = { name: t.name(), negotiate: true };
  await t.listening(wet);
  const synch = { name: t.name(), synchronize: true, value: 8 };
  await t.synchronizing(synch);
  for (const { name } of [dry, wet, synch]) {
    for (const flags of [F_DISC, NEG, SYNCH, DRY]) await t.discovered(t.p, name, { flags });
  }
  const { place } = await t.discovered(t.p, synch.name);
  const { conn, sid } = await t.requestSynch(place, { name: synch.name });
  t.same((await conn.next()).message, [M_SYNCH, sid, [synch.name, SYNCH, 6, 8]], 'M_SYNCH');
});
