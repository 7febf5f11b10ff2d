/** RFC 8990 §2.8.2, §2.8.3, §2.8.12, §2.8.13: format, size, M_INVALID, M_NOOP. */
import { readFileSync } from 'node:fs';
import { row } from '../rows.js';
import { CallFailed } from '../adapter.js';
import { encode, show, Verbatim } from '../cbor.js';
import { isMessage } from '../cddl.js';
import type { T } from '../context.js';
import type { Conn } from '../peer.js';
import { messageOf, vectorsOf } from '../vectors.js';
import {
  freshSid,
  GRASP_LISTEN_PORT,
  locator,
  M_DISCOVERY,
  M_INVALID,
  M_NEGOTIATE,
  M_NOOP,
  message,
  NEG,
  O_ACCEPT,
  SYNCH,
} from '../wire.js';
import { cached, flooded } from './flooding.js';
import { eNegotiates, eSynchronizes, having, pNegotiates, taken } from './parts.js';

row('G-2.8.2-01', { slowMs: 20_000 }, async (t) => {
  await allMessages(t);
  const names = new Set<string>();
  let n = 0;
  for (const vector of vectorsOf((each) => each.group === 'discovery' && each.expect === 'process')) {
    // A session ID of its own where several are encodings of one message.
    const fresh = (3000 + n++).toString(16).padStart(4, '0');
    const hex = messageOf(vector)[1] === 1000 ? vector.hex.replace('03e8', fresh) : vector.hex;
    const m = messageOf({ ...vector, hex });
    const [name] = m[3] as [string];
    if (name === '') continue; // no engine need let it be registered
    if (!names.has(name)) await listen(t, name);
    names.add(name);
    const pair = await t.p.pair();
    await pair.multicast(Buffer.from(hex, 'hex'));
    const conn = await pair.accept();
    const { message: response } = await conn.next();
    t.same(response.slice(0, 3), [2, m[1], m[2]], `the beginning of the response to ${vector.name}`);
    t.ok(isMessage(response), `${show(response)} does not follow the CDDL`);
  }
});

async function listen(t: T, name: string): Promise<void> {
  const asa = await having(t, name, 'negotiate');
  const { request } = await t.engine.listenNegotiate(asa, { name, negotiate: true });
  request.catch(() => undefined); // ends with the engine
}

/** E sends a message of each type, with all kinds of options: they follow the CDDL. */
async function allMessages(t: T): Promise<void> {
  const all = (await everyMessage(t)).map(({ message: m }) => m);
  for (const m of all) t.ok(isMessage(m), `${show(m)} does not follow the CDDL`);
}

/** E sends a message of each type; all it has sent. `message`: undefined if the bytes are none. */
export async function everyMessage(t: T): Promise<{ message: unknown[] | undefined; bytes: Buffer }[]> {
  const conns: Conn[] = [];
  const [name, synch] = [t.name(), t.name()];
  const { asa, session, conn, sid } = await pNegotiates(t, { name });
  await t.engine.negotiateWait(asa, session, 1000);
  const step = t.engine.negotiateStep(asa, session, { name, value: new Map([[1, null]]) });
  await conn.next();
  await conn.next();
  await conn.send(message.negotiate(sid, [name, NEG, 4, 3]));
  t.answer(await taken(t, step), 'offered');
  await t.engine.endNegotiate(asa, session, false, 'no');
  await conn.closes();
  const own = await eNegotiates(t, { name, value: undefined });
  await own.conn.send(message.accept(own.sid));
  t.answer(await taken(t, own.call), 'accepted');
  const synchronization = await eSynchronizes(t, { name: synch });
  await synchronization.conn.send(message.synch(synchronization.sid, [synch, SYNCH, 6, 7]));
  await taken(t, synchronization.call);
  await t.synchronizing({ name: 'EX4', value: 7 });
  const response = await t.response(await t.disc('EX4'));
  const place = t.placeIn(response.message);
  const answered = await t.requestSynch(place, { name: 'EX4' });
  await answered.conn.closes();
  await flooded(t, { name: 'EX5', value: 7 }, { name: 'EX6', value: null });
  await t.learn('EX7', [t.q]);
  const divert = await t.response(await t.disc('EX7'));
  conns.push(conn, own.conn, synchronization.conn, answered.conn);
  const all = [
    ...conns.flatMap((each) => each.messages),
    ...[t.p, t.q].flatMap((peer) => peer.multicasts),
    response,
    divert,
  ];
  const types = new Set(all.map(({ message: m }) => m?.[0]));
  for (let type = 1; type <= 9; type++) t.ok(types.has(type), `no message of type ${type} among those of E`);
  return all;
}

