/**
 * Commands between a process's main thread and its ASA, whichever thread that runs in: `spawnAsa` hands over data when
 * the module starts and a result when it ends, and benchmarks ask in between.
 */
import { BroadcastChannel } from 'node:worker_threads';
import { carryOut, type Command, type Handlers } from '../support/commands.js';

const CHANNEL = 'anima-grasp-bench';

type Message =
  | { readonly to: 'main'; readonly id: number; readonly answer: object }
  | { readonly to: 'asa'; readonly id: number; readonly command: Command };

/** The id of the first message: the ASA is ready for commands. */
const READY = 0;

const heard = (message: unknown): Message => (message as { data: Message }).data;

/** The main thread's end. Make it before the ASA starts. */
export class ThreadLine {
  readonly #channel = new BroadcastChannel(CHANNEL);
  readonly #waiting = new Map<number, (answer: object) => void>();
  readonly ready = new Promise<object>((resolve) => this.#waiting.set(READY, resolve));
  #lastId = READY;

  constructor() {
    this.#channel.onmessage = (event: unknown) => {
      const message = heard(event);
      if (message.to !== 'main') return;
      this.#waiting.get(message.id)?.(message.answer);
      this.#waiting.delete(message.id);
    };
  }

  ask(command: Command): Promise<object> {
    const id = ++this.#lastId;
    this.#channel.postMessage({ to: 'asa', id, command } satisfies Message);
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  close(): void {
    this.#channel.close();
  }
}

/** The ASA's end: says that it is ready, and serves until it is to stop. */
export async function serveThread(handlers: Handlers, signal: AbortSignal): Promise<void> {
  const channel = new BroadcastChannel(CHANNEL);
  const answer = (id: number, text: object): void =>
    channel.postMessage({ to: 'main', id, answer: text } satisfies Message);
  channel.onmessage = (event: unknown) => {
    const message = heard(event);
    if (message.to !== 'asa') return;
    void carryOut(handlers, message.command).then((text) => answer(message.id, text));
  };
  answer(READY, {});
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  channel.close();
}
