/** `grasp negotiate NAME VALUE`: asks one peer for a value (RFC 8990 §2.5.5, initiator's side). */
import type { NegotiateResult, Objective } from '../api.js';
import { ErrorCode, GraspError } from '../../protocol/index.js';
import { withAsa, type CommandContext } from '../command.js';
import { converse, INTERRUPTED, outcomeOfFailure, outcomeOfResult } from '../converse.js';
import { Exit, describeFailure, exitForCode, usageError } from '../exit.js';
import type { Outcome, Output } from '../output.js';
import { checkPeer } from '../peer-option.js';
import { decideNegotiate, parseAmount, type Quantity } from '../strategy.js';
import { inForm, type FormedValue } from '../values.js';

export interface NegotiateOptions {
  /** The least that is accepted of an amount; absent: VALUE itself. */
  readonly min?: Quantity | undefined;
  readonly acceptAny?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  /** `ADDR[%IF]:PORT` or `NAME:PORT`; absent: whoever is discovered first. */
  readonly peer?: string | undefined;
  /** How long to wait for each answer, ms; absent: 60000 (GRASP_DEF_TIMEOUT). */
  readonly timeout?: number | undefined;
  /** Loop count of the request; absent: 6 (GRASP_DEF_LOOPCT). */
  readonly loopCount?: number | undefined;
}

/** Codes with which a request ends before anything was sent to a peer. */
const BEFORE_SENDING: ReadonlySet<number> = new Set([
  ErrorCode.noReply,
  ErrorCode.unspec,
  ErrorCode.noASA,
  ErrorCode.notBoth,
  ErrorCode.notDry,
  ErrorCode.notYourObj,
  ErrorCode.notNeg,
  ErrorCode.noSecurity,
  ErrorCode.noDiscReply,
  ErrorCode.sockErrNegRq,
  ErrorCode.invalidLoc,
  ErrorCode.tooBig,
  ErrorCode.closed,
  ErrorCode.overload,
]);

/** Checks that VALUE and `--min` belong together; throws a usage error. */
export function checkDemand(want: unknown, min: Quantity | undefined): void {
  if (min === undefined) return;
  const amount = parseAmount(want);
  if (amount === undefined) {
    throw usageError(
      '--min goes only with a VALUE of the form ["unit",number]',
      'e.g. \'["NZD",900]\' --min 800',
    );
  }
  if (min > amount.quantity) {
    throw usageError(`--min ${min} is more than the ${amount.quantity} asked for`, 'ask for at least --min');
  }
}

export async function negotiate(
  context: CommandContext,
  name: string,
  value: FormedValue,
  options: NegotiateOptions,
): Promise<Exit> {
  checkDemand(value.value, options.min);
  checkPeer(options.peer);
  return withAsa(context, 'negotiate', async (asa) => {
    const objective = await asa.registerObjective({
      name,
      negotiate: true,
      overlap: true,
      dryRun: options.dryRun === true,
      ...(options.loopCount === undefined ? {} : { loopCount: options.loopCount }),
    });
    const { output, signal } = context;
    const dryRun = options.dryRun === true;
    const { outcome, error } = await request(
      context,
      objective,
      value,
      options,
      asa.requestNegotiate(objective, inForm(value.bytes, value.form), {
        signal,
        dryRun,
        ...(options.peer === undefined ? {} : { peer: options.peer }),
        ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
      }),
    );
    output.event({ event: 'end', tag: undefined, dryRun, ...outcome });
    if (error !== undefined) tellFailure(output, error);
    // Ended by the user, not by an engine that could not run.
    return signal.aborted && outcome.outcome === 'failed' ? Exit.noAgreement : exitForCode(outcome.code);
  });
}

async function request(
  context: CommandContext,
  objective: Objective,
  value: FormedValue,
  options: NegotiateOptions,
  reply: Promise<NegotiateResult>,
): Promise<{ outcome: Outcome; error?: unknown }> {
  const { output, signal } = context;
  // The request is told when it is known to have left, which a reply or the code of the failure says.
  const tellSent = (): void => {
    output.event({
      event: 'step',
      tag: undefined,
      direction: 'sent',
      loopCount: objective.loopCount,
      dryRun: options.dryRun === true,
      value: value.form === 'tag24' ? inForm(value.bytes, 'tag24') : value.value,
    });
  };
  let result: NegotiateResult;
  try {
    result = await reply;
  } catch (error) {
    if (signal.aborted)
      return { outcome: { outcome: 'failed', reason: INTERRUPTED, code: ErrorCode.closed } };
    if (GraspError.is(error) && !BEFORE_SENDING.has(error.code)) tellSent();
    return { outcome: outcomeOfFailure(error), error };
  }
  tellSent();
  if (result.state !== 'offered') return { outcome: outcomeOfResult(result) };
  const { min, acceptAny } = options;
  const demand = { want: value.value, min, acceptAny };
  const outcome = await converse(
    {
      session: result.session,
      output,
      tag: undefined,
      timeoutMs: options.timeout,
      signal,
      decide: (received, loopCount, history) => decideNegotiate(demand, received, loopCount, history),
    },
    { steps: 0, sent: value.value, receivedBefore: undefined },
  );
  return { outcome };
}

/** The end line tells the failure; stderr says what can be done about it, and to scripts' users what it was. */
function tellFailure(output: Output, error: unknown): void {
  const { hint } = describeFailure(error);
  if (hint === undefined) return;
  if (output.options.json) output.failure(error);
  else output.warn(`grasp: ${hint}`);
}
