/** `grasp synchronize NAME`: the value of an objective, from whoever has it (RFC 8990 §2.5.6). */
import { withAsa, type CommandContext } from '../command.js';
import { Exit } from '../exit.js';
import { shownLocator } from '../output.js';
import { checkPeer } from '../peer-option.js';

export interface SynchronizeOptions {
  /** `ADDR[%IF]:PORT` or `NAME:PORT`; absent: what is flooded, else whoever is discovered first. */
  readonly peer?: string | undefined;
  /** How long to wait for the answer, ms; absent: 60000 (GRASP_DEF_TIMEOUT). */
  readonly timeout?: number | undefined;
  /** How many hops the discovery may go; absent: 6 (GRASP_DEF_LOOPCT). */
  readonly loopCount?: number | undefined;
}

export async function synchronize(
  context: CommandContext,
  name: string,
  options: SynchronizeOptions,
): Promise<Exit> {
  const { output, signal } = context;
  const { peer, timeout, loopCount } = options;
  checkPeer(peer);
  return withAsa(context, 'synchronize', async (asa) => {
    const { value, locator, expiresAt, source } = await asa.synchronize(name, {
      peer,
      loopCount,
      signal,
      timeoutMs: timeout,
    });
    output.event({
      event: 'value',
      name,
      value,
      locator: locator && shownLocator(locator),
      interface: null,
      expiresAt: expiresAt ?? null,
      source,
    });
    return Exit.done;
  });
}
