/**
 * The code of the engine's own threads (core, listener, sessions) as few files instead of a hundred and thirty: Node's module
 * loader takes a thread longer than everything else of its start. Made from the compiled modules; an ASA's thread is
 * not among them, because an ASA imports the package and must meet the same classes there.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

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

/** Puts the files into `dist/threads`; what is unchanged is not touched, so that threads may start meanwhile. */
export async function bundleThreads(directory) {
  // Loaded here: at the time of the set-up's own start nothing may be installed.
  const { build } = await import('esbuild');
  const folder = join(directory, 'dist', 'threads');
  const { outputFiles, metafile } = await build({
    absWorkingDir: directory,
    entryPoints: [join(directory, 'dist/src/workers/entry.js')],
    outdir: folder,
    bundle: true,
    // A role loads its own part only.
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    write: false,
    metafile: true,
    logLevel: 'warning',
  });
  outputFiles.push({ path: join(folder, 'LICENSES.txt'), contents: licences(directory, metafile.inputs) });
  mkdirSync(folder, { recursive: true });
  for (const { path, contents } of outputFiles) {
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    const aside = `${path}.new`;
    writeFileSync(aside, contents);
    renameSync(aside, path);
  }
  const wanted = new Set(outputFiles.map(({ path }) => basename(path)));
  for (const name of readdirSync(folder)) if (!wanted.has(name)) rmSync(join(folder, name));
}
