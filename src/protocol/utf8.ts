/** UTF-8 and copies by hand: short strings are what GRASP has, and for them the platform's decoders cost most. */

/** Whether `bytes[start, end)` is well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong, at most U+10FFFF). */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let p = start;
  while (p < end) {
    const b = bytes[p++]!;
    if (b < 0x80) continue;
    if (b < 0xc2 || b > 0xf4) return false;
    // The bounds of the second byte exclude overlong forms, surrogates and what lies beyond U+10FFFF.
    const more = b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
    if (p + more > end) return false;
    const low = b === 0xe0 ? 0xa0 : b === 0xf0 ? 0x90 : 0x80;
    const high = b === 0xed ? 0x9f : b === 0xf4 ? 0x8f : 0xbf;
    const second = bytes[p]!;
    if (second < low || second > high) return false;
    for (let i = 1; i < more; i++) if ((bytes[p + i]! & 0xc0) !== 0x80) return false;
    p += more;
  }
  return true;
}

/** Up to this many bytes a loop beats the platform's decoder (measured on Node 20). */
const SHORT = 24;

/** The text of `bytes[start, end)`, which is known to be valid UTF-8. A leading U+FEFF is kept. */
export function readUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= SHORT) {
    let text = '';
    let p = start;
    for (; p < end; p++) {
      const b = bytes[p]!;
      if (b >= 0x80) break;
      text += String.fromCharCode(b);
    }
    if (p === end) return text;
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}

/** A text read lately, and what it was read from. */
interface Recent {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** Texts remembered, each in the one place that its bytes lead to, and the bytes of the longest. */
const RECENT_TEXTS = 256;
const RECENT_BYTES = 64;
const recentTexts = new Array<Recent | undefined>(RECENT_TEXTS).fill(undefined);

/**
 * The same as {@link readUtf8} for texts that come again and again, as the names of objectives do: to compare the bytes
 * takes a tenth of making a string, and whoever compares the string with another finds it flat.
 */
export function readUtf8Again(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length > RECENT_BYTES || length === 0) return readUtf8(bytes, start, end);
  let hash = length;
  for (let p = start; p < end; p++) hash = (hash * 31 + bytes[p]!) | 0;
  const place = (hash ^ (hash >>> 8)) & (RECENT_TEXTS - 1);
  const recent = recentTexts[place];
  if (recent?.bytes.length === length) {
    let i = 0;
    while (i < length && recent.bytes[i] === bytes[start + i]) i++;
    if (i === length) return recent.text;
  }
  const text = readUtf8(bytes, start, end);
  recentTexts[place] = { bytes: bytes.slice(start, end), text };
  return text;
}

/** Beyond so many characters the platform counts faster. */
const LONG = 256;

/** Bytes of UTF-8 that `text` needs; −1 if it holds a lone surrogate and so has no UTF-8 form. */
export function utf8Length(text: string): number {
  let length = text.length;
  if (length > LONG) return text.isWellFormed() ? Buffer.byteLength(text) : -1;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x80) continue;
    if (c < 0x800) length += 1;
    else if (c < 0xd800 || c > 0xdfff) length += 2;
    else {
      const next = text.charCodeAt(++i);
      if (c > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return -1;
      length += 2;
    }
  }
  return length;
}

const encoder = new TextEncoder();

/** Writes `text` at `offset`, where `length` (its {@link utf8Length}) bytes of room are; returns the end. */
export function writeUtf8(target: Uint8Array, offset: number, text: string, length: number): number {
  if (length === text.length && length <= SHORT) {
    for (let i = 0; i < length; i++) target[offset + i] = text.charCodeAt(i);
  } else {
    encoder.encodeInto(text, target.subarray(offset));
  }
  return offset + length;
}
