/** `grasp publish NAME VALUE`: answers synchronization requests (RFC 8990 §2.5.6, responder's side). */
import { interrupted, withAsa, type CommandContext } from '../command.js';
import { Exit } from '../exit.js';
import { readyEvent } from '../ready.js';
import { inForm, type FormedValue } from '../values.js';

export interface PublishOptions {
  /** The value goes into answers to discoveries too (D-04). */
  readonly rapid?: boolean | undefined;
}

/** Until SIGINT or SIGTERM. */
export async function publish(
  context: CommandContext,
  name: string,
  value: FormedValue,
  options: PublishOptions,
): Promise<Exit> {
  const { output, signal } = context;
  return withAsa(
    context,
    'publish',
    async (asa, grasp) => {
      const objective = await asa.registerObjective({
        name,
        synchronize: true,
        overlap: true,
        rapid: options.rapid === true,
      });
      await objective.listenSynchronize(inForm(value.bytes, value.form));
      const { objectives } = await grasp.status();
      const place = objectives
        .find((each) => each.name === name)
        ?.listening.find(({ asa: by, kind }) => by === asa.name && kind === 'synchronize');
      output.event(await readyEvent(grasp, { objective: name, port: place?.port ?? 0 }));
      await interrupted(signal);
      await objective.stopSynchronize();
      return Exit.done;
    },
    'lasting',
  );
}
