import { describe, test } from '@jest/globals';
import { labAvailable } from './netns.js';

/** `describe` for tests that need a lab. */
export function labDescribe(name: string, body: () => void): void {
  const reason = labAvailable();
  if (reason === undefined) return describe(name, body);
  if (process.env['GRASP_REQUIRE_LAB'] === '1') {
    describe(name, () => {
      test('the lab is available', () => {
        throw new Error(`GRASP_REQUIRE_LAB=1, but ${reason}`);
      });
    });
    return;
  }
  process.stderr.write(`skipped: ${name}: ${reason}\n`);
  describe.skip(name, body);
}
