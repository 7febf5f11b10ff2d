/** RFC 8990 §2.5.4.4: the discovery relay. */
import { row } from '../rows.js';
import { M_DISCOVERY } from '../wire.js';

row('G-2.5.4.4-03', async (t) => {
  const { sid } = await t.disc('EX1', { loopCount: 3 });
  await t.heard(t.q, M_DISCOVERY, { sid });
  await t.never(
    () => (t.p2.heard((m) => m[1] === sid).length > 1 ? 'a copy on i1' : undefined),
    500,
    'relayed',
  );
});
