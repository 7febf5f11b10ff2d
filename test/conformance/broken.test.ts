/** The deliberately broken engines: running them all takes minutes (`npm run conformance:broken`); that they are broken does not. */
import { describe, expect, test } from '@jest/globals';
import { allBrokenEngines, brokenText } from './broken/all.js';

describe('the change of each broken engine finds its place in the code', () => {
  test.each(allBrokenEngines.map(({ name, row, changes }) => [`${row}: ${name}`, changes] as const))(
    '%s',
    (_, changes) => {
      for (const change of changes) expect(brokenText(change)).toContain(change.replace);
    },
  );
});

test('every name is given once, to at least 40 engines', () => {
  const names = new Set(allBrokenEngines.map(({ row, name }) => `${row} ${name}`));
  expect(names.size).toBe(allBrokenEngines.length);
  expect(names.size).toBeGreaterThanOrEqual(40);
});
