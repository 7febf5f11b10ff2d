/**
 * Reads the envelope of a message: a cursor over bytes that the scanner has found to be one well-formed item, so
 * no read can run past the end. Every encoding of RFC 8949 is accepted, also indefinite lengths, chunked strings
 * and long integer forms (C-22). What has the wrong type is answered with −1 or undefined, never with a throw.
 *
 * The cursor is module state: reading is synchronous and never nested, and an object per message costs time.
 */
import { copyOf, join } from './bytes.js';
import { readUtf8, readUtf8Again } from './utf8.js';

const NOTHING = new Uint8Array(0);
let bytes: Uint8Array = NOTHING;
let position = 0;
let copying = false;
/** Whether the array entered last has indefinite length and so a break byte to step over. */
let indefinite = false;

/** Puts the cursor at the beginning of `input`. `copies`: encoded items are read into memory of their own. */
export function open(input: Uint8Array, copies = false): void {
  bytes = input;
  position = 0;
  copying = copies;
}

/** Lets go of the bytes. */
export function close(): void {
  bytes = NOTHING;
}

/** Where the cursor is. */
export function offset(): number {
  return position;
}

/** The argument of the head at the cursor (not indefinite); steps over the head. */
function argument(): number {
  const info = bytes[position++]! & 31;
  if (info < 24) return info;
  let value = 0;
  for (let n = 1 << (info - 24); n > 0; n--) value = value * 256 + bytes[position++]!;
  return value;
}

/** An unsigned integer (major type 0 only) of at most `max` ≤ 2^53−1; −1 and the cursor unmoved if it is none. */
export function readUint(max: number): number {
  const head = bytes[position]!;
  if (head < 24) {
    if (head > max) return -1;
    position++;
    return head;
  }
  if (head >= 0x20) return -1;
  const start = position;
  const value = argument();
  // Beyond 2^53 the value is rounded, but stays beyond every `max`.
  if (value <= max) return value;
  position = start;
  return -1;
}

/** Steps over a null; false and the cursor unmoved if there is none. */
export function readNull(): boolean {
  if (bytes[position] !== 0xf6) return false;
  position++;
  return true;
}

/** A byte string: a view of the input, or a copy if it came in chunks. */
export function readBytes(): Uint8Array | undefined {
  const head = bytes[position]!;
  if (head >> 5 !== 2) return undefined;
  if (head !== 0x5f) {
    const length = argument();
    position += length;
    return bytes.subarray(position - length, position);
  }
  return joinChunks();
}

/** A text string that is likely to have been read before. */
export function readName(): string | undefined {
  return readText(readUtf8Again);
}

/** A text string. */
export function readText(read = readUtf8): string | undefined {
  const head = bytes[position]!;
  if (head >> 5 !== 3) return undefined;
  if (head !== 0x7f) {
    const length = argument();
    position += length;
    return read(bytes, position - length, position);
  }
  const joined = joinChunks();
  return read(joined, 0, joined.length);
}

function joinChunks(): Uint8Array {
  const chunks: Uint8Array[] = [];
  position++;
  while (bytes[position] !== 0xff) {
    const length = argument();
    chunks.push(bytes.subarray(position, position + length));
    position += length;
  }
  position++;
  return join(chunks);
}

/** Enters an array and returns its number of elements; −1 and the cursor unmoved if there is none. */
export function enterArray(): number {
  const head = bytes[position]!;
  if (head >> 5 !== 4) return -1;
  if (head !== 0x9f) {
    indefinite = false;
    return argument();
  }
  const start = ++position;
  let count = 0;
  for (; bytes[position] !== 0xff; count++) skip();
  position = start;
  indefinite = true;
  return count;
}

/** Whether the array just entered ends with a break; to be handed to {@link leaveArray}. */
export function enteredIndefinite(): boolean {
  return indefinite;
}

/** Steps over the end of an array whose elements have been read. */
export function leaveArray(wasIndefinite: boolean): void {
  if (wasIndefinite) position++;
}

/** Whether an option is at the cursor: an array that starts with an unsigned integer (§2.9.1). */
export function atOption(): boolean {
  return firstElementMajor() === 0;
}

/** The number of the option at the cursor (see {@link atOption}); 256 for any number beyond 255. */
export function peekOption(): number {
  const start = position;
  argumentOrIndefinite();
  const option = readUint(255);
  position = start;
  return option < 0 ? 256 : option;
}

/** Whether an array that starts with text is at the cursor, as an objective does. */
export function atTextArray(): boolean {
  return firstElementMajor() === 3;
}

/** Major type of the first element of the array at the cursor; −1 if there is no array or it is empty. */
function firstElementMajor(): number {
  if (bytes[position]! >> 5 !== 4) return -1;
  const start = position;
  const count = argumentOrIndefinite();
  const head = bytes[position];
  position = start;
  return count === 0 || head === undefined || head === 0xff ? -1 : head >> 5;
}

function argumentOrIndefinite(): number {
  if ((bytes[position]! & 31) !== 31) return argument();
  position++;
  return -1;
}

/** Steps over one item and returns its bytes, a view of the input or a copy, as {@link open} was told. */
export function readEncoded(): Uint8Array {
  const start = position;
  skip();
  return copying ? copyOf(bytes, start, position) : bytes.subarray(start, position);
}

/** Steps over one item, however deep. */
export function skip(): void {
  /** Items still to be stepped over in the innermost item of indefinite length; outside of one, in all. */
  let open = 1;
  /** The same of those it lies in. */
  let outer: number[] | undefined;
  for (;;) {
    if (open > 0) {
      open--;
    } else {
      const left = outer?.pop();
      if (left === undefined) return;
      if (bytes[position] === 0xff) {
        position++;
        open = left;
        continue;
      }
      outer!.push(left);
    }
    const major = bytes[position]! >> 5;
    const value = argumentOrIndefinite();
    if (value < 0) {
      (outer ??= []).push(open);
      open = 0;
    } else if (major === 2 || major === 3) position += value;
    else if (major === 4) open += value;
    else if (major === 5) open += 2 * value;
    else if (major === 6) open += 1;
  }
}
