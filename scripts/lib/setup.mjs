/**
 * What `npm start`, `npm test` and `npm run build` do before their real work: check Node, install, compile.
 * Node built-ins only, because it runs before anything is installed. All progress goes to stderr, so that
 * stdout belongs to the command.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundles.mjs';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** How long one invocation waits for another one's install and build. */
const LOCK_WAIT_MS = 600_000;

const say = (text) => process.stderr.write(`${text}\n`);

/** @returns {string | undefined} what is wrong with this Node version, if anything. */
export function nodeProblem(version, range) {
  const wanted = /(\d+)\.(\d+)/.exec(range);
  const found = /^(\d+)\.(\d+)/.exec(version);
  const [major, minor] = found ? [Number(found[1]), Number(found[2])] : [0, 0];
  const [needMajor, needMinor] = [Number(wanted[1]), Number(wanted[2])];
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return undefined;
  return `anima-grasp needs Node.js ${range}; this is ${version}. See https://nodejs.org/`;
}

/** Development dependencies that the build needs; the others are for tests and lint. */
const buildTools = ['typescript', 'esbuild', '@types/node', '@types/ws'];

/** What is needed to run, and no more: the inspector's page stands on everything else of `src`. */
export const product = ['src/inspector/page'];

/** Folders with files that go into `dist` as they are. */
const staticFolders = ['src/inspector/page'];

const readJson = (...path) => JSON.parse(readFileSync(join(...path), 'utf8'));

/** The entries of a lock file that `scope` needs: `all`, or what building and running takes (`build`). */
function neededEntries(lock, scope) {
  const entries = Object.entries(lock.packages).filter(([path]) => path !== '');
  if (scope === 'all') return entries;
  const tools = new Set();
  const add = (name) => {
    const path = `node_modules/${name}`;
    if (tools.has(path) || !lock.packages[path]) return;
    tools.add(path);
    const { dependencies, optionalDependencies } = lock.packages[path];
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) add(next);
  };
  buildTools.forEach(add);
  return entries.filter(([path, entry]) => !entry.dev || tools.has(path));
}

/** package.json and package-lock.json with only what `scope` needs. */
export function reduceTo(scope, directory) {
  const keep = ({ devDependencies = {}, ...rest }) => ({
    ...rest,
    devDependencies: Object.fromEntries(
      Object.entries(devDependencies).filter(([name]) => buildTools.includes(name)),
    ),
  });
  const { name, version, dependencies, devDependencies } = readJson(directory, 'package.json');
  const lock = readJson(directory, 'package-lock.json');
  const packages = { '': keep(lock.packages['']), ...Object.fromEntries(neededEntries(lock, scope)) };
  return { manifest: keep({ name, version, dependencies, devDependencies }), lock: { ...lock, packages } };
}

/**
 * What keeps node_modules from satisfying the lock file. Compared by content, not by age: a checkout or a copy
 * changes times without changing packages. Packages for other platforms (optional) may be absent.
 *
 * @returns {string | undefined} the first difference.
 */
export function installProblem(directory, scope = 'all') {
  const installedPath = join(directory, 'node_modules', '.package-lock.json');
  // npm writes this file last, so an interrupted install has none.
  if (!existsSync(installedPath)) return 'node_modules is missing or incomplete';
  const installed = readJson(installedPath).packages;
  for (const [path, entry] of neededEntries(readJson(directory, 'package-lock.json'), scope)) {
    // `devOptional`: only an optional package or a development tool wants it.
    if (entry.optional || (entry.devOptional && scope === 'build')) continue;
    const found = installed[path]?.version;
    if (found !== entry.version) return `${path} is ${found ?? 'missing'}, not ${entry.version}`;
    if (!existsSync(join(directory, path, 'package.json'))) return `${path} is missing`;
  }
  return undefined;
}

/**
 * Removes outputs whose source is gone: `tsc -b` leaves them, and a deleted test would still run.
 *
 * @returns {string[]} what was removed, relative to `directory`.
 */
export function pruneOrphans(directory) {
  const removed = [];
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        visit(path);
        continue;
      }
      const output = /^(.*)\.(?:js|js\.map|d\.ts|d\.ts\.map)$/.exec(relative(join(directory, 'dist'), path));
      if (output && !existsSync(join(directory, `${output[1]}.ts`))) {
        rmSync(path);
        removed.push(relative(directory, path));
      }
    }
    if (readdirSync(folder).length === 0) rmdirSync(folder);
  };
  for (const part of ['src', 'test', 'bench']) {
    const folder = join(directory, 'dist', part);
    if (existsSync(folder)) visit(folder);
  }
  return removed;
}

const STATIC = /\.(?:css|html|json|svg)$/;

