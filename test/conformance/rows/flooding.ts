/** RFC 8990 §2.5.6: synchronization and flooding. */
import { row } from '../rows.js';
import type { FloodAnswer } from '../adapter.js';
import { encode } from '../cbor.js';
import type { T } from '../context.js';
import {
  addressBytes,
  locator,
  M_DISCOVERY,
  M_FLOOD,
  M_REQ_SYN,
  M_RESPONSE,
  M_SYNCH,
  message,
  SYNCH,
} from '../wire.js';
import { eSynchronizes, having, taken } from './parts.js';

/** E's flood cache for an objective, as soon as it holds this many. */
export async function cached(t: T, name: string, count = 1): Promise<FloodAnswer[]> {
  const asa = await t.asa();
  return t.eventually(
    () => t.engine.getFlood(asa, { name, synchronize: true }),
    (floods) => floods.length === count,
    1000,
    `${count} entries of ${name} in the flood cache`,
  );
}

/** E floods objectives; what P and Q hear. */
export async function flooded(
  t: T,
  ...objectives: readonly { name: string; value?: unknown; loopCount?: number }[]
): Promise<{ onP: unknown[]; onQ: unknown[] }> {
  for (const { name } of objectives) await having(t, name, 'synchronize');
  const [from, fromQ] = [t.p.multicasts.length, t.q.multicasts.length];
  const tagged = objectives.map((each) => ({ objective: { synchronize: true, ...each } }));
  await t.engine.flood(await t.asa(), 60_000, tagged);
  const { name } = objectives[0]!;
  const { message: onP } = await t.heard(t.p, M_FLOOD, { name, from });
  const { message: onQ } = await t.heard(t.q, M_FLOOD, { name, from: fromQ });
  return { onP, onQ };
}

row('G-2.5.6.1-01', async (t) => {
  await t.synchronizing({ name: 'EX1', value: 7 });
  const { place } = await t.discovered(t.p, 'EX1');
  const { conn } = await t.requestSynch(place, { name: 'EX1' });
  t.equal((await conn.next()).message[0], M_SYNCH, 'message type');
  await conn.closes();
  t.equal(conn.messages.length, 1, 'messages of E');
  // And the receiver of an M_SYNCH need not wait for the other side.
  const asked = await eSynchronizes(t);
  await asked.conn.hold();
  await asked.conn.send(message.synch(asked.sid, ['EX2', SYNCH, 6, 8]));
  t.equal(t.value(await taken(t, asked.call)), 8, 'the value');
  await asked.conn.closes();
});

row('G-2.5.6.1-02', async (t) => {
  for (const how of ['reset', 'finish'] as const) {
    const { call, conn } = await eSynchronizes(t);
    await conn[how]();
    await t.code([35, 36], taken(t, call), `${how} after M_REQ_SYN`);
  }
  await t.alive();
});

// The peers' sockets hear what is sent to port 7017 of ff02::13, and nothing else.
row(['G-2.5.6.2-02', 'G-2.8.11-02'], async (t) => {
  await flooded(t, { name: 'EX1', value: 7 });
});

row(['G-2.5.6.2-03', 'G-2.8.11-05'], async (t) => {
  const { onP } = await flooded(t, { name: 'EX1', value: 7 }, { name: 'EX2', value: 8 });
  t.same(
    onP.slice(4),
    [
      [['EX1', SYNCH, 6, 7], []],
      [['EX2', SYNCH, 6, 8], []],
    ],
    'the objectives and their loop counts',
  );
  const { onP: set } = await flooded(t, { name: 'EX1', value: 7, loopCount: 3 });
  t.same(set[4], [['EX1', SYNCH, 3, 7], []], 'an objective with loop count 3');
});

row('G-2.5.6.2-05', async (t) => {
  const { onP, onQ } = await flooded(t, { name: 'EX1', value: 7 });
  const sid = onP[1] as number;
  t.equal(onQ[1], sid, 'session ID on i2');
  await t.never(
    () => {
      const copies = [t.p, t.p2, t.q].map((peer) => t.count(peer, M_FLOOD, { sid }));
      return copies.some((count) => count > 1) ? `P, P2, Q hear ${copies.join(', ')}` : undefined;
    },
    t.silenceMs,
    'one copy per interface',
  );
});

