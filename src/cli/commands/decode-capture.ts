/** `grasp decode FILE` and `--live`: the GRASP messages in captured traffic. Needs no engine. */
import {
  CaptureReader,
  GraspTracker,
  TimeOrder,
  type BrokenCapture,
  type Observation,
} from '../../capture/index.js';
import type { CaptureOrigin, OpenedCapture } from '../capture-source.js';
import { describeCounts, describeObservation } from '../capture-text.js';
import type { CommandContext } from '../command.js';
import { CliError, Exit } from '../exit.js';

export interface CaptureOptions {
  readonly live?: boolean | undefined;
  readonly interface?: readonly string[] | undefined;
  readonly port?: readonly number[] | undefined;
}

/** Shows the messages of one capture, or of several live ones as they come. */
export async function decodeCapture(
  context: CommandContext,
  open: (origin: CaptureOrigin) => Promise<OpenedCapture>,
  origins: readonly CaptureOrigin[],
  options: CaptureOptions,
): Promise<Exit> {
  const { output } = context;
  const live = options.live === true;
  const show = (observation: Observation): void => {
    const { fields, text } = describeObservation(observation);
    output.line(fields, text);
  };
  // What comes live has come in order, and is wanted at once.
  const order = new TimeOrder(show, live ? 0 : undefined);
  const tracker = new GraspTracker({ emit: (seen) => order.push(seen), ports: options.port });
  const captures: OpenedCapture[] = [];
  let failure: unknown;
  let isBroken = false;
  let begun = 0;
  const read = async (capture: OpenedCapture): Promise<void> => {
    const broken = await readCapture(capture, tracker, () => {
      if (live && ++begun === origins.length) {
        output.line(
          { event: 'ready', interfaces: options.interface },
          `Capturing on ${options.interface?.join(', ')}; end with Ctrl-C.`,
        );
      }
    });
    // An interrupted capture has no end to be whole at.
    if (!broken || context.signal.aborted) return;
    isBroken = true;
    if (output.options.json) output.line({ event: 'broken', ...broken }, '');
    output.warn(`grasp: ${capture.name} is broken at offset ${broken.offset}: ${broken.reason}`);
  };
  try {
    for (const origin of origins) captures.push(await open(origin));
    await Promise.all(captures.map(read));
  } catch (error) {
    failure = error;
  }
  tracker.end();
  order.end();
  if (failure !== undefined && captures.length < origins.length) throw failure;
  output.warn(describeCounts(tracker.counts));
  if (failure !== undefined) {
    output.failure(failure);
    return failure instanceof CliError ? failure.exit : Exit.noAgreement;
  }
  return isBroken || tracker.counts.refused > 0 ? Exit.noAgreement : Exit.done;
}

/** Resolves at the end of the capture: whether and where it is broken. `onBegin`: its first bytes have come. */
async function readCapture(
  capture: OpenedCapture,
  tracker: GraspTracker,
  onBegin: () => void,
): Promise<BrokenCapture | undefined> {
  const reader = new CaptureReader();
  let begun = false;
  for await (const chunk of capture.chunks) {
    if (!begun) onBegin();
    begun = true;
    reader.push(chunk);
    for (;;) {
      const next = reader.next();
      if (next.kind === 'more') break;
      if (next.kind === 'broken') return next.broken;
      const { packet } = next;
      tracker.push({ ...packet, interface: packet.interface ?? capture.interface });
    }
  }
  return reader.end();
}
