/**
 * Jest's runner in two phases: test files that touch nothing outside their process share the cores; then those with
 * real links, threads that are killed, or programs of their own run one after the other, with the machine to
 * themselves, so that no deadline of theirs is spent on a neighbour.
 */
import TestRunner from 'jest-runner';

const ALONE =
  /\/dist\/test\/(?:(?:capture|conformance|interop|lab|substrate|workers)\/|inspector\/(?:demo|load|page|stately)\.)/;

export default class TwoPhases extends TestRunner {
  async runTests(tests, watcher, options) {
    const alone = tests.filter(({ path }) => ALONE.test(path));
    const together = tests.filter((test) => !alone.includes(test));
    if (together.length > 0) await super.runTests(together, watcher, options);
    if (alone.length > 0) await super.runTests(alone, watcher, { ...options, serial: true });
  }
}