row('G-2.8.2-02', async (t) => {
  const locators = await t.learn('EX1', [t.p], {
    locators: [[O_ACCEPT], locator(t.p.global, 4711), [O_ACCEPT]],
  });
  t.equal(locators.length, 1, 'locators found');
  t.equal(locators[0]!.port, 4711, 'port of the locator');
});

/** Nothing on a connection but an M_INVALID with this session ID. */
export function onlyInvalid(
  t: T,
  arrived: readonly { message: unknown[]; bytes: Buffer }[],
  sid: unknown,
): void {
  t.ok(arrived.length <= 1, `${arrived.length} messages in answer to an unusable one`);
  for (const { message: m, bytes } of arrived) {
    t.equal(m[0], M_INVALID, 'message type of an answer to an unusable message');
    t.equal(m[1], sid, 'its session ID');
    t.ok(isMessage(m), `${show(m)} does not follow the CDDL`);
    t.ok(bytes.length <= 2048, `an M_INVALID of ${bytes.length} bytes`);
  }
}

row(['G-2.8.2-03', 'G-2.8.2-05'], async (t) => {
  const running = await pNegotiates(t);
  const asked = await eNegotiates(t, { timeoutMs: 1000 });
  for (const type of [42, 10, 98, 255]) {
    const { conn, sid } = await pNegotiates(t);
    await conn.send([type, sid, ['EX1', NEG, 5, 1]]);
    await t.never(
      () => conn.messages.find(({ message: m }) => m[0] !== M_INVALID) && 'an answer',
      500,
      'nothing but M_INVALID',
    );
    onlyInvalid(t, conn.messages, sid);
  }
  await asked.conn.send([42, asked.sid]);
  await t.code([24, 27, 28], taken(t, asked.call, 3000), 'the call whose answer is of an unknown type');
  onlyInvalid(t, asked.conn.messages.slice(1), asked.sid);
  // The session of others goes on.
  const { asa, session, conn, sid } = running;
  await t.engine.endNegotiate(asa, session, true);
  t.same((await conn.next()).message, message.accept(sid), 'the end of the other session');
});

row('G-2.8.2-07', async (t) => {
  await listen(t, 'EX1');
  const pair = await t.p.pair();
  const sid = freshSid();
  const objective = ['EX1', 1, 6];
  await pair.multicast(
    [42, sid, t.p.initiator, objective],
    [10, sid],
    [255, sid, t.p.initiator, 1000, [objective, []]],
    new Verbatim('82 18 2a 01'),
  );
  // And what is known, in the wrong place or broken.
  const broken = vectorsOf(
    ({ expect, context }) =>
      (expect === 'discard' && context === 'udp-multicast') || (expect === 'close' && context === 'any'),
  );
  await pair.multicast(...broken.map(({ hex }) => Buffer.from(hex, 'hex')));
  const sids = broken.flatMap(({ hex }) => {
    const found = /^8[0-9a-f]0[19]19([0-9a-f]{4})/.exec(hex);
    return found ? [parseInt(found[1]!, 16)] : [];
  });
  await t.silence(pair, sid, ...sids);
  await cached(t, 'EX1', 0);
  await t.alive();
});

/** M_REQ_NEG, or another message with this beginning, of exactly so many bytes. */
function ofLength(bytes: number, make: (value: Uint8Array) => unknown[]): Buffer {
  const around = encode(make(new Uint8Array(1000))).length - 1000;
  return encode(make(new Uint8Array(bytes - around).fill(0x55)));
}

