import type { Clock, TimerId } from '../../runtime/clock.js';
import type { SimulatedLink } from './link.js';
import type { ServerOp, StreamOp } from './messages.js';

/** Where one end of a connection lives: a thread of a node, under the id that thread knows it by. */
export interface ConnectionEnd {
  readonly id: number;
  deliver(op: ServerOp): void;
  /** The connection needs no more of this end. */
  forget(id: number): void;
}

/** One way of a connection: everything arrives in the order sent, each after the link's delay. */
class Pipe {
  readonly #queue: { readonly at: number; readonly op: ServerOp }[] = [];
  /** Set while the head of the queue waits for its time. */
  #timer: TimerId | undefined;

  constructor(
    readonly clock: Clock,
    readonly usable: () => boolean,
    readonly deliver: (op: ServerOp) => void,
  ) {}

  send(op: ServerOp, delayMs: number): void {
    // What drew a shorter delay than its predecessor waits behind it: the queue keeps the order.
    this.#queue.push({ at: this.clock.now() + delayMs, op });
    if (this.#queue.length === 1) this.pump();
  }

  /** Delivers what is due. While the path is broken everything waits, as TCP repeats it until it is mended. */
  pump(): void {
    if (this.#timer !== undefined) return;
    for (let first = this.#queue[0]; first && this.usable(); first = this.#queue[0]) {
      const wait = first.at - this.clock.now();
      if (wait > 0) {
        this.#timer = this.clock.setTimeout(() => {
          this.#timer = undefined;
          this.pump();
        }, wait);
        return;
      }
      this.#queue.shift();
      this.deliver(first.op);
    }
  }

  close(): void {
    this.#queue.length = 0;
    this.clock.clearTimeout(this.#timer);
  }
}

/** A connection between two threads of one or two nodes, over one link, or over none within a node. */
export class Connection {
  readonly #ends: readonly [ConnectionEnd, ConnectionEnd];
  readonly #pipes: readonly [Pipe, Pipe];
  readonly #finished = [false, false];
  #closed = false;

  constructor(
    readonly clock: Clock,
    readonly link: SimulatedLink | undefined,
    ends: readonly [ConnectionEnd, ConnectionEnd],
    usable: () => boolean,
    readonly onClosed: (connection: Connection) => void,
  ) {
    this.#ends = ends;
    this.#pipes = [this.#pipe(ends[1], usable), this.#pipe(ends[0], usable)];
  }

  /** Passes on what an end says. `end` 0 is the one that connected. */
  say(end: 0 | 1, op: StreamOp): void {
    if (this.#closed) return;
    const id = this.#ends[1 - end]!.id;
    if (op.op === 'data') this.#sendData(end, op.bytes, id);
    else this.send(end, { ...op, id });
  }

  /** Sends anything in order behind what went the same way before. */
  send(end: 0 | 1, op: ServerOp): void {
    this.#pipes[end].send(op, this.link?.delay() ?? 0);
  }

  /** The thread of an end has gone: what it said is still on its way, then the other end sees a reset. */
  cut(end: 0 | 1): void {
    this.say(end, { op: 'abort', id: 0 });
  }

  /** The path may have changed. */
  pump(): void {
    for (const pipe of this.#pipes) pipe.pump();
  }

  #sendData(end: 0 | 1, bytes: Uint8Array, id: number): void {
    const segment = this.link?.settings.segmentBytes ?? Infinity;
    if (bytes.length <= segment) {
      this.send(end, { op: 'data', id, bytes });
      return;
    }
    for (let at = 0; at < bytes.length; at += segment) {
      this.send(end, { op: 'data', id, bytes: bytes.slice(at, at + segment) });
    }
  }

  #pipe(to: ConnectionEnd, usable: () => boolean): Pipe {
    const from = to === this.#ends[1] ? 0 : 1;
    return new Pipe(this.clock, usable, (op) => {
      to.deliver(op);
      if (op.op === 'end') this.#finished[from] = true;
      if (op.op === 'abort' || (this.#finished[0] && this.#finished[1])) this.#close();
    });
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const pipe of this.#pipes) pipe.close();
    for (const end of this.#ends) end.forget(end.id);
    this.onClosed(this);
  }
}
