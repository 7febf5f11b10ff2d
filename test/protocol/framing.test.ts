import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeMessage, encodeMessage, MessageFramer, type FramerOptions } from '../../src/protocol/index.js';
import { message } from './arbitrary.js';
import { concat, hex, toHex, vectors } from './helpers.js';

/** Takes what is there: items as hex, then `malformed:…` if the stream is spoilt. */
function drain(framer: MessageFramer): string[] {
  const out: string[] = [];
  for (;;) {
    const result = framer.next();
    if (result.kind === 'more') return out;
    if (result.kind === 'malformed') return [...out, `malformed:${result.reason}`];
    out.push(toHex(result.bytes));
  }
}

function feed(chunks: readonly Uint8Array[], options?: FramerOptions): { items: string[]; pending: number } {
  const framer = new MessageFramer(options);
  const items = chunks.flatMap((chunk) => {
    const copy = Uint8Array.from(chunk);
    framer.push(copy);
    // What the substrate hands over is valid only until the handler returns, and then views are not either.
    const taken = options?.views === true ? drain(framer) : undefined;
    copy.fill(0xff);
    return taken ?? drain(framer);
  });
  return { items, pending: framer.pendingBytes };
}

const two = hex('83071917701903e8 83051917708463455833030582634e5a441850');

test('G-2.8.3-02 who takes longer messages takes as many items as they can hold', () => {
  // An array of 20,000 zeros.
  const long = concat(hex('994e20'), new Uint8Array(20_000));
  expect(feed([long], { maxBytes: 65_536 }).items).toEqual([toHex(long)]);
  expect(feed([long], { maxBytes: 20_002 }).items).toEqual(['malformed:limit.bytes']);
});

describe('§2.5.3 the end of a message is found in its bytes alone', () => {
  test('two messages cut at every byte', () => {
    const whole = feed([two]).items;
    expect(whole).toHaveLength(2);
    for (let cut = 0; cut <= two.length; cut++) {
      expect(feed([two.subarray(0, cut), two.subarray(cut)])).toEqual({ items: whole, pending: 0 });
    }
  });

  test('every valid vector dribbled byte by byte, one after the other', () => {
    const valid = vectors.filter((v) => v.valid);
    const stream = hex(valid.map((v) => v.hex).join(''));
    const chunks = Array.from(stream, (byte) => Uint8Array.of(byte));
    expect(feed(chunks).items).toEqual(valid.map((v) => v.hex));
    expect(feed([stream]).items).toEqual(valid.map((v) => v.hex));
  });

  test('any messages in any chunks', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(3000)), (messages, cuts) => {
        const parts = messages.map(encodeMessage);
        const stream = concat(...parts);
        const at = [...new Set(cuts.map((c) => c % (stream.length + 1)))].sort((a, b) => a - b);
        const chunks = [...at, stream.length].map((end, i) => stream.subarray(i === 0 ? 0 : at[i - 1], end));
        const options = { maxBytes: 1 << 20, limits: { maxItems: 1 << 20 } };
        const whole = { items: parts.map(toHex), pending: 0 };
        expect(feed(chunks, options)).toEqual(whole);
        expect(feed(chunks, { ...options, views: true })).toEqual(whole);
      }),
      { numRuns: 150 },
    );
  });

  test('a cut item leaves pending bytes behind: at FIN it was truncated', () => {
    const framer = new MessageFramer();
    framer.push(two.subarray(0, 12));
    expect(drain(framer)).toHaveLength(1);
    expect(framer.pendingBytes).toBe(4);
    framer.push(two.subarray(12));
    expect(framer.pendingBytes).toBe(0);
    expect(drain(framer)).toHaveLength(1);
  });

  test('streams that are read in turn, each in the middle of an item, do not disturb each other', () => {
    const cuts = [3, 5, 7, 11, 13, 20];
    const framers = cuts.map(() => new MessageFramer());
    const spoilt = new MessageFramer();
    const items = framers.map((framer, i) => (framer.push(two.subarray(0, cuts[i])), drain(framer)));
    spoilt.push(hex('83ff'));
    expect(drain(spoilt)).toEqual(['malformed:cbor.break']);
    for (const [i, framer] of [...framers.entries()].reverse()) {
      framer.push(two.subarray(cuts[i]));
      items[i]!.push(...drain(framer));
    }
    for (const each of items) expect(each.join('')).toBe(toHex(two));
  });

  test('items are copies of their own, whole chunk or not', () => {
    const framer = new MessageFramer();
    const chunk = hex('8307051903e8');
    framer.push(chunk);
    framer.push(concat(chunk, chunk));
    for (let i = 0; i < 3; i++) {
      const item = framer.next();
      if (item.kind !== 'item') throw new Error(item.kind);
      expect(item.bytes.buffer.byteLength).toBe(6);
      expect(item.bytes.buffer).not.toBe(chunk.buffer);
      expect(decodeMessage(item.bytes, 'session').ok).toBe(true);
    }
    expect(framer.next()).toEqual({ kind: 'more' });
  });

  test('with `views`, what came in one chunk is not copied; what came in several is', () => {
    const framer = new MessageFramer({ views: true });
    framer.push(two);
    const [first, second] = [framer.next(), framer.next()] as { bytes: Uint8Array }[];
    expect(first?.bytes.buffer).toBe(two.buffer);
    expect(second?.bytes.buffer).toBe(two.buffer);
    const halves = [two.slice(0, 5), two.slice(5)];
    for (const half of halves) framer.push(half);
    const item = framer.next() as { bytes: Uint8Array };
    halves.forEach((half) => half.fill(0));
    expect(toHex(item.bytes)).toBe(toHex(first!.bytes));
  });

  test('an empty chunk changes nothing', () => {
    expect(feed([new Uint8Array(0), two, new Uint8Array(0)]).pending).toBe(0);
  });
});

