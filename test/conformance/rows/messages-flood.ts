/** RFC 8990 §2.8.10, §2.8.11: the messages of synchronization and flooding. */
import { row } from '../rows.js';
import { valueOf } from '../adapter.js';

row('G-2.8.11-08', async (t) => {
  const asa = await t.asa();
  await t.flood('EX1', { value: 7 });
  const [entry] = await t.eventually(
    () => t.engine.getFlood(asa, { name: 'EX1', synchronize: true }),
    (entries) => entries.length > 0,
    1000,
    'the flooded objective in the cache',
  );
  t.equal(valueOf(entry!.objective), 7, 'value');
  t.equal(entry!.locator, null, 'locator');
});
