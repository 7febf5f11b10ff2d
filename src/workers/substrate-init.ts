/** How each thread of an engine opens its view of the substrate. */
import {
  openPlainSubstrate,
  openSimulatedSubstrate,
  type PlainOptions,
  type SimulatedNode,
  type Substrate,
} from '../substrate/index.js';
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

/** `lenient`: for one more thread of an engine that runs; see `openPlainSubstrate`. */
export function openSubstrate(init: SubstrateInit, world: World, lenient = false): Promise<Substrate> {
  switch (init.kind) {
    case 'plain':
      return openPlainSubstrate(init.options, { clock: world.clock, lenient });
    case 'simulated':
      return openSimulatedSubstrate(toEndpoint(init.port), { clock: world.clock });
  }
}