row('G-2.8.3-01', async (t) => {
  const { asa, session, place, conn: first } = await pNegotiates(t);
  await t.engine.endNegotiate(asa, session, true);
  await first.closes();
  for (const cut of [(all: Buffer) => [all], (all: Buffer) => [...all].map((byte) => Buffer.from([byte]))]) {
    const { request } = await t.engine.listenNegotiate(asa, { name: 'EX1', negotiate: true });
    const sid = 0xabcd_ef01;
    const whole = ofLength(2048, (value) => message.requestNegotiate(sid, ['EX1', NEG, 6, value]));
    t.equal(whole.length, 2048, 'bytes of the request');
    const conn = await t.p.connect(place.address, place.port);
    await conn.send(...cut(whole));
    const { session: large, objective } = await taken(t, request, 5000);
    const value = t.value(objective) as Uint8Array;
    t.ok(value.length > 2000 && value.every((byte) => byte === 0x55), 'the value arrives whole');
    // And as an answer within the session.
    const step = t.engine.negotiateStep(asa, large, { name: 'EX1', value: 1 });
    await conn.next();
    await conn.send(...cut(ofLength(2048, (v) => message.negotiate(sid, ['EX1', NEG, 4, v]))));
    t.answer(await taken(t, step, 5000), 'offered');
    await conn.finish();
  }
  const { call, conn, sid } = await eSynchronizes(t);
  await conn.send(ofLength(2048, (value) => message.synch(sid, ['EX2', SYNCH, 6, value])));
  t.ok((t.value(await taken(t, call)) as Uint8Array).length > 2000, 'the value of M_SYNCH arrives whole');
});

row('G-2.8.3-02', async (t) => {
  // What is around the value is seen in a first request; the session ID takes 1 to 5 bytes.
  const small = await eNegotiates(t, { value: new Uint8Array(1000) });
  const around = small.conn.bytes.length - 1000;
  const largest = await eNegotiates(t, { value: new Uint8Array(2044 - around) });
  const { length } = largest.conn.bytes;
  t.ok(length <= 2048 && length >= 2040, `${length} bytes instead of 2044`);
  const listener = await t.p.listen();
  const peer = t.locatorOf(t.p, listener.port);
  const value = new Uint8Array(2053 - around);
  const objective = { name: 'EX1', negotiate: true, value };
  await t.code([3, 40], t.engine.requestNegotiate(largest.asa, objective, { peer, timeoutMs: 1000 }));
  await t.never(
    () => (listener.connections.some(({ bytes }) => bytes.length > 0) ? 'bytes of E' : undefined),
    300,
    'nothing is sent',
  );
  const { asa, session, conn, sid } = await pNegotiates(t);
  await t.code([3, 40], t.engine.negotiateStep(asa, session, { name: 'EX1', value }, { timeoutMs: 1000 }));
  t.equal(conn.bytes.length, 0, 'bytes of E on the connection');
  // The session is not lost: a value that fits can still be sent.
  const step = t.engine.negotiateStep(asa, session, { name: 'EX1', value: 2 });
  t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 5, 2]], 'a step that fits');
  await conn.send(message.accept(sid));
  t.answer(await taken(t, step), 'accepted');
});

