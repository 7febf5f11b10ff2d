/** What both engine processes of the negotiation benchmark share: starting the engine, placing the ASA. */
import { Grasp } from '../src/index.js';
import asaMain, { type ClientResult, type Role } from './engine-asa.js';
import { placements, type Placement } from './placements.js';

/** Options of both sides, for `parseArgs`. */
export const sideOptions = {
  placement: { type: 'string', default: 'worker' },
  interface: { type: 'string' },
} as const;

export function toPlacement(text: string): Placement {
  const placement = placements.find((known) => known === text);
  if (placement === undefined) throw new Error(`--placement must be one of ${placements.join(', ')}`);
  return placement;
}

/**
 * Starts an engine and runs one ASA on it. `result` settles when the ASA is done; `close` ends both.
 */
export async function runAsa(
  placement: Placement,
  interfaceName: string | undefined,
  role: Role,
): Promise<{ result: Promise<void | ClientResult>; close: () => Promise<void> }> {
  const grasp = await Grasp.start({
    substrate: {
      kind: 'plain',
      insecure: true,
      ...(interfaceName === undefined ? {} : { interfaces: [interfaceName] }),
    },
    placement: placement === 'inline' ? 'inline' : 'worker',
  });
  const name = `bench-${role.role}`;
  if (placement === 'worker') {
    const asa = await grasp.spawnAsa(new URL('./engine-asa.js', import.meta.url), { name, data: role });
    return { result: asa.done as Promise<void | ClientResult>, close: () => grasp.close() };
  }
  const stop = new AbortController();
  const asa = await grasp.registerAsa(name);
  const result = asaMain({ asa, data: role, signal: stop.signal });
  return {
    result,
    close: async () => {
      stop.abort();
      await grasp.close();
    },
  };
}
