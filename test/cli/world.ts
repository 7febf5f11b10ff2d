/** A command line without a process: what it prints is kept, its engine is whatever the test gives it. */
import { Readable } from 'node:stream';
import { realTime, type Clock, type Grasp } from '../../src/cli/api.js';
import { openCapture } from '../../src/cli/capture-source.js';
import type { SharedOptions } from '../../src/cli/command.js';
import type { Exit } from '../../src/cli/exit.js';
import { run, type World } from '../../src/cli/program.js';

export type Line = Readonly<Record<string, unknown>>;

export interface Run {
  readonly stdout: string;
  readonly stderr: string;
  /** Lines of stdout read as JSON. */
  readonly lines: readonly Line[];
  readonly exit: Exit;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly stdin?: string | undefined;
  /** What `decode -` reads. */
  readonly stdinBytes?: Uint8Array | undefined;
  readonly processId?: number | undefined;
  /** Default: real time. */
  readonly clock?: Clock | undefined;
  readonly startEngine?: ((options: SharedOptions) => Promise<Grasp>) | undefined;
  readonly openBrowser?: ((url: string) => Promise<void>) | undefined;
  /** Called for each complete line of stdout as it is printed. */
  readonly onLine?: ((line: string) => void) | undefined;
}

/** Runs `grasp ...argv`. */
export async function grasp(argv: readonly string[], options: RunOptions = {}): Promise<Run> {
  let stdout = '';
  let stderr = '';
  const world: World = {
    version: '0.0.0-test',
    processId: options.processId ?? 1,
    clock: options.clock ?? realTime,
    signal: options.signal ?? new AbortController().signal,
    stdout: (text) => {
      stdout += text;
      for (const line of text.split('\n')) if (line !== '') options.onLine?.(line);
    },
    stderr: (text) => (stderr += text),
    stdin: () => Promise.resolve(options.stdin ?? ''),
    openCapture: (origin, signal) =>
      openCapture(origin, signal, Readable.from([options.stdinBytes ?? new Uint8Array(0)])),
    openBrowser: options.openBrowser ?? (() => Promise.reject(new Error('this test opens no browser'))),
    startEngine: options.startEngine ?? (() => Promise.reject(new Error('this test starts no engine'))),
  };
  const exit = await run(argv, world);
  const json = stdout.split('\n').filter((line) => line.startsWith('{"event"'));
  return { stdout, stderr, exit, lines: json.map((line) => JSON.parse(line) as Line) };
}
