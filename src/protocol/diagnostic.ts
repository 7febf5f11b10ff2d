/** CBOR diagnostic notation (RFC 8949 §8), for logs and `grasp decode`. Reads bytes, so nothing is lost in between. */
import { ErrorCode, GraspError } from './errors.js';
import { refuseUnlessOneItem } from './scanner.js';
import { readUtf8 } from './utf8.js';
import { fromHalf } from './value-decode.js';
import { DEF_VALUE_LIMITS } from './value-types.js';

/**
 * One encoded item as text: `[5, 13767778, ["EX3", 3, 6, [h'00', 24(h'07'), 1.5]]]`. Of the encoding only indefinite
 * lengths are shown, as `[_ …]`. Throws GraspError 24 if `bytes` is not exactly one item within 16 MiB, 64 deep.
 */
export function diagnostic(bytes: Uint8Array): string {
  const refused = refuseUnlessOneItem(bytes, DEF_VALUE_LIMITS);
  if (refused) throw new GraspError(ErrorCode.CBORfail, refused);
  const out: string[] = [];
  print({ bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), position: 0 }, out);
  return out.join('');
}

interface Cursor {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  position: number;
}

function print(c: Cursor, out: string[]): void {
  const head = c.bytes[c.position++]!;
  const major = head >> 5;
  const info = head & 31;
  if (major === 7) {
    out.push(simpleOrFloat(c, info));
    return;
  }
  if (info === 31) {
    printIndefinite(c, major, out);
    return;
  }
  const argument = readArgument(c, info);
  switch (major) {
    case 0:
      out.push(String(argument));
      break;
    case 1:
      out.push(String(-1n - argument));
      break;
    case 2:
      out.push(`h'${hex(c, Number(argument))}'`);
      break;
    case 3:
      c.position += Number(argument);
      out.push(JSON.stringify(readUtf8(c.bytes, c.position - Number(argument), c.position)));
      break;
    case 4:
      out.push('[');
      for (let i = 0n; i < argument; i++) {
        if (i > 0n) out.push(', ');
        print(c, out);
      }
      out.push(']');
      break;
    case 5:
      out.push('{');
      for (let i = 0n; i < argument; i++) {
        if (i > 0n) out.push(', ');
        printPair(c, out);
      }
      out.push('}');
      break;
    default:
      out.push(`${argument}(`);
      print(c, out);
      out.push(')');
  }
}

function printPair(c: Cursor, out: string[]): void {
  print(c, out);
  out.push(': ');
  print(c, out);
}

/** `[_ …]`, `{_ …}`, and `(_ …)` for strings in chunks. */
function printIndefinite(c: Cursor, major: number, out: string[]): void {
  out.push(major === 4 ? '[_ ' : major === 5 ? '{_ ' : '(_ ');
  for (let first = true; c.bytes[c.position] !== 0xff; first = false) {
    if (!first) out.push(', ');
    if (major === 5) printPair(c, out);
    else print(c, out);
  }
  c.position++;
  out.push(major === 4 ? ']' : major === 5 ? '}' : ')');
}

function readArgument(c: Cursor, info: number): bigint {
  if (info < 24) return BigInt(info);
  const start = c.position;
  c.position += 1 << (info - 24);
  if (info === 24) return BigInt(c.view.getUint8(start));
  if (info === 25) return BigInt(c.view.getUint16(start));
  return info === 26 ? BigInt(c.view.getUint32(start)) : c.view.getBigUint64(start);
}

function hex(c: Cursor, length: number): string {
  const start = c.bytes.byteOffset + c.position;
  c.position += length;
  return Buffer.from(c.bytes.buffer, start, length).toString('hex');
}

function simpleOrFloat(c: Cursor, info: number): string {
  const start = c.position;
  switch (info) {
    case 20:
      return 'false';
    case 21:
      return 'true';
    case 22:
      return 'null';
    case 23:
      return 'undefined';
    case 24:
      c.position += 1;
      return `simple(${c.bytes[start]})`;
    case 25:
      c.position += 2;
      return float(fromHalf(c.view.getUint16(start)));
    case 26:
      c.position += 4;
      return float(c.view.getFloat32(start));
    case 27:
      c.position += 8;
      return float(c.view.getFloat64(start));
    default:
      return `simple(${info})`;
  }
}

/** Always with a point or an exponent, so that it cannot be taken for an integer. */
function float(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const text = Object.is(value, -0) ? '-0' : String(value);
  return /[.e]/.test(text) ? text.replace(/^(-?\d+)e/, '$1.0e') : `${text}.0`;
}
