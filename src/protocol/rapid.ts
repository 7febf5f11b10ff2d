/** Values that come with the answer to a discovery: RFC 8990 §2.5.6.3, and `rapid` of the older API (C-04). */
import { F_SYNCH } from './constants.js';
import type { RapidValue } from './discovery-cache.js';
import type { WireObjective } from './messages.js';

/** The CBOR item null: "no value". */
const NULL = 0xf6;

/** Whether the element is there and is more than null. */
export function hasValue(value: Uint8Array | undefined): value is Uint8Array {
  return value !== undefined && !(value.length === 1 && value[0] === NULL);
}

/**
 * The value that an M_RESPONSE to the discovery of `asked` brings, as a copy of its own. Undefined where the objective
 * in it may be a mere copy of the discovery's (§2.8.5, C-26): another name, no F_SYNCH, no value, or a discovery that
 * carried a value itself.
 */
export function rapidValue(
  asked: Pick<WireObjective, 'name' | 'value'>,
  answer: WireObjective | undefined,
): RapidValue | undefined {
  if (!answer || asked.value || answer.name !== asked.name || (answer.flags & F_SYNCH) === 0)
    return undefined;
  if (!hasValue(answer.value)) return undefined;
  return { flags: answer.flags, loopCount: answer.loopCount, value: Uint8Array.from(answer.value) };
}
