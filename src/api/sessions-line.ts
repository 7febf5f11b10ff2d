/** A client's line to one session host: calls with their answers, and what it tells of sessions unasked. */
import { ErrorCode, GraspError } from '../protocol/index.js';
import { DataPort, NumberTable } from '../runtime/index.js';
import {
  callForm,
  eventForm,
  type Answer,
  type Failure,
  type FromSessions,
  type SessionCall,
  type SessionKey,
  type ToSessions,
} from '../workers/engine-control.js';
import { toEndpoint } from '../workers/ports.js';
import type { Client } from './client.js';

/** A session as the client needs to know it. */
export interface SessionSink {
  /** The session ended while no call was waiting. */
  endedUnnoticed(failure: Failure): void;
}

export type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** Who waits for what a call comes to: an answer (`request`, `step`, `synchronize`), or undefined for a confirmation. */
export interface Waiting {
  resolve(result: Answer | undefined): void;
  reject(error: SessionError): void;
}

/** A line to one session host. */
export class SessionsLine {
  readonly host: string;
  readonly #port: DataPort<ToSessions, FromSessions>;
  readonly #client: Client;
  readonly #waiting = new NumberTable<Waiting>();
  readonly #sessions = new NumberTable<SessionSink>();
  #lost: Failure | undefined;

  constructor(client: Client, host: string, raw: unknown, window: number) {
    this.#client = client;
    this.host = host;
    this.#port = new DataPort<ToSessions, FromSessions>(toEndpoint(raw), client.clock, {
      window,
      pack: callForm.pack,
      unpack: eventForm.unpack,
      onEvents: (events) => {
        for (const event of events) this.#receive(event);
      },
      onClose: () => this.lose({ code: ErrorCode.engineLost, detail: `${host} ended` }),
    });
  }

  get lost(): boolean {
    return this.#lost !== undefined;
  }

  /** Registers who is to hear of a session's end. */
  track(session: SessionKey, sink: SessionSink): void {
    this.#sessions.set(session, sink);
  }

  forget(session: SessionKey): void {
    this.#sessions.delete(session);
  }

  /** The number of the next {@link call}. */
  nextCall(): number {
    return this.#client.nextNumber();
  }

  /** Sends a call; `waiting` is told once what it comes to, never before this returns unless the host is lost. */
  ask(event: SessionCall, waiting: Waiting): void {
    if (this.#lost) return waiting.reject(toError(this.#lost));
    this.#waiting.set(event.call, waiting);
    this.#port.send(event);
  }

  /** The same for who waits with a promise. */
  call(event: SessionCall): Promise<Answer | undefined> {
    return new Promise((resolve, reject) => this.ask(event, { resolve, reject }));
  }

  take(listen: number, n: number): void {
    this.#port.send({ t: 'take', listen, n });
  }

  /** The host is gone, and with it every session here. */
  lose(failure: Failure): void {
    if (this.#lost) return;
    this.#lost = failure;
    this.#port.close();
    for (const waiting of this.#waiting.values()) waiting.reject(toError(failure));
    this.#waiting.clear();
    for (const sink of this.#sessions.values()) sink.endedUnnoticed(failure);
    this.#sessions.clear();
  }

  #receive(event: FromSessions): void {
    switch (event.t) {
      case 'incoming':
        return this.#client.incoming(event, this);
      case 'answer': {
        const waiting = this.#settle(event.call);
        if (event.answer.state === 'failed') waiting?.reject(toError(event.answer.failure));
        else waiting?.resolve(event.answer);
        return;
      }
      case 'done': {
        const waiting = this.#settle(event.call);
        if (event.failure) waiting?.reject(toError(event.failure));
        else waiting?.resolve(undefined);
        return;
      }
      case 'ended': {
        const sink = this.#sessions.get(event.session);
        this.#sessions.delete(event.session);
        sink?.endedUnnoticed(event.failure);
        return;
      }
    }
  }

  #settle(call: number): Waiting | undefined {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    return waiting;
  }
}

/** An error that says whether its session is over; see {@link Failure.over}. */
export class SessionError extends GraspError {
  readonly over: boolean;
  /** Code 1: the peer's reason. */
  readonly reason: string | undefined;

  constructor(failure: Failure) {
    super(failure.code as ErrorCode, failure.detail);
    this.over = failure.over ?? true;
    this.reason = failure.reason;
  }
}

export function toError(failure: Failure): SessionError {
  return new SessionError(failure);
}
