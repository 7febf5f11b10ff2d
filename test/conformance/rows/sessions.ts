/** RFC 8990 §2.6, §2.7: constants, session IDs. */
import { row } from '../rows.js';
import { Engine } from '../adapter.js';
import type { T } from '../context.js';
import {
  locator,
  M_DISCOVERY,
  M_END,
  M_FLOOD,
  M_NEGOTIATE,
  M_REQ_NEG,
  M_SYNCH,
  M_WAIT,
  message,
  NEG,
} from '../wire.js';
import { cached } from './flooding.js';
import { eNegotiates, eSynchronizes, pNegotiates, taken } from './parts.js';

row('G-2.6-01', { clean: true }, async (t) => {
  const member = async (link: string): Promise<boolean> =>
    /\bff02::13\b/.test(await t.lab.ip('e', '-6', 'maddr', 'show', 'dev', link));
  for (const link of ['i1', 'i2']) t.ok(await member(link), `E is no member of ff02::13 on ${link}`);
  await t.lab.setUp('i1', false);
  await t.lab.setUp('i1', true);
  await t.eventually(
    () => member('i1'),
    (is) => is,
    10_000,
    'membership after the interface has come up again',
  );
  await t.listening({ name: 'EX1' });
  await t.eventually(
    () => t.settled(t.discovered(t.p, 'EX1')),
    (found) => found !== undefined,
    10_000,
    'multicasts are heard again',
  );
});

row('G-2.6-02', async (t) => {
  await t.listening({ name: 'EX1' });
  await t.discovered(t.p, 'EX1');
  await t.discovered(t.q, 'EX1');
  await t.flood('EX2', { value: 7 });
  await cached(t, 'EX2');
});

row('G-2.6-03', async (t) => {
  // Whatever port E advertises, 7017 or another, requests are taken there.
  const { asa, session, place, conn } = await pNegotiates(t);
  await t.engine.endNegotiate(asa, session, true);
  t.equal((await conn.next()).message[0], M_END, `message type of the answer at port ${place.port}`);
  const { request } = await t.engine.listenNegotiate(asa, { name: 'EX1', negotiate: true });
  const { conn: second } = await t.request(place, { name: 'EX1' }, { from: t.p2 });
  await t.engine.endNegotiate(asa, (await taken(t, request)).session, true);
  t.equal((await second.next()).message[0], M_END, 'message type of the next answer there');
});

row('G-2.6-04', { slowMs: 62_000 }, async (t) => {
  const asked = await eNegotiates(t);
  t.equal((asked.request[2] as unknown[])[2], 6, 'loop count of M_REQ_NEG');
  const synchronization = await eSynchronizes(t);
  t.equal((synchronization.request[2] as unknown[])[2], 6, 'loop count of M_REQ_SYN');
  const value = new Uint8Array(2048).fill(7);
  await t.code(
    [3, 40],
    t.engine.requestNegotiate(
      asked.asa,
      { name: 'EX1', negotiate: true, value },
      { peer: t.locatorOf(t.p, asked.conn.localPort) },
    ),
    'a request of more than 2048 bytes',
  );
  await Promise.all([
    t.code(27, taken(t, asked.call, 62_000, 'requestNegotiate ends')),
    t.code(36, taken(t, synchronization.call, 62_000, 'synchronize ends')),
  ]);
  for (const { conn, at } of [asked, synchronization]) {
    const ms = (await conn.closes()).at - at;
    t.ok(Math.abs(ms - 60_000) <= 1000, `the request ends after ${ms.toFixed(0)} ms instead of 60000 ± 1000`);
  }
});

/** Many operations of E, and their session IDs as the peers see them. */
async function manyIds(
  t: T,
  engine: Engine,
  counts: { floods: number; discoveries: number; requests: number },
) {
  const asa = await engine.registerAsa(t.name());
  const [flooding, negotiating] = [t.name(), t.name()];
  await engine.registerObjective(asa, { name: flooding, synchronize: true });
  await engine.registerObjective(asa, { name: negotiating, negotiate: true });
  const listener = await t.p.listen();
  const peer = t.locatorOf(t.p, listener.port);
  const sids: number[] = [];
  const discoveries: string[] = [];
  for (let i = 0; i < counts.floods; i++) {
    const objective = { name: flooding, synchronize: true, value: i };
    await engine.flood(asa, 1000, [{ objective }]);
  }
  for (let i = 0; i < counts.discoveries; i += 20) {
    const names = Array.from({ length: 20 }, () => t.name());
    discoveries.push(...names);
    await Promise.all(names.map((name) => engine.discover(asa, { name }, { timeoutMs: 50 })));
  }
  for (let i = 0; i < counts.requests; i += 20) {
    const calls = Array.from({ length: 20 }, () =>
      engine.requestNegotiate(asa, { name: negotiating, negotiate: true, value: 1 }, { peer }),
    );
    for (let j = i; j < i + 20; j++) {
      const conn = await listener.accept(5000, j);
      const { message: m } = await conn.next(5000);
      t.equal(m[0], M_REQ_NEG, 'message type');
      sids.push(m[1] as number);
      await conn.send(message.decline(m[1] as number));
    }
    await Promise.all(calls);
  }
  const own = (): number[] =>
    t.p
      .heard(([type, , , objective, pair]) => {
        if (type === M_DISCOVERY) return discoveries.includes((objective as string[])[0]!);
        return type === M_FLOOD && (pair as string[][])[0]![0] === flooding;
      })
      .map(({ message: m }) => m![1] as number);
  const multicasts = counts.floods + counts.discoveries;
  await t.until(() => (own().length >= multicasts ? true : undefined), 5000, `${multicasts} multicasts of E`);
  sids.push(...own());
  return sids;
}

