/** The suite's own CBOR, against RFC 8949 Appendix A and against another implementation. */
import { describe, expect, test } from '@jest/globals';
import { decode as cborgDecode, encode as cborgEncode } from 'cborg';
import {
  decode,
  decodeFirst,
  encode,
  Float,
  Incomplete,
  Malformed,
  show,
  SimpleValue,
  Tagged,
  Verbatim,
} from './cbor.js';

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

/** RFC 8949 Appendix A: hex, value, and what it is encoded as again if not the same. */
const examples: readonly [string, unknown, string?][] = [
  ['00', 0],
  ['17', 23],
  ['1818', 24],
  ['1903e8', 1000],
  ['1a000f4240', 1_000_000],
  ['1b000000e8d4a51000', 1_000_000_000_000],
  ['1bffffffffffffffff', 18_446_744_073_709_551_615n],
  ['20', -1],
  ['3903e7', -1000],
  ['3bffffffffffffffff', -18_446_744_073_709_551_616n],
  ['f4', false],
  ['f5', true],
  ['f6', null],
  ['f7', undefined],
  ['f0', new SimpleValue(16)],
  ['f8ff', new SimpleValue(255)],
  ['fb3ff199999999999a', new Float(1.1)],
  ['f93e00', new Float(1.5), 'fb3ff8000000000000'],
  ['f90001', new Float(5.960464477539063e-8), 'fb3e70000000000000'],
  ['fa47c35000', new Float(100_000), 'fb40f86a0000000000'],
  ['c11a514b67b0', new Tagged(1, 1_363_896_240)],
  ['4401020304', bytes('01020304')],
  ['62c3bc', 'ü'],
  ['64f0908591', '𐅑'],
  ['83010203', [1, 2, 3]],
  [
    'a201020304',
    new Map([
      [1, 2],
      [3, 4],
    ]),
  ],
  ['5f42010243030405ff', bytes('0102030405'), '450102030405'],
  ['7f657374726561646d696e67ff', 'streaming', '6973747265616d696e67'],
  ['9f018202039f0405ffff', [1, [2, 3], [4, 5]], '8301820203820405'],
  [
    'bf61610161629f0203ffff',
    new Map<string, unknown>([
      ['a', 1],
      ['b', [2, 3]],
    ]),
    'a26161016162820203',
  ],
];

describe('the suite reads and writes CBOR', () => {
  test.each(examples)('%s', (hex, value, again = hex) => {
    expect(decode(bytes(hex))).toEqual(value);
    expect(encode(value).toString('hex')).toBe(again);
    // Whatever is cut off is missed.
    for (let length = 0; length < hex.length / 2; length++) {
      expect(() => decode(bytes(hex).subarray(0, length))).toThrow(Incomplete);
    }
  });

  test.each([
    '1c',
    'ff',
    '8201ff',
    '5f6161ff',
    '5f5f4100ffff',
    'bf01ff',
    'f818',
    '62c328',
    '1f',
    'df00',
    '7f61c3ff',
  ])('%s is malformed', (hex) => expect(() => decode(bytes(hex))).toThrow(Malformed));

  test('an item ends where it ends', () => {
    expect(decodeFirst(bytes('8301020383'))).toEqual({ value: [1, 2, 3], length: 4 });
    expect(() => decode(bytes('830102038301'))).toThrow(Malformed);
    expect(encode([1, new Verbatim('82 01 02')]).toString('hex')).toBe('8201820102');
  });

  test('messages are the same to another implementation', () => {
    const message = [
      9,
      0x1234_5678,
      bytes('fd000000000000010000000000000002'),
      60_000,
      [['EX1', 5, 6, ['a', -1, null]], []],
    ];
    expect(encode(message).equals(cborgEncode(message))).toBe(true);
    expect(show(decode(cborgEncode(message)))).toBe(show(message));
    expect(cborgDecode(encode(['ü', 300, true]))).toEqual(['ü', 300, true]);
  });
});
