/** An agent that carries out commands: JSON lines `{ id, do, … }` on stdin, `{ event: 'reply', id, … }` on stdout. */
import { createInterface } from 'node:readline';

export type Command = Readonly<Record<string, unknown>>;
export type Handlers = Readonly<Record<string, (command: Command) => Promise<object> | object>>;

/** Carries out commands, several at a time, until stdin ends. Prints `ready` first. */
export function serveCommands(handlers: Handlers): void {
  const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
  createInterface({ input: process.stdin }).on('line', (line) => {
    const command = JSON.parse(line) as Command & { readonly id: number; readonly do: string };
    const { id } = command;
    void (async () => {
      try {
        const handler = handlers[command.do];
        if (!handler) throw new Error(`no command ${command.do}`);
        say({ event: 'reply', id, ...(await handler(command)) });
      } catch (error) {
        const { code } = error as { code?: unknown };
        say({ event: 'reply', id, error: error instanceof Error ? error.message : String(error), code });
      }
    })();
  });
  say({ event: 'ready' });
}

export function text(command: Command, key: string): string {
  const value = command[key];
  if (typeof value !== 'string') throw new TypeError(`${key} is a string`);
  return value;
}

export function number(command: Command, key: string): number {
  const value = command[key];
  if (typeof value !== 'number') throw new TypeError(`${key} is a number`);
  return value;
}

export function texts(command: Command, key: string): readonly string[] {
  const value = command[key];
  if (!Array.isArray(value)) throw new TypeError(`${key} is an array`);
  return value as string[];
}
