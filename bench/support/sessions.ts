/** Starting the two sides of benchmarks with sessions: the engine's, and the floor's of floor.ts. */
import { join } from 'node:path';
import type { WorkName } from '../asas/work.js';
import type { Lab, Side } from '../lab.js';
import type { Placement } from '../placements.js';
import { script, type Line, type Program } from './program.js';
import type { Sample } from './result.js';

export interface SessionLoad {
  readonly sessions: number;
  readonly concurrency: number;
}

export interface EngineOptions {
  readonly work: WorkName;
  readonly placement: Placement;
  readonly limits?: object | undefined;
  /** Lets the engine's threads collect their garbage when asked to. */
  readonly exposeGc?: boolean | undefined;
  /** Share of the sessions that is inspected; absent: nobody watches. */
  readonly watch?: number | undefined;
  /** The folder of another build of benchmark and engine (`without-watching.ts`); absent: this one. */
  readonly build?: string | undefined;
}

export interface Server {
  readonly program: Program;
  readonly port: number;
}

/** Sessions after which V8 has compiled what there is to compile. */
export const WARM_UP = 10_000;

/** Short beside the run. */
const warmupOf = (sessions: number): number => Math.min(WARM_UP, Math.ceil(sessions / 2));

const loadArgs = ({ sessions, concurrency }: SessionLoad): string[] => [
  ...['--sessions', `${sessions}`, '--concurrency', `${concurrency}`],
  ...['--warmup', `${warmupOf(sessions)}`, '--json'],
];

function engineArgs(
  file: string,
  side: Side,
  { work, placement, limits, exposeGc, watch, build }: EngineOptions,
): string[] {
  const [name] = side.interfaces;
  return [
    ...(exposeGc ? ['--expose-gc'] : []),
    ...[build === undefined ? script(file) : join(build, file), '--work', work, '--placement', placement],
    ...(name === undefined ? [] : ['--interface', name]),
    ...(limits === undefined ? [] : ['--limits', JSON.stringify(limits)]),
    ...(watch === undefined ? [] : ['--watch', String(watch)]),
  ];
}

const target = (lab: Lab, port: number): string[] => ['--host', lab.server.address, '--port', `${port}`];

export async function startEngineServer(lab: Lab, options: EngineOptions): Promise<Server> {
  const program = lab.server.start('engine server', engineArgs('engine-server.js', lab.server, options));
  return { program, port: await program.number('port') };
}

/** A client that carries out commands. */
export async function startEngineClient(lab: Lab, options: EngineOptions, port: number): Promise<Program> {
  const args = [...engineArgs('engine-client.js', lab.client, options), ...target(lab, port), '--serve'];
  const program = lab.client.start('engine client', args);
  await program.next();
  return program;
}

/** One run in a fresh client process: warm-up, then the load. */
export async function runEngineClient(
  lab: Lab,
  options: EngineOptions,
  port: number,
  load: SessionLoad,
): Promise<Sample> {
  const args = [
    ...engineArgs('engine-client.js', lab.client, options),
    ...target(lab, port),
    ...loadArgs(load),
  ];
  const program = lab.client.start('engine client', args);
  const sample = (await program.next()) as unknown as Sample;
  await program.end();
  return sample;
}

/** @param options of floor.ts: sizes of the messages, `--tuned` */
export async function startFloorServer(lab: Lab, options: readonly string[] = []): Promise<Server> {
  const args = [script('floor.js'), 'server', '--host', lab.server.address, ...options];
  const program = lab.server.start('floor server', args);
  return { program, port: await program.number('port') };
}

export async function runFloorClient(
  lab: Lab,
  port: number,
  load: SessionLoad,
  options: readonly string[] = [],
): Promise<Sample> {
  const args = [script('floor.js'), 'client', ...target(lab, port), ...loadArgs(load), ...options];
  const program = lab.client.start('floor client', args);
  const sample = toSample(await program.next());
  await program.end();
  return sample;
}

/** What a floor prints is flat: it knows nothing of samples. */
export function toSample(line: Line): Sample {
  const { failures, reasons, ...rest } = line;
  const measures = Object.entries(rest).filter(
    (entry): entry is [string, number] =>
      typeof entry[1] === 'number' && !['sessions', 'concurrency'].includes(entry[0]),
  );
  return {
    failures: Number(failures ?? 0),
    ...(typeof reasons === 'object' && reasons !== null
      ? { reasons: reasons as Record<string, number> }
      : {}),
    measures: Object.fromEntries(measures),
  };
}
