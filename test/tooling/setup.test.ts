/** What `npm start` and `npm test` do before their work, tried on throw-away folders. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { loadScript, root } from './root.js';

const { copyStatic, installProblem, nodeProblem, pruneOrphans, reduceTo, withLock } = await loadScript<{
  nodeProblem: (version: string, range: string) => string | undefined;
  installProblem: (directory: string, scope?: 'all' | 'build') => string | undefined;
  reduceTo: (scope: 'all' | 'build', directory: string) => { manifest: unknown; lock: unknown };
  pruneOrphans: (directory: string) => string[];
  copyStatic: (directory: string, folders: readonly string[]) => void;
  withLock: <T>(directory: string, work: () => T | Promise<T>) => Promise<T>;
}>('scripts/lib/setup.mjs');
const { bundle } = await loadScript<{
  bundle: (directory: string, sets: Record<string, string[]>) => Promise<void>;
}>('scripts/lib/bundles.mjs');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anima-setup-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function put(path: string, content: unknown = ''): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content));
}

describe('the Node version', () => {
  test.each(['20.11.0', '20.11.1', '20.20.2', '22.0.0', '100.1.0'])('%s will do', (version) => {
    expect(nodeProblem(version, '>=20.11')).toBeUndefined();
  });
  test.each(['20.10.0', '18.20.0', '9.99.0', 'nonsense'])('%s is refused by name', (version) => {
    expect(nodeProblem(version, '>=20.11')).toContain(`needs Node.js >=20.11; this is ${version}`);
  });
});

describe('the installed packages', () => {
  const lock = (packages: object): object => ({ packages: { '': { version: '0.1.0' }, ...packages } });
  const a = { 'node_modules/a': { version: '1.0.0' } };

  test('match', () => {
    put('package-lock.json', lock({ ...a, 'node_modules/mac': { version: '1.0.0', optional: true } }));
    put('node_modules/.package-lock.json', { packages: a });
    put('node_modules/a/package.json');
    expect(installProblem(folder)).toBeUndefined();
  });
  test('were never installed, or not to the end', () => {
    put('package-lock.json', lock(a));
    put('node_modules/a/package.json');
    expect(installProblem(folder)).toMatch(/missing or incomplete/);
  });
  test('are of another version', () => {
    put('package-lock.json', lock(a));
    put('node_modules/.package-lock.json', { packages: { 'node_modules/a': { version: '0.9.0' } } });
    expect(installProblem(folder)).toBe('node_modules/a is 0.9.0, not 1.0.0');
  });
  test('lack one', () => {
    put('package-lock.json', lock(a));
    put('node_modules/.package-lock.json', { packages: a });
    expect(installProblem(folder)).toBe('node_modules/a is missing');
  });
});

describe('what npm start installs', () => {
  const entries = {
    'node_modules/xstate': { version: '5.0.0' },
    'node_modules/typescript': { version: '6.0.3', dev: true },
    'node_modules/esbuild': {
      version: '0.28.0',
      dev: true,
      optionalDependencies: { '@esbuild/mac': '0.28.0' },
    },
    'node_modules/@esbuild/mac': { version: '0.28.0', dev: true, optional: true },
    'node_modules/@types/node': { version: '20.1.0', dev: true, dependencies: { 'undici-types': '6' } },
    'node_modules/undici-types': { version: '6.1.0', dev: true },
  };
  const perhaps = { 'node_modules/detect-libc': { version: '2.0.0', devOptional: true } };
  const jest = { 'node_modules/jest': { version: '30.0.0', dev: true } };
  const manifest = {
    name: 'x',
    version: '0.1.0',
    dependencies: { xstate: '5' },
    devDependencies: { jest: '30', typescript: '6', esbuild: '0.28', '@types/node': '20' },
  };
  const reduced = {
    ...manifest,
    devDependencies: { typescript: '6', esbuild: '0.28', '@types/node': '20' },
  };

  beforeEach(() => {
    put('package.json', { ...manifest, scripts: { prepare: 'exit 1' } });
    put('package-lock.json', {
      lockfileVersion: 3,
      packages: { '': manifest, ...entries, ...perhaps, ...jest },
    });
  });

  test('is the run-time packages, the build tools and types, with what they need', () => {
    expect(reduceTo('build', folder)).toEqual({
      manifest: reduced,
      lock: { lockfileVersion: 3, packages: { '': reduced, ...entries, ...perhaps } },
    });
  });

  test('is enough to start, not to test', () => {
    put('node_modules/.package-lock.json', { packages: entries });
    for (const path of Object.keys(entries)) {
      // That of another platform: npm leaves it out.
      if (!path.includes('/@esbuild/')) put(`${path}/package.json`);
    }
    expect(installProblem(folder, 'build')).toBeUndefined();
    expect(installProblem(folder, 'all')).toBe('node_modules/detect-libc is missing, not 2.0.0');
  });
});

test('outputs whose source is gone are removed, others stay', () => {
  put('test/here.test.ts');
  for (const name of ['here', 'gone']) {
    for (const end of ['js', 'js.map', 'd.ts', 'd.ts.map']) put(`dist/test/${name}.test.${end}`);
  }
  put('dist/test/old/gone.test.js');
  put('dist/src.tsbuildinfo');
  expect(pruneOrphans(folder).sort()).toEqual(
    [
      'dist/test/gone.test.d.ts',
      'dist/test/gone.test.d.ts.map',
      'dist/test/gone.test.js',
      'dist/test/gone.test.js.map',
      'dist/test/old/gone.test.js',
    ].sort(),
  );
  expect(existsSync(join(folder, 'dist/test/here.test.js'))).toBe(true);
  expect(existsSync(join(folder, 'dist/test/old'))).toBe(false);
  expect(existsSync(join(folder, 'dist/src.tsbuildinfo'))).toBe(true);
});

describe('two set-ups at once', () => {
  test('run one after the other', async () => {
    // The other one is a process of its own that appends to a file inside the lock, thrice at a time.
    const script = join(root, 'scripts/lib/setup.mjs');
    const code = `
      import { appendFileSync } from 'node:fs';
      import { setImmediate as turn } from 'node:timers/promises';
      import { withLock } from ${JSON.stringify(script)};
      const [folder, name] = process.argv.slice(1);
      for (let i = 0; i < 20; i++) await withLock(folder, async () => {
        for (let j = 0; j < 3; j++) { appendFileSync(folder + '/log', name); await turn(); }
      });`;
    const shell = ['a', 'b']
      .map((name) => `"${process.execPath}" --input-type=module -e "$CODE" "${folder}" ${name} &`)
      .join(' ');
    const run = spawnSync('sh', ['-c', `${shell} wait; cat "${folder}/log"`], {
      encoding: 'utf8',
      env: { ...process.env, CODE: code },
    });
    expect(run.stdout).toHaveLength(120);
    expect(run.stdout).toMatch(/^(aaa|bbb)+$/);
    expect(existsSync(join(folder, '.setup.lock'))).toBe(false);
  });

  test('the lock of a dead process is taken over', async () => {
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    put('.setup.lock', String(dead));
    expect(await withLock(folder, () => 'done')).toBe('done');
    expect(existsSync(join(folder, '.setup.lock'))).toBe(false);
  });

  test('a failing set-up releases the lock', async () => {
    await expect(withLock(folder, () => Promise.reject(new Error('no space')))).rejects.toThrow('no space');
    expect(existsSync(join(folder, '.setup.lock'))).toBe(false);
  });
});

describe('a test file that leaves something open', () => {
  function jestOn(body: string): { status: number | null; output: string; lastLine: string | undefined } {
    put('package.json', { type: 'module' });
    put('fixture.test.js', `import { test } from '@jest/globals';\n${body}`);
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const config = {
      rootDir: folder,
      transform: {},
      testEnvironment: join(root, 'scripts/lib/jest-environment.mjs'),
      reporters: ['default', join(root, 'scripts/lib/jest-reporter.mjs')],
    };
    const run = spawnSync(
      process.execPath,
      [
        '--experimental-vm-modules',
        join(root, 'node_modules/jest/bin/jest.js'),
        '--config',
        JSON.stringify(config),
      ],
      { encoding: 'utf8', cwd: folder },
    );
    return {
      status: run.status,
      output: run.stdout + run.stderr,
      lastLine: run.stdout.trimEnd().split('\n').at(-1),
    };
  }

  test('fails', () => {
    const { status, output, lastLine } = jestOn(
      `import net from 'node:net'; test('x', (done) => { net.createServer().listen(0, done); });`,
    );
    expect(output).toMatch(/fixture\.test\.js left open: 1 TCPServerWrap/);
    expect(status).toBe(1);
    expect(lastLine).toMatch(/^\d passed, 1 failed$/);
  });

  test('passes once it cleans up', () => {
    const { status, lastLine } = jestOn(
      `import net from 'node:net'; test('x', (done) => { const s = net.createServer().listen(0, () => s.close(done)); });`,
    );
    expect(lastLine).toBe('1 passed, 0 failed');
    expect(status).toBe(0);
  });
});

test('static files of the sources are those of the output: new, changed and gone', () => {
  put('src/page/style.css', 'a');
  put('src/page/main.ts', 'code');
  put('src/page/tsconfig.json', '{}');
  put('dist/src/page/main.js', 'code');
  put('dist/src/page/old.css', 'gone');
  put('dist/src/page/style.css', 'before');
  copyStatic(folder, ['src/page']);
  expect(readdirSync(join(folder, 'dist/src/page')).sort()).toEqual(['main.js', 'style.css']);
  expect(readFileSync(join(folder, 'dist/src/page/style.css'), 'utf8')).toBe('a');
});

describe('the files that are made of the modules', () => {
  const sets = { threads: ['workers/entry.js'] };
  const files = (): string[] =>
    readdirSync(join(folder, 'dist/threads'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(join(folder, 'dist/threads'), join(entry.path, entry.name)))
      .sort();
  beforeEach(() => {
    put(
      'dist/src/workers/entry.js',
      `import { x } from 'pack'; import('../actors/core.js').then(console.log, x);`,
    );
    put('dist/src/actors/core.js', `import { x } from 'pack'; export const core = x + 1;`);
    put('node_modules/pack/package.json', {
      name: 'pack',
      version: '1.0.0',
      type: 'module',
      main: 'index.js',
    });
    put('node_modules/pack/index.js', 'export const x = Math.random();');
    put('node_modules/pack/LICENSE', 'Do what you like.');
  });

  test('are few, each role its own, with the packages in them and their licences', async () => {
    await bundle(folder, sets);
    expect(files()).toEqual([
      'LICENSES.txt',
      expect.stringMatching(/^parts\/chunk-\w+\.js$/),
      expect.stringMatching(/^parts\/core-\w+\.js$/),
      'workers/entry.js',
    ]);
    expect(readFileSync(join(folder, 'dist/threads/LICENSES.txt'), 'utf8')).toBe(
      'pack\n\nDo what you like.\n',
    );
  });

  test('are left alone where nothing has changed, and go with what they were made of', async () => {
    await bundle(folder, sets);
    const times = (): number[] => files().map((name) => statSync(join(folder, 'dist/threads', name)).mtimeMs);
    for (const name of files()) utimesSync(join(folder, 'dist/threads', name), 1, 1);
    await bundle(folder, sets);
    expect(times()).toEqual([1000, 1000, 1000, 1000]);
    put('dist/src/workers/entry.js', 'export {};');
    await bundle(folder, sets);
    expect(files()).toEqual(['LICENSES.txt', 'workers/entry.js']);
  });

  test('are not made of a package without a licence', async () => {
    rmSync(join(folder, 'node_modules/pack/LICENSE'));
    await expect(bundle(folder, sets)).rejects.toThrow('pack has no licence file');
  });
});
