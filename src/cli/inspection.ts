/** `--inspect`: the inspector's page for the engine of a command, told in a line. */
import type { InspectorServer, InspectorSubject } from './api.js';
import { GraspError } from '../protocol/index.js';
import { CliError, Exit } from './exit.js';
import type { Output } from './output.js';

/** The port given with `--inspect`; true: the usual one. */
export type InspectPort = number | true;

/** Serves the page of `subject`, and says where. Rejects a {@link CliError} with exit code 3. */
export async function inspectEngine(
  output: Output,
  subject: InspectorSubject,
  port: InspectPort,
): Promise<InspectorServer> {
  // Loaded only where it is wanted: most commands are not watched.
  const { serveInspector } = await import('../inspector/index.js');
  let server: InspectorServer;
  try {
    server = await serveInspector(subject, port === true ? {} : { port });
  } catch (error) {
    if (!GraspError.is(error)) throw error;
    throw new CliError(Exit.engine, `the inspector could not start: ${error.message}`, undefined, {
      cause: error,
    });
  }
  const { url, statelyUrl } = server;
  output.line({ event: 'inspector', url, stately: statelyUrl }, `Watch at ${url}`);
  return server;
}
