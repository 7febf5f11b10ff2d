/**
 * The compiled modules as few files, for Node's module loader reads, resolves and links them one by one: that takes a
 * thread longer than all the rest of its start, and leaves 7 MB behind. Two sets: what users import and the command
 * (`dist/package`), and what the engine's own threads run (`dist/threads`). An ASA's thread belongs to the first,
 * because an ASA imports the package and must meet the same classes there.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** Paths below `dist/src` and below the folder that they are bundled into. */
const SETS = {
  package: ['index.js', 'api/graspi/index.js', 'inspector/index.js', 'cli/main.js', 'api/asa-entry.js'],
  threads: ['workers/entry.js'],
};

/** CommonJS that requires modules of Node cannot be part of a module; nothing of it is needed to run an engine. */
const LEFT_OUT = ['commander', 'prom-client', 'ws'];

/** The licences of the packages that are in there, word for word. */
function licences(directory, inputs) {
  const packages = new Set(
    Object.keys(inputs).flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
  );
  const texts = [...packages].sort().map((name) => {
    const folder = join(directory, 'node_modules', name);
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name} has no licence file to go with its code`);
    return `${name}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
  return Buffer.from(texts.join('\n----\n\n'));
}

/** Makes both sets in `dist`; what is unchanged is not touched, so that threads may start meanwhile. */
export async function bundle(directory, sets = SETS) {
  // Loaded here: at the time of the set-up's own start nothing may be installed.
  const { build } = await import('esbuild');
  const modules = join(directory, 'dist', 'src');
  for (const [name, entries] of Object.entries(sets)) {
    const folder = join(directory, 'dist', name);
    const { outputFiles, metafile } = await build({
      absWorkingDir: directory,
      entryPoints: entries.map((entry) => join(modules, entry)),
      outdir: folder,
      outbase: modules,
      bundle: true,
      external: LEFT_OUT,
      // A role, or a user of one entry, loads its own part only. As deep as a folder of `src`, so that what a module
      // finds relative to itself is found from there too.
      splitting: true,
      chunkNames: 'parts/[name]-[hash]',
      platform: 'node',
      format: 'esm',
      target: 'node20',
      write: false,
      metafile: true,
      logLevel: 'warning',
    });
    outputFiles.push({ path: join(folder, 'LICENSES.txt'), contents: licences(directory, metafile.inputs) });
    put(folder, outputFiles);
  }
}

/** Makes the files of `folder` these. */
function put(folder, files) {
  for (const { path, contents } of files) {
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    mkdirSync(dirname(path), { recursive: true });
    const aside = `${path}.new`;
    writeFileSync(aside, contents);
    renameSync(aside, path);
  }
  const wanted = new Set(files.map(({ path }) => relative(folder, path)));
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    if (!entry.isDirectory() && !wanted.has(relative(folder, path))) rmSync(path);
  }
}
