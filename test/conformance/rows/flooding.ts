/** RFC 8990 §2.5.6: synchronization and flooding. */
import { row } from '../rows.js';
import { encode } from '../cbor.js';
import { locator, M_FLOOD, SYNCH } from '../wire.js';

row('G-2.5.6.2-06', async (t) => {
  const sid = await t.flood('EX1', { loopCount: 3 });
  await t.heard(t.q, M_FLOOD, { sid });
  await t.never(
    () => (t.p2.heard((m) => m[1] === sid).length > 0 ? 'a copy on i1' : undefined),
    500,
    'relayed flood',
  );
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
