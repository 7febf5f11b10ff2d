/**
 * The loop count of a multicast as a relay changes it (RFC 8990 §2.5.4.4, §2.5.6.2): in the bytes as they came, so
 * that everything else stays as it was, whatever its encoding: session ID, initiator, ttl, values, further pairs.
 *
 * Only for bytes that `decodeMessage` has accepted as M_DISCOVERY or M_FLOOD; others may be read past their end.
 */
import { M_FLOOD, MAX_LOOP_COUNT } from './constants.js';
import * as R from './reader.js';

/** Where the loop count found last begins, and where the bytes behind it do. */
let start = 0;
let end = 0;

/** The loop count of the discovery's objective, or of the flood's first objective; later ones stay (C-25). */
export function firstLoopCount(bytes: Uint8Array): number {
  R.open(bytes);
  R.enterArray();
  const isFlood = R.readUint(M_FLOOD) === M_FLOOD;
  // Session ID and initiator, and the ttl of a flood.
  R.skip();
  R.skip();
  if (isFlood) {
    R.skip();
    // Options between the pairs are not ours to understand, but to carry (§2.8.2).
    while (R.atOption()) R.skip();
    R.enterArray();
  }
  R.enterArray();
  // Name and flags.
  R.skip();
  R.skip();
  start = R.offset();
  const loopCount = R.readUint(MAX_LOOP_COUNT);
  end = R.offset();
  R.close();
  return loopCount;
}

/**
 * What a relay sends: a copy whose first loop count is one less. Undefined if nothing is left of it: "MUST
 * NOT relay the […] message if the result is zero" (§2.5.4.4, §2.5.6.2).
 *
 * A loop count in its shortest form stays in its shortest form, one written longer stays as long.
 */
export function relayCopy(bytes: Uint8Array): Uint8Array | undefined {
  const loopCount = firstLoopCount(bytes) - 1;
  if (loopCount < 1) return undefined;
  if (loopCount === 23 && end - start === 2) {
    const shorter = new Uint8Array(bytes.length - 1);
    shorter.set(bytes.subarray(0, start));
    shorter[start] = loopCount;
    shorter.set(bytes.subarray(end), start + 1);
    return shorter;
  }
  const copy = new Uint8Array(bytes);
  // Big-endian and at most 255: the last byte holds it, or is the head itself.
  copy[end - 1] = loopCount;
  return copy;
}
