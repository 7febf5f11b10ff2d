import type { AsaContext } from '../../../src/index.js';

/** Publishes EX1 with the given value, floods EX2, and says so by registering EX9; serves until stopped. */
export default async function publisher({ asa, data, signal }: AsaContext): Promise<void> {
  const ex1 = await asa.registerObjective({ name: 'EX1', synchronize: true });
  await ex1.listenSynchronize(data);
  const ex2 = await asa.registerObjective({ name: 'EX2', synchronize: true, value: data });
  await asa.flood([{ objective: ex2, locator: '[fd00::7]:4000' }], { ttlMs: 60_000 });
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}
