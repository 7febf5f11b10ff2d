// Tests run from compiled output, because worker threads do. `npm test` builds first; see scripts/test.mjs.
export default {
  runner: '<rootDir>/scripts/lib/jest-runner.mjs',
  maxWorkers: '100%',
  testEnvironment: '<rootDir>/scripts/lib/jest-environment.mjs',
  roots: ['<rootDir>/dist/test'],
  testMatch: ['**/*.test.js'],
  transform: {},
  testTimeout: 30_000,
  reporters: ['default', '<rootDir>/scripts/lib/jest-reporter.mjs'],
  coverageProvider: 'v8',
  collectCoverageFrom: ['dist/src/**/*.js'],
};
