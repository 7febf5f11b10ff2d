/** A process of a benchmark, seen from the one that measures: JSON lines out of it, commands into it. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A compiled file of this folder, as an argument for Node. */
export const script = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));

export const progress = (text: string): void => void process.stderr.write(`${text}\n`);

export type Line = Readonly<Record<string, unknown>>;

interface Waiting {
  resolve(line: Line): void;
  reject(error: Error): void;
}

export class Program {
  readonly child: ChildProcess;
  readonly #what: string;
  readonly #lines: Line[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #exited: Promise<void>;
  #ended: Error | undefined;

  /** @param what its name in errors */
  constructor(child: ChildProcess, what: string) {
    this.child = child;
    this.#what = what;
    if (child.stdout === null) throw new Error(`${what} has no output`);
    createInterface({ input: child.stdout })
      .on('line', (text) => this.#take(JSON.parse(text) as Line))
      // After the last line, whenever the exit itself was told.
      .on('close', () => this.#end(`${what} ended without a result`));
    child.stdin?.on('error', () => undefined);
    child.once('error', (error) => this.#end(`${what}: ${error.message}`));
    this.#exited = once(child, 'exit').then(
      () => undefined,
      () => undefined,
    );
  }

  /** The next line. Rejects when the process ends without one. */
  next(): Promise<Line> {
    const line = this.#lines.shift();
    if (line) return Promise.resolve(line);
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Gives a command and returns the next line, its answer. Rejects with what the command rejected with. */
  async ask<T = Line>(command: string, rest: object = {}): Promise<T> {
    this.child.stdin?.write(`${JSON.stringify({ do: command, ...rest })}\n`);
    const line = await this.next();
    if (typeof line['error'] === 'string') throw new Error(`${this.#what}: ${command}: ${line['error']}`);
    return line as T;
  }

  /** A number in the next line, as of `{"event":"ready","port":N}`. */
  async number(key: string): Promise<number> {
    const value = (await this.next())[key];
    if (typeof value !== 'number') throw new Error(`${this.#what} did not say its ${key}`);
    return value;
  }

  /** Lets it end by itself: its standard input is over. */
  async end(): Promise<void> {
    this.child.stdin?.end();
    await this.#exited;
  }

  #take(line: Line): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve(line);
    else this.#lines.push(line);
  }

  #end(reason: string): void {
    this.#ended ??= new Error(reason);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#ended);
  }
}
