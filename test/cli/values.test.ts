import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CliError, Exit } from '../../src/cli/exit.js';
import { jsonLine, Shown, valueJson } from '../../src/cli/json-line.js';
import { jsonToCbor } from '../../src/cli/json-text.js';
import { formOf, inForm, parseHex, parseValue, sameValue, unwrap } from '../../src/cli/values.js';
import { EncodedValue, RawCbor, Simple, Tag, decodeValue, encodeValue } from '../../src/protocol/index.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const ofHex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

describe('values as JSON lines', () => {
  test.each<[unknown, string]>([
    [null, 'null'],
    [undefined, '{"$undefined":true}'],
    [1.5, '1.5'],
    [-0, '-0.0'],
    [2 ** 60, '1152921504606847000.0'],
    [Number.NaN, '{"$float":"NaN"}'],
    [Number.NEGATIVE_INFINITY, '{"$float":"-Infinity"}'],
    [12345678901234567890n, '12345678901234567890'],
    ['a"\n', '"a\\"\\n"'],
    [Uint8Array.of(0, 255), '{"$bytes":"00ff"}'],
    [[1, [2]], '[1,[2]]'],
    [new Map<unknown, unknown>([['a', 1]]), '{"a":1}'],
    [new Map<unknown, unknown>([['__proto__', 1]]), '{"__proto__":1}'],
    [new Map<unknown, unknown>([[1, 'a']]), '{"$map":[[1,"a"]]}'],
    [new Map<unknown, unknown>([['$a', 1]]), '{"$map":[["$a",1]]}'],
    [new Tag(32, 'x'), '{"$tag":[32,"x"]}'],
    [new Simple(19), '{"$simple":19}'],
    [new RawCbor(Uint8Array.of(1)), '{"$cbor":1}'],
  ])('%p is shown as %s', (value, expected) => {
    expect(valueJson(value)).toBe(expected);
  });

  test('fields that are undefined are left out, values and big integers are not touched', () => {
    const line = jsonLine({
      event: 'x',
      none: undefined,
      n: 2n ** 70n,
      list: [{ a: undefined, b: new Shown(null) }],
    });
    expect(line).toBe('{"event":"x","n":1180591620717411303424,"list":[{"b":null}]}');
  });

  test('what is shown can be given back as VALUE and is the same value', () => {
    const anything = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom<unknown>(null, true, undefined, new Simple(33)),
        fc.string({ unit: 'binary' }),
        fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
        fc.double(),
        fc.uint8Array(),
        fc.array(tie('value')),
        fc.array(fc.tuple(fc.string(), tie('value'))).map((entries) => new Map(entries)),
        fc.array(fc.tuple(fc.integer(), tie('value'))).map((entries) => new Map(entries)),
        tie('value').map((value) => new Tag(40_000, value)),
      ),
    })).value;
    fc.assert(
      fc.property(anything, (value) => {
        const once = decodeValue(encodeValue(value));
        expect(sameValue(decodeValue(jsonToCbor(valueJson(once))), once)).toBe(true);
      }),
    );
  });
});

describe('VALUE arguments', () => {
  test('RFC 8991 §2.3.2.4 a tag-24 value means what it wraps and keeps its form', () => {
    const value = parseValue('{"$cbor":["NZD",47]}');
    expect(value.form).toBe('tag24');
    expect(value.value).toEqual(['NZD', 47]);
    expect(hex(value.bytes)).toBe('82634e5a44182f');
    expect(hex(encodeValue(inForm(value.bytes, value.form)))).toBe('d8184782634e5a44182f');
    expect(unwrap(new RawCbor(value.bytes))).toEqual({ form: 'tag24', value: ['NZD', 47] });
  });

  test('any other value leaves as the bytes it was given as', () => {
    const given = ofHex('9f1800ff'); // indefinite length, integer longer than needed
    const value = parseValue('9f1800ff', { cbor: true });
    expect(value).toEqual({ form: 'plain', value: [0], bytes: given });
    expect(inForm(value.bytes, value.form)).toBeInstanceOf(EncodedValue);
    expect(hex(encodeValue(inForm(value.bytes, value.form)))).toBe('9f1800ff');
    expect(unwrap(5)).toEqual({ form: 'plain', value: 5 });
  });

  test.each([
    ['[1', {}],
    ['', {}],
    ['xyz', { cbor: true }],
    ['', { cbor: true }],
    ['0', { cbor: true }],
    ['0102', { cbor: true }], // two items
    ['18', { cbor: true }], // cut off
  ])('%j %j is a usage error with a hint', (text, options) => {
    const failure = (): unknown => {
      try {
        parseValue(text, options);
      } catch (error) {
        return error;
      }
      return undefined;
    };
    const error = failure();
    expect(error).toBeInstanceOf(CliError);
    expect((error as CliError).exit).toBe(Exit.usage);
    expect((error as CliError).hint).toBeDefined();
  });

  test('hex may have blanks, colons, line ends, 0x, either case', () => {
    expect(parseHex(' 0x81:00\n 8A ')).toEqual(Uint8Array.of(0x81, 0, 0x8a));
    expect(parseHex('8')).toBeUndefined();
    expect(parseHex('8g')).toBeUndefined();
  });

  test('equal means equal in meaning', () => {
    expect(sameValue([1, 1n], [1n, 1])).toBe(true);
    expect(sameValue(-0, 0)).toBe(true);
    expect(sameValue(2n ** 60n, 2n ** 60n)).toBe(true);
    expect(sameValue(2n ** 60n, 2 ** 60)).toBe(true);
    expect(sameValue(2n ** 60n, 2n ** 60n + 1n)).toBe(false);
    expect(
      sameValue(
        new Map([
          ['a', 1],
          ['b', 2],
        ]),
        new Map([
          ['b', 2n],
          ['a', 1n],
        ]),
      ),
    ).toBe(true);
    expect(sameValue(new Map([['a', 1]]), new Map([['a', 2]]))).toBe(false);
    expect(sameValue(Uint8Array.of(1), Uint8Array.of(1))).toBe(true);
    expect(sameValue(Uint8Array.of(1), [1])).toBe(false);
    expect(sameValue(formOf(ofHex('fb3ff8000000000000')).value, formOf(ofHex('f93e00')).value)).toBe(true);
  });
});
