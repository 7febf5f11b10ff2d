import { describe, expect, test } from '@jest/globals';
import { decode as cborgDecode, encode as cborgEncode } from 'cborg';
import fc from 'fast-check';
import { JsonTextError, floatBytes, jsonToCbor, parseNumber } from '../../src/cli/json-text.js';
import { sameValue } from '../../src/cli/values.js';
import { MAX_VALUE_DEPTH, decodeValue, EncodedValue } from '../../src/protocol/index.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const ofHex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

describe('VALUE as JSON becomes CBOR', () => {
  test.each([
    ['null', 'f6'],
    ['true', 'f5'],
    ['false', 'f4'],
    ['0', '00'],
    ['-0', '00'],
    ['23', '17'],
    ['24', '1818'],
    ['-1', '20'],
    ['-25', '3818'],
    ['300', '19012c'],
    ['4294967295', '1affffffff'],
    ['4294967296', '1b0000000100000000'],
    ['9007199254740993', '1b0020000000000001'],
    ['18446744073709551615', '1bffffffffffffffff'],
    ['-18446744073709551616', '3bffffffffffffffff'],
    ['18446744073709551616', 'c249010000000000000000'],
    ['-18446744073709551617', 'c349010000000000000000'],
    ['""', '60'],
    ['"ü"', '62c3bc'],
    ['"\\u00fc\\n\\ud834\\udd1e"', '67c3bc0af09d849e'],
    ['[]', '80'],
    ['{}', 'a0'],
    [' ["NZD" , 300 ] ', '82634e5a4419012c'],
    ['{"b":1,"a":[2]}', 'a2616201616181' + '02'],
  ])('%s is %s', (text, expected) => {
    expect(hex(jsonToCbor(text))).toBe(expected);
  });

  // RFC 8949 Appendix A, the float rows.
  test.each([
    ['0.0', 'f90000'],
    ['-0.0', 'f98000'],
    ['1.0', 'f93c00'],
    ['1e0', 'f93c00'],
    ['1.1', 'fb3ff199999999999a'],
    ['1.5', 'f93e00'],
    ['65504.0', 'f97bff'],
    ['100000.0', 'fa47c35000'],
    ['3.4028234663852886e+38', 'fa7f7fffff'],
    ['1.0e+300', 'fb7e37e43c8800759c'],
    ['5.960464477539063e-8', 'f90001'],
    ['0.00006103515625', 'f90400'],
    ['-4.0', 'f9c400'],
    ['{"$float":"NaN"}', 'f97e00'],
    ['{"$float":"Infinity"}', 'f97c00'],
    ['{"$float":"-Infinity"}', 'f9fc00'],
  ])('a decimal stays a float in its shortest form: %s is %s', (text, expected) => {
    expect(hex(jsonToCbor(text))).toBe(expected);
  });

  test.each([
    ['{"$bytes":"00FF"}', '4200ff'],
    ['{"$tag":[32,"a"]}', 'd8206161'],
    ['{"$tag":[18446744073709551615,0]}', 'dbffffffffffffffff00'],
    ['{"$map":[[1,"a"],[[2],null]]}', 'a20161618102f6'],
    ['{"$cbor":["NZD",47]}', 'd81847' + '82634e5a44182f'],
    ['{"$simple":19}', 'f3'],
    ['{"$simple":32}', 'f820'],
    ['{"$undefined":true}', 'f7'],
  ])('what JSON cannot say: %s is %s', (text, expected) => {
    expect(hex(jsonToCbor(text))).toBe(expected);
  });

  test.each([
    ['', 'missing at character 1'],
    ['[1,', 'missing'],
    ['[1 2]', 'expected , or ] at character 4'],
    ['{"a" 1}', 'expected :'],
    ['{a:1}', 'double quotes'],
    ['{"a":1,"a":2}', 'given twice'],
    ['01', 'after the value'],
    ['+1', 'no JSON value'],
    ['.5', 'no JSON value'],
    ['NaN', 'no JSON value'],
    ['"a', 'closing quote'],
    ['"\\x"', 'unknown escape'],
    ['"\\u12"', 'four hex digits'],
    ['"\\ud800"', 'surrogate'],
    ['"a\nb"', 'control character'],
    ['[1] []', 'after the value'],
    ['{"$bytes":"0"}', '$bytes'],
    ['{"$bytes":"00","x":1}', '$bytes'],
    ['{"$simple":20}', '$simple'],
    ['{"$simple":31}', '$simple'],
    ['{"$tag":[-1,0]}', '$tag'],
    ['{"$map":[[1]]}', '$map'],
    ['{"$float":"1"}', '$float'],
    ['{"$undefined":false}', '$undefined'],
    ['{"$other":1}', 'keys that begin with $'],
  ])('%j is refused with the place or the form', (text, expected) => {
    expect(() => jsonToCbor(text)).toThrow(JsonTextError);
    expect(() => jsonToCbor(text)).toThrow(expected);
  });

  test('nesting up to the limit can be sent, one more is refused', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(() => new EncodedValue(jsonToCbor(nested(MAX_VALUE_DEPTH)))).not.toThrow();
    expect(() => jsonToCbor(nested(MAX_VALUE_DEPTH + 2))).toThrow('nesting deeper');
    expect(() => jsonToCbor(nested(100_000))).toThrow('nesting deeper');
  });

  test('any JSON value means the same to another CBOR library', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value).replaceAll('"$', '"_');
        // Of 16 and more digits JSON.parse keeps only what a float holds; here all of them are kept.
        fc.pre(!/[0-9]{16}/.test(text));
        const ours: unknown = cborgDecode(jsonToCbor(text), { useMaps: true });
        const theirs: unknown = cborgDecode(cborgEncode(JSON.parse(text)), { useMaps: true });
        expect(sameValue(ours, theirs)).toBe(true);
      }),
    );
  });

  test('any float is in the form another CBOR library chooses, and comes back', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.float()), (value) => {
        const bytes = floatBytes(value);
        expect(decodeValue(bytes)).toBe(value);
        // cborg writes whole numbers as integers.
        if (!Number.isInteger(value)) expect(hex(bytes)).toBe(hex(cborgEncode(value)));
      }),
    );
    for (const [value, form] of [
      [2 ** -24, 'f90001'],
      [2 ** -25, 'fa33000000'],
      [2 ** -14 - 2 ** -24, 'f903ff'],
      [65505, 'fa477fe100'],
    ] as const) {
      expect(hex(floatBytes(value))).toBe(form);
      expect(decodeValue(ofHex(form))).toBe(value);
    }
  });
});

describe('a number option', () => {
  test.each([
    ['800', 800],
    ['-3', -3],
    ['1.5', 1.5],
    ['9007199254740993', 9007199254740993n],
    ['x', undefined],
    ['', undefined],
    ['[1]', undefined],
    ['0x10', undefined],
  ])('%j is %p', (text, expected) => {
    expect(parseNumber(text)).toBe(expected);
  });
});