row('G-2.5.6.2-06', async (t) => {
  const sid = await t.flood('EX1', { loopCount: 3 });
  await t.heard(t.q, M_FLOOD, { sid });
  await t.never(
    () => (t.count(t.p, M_FLOOD, { sid }) + t.count(t.p2, M_FLOOD, { sid }) > 0 ? 'a copy on i1' : undefined),
    t.silenceMs,
    'not on the interface it came by',
  );
});

row(['G-2.5.6.2-07', 'G-2.5.6.2-08'], async (t) => {
  // Not the sender's own address: the sender may be a relay itself.
  for (const initiator of [addressBytes('2001:db8::42'), addressBytes('192.0.2.42')]) {
    const sid = await t.flood('EX1', { initiator });
    const { message: copy } = await t.heard(t.q, M_FLOOD, { sid });
    t.same(copy[2], initiator, 'initiator of the copy');
  }
});

row('G-2.5.6.2-09', async (t) => {
  const initiator = addressBytes('fe80::1');
  const two = await t.flood('EX1', { initiator, loopCount: 2 });
  const none = await t.flood('EX1', { initiator, loopCount: 0 });
  await t.silence(two, none);
  await t.flood('EX2', { initiator, loopCount: 1 });
  await cached(t, 'EX2');
  await cached(t, 'EX1', 0);
});

row('G-2.5.6.2-10', async (t) => {
  const place = locator(t.p.global, 9000);
  const pair = await t.p.pair({ tcp: false });
  const sid = 0x1234_5678;
  const flood = (loopCount: number): unknown[] => [
    M_FLOOD,
    sid,
    t.p.initiator,
    60_000,
    [['EX1', SYNCH, loopCount, ['a', 1]], place],
    [['EX2', SYNCH, 5, null], []],
  ];
  await pair.multicast(flood(5));
  const copy = await t.heard(t.q, M_FLOOD, { sid });
  t.equal(copy.bytes.toString('hex'), encode(flood(4)).toString('hex'), 'the relayed flood');
});

row('G-2.5.6.2-11', async (t) => {
  const one = await t.flood('EX1', { loopCount: 1 });
  const none = await t.flood('EX2', { loopCount: 0 });
  await t.silence(one, none);
  await cached(t, 'EX1');
  const sid = await t.flood('EX3', { loopCount: 2 });
  const { message: copy } = await t.heard(t.q, M_FLOOD, { sid });
  t.same(copy[4], [['EX3', SYNCH, 1, 1], []], 'the copy');
});

row('G-2.5.6.2-12', async (t) => {
  const pair = await t.p.pair({ tcp: false });
  // More than a second of any sensible limit, in batches: what a receiver's buffer cannot hold would look like one.
  const storm = 6000;
  for (let sent = 0; sent < storm; sent += 250) {
    const floods = Array.from({ length: 250 }, (_, i) =>
      message.flood(t.sid(), t.p.initiator, 60_000, [[`EX1-${sent + i}`, SYNCH, 6, i], []]),
    );
    await pair.multicast(...floods);
    await t.never(() => undefined, 20, 'a pause');
  }
  const copies = (): number => t.count(t.q, M_FLOOD);
  await t.until(() => (copies() > 0 ? true : undefined), 1000, 'a relayed flood');
  await t.never(
    () => (copies() >= 0.9 * storm ? `${copies()} copies of ${storm}` : undefined),
    2 * t.silenceMs,
    'a limit of the rate',
  );
  // Once the storm is over, single ones pass again.
  await t.eventually(
    async () => {
      const sid = await t.flood('EX2');
      return t.q.hears((m) => m[1] === sid, 200);
    },
    (copy) => copy !== undefined,
    5000,
    'a single flood is relayed after the storm',
  );
});

