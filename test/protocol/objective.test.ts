import { describe, expect, test } from '@jest/globals';
import {
  decodeMessage,
  encodeMessage,
  isNullValue,
  MAX_MULTICAST_SIZE,
  MAX_NAME_BYTES,
  NULL_VALUE,
  objectiveFlags,
  validateObjective,
  type ObjectiveSpec,
} from '../../src/protocol/index.js';
import { hex, V6 } from './helpers.js';

const spec: ObjectiveSpec = { name: 'EX3', negotiate: true, synchronize: false, dryRun: false, loopCount: 6 };

describe('validateObjective', () => {
  test.each([
    ['as it should be', spec, undefined],
    ['dry run with negotiation', { ...spec, dryRun: true }, undefined],
    ['discovery only', { ...spec, negotiate: false }, undefined],
    ['a private name', { ...spec, name: 'user@example.org:EX1' }, undefined],
    ['loop count 1', { ...spec, loopCount: 1 }, undefined],
    ['loop count 255', { ...spec, loopCount: 255 }, undefined],
    ['A-2.3.2 both kinds', { ...spec, synchronize: true }, 8],
    ['D-01 dry run without negotiation', { ...spec, negotiate: false, dryRun: true }, 9],
    ['loop count 0', { ...spec, loopCount: 0 }, 3],
    ['loop count 256', { ...spec, loopCount: 256 }, 3],
    ['loop count 1.5', { ...spec, loopCount: 1.5 }, 3],
    ['loop count text', { ...spec, loopCount: '6' as never }, 3],
    ['an empty name', { ...spec, name: '' }, 3],
    ['a name that is no text', { ...spec, name: 7 as never }, 3],
    ['a lone surrogate', { ...spec, name: 'a\ud800' }, 3],
    ['D-14 a name too long', { ...spec, name: 'x'.repeat(MAX_NAME_BYTES + 1) }, 40],
    ['D-14 in bytes, not characters', { ...spec, name: 'é'.repeat(MAX_NAME_BYTES / 2 + 1) }, 40],
  ] as const)('%s', (_name, given, code) => {
    expect(validateObjective(given)?.code).toBe(code);
  });

  test('D-14 the longest name makes the longest multicast discovery', () => {
    const bytes = encodeMessage({
      type: 1,
      sessionId: 0xffffffff,
      initiator: hex(V6),
      objective: { name: 'x'.repeat(MAX_NAME_BYTES), flags: 1, loopCount: 255, value: undefined },
    });
    expect(bytes.length).toBe(MAX_MULTICAST_SIZE);
    expect(decodeMessage(bytes, 'multicast').ok).toBe(true);
  });
});

test('§2.10.2 flags as they are sent', () => {
  const neg = { negotiate: true, synchronize: false };
  const synch = { negotiate: false, synchronize: true };
  expect(objectiveFlags({ negotiate: false, synchronize: false })).toBe(1);
  expect(objectiveFlags(neg)).toBe(3);
  expect(objectiveFlags(neg, { dryRun: true })).toBe(11);
  expect(objectiveFlags(synch)).toBe(5);
  expect(objectiveFlags(synch, { dryRun: true })).toBe(5);
  expect(objectiveFlags(synch, { discoverable: false })).toBe(4);
});

test('§2.10.1 null means no value', () => {
  expect(isNullValue(NULL_VALUE)).toBe(true);
  expect(isNullValue(undefined)).toBe(true);
  expect(isNullValue(hex('f7'))).toBe(false);
  expect(isNullValue(hex('81f6'))).toBe(false);
});
