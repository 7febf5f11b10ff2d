// Tests run from compiled output, because worker threads do; NODE_OPTIONS=--experimental-vm-modules is set by npm.
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/dist/test'],
  testMatch: ['**/*.test.js'],
  transform: {},
  coverageProvider: 'v8',
  collectCoverageFrom: ['dist/src/**/*.js'],
};