/** Makes the static files of `dist` those of the sources: what is gone there goes here too. */
export function copyStatic(directory, folders = staticFolders) {
  for (const folder of folders) {
    const [from, to] = [join(directory, folder), join(directory, 'dist', folder)];
    const wanted = readdirSync(from).filter((name) => STATIC.test(name) && name !== 'tsconfig.json');
    mkdirSync(to, { recursive: true });
    for (const name of readdirSync(to))
      if (STATIC.test(name) && !wanted.includes(name)) rmSync(join(to, name));
    for (const name of wanted) copyFileSync(join(from, name), join(to, name));
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Runs `work` while no other process of this checkout installs or builds. A dead holder's lock is taken over. */
export async function withLock(directory, work) {
  const lock = join(directory, '.setup.lock');
  const own = `${lock}.${process.pid}`;
  // A hard link appears with its content, so nobody ever reads a lock without an owner.
  writeFileSync(own, String(process.pid));
  const deadline = Date.now() + LOCK_WAIT_MS;
  let told = false;
  try {
    for (;;) {
      try {
        linkSync(own, lock);
        break;
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
      let holder;
      try {
        holder = Number(readFileSync(lock, 'utf8'));
      } catch {
        continue; // released in between
      }
      if (!isAlive(holder)) {
        rmSync(lock, { force: true });
        continue;
      }
      if (Date.now() > deadline)
        throw new Error(`process ${holder} still holds ${lock}; remove it if that is wrong`);
      if (!told) say(`waiting for the set-up that process ${holder} is doing`);
      told = true;
      await delay(200);
    }
  } finally {
    rmSync(own, { force: true });
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function runQuietly(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (result.error) throw result.error;
  if (result.status !== 0)
    throw new Error(`${[command, ...args].join(' ')} failed (${result.status ?? result.signal})`);
}

function npmCi(directory) {
  // `--include=dev` because NODE_ENV=production would leave the compiler out.
  const args = ['ci', '--prefix', directory, '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  if (npm?.endsWith('npm-cli.js')) runQuietly(process.execPath, [npm, ...args]);
  else runQuietly('npm', args, { shell: process.platform === 'win32' });
}

/**
 * Installs what `scope` needs, exactly as the lock file says. For `build` that is not `npm ci --omit=dev` (the
 * compiler is a development dependency) and not a second `npm install typescript` (resolved outside the lock
 * file): npm gets a package and a lock file with only the needed entries, in a folder beside, and the finished
 * tree is moved into place. It takes a tenth of the whole.
 */
function install(directory, scope, problem) {
  const modules = join(directory, 'node_modules');
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new Error(
      `${problem}, and node_modules is a link to a tree that is not this checkout's: install there`,
    );
  }
  say(`installing packages (${problem})`);
  if (scope === 'all') {
    npmCi(directory);
    return;
  }
  const aside = join(directory, '.setup.install');
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside);
  try {
    const { manifest, lock } = reduceTo(scope, directory);
    writeFileSync(join(aside, 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(aside, 'package-lock.json'), JSON.stringify(lock));
    copyFileSync(join(directory, '.npmrc'), join(aside, '.npmrc'));
    try {
      npmCi(aside);
    } catch {
      // Another npm may judge the reduced lock file differently; the whole one is always in order.
      say('installing everything instead');
      npmCi(directory);
      return;
    }
    rmSync(modules, { recursive: true, force: true });
    renameSync(join(aside, 'node_modules'), modules);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** Compiles what changed in `projects` (folders with a tsconfig.json; the whole if empty). */
export async function build(projects = []) {
  runQuietly(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', ...projects]);
  for (const path of pruneOrphans(root)) say(`removed ${path}: its source is gone`);
  copyStatic(root);
  await bundle(root);
}

/**
 * Ends the process with a clear message on an old Node; else installs and builds where needed.
 *
 * @param {'all' | 'build'} scope which packages: all, or those that building and running take.
 * @param {string[]} projects folders to compile; all if empty.
 */
export async function setUp(scope, projects) {
  const problem = nodeProblem(process.versions.node, readJson(root, 'package.json').engines.node);
  if (problem) {
    say(problem);
    process.exit(3);
  }
  try {
    await withLock(root, async () => {
      const missing = installProblem(root, scope);
      if (missing) install(root, scope, missing);
      await build(projects);
    });
  } catch (error) {
    say(`set-up failed: ${error.message}`);
    process.exit(3);
  }
}

/** Runs Node with `args` in the foreground and ends this process the way that one ended; `done` when it went well. */
export function become(args, { env = process.env, done = () => {} } = {}) {
  const child = spawn(process.execPath, args, { stdio: 'inherit', env });
  // A terminal sends its signals to the child as well; this process only waits for it.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => {
    say(error.message);
    process.exit(3);
  });
  child.on('exit', (code, signal) => {
    if (code === 0) done();
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