/** The same (session ID, initiator) again, from either side. */
async function again(t: T, sid: number): Promise<void> {
  await t.flood('EX1', { sid, loopCount: 5 });
  await t.flood('EX1', { sid, initiator: t.p.initiator, loopCount: 4, from: t.q });
}

row('G-2.5.6.2-13', { slowMs: 125_000 }, async (t) => {
  const sid = await t.flood('EX1');
  await t.heard(t.q, M_FLOOD, { sid });
  const copies = (): string | undefined => {
    const seen = [t.p, t.p2, t.q].map((peer) => t.count(peer, M_FLOOD, { sid }));
    return seen.join() === '0,0,1' ? undefined : `P, P2, Q hear ${seen.join(', ')} copies`;
  };
  for (const ms of [60_000, 58_500]) {
    await t.never(copies, ms, 'relayed once');
    await again(t, sid);
  }
  await t.never(copies, t.silenceMs, 'relayed once in two minutes');
  const next = await t.flood('EX2');
  await t.heard(t.q, M_FLOOD, { sid: next });
});

row('G-2.5.6.2-14', async (t) => {
  const sid = await t.flood('EX1');
  await t.heard(t.q, M_FLOOD, { sid });
  await again(t, sid);
  await t.never(
    () => {
      const seen = [t.p, t.p2, t.q].map((peer) => t.count(peer, M_FLOOD, { sid }));
      return seen.join() === '0,0,1' ? undefined : `P, P2, Q hear ${seen.join(', ')} copies`;
    },
    t.silenceMs,
    'relayed once',
  );
  // Another initiator, another flood.
  await t.flood('EX1', { sid, initiator: t.p2.initiator });
  await t.until(() => (t.count(t.q, M_FLOOD, { sid }) === 2 ? true : undefined), 1000, 'the next is relayed');
});

row('G-2.5.6.2-17', async (t) => {
  const objective = { name: 'EX1', synchronize: true, value: ['a', 7] };
  const asa = await t.synchronizing(objective);
  await t.engine.flood(asa, 60_000, [{ objective }]);
  await t.heard(t.p, M_FLOOD, { name: 'EX1' });
  const { place } = await t.discovered(t.p, 'EX1');
  const { conn, sid } = await t.requestSynch(place, { name: 'EX1' });
  t.same((await conn.next()).message, message.synch(sid, ['EX1', SYNCH, 6, ['a', 7]]), 'M_SYNCH');
});

row('G-2.5.6.2-18', { needs: ['no-security'], start: { insecure: false } }, async (t) => {
  const objective = { name: 'EX1', synchronize: true, value: 1 };
  const asa = await t.registered(objective);
  await t.code(16, t.engine.flood(asa, 60_000, [{ objective }]));
  await t.never(
    () => (t.count(t.p, M_FLOOD) + t.count(t.q, M_FLOOD) > 0 ? 'a flood' : undefined),
    t.silenceMs,
    'nothing is sent',
  );
  // The same engine with the word that it may run unprotected: it was not for another reason.
  await t.engine.stop();
  await t.engine.start();
  const allowed = await t.engine.registerAsa('allowed');
  await t.engine.registerObjective(allowed, objective);
  await t.engine.flood(allowed, 60_000, [{ objective }]);
  await t.heard(t.p, M_FLOOD, { name: 'EX1' });
});

row('G-2.5.6.2-19', { needs: ['no-security'], start: { insecure: false } }, async (t) => {
  const asa = await t.asa();
  const sid = await t.flood('EX1');
  await t.silence(sid);
  // An engine that has no security may refuse to say what it has in its cache.
  const { value, error } = await t.timed(t.engine.getFlood(asa, { name: 'EX1', synchronize: true }));
  if (error) await t.code(16, Promise.reject(error));
  else t.equal(value!.length, 0, 'floods in the cache');
  await t.engine.stop();
  await t.engine.start();
  const reader = await t.engine.registerAsa('reader');
  await t.flood('EX1');
  await t.eventually(
    () => t.engine.getFlood(reader, { name: 'EX1', synchronize: true }),
    (floods) => floods.length === 1,
    1000,
    'the flood in the cache of an engine that may run unprotected',
  );
});

