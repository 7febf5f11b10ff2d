/** RFC 8990 §2.8.2, §2.8.3, §2.8.12, §2.8.13: format, size, M_INVALID, M_NOOP. */
import { row } from '../rows.js';
import { Verbatim } from '../cbor.js';
import { freshSid } from '../wire.js';

row('G-2.8.2-07', async (t) => {
  await t.listening({ name: 'EX1' });
  const pair = await t.p.pair();
  const sid = freshSid();
  const objective = ['EX1', 1, 6];
  await pair.multicast(
    [42, sid, t.p.initiator, objective],
    [10, sid],
    [255, sid, t.p.initiator, 1000, [objective, []]],
    new Verbatim('82 18 2a 01'),
  );
  await t.silence(pair, sid);
  await t.alive();
});