row(['G-2.7-01', 'G-2.7-03'], { slowMs: 20_000 }, async (t) => {
  const sids = await manyIds(t, t.engine, { floods: 300, discoveries: 300, requests: 400 });
  t.ok(sids.length >= 1000, `${sids.length} session IDs of 1000 operations`);
  t.equal(new Set(sids).size, sids.length, 'different session IDs');
  // Spread over 32 bits: every bit is set in half of them, within six standard deviations.
  for (let bit = 0; bit < 32; bit++) {
    const set = sids.filter((sid) => Math.floor(sid / 2 ** bit) % 2 === 1).length;
    const off = Math.abs(set - sids.length / 2);
    t.ok(off < 3 * Math.sqrt(sids.length), `bit ${bit} is set in ${set} of ${sids.length} session IDs`);
  }
  // Nor does one follow from the one before.
  const steps = new Set(sids.slice(1).map((sid, i) => (sid - sids[i]! + 2 ** 32) % 2 ** 32));
  t.ok(steps.size > 0.99 * (sids.length - 1), `${steps.size} different steps from one ID to the next`);
});

row('G-2.7-02', async (t) => {
  const sid = 0xfedc_ba98;
  await t.listening({ name: 'EX3' });
  await t.response(await t.disc('EX3', { sid })); // compares
  await t.synchronizing({ name: 'EX4', value: 7 });
  const { place } = await t.discovered(t.p, 'EX4');
  const synchronization = await t.requestSynch(place, { name: 'EX4' }, { sid });
  t.same((await synchronization.conn.next()).message.slice(0, 2), [M_SYNCH, sid], 'M_SYNCH');
  const { asa, session, conn } = await pNegotiates(t, { sid });
  await t.engine.negotiateWait(asa, session, 10_000);
  t.same((await conn.next()).message, message.wait(sid, 10_000), 'M_WAIT');
  const step = t.engine.negotiateStep(asa, session, { name: 'EX1', value: 2 });
  t.same((await conn.next()).message.slice(0, 2), [M_NEGOTIATE, sid], 'M_NEGOTIATE');
  await conn.send(message.negotiate(sid, ['EX1', NEG, 4, 3]));
  t.answer(await taken(t, step), 'offered');
  await t.engine.endNegotiate(asa, session, true);
  t.same((await conn.next()).message, message.accept(sid), 'M_END');
  // As initiator, with an ID of E's own.
  const own = await eNegotiates(t);
  await own.conn.send(message.negotiate(own.sid, ['EX1', NEG, 5, 3]));
  const { session: offered } = t.answer(await taken(t, own.call), 'offered');
  await t.engine.negotiateWait(asa, offered, 10_000);
  t.same((await own.conn.next()).message.slice(0, 2), [M_WAIT, own.sid], 'M_WAIT of the initiator');
  const last = t.engine.negotiateStep(asa, offered, { name: 'EX1', value: 4 });
  t.same((await own.conn.next()).message.slice(0, 2), [M_NEGOTIATE, own.sid], 'M_NEGOTIATE of the initiator');
  await own.conn.send(message.accept(own.sid));
  t.answer(await taken(t, last), 'accepted');
});

row('G-2.7-04', async (t) => {
  const counts = { floods: 20, discoveries: 40, requests: 0 };
  const sequences = [await manyIds(t, t.engine, counts)];
  // The same process once more, and a process of its own.
  await t.engine.stop();
  await t.engine.start();
  sequences.push(await manyIds(t, t.engine, counts));
  await t.engine.stop(); // it would relay what the other sends
  const other = new Engine(await t.adapter([]));
  await other.start();
  sequences.push(await manyIds(t, other, counts));
  const all = sequences.flat();
  t.equal(new Set(all).size, all.length, 'different session IDs of three engines');
});

row('G-2.7-09', async (t) => {
  const sid = 0x0bad_cafe;
  await t.flood('EX3', { sid, value: 1 });
  await t.flood('EX3', { sid, value: 2, from: t.p2, locator: locator(t.p2.global, 4711) });
  await t.until(
    () => (t.count(t.q, M_FLOOD, { sid }) === 2 ? true : undefined),
    1000,
    'both floods are relayed',
  );
  await cached(t, 'EX3', 2);
  // As requests, both sessions under way at the same time.
  const one = await pNegotiates(t, { sid, value: 'P' });
  const two = await pNegotiates(t, { sid, value: 'P2', from: t.p2 });
  t.equal(t.value(two.objective), 'P2', 'the value of P2 the ASA gets');
  for (const [{ asa, session, conn }, value] of [
    [two, 'for P2'],
    [one, 'for P'],
  ] as const) {
    const step = t.engine.negotiateStep(asa, session, { name: 'EX1', value });
    t.same((await conn.next()).message, [M_NEGOTIATE, sid, ['EX1', NEG, 5, value]], 'the step');
    await conn.send(message.accept(sid));
    t.answer(await taken(t, step), 'accepted');
  }
});
