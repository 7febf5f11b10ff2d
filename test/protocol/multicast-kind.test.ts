import { expect, test } from '@jest/globals';
import { decodeMessage, DEF_SCAN_LIMITS, multicastKind } from '../../src/protocol/index.js';
import { hex, vectors } from './helpers.js';

test('§2.8.2 the kind of every vector agrees with what decoding says', () => {
  const seen = new Map<string, number>();
  for (const vector of vectors) {
    const bytes = hex(vector.hex);
    const kind = multicastKind(bytes);
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
    const result = decodeMessage(bytes, 'multicast');
    const type = result.ok
      ? result.message.type
      : result.kind === 'malformed'
        ? 'malformed'
        : result.messageType;
    const expected =
      type === 1 ? 'discovery' : type === 9 ? 'flood' : type === 'malformed' ? 'malformed' : 'other';
    expect([vector.name, kind]).toEqual([vector.name, expected]);
  }
  for (const kind of ['discovery', 'flood', 'other', 'malformed']) expect(seen.get(kind)).toBeGreaterThan(5);
});

test('§2.8.3 the limits of the scanner hold', () => {
  expect(multicastKind(hex('8201 8181818100'), { ...DEF_SCAN_LIMITS, maxDepth: 4 })).toBe('malformed');
  expect(multicastKind(hex('8201 8181818100'), { ...DEF_SCAN_LIMITS, maxDepth: 5 })).toBe('discovery');
});
