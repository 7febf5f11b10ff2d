import { describe, expect, test } from '@jest/globals';
import { decode } from 'cborg';
import { encodeMessage, floodCopy, type Flood, type WireLocator } from '../../src/protocol/index.js';
import { hex } from './helpers.js';

const global = hex('fd000000000000000000000000000001');
const linkLocal = hex('fe800000000000000000000000000001');
const otherLinkLocal = hex('fe800000000000000000000000000002');
const unspecified: WireLocator = { type: 103, address: new Uint8Array(16), protocol: 6, port: 4_000 };
const flood = (...tags: (WireLocator | undefined)[]): Flood => ({
  sessionId: 7,
  ttl: 0,
  objectives: tags.map((locator, i) => ({
    objective: { name: `EX${i}`, flags: 5, loopCount: 6 + i, value: Uint8Array.of(i) },
    locator,
  })),
});
/** As an independent library reads it. */
const wire = (...args: Parameters<typeof floodCopy>): unknown[] =>
  decode(encodeMessage(floodCopy(...args)!)) as unknown[];

describe('the copies of an own flood', () => {
  test('G-2.8.11-03 -06 -07 session ID, initiator, ttl, pairs with locator or []', () => {
    const locator: WireLocator = { ...unspecified, address: global };
    expect(wire(flood(undefined, locator), global, linkLocal)).toEqual([
      9,
      7,
      global,
      0,
      [['EX0', 5, 6, 0], []],
      [
        ['EX1', 5, 7, 1],
        [103, global, 6, 4_000],
      ],
    ]);
  });

  test('C-03 with a link-local initiator all loop counts are 1', () => {
    expect(wire(flood(undefined, undefined), linkLocal, linkLocal).slice(4)).toEqual([
      [['EX0', 5, 1, 0], []],
      [['EX1', 5, 1, 1], []],
    ]);
  });

  test('C-21 :: becomes the link-local address of the interface, and all loop counts 1', () => {
    for (const address of [linkLocal, otherLinkLocal]) {
      expect(wire(flood(undefined, unspecified), global, address).slice(4)).toEqual([
        [['EX0', 5, 1, 0], []],
        [
          ['EX1', 5, 1, 1],
          [103, address, 6, 4_000],
        ],
      ]);
    }
  });

  test('C-21 what the caller gave is not changed', () => {
    const given = flood(unspecified);
    floodCopy(given, global, linkLocal);
    expect(given).toEqual(flood(unspecified));
    expect(unspecified.type === 103 && unspecified.address).toEqual(new Uint8Array(16));
  });

  test('an interface without link-local address has no copy of a flood tagged ::, and one of any other', () => {
    expect(floodCopy(flood(unspecified), global, undefined)).toBeUndefined();
    expect(floodCopy(flood(undefined), global, undefined)).toBeDefined();
  });

  test('0.0.0.0 and a name are tags like any other', () => {
    const tags: WireLocator[] = [
      { type: 104, address: new Uint8Array(4), protocol: 6, port: 1 },
      { type: 105, name: '::', protocol: 6, port: 1 },
    ];
    const message = floodCopy(flood(...tags), global, linkLocal)!;
    expect(message.objectives.map(({ locator }) => locator)).toEqual(tags);
    expect(message.objectives.map(({ objective }) => objective.loopCount)).toEqual([6, 7]);
  });
});
