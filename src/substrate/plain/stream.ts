// Imported, though global: Node asks a getter each time a global of its own is used.
import { Buffer } from 'node:buffer';
import { Socket } from 'node:net';
import { Link, put } from '../../protocol/index.js';
import type { SubstrateError, Stream, StreamHandlers, Target } from '../types.js';
import { splitAddress, wrapError } from './platform.js';

const NOTHING = new Uint8Array(0);

/** Bytes that one read of a connection can bring. */
const READ_BYTES = 65_536;
/** What is read on every connection of this thread that it opened: whoever gets the bytes copies what it keeps. */
const readBuffer = new Uint8Array(READ_BYTES);
/** Most reads bring one short message: views of the beginning of the buffer, by their length, each made once. */
const SHORT_READ_BYTES = 256;
const shortReads: (Uint8Array | undefined)[] = Array.from({ length: SHORT_READ_BYTES }, () => undefined);

function beginning(length: number): Uint8Array {
  if (length >= SHORT_READ_BYTES) return readBuffer.subarray(0, length);
  return (shortReads[length] ??= readBuffer.subarray(0, length));
}

/**
 * How a connection that this side opens is read: into one buffer for all, past Node's readable stream, which would get
 * a buffer of 64 kB from the system for each read and cut it down. Node offers that for no connection it accepts.
 */
export class Reading {
  /** Gets the bytes; they are its own only until it returns. */
  #stream: PlainStream | undefined;
  /** What came before anybody wanted it. */
  #early: Uint8Array[] = [];
  readonly onread = {
    buffer: readBuffer,
    callback: (length: number): boolean => {
      const bytes = beginning(length);
      if (this.#stream) this.#stream.received(bytes);
      else this.#early.push(bytes.slice());
      return true;
    },
  };

  start(stream: PlainStream): void {
    this.#stream = stream;
    for (const bytes of this.#early.splice(0)) stream.received(bytes);
  }
}

/**
 * The far end of a connected socket; undefined if it is gone already, or if no file descriptor is left: libuv needs
 * one to turn the index of a link-local address into a name, and Node throws when it has none.
 */
export function remoteOf(socket: Socket): Target | undefined {
  try {
    return target(socket.remoteAddress, socket.remotePort);
  } catch {
    return undefined;
  }
}

/** The near end, likewise. */
export function localOf(socket: Socket): Target | undefined {
  try {
    return target(socket.localAddress, socket.localPort);
  } catch {
    return undefined;
  }
}

const STREAM = Symbol('stream');

/** A socket that knows its stream. */
interface StreamSocket extends Socket {
  [STREAM]?: PlainStream;
}

/**
 * A TCP connection as a {@link Stream}. The socket must have been made with `allowHalfOpen`, because a peer that
 * has finished sending may still be waiting for an answer.
 */
export class PlainStream implements Stream {
  readonly remote: Target;
  /** Its place among the streams of its substrate. */
  readonly inAll = new Link<PlainStream>(this);
  readonly #socket: Socket;
  #handlers: StreamHandlers | undefined;
  #error: SubstrateError | undefined;
  #state: 'open' | 'ending' | 'finishing' | 'finished' | 'aborted' = 'open';
  #closed = false;
  #awaitsDrain = false;
  #local: Target | undefined;
  readonly #onGone: (stream: PlainStream) => void;
  readonly #reading: Reading | undefined;

  constructor(
    socket: Socket,
    remote: Target,
    onGone: (stream: PlainStream) => void,
    reading: Reading | undefined,
  ) {
    this.#socket = socket;
    this.#reading = reading;
    this.#onGone = onGone;
    this.remote = remote;
    (socket as StreamSocket)[STREAM] = this;
    socket.on('error', PlainStream.#failed);
    socket.on('close', PlainStream.#gone);
  }

  // Listeners, the same for all sockets: closures of its own would be a third of what a stream takes.

  static #failed(this: StreamSocket, error: Error): void {
    const stream = this[STREAM]!;
    // What a stack says of a connection the caller dropped itself is no news.
    if (stream.#state !== 'aborted') stream.#error = wrapError(error, 'connection', true);
  }

  static #gone(this: StreamSocket): void {
    const stream = this[STREAM]!;
    stream.#closed = true;
    stream.#onGone(stream);
    stream.#handlers?.onClose(stream.#error);
  }

  static #ended(this: StreamSocket): void {
    const stream = this[STREAM]!;
    if (stream.#state !== 'aborted') stream.#handlers!.onEnd();
  }

  static #arrived(this: StreamSocket, bytes: Uint8Array): void {
    this[STREAM]!.received(bytes);
  }

  /**
   * In the place of the socket's own, which would put the bytes through Node's readable stream and look for more in a later turn.
   * That goes on as it is wherever it has to hold something: bytes while paused, what follows them, the end.
   */
  static #pushed(this: StreamSocket, bytes: Uint8Array | null): boolean {
    if (bytes === null || this.readableFlowing !== true || this.readableLength > 0) {
      return Socket.prototype.push.call(this, bytes);
    }
    this[STREAM]!.received(bytes);
    return true;
  }

  /** @internal What its socket has read. */
  received(bytes: Uint8Array): void {
    if (this.#state !== 'aborted') this.#handlers!.onData(bytes);
  }

  /** Asked for rarely, and two system calls of a connection's few. */
  get local(): Target | undefined {
    return (this.#local ??= localOf(this.#socket));
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  setHandlers(handlers: StreamHandlers): void {
    const heardBefore = this.#handlers !== undefined;
    this.#handlers = handlers;
    const socket = this.#socket;
    if (this.#closed) {
      if (!heardBefore) process.nextTick(() => handlers.onClose(this.#error));
      return;
    }
    if (heardBefore) return;
    socket.on('end', PlainStream.#ended);
    if (this.#reading) return this.#reading.start(this);
    socket.on('data', PlainStream.#arrived);
    socket.push = PlainStream.#pushed;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state !== 'open' || this.#socket.destroyed) return false;
    const taken = this.#socket.write(toWrite(bytes));
    if (!taken && !this.#awaitsDrain && this.#handlers?.onDrain) {
      this.#awaitsDrain = true;
      this.#socket.once('drain', () => {
        this.#awaitsDrain = false;
        if (this.#state === 'open') this.#handlers?.onDrain?.();
      });
    }
    return taken;
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

/** Up to this many bytes are copied into Node's pool of buffers. */
const POOLED_BYTES = 512;

/**
 * What Node writes without making a buffer of it. V8 has small arrays among its objects and would have to move each to
 * memory of its own before the system can read it.
 */
function toWrite(bytes: Uint8Array): Uint8Array {
  if (bytes.length > POOLED_BYTES || bytes instanceof Buffer) return bytes;
  const pooled = Buffer.allocUnsafe(bytes.length);
  put(pooled, 0, bytes);
  return pooled;
}

function target(text: string | undefined, port = 0): Target | undefined {
  if (text === undefined) return undefined;
  const { address, interface: name } = splitAddress(text);
  return name === undefined ? { address, port } : { address, port, interface: name };
}
