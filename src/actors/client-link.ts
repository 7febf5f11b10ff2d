import { DataPort, NumberTable, type Clock, type Endpoint } from '../runtime/index.js';
import type { SessionDriver } from './session-driver.js';
import type { FromSessions, ToSessions } from './session-protocol.js';
import { callForm, eventForm } from './session-wire.js';

export interface ClientLinkHandlers {
  onCommands(client: ClientLink, commands: readonly ToSessions[]): void;
  onCredit(client: ClientLink): void;
  onGone(client: ClientLink): void;
}

/**
 * One client of a session host: its data port and the sessions it knows. While the client does not keep up, the
 * streams of its sessions are paused and its listens get no new requests; events of sessions are never dropped.
 */
export class ClientLink {
  readonly sessions = new NumberTable<SessionDriver>();
  readonly #port: DataPort<FromSessions, ToSessions>;
  #paused = false;

  constructor(
    readonly name: string,
    endpoint: Endpoint,
    clock: Clock,
    handlers: ClientLinkHandlers,
    /** Events that may be unhandled before the sessions' streams are paused. */
    readonly window: number = 1024,
  ) {
    this.#port = new DataPort(endpoint, clock, {
      onEvents: (commands) => handlers.onCommands(this, commands),
      onCredit: () => {
        this.#resume();
        handlers.onCredit(this);
      },
      onClose: () => handlers.onGone(this),
      window,
      pack: eventForm.pack,
      unpack: callForm.unpack,
    });
  }

  /** True while the client has not handled what it already got. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Events the client has not handled yet. */
  get unhandled(): number {
    return this.#port.unhandled;
  }

  send(event: FromSessions): void {
    this.#port.send(event);
    if (!this.#paused && this.#port.congested) this.#pause();
  }

  /** A session becomes this client's. */
  adopt(session: SessionDriver): void {
    this.sessions.set(session.key, session);
  }

  close(): void {
    this.#port.close();
  }

  #pause(): void {
    this.#paused = true;
    for (const session of this.sessions.values()) session.pause();
  }

  #resume(): void {
    this.#paused = false;
    for (const session of this.sessions.values()) session.resume();
  }
}
