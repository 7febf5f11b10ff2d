/**
 * A build that cannot be watched, for comparison: this one, compiled, with every place cut out at which an owner may
 * tell a watcher (`watcher?.…`, src/runtime/watcher.ts). What is left of each is `void 0`.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** dist */
const compiled = fileURLToPath(new URL('../../', import.meta.url));

export interface StrippedBuild {
  /** Its folder of benchmarks. */
  readonly bench: string;
  /** Places cut out. */
  readonly cut: number;
  remove(): void;
}

/** Makes it beside this build, so that it finds the same packages. */
export function buildWithoutWatching(): StrippedBuild {
  const folder = mkdtempSync(join(compiled, 'without-watching-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  // Whoever interrupts a benchmark ends the process.
  process.once('exit', remove);
  let cut = 0;
  for (const part of ['src', 'package', 'threads', 'bench']) {
    cpSync(join(compiled, part), join(folder, part), {
      recursive: true,
      filter: (path) => !/\.(d\.ts|map)$/.test(path),
    });
  }
  // Its benchmarks import the package, and are to find this one.
  const manifest = { name: 'anima-grasp', type: 'module', exports: './package/index.js' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.js') || name.startsWith('bench')) continue;
    const file = join(folder, name);
    const stripped = withoutWatching(readFileSync(file, 'utf8'));
    if (stripped.cut === 0) continue;
    cut += stripped.cut;
    writeFileSync(file, stripped.code);
  }
  return {
    bench: join(folder, 'bench'),
    cut,
    remove: () => {
      process.off('exit', remove);
      remove();
    },
  };
}

/** The code without its calls of a watcher. Throws if one has no end: the compiler writes none such. */
export function withoutWatching(code: string): { readonly code: string; readonly cut: number } {
  const call = /(?:[\w#]+\.)*watcher\?\.\w+\(/g;
  let out = '';
  let from = 0;
  let cut = 0;
  for (let match = call.exec(code); match; match = call.exec(code)) {
    const end = endOfCall(code, call.lastIndex);
    out += `${code.slice(from, match.index)}void 0`;
    from = end;
    call.lastIndex = end;
    cut++;
  }
  return { code: out + code.slice(from), cut };
}

/** Behind the bracket that closes the one before `start`; what stands in quotes is passed over. */
function endOfCall(code: string, start: number): number {
  let depth = 1;
  for (let i = start; i < code.length; i++) {
    const char = code[i]!;
    if (char === '(') depth++;
    else if (char === ')' && --depth === 0) return i + 1;
    else if (char === "'" || char === '"' || char === '`') i = code.indexOf(char, i + 1);
  }
  throw new Error(`a call has no end: ${code.slice(start - 40, start)}`);
}
