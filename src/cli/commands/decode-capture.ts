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
  open: (origin: CaptureOrigin, signal: AbortSignal) => Promise<OpenedCapture>,
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
  const stopped = new AbortController();
  const signal = AbortSignal.any([context.signal, stopped.signal]);
  const brokenOnes: { name: string; broken: BrokenCapture }[] = [];
  let begun = 0;
  const read = async (origin: CaptureOrigin): Promise<void> => {
    const capture = await open(origin, signal);
    const broken = await readCapture(capture, tracker, () => {
      if (!live || ++begun < origins.length) return;
      output.line(
        { event: 'ready', interfaces: options.interface },
        `Capturing on ${options.interface?.join(', ')}; end with Ctrl-C.`,
      );
    });
    // An interrupted capture has no end to be whole at.
    if (broken && !signal.aborted) brokenOnes.push({ name: capture.name, broken });
  };
  // One that fails ends the others.
  const ends = await Promise.allSettled(
    origins.map((origin) =>
      read(origin).catch((error: unknown) => {
        stopped.abort();
        throw error;
      }),
    ),
  );
  tracker.end();
  order.end();
  const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
  // A capture that could not even be opened has nothing to count.
  if (failures.length > 0 && tracker.counts.packets === 0) throw failures[0];
  for (const { name, broken } of brokenOnes) {
    if (output.options.json) output.line({ event: 'broken', ...broken }, '');
    output.warn(`grasp: ${name} is broken at offset ${broken.offset}: ${broken.reason}`);
  }
  output.warn(describeCounts(tracker.counts));
  for (const failure of failures) output.failure(failure);
  if (failures.length > 0) return failures[0] instanceof CliError ? failures[0].exit : Exit.noAgreement;
  return brokenOnes.length > 0 || tracker.counts.refused > 0 ? Exit.noAgreement : Exit.done;
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