/** E looks for EX2 itself: its M_DISCOVERY, as P hears it. */
async function looking(t: T) {
  const asa = await having(t, 'EX2', 'synchronize');
  const call = t.engine.synchronize(asa, { name: 'EX2', synchronize: true }, { timeoutMs: 2000 });
  call.catch(() => undefined);
  const asked = await t.heard(t.p, M_DISCOVERY, { name: 'EX2' });
  return { call, asked, objective: asked.message[3] as unknown[] };
}

row(['G-2.5.6.3-01', 'G-2.8.4-14'], async (t) => {
  const { call, asked, objective } = await looking(t);
  t.equal(objective[2], 6, 'loop count');
  if (objective.length !== 3) {
    t.equal(objective.length, 4, 'elements of the objective');
    t.ok(((objective[1] as number) & 4) !== 0, 'an objective with a value has F_SYNCH');
  }
  const listener = await t.p.listen();
  await t.respond(t.p, asked, { port: listener.port });
  const conn = await listener.accept();
  const { message: request } = await conn.next();
  t.equal(request[0], M_REQ_SYN, 'message type after M_RESPONSE');
  await conn.send(message.synch(request[1] as number, ['EX2', SYNCH, 6, 7]));
  t.equal(t.value(await taken(t, call)), 7, 'the value');
});

row('G-2.5.6.3-02', { needs: ['rapid'], start: { rapid: true } }, async (t) => {
  await t.synchronizing({ name: 'EX1', value: ['a', 7] }, { rapid: true });
  for (const value of [null, 0]) {
    const discovery = await t.disc('EX1', { flags: SYNCH, value });
    const conn = await discovery.pair.accept();
    const { message: answer } = await conn.next();
    t.same(answer, message.synch(discovery.sid, ['EX1', SYNCH, 6, ['a', 7]]), 'M_SYNCH to the discovery');
    await conn.closes();
  }
  // Without a value it is a discovery like any other.
  await t.discovered(t.p, 'EX1', { flags: SYNCH });
});

row('G-2.5.6.3-03', async (t) => {
  const { call, asked } = await looking(t);
  const [, sid, initiator] = asked.message as [number, number, Buffer];
  const listener = await t.p.listen();
  const conn = await t.p.connect(asked.address, asked.port);
  const response = message.response(sid, initiator, 60_000, locator(t.p.global, listener.port));
  await conn.sendJoined(response, message.synch(sid, ['EX2', SYNCH, 6, 99]));
  const requested = await listener.accept(2000);
  const { message: request } = await requested.next();
  t.equal(request[0], M_REQ_SYN, 'message type');
  await requested.send(message.synch(request[1] as number, ['EX2', SYNCH, 6, 7]));
  t.equal(t.value(await taken(t, call)), 7, 'the value of the answer to M_REQ_SYN');
});

row('G-2.5.6.3-04', async (t) => {
  await t.synchronizing({ name: 'EX1', value: 7 });
  for (const value of [null, 0]) {
    // t.response takes nothing but an M_RESPONSE.
    const { message: response, conn } = await t.response(await t.disc('EX1', { flags: SYNCH, value }));
    t.placeIn(response);
    await conn.closes();
    t.equal(conn.messages.length, 1, 'messages of E');
  }
});

/** A discovery with a value may be answered by M_RESPONSE or at once. */
row('G-2.8.4-13', async (t) => {
  await t.synchronizing({ name: 'EX1', value: 7 });
  const discovery = await t.disc('EX1', { flags: SYNCH, value: null });
  const conn = await discovery.pair.accept();
  const { message: answer } = await conn.next();
  if (answer[0] === M_RESPONSE) t.placeIn(answer);
  else t.same(answer, message.synch(discovery.sid, ['EX1', SYNCH, 6, 7]), 'a direct answer');
  t.equal(answer[1], discovery.sid, 'session ID of the answer');
});