row('G-2.8.3-03', async (t) => {
  const { place, conn: running, session, asa, sid } = await pNegotiates(t);
  await listen(t, 'EX1');
  const resident = (): number => {
    const status = readFileSync(`/proc/${t.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  };
  const before = resident();
  const long = ofLength(1 << 20, (value) => message.requestNegotiate(7, ['EX1', NEG, 6, value]));
  const claims = [
    new Verbatim('83 03 07 84 63 455831 03 06 5b 8000000000000000'), // a byte string of 2^63 bytes
    new Verbatim('83 03 07 84 63 455831 03 06 9b 8000000000000000'), // an array of as many elements
    new Verbatim('9b 8000000000000000 03 07'),
    new Verbatim('83 03 07 84 7b 8000000000000000 4558'),
    new Verbatim(
      Buffer.concat([
        Buffer.from('8303078463455831 0306'.replace(/ /g, ''), 'hex'),
        Buffer.alloc(4000, 0x81),
      ]),
    ),
  ];
  for (const item of [long, ...claims]) {
    const conn = await t.p.connect(place.address, place.port);
    // What E no longer reads is refused while it is being sent.
    conn.send(item).catch(() => undefined);
    await conn.closes(5000);
    onlyInvalid(t, conn.messages, 7);
  }
  const grown = resident() - before;
  t.ok(grown < 100, `E has grown by ${grown.toFixed(0)} MiB`);
  await t.engine.endNegotiate(asa, session, true);
  t.same((await running.next()).message, message.accept(sid), 'the end of the session of others');
});

row('G-2.8.12-01', { slowMs: 15_000 }, async (t) => {
  const unusable = vectorsOf(
    (each) =>
      each.group === 'malformed' && each.context === 'tcp-session' && each.expect === 'discard-or-invalid',
  );
  let place: Awaited<ReturnType<typeof pNegotiates>>['place'] | undefined;
  for (const vector of unusable) {
    // In a session of its session ID, where E waits for the answer to its step.
    const [, sid] = messageOf(vector) as [number, number];
    const running = await pNegotiates(t, { sid, name: 'EX3' });
    place = running.place;
    const { asa, session, conn } = running;
    const step = t.engine.negotiateStep(asa, session, { name: 'EX3', value: 2 }, { timeoutMs: 500 });
    await conn.next();
    await conn.send(Buffer.from(vector.hex, 'hex'));
    const { error } = await t.timed(taken(t, step, 3000, `the step that is answered by ${vector.name}`));
    t.ok(error instanceof CallFailed, `${vector.name} is taken for a valid answer`);
    await conn.closes();
    onlyInvalid(t, conn.messages.slice(1), sid);
  }
  // As the first message of a connection: the same, and the ASA gets nothing.
  let delivered = 0;
  const { request } = await t.engine.listenNegotiate(await t.asa(), { name: 'EX3', negotiate: true });
  request.then(
    () => delivered++,
    () => undefined, // ends with the engine
  );
  for (const vector of unusable) {
    const [, sid] = messageOf(vector) as [number, number];
    const conn = await t.p.connect(place!.address, place!.port);
    await conn.send(Buffer.from(vector.hex, 'hex'));
    await conn.finish();
    await conn.closes();
    onlyInvalid(t, conn.messages, sid);
  }
  t.equal(delivered, 0, 'requests the ASA gets');
  await t.request(place!, { name: 'EX3' });
  await taken(t, request);
});

row(['G-2.8.12-02', 'G-2.8.12-03'], async (t) => {
  for (const sid of [0, 23, 0x1_0000, 0xffff_ffff]) {
    const { asa, session, conn } = await pNegotiates(t, { sid });
    const step = t.engine.negotiateStep(asa, session, { name: 'EX1', value: 2 }, { timeoutMs: 500 });
    await conn.next();
    // 2000 bytes that a diagnosis may quote.
    await conn.send([42, sid, new Uint8Array(1990)]);
    await t.code([24, 27, 28], taken(t, step, 3000));
    await conn.closes();
    onlyInvalid(t, conn.messages.slice(1), sid);
  }
  // By the ASA's wish: what it says is carried.
  const { asa, session, conn, sid } = await pNegotiates(t);
  await t.engine.sendInvalid(asa, session, 'c0ffee');
  const { message: m } = await conn.next();
  t.same(m, message.invalid(sid, Buffer.from('c0ffee', 'hex')), 'M_INVALID of the ASA');
});

row('G-2.8.12-04', async (t) => {
  for (const content of [[], ['no'], [new Map([['why', [1, null]]])]]) {
    const { call, conn, sid } = await eNegotiates(t, { timeoutMs: 1000 });
    await conn.send(message.invalid(sid, ...content));
    await t.code([27, 28], taken(t, call, 3000), 'M_INVALID instead of an answer');
    await conn.closes();
  }
});

row('G-2.8.12-05', async (t) => {
  const invalid = (sid: number): unknown[] => message.invalid(sid, 'no');
  const quiet = async (conn: Conn, had: number, what: string): Promise<void> => {
    await t.never(() => (conn.messages.length > had ? 'an answer' : undefined), 500, `M_INVALID ${what}`);
  };
  const waiting = await eNegotiates(t, { timeoutMs: 1000 });
  await waiting.conn.send(invalid(waiting.sid));
  await quiet(waiting.conn, 1, 'to a request that waits');
  const { conn, place, sid } = await pNegotiates(t);
  await listen(t, 'EX1');
  await conn.send(invalid(sid), invalid(t.sid()));
  await quiet(conn, 0, 'on an open session');
  const first = await t.p.connect(place.address, place.port);
  await first.send(invalid(t.sid()));
  await quiet(first, 0, 'as the first message');
  // Broken itself, it is still no message to answer.
  const broken = await t.p.connect(place.address, place.port);
  await broken.send([M_INVALID]);
  await quiet(broken, 0, 'without a session ID');
  const pair = await t.p.pair();
  await pair.multicast(invalid(sid), [M_INVALID, sid, 1, 2]);
  await pair.unicast(t.lab.addresses('i1').linkLocal, GRASP_LISTEN_PORT, invalid(t.sid()));
  await t.silence(pair);
  await t.alive();
});

row('G-2.8.13-01', async (t) => {
  // If E sends any, it is just [0], and what E wants is done without an answer to it.
  const { call, conn } = await eNegotiates(t);
  const request = conn.messages.find(({ message: m }) => m[0] !== M_NOOP) ?? (await conn.next());
  await conn.send(message.accept(request.message[1] as number));
  t.answer(await taken(t, call), 'accepted');
  await t.learn('EX2', [t.p]);
  t.ok(t.count(t.p, M_DISCOVERY) > 0, 'no M_DISCOVERY');
  const noops = [...t.p.multicasts, ...conn.messages].filter(({ message: m }) => m?.[0] === M_NOOP);
  for (const { bytes } of noops) t.equal(bytes.toString('hex'), '8100', 'an M_NOOP');
});

row('G-2.8.13-02', async (t) => {
  const pair = await t.p.pair();
  await pair.multicast(message.noop(), new Verbatim('81 18 00'));
  await pair.unicast(t.lab.addresses('i1').linkLocal, GRASP_LISTEN_PORT, message.noop());
  await t.silence(pair);
  await listen(t, 'EX3');
  await t.response(await t.disc('EX3', { pair }));
  // First, and amid a session, in a segment of its own or not.
  const asa = await having(t, 'EX1', 'negotiate');
  const { request } = await t.engine.listenNegotiate(asa, { name: 'EX1', negotiate: true });
  const { place } = await t.discovered(t.p, 'EX1');
  const conn = await t.p.connect(place.address, place.port);
  const sid = t.sid();
  await conn.send(message.noop());
  await conn.sendJoined(message.noop(), message.requestNegotiate(sid, ['EX1', NEG, 6, 1]));
  const { session } = await taken(t, request);
  const step = t.engine.negotiateStep(asa, session, { name: 'EX1', value: 2 });
  t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 5, 2]], 'the step');
  await conn.send(message.noop());
  await conn.sendJoined(message.noop(), message.negotiate(sid, ['EX1', NEG, 4, 3]));
  t.equal(t.value(t.answer(await taken(t, step), 'offered').objective), 3, 'the offer the ASA gets');
  await t.engine.endNegotiate(asa, session, true);
  t.same((await conn.next()).message, message.accept(sid), 'M_END');
  const asked = await eNegotiates(t);
  await asked.conn.sendJoined(message.noop(), message.accept(asked.sid));
  t.answer(await taken(t, asked.call), 'accepted');
});
