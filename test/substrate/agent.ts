/**
 * What the contract suite drives: a substrate behind commands and events of plain JSON, so that the same suite
 * reaches one in this thread, in a worker, or in a process in another network namespace.
 */
import { createHash, type Hash } from 'node:crypto';
import {
  SubstrateError,
  type Datagram,
  type Environment,
  type Stream,
  type Substrate,
  type Target,
} from '../../src/substrate/types.js';

export interface AgentError {
  readonly kind: string;
  readonly message: string;
}

export type AgentEvent =
  | { event: 'environment'; environment: Environment }
  | { event: 'datagram'; id: number; interface: string; address: string; port: number; hex: string }
  | { event: 'lost'; id: number; kind: string }
  /** `by`: the interface, from the well-known port. */
  | { event: 'stream'; id: number; stream: number; remote: Target; local: Target; by?: string }
  | { event: 'data'; stream: number; hex: string }
  | { event: 'end'; stream: number }
  | { event: 'close'; stream: number; kind?: string }
  | { event: 'drain'; stream: number };

/** The commands, their arguments and answers. */
export interface Commands {
  environment: [Record<never, never>, Environment];
  openReceiver: [{ interface: string }, { id: number }];
  drops: [{ id: number }, { drops: number | undefined }];
  openPair: [{ interface: string; port?: number }, { id: number; port: number }];
  openWellKnown: [Record<never, never>, { id: number; port: number }];
  /** A unicast from a socket of the agent's own; answers its port. Only where the agent has real sockets. */
  unicast: [{ target: Target; hex: string }, { port: number }];
  /** What the substrate dropped, by reason. */
  dropped: [Record<never, never>, Readonly<Record<string, number>>];
  listen: [{ port?: number; backlog?: number; quiet?: boolean }, { id: number; port: number }];
  release: [{ id: number }, Record<never, never>];
  multicast: [{ id: number; hex: string }, Record<never, never>];
  /** `count` datagrams of `bytes` each; failures are not reported. */
  storm: [{ id: number; bytes: number; count: number }, Record<never, never>];
  connect: [
    { target: Target; timeoutMs: number; abort?: 'before' | 'during'; quiet?: boolean },
    { stream: number; remote: Target; local: Target },
  ];
  write: [{ stream: number; hex: string }, { room: boolean }];
  /** Writes chunks of a known pattern until `write` says no, or with `force` regardless, at most `bytes`. */
  fill: [
    { stream: number; bytes: number; chunk: number; force?: boolean },
    { written: number; sha: string; bufferedBytes: number },
  ];
  received: [{ stream: number }, { bytes: number; sha: string }];
  end: [{ stream: number }, Record<never, never>];
  abort: [{ stream: number }, Record<never, never>];
  pause: [{ stream: number }, Record<never, never>];
  resume: [{ stream: number }, Record<never, never>];
  /** Answers, and then does nothing at all until the suite lets it go. */
  freeze: [Record<never, never>, Record<never, never>];
  /** Closes what was opened, keeps the substrate. */
  reset: [Record<never, never>, { onCloseTwice: number; afterClose: number }];
  close: [Record<never, never>, Record<never, never>];
}

export type CommandName = keyof Commands;

interface Open {
  readonly stream: Stream;
  readonly written: Hash;
  readonly hash: Hash;
  bytes: number;
  closed: boolean;
}

interface Handle {
  close(): Promise<void>;
  sendMulticast?(bytes: Uint8Array): Promise<void>;
  kernelDrops?(): number;
}

export interface AgentHost {
  emit(event: AgentEvent): void;
  unicast?(target: Target, bytes: Uint8Array): Promise<number>;
  /** Stops this thread, from its next turn on, until the suite lets it go. */
  freeze(): void;
}

export class Agent {
  readonly #handles = new Map<number, Handle>();
  readonly #streams = new Map<number, Open>();
  #nextId = 1;
  #onCloseTwice = 0;
  #afterClose = 0;

