import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { DatagramSource } from '../../src/actors/core-protocol.js';
import {
  datagramCount,
  datagramsForm,
  datagramsOf,
  RecentSources,
  takeBatch,
} from '../../src/actors/datagram-batch.js';
import { DatagramQueue } from '../../src/actors/datagram-queue.js';

const near: DatagramSource = { interface: 'l1', address: 'fe80::1', port: 1 };
const far: DatagramSource = { interface: 'l2', address: 'fd00::2', port: 2 };

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const bytes = (of: string): Uint8Array => Uint8Array.from(of, (char) => char.charCodeAt(0));

function fill(queue: DatagramQueue, ...datagrams: string[]): void {
  for (const datagram of datagrams) expect(queue.push(bytes(datagram), near)).toBe(true);
}

describe('waiting datagrams', () => {
  test('limit: so many wait and one more does not', () => {
    const queue = new DatagramQueue(2, 100);
    fill(queue, 'a', 'b');
    expect(queue.push(bytes('c'), near)).toBe(false);
    expect(queue.length).toBe(2);
  });

  test('limitBytes: exactly so many bytes wait and one more does not', () => {
    const queue = new DatagramQueue(10, 5);
    fill(queue, 'abc');
    expect(queue.push(bytes('xyz'), near)).toBe(false);
    fill(queue, 'de');
    expect(queue.push(bytes('f'), near)).toBe(false);
    // Nothing takes no room.
    fill(queue, '');
    expect([queue.length, queue.bytesOf(1), queue.bytesOf(2), queue.bytesOf(3)]).toEqual([3, 3, 5, 5]);
  });

  test.each([0, 1])('a queue for %i datagrams and no bytes takes no byte and does not fail', (limit) => {
    const queue = new DatagramQueue(limit, 0);
    expect(queue.push(bytes('a'), near)).toBe(false);
    expect(queue.push(bytes(''), near)).toBe(limit === 1);
    expect(queue.length).toBe(limit);
  });

  test('whatever comes and goes, what went in comes out, in order, from where it came', () => {
    const step = fc.oneof(
      fc.record({ push: fc.stringMatching(/^[a-z]{0,9}$/), source: fc.constantFrom(near, far) }),
      fc.record({ take: fc.integer({ min: 1, max: 2 }) }),
    );
    let splits = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 60 }), (steps) => {
        const queue = new DatagramQueue(5, 16);
        const none = new DatagramQueue(0, 0);
        const model: [string, DatagramSource][] = [];
        let put = 0;
        for (const now of steps) {
          if ('push' in now) {
            const used = model.reduce((sum, [datagram]) => sum + datagram.length, 0);
            const fits = model.length < 5 && used + now.push.length <= 16;
            expect(queue.push(bytes(now.push), now.source)).toBe(fits);
            if (!fits) continue;
            if (model.length === 0) put = 0;
            if (put % 16 > 0 && (put % 16) + now.push.length > 16) splits++;
            put += now.push.length;
            model.push([now.push, now.source]);
          } else {
            const count = Math.min(now.take, model.length);
            const got = [...datagramsOf(takeBatch(queue, none, count))];
            expect(got.map((each) => [text(each.bytes), each.interface, each.address, each.port])).toEqual(
              model
                .splice(0, count)
                .map(([datagram, from]) => [datagram, from.interface, from.address, from.port]),
            );
          }
          expect(queue.length).toBe(model.length);
        }
      }),
      { numRuns: 100 },
    );
    // Datagrams that go round the end of the memory were among them.
    expect(splits).toBeGreaterThan(30);
  });
});

describe('a batch', () => {
  const batchOf = (first: string[], second: string[], count: number): string[] => {
    const [a, b] = [new DatagramQueue(10, 100), new DatagramQueue(10, 100)];
    fill(a, ...first);
    fill(b, ...second);
    const batch = takeBatch(a, b, count);
    expect(datagramCount(batch)).toBe(count);
    expect([a.length + b.length]).toEqual([first.length + second.length - count]);
    return [...datagramsOf(batch)].map((each) => text(each.bytes));
  };

  test('takes turns, and what one queue has not comes from the other', () => {
    expect(batchOf(['a', 'b', 'c'], ['1', '2', '3'], 5)).toEqual(['a', '1', 'b', '2', 'c']);
    expect(batchOf(['a'], ['1', '2', '3'], 4)).toEqual(['a', '1', '2', '3']);
    expect(batchOf(['a', 'b', 'c'], ['1'], 3)).toEqual(['a', '1', 'b']);
    expect(batchOf(['a', 'b', 'c'], [], 2)).toEqual(['a', 'b']);
    expect(batchOf([], ['1', '2'], 2)).toEqual(['1', '2']);
  });

  test('its memory is as large as its datagrams, and each of them gets its own', () => {
    const queue = new DatagramQueue(10, 100);
    fill(queue, 'abc', 'de', 'f');
    const batch = takeBatch(queue, new DatagramQueue(0, 0), 2);
    expect(batch.bytes.buffer.byteLength).toBe(5);
    for (const { bytes: own } of datagramsOf(batch)) expect(own.buffer.byteLength).toBe(own.length);
  });

  test('a source is named once, also when several take turns; of very many, again', () => {
    const sources = new RecentSources();
    const [queue, none] = [new DatagramQueue(100, 1_000), new DatagramQueue(0, 0)];
    for (let i = 0; i < 12; i++) queue.push(bytes('x'), sources.of({ ...(i % 3 === 0 ? near : far) }));
    expect(takeBatch(queue, none, 12).sources).toEqual([near, far]);
    for (let i = 0; i < 90; i++) queue.push(bytes('x'), sources.of({ ...near, port: i % 45 }));
    const batch = takeBatch(queue, none, 90);
    expect([...datagramsOf(batch)].map(({ port }) => port)).toEqual(
      Array.from({ length: 90 }, (_, i) => i % 45),
    );
    expect(batch.sources.length).toBe(90);
  });

  test('sources that differ in one thing are different', () => {
    const sources = new RecentSources();
    const all = [near, { ...near, port: 9 }, { ...near, address: 'fe80::9' }, { ...near, interface: 'l9' }];
    expect(new Set(all.map((source) => sources.of(source))).size).toBe(4);
    expect(all.map((source) => sources.of(source))).toEqual(all);
  });
});

test('one that comes alone travels as a list of its fields, several as the batch they are', () => {
  const alone = { bytes: Uint8Array.of(1, 2), interface: 'l1', address: 'fe80::1', port: 7017 };
  const packed = datagramsForm.pack(alone);
  expect(packed).toEqual([Uint8Array.of(1, 2), 'l1', 'fe80::1', 7017]);
  expect(datagramsForm.unpack(structuredClone(packed))).toEqual(alone);
  expect([datagramCount(alone), [...datagramsOf(alone)]]).toEqual([1, [alone]]);
  const batch = { bytes: Uint8Array.of(1, 2), entries: Uint32Array.of(2, 0), sources: [alone] };
  expect(datagramsForm.unpack(datagramsForm.pack(batch))).toBe(batch);
});
