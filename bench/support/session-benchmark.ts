/** The benchmarks of sessions between two engines differ in the work, in the floor and in what is compared. */
import type { WorkName } from '../asas/work.js';
import type { Lab } from '../lab.js';
import { placements, type Placement } from '../placements.js';
import { startPrototype } from '../prototype/side.js';
import { runBenchmark, takeTurns, type Contenders } from './contest.js';
import { common, parse, usage } from './options.js';
import { toResult, type Result, type Sample } from './result.js';
import { runEngineClient, startEngineServer, type SessionLoad } from './sessions.js';

export interface SessionBenchmark {
  readonly work: WorkName & ('negotiation' | 'synchronize' | 'step');
  readonly question: string;
  readonly measure: 'rate' | 'p50Ms';
  /** Defaults of the options. `sessions` is per repeat; for `step` it is the number of steps. */
  readonly load: SessionLoad;
  /**
   * Starts the floor's server and returns one run of its client.
   *
   * @param options further ones of the floor's programs
   */
  startFloor(lab: Lab, options: readonly string[]): Promise<(load: SessionLoad) => Promise<Sample>>;
  /** The floor also knows `--tuned` (floor.ts), and each result comes beside that one, too. */
  readonly tunedFloor: boolean;
}

/**
 * Floor, the engine in each placement asked for and, where GRASPY_DIR names a checkout of it, the Python prototype
 * take turns in the same namespaces, each run in a fresh client process after a warm-up.
 */
export function sessionBenchmark(benchmark: SessionBenchmark): (args: string[]) => Promise<number> {
  const { work, question, measure } = benchmark;
  const declared = { ...common, ...benchmark.load, placement: ['worker', 'main', 'inline', 'all'] } as const;

  return (args) =>
    runBenchmark({
      usage: usage(work, declared),
      parse: () => parse(args, declared),
      measure: async (lab, { concurrency, sessions, repeats, placement: wanted }): Promise<Result[]> => {
        const chosen = placements.filter((each) => wanted === 'all' || each === wanted);
        const load = { sessions, concurrency };
        const floors: Readonly<Record<string, readonly string[]>> = benchmark.tunedFloor
          ? { floor: [], 'tuned floor': ['--tuned'] }
          : { floor: [] };
        const contenders: Record<string, Contenders[string]> = {};
        for (const [name, options] of Object.entries(floors)) {
          const floor = await benchmark.startFloor(lab, options);
          contenders[name] = () => floor(load);
        }
        for (const placement of chosen) {
          const { port } = await startEngineServer(lab, { work, placement });
          contenders[placement] = () => runEngineClient(lab, { work, placement }, port, load);
        }
        const prototype = work === 'step' ? undefined : await startPrototype(lab, work);
        if (prototype) contenders['prototype'] = () => prototype.run(load);
        const samples = await takeTurns(contenders, repeats, measure);
        const of = (placement: Placement, floor: string): Result =>
          toResult(
            {
              benchmark: work,
              question,
              variant: `${placement}, concurrency ${concurrency}${floor === 'floor' ? '' : `, ${floor}`}`,
              settings: { placement, concurrency, sessions },
              lab: lab.kind,
              measure,
              better: measure === 'rate' ? 'higher' : 'lower',
            },
            {
              engine: samples[placement] ?? [],
              floor: samples[floor] ?? [],
              prototype: samples['prototype'],
            },
          );
        return Object.keys(floors).flatMap((floor) => chosen.map((placement) => of(placement, floor)));
      },
    });
}
