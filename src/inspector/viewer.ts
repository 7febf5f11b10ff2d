/** One page (or bridge) that watches. It reads at its own pace: what it leaves unread is bounded. */
import type { WebSocket } from 'ws';

export interface ViewerOptions {
  /** Bytes it may leave unread. */
  readonly unreadBytes: number;
  /** What it is told when it comes, and again when it has missed something. */
  readonly hello: () => readonly string[];
}

export class Viewer {
  #missed = false;

  constructor(
    readonly socket: WebSocket,
    readonly options: ViewerOptions,
  ) {
    this.#greet();
  }

  /** Sends it, or, if too much is unread, nothing until that is read. */
  send(text: string): void {
    const { socket } = this;
    if (socket.readyState !== socket.OPEN) return;
    if (this.#missed) {
      if (socket.bufferedAmount > 0) return;
      // The history holds what it missed, and this as well.
      this.#missed = false;
      this.#greet();
      return;
    }
    if (socket.bufferedAmount > this.options.unreadBytes) {
      this.#missed = true;
      return;
    }
    socket.send(text);
  }

  #greet(): void {
    for (const text of this.options.hello()) this.socket.send(text);
  }
}
