/** The line that says a command can be reached from now on. */
import type { Grasp } from './api.js';
import type { CliEvent } from './output.js';

/** Where this node, or an objective of it, can be reached. */
export async function readyEvent(
  grasp: Grasp,
  at: { readonly objective?: string; readonly port?: number } = {},
): Promise<Extract<CliEvent, { event: 'ready' }>> {
  const { interfaces, security } = await grasp.status();
  const address = interfaces.flatMap((i) => i.addresses)[0];
  const linkLocal = interfaces.find((i) => i.linkLocal !== undefined);
  return {
    event: 'ready',
    objective: at.objective,
    // As others reach it: a global or ULA address, else the link-local one, else only this machine.
    address: address ?? linkLocal?.linkLocal ?? '::1',
    interface: address === undefined ? linkLocal?.name : undefined,
    port: at.port,
    interfaces: interfaces.map((i) => i.name),
    security,
  };
}
