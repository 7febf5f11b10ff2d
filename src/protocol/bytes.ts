/** Copies of bytes by hand: short ones are what GRASP has, and for them the platform's functions cost most. */

/** Up to this many bytes a loop is faster (measured on Node 20). */
const SHORT = 64;

/** A copy of `bytes[start, end)` in memory of its own, of class Uint8Array whatever the original is. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  const copy = new Uint8Array(length);
  if (length > SHORT) copy.set(bytes.subarray(start, end));
  else for (let i = 0; i < length; i++) copy[i] = bytes[start + i]!;
  return copy;
}

/** Puts `bytes` into `target` at `offset`, where there is room; returns the end. */
export function put(target: Uint8Array, offset: number, bytes: Uint8Array): number {
  const { length } = bytes;
  if (length > SHORT) target.set(bytes, offset);
  else for (let i = 0; i < length; i++) target[offset + i] = bytes[i]!;
  return offset + length;
}

/** The chunks behind each other, in memory of their own. */
export function join(chunks: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const chunk of chunks) offset = put(joined, offset, chunk);
  return joined;
}
