/**
 * Benchmarks: `npm run bench -- NAME [options]`. Each states its question, compares the engine with something
 * else in the same run, warms up, and reports the spread. Results go to stdout, progress to stderr.
 *
 * What lives here may import the public API (src/index.ts) and what that names; floor.ts nothing but Node.
 */
const benchmarks: Readonly<Record<string, () => Promise<{ main: (args: string[]) => Promise<number> }>>> = {
  negotiation: () => import('./negotiation.js'),
  scale: () => import('./scale.js'),
};

const [name = '', ...args] = process.argv.slice(2);
const load = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined;
if (load === undefined) {
  process.stderr.write(
    `usage: npm run bench -- NAME [options]; NAME is one of: ${Object.keys(benchmarks).join(', ')}\n`,
  );
  process.exitCode = 2;
} else {
  const { main } = await load();
  process.exitCode = await main(args);
}
