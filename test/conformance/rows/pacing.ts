/** RFC 8085 §3.1.3, §4.1.2, §4.2, as called by RFC 8990: how often and how much is sent by UDP. */
import { encode } from '../cbor.js';
import { objectiveName, type T } from '../context.js';
import type { Datagram } from '../peer.js';
import { row } from '../rows.js';
import { M_DISCOVERY, M_FLOOD, message, SYNCH } from '../wire.js';
import { EX1, EX2, initiator } from './api-sessions.js';

/** Times at which E multicasts something of this name, the copies of one message on several links as one. */
function sent(t: T, name: string): number[] {
  const times = new Map<unknown, number>();
  for (const { message: m, at } of [t.p, t.q].flatMap((peer): readonly Datagram[] => peer.multicasts)) {
    if (!m || objectiveName(m) !== name) continue;
    times.set(m[1], Math.min(times.get(m[1]) ?? Infinity, at));
  }
  return [...times.values()].sort((a, b) => a - b);
}

/** Three calls for what nobody has, 10 s long each: whatever E repeats of its own accord is seen. */
async function unanswered(t: T): Promise<readonly number[][]> {
  const asa = await t.registered(EX1);
  const timeoutMs = 10_000;
  const calls = [
    t.timed(t.engine.discover(asa, { name: 'EX5' }, { timeoutMs })),
    t.timed(t.engine.synchronize(asa, EX2, { timeoutMs })),
    t.timed(t.engine.requestNegotiate(asa, { ...EX1, value: 1 }, { timeoutMs })),
  ];
  await Promise.all(calls);
  const names = ['EX5', 'EX2', 'EX1'];
  const times = names.map((name) => sent(t, name));
  for (const [i, each] of times.entries()) t.ok(each.length > 0, `nothing is sent for ${names[i]}`);
  return times;
}

row(['U-3.1.3-01', 'U-4.1.2-01'], { slowMs: 11_000 }, async (t) => {
  for (const times of await unanswered(t)) {
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    t.ok(
      gaps.every((gap) => gap >= 2900),
      `without answer, messages after ${gaps.map(Math.round).join(', ')} ms`,
    );
  }
  // One call, one message: no link gets a second copy of it.
  for (const peer of [t.p, t.q]) {
    const sids = peer.multicasts.map(({ message: m }) => m?.[1]);
    t.equal(new Set(sids).size, sids.length, `messages ${peer.name} hears once`);
  }
});

row('U-3.1.3-02', { slowMs: 11_000 }, async (t) => {
  for (const times of await unanswered(t)) {
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    const text = gaps.map(Math.round).join(', ');
    t.ok(gaps.length === 0 || gaps[0]! >= 900, `the first repetition comes after ${text} ms`);
    t.ok(
      gaps.every((gap, i) => i === 0 || gap >= 1.5 * gaps[i - 1]!),
      `no exponential backoff: ${text} ms`,
    );
  }
});

row('U-3.1.3-03', async (t) => {
  const { asa, ask } = await initiator(t);
  const seen = t.p.multicasts.length;
  // Somebody answers at once, somebody after a second: no further datagram is needed for that.
  const call = t.engine.discover(asa, { name: 'EX5' }, { timeoutMs: 1500 });
  const asked = await t.heard(t.p, M_DISCOVERY, { name: 'EX5', from: seen });
  await t.respond(t.p, asked, { port: 4711 });
  await t.never(
    () => (sent(t, 'EX5').length > 1 ? 'another M_DISCOVERY' : undefined),
    1000,
    'not sent again while answers come',
  );
  await t.respond(t.p2, asked, { port: 4711 });
  t.equal((await call).length, 2, 'locators');
  t.equal(sent(t, 'EX5').length, 1, 'discoveries of one call');
  const { call: request, conn, sid } = await ask();
  await conn.send(message.accept(sid));
  t.answer(await request, 'accepted');
  t.equal(t.p.multicasts.length, seen + 1, 'multicasts in all');
});

row('U-4.2-01', { clean: true }, async (t) => {
  // The smallest link of IPv6: E on both, P and Q with the rest.
  for (const [node, link] of [
    ['e', 'i1'],
    ['e', 'i2'],
    ['p', 'i1'],
    ['q', 'i2'],
  ] as const) {
    await t.lab.ip(node, 'link', 'set', link, 'mtu', '1280');
  }
  const created = async (): Promise<number> => {
    const counters = await t.lab.run('e', 'cat', '/proc/net/snmp6');
    return Number(/Ip6FragCreates\s+(\d+)/.exec(counters)?.[1]);
  };
  const before = await created();
  const asa = await t.registered(EX2);
  const flood = (bytes: number): Promise<void> =>
    t.engine.flood(asa, 60_000, [{ objective: { ...EX2, value: new Uint8Array(bytes).fill(7) } }]);
  await flood(1000);
  const around = (await t.heard(t.p, M_FLOOD, { name: 'EX2' })).bytes.length - 1000;
  await t.code([3, 40], flood(1237 - around), 'a flood larger than 1232 bytes');
  const seen = t.p.multicasts.length;
  await flood(1232 - around);
  const largest = await t.heard(t.p, M_FLOOD, { name: 'EX2', from: seen });
  t.ok(largest.bytes.length >= 1228 && largest.bytes.length <= 1232, `${largest.bytes.length} bytes`);
  // One that is relayed: as large as it came.
  const relayed = (bytes: number): Buffer =>
    encode(message.flood(0xffff_ffff, t.p.initiator, 60_000, [['EX3', SYNCH, 6, Buffer.alloc(bytes)], []]));
  const pair = await t.p.pair({ tcp: false });
  const full = relayed(2232 - relayed(1000).length);
  t.equal(full.length, 1232, 'bytes of the flood of P');
  await pair.multicast(full);
  t.equal((await t.heard(t.q, M_FLOOD, { name: 'EX3' })).bytes.length, 1232, 'bytes of the copy');
  t.equal((await created()) - before, 0, 'IPv6 fragments E has made');
  for (const peer of [t.p, t.q]) {
    const sizes = peer.multicasts.map((each) => each.bytes.length);
    t.ok(Math.max(...sizes) <= 1232, `datagrams of ${sizes.join(', ')} bytes`);
  }
});
