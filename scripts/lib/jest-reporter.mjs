/** Ends jest's output with one line for machines, and jest itself when something still keeps it alive. */
const EXIT_WITHIN_MS = 3_000;

export default class LastLine {
  onRunComplete(_contexts, results) {
    // A file that could not run has no test to count.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    process.once('exit', () => process.stdout.write(`${results.numPassedTests} passed, ${failed} failed\n`));
    // Unreferenced: it fires only if an open handle keeps the process up.
    setTimeout(() => {
      process.stderr.write(`still open after the tests: ${process.getActiveResourcesInfo().join(', ')}\n`);
      process.exit(1);
    }, EXIT_WITHIN_MS).unref();
  }
}
