/**
 * What `npm start`, `npm test` and `npm run build` do before their real work: check Node, install, compile.
 * Node built-ins only, because it runs before anything is installed. All progress goes to stderr, so that
 * stdout belongs to the command.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

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

/**
 * What keeps node_modules from satisfying the lock file. Compared by content, not by age: a checkout or a copy
 * changes times without changing packages. Packages for other platforms (optional) may be absent.
 *
 * @returns {string | undefined} the first difference.
 */
export function installProblem(directory) {
  const installedPath = join(directory, 'node_modules', '.package-lock.json');
  // npm writes this file last, so an interrupted install has none.
  if (!existsSync(installedPath)) return 'node_modules is missing or incomplete';
  const wanted = JSON.parse(readFileSync(join(directory, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || entry.optional) continue;
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

/**
 * Installs everything the lock file names, development tools too. `--omit=dev` would save some megabytes, but
 * the build needs the compiler and its types, and a second `npm install --no-save typescript` would resolve them
 * outside the lock file and be undone by the next `npm test`: one exact tree for both commands is worth more.
 */
function install(problem) {
  if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new Error(
      `${problem}, and node_modules is a link to a tree that is not this checkout's: install there`,
    );
  }
  say(`installing packages (${problem})`);
  // `--include=dev` because NODE_ENV=production would leave the compiler out.
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  if (npm?.endsWith('npm-cli.js')) runQuietly(process.execPath, [npm, ...args]);
  else runQuietly('npm', args, { shell: process.platform === 'win32' });
}

/** Compiles what changed in `projects` (folders with a tsconfig.json; the whole if empty). */
export function build(projects = []) {
  runQuietly(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', ...projects]);
  for (const path of pruneOrphans(root)) say(`removed ${path}: its source is gone`);
}

/** Ends the process with a clear message on an old Node; else installs and builds where needed. */
export async function setUp(projects) {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const problem = nodeProblem(process.versions.node, engines.node);
  if (problem) {
    say(problem);
    process.exit(3);
  }
  try {
    await withLock(root, () => {
      const missing = installProblem(root);
      if (missing) install(missing);
      build(projects);
    });
  } catch (error) {
    say(`set-up failed: ${error.message}`);
    process.exit(3);
  }
}

/** Runs Node with `args` in the foreground and ends this process the way that one ended. */
export function become(args, env = process.env) {
  const child = spawn(process.execPath, args, { stdio: 'inherit', env });
  // A terminal sends its signals to the child as well; this process only waits for it.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => {
    say(error.message);
    process.exit(3);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
