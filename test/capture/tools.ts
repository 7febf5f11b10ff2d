/** Tests that need a program which is not part of every machine. */
import { describe, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';

/**
 * `describe` for tests that need a program: without it they are skipped with a line, unless
 * GRASP_REQUIRE_CAPTURE_TOOLS=1, where they fail.
 */
export function toolDescribe(tool: string, name: string, body: () => void): void {
  if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).error === undefined) return describe(name, body);
  if (process.env['GRASP_REQUIRE_CAPTURE_TOOLS'] === '1') {
    describe(name, () => {
      test(`${tool} is there`, () => {
        throw new Error(`GRASP_REQUIRE_CAPTURE_TOOLS=1, but ${tool} is not installed`);
      });
    });
    return;
  }
  process.stderr.write(`skipped: ${name}: ${tool} is not installed\n`);
  describe.skip(name, body);
}
