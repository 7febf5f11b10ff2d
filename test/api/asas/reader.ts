import type { AsaContext } from '../../../src/index.js';

/** What it gets of EX1 by request and of EX2 by flooding. */
export default async function reader({ asa, signal }: AsaContext): Promise<unknown> {
  for await (const [entry] of asa.watchFlood('EX2', { signal })) {
    if (!entry) continue;
    const { value, source } = await asa.synchronize('EX1', { signal });
    return [value, source, entry.value, entry.locator?.address];
  }
  return undefined;
}
