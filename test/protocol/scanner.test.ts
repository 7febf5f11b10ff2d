import { describe, expect, test } from '@jest/globals';
import { DEF_SCAN_LIMITS, ItemScanner, scanItem } from '../../src/protocol/index.js';
import { concat, hex } from './helpers.js';

function nested(depth: number, open = '81', inner = '00', close = ''): Uint8Array {
  return hex(open.repeat(depth) + inner + close.repeat(depth));
}

describe('scanItem', () => {
  test.each([
    ['an integer', '00'],
    ['the largest integer', '1bffffffffffffffff'],
    ['a negative integer', '3903e7'],
    ['an empty byte string', '40'],
    ['a byte string in chunks', '5f4101404102ff'],
    ['no chunks at all', '5fff'],
    ['text in chunks', '7f6161626262ff'],
    ['an empty array of a longer form', '9800'],
    ['an indefinite array', '9f019f02ff03ff'],
    ['an indefinite map', 'bf01029f039fffff04ff'],
    ['a definite map of containers', 'a2810180a10203f6'],
    ['a tag of a tag', 'c1d81800'],
    ['simple values', '84e0f3f820f8ff'],
    ['floats', '83f97e00fa7fc00000fbfff0000000000000'],
    ['text with two to four bytes a character', '6dc3a9e6bca2f09f9880f48fbfbf'],
  ])('takes %s', (_name, text) => {
    const bytes = hex(text);
    expect(scanItem(bytes)).toEqual({ kind: 'item', end: bytes.length });
    // At any offset, and not looking at what follows.
    const embedded = concat(hex('ff00'), bytes, hex('ff'));
    expect(scanItem(embedded, 2)).toEqual({ kind: 'item', end: 2 + bytes.length });
  });

  test.each([
    [
      'cbor.reserved',
      ['1c', '1d', '1e', '1f', '3f', '5c', '7e', '9d', 'bc', 'dc', 'df', 'fc', 'fd', 'fe', '82001c'],
    ],
    ['cbor.break', ['ff', '81ff', 'a101ff', 'bf01ff', 'bf6101ffff', 'c1ff', '9f81ff']],
    ['cbor.chunk', ['5f00', '5f6161ff', '7f4161ff', '5f5f4161ffff', '7f7fffff', '5f80ff']],
    ['cbor.simple', ['f800', 'f81f', '81f814']],
    [
      'cbor.utf8',
      // Continuation alone, cut, overlong, surrogate, beyond U+10FFFF, a character cut by a chunk.
      [
        '6180',
        '61c3',
        '62c328',
        '62c0af',
        '63e08080',
        '63eda080',
        '64f08080af',
        '64f4908080',
        '61ff',
        '7f61c361a9ff',
        '63e282ff',
      ],
    ],
  ])('refuses with %s', (reason, texts) => {
    for (const text of texts)
      expect([text, scanItem(hex(text))]).toEqual([text, { kind: 'malformed', reason }]);
  });

  test('§2.8.3 a claim beyond the limits is refused before its bytes are there', () => {
    expect(scanItem(hex('5b8000000000000000'))).toEqual({ kind: 'malformed', reason: 'limit.bytes' });
    expect(scanItem(hex('9b0000000100000000'))).toEqual({ kind: 'malformed', reason: 'limit.bytes' });
    expect(scanItem(hex('bb7fffffffffffffff'))).toEqual({ kind: 'malformed', reason: 'limit.bytes' });
    expect(scanItem(hex('9a00100000'), 0, { maxBytes: 1 << 30, maxItems: 1000 })).toEqual({
      kind: 'malformed',
      reason: 'limit.items',
    });
  });

  test('§2.8.3 maxBytes: 2048 is taken, 2049 is not, in one string, in many items, and without an end', () => {
    const string = (total: number) =>
      concat(hex('59'), Uint8Array.of((total - 3) >> 8, (total - 3) & 255), new Uint8Array(total - 3));
    expect(scanItem(string(2048))).toEqual({ kind: 'item', end: 2048 });
    expect(scanItem(string(2049))).toEqual({ kind: 'malformed', reason: 'limit.bytes' });
    const items = (total: number) => concat(hex('9f'), new Uint8Array(total - 2), hex('ff'));
    expect(scanItem(items(2048))).toEqual({ kind: 'item', end: 2048 });
    expect(scanItem(items(2049))).toEqual({ kind: 'malformed', reason: 'limit.bytes' });
    const endless = concat(hex('9f'), new Uint8Array(2048));
    expect(scanItem(endless.subarray(0, 2047))).toEqual({ kind: 'more' });
    expect(scanItem(endless)).toEqual({ kind: 'malformed', reason: 'limit.bytes' });
    // A head that itself crosses the limit.
    expect(scanItem(hex('82001903e8'), 0, { maxBytes: 4 })).toEqual({
      kind: 'malformed',
      reason: 'limit.bytes',
    });
    expect(scanItem(hex('82001903'), 0, { maxBytes: 5 })).toEqual({ kind: 'more' });
  });

  test.each([
    ['arrays', '81', ''],
    ['maps', 'a100', ''],
    ['tags', 'c1', ''],
    ['indefinite arrays', '9f', 'ff'],
    ['indefinite maps', 'bf00', 'ff'],
  ])('§2.8.3 maxDepth: 64 nested %s are taken, 65 are not', (_name, open, close) => {
    expect(scanItem(nested(64, open, '00', close)).kind).toBe('item');
    expect(scanItem(nested(65, open, '00', close))).toEqual({ kind: 'malformed', reason: 'limit.depth' });
  });

  test('§2.8.3 maxDepth counts empty containers and chunked strings', () => {
    for (const inner of ['80', 'a0', '5fff']) {
      expect(scanItem(nested(63, '81', inner)).kind).toBe('item');
      expect(scanItem(nested(64, '81', inner))).toEqual({ kind: 'malformed', reason: 'limit.depth' });
    }
  });

  test('§2.8.3 a depth of 100,000 overflows no stack, with the limit and without it', () => {
    const bytes = nested(100_000);
    expect(scanItem(bytes, 0, { maxBytes: 1e6 })).toEqual({ kind: 'malformed', reason: 'limit.depth' });
    expect(scanItem(bytes, 0, { maxBytes: 1e6, maxDepth: 1e6, maxItems: 1e6 })).toEqual({
      kind: 'item',
      end: 100_001,
    });
  });

  test('§2.8.3 maxItems counts every key, element, chunk and container', () => {
    const limits = { maxItems: 5 };
    for (const [five, six] of [
      ['8400000000', '850000000000'],
      ['9f00000000ff', '9f0000000000ff'],
      ['a200000000', 'a2000000c100'],
      ['5f40404040ff', '5f4040404040ff'],
      ['c1c1c1c100', 'c1c1c1c1c100'],
    ] as const) {
      expect(scanItem(hex(five), 0, limits).kind).toBe('item');
      expect(scanItem(hex(six), 0, limits)).toEqual({ kind: 'malformed', reason: 'limit.items' });
    }
  });

  test('nothing at hand is more', () => {
    expect(scanItem(new Uint8Array(0))).toEqual({ kind: 'more' });
    expect(scanItem(hex('00'), 1)).toEqual({ kind: 'more' });
  });
});

