/** Builds the host a description asks for, opens its substrate, and serves its control calls. */
import { ErrorCode, GraspError } from '../protocol/index.js';
import { loading } from '../runtime/index.js';
import type { Substrate } from '../substrate/types.js';
import { connect, serve } from './control.js';
import {
  createCoreHost,
  createListenerHost,
  createSessionsHost,
  type HostControl,
  type HostEvents,
  type HostSettings,
  type World,
} from './host.js';
import { isPort } from './ports.js';
import { openSubstrate, type SubstrateInit } from './substrate-init.js';

export type HostRole = 'listener' | 'core' | 'sessions' | 'asa';

/** A host's description; crosses to its thread by structuredClone, the ports in it by transfer. */
export interface HostInit {
  readonly role: HostRole;
  readonly name: string;
  readonly settings: HostSettings;
  readonly substrate: SubstrateInit;
  /** The host serves {@link HostControl} here. */
  readonly control: unknown;
  /** The supervisor serves {@link HostEvents} here. */
  readonly events: unknown;
  /** Role `asa`: what its API side needs besides. */
  readonly asa?: unknown;
}

/** Runs a host; resolves when it is built. A failure to build it is what its `ready` call rejects with. */
export async function runHost(init: HostInit, world: World): Promise<HostControl> {
  const building = build(init, world);
  serve(whenBuilt(building), world.toEndpoint(init.control), isPort);
  return building;
}

/** Loads the code of the role only: loading is most of what the start of a thread takes. */
async function build(init: HostInit, world: World): Promise<HostControl> {
  // The supervisor has checked it. A worker that replaces another must start, though an interface has gone since.
  const substrate = await openSubstrate(init.substrate, world, { dull: init.settings.dull, lenient: true });
  const { clock } = world;
  switch (init.role) {
    case 'listener':
      return createListenerHost(
        (await loading(clock, import('../actors/listener.js'))).Listener,
        substrate,
        init.settings,
        world,
      );
    case 'core':
      return buildCore(init, substrate, world);
    case 'sessions':
    case 'asa':
      return createSessionsHost(
        (await loading(clock, import('../actors/session-host.js'))).SessionHost,
        init.name,
        substrate,
        init.settings,
        world,
      );
  }
}

async function buildCore(init: HostInit, substrate: Substrate, world: World): Promise<HostControl> {
  const { Core } = await loading(world.clock, import('../actors/core.js'));
  const events = connect<HostEvents>(world.toEndpoint(init.events), isPort);
  const core = createCoreHost(Core, substrate, init.settings, world, {
    portsChanged: (ports) => {
      // The supervisor may be gone already; then nobody needs to know.
      events.calls.portsChanged(ports).catch(() => undefined);
    },
  });
  return {
    ...core,
    close: async () => {
      try {
        await core.close();
      } finally {
        events.lose(new GraspError(ErrorCode.closed));
      }
    },
  };
}

/** An object whose every method waits until the host is built, then calls it there. */
function whenBuilt(building: Promise<HostControl>): object {
  return new Proxy(Object.create(null) as object, {
    get:
      (_, method) =>
      async (...args: unknown[]) => {
        const host = (await building) as unknown as Record<PropertyKey, (...args: unknown[]) => unknown>;
        return host[method]!(...args);
      },
  });
}
