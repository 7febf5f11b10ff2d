/** The other end of {@link Program}: a process that carries out commands until its standard input ends. */
import { createInterface } from 'node:readline';

export type Command = Readonly<Record<string, unknown>>;
export type Handlers = Readonly<Record<string, (command: Command) => Promise<object> | object>>;

export const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** One at a time, in order. `end` is called when standard input is over; then the process ends. */
export function serveCommands(handlers: Handlers, end: () => Promise<void>): void {
  let last = Promise.resolve();
  createInterface({ input: process.stdin })
    .on('line', (text) => {
      last = last.then(async () => say(await carryOut(handlers, JSON.parse(text) as Command)));
    })
    .on('close', () => {
      void last.then(end).then(() => process.exit(0));
    });
}

/** What the command returns, or `{ error }`. */
export async function carryOut(handlers: Handlers, command: Command): Promise<object> {
  try {
    const handler = handlers[text(command, 'do')];
    if (!handler) throw new Error('no such command');
    return await handler(command);
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

export function number(command: Command, key: string): number {
  const value = command[key];
  if (typeof value !== 'number') throw new TypeError(`${key} is a number`);
  return value;
}

export function text(command: Command, key: string): string {
  const value = command[key];
  if (typeof value !== 'string') throw new TypeError(`${key} is a string`);
  return value;
}

export function texts(command: Command, key: string): readonly string[] {
  const value = command[key];
  if (!Array.isArray(value)) throw new TypeError(`${key} is a list`);
  return value as string[];
}
