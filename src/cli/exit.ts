/**
 * How a command ends: the exit codes (a contract with scripts) and the one error that carries one of them together
 * with what the user can do about it.
 */
import { ErrorCode, GraspError } from '../protocol/index.js';

export const Exit = {
  /** The command did what it was asked to. */
  done: 0,
  /** No agreement, nobody found, or a code that came from a peer. */
  noAgreement: 1,
  /** The command line itself is wrong; nothing was started. */
  usage: 2,
  /** The engine could not start or could not run. */
  engine: 3,
} as const;

export type Exit = (typeof Exit)[keyof typeof Exit];

/** A failure the user is told in one line, without a stack trace. `hint` says what to do about it. */
export class CliError extends Error {
  override readonly name = 'CliError';
  constructor(
    readonly exit: Exit,
    message: string,
    readonly hint?: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Thrown where an argument or an option is wrong. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError(Exit.usage, message, hint);
}

/** Codes of RFC 8991 Appendix A that tell what a peer did, or that no peer was there. */
export function comesFromPeer(code: number): boolean {
  return code === 1 || (code >= 17 && code <= 28) || (code >= 31 && code <= 37);
}

/** The exit code for the code of a call. */
export function exitForCode(code: number): Exit {
  if (code === 0) return Exit.done;
  if (comesFromPeer(code)) return Exit.noAgreement;
  switch (code) {
    // What the user wrote cannot be sent: a peer address that is none, a value that is too long.
    case ErrorCode.invalidLoc:
    case ErrorCode.tooBig:
      return Exit.usage;
    default:
      return Exit.engine;
  }
}

const HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  [ErrorCode.noSecurity]:
    'nothing secures these interfaces; to run GRASP unprotected all the same (tests only), add --insecure',
  [ErrorCode.noDiscReply]:
    'is somebody offering it on a link of these interfaces? (grasp offer, grasp discover)',
  [ErrorCode.sockErrNegRq]:
    'nobody accepts connections there; check the address, the port and the interface (%IF)',
  [ErrorCode.noPeer]: 'the peer closed the connection without an answer',
  [ErrorCode.noNegReply]: 'the peer did not answer in time; --timeout MS sets how long to wait',
  [ErrorCode.notFloodDisc]:
    'is somebody publishing or flooding it on a link of these interfaces? (grasp publish, grasp flood)',
  [ErrorCode.sockErrSynRq]:
    'nobody accepts connections there; check the address, the port and the interface (%IF)',
  [ErrorCode.noListener]: 'the peer does not publish it (any more)',
  [ErrorCode.noSynchReply]: 'the peer did not answer in time; --timeout MS sets how long to wait',
  [ErrorCode.invalidLoc]:
    'write a peer as [ADDR%IF]:PORT, ADDR%IF:PORT or NAME:PORT; a link-local address needs %IF',
  [ErrorCode.tooBig]: 'a unicast message holds at most 2048 bytes, a flood or discovery 1232',
};

/** What a failed command says: one clear line, with the RFC's name and number of the code where there is one. */
export function describeFailure(error: unknown): { exit: Exit; message: string; hint: string | undefined } {
  if (error instanceof CliError) return { exit: error.exit, message: error.message, hint: error.hint };
  if (GraspError.is(error)) {
    return {
      exit: exitForCode(error.code),
      message: `${error.message} (${error.name}, code ${error.code})`,
      hint: HINTS[error.code],
    };
  }
  return {
    exit: Exit.engine,
    message: error instanceof Error ? error.message : String(error),
    hint: undefined,
  };
}
