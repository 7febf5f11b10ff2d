import type { Socket } from 'node:net';
import type { SubstrateError, Stream, StreamHandlers, Target } from '../types.js';
import { splitAddress, wrapError } from './platform.js';

const NOTHING = new Uint8Array(0);

/** Both ends of a connection. */
export interface Ends {
  readonly remote: Target;
  readonly local: Target;
}

/**
 * The ends of a connected socket; undefined if it is gone already, or if no file descriptor is left: libuv needs
 * one to turn the index of a link-local address into a name, and Node throws when it has none.
 */
export function endsOf(socket: Socket, knownRemote?: Target): Ends | undefined {
  try {
    const { localAddress, localPort } = socket;
    const remote = knownRemote ?? target(socket.remoteAddress, socket.remotePort);
    const local = target(localAddress, localPort);
    return remote && local && { remote, local };
  } catch {
    return undefined;
  }
}

/**
 * A TCP connection as a {@link Stream}. The socket must have been made with `allowHalfOpen`, because a peer that
 * has finished sending may still be waiting for an answer.
 */
export class PlainStream implements Stream {
  readonly remote: Target;
  readonly local: Target;
  readonly #socket: Socket;
  #handlers: StreamHandlers | undefined;
  #error: SubstrateError | undefined;
  #state: 'open' | 'ending' | 'finishing' | 'finished' | 'aborted' = 'open';
  #closed = false;

  constructor(socket: Socket, ends: Ends, onGone: (stream: PlainStream) => void) {
    this.#socket = socket;
    this.remote = ends.remote;
    this.local = ends.local;
    socket.on('error', (error) => {
      // What a stack says of a connection the caller dropped itself is no news.
      if (this.#state !== 'aborted') this.#error = wrapError(error, 'connection', true);
    });
    socket.once('close', () => {
      this.#closed = true;
      onGone(this);
      this.#handlers?.onClose(this.#error);
    });
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  setHandlers(handlers: StreamHandlers): void {
    this.#handlers = handlers;
    const socket = this.#socket;
    if (this.#closed) {
      process.nextTick(() => handlers.onClose(this.#error));
      return;
    }
    socket.on('data', (bytes: Buffer) => {
      if (this.#state !== 'aborted') handlers.onData(bytes);
    });
    socket.on('end', () => {
      if (this.#state !== 'aborted') handlers.onEnd();
    });
    socket.on('drain', () => {
      if (this.#state === 'open') handlers.onDrain?.();
    });
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state !== 'open' || this.#socket.destroyed) return false;
    // The kernel may not take all of it now, and the encoder will reuse the memory.
    return this.#socket.write(Buffer.from(bytes));
  }

  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    if (this.#socket.writableLength === 0) this.#shutDown();
    else this.#socket.write(NOTHING, () => this.#shutDown());
  }

  abort(): void {
    if (this.#closed || this.#state === 'aborted') return;
    const shuttingDown = this.#state === 'finishing';
    this.#state = 'aborted';
    if (!shuttingDown) this.#socket.resetAndDestroy();
  }

  /**
   * Sends FIN once everything written is out. Only then: libuv refuses a reset while a shutdown waits behind
   * unsent data, and the handle would never close; so an abort can come at most one turn late.
   */
  #shutDown(): void {
    if (this.#state !== 'ending') return;
    this.#state = 'finishing';
    this.#socket.end(() => {
      if (this.#state === 'aborted') this.#socket.resetAndDestroy();
      else this.#state = 'finished';
    });
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}

function target(address: string | undefined, port = 0): Target | undefined {
  return address === undefined ? undefined : { ...splitAddress(address), port };
}
