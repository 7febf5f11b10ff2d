import { describe, expect, test } from '@jest/globals';
import { machines } from './transition-cases.js';

describe.each(machines)('machine $name', ({ machine, cases }) => {
  test.each(cases)('$name', (one) => one.run(machine));

  test('no two cases have the same name', () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });
});
