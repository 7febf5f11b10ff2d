import type { AgentError, AgentEvent, AgentMessage, CommandName, Commands } from './agent.js';

/** A command was refused; `kind` is the SubstrateError's. */
export class Refused extends Error {
  constructor(
    readonly kind: string,
    message: string,
  ) {
    super(`${kind}: ${message}`);
  }
}

type EventOf<E extends AgentEvent['event']> = Extract<AgentEvent, { event: E }>;

interface Wait {
  readonly matches: (event: AgentEvent) => boolean;
  readonly resolve: (event: AgentEvent) => void;
  readonly reject: (error: Error) => void;
}

/** The suite's end of one agent: commands with answers, and events to wait for. */
export class Remote {
  readonly #send: (message: AgentMessage) => void;
  readonly #calls = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  readonly #waits = new Set<Wait>();
  /** Events nobody has waited for yet, in order. */
  #events: AgentEvent[] = [];
  #nextCall = 1;
  #gone: Error | undefined;

  constructor(send: (message: AgentMessage) => void) {
    this.#send = send;
  }

  call<N extends CommandName>(name: N, args: Commands[N][0]): Promise<Commands[N][1]> {
    if (this.#gone) return Promise.reject(this.#gone);
    const call = this.#nextCall++;
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject });
      this.#send({ call, name, args });
    });
  }

  /** The first event, past or to come, that nobody has taken and that matches. */
  event<E extends AgentEvent['event']>(
    name: E,
    matches: (event: EventOf<E>) => boolean = () => true,
  ): Promise<EventOf<E>> {
    const both = (event: AgentEvent): boolean => event.event === name && matches(event as EventOf<E>);
    return this.any(both) as Promise<EventOf<E>>;
  }

  /** Like {@link event}, for one of several kinds. */
  any(matches: (event: AgentEvent) => boolean): Promise<AgentEvent> {
    const index = this.#events.findIndex(matches);
    if (index >= 0) return Promise.resolve(this.#events.splice(index, 1)[0]!);
    if (this.#gone) return Promise.reject(this.#gone);
    return new Promise((resolve, reject) => this.#waits.add({ matches, resolve, reject }));
  }

  /** Events that have come and that nobody has taken. */
  pending<E extends AgentEvent['event']>(name: E): EventOf<E>[] {
    return this.#events.filter((event) => event.event === name) as EventOf<E>[];
  }

  forgetEvents(): void {
    this.#events = [];
  }

  receive(message: AgentMessage): void {
    if ('answer' in message) {
      const call = this.#calls.get(message.answer);
      this.#calls.delete(message.answer);
      if (message.error) call?.reject(new Refused(message.error.kind, message.error.message));
      else call?.resolve(message.result as never);
    } else if ('event' in message) {
      for (const wait of this.#waits) {
        if (!wait.matches(message)) continue;
        this.#waits.delete(wait);
        wait.resolve(message);
        return;
      }
      this.#events.push(message);
    }
  }

  /** The agent's process or thread has ended. */
  gone(reason: string): void {
    this.#gone = new Error(reason);
    for (const { reject } of [...this.#calls.values(), ...this.#waits]) reject(this.#gone);
    this.#calls.clear();
    this.#waits.clear();
  }
}

export type { AgentError };
