import { expect, test } from '@jest/globals';
import { diagnostic, GraspError } from '../../src/protocol/index.js';
import { hex } from './helpers.js';

test.each([
  ['83051a00d214628463455833030582634e5a44190133', '[5, 13767778, ["EX3", 3, 5, ["NZD", 307]]]'],
  ['820942c000', "[9, h'c000']"],
  ['1bffffffffffffffff', '18446744073709551615'],
  ['3bffffffffffffffff', '-18446744073709551616'],
  ['1903e8', '1000'],
  ['1a000f4240', '1000000'],
  ['1818', '24'],
  ['20', '-1'],
  ['6568690a2200', '"hi\\n\\"\\u0000"'],
  ['86f4f5f6f7f0f8ff', '[false, true, null, undefined, simple(16), simple(255)]'],
  ['f93e00', '1.5'],
  ['f90000', '0.0'],
  ['f98000', '-0.0'],
  ['f97e00', 'NaN'],
  ['f9fc00', '-Infinity'],
  ['fb4069200000000000', '201.0'],
  ['fa501502f9', '10000000000.0'],
  ['fb7e37e43c8800759c', '1.0e+300'],
  ['fb3e112e0be826d695', '1.0e-9'],
  ['a26161 01 02 80', '{"a": 1, 2: []}'],
  ['d8184107', "24(h'07')"],
  ['dbffffffffffffffff00', '18446744073709551615(0)'],
  ['9f01 9fff ff', '[_ 1, [_ ]]'],
  ['bf0102 0304 ff', '{_ 1: 2, 3: 4}'],
  ['7f61616162ff', '(_ "a", "b")'],
  ['5f4101ff', "(_ h'01')"],
  ['80', '[]'],
  ['a0', '{}'],
])('%s', (text, expected) => {
  expect(diagnostic(hex(text))).toBe(expected);
});

test('what is not one item is refused: 24', () => {
  for (const text of ['', '81', '0000', 'ff']) expect(() => diagnostic(hex(text))).toThrow(GraspError);
});
