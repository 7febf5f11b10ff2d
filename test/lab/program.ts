/** Programs in a lab's namespaces whose output is JSON lines: the `grasp` command and small agents of the tests. */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Lab } from './netns.js';

export type Line = Readonly<Record<string, unknown>>;

export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The compiled `grasp` command. */
export const MAIN = fileURLToPath(new URL('../../package/cli/main.js', import.meta.url));

/** A running program. Lines are kept from the start, so that none is missed. */
export class Program {
  readonly lines: Line[] = [];
  stdout = '';
  stderr = '';
  readonly ended: Promise<ProgramEnd>;
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #hasEnded = false;

  /** `prefix`: what a JSON line begins with, cut off before it is read. */
  constructor(child: ChildProcess, prefix = '') {
    this.#child = child;
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) {
        if (part.startsWith(`${prefix}{`)) this.lines.push(JSON.parse(part.slice(prefix.length)) as Line);
      }
      this.#changed();
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#changed();
    });
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.#hasEnded = true;
        this.#changed();
        resolve({ code, signal });
      });
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Ends the program's standard input. */
  endInput(): void {
    this.#child.stdin?.end();
  }

  /** The n-th line (from 1) that matches, as soon as it is there; rejects if the program ends without it. */
  line(matches: (line: Line) => boolean, n = 1): Promise<Line> {
    return this.#until(() => this.lines.filter(matches)[n - 1], 'a line');
  }

  /** The n-th `event` line. */
  event(event: string, n = 1): Promise<Line> {
    return this.line((line) => line['event'] === event, n);
  }

  /** Resolves when stdout matches; for programs that speak to people. */
  output(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#until(() => pattern.exec(this.stdout) ?? undefined, String(pattern));
  }

  #until<T>(look: () => T | undefined, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = look();
        if (found === undefined && !this.#hasEnded) return;
        this.#waiting.delete(check);
        if (found !== undefined) resolve(found);
        else reject(new Error(`the program ended without ${what}:\n${this.stdout}\n${this.stderr}`));
      };
      this.#waiting.add(check);
      check();
    });
  }

  #changed(): void {
    for (const check of [...this.#waiting]) check();
  }
}

/** Starts `grasp ...argv` in a node's namespace. */
export function startGrasp(lab: Lab, node: string, ...argv: string[]): Program {
  return new Program(lab.spawn(node, [process.execPath, MAIN, ...argv], { stdio: ['pipe', 'pipe', 'pipe'] }));
}

export interface GraspRun extends ProgramEnd {
  readonly lines: readonly Line[];
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `grasp ...argv` to its end. */
export async function runGrasp(lab: Lab, node: string, ...argv: string[]): Promise<GraspRun> {
  const program = startGrasp(lab, node, ...argv);
  const end = await program.ended;
  return { ...end, lines: program.lines, stdout: program.stdout, stderr: program.stderr };
}

/** Starts a compiled agent of `test/lab/agents` in a node's namespace. */
export function startAgent(lab: Lab, node: string, name: string, ...argv: string[]): Program {
  const file = fileURLToPath(new URL(`./agents/${name}.js`, import.meta.url));
  return new Program(lab.spawn(node, [process.execPath, file, ...argv], { stdio: ['pipe', 'pipe', 'pipe'] }));
}

/** The one line of an event in a finished run. */
export function only(run: { lines: readonly Line[] }, event: string): Line {
  const found = run.lines.filter((line) => line['event'] === event);
  if (found.length !== 1) throw new Error(`${found.length} ${event} lines: ${JSON.stringify(run.lines)}`);
  return found[0]!;
}

/** What both sides of a session must agree on. */
export function agreement(end: Line): Line {
  const { outcome, value, reason, code } = end;
  return { outcome, value, reason, code };
}
