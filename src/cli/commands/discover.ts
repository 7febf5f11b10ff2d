/** `grasp discover NAME`: who offers an objective, as the answers come (RFC 8990 §2.5.4). */
import { withAsa, type CommandContext } from '../command.js';
import { Exit } from '../exit.js';
import { toMicroseconds } from '../output.js';

export interface DiscoverOptions {
  /** How long to collect answers, ms; absent: 100 × loop count (RFC 8990 §2.5.4.3). */
  readonly timeout?: number | undefined;
  /** End at the first answer. */
  readonly first?: boolean | undefined;
  /** How many hops a discovery may go; absent: 6 (GRASP_DEF_LOOPCT). */
  readonly loopCount?: number | undefined;
}

export async function discover(
  context: CommandContext,
  name: string,
  options: DiscoverOptions,
): Promise<Exit> {
  const { output, signal, clock } = context;
  return withAsa(context, 'discover', async (asa) => {
    let found = 0;
    const from = clock.now();
    const discovery = asa.discover(name, {
      signal,
      ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
      ...(options.loopCount === undefined ? {} : { loopCount: options.loopCount }),
    });
    for await (const locator of discovery) {
      found++;
      const { address, port, protocol, diverted, expiresAt } = locator;
      const by = locator.interface ?? null;
      const afterMs = toMicroseconds(clock.now() - from);
      output.event({
        event: 'locator',
        address,
        port,
        protocol,
        interface: by,
        diverted,
        expiresAt,
        afterMs,
      });
      if (options.first === true) break;
    }
    if (found > 0) return Exit.done;
    output.warn(`grasp: nobody answered for ${name}`);
    return Exit.noAgreement;
  });
}
