/** Every vector of test/vectors, against this codec, an independent CBOR library, and the test-only reference. */
import { describe, expect, test } from '@jest/globals';
import {
  decodeMessage,
  decodeValue,
  encodedSize,
  encodeMessage,
  encodeValue,
  EncodedValue,
  MessageFramer,
} from '../../src/protocol/index.js';
import { contextsOf, hex, streams, toHex, vectors, type Vector } from './helpers.js';
import { jsonOfMessage, jsonOfNode } from './json.js';
import { cborgDecode, cborgCan } from './cborg.js';
import { parseItem, referenceDecode } from './reference.js';

/** Refused by the state of a session or discovery, which the codec does not know: it decodes, the machine judges. */
const STATEFUL = new Set([
  'bad.resp.unknown-session',
  'bad.resp.wrong-initiator',
  'bad.neg.wrong-objective',
  'bad.neg.dry-changed',
  'bad.neg.wrong-session',
  // The waiting call ends with loopExhausted (21), so the message has to reach the session (C-02).
  'bad.neg.loop-0-received',
]);
/** Where the vector allows two behaviours and this codec takes the alternative: §2.8.2 SHOULD drop only the option. */
const ALTERNATIVE = new Set(['bad.disc.extra-option']);

function accepted(vector: Vector): boolean {
  if (ALTERNATIVE.has(vector.name) && vector.alternative !== 'process')
    throw new Error('no alternative is given');
  return vector.valid || STATEFUL.has(vector.name) || ALTERNATIVE.has(vector.name);
}

test('the set is complete', () => {
  expect(vectors.length).toBe(372);
  expect(streams.length).toBe(7);
  const names = new Set(vectors.map((v) => v.name));
  expect([...STATEFUL, ...ALTERNATIVE].filter((name) => !names.has(name))).toEqual([]);
});

describe('G-2.8.2-01 each vector', () => {
  test.each(vectors.map((v) => [v.name, v] as const))('%s', (_name, vector) => {
    const bytes = hex(vector.hex);
    for (const context of contextsOf(vector)) {
      const result = decodeMessage(bytes, context);
      expect([context, result.ok]).toEqual([context, accepted(vector)]);
      const reference = referenceDecode(bytes, context);
      expect(reference !== undefined).toBe(result.ok);
      if (!result.ok) {
        // Not one well-formed item ⇔ malformed, except that beyond the size limit nothing is looked at.
        expect(result.kind === 'malformed').toBe(!vector.wellFormed || bytes.length > 2048);
        if (vector.expect === 'discard-or-invalid' && bytes.length <= 2048) {
          // M_INVALID may be returned: there is a session ID to copy.
          expect(result.sessionId).toBeDefined();
        }
        continue;
      }
      expect(result.message).toEqual(reference);
      const surplus = result.droppedOptions > 0 || vector.name === 'tol.noop-with-extra';
      if (vector.decoded !== undefined && !surplus) {
        expect(jsonOfMessage(result.message)).toEqual(jsonOfNodeless(vector));
      }
      const encoded = encodeMessage(result.message);
      expect(encodedSize(result.message)).toBe(encoded.length);
      if (vector.encode === 'exact' && !surplus) expect(toHex(encoded)).toBe(vector.hex);
      expect(decodeMessage(encoded, context)).toEqual({
        ...result,
        message: result.message,
        droppedOptions: 0,
      });
    }
  });
});

/** What the vector says it means, brought to the notation in which the tree of bytes is written. */
function jsonOfNodeless(vector: Vector): unknown {
  const node = parseItem(hex(vector.hex));
  const own = jsonOfNode(node);
  // The catalogue's own words must agree with the bytes before either is believed.
  expect(own).toEqual(normalize(vector.decoded));
  return own;
}

/** JSON numbers lose what is beyond 2^53: the one big tag of the catalogue. */
function normalize(decoded: unknown): unknown {
  return JSON.parse(
    JSON.stringify(decoded).replaceAll('9223372036854776000', '9223372036854775808'),
  ) as unknown;
}

describe('an independent library reads the same', () => {
  const wellFormed = vectors.filter((v) => v.wellFormed && cborgCan(parseItem(hex(v.hex), 100)));
  test('most vectors can be compared', () => expect(wellFormed.length).toBeGreaterThan(300));
  test.each(wellFormed.map((v) => [v.name, v] as const))('%s', (_name, vector) => {
    const node = parseItem(hex(vector.hex));
    expect(cborgDecode(hex(vector.hex), node)).toEqual(jsonOfNode(node));
  });
});

describe('RFC 8991 §2.3.2.4 each value comes in and goes out byte for byte', () => {
  const values = vectors
    .filter((v) => v.valid)
    .flatMap((v) =>
      contextsOf(v)
        .slice(0, 1)
        .map((context) => decodeMessage(hex(v.hex), context)),
    )
    .flatMap((r) =>
      r.ok && 'objective' in r.message && r.message.objective?.value ? [r.message.objective.value] : [],
    );
  const distinct = new Map(values.map((bytes) => [toHex(bytes), bytes]));
  test.each([...distinct].map(([text, bytes]) => [text.slice(0, 40), text, bytes] as const))(
    '%s',
    (_name, text, bytes) => {
      const value = decodeValue(bytes);
      expect(toHex(encodeValue(new EncodedValue(bytes)))).toBe(text);
      const again = encodeValue(value);
      // Preferred form from whatever form: the same value, and stable.
      expect(decodeValue(again)).toEqual(value);
      expect(toHex(encodeValue(decodeValue(again)))).toBe(toHex(again));
    },
  );
  const exact = vectors.filter((v) => v.valid && v.encode === 'exact' && v.name !== 'val.map-dup-keys');
  test.each(exact.map((v) => [v.name, v] as const))('%s through JavaScript', (_name, vector) => {
    const result = decodeMessage(hex(vector.hex), contextsOf(vector)[0]!);
    if (!result.ok) throw new Error(result.reason);
    const { message } = result;
    if (!('objective' in message) || !message.objective?.value) return;
    expect(toHex(encodeValue(decodeValue(message.objective.value)))).toBe(toHex(message.objective.value));
  });
});

describe('streams', () => {
  test.each(streams.map((s) => [s.name, s] as const))('%s', (_name, stream) => {
    const framer = new MessageFramer();
    const messages: unknown[] = [];
    for (const chunk of stream.chunks) {
      framer.push(hex(chunk));
      for (let item = framer.next(); item.kind !== 'more'; item = framer.next()) {
        if (item.kind === 'malformed') throw new Error(item.reason);
        const result = decodeMessage(item.bytes, 'session');
        if (!result.ok) throw new Error(result.reason);
        messages.push(jsonOfMessage(result.message));
      }
    }
    expect(messages).toEqual(stream.messages);
    expect(framer.pendingBytes).toBe(0);
  });
});
