import { expect, test } from '@jest/globals';
import { Counters } from '../../src/runtime/index.js';

test('counters add up by name; what was never counted is 0', () => {
  const counters = new Counters();
  counters.add('b.second');
  counters.add('a.first', 5);
  counters.add('b.second', 2);
  expect(counters.get('b.second')).toBe(3);
  expect(counters.get('c.never')).toBe(0);
  expect(Object.entries(counters.snapshot())).toEqual([
    ['a.first', 5],
    ['b.second', 3],
  ]);
});

test('a snapshot is a copy', () => {
  const counters = new Counters();
  counters.add('a');
  const before = counters.snapshot();
  counters.add('a');
  expect(before).toEqual({ a: 1 });
});
