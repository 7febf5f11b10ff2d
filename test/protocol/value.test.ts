import { describe, expect, test } from '@jest/globals';
import { runInNewContext } from 'node:vm';
import {
  decodeValue,
  encodeValue,
  EncodedValue,
  GraspError,
  MAX_VALUE_DEPTH,
  RawCbor,
  Simple,
  Tag,
} from '../../src/protocol/index.js';
import { concat, hex, toHex } from './helpers.js';

function errorOf(act: () => unknown): GraspError {
  try {
    act();
  } catch (error) {
    if (GraspError.is(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('preferred serialization (RFC 8949 §4.2.1)', () => {
  const cases: readonly (readonly [string, unknown, string])[] = [
    ['null', null, 'f6'],
    ['undefined', undefined, 'f7'],
    ['true', true, 'f5'],
    ['0', 0, '00'],
    ['-0', -0, 'f98000'],
    ['23', 23, '17'],
    ['24', 24, '1818'],
    ['2^32-1', 2 ** 32 - 1, '1affffffff'],
    ['2^32', 2 ** 32, '1b0000000100000000'],
    ['-2^31-1', -(2 ** 31) - 1, '3a80000000'],
    ['-2^32', -(2 ** 32), '3affffffff'],
    ['-2^32-1', -(2 ** 32) - 1, '3b0000000100000000'],
    ['2^53-1', Number.MAX_SAFE_INTEGER, '1b001fffffffffffff'],
    ['-(2^53-1)', Number.MIN_SAFE_INTEGER, '3b001ffffffffffffe'],
    ['a number beyond, which is a float', 2 ** 53, 'fa5a000000'],
    ['5n', 5n, '05'],
    ['-1n', -1n, '20'],
    ['2^32n', 1n << 32n, '1b0000000100000000'],
    ['2^64-1', (1n << 64n) - 1n, '1bffffffffffffffff'],
    ['-2^64', -(1n << 64n), '3bffffffffffffffff'],
    ['2^64', 1n << 64n, 'c249010000000000000000'],
    ['-2^64-1', -(1n << 64n) - 1n, 'c349010000000000000000'],
    ['1.5', 1.5, 'f93e00'],
    ['-4.1', -4.1, 'fbc010666666666666'],
    ['65504.5', 65504.5, 'fa477fe080'],
    ['2^-24', 2 ** -24, 'f90001'],
    ['2^-14', 2 ** -14, 'f90400'],
    ['2^-25', 2 ** -25, 'fa33000000'],
    ['largest subnormal half', 1023 * 2 ** -24, 'f903ff'],
    ['100000.5', 100000.5, 'fa47c35040'],
    ['1e300', 1e300, 'fb7e37e43c8800759c'],
    ['Infinity', Infinity, 'f97c00'],
    ['-Infinity', -Infinity, 'f9fc00'],
    ['NaN', NaN, 'f97e00'],
    ['text', 'grüß', '666772c3bcc39f'],
    ['text with a BOM', '\ufeffa', '64efbbbf61'],
    ['32 characters', 'x'.repeat(32), `7820${'78'.repeat(32)}`],
    ['bytes', hex('0102'), '420102'],
    ['a Buffer', Buffer.from([1, 2]), '420102'],
    ['an array', [1, [2]], '82018102'],
    ['a sparse array', [1, , 2], '8301f702'], // eslint-disable-line no-sparse-arrays
    ['an object', { b: 1, a: undefined }, 'a261620161 61f7'.replace(' ', '')],
    ['an object without prototype', Object.assign(Object.create(null) as object, { a: 1 }), 'a1616101'],
    ['an object with the key constructor', { constructor: 1 }, 'a16b636f6e7374727563746f7201'],
    ['an object with the key toJSON', { toJSON: 1 }, 'a166746f4a534f4e01'],
    [
      'an object with the key __proto__',
      JSON.parse('{"__proto__":1}') as unknown,
      'a1695f5f70726f746f5f5f01',
    ],
    [
      'a map',
      new Map<unknown, unknown>([
        [1, 2],
        ['a', [3]],
        [null, -0],
      ]),
      'a301026161 8103f6f98000'.replace(' ', ''),
    ],
    ['an empty map', new Map(), 'a0'],
    ['a tag', new Tag(1, 5), 'c105'],
    ['a big tag', new Tag((1n << 64n) - 1n, []), 'dbffffffffffffffff80'],
    ['a tag of 2^53', new Tag(1n << 53n, 0), 'db002000000000000000'],
    ['a small bigint tag', new Tag(32n, 'u'), 'd8206175'],
    ['every constant', [1.5, null, undefined, true, false], '85f93e00f6f7f5f4'],
    ['Simple(16)', new Simple(16), 'f0'],
    ['Simple(255)', new Simple(255), 'f8ff'],
    ['RawCbor', new RawCbor(hex('820102')), 'd81843820102'],
    ['RawCbor inside', [new RawCbor(hex('07'))], '81d8184107'],
    ['EncodedValue', new EncodedValue(hex('9f1801ff')), '9f1801ff'],
    ['EncodedValue inside', { a: new EncodedValue(hex('1b0000000000000001')) }, 'a161611b0000000000000001'],
  ];
  test.each(cases)('%s', (_name, value, expected) => {
    const bytes = encodeValue(value);
    expect(toHex(bytes)).toBe(expected);
    expect(bytes.constructor).toBe(Uint8Array);
    expect(bytes.buffer.byteLength).toBe(bytes.length);
  });

  test('values of another realm are taken like own ones', () => {
    const foreign: unknown = runInNewContext(
      'new Map([["a", [1, { b: new Uint8Array([1, 2]) }]], ["c", new Map()]])',
    );
    expect(toHex(encodeValue(foreign))).toBe('a2616182 01a16162420102 6163a0'.replaceAll(' ', ''));
    expect(toHex(encodeValue(runInNewContext('[1, 2]')))).toBe('820102');
    expect(toHex(encodeValue(runInNewContext('({ a: 1 })')))).toBe('a1616101');
  });

  test('long values: lengths, and scratch buffers that grow and shrink', () => {
    const text = 'é'.repeat(70_000);
    expect(decodeValue(encodeValue([text, 1]))).toEqual([text, 1]);
    expect(decodeValue(encodeValue([text, 1.5]))).toEqual([text, 1.5]);
    expect(toHex(encodeValue([1.5]))).toBe('81f93e00');
    const many = Array.from({ length: 70_000 }, (_, i) => i);
    expect(decodeValue(encodeValue(many))).toEqual(many);
    expect(decodeValue(encodeValue([...many, 0.5]))).toEqual([...many, 0.5]);
    const map = new Map(many.map((i) => [i, null]));
    expect(decodeValue(encodeValue(map))).toEqual(map);
  });
});

describe('A-2.3.2 what cannot be encoded is refused at once, with its place', () => {
  const cycle: unknown[] = [];
  cycle.push({ a: cycle });
  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    ['a function', [1, () => 1], /value\[1\]: a function/],
    ['a symbol', { a: { b: Symbol('x') } }, /value\.a\.b: a symbol/],
    ['a lone surrogate', ['\ud800x'], /value\[0\]: a string with a lone surrogate/],
    ['two low surrogates', '\udc00\udc00', /a string with a lone surrogate/],
    [
      'a lone surrogate in a long text',
      ['x'.repeat(300) + '\ud800'],
      /value\[0\]: a string with a lone surrogate/,
    ],
    ['a high surrogate at the end', 'x\udbff', /a string with a lone surrogate/],
    ['a lone surrogate in a key', { '\udc00': 1 }, /a key with a lone surrogate/],
    ['a cycle', cycle, /value\[0\]\.a: a cycle/],
    ['a Date', { at: new Date(0) }, /value\.at: a Date/],
    ['a Set', [new Set([1])], /a Set/],
    ['a RegExp', /x/, /an object of class RegExp/],
    ['an Error', new TypeError('x'), /class TypeError/],
    ['a Promise', Promise.resolve(), /class Promise/],
    ['a class instance', new (class Offer {})(), /class Offer/],
    ['an anonymous class instance', new (class {})(), /class Object/],
    ['a Uint16Array', new Uint16Array(2), /class Uint16Array/],
    ['a DataView', new DataView(new ArrayBuffer(1)), /class DataView/],
    ['an ArrayBuffer', new ArrayBuffer(1), /class ArrayBuffer/],
    ['a boxed string', Object('x'), /class String/],
    ['a function as a key of a map', new Map([[() => 1, 1]]), /key of a map/],
    ['a symbol in a map', new Map([['k', Symbol('x')]]), /value\[k\]: a symbol/],
    ['a symbol in a map under an object', new Map([[[], Symbol('x')]]), /value\[…\]: a symbol/],
    ['a function in a tag', new Tag(1, () => 1), /in tag 1.*: a function/],
  ];
  test.each(cases)('%s', (_name, value, detail) => {
    const error = errorOf(() => encodeValue(value));
    expect(error.code).toBe(3);
    expect(error.message).toMatch(detail);
  });

  test('a getter that throws is the cause', () => {
    const cause = new Error('not now');
    const value = {
      get a(): number {
        throw cause;
      },
    };
    expect(errorOf(() => encodeValue(value))).toMatchObject({ code: 3, cause });
    expect(toHex(encodeValue([1.5]))).toBe('81f93e00');
  });

  test('a getter that encodes a value itself disturbs neither', () => {
    let inner = '';
    const value = {
      a: 'before',
      get b(): number {
        inner = toHex(encodeValue(['inside', 1.5, 'x'.repeat(2000)]));
        return 7;
      },
      c: 'after',
    };
    expect(decodeValue(encodeValue(value))).toEqual(
      new Map<string, unknown>([
        ['a', 'before'],
        ['b', 7],
        ['c', 'after'],
      ]),
    );
    expect(decodeValue(hex(inner))).toEqual(['inside', 1.5, 'x'.repeat(2000)]);
  });

  test('what a value does to itself while it is read never makes bytes that are no item', () => {
    const shrinking: unknown[] = [
      {
        get a(): number {
          shrinking.length = 1;
          return 1;
        },
      },
      2,
      3,
    ];
    expect(decodeValue(encodeValue(shrinking))).toEqual([new Map([['a', 1]]), undefined, undefined]);
    for (const change of [
      (map: Map<unknown, unknown>) => map.set(Symbol(), 1),
      (map: Map<unknown, unknown>) => map.clear(),
    ]) {
      const map = new Map<unknown, unknown>();
      map.set('a', {
        get a(): number {
          change(map);
          return 1;
        },
      });
      map.set('b', 1);
      expect(errorOf(() => encodeValue(map)).code).toBe(3);
    }
    expect(toHex(encodeValue([1.5]))).toBe('81f93e00');
  });

  test('the same object twice is no cycle', () => {
    const shared = [1];
    expect(toHex(encodeValue([shared, shared]))).toBe('8281018101');
  });
});

describe('§2.8.3 limits of values', () => {
  const deep = (depth: number): unknown => {
    let v: unknown = 0;
    for (let i = 0; i < depth; i++) v = [v];
    return v;
  };

  test(`maxDepth: ${MAX_VALUE_DEPTH} fit into any message, one more does not`, () => {
    expect(encodeValue(deep(MAX_VALUE_DEPTH)).length).toBe(MAX_VALUE_DEPTH + 1);
    expect(errorOf(() => encodeValue(deep(MAX_VALUE_DEPTH + 1)))).toMatchObject({ code: 3 });
    expect(errorOf(() => encodeValue(deep(100_000)))).toMatchObject({ code: 3 });
    expect(encodeValue(deep(3), { maxDepth: 3 }).length).toBe(4);
    expect(errorOf(() => encodeValue(deep(4), { maxDepth: 3 }))).toMatchObject({ code: 3 });
  });

  test('maxDepth holds for what comes encoded, too', () => {
    const inner = new EncodedValue(encodeValue(deep(40)));
    const outer = (depth: number) => {
      let v: unknown = inner;
      for (let i = 0; i < depth; i++) v = [v];
      return v;
    };
    expect(encodeValue(outer(20)).length).toBe(61);
    expect(errorOf(() => encodeValue(outer(21)))).toMatchObject({ code: 3 });
  });

  test('maxItems and maxBytes: 40', () => {
    expect(errorOf(() => encodeValue([1, 2, 3], { maxItems: 3 }))).toMatchObject({ code: 40 });
    expect(encodeValue([1, 2, 3], { maxItems: 4 }).length).toBe(4);
    expect(errorOf(() => encodeValue('xxxxx', { maxBytes: 5 }))).toMatchObject({ code: 40 });
    expect(errorOf(() => encodeValue(['xxxxx', 1.5], { maxBytes: 9 }))).toMatchObject({ code: 40 });
    expect(encodeValue(['xxxxx', 1.5], { maxBytes: 10 }).length).toBe(10);
    // A value that doubles at every level would never end.
    let bomb: unknown = [0];
    for (let i = 0; i < 50; i++) bomb = [bomb, bomb];
    expect(errorOf(() => encodeValue(bomb, { maxItems: 10_000 }))).toMatchObject({ code: 40 });
  });

  test('decodeValue: 24 beyond maxBytes, maxDepth, maxItems', () => {
    expect(errorOf(() => decodeValue(hex('8301 02 03'), { maxItems: 3 }))).toMatchObject({ code: 24 });
    expect(errorOf(() => decodeValue(hex('818100'), { maxDepth: 1 }))).toMatchObject({ code: 24 });
    expect(errorOf(() => decodeValue(hex('420000'), { maxBytes: 2 }))).toMatchObject({ code: 24 });
  });

  test('a bignum of 100 kB takes linear time, both ways', () => {
    const magnitude = new Uint8Array(100_000).fill(0xa5);
    const bytes = concat(hex('c25a000186a0'), magnitude);
    const before = process.cpuUsage().user;
    for (let i = 0; i < 5; i++) {
      const n = decodeValue(bytes);
      expect(typeof n).toBe('bigint');
      expect(toHex(encodeValue(n)) === toHex(bytes)).toBe(true);
    }
    expect(process.cpuUsage().user - before).toBeLessThan(1_500_000);
  });
});

describe('decodeValue', () => {
  test.each([
    ['', 'cbor.empty'],
    ['82', 'cbor.truncated'],
    ['0000', 'cbor.trailing-bytes'],
    ['61ff', 'cbor.utf8'],
    ['1c', 'cbor.reserved'],
  ])('%s is no item: 24', (text, reason) => {
    expect(errorOf(() => decodeValue(hex(text)))).toMatchObject({ code: 24, detail: reason });
  });

  const cases: readonly (readonly [string, string, unknown])[] = [
    ['integers beyond 2^53−1', '1b0020000000000000', 2n ** 53n],
    ['2^53−1', '1b001fffffffffffff', Number.MAX_SAFE_INTEGER],
    ['−(2^53−1)', '3b001ffffffffffffe', Number.MIN_SAFE_INTEGER],
    ['−2^53', '3b001fffffffffffff', -(2n ** 53n)],
    ['a small bignum', 'c24105', 5],
    ['a small negative bignum', 'c34105', -6],
    ['an empty bignum', 'c240', 0],
    ['an empty negative bignum', 'c340', -1],
    ['a bignum with leading zeros', 'c2420005', 5],
    ['tag 2 of something else', 'c26161', new Tag(2, 'a')],
    ['tag 0, not a Date', 'c06161', new Tag(0, 'a')],
    ['tag 1, not a Date', 'c101', new Tag(1, 1)],
    ['tag 258, not a Set', 'd9010280', new Tag(258, [])],
    ['tag 259, not special', 'd90103a0', new Tag(259, new Map())],
    ['tag 27, no class', 'd81b826166f6', new Tag(27, ['f', null])],
    ['tag 28, no sharing', 'd81c80', new Tag(28, [])],
    ['tag 51, no packing', 'd83380', new Tag(51, [])],
    ['tag 64, no typed array', 'd84042 0102'.replace(' ', ''), new Tag(64, hex('0102'))],
    ['tag 105, no record', 'd86980', new Tag(105, [])],
    ['tag 0xdff9, no bundle', 'd9dff980', new Tag(0xdff9, [])],
    ['a packed-style simple value', 'e1', new Simple(1)],
    ['−0', 'f98000', -0],
    ['a half', 'f9c400', -4],
    ['a subnormal half', 'f983ff', -1023 * 2 ** -24],
    ['half infinity', 'f9fc00', -Infinity],
    ['half NaN', 'f97e01', NaN],
    ['a single in an array', '81fa47c35000', [100000]],
    ['a double behind a tag', 'c1fb3ff8000000000000', new Tag(1, 1.5)],
    ['a single behind a tag', 'c1fa3fc00000', new Tag(1, 1.5)],
    ['a long text with a BOM', `7828efbbbf${'61'.repeat(37)}`, `\ufeff${'a'.repeat(37)}`],
    ['chunks', '827f61616162ff5f41014102ff', ['ab', hex('0102')]],
    [
      'indefinite map',
      'bf6161f56162f4ff',
      new Map<unknown, unknown>([
        ['a', true],
        ['b', false],
      ]),
    ],
    [
      'indefinite everything',
      '9f9fff f7 bf01f6ff ff'.replaceAll(' ', ''),
      [[], undefined, new Map([[1, null]])],
    ],
    [
      'definite within tags',
      'c18301a1016161187b'.replace('187b', '1901f4'),
      new Tag(1, [1, new Map([[1, 'a']]), 500]),
    ],
    ['a 32-bit argument behind a tag', 'c11a00010000', new Tag(1, 65536)],
    ['a single between others', '83d90101fa3fc00000 0102'.replace(' ', ''), [new Tag(257, 1.5), 1, 2]],
    ['duplicate keys: the last', 'a2616101616102', new Map([['a', 2]])],
  ];
  test.each(cases)('%s', (_name, text, expected) => {
    expect(decodeValue(hex(text))).toEqual(expected);
    // The same behind a tag.
    expect(decodeValue(hex(`c5${text}`))).toEqual(new Tag(5, expected));
  });

  test('the result has memory of its own, of class Uint8Array', () => {
    for (const text of ['420102', '81420102', '5f420102ff', 'c5420102']) {
      const bytes = Buffer.from(hex(text));
      const value = decodeValue(bytes) as unknown;
      bytes.fill(0);
      const inner = Array.isArray(value) ? (value[0] as unknown) : value instanceof Tag ? value.value : value;
      expect(inner).toEqual(hex('0102'));
      expect((inner as object).constructor).toBe(Uint8Array);
    }
  });

  test('views at an offset are read at that offset', () => {
    const inside = hex('ffff 84 f5 fb3ff8000000000000 4107 c101 ffff').subarray(2, 17);
    expect(decodeValue(inside)).toEqual([true, 1.5, hex('07'), new Tag(1, 1)]);
  });
});

describe('RFC 8991 §2.3.2.4 raw CBOR', () => {
  test('an outermost tag 24 is RawCbor, and goes out again as it came', () => {
    const value = decodeValue(hex('d81847 82634e5a441850'));
    expect(value).toBeInstanceOf(RawCbor);
    expect(toHex((value as RawCbor).bytes)).toBe('82634e5a441850');
    expect(toHex(encodeValue(value))).toBe('d8184782634e5a441850');
  });

  test('one level is unwrapped; inside another value, tag 24 is a tag', () => {
    expect(toHex((decodeValue(hex('d81844d8184101')) as RawCbor).bytes)).toBe('d8184101');
    expect(decodeValue(hex('82d8184107f6'))).toEqual([new Tag(24, hex('07')), null]);
  });

  test('what holds no item stays a tag, and goes out as it came', () => {
    for (const text of ['d81841ff', 'd81840', 'd818420000', 'd81801']) {
      const value = decodeValue(hex(text));
      expect(value).toBeInstanceOf(Tag);
      expect(toHex(encodeValue(value))).toBe(text);
    }
  });

  test('a plain byte string that happens to be CBOR stays a byte string', () => {
    expect(decodeValue(hex('4483010203'))).toEqual(hex('83010203'));
  });

  test.each([RawCbor, EncodedValue])('%p takes one well-formed item and keeps a copy', (Class) => {
    for (const text of ['', '82', '0000', '1c', '61ff'])
      expect(errorOf(() => new Class(hex(text)))).toMatchObject({ code: 3 });
    expect(errorOf(() => new Class('00' as never))).toMatchObject({ code: 3 });
    const bytes = hex('820102');
    const made = new Class(bytes);
    bytes.fill(0);
    expect(toHex(made.bytes)).toBe('820102');
  });
});

describe('Tag and Simple', () => {
  test.each([-1, 1.5, 2 ** 53, NaN, -1n, 1n << 64n, '1' as never])('no tag %s', (tag) => {
    expect(errorOf(() => new Tag(tag, 0))).toMatchObject({ code: 3 });
  });
  test.each([-1, 20, 21, 22, 23, 24, 31, 256, 1.5])('no simple value %s', (value) => {
    expect(errorOf(() => new Simple(value))).toMatchObject({ code: 3 });
  });
  test('a tag that fits a number is one', () => {
    expect(new Tag(32n, 0).tag).toBe(32);
    expect(new Tag(2n ** 53n, 0).tag).toBe(2n ** 53n);
  });
});
