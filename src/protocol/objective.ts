/** Objectives as a user states them (RFC 8990 §2.10, RFC 8991 §2.3.2.3): their rules, and their flags on the wire. */
import { F_DISC, F_NEG, F_NEG_DRY, F_SYNCH, MAX_LOOP_COUNT, MAX_NAME_BYTES } from './constants.js';
import { ErrorCode, GraspError } from './errors.js';
import { utf8Length } from './utf8.js';

export interface ObjectiveSpec {
  /**
   * Compared byte by byte: no case folding, no normalisation. Private names contain a colon, and what precedes the
   * last one is globally unique; generic names contain none and are registered with IANA. §2.10.1
   */
  readonly name: string;
  readonly negotiate: boolean;
  readonly synchronize: boolean;
  /** The objective may be negotiated in dry runs; only together with `negotiate`. */
  readonly dryRun: boolean;
  /** 1..255, default GRASP_DEF_LOOPCT. */
  readonly loopCount: number;
}

/** The encoded CBOR null, which stands for "no value". §2.10.1 */
export const NULL_VALUE: Uint8Array = Uint8Array.of(0xf6);

/** Whether an encoded value is absent or null. */
export function isNullValue(value: Uint8Array | undefined): boolean {
  return value === undefined || (value.length === 1 && value[0] === 0xf6);
}

/** Why a name cannot be used; undefined if it can. Codes 3 (not text, empty, no UTF-8 form) and 40 (too long). */
export function validateName(name: unknown): GraspError | undefined {
  if (typeof name !== 'string')
    return new GraspError(ErrorCode.unspec, 'the name of an objective is a string');
  // Legal on the wire, but no use to anybody.
  if (name === '') return new GraspError(ErrorCode.unspec, 'the name of an objective is empty');
  const bytes = utf8Length(name);
  if (bytes < 0) return new GraspError(ErrorCode.unspec, 'the name of an objective holds a lone surrogate');
  if (bytes > MAX_NAME_BYTES) {
    return new GraspError(
      ErrorCode.tooBig,
      `the name of an objective has ${bytes} bytes, at most ${MAX_NAME_BYTES}`,
    );
  }
  return undefined;
}

/**
 * Why an objective cannot be registered; undefined if it can. Codes: 3 bad name or loop count, 40 name too long for
 * a discovery message, 8 both negotiation and synchronization, 9 dry run without negotiation.
 */
export function validateObjective(spec: ObjectiveSpec): GraspError | undefined {
  const badName = validateName(spec.name);
  if (badName) return badName;
  if (!Number.isInteger(spec.loopCount) || spec.loopCount < 1 || spec.loopCount > MAX_LOOP_COUNT) {
    return new GraspError(ErrorCode.unspec, `the loop count is an integer from 1 to ${MAX_LOOP_COUNT}`);
  }
  if (spec.negotiate && spec.synchronize) return new GraspError(ErrorCode.notBoth, spec.name);
  if (spec.dryRun && !spec.negotiate) return new GraspError(ErrorCode.notDry, spec.name);
  return undefined;
}

export interface FlagOptions {
  /** The message belongs to a dry run. Default false. */
  readonly dryRun?: boolean;
  /** Set F_DISC; false only for infrastructure floods such as AN_ACP, which carry flags 4. Default true. */
  readonly discoverable?: boolean;
}

/** The flags of an objective in a message. §2.10.2 */
export function objectiveFlags(
  spec: Pick<ObjectiveSpec, 'negotiate' | 'synchronize'>,
  { dryRun = false, discoverable = true }: FlagOptions = {},
): number {
  return (
    (discoverable ? F_DISC : 0) |
    (spec.negotiate ? F_NEG : 0) |
    (spec.synchronize ? F_SYNCH : 0) |
    (dryRun && spec.negotiate ? F_NEG_DRY : 0)
  );
}
