/** Reads one objective (RFC 8990 §2.10) at the reader's cursor, with the rules of the message it stands in. */
import type { M_DISCOVERY, M_FLOOD, M_RESPONSE } from './constants.js';
import { F_NEG, F_SYNCH, M_NEGOTIATE, M_REQ_NEG, M_REQ_SYN, M_SYNCH, MAX_LOOP_COUNT } from './constants.js';
import type { WireObjective } from './messages.js';
import type { RefusalReason } from './reasons.js';
import * as R from './reader.js';

export type ObjectiveCarrier =
  | typeof M_DISCOVERY
  | typeof M_RESPONSE
  | typeof M_REQ_NEG
  | typeof M_REQ_SYN
  | typeof M_NEGOTIATE
  | typeof M_SYNCH
  | typeof M_FLOOD;

/** Whether the flags name a synchronization objective and nothing else. */
export function isSynchronizationOnly(flags: number): boolean {
  return (lowBits(flags) & (F_NEG | F_SYNCH)) === F_SYNCH;
}

/** Flags may carry further bits, up to 2^53−1; JavaScript's bit operators see the low 32 of them. */
function lowBits(flags: number): number {
  return flags % 16;
}

/**
 * The objective at the cursor, or why it is refused. The rules of the text that depend on the message: a value is
 * required in M_REQ_NEG, M_NEGOTIATE and M_SYNCH (§2.10.1; tolerated as absent elsewhere, C-05), and an objective
 * is carried only by messages of its own procedure (§2.10.3; floods are judged entry by entry by the caller).
 */
export function readObjective(carrier: ObjectiveCarrier): WireObjective | RefusalReason {
  const count = R.enterArray();
  if (count !== 3 && count !== 4) return 'objective.shape';
  const indefinite = R.enteredIndefinite();
  const name = R.readName();
  if (name === undefined) return 'objective.name';
  const flags = R.readUint(Number.MAX_SAFE_INTEGER);
  if (flags < 0) return 'objective.flags';
  const loopCount = R.readUint(MAX_LOOP_COUNT);
  if (loopCount < 0) return 'objective.loop-count';
  const value = count === 4 ? R.readEncoded() : undefined;
  R.leaveArray(indefinite);
  switch (carrier) {
    case M_REQ_NEG:
    case M_NEGOTIATE:
      if ((lowBits(flags) & (F_NEG | F_SYNCH)) !== F_NEG) return 'objective.not-negotiation';
      if (!value) return 'objective.no-value';
      break;
    case M_SYNCH:
      if (!isSynchronizationOnly(flags)) return 'objective.not-synchronization';
      if (!value) return 'objective.no-value';
      break;
    case M_REQ_SYN:
      if (!isSynchronizationOnly(flags)) return 'objective.not-synchronization';
      break;
    default:
  }
  return { name, flags, loopCount, value };
}
