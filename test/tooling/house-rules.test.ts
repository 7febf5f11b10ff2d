/** The lint rules of the house find what they exist for, and let pass what is allowed. */
import { describe, expect, test } from '@jest/globals';
import { ESLint, Linter } from 'eslint';
import tseslint from 'typescript-eslint';
import { loadScript, root } from './root.js';

const { houseRules } = await loadScript<{ houseRules: Linter.Config[] }>('scripts/lib/house-rules.mjs');

/** Rule ids reported for `code` as if it stood in `path`. */
function lint(path: string, code: string): (string | null)[] {
  const linter = new Linter({ cwd: root });
  // No globals declared, like the real configuration of TypeScript files.
  const parser: Linter.Config = { files: ['**/*.ts'], languageOptions: { parser: tseslint.parser } };
  const messages = linter.verify(code, [parser, ...houseRules], { filename: path });
  for (const message of messages) if (message.fatal) throw new Error(message.message);
  return messages.map((message) => message.ruleId);
}

describe('imports between folders', () => {
  test.each([
    ['src/protocol/codec.ts', `import { x } from '../runtime/clock.js';`],
    ['src/protocol/codec.ts', `export * from '../index.js';`],
    ['src/runtime/clock.ts', `import type { Substrate } from '../substrate/types.js';`],
    ['src/substrate/plain/udp.ts', `import { x } from '../../actors/index.js';`],
    ['src/actors/session.ts', `import { x } from '../substrate/plain/index.js';`],
    ['src/actors/session.ts', `import { x } from '../substrate/index.js';`],
    ['src/actors/session.ts', `const x = import('../workers/core.js');`],
    ['src/workers/core.ts', `import { Grasp } from '../api/grasp.js';`],
    ['src/api/grasp.ts', `import { x } from '../actors/session.js';`],
    ['src/api/grasp.ts', `const u = new URL('../cli/main.js', import.meta.url);`],
    ['src/api/grasp.ts', `let x: import('../actors/session.js').Session;`],
    ['src/capture/tracker.ts', `import { x } from '../runtime/clock.js';`],
    ['src/api/grasp.ts', `import { x } from '../capture/index.js';`],
    ['src/cli/main.ts', `import { x } from '../workers/supervisor.js';`],
    ['src/inspector/server.ts', `export { x } from '../actors/session.js';`],
    ['src/inspector/page/main.ts', `import { x } from '../server.js';`],
    ['src/inspector/model/model.ts', `import { x } from '../../protocol/index.js';`],
    ['src/api/grasp.ts', `import { x } from '../inspector/index.js';`],
    ['src/index.ts', `export { x } from './actors/session.js';`],
    ['src/index.ts', `export { x } from './cli/main.js';`],
    ['src/cli/main.ts', `import { Grasp } from 'anima-grasp';`],
    ['src/api/grasp.ts', `import { x } from '../../test/support.js';`],
    ['bench/negotiation.ts', `import { x } from '../src/index.js';`],
    ['test/conformance/peer.ts', `import { x } from '../../src/protocol/index.js';`],
    ['test/conformance/adapters/anima-grasp.ts', `import { x } from '../../../src/workers/core.js';`],
  ])('%s must not: %s', (path, code) => {
    expect(lint(path, code)).toEqual(['house/folder-imports']);
  });

  test.each([
    ['src/protocol/codec.ts', `import { x } from './constants.js'; import ipaddr from 'ipaddr.js';`],
    ['src/actors/session.ts', `import type { Substrate } from '../substrate/types.js';`],
    ['src/workers/core.ts', `import { x } from '../actors/session.js';`],
    ['src/workers/place.ts', `const u = new URL('./core.js', import.meta.url);`],
    ['src/cli/main.ts', `const u = new URL('../../../package.json', import.meta.url);`],
    ['src/capture/tracker.ts', `import { x } from '../protocol/index.js';`],
    ['src/cli/main.ts', `import { x } from '../capture/index.js';`],
    ['src/cli/inspection.ts', `import { x } from '../inspector/index.js';`],
    ['src/inspector/server.ts', `import { x } from '../api/clock.js';`],
    [
      'src/inspector/page/main.ts',
      `import { x } from '../model/model.js'; import type { y } from '../feed.js';`,
    ],
    ['src/index.ts', `export { Grasp } from './api/grasp.js';`],
    ['test/conformance/adapters/anima-grasp.ts', `import { x } from '../../../src/index.js';`],
    ['test/actors/session.test.ts', `import { x } from '../../src/workers/core.js';`],
  ])('%s may: %s', (path, code) => {
    expect(lint(path, code)).toEqual([]);
  });

  test('the floors of the benchmarks import Node only', () => {
    expect(lint('bench/floor.ts', `import net from 'node:net';`)).toEqual([]);
    expect(lint('bench/floor.ts', `import { x } from './lab.js';`)).toContain('no-restricted-imports');
    expect(lint('bench/floors/answer.ts', `import { x } from '../lab.js';`)).toContain(
      'no-restricted-imports',
    );
    expect(lint('bench/floor.ts', `import { encode } from 'cborg';`)).toContain('no-restricted-imports');
  });
});

