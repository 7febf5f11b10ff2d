/** Round trips of anything, every truncation, and random damage, against the reference and an unrelated library. */
import { describe, expect, test } from '@jest/globals';
import { decode as cborgDecodeRaw } from 'cborg';
import fc from 'fast-check';
import {
  decodeMessage,
  decodeValue,
  encodedSize,
  encodeMessage,
  encodeValue,
  scanItem,
  type DecodeLimits,
  type MessageContext,
} from '../../src/protocol/index.js';
import { message, value } from './arbitrary.js';
import { cborgCan, cborgDecode } from './cborg.js';
import { concat, contextsOf, hex, toHex, vectors } from './helpers.js';
import { jsonOfMessage, jsonOfNode } from './json.js';
import { BREAK_AS_VALUE, parseItem, referenceDecode } from './reference.js';

const ROOMY: DecodeLimits = { maxBytes: 1 << 20, maxDepth: 64, maxItems: 1 << 20, maxElements: 1024 };
const CONTEXTS: readonly MessageContext[] = ['multicast', 'response', 'rapid', 'session'];

function homeOf(type: number): MessageContext {
  return type === 1 || type === 9 ? 'multicast' : type === 2 ? 'response' : 'session';
}

describe('any message', () => {
  test('G-2.8.2-01 is encoded in its exact size and decoded to itself', () => {
    fc.assert(
      fc.property(message, (m) => {
        const bytes = encodeMessage(m);
        expect(encodedSize(m)).toBe(bytes.length);
        expect(bytes.byteOffset).toBe(0);
        expect(bytes.buffer.byteLength).toBe(bytes.length);
        const result = decodeMessage(bytes, homeOf(m.type), ROOMY);
        expect(result).toEqual({ ok: true, message: m, droppedOptions: 0 });
        expect(jsonOfMessage(m)).toEqual(jsonOfNode(parseItem(bytes)));
      }),
      { numRuns: 400 },
    );
  });

  test('§2.9.1 is read the same by an unrelated library', () => {
    let compared = 0;
    fc.assert(
      fc.property(message, (m) => {
        const bytes = encodeMessage(m);
        const node = parseItem(bytes);
        if (!cborgCan(node)) return;
        compared++;
        expect(cborgDecode(bytes, node)).toEqual(jsonOfNode(node));
      }),
      { numRuns: 300 },
    );
    expect(compared).toBeGreaterThan(50);
  });
});

describe('any value', () => {
  test('A-2.3.2 survives encoding and decoding', () => {
    fc.assert(
      fc.property(value, (v) => {
        const bytes = encodeValue(v);
        const back = decodeValue(bytes);
        expect(back).toEqual(v);
        expect(toHex(encodeValue(back))).toBe(toHex(bytes));
        expect(scanItem(bytes, 0, ROOMY)).toEqual({ kind: 'item', end: bytes.length });
      }),
      { numRuns: 500 },
    );
  });

  test('the plain and the exact codec agree: an array with one exact leaf takes the exact one', () => {
    fc.assert(
      fc.property(value, (v) => {
        const alone = encodeValue(v);
        const beside = encodeValue([v, 1.5]);
        expect(toHex(beside)).toBe(`82${toHex(alone)}f93e00`);
        expect((decodeValue(beside) as unknown[])[0]).toEqual(decodeValue(alone));
      }),
      { numRuns: 500 },
    );
  });

  test('JSON-like values are plain CBOR to an unrelated library', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (v) => {
        const bytes = encodeValue(v);
        expect(cborgDecodeRaw(bytes)).toEqual(v);
      }),
      { numRuns: 300 },
    );
  });
});

