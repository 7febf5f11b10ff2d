/**
 * Benchmarks: `npm run bench -- NAME [options]`, or all of them (all.ts), or two files of results beside each other
 * (report/compare.ts). Each states its question, compares the engine with something else in the same run, warms up,
 * and reports the spread. Results go to stdout, progress to stderr.
 *
 * What lives here may import the package, as users do, and the protocol; floor.ts and floors/ nothing but Node.
 */
type Main = (args: string[]) => Promise<number> | number;

const benchmarks: Readonly<Record<string, () => Promise<{ main: Main }>>> = {
  negotiation: () => import('./negotiation.js'),
  step: () => import('./step.js'),
  synchronize: () => import('./synchronize.js'),
  discovery: () => import('./discovery.js'),
  flood: () => import('./flood.js'),
  relay: () => import('./relay.js'),
  'start-up': () => import('./start-up.js'),
  memory: () => import('./memory.js'),
  ageing: () => import('./ageing.js'),
  overload: () => import('./overload.js'),
  watching: () => import('./watching.js'),
  scale: () => import('./scale.js'),
};

const others: typeof benchmarks = {
  '--all': () => import('./all.js'),
  '--compare': () => import('./report/compare.js'),
  '--docs': async () => {
    const [{ read }, { writeDocs }] = await Promise.all([
      import('./report/results.js'),
      import('./report/docs.js'),
    ]);
    // The page again, from results there are.
    return { main: ([file = '']) => (writeDocs(read(file)), 0) };
  },
};

const usage = `usage: npm run bench -- NAME [options]; NAME is one of: ${Object.keys(benchmarks).join(', ')}
       npm run bench -- --all [--quick] [--only NAME,NAME]
       npm run bench -- --compare OLD.json [NEW.json]
       npm run bench -- --docs RESULTS.json
`;

const [name = '', ...args] = process.argv.slice(2);
const known = { ...benchmarks, ...others };
const load = Object.hasOwn(known, name) ? known[name] : undefined;
if (load === undefined) {
  process.stderr.write(usage);
  process.exitCode = 2;
} else {
  const { main } = await load();
  process.exitCode = await main(args);
}