describe('ambient time and chance', () => {
  const violations = [
    `Date.now();`,
    `new Date();`,
    `Date();`,
    `const { now } = Date;`,
    `Date['now']();`,
    `performance.now();`,
    `setTimeout(f, 1);`,
    `globalThis.setTimeout(f, 1);`,
    `setInterval(f, 1);`,
    `setImmediate(f);`,
    `clearTimeout(t);`,
    `queueMicrotask(f);`,
    `process.nextTick(f);`,
    `process.hrtime();`,
    `Math.random();`,
    `const { random } = Math;`,
    `crypto.getRandomValues(b);`,
    `AbortSignal.timeout(5);`,
    `import { setTimeout } from 'node:timers/promises';`,
    `import { performance } from 'node:perf_hooks';`,
    `import { randomBytes } from 'node:crypto';`,
    `import crypto from 'node:crypto';`,
    `import * as crypto from 'crypto';`,
  ];
  test.each(violations)('is found: %s', (code) => {
    for (const path of ['src/actors/x.ts', 'src/api/x.ts', 'src/substrate/simulated/x.ts', 'src/cli/x.ts']) {
      expect(lint(path, code)).toHaveLength(1);
    }
  });

  test.each(violations)('is left alone where it is provided: %s', (code) => {
    for (const path of ['src/substrate/plain/x.ts', 'src/workers/x.ts']) expect(lint(path, code)).toEqual([]);
  });

  test('what is not ambient passes', () => {
    const code = `import { createHash } from 'node:crypto'; clock.setTimeout(f, 1); clock.now(); new Date(5); Math.max(1);`;
    expect(lint('src/actors/x.ts', code)).toEqual([]);
  });
});

test('the pure floors reach neither sockets nor threads', () => {
  for (const name of ['node:net', 'node:dgram', 'fs', 'node:fs/promises', 'node:worker_threads']) {
    expect(lint('src/protocol/x.ts', `import x from '${name}';`)).toEqual(['no-restricted-imports']);
    expect(lint('src/actors/x.ts', `import x from '${name}';`)).toEqual(['no-restricted-imports']);
    expect(lint('src/capture/x.ts', `import x from '${name}';`)).toEqual(['no-restricted-imports']);
    expect(lint('src/workers/x.ts', `import x from '${name}';`)).toEqual([]);
  }
});

test('the page makes no markup, and may read the time', () => {
  for (const code of [
    `e.innerHTML = x;`,
    `e.outerHTML = x;`,
    `e.insertAdjacentHTML('a', x);`,
    `document.write(x);`,
  ]) {
    expect([code, lint('src/inspector/page/x.ts', code)]).toEqual([code, ['no-restricted-syntax']]);
  }
  expect(lint('src/inspector/page/x.ts', `e.textContent = x; setTimeout(f, performance.now());`)).toEqual([]);
  expect(lint('src/inspector/model/x.ts', `Date.now();`)).toEqual(['no-restricted-properties']);
});

test('tests do not sleep', () => {
  expect(lint('test/x.test.ts', `await new Promise((r) => setTimeout(r, 5));`)).toHaveLength(1);
  expect(lint('test/x.test.ts', `await new Promise((r) => { setTimeout(r, 5); });`)).toHaveLength(1);
  expect(lint('test/x.test.ts', `import { setTimeout } from 'node:timers/promises';`)).toHaveLength(1);
  expect(lint('test/x.test.ts', `clock.setTimeout(f, 5);`)).toEqual([]);
});

test('the configuration in force has these rules and the promise rules as errors', async () => {
  const config = (await new ESLint({ cwd: root }).calculateConfigForFile(
    'src/actors/session.ts',
  )) as Linter.Config;
  for (const rule of [
    'house/folder-imports',
    'no-restricted-globals',
    'no-restricted-imports',
    'no-restricted-properties',
    'no-restricted-syntax',
    '@typescript-eslint/no-floating-promises',
    '@typescript-eslint/no-explicit-any',
    '@typescript-eslint/no-misused-promises',
    '@typescript-eslint/switch-exhaustiveness-check',
  ]) {
    expect([rule, (config.rules?.[rule] as unknown[])[0]]).toEqual([rule, 2]);
  }
});