describe('damaged input', () => {
  const valid = vectors.filter((v) => v.valid);

  test('every truncation of every valid vector is truncated, and nothing else', () => {
    let count = 0;
    for (const vector of valid) {
      const bytes = hex(vector.hex);
      for (let length = 1; length < bytes.length; length++) {
        const result = decodeMessage(bytes.subarray(0, length), contextsOf(vector)[0]!);
        if (result.ok || result.reason !== 'cbor.truncated')
          throw new Error(`${vector.name} cut at ${length}`);
        count++;
      }
      expect(decodeMessage(new Uint8Array(0), contextsOf(vector)[0]!)).toMatchObject({
        reason: 'cbor.empty',
      });
    }
    expect(count).toBeGreaterThan(10_000);
  });

  test('every valid vector with a byte behind it is refused', () => {
    for (const vector of valid) {
      const bytes = concat(hex(vector.hex), hex('00'));
      const result = decodeMessage(bytes, contextsOf(vector)[0]!, ROOMY);
      expect([vector.name, result]).toEqual([
        vector.name,
        expect.objectContaining({ reason: 'cbor.trailing-bytes' }),
      ]);
    }
  });

  /** Changes that keep much of the structure: flip, insert, delete, and splice of another vector. */
  const mutation = fc
    .tuple(
      fc.constantFrom(...valid.map((v) => v.hex)),
      fc.array(
        fc.tuple(
          fc.constantFrom('flip', 'insert', 'delete', 'splice'),
          fc.nat(),
          fc.integer({ min: 0, max: 255 }),
        ),
        { minLength: 1, maxLength: 4 },
      ),
      fc.constantFrom(...valid.map((v) => v.hex)),
    )
    .map(([text, steps, other]) => {
      const bytes = Array.from(hex(text));
      for (const [kind, at, byte] of steps) {
        const place = at % (bytes.length + 1);
        if (kind === 'flip') bytes[Math.min(place, bytes.length - 1)] = byte;
        else if (kind === 'insert') bytes.splice(place, 0, byte);
        else if (kind === 'delete') bytes.splice(place, 1);
        else bytes.splice(place, byte % 8, ...hex(other).slice(at % 16, (at % 16) + (byte % 16)));
      }
      return Uint8Array.from(bytes);
    });

  test('§2.8.2 after random mutation: never a throw, and accepted exactly if the reference accepts it', () => {
    let acceptedCount = 0;
    fc.assert(
      fc.property(mutation, (bytes) => {
        for (const context of CONTEXTS) {
          const result = decodeMessage(bytes, context);
          const reference = referenceDecode(bytes, context);
          if (result.ok !== (reference !== undefined)) {
            throw new Error(`${context} ${toHex(bytes)}: ${JSON.stringify(result)}`);
          }
          if (result.ok) {
            acceptedCount++;
            expect(result.message).toEqual(reference);
            // What is accepted can be sent on, and means the same.
            const again = decodeMessage(encodeMessage(result.message), context, ROOMY);
            expect(again).toEqual({ ok: true, message: result.message, droppedOptions: 0 });
          }
        }
      }),
      { numRuns: 4000 },
    );
    expect(acceptedCount).toBeGreaterThan(200);
  });

  test('random bytes: the scanner, the reference and the unrelated library agree on what is one item', () => {
    const noise = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 40 }), mutation);
    fc.assert(
      fc.property(noise, (bytes) => {
        const scanned = scanItem(bytes, 0, ROOMY);
        const whole = scanned.kind === 'item' && scanned.end === bytes.length;
        let node: ReturnType<typeof parseItem> | undefined;
        let fault: unknown;
        try {
          node = parseItem(bytes);
        } catch (error) {
          fault = error;
        }
        expect([toHex(bytes), whole]).toEqual([toHex(bytes), node !== undefined]);
        if (node && cborgCan(node)) expect(cborgDecode(bytes, node)).toEqual(jsonOfNode(node));
        // That library replaces bad UTF-8 (C-15 does not allow it), knows no minimum for two-byte simple values, and
        // takes a break for the value of a map.
        const lenient =
          (scanned.kind === 'malformed' && ['cbor.utf8', 'cbor.simple'].includes(scanned.reason)) ||
          (fault instanceof Error && fault.message === BREAK_AS_VALUE);
        if (scanned.kind !== 'item' && !lenient) expect(() => void cborgDecodeRaw(bytes)).toThrow();
      }),
      { numRuns: 2000 },
    );
  });
});
