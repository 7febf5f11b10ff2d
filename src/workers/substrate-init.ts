/** How each thread of an engine opens its view of the substrate. */
import { ErrorCode, GraspError, type DullRules } from '../protocol/index.js';
import { loading } from '../runtime/index.js';
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

/** A DULL instance (RFC 8990 §2.5.2, RFC 8994 §6.4) as a user asks for it. */
export interface DullOptions {
  /** Names of the objectives it serves: `AN_ACP`, `AN_Proxy`. All others are discarded. At least one. */
  readonly objectives: readonly string[];
  /** The interface it works on, one of the substrate's. Not needed if the substrate is given exactly one. */
  readonly interface?: string | undefined;
}

/**
 * The substrate and the rules of a DULL instance: "limited to link-local operation on a single interface" (RFC 8990
 * §2.5.2). Throws 3 if that is not one. No interface is ever one by default (RFC 8994 §6.4).
 */
export function dullInstance(
  choice: SubstrateChoice,
  { objectives, interface: wanted }: DullOptions,
): { substrate: SubstrateChoice; rules: DullRules } {
  const offered =
    choice.kind === 'plain' ? choice.interfaces : choice.node.attachments.map(({ link }) => link.name);
  const name = wanted ?? (offered?.length === 1 ? offered[0] : undefined);
  if (name === undefined) {
    throw new GraspError(
      ErrorCode.unspec,
      'a DULL instance works on exactly one interface: name it, in `interfaces` or in `dull.interface`',
    );
  }
  if (offered && !offered.includes(name)) {
    throw new GraspError(
      ErrorCode.unspec,
      `dull.interface: the substrate has no interface ${JSON.stringify(name)}`,
    );
  }
  const rules: DullRules = { interface: name, objectives: [...objectives] };
  if (choice.kind !== 'plain') return { substrate: choice, rules };
  // RFC 8994 §6.4 knows ff02::13 only, and what comes from an IPv4 address is hardly ever link-local.
  const families = choice.families ?? (['ipv6'] as const);
  return { substrate: { ...choice, interfaces: [name], families }, rules };
}

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
 * more thread of an engine that runs; see `openPlainSubstrate`. `dull`: its one link is all that is to be seen.
 */
export async function openSubstrate(
  init: SubstrateInit,
  world: World,
  { dull, lenient = false }: { dull?: DullRules | undefined; lenient?: boolean } = {},
): Promise<Substrate> {
  const substrate = await open(init, world, lenient);
  if (!dull) return substrate;
  const { linkLocalOnly } = await loading(world.clock, import('../substrate/link-local.js'));
  return linkLocalOnly(substrate, dull.interface);
}

async function open(init: SubstrateInit, world: World, lenient: boolean): Promise<Substrate> {
  switch (init.kind) {
    case 'plain': {
      const { openPlainSubstrate } = await loading(world.clock, import('../substrate/plain/index.js'));
      return openPlainSubstrate(init.options, { clock: world.clock, lenient });
    }
    case 'simulated': {
      const { openSimulatedSubstrate } = await loading(
        world.clock,
        import('../substrate/simulated/index.js'),
      );
      return openSimulatedSubstrate(toEndpoint(init.port), { clock: world.clock });
    }
  }
}
