/**
 * The adapter's half of the protocol (docs/CONFORMANCE.md) for adapters written for Node: one JSON line per call on
 * stdin, `{ id, call, … }`, any number outstanding; answers and events on stdout. Nothing here knows an engine.
 */
import { createInterface } from 'node:readline';

export type Arguments = Readonly<Record<string, unknown>>;

export class NotSupported extends Error {
  override readonly name = 'NotSupported';
}

/** A call: what it returns is its answer; a thrown error with a numeric `code` is that RFC 8991 error. */
export type Handler = (
  args: Arguments,
  event: (name: string, content?: object) => void,
) => Promise<object | void> | object | void;

/** Serves calls until stdin ends, then calls `end`. */
export function serveAdapter(handlers: Readonly<Record<string, Handler>>, end: () => Promise<void>): void {
  const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
  const input = createInterface({ input: process.stdin });
  input.on('line', (line) => {
    const args = JSON.parse(line) as Arguments & { readonly id: number; readonly call: string };
    const { id } = args;
    const handler = Object.hasOwn(handlers, args.call) ? handlers[args.call] : undefined;
    void (async () => {
      try {
        if (!handler) throw new NotSupported(`no call ${args.call}`);
        const ok = await handler(args, (event, content) => say({ event, call: id, ...content }));
        say({ id, ok: ok ?? {} });
      } catch (error) {
        if (error instanceof NotSupported) return say({ id, unsupported: true, reason: error.message });
        const { code, message } = error as { code?: unknown; message?: string };
        // What is no error of the API is a fault of the engine or the adapter: 3 with its whole story.
        if (typeof code === 'number') say({ id, error: { code, message } });
        else say({ id, error: { code: 3, message: (error as Error).stack ?? String(error) } });
      }
    })();
  });
  input.on('close', () => void end().finally(() => process.exit(0)));
}
