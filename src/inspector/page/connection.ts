/** The WebSocket to the server, opened again whenever it is lost. */
import type { ToPage } from '../feed.js';

export type ConnectionState = 'connecting' | 'live' | 'lost' | 'paused';

const FIRST_RETRY_MS = 300;
const LAST_RETRY_MS = 5_000;

export class Connection {
  #socket: WebSocket | undefined;
  #retryMs = FIRST_RETRY_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #state: ConnectionState = 'connecting';

  constructor(
    readonly onMessage: (message: ToPage) => void,
    readonly onState: (state: ConnectionState) => void,
  ) {}

  get state(): ConnectionState {
    return this.#state;
  }

  open(): void {
    clearTimeout(this.#timer);
    this.#enter('connecting');
    const url = new URL('/feed', location.href);
    url.protocol = 'ws:';
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      if (socket !== this.#socket) return;
      this.#retryMs = FIRST_RETRY_MS;
      this.#enter('live');
      this.onMessage(JSON.parse(String(data)) as ToPage);
    });
    socket.addEventListener('close', () => {
      if (socket !== this.#socket) return;
      this.#enter('lost');
      this.#timer = setTimeout(() => this.open(), this.#retryMs);
      this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
    });
  }

  /** Nothing is taken any more; {@link open} begins with the history, so that nothing is missed. */
  pause(): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    this.#enter('paused');
  }

  #enter(state: ConnectionState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.onState(state);
  }
}
