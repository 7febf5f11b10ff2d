import { describe, expect, test } from '@jest/globals';
import { encode } from 'cborg';
import { decodeMessage, firstLoopCount, relayCopy } from '../../src/protocol/index.js';
import { hex, toHex } from './helpers.js';

const initiator = Uint8Array.from([0xfd, ...new Array<number>(14).fill(0), 1]);
const flood = (...pairs: unknown[]): Uint8Array => encode([9, 4_000_000_000, initiator, 60_000, ...pairs]);
const discovery = (loopCount: number, ...rest: unknown[]): Uint8Array =>
  encode([1, 7, initiator, ['EX1', 3, loopCount, ...rest]]);

/** What is relayed must have been a message, and be one. */
function relayed(bytes: Uint8Array): Uint8Array | undefined {
  expect(decodeMessage(bytes, 'multicast').ok).toBe(true);
  const copy = relayCopy(bytes);
  if (copy) {
    expect(decodeMessage(copy, 'multicast').ok).toBe(true);
    expect(copy.buffer).not.toBe(bytes.buffer);
  }
  return copy;
}

describe('a relay decrements the first loop count and nothing else', () => {
  test('G-2.5.6.2-10 two objectives 5/5 become 4/5, the rest is identical', () => {
    const pairs = (first: number) => [
      [['EX1', 5, first, { a: [1, 2] }], []],
      [
        ['EX2', 4, 5, null],
        [103, initiator, 6, 4000],
      ],
    ];
    expect(toHex(relayed(flood(...pairs(5)))!)).toBe(toHex(flood(...pairs(4))));
  });

  test('G-2.5.4.4-10 the one objective of a discovery', () => {
    expect(toHex(relayed(discovery(6))!)).toBe(toHex(discovery(5)));
    expect(toHex(relayed(discovery(6, null))!)).toBe(toHex(discovery(5, null)));
  });

  test('every loop count in its shortest form stays in its shortest form', () => {
    for (let loopCount = 2; loopCount <= 255; loopCount++) {
      expect(toHex(relayed(discovery(loopCount, 'value'))!)).toBe(toHex(discovery(loopCount - 1, 'value')));
      expect(firstLoopCount(discovery(loopCount))).toBe(loopCount);
    }
  });

  test('G-2.5.6.2-11 nothing is sent when the result is 0, or was', () => {
    expect(relayed(discovery(1))).toBeUndefined();
    expect(relayed(discovery(0))).toBeUndefined();
    expect(relayed(flood([['EX1', 5, 1, 0], []], [['EX2', 5, 9, 0], []]))).toBeUndefined();
  });

  test('a pair that is not cached here counts as first all the same', () => {
    const pairs = (first: number) => [
      [['EX1', 3, first, 0], []],
      [['EX2', 5, 5, 0], []],
    ];
    expect(toHex(relayed(flood(...pairs(9)))!)).toBe(toHex(flood(...pairs(8))));
  });

  test('options before the pairs are carried along', () => {
    const pair = (first: number) => [
      [200, 'unknown'],
      [['EX1', 5, first, 0], []],
    ];
    expect(toHex(relayed(flood(...pair(9)))!)).toBe(toHex(flood(...pair(8))));
  });
});

describe('C-22 whatever the encoding', () => {
  const sid = '1a00000007';
  const ini = '50' + toHex(initiator);

  test('loop counts of 1, 2, 3, 5 and 9 bytes keep their length', () => {
    for (const form of ['06', '1806', '190006', '1a00000006', '1b0000000000000006', '18ff', '1900ff']) {
      const less = form.slice(0, -2) + (form.endsWith('ff') ? 'fe' : '05');
      const around = (count: string) => hex(`84 01 ${sid} ${ini} 84 63 455831 03 ${count} f6`);
      expect(toHex(relayed(around(form))!)).toBe(toHex(around(less)));
      const inFlood = (count: string) => hex(`85 09 ${sid} ${ini} 00 82 84 63 455831 05 ${count} f6 80`);
      expect(toHex(relayed(inFlood(form))!)).toBe(toHex(inFlood(less)));
    }
  });

  test('24 in more bytes than needed is no reason to shorten', () => {
    const around = (count: string) => hex(`84 01 ${sid} ${ini} 83 63 455831 03 ${count}`);
    expect(toHex(relayed(around('190018'))!)).toBe(toHex(around('190017')));
    expect(toHex(relayed(around('1818'))!)).toBe(toHex(around('17')));
  });

  test('indefinite arrays, strings in chunks, long integers everywhere', () => {
    const around = (count: string) =>
      hex(
        `9f 1809 1b0000000000000007 5f 48${toHex(initiator.subarray(0, 8))} 48${toHex(initiator.subarray(8))} ff
         1900 00 9f 9f 7f 62 4558 61 31 ff 1b0000000000000005 ${count} bf 01 9f 02 ff ff ff 9f ff ff
         9f 84 63 455832 05 ${count} 5f 41 00 ff 80 ff ff`.replaceAll(/\s/g, ''),
      );
    const bytes = around('1806');
    const copy = relayed(bytes)!;
    const differing = [...copy.keys()].filter((i) => copy[i] !== bytes[i]);
    expect(copy.length).toBe(bytes.length);
    expect(differing.length).toBe(1);
    expect([bytes[differing[0]!], copy[differing[0]!]]).toEqual([6, 5]);
    expect(differing[0]).toBeLessThan(toHex(bytes).indexOf('455832') / 2);
  });

  test('the input is not touched', () => {
    const bytes = discovery(6);
    const before = toHex(bytes);
    relayCopy(bytes);
    expect(toHex(bytes)).toBe(before);
  });
});
