/** RFC 8990 §2.2–§2.3, §2.5.3: deployment, instances, transport. */
import { row } from '../rows.js';
import { M_DISCOVERY, M_FLOOD } from '../wire.js';

row('G-2.5.3-03', async (t) => {
  const asa = await t.registered({ name: 'EX1', synchronize: true });
  // [9, sid(5), bytes(16), ttl(3), [["EX1", 5, 6, bytes], []]]: what is around the value depends on the encoding of
  // the session ID, so the length comes from what is sent.
  const valueOf = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(7);
  const flood = (bytes: number): Promise<void> =>
    t.engine.flood(asa, 60_000, [{ objective: { name: 'EX1', synchronize: true, value: valueOf(bytes) } }]);
  await flood(1000);
  const first = await t.heard(t.p, M_FLOOD, { name: 'EX1' });
  const around = first.bytes.length - 1000;
  const seen = t.p.multicasts.length;
  await t.code([3, 40], flood(1300 - around), 'a flood of about 1300 bytes');
  await t.code([3, 40], flood(1234 - around), 'a flood of 1234 bytes');
  await flood(1232 - around);
  const largest = await t.heard(t.p, M_FLOOD, { name: 'EX1', from: seen });
  t.ok(largest.bytes.length <= 1232, `a datagram of ${largest.bytes.length} bytes`);
  t.ok(largest.bytes.length >= 1228, `a flood of ${largest.bytes.length} bytes instead of about 1232`);
  const sizes = t.p.multicasts.map((each) => each.bytes.length);
  t.ok(Math.max(...sizes) <= 1232, `datagrams of ${sizes.join(', ')} bytes`);
  await t.code(
    [3, 40],
    t.engine.discover(asa, { name: 'x'.repeat(1233) }),
    'a discovery of more than 1232 bytes',
  );
  t.equal(t.p.heard((m) => m[0] === M_DISCOVERY).length, 0, 'discoveries sent');
});
