// Tests run from compiled output, because worker threads do. `npm test` builds first; see scripts/test.mjs.
export default {
  runner: '<rootDir>/scripts/lib/jest-runner.mjs',
  maxWorkers: '100%',
  testEnvironment: '<rootDir>/scripts/lib/jest-environment.mjs',
  roots: ['<rootDir>/dist/test'],
  testMatch: ['**/*.test.js'],
  transform: {},
  // Jest loads modules one by one itself, and cannot share a part of the bundled package between imports that overlap. Who runs
  // in a process of its own gets the package (`test/tooling/package.test.ts`).
  moduleNameMapper: { '^anima-grasp$': '<rootDir>/dist/src/index.js' },
  testTimeout: 30_000,
  reporters: ['default', '<rootDir>/scripts/lib/jest-reporter.mjs'],
  coverageProvider: 'v8',
  collectCoverageFrom: ['dist/src/**/*.js'],
};
