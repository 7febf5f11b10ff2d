/** `grasp daemon`: an engine without an ASA; it relays discoveries and floods between its links, and caches. */
import { interrupted, withEngine, type CommandContext } from '../command.js';
import { Exit } from '../exit.js';
import { readyEvent } from '../ready.js';

/** Until SIGINT or SIGTERM. */
export async function daemon(context: CommandContext): Promise<Exit> {
  return withEngine(
    context,
    async (grasp) => {
      context.output.event(await readyEvent(grasp));
      await interrupted(context.signal);
      return Exit.done;
    },
    'lasting',
  );
}