describe('§2.8.3 limits', () => {
  const long = (bytes: number) =>
    concat(hex('59'), Uint8Array.of((bytes - 3) >> 8, (bytes - 3) & 255), new Uint8Array(bytes - 3));

  test('maxBytes: 2048 by default, in one piece or dribbled', () => {
    for (const cut of [1, 7, 2047, 4096]) {
      const chunks = (bytes: Uint8Array) =>
        Array.from({ length: Math.ceil(bytes.length / cut) }, (_, i) =>
          bytes.subarray(i * cut, (i + 1) * cut),
        );
      expect(feed(chunks(concat(long(2048), hex('00'))))).toEqual({
        items: [toHex(long(2048)), '00'],
        pending: 0,
      });
      expect(feed(chunks(long(2049))).items.at(-1)).toBe('malformed:limit.bytes');
    }
  });

  test('maxBytes can be set, and bounds the memory of an endless item', () => {
    const framer = new MessageFramer({ maxBytes: 4000 });
    framer.push(long(4000));
    expect(drain(framer)).toHaveLength(1);
    framer.push(hex('9f'));
    for (let i = 1; i < 3999; i++) framer.push(hex('00'));
    expect(framer.next()).toEqual({ kind: 'more' });
    expect(framer.pendingBytes).toBe(3999);
    framer.push(hex('0000'));
    expect(framer.next()).toEqual({ kind: 'malformed', reason: 'limit.bytes' });
    expect(framer.pendingBytes).toBe(0);
  });

  test('the scanner limits can be set', () => {
    expect(feed([hex('818100')], { limits: { maxDepth: 1 } }).items).toEqual(['malformed:limit.depth']);
    expect(feed([hex('820000')], { limits: { maxItems: 2 } }).items).toEqual(['malformed:limit.items']);
  });
});

describe('after a malformed item nothing further is read', () => {
  test('what came before it is delivered first, and the verdict stays', () => {
    const framer = new MessageFramer();
    framer.push(hex('8100 811c 8100'));
    expect(drain(framer)).toEqual(['8100', 'malformed:cbor.reserved']);
    framer.push(hex('8100'));
    expect(framer.next()).toEqual({ kind: 'malformed', reason: 'cbor.reserved' });
    expect(framer.pendingBytes).toBe(0);
  });

  test('also when the item began in an earlier chunk', () => {
    expect(feed([hex('81'), hex('ff8100')]).items).toEqual(['malformed:cbor.break']);
  });
});

test('cost is linear: a megabyte dribbled is scanned about once', () => {
  // Counts head reads instead of time: each byte of an array of small integers is one head.
  const framer = new MessageFramer({ maxBytes: 1 << 20, limits: { maxItems: 1 << 20 } });
  framer.push(hex('9f'));
  const chunk = new Uint8Array(64);
  const before = process.cpuUsage().user;
  for (let i = 0; i < 16_000; i++) framer.push(chunk);
  framer.push(hex('ff'));
  const item = framer.next();
  expect(item.kind === 'item' && item.bytes.length).toBe(2 + 64 * 16_000);
  // Quadratic scanning would take minutes of CPU; this takes tens of milliseconds.
  expect(process.cpuUsage().user - before).toBeLessThan(5_000_000);
});