describe('ItemScanner', () => {
  test('goes on where it stopped: every head is looked at once', () => {
    // 2,000 items, dribbled: a scanner that began anew would make two million steps for each of these.
    const bytes = concat(hex('9f'), new Uint8Array(2000), hex('ff'));
    let reads = 0;
    const counting = new Proxy(bytes, {
      get(target, key) {
        if (typeof key === 'string' && /^\d+$/.test(key)) reads++;
        return Reflect.get(target, key, target) as unknown;
      },
    });
    const scanner = new ItemScanner();
    for (let end = 1; end < bytes.length; end++) expect(scanner.scan(counting, 0, end)).toBe(0);
    expect(scanner.scan(counting, 0, bytes.length)).toBe(bytes.length);
    expect(reads).toBeLessThan(2 * bytes.length);
  });

  test('is ready for the next item after a complete and after a refused one', () => {
    const scanner = new ItemScanner(DEF_SCAN_LIMITS);
    expect(scanner.scan(hex('8101'), 0, 2)).toBe(2);
    expect(scanner.scan(hex('811c'), 0, 2)).toBe(-1);
    expect(scanner.reason).toBe('cbor.reserved');
    expect(scanner.scan(hex('81'), 0, 1)).toBe(0);
    scanner.reset();
    expect(scanner.scan(hex('01'), 0, 1)).toBe(1);
  });
});