  constructor(
    readonly substrate: Substrate,
    readonly host: AgentHost,
  ) {
    substrate.watch((environment) => host.emit({ event: 'environment', environment }));
  }

  async command<N extends CommandName>(name: N, args: Commands[N][0]): Promise<Commands[N][1]> {
    const act = this.#commands[name] as (args: Commands[N][0]) => Commands[N][1] | Promise<Commands[N][1]>;
    return act(args);
  }

  readonly #commands: {
    [N in CommandName]: (args: Commands[N][0]) => Commands[N][1] | Promise<Commands[N][1]>;
  } = {
    environment: () => this.substrate.environment,
    openReceiver: async ({ interface: name }) => {
      const id = this.#nextId++;
      const receiver = await this.substrate.openReceiver(
        name,
        (datagram) => this.#heard(id, datagram),
        (error) => this.host.emit({ event: 'lost', id, kind: error.kind }),
      );
      this.#handles.set(id, receiver);
      return { id };
    },
    drops: ({ id }) => ({ drops: this.#handle(id).kernelDrops?.() }),
    openPair: async ({ interface: name, port }) => {
      const id = this.#nextId++;
      const pair = await this.substrate.openPair(name, {
        port,
        onStream: (stream) => this.#accepted(id, stream),
        onLost: (error) => this.host.emit({ event: 'lost', id, kind: error.kind }),
      });
      this.#handles.set(id, pair);
      return { id, port: pair.port };
    },
    openWellKnown: async () => {
      const id = this.#nextId++;
      const port = await this.substrate.openWellKnown({
        onDatagram: (datagram) => this.#heard(id, datagram),
        onStream: (stream, by) => this.#accepted(id, stream, false, by ?? 'none'),
        onLost: (error) => this.host.emit({ event: 'lost', id, kind: error.kind }),
      });
      this.#handles.set(id, port);
      return { id, port: port.port };
    },
    unicast: async ({ target, hex }) => ({ port: await this.host.unicast!(target, bytesOf(hex)) }),
    dropped: () => this.substrate.dropped?.() ?? {},
    listen: async ({ port, backlog, quiet }) => {
      const id = this.#nextId++;
      const listener = await this.substrate.listen({ port, backlog }, (stream) =>
        this.#accepted(id, stream, quiet),
      );
      this.#handles.set(id, listener);
      return { id, port: listener.port };
    },
    release: async ({ id }) => {
      await this.#handle(id).close();
      this.#handles.delete(id);
      return {};
    },
    multicast: async ({ id, hex }) => {
      const bytes = bytesOf(hex);
      const sent = this.#handle(id).sendMulticast!(bytes);
      bytes.fill(0xee); // the caller's memory is its own again
      await sent;
      return {};
    },
    storm: async ({ id, bytes, count }) => {
      const pair = this.#handle(id);
      const datagram = new Uint8Array(bytes);
      for (let i = 0; i < count; i += 100) {
        const sends = Array.from({ length: Math.min(100, count - i) }, () => pair.sendMulticast!(datagram));
        await Promise.allSettled(sends);
      }
      return {};
    },
    connect: async ({ target, timeoutMs, abort, quiet }) => {
      const controller = new AbortController();
      if (abort === 'before') controller.abort();
      const connecting = this.substrate.connect(target, { timeoutMs, signal: controller.signal });
      if (abort === 'during') controller.abort();
      const stream = await connecting;
      return { stream: this.#add(stream, quiet), remote: stream.remote, local: stream.local! };
    },
    write: ({ stream: id, hex }) => {
      const { stream, written } = this.#stream(id);
      const bytes = bytesOf(hex);
      written.update(bytes);
      return { room: stream.write(bytes) };
    },
    fill: ({ stream: id, bytes, chunk, force }) => {
      const open = this.#stream(id);
      let written = 0;
      while (written < bytes) {
        const piece = new Uint8Array(chunk);
        for (let i = 0; i < chunk; i++) piece[i] = (written + i) % 251;
        open.written.update(piece);
        written += chunk;
        if (!open.stream.write(piece) && !force) break;
      }
      return { written, sha: open.written.copy().digest('hex'), bufferedBytes: open.stream.bufferedBytes };
    },
    received: ({ stream: id }) => {
      const { bytes, hash } = this.#stream(id);
      return { bytes, sha: hash.copy().digest('hex') };
    },
    end: ({ stream }) => done(this.#stream(stream).stream.end()),
    abort: ({ stream }) => done(this.#stream(stream).stream.abort()),
    pause: ({ stream }) => done(this.#stream(stream).stream.pause()),
    resume: ({ stream }) => done(this.#stream(stream).stream.resume()),
    freeze: () => done(this.host.freeze()),
    reset: async () => {
      for (const { stream, closed } of this.#streams.values()) if (!closed) stream.abort();
      await Promise.all([...this.#handles.values()].map((handle) => handle.close()));
      this.#handles.clear();
      return { onCloseTwice: this.#onCloseTwice, afterClose: this.#afterClose };
    },
    close: async () => {
      await this.substrate.close();
      return {};
    },
  };

  #heard(id: number, { bytes, interface: from, address, port }: Datagram): void {
    const hex = hexOf(bytes.subarray(0, 64));
    this.host.emit({ event: 'datagram', id, interface: from, address, port, hex });
  }

  #accepted(id: number, stream: Stream, quiet = false, by?: string): void {
    const number = this.#add(stream, quiet);
    const { remote, local } = stream;
    this.host.emit({ event: 'stream', id, stream: number, remote, local: local!, ...(by ? { by } : {}) });
  }

  /** `quiet`: bytes are counted and hashed, not told one by one. */
  #add(stream: Stream, quiet = false): number {
    const id = this.#nextId++;
    const open: Open = {
      stream,
      written: createHash('sha1'),
      hash: createHash('sha1'),
      bytes: 0,
      closed: false,
    };
    this.#streams.set(id, open);
    const late = (): void => {
      if (open.closed) this.#afterClose++;
    };
    stream.setHandlers({
      onData: (bytes) => {
        late();
        open.hash.update(bytes);
        open.bytes += bytes.length;
        if (!quiet) this.host.emit({ event: 'data', stream: id, hex: hexOf(bytes) });
      },
      onEnd: () => {
        late();
        this.host.emit({ event: 'end', stream: id });
      },
      onDrain: () => {
        late();
        this.host.emit({ event: 'drain', stream: id });
      },
      onClose: (error) => {
        if (open.closed) this.#onCloseTwice++;
        open.closed = true;
        this.host.emit({ event: 'close', stream: id, ...(error ? { kind: error.kind } : {}) });
      },
    });
    return id;
  }

  #handle(id: number): Handle {
    const handle = this.#handles.get(id);
    if (!handle) throw new Error(`no handle ${id}`);
    return handle;
  }

  #stream(id: number): Open {
    const stream = this.#streams.get(id);
    if (!stream) throw new Error(`no stream ${id}`);
    return stream;
  }
}

/** What crosses a pipe or a port: a command with its number, its answer, or an event. */
export type AgentMessage =
  | { call: number; name: CommandName; args: unknown }
  | { answer: number; result?: unknown; error?: AgentError }
  | AgentEvent;

/** Serves an agent over any channel: `handle` what comes in, `send` what goes out. */
export function serve(agent: Agent, send: (message: AgentMessage) => void): (message: AgentMessage) => void {
  return (message) => {
    if (!('call' in message)) return;
    const { call, name, args } = message;
    agent.command(name, args as never).then(
      (result) => send({ answer: call, result }),
      (error: unknown) => send({ answer: call, error: errorData(error) }),
    );
  };
}

export function errorData(error: unknown): AgentError {
  if (error instanceof SubstrateError) return { kind: error.kind, message: error.message };
  return {
    kind: 'unexpected',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}

function done(_: void): Record<never, never> {
  return {};
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}
