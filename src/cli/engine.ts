/** Starts the engine a command runs on, and says clearly what is in the way when it does not start. */
import { networkInterfaces } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { Grasp } from './api.js';
import { ErrorCode, GraspError } from '../protocol/index.js';
import type { EngineExtra, EngineUse, SharedOptions } from './command.js';
import { CliError, Exit } from './exit.js';

/** The real network, on the interfaces the shared options name. Rejects a {@link CliError} with exit code 3. */
export async function startEngine(
  options: SharedOptions,
  use: EngineUse = 'once',
  extra: EngineExtra = {},
): Promise<Grasp> {
  const { interface: interfaces, insecure, family: families, limit: limits } = options;
  if (insecure !== true) throw new CliError(Exit.engine, noSecurityText, noSecurityHint);
  if (use === 'lasting') compileAhead();
  try {
    return await Grasp.start({
      ...extra,
      limits,
      substrate: {
        kind: 'plain',
        insecure,
        ...(families === undefined ? {} : { families }),
        ...(interfaces === undefined ? {} : { interfaces: [...interfaces] }),
      },
    });
  } catch (error) {
    throw startFailure(error, interfaces ?? []);
  }
}

/**
 * Has the threads that start from now on compile their code when they load it, and keep it. Otherwise V8 compiles a
 * function when it is first called, and drops what was not called for a while: on a line of cold relays that is
 * 20 ms per relay of a discovery's 600. It costs 0.1 s of a start, which only commands that last have to spare.
 */
function compileAhead(): void {
  setFlagsFromString('--no-lazy');
  setFlagsFromString('--no-flush-bytecode');
}

const noSecurityText = `${new GraspError(ErrorCode.noSecurity).message} (noSecurity, code 16): nothing protects GRASP on these interfaces`;
const noSecurityHint = 'to run it unprotected all the same (tests only), add --insecure';

function startFailure(error: unknown, asked: readonly string[]): CliError {
  const existing = Object.keys(networkInterfaces());
  const missing = asked.filter((name) => !existing.includes(name));
  const cause = error instanceof Error ? error.message : String(error);
  if (missing.length > 0) {
    return new CliError(
      Exit.engine,
      `no usable interface ${missing.map((name) => JSON.stringify(name)).join(', ')}`,
      `interfaces that are up: ${existing.join(', ')}`,
      { cause: error },
    );
  }
  return new CliError(Exit.engine, `the engine could not start: ${cause}`, undefined, { cause: error });
}
