/** How each thread of an engine opens its view of the substrate. */
import type { PlainOptions, SimulatedNode, Substrate } from '../substrate/index.js';
import type { World } from './host.js';
import { toEndpoint } from './ports.js';

/** What a user gives to `Grasp.start`. */
export type SubstrateChoice =
  ({ readonly kind: 'plain' } & PlainOptions) | { readonly kind: 'simulated'; readonly node: SimulatedNode };

/** What a host gets; its port is moved to it. */
export type SubstrateInit =
  | { readonly kind: 'plain'; readonly options: PlainOptions }
  | { readonly kind: 'simulated'; readonly port: unknown };

/** The description for one more host, and the ports to be moved with it. */
export function substrateFor(
  choice: SubstrateChoice,
  channel: () => [object, object],
): { init: SubstrateInit; ports: object[] } {
  if (choice.kind === 'plain') {
    const { kind: _, ...options } = choice;
    return { init: { kind: 'plain', options }, ports: [] };
  }
  const [here, there] = channel();
  choice.node.connectPort(toEndpoint(here));
  return { init: { kind: 'simulated', port: there }, ports: [there] };
}

/**
 * Loads only the substrate that is used: loading code is most of what the start of a thread takes. `lenient`: for one
 * more thread of an engine that runs; see `openPlainSubstrate`.
 */
export async function openSubstrate(init: SubstrateInit, world: World, lenient = false): Promise<Substrate> {
  switch (init.kind) {
    case 'plain': {
      const { openPlainSubstrate } = await import('../substrate/plain/index.js');
      return openPlainSubstrate(init.options, { clock: world.clock, lenient });
    }
    case 'simulated': {
      const { openSimulatedSubstrate } = await import('../substrate/simulated/index.js');
      return openSimulatedSubstrate(toEndpoint(init.port), { clock: world.clock });
    }
  }
}
