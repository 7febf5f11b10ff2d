import { connect as openSocket, isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import { domainToASCII } from 'node:url';
import { Link, RecencyList } from '../../protocol/index.js';
import type { Clock, TimerId } from '../../runtime/clock.js';
import { SubstrateError, type CancelSignal, type Stream, type Target } from '../types.js';
import { resolveName } from './names.js';
import { isLinkLocal, wrapError, zoned } from './platform.js';
import { localOf, Reading } from './stream.js';

export interface ConnectorHooks {
  /** @param reading what the socket hands its bytes to */
  stream(socket: Socket, remote: Target, reading: Reading): Stream;
  /** Whether this is an address of this host. */
  isOwn(address: string): boolean;
}

/**
 * What Node sets in its copy of a socket's options, whatever they say. It is given all the same: V8 makes a hidden class
 * of its own for each copy that gets further properties, and 10 µs of a connection are lost finding things in it.
 */
interface SetByNode {
  readonly emitClose: false;
  readonly autoDestroy: true;
  readonly decodeStrings: false;
}

const ATTEMPT = Symbol('attempt');

/** A socket that knows who waits for its connection. */
interface ConnectingSocket extends Socket {
  [ATTEMPT]?: Attempt | undefined;
}

type Settle = { resolve: (stream: Stream) => void; reject: (error: SubstrateError) => void };

/** One connection being opened. Its socket's listeners are the same for all, as those of streams. */
class Attempt {
  /** Its place among those of the connector. */
  readonly link = new Link<() => void>(() => this.#fail('local', 'the substrate is closed'));
  readonly #clock: Clock;
  readonly #hooks: ConnectorHooks;
  readonly #socket: Socket;
  readonly #reading: Reading;
  readonly #remote: Target;
  readonly #connecting: RecencyList<() => void>;
  readonly #settle: Settle;
  readonly #signal: CancelSignal | undefined;
  readonly #timer: TimerId;
  readonly #onAbort = (): void => this.#fail('local', 'aborted', this.#signal?.reason);

  constructor(
    world: { clock: Clock; hooks: ConnectorHooks; connecting: RecencyList<() => void> },
    socket: Socket,
    reading: Reading,
    remote: Target,
    options: { timeoutMs: number; signal?: CancelSignal | undefined },
    settle: Settle,
  ) {
    const { timeoutMs, signal } = options;
    this.#clock = world.clock;
    this.#hooks = world.hooks;
    this.#connecting = world.connecting;
    this.#socket = socket;
    this.#reading = reading;
    this.#remote = remote;
    this.#settle = settle;
    this.#signal = signal;
    this.#timer = world.clock.setTimeout(
      () => this.#fail('timeout', `no answer within ${timeoutMs} ms`),
      timeoutMs,
    );
    world.connecting.push(this.link);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    (socket as ConnectingSocket)[ATTEMPT] = this;
    socket.on('error', Attempt.#onError);
    socket.on('connect', Attempt.#onConnect);
  }

  static #onError(this: ConnectingSocket, error: Error): void {
    const attempt = this[ATTEMPT];
    // What comes after its end is the stream's.
    if (attempt) attempt.#failWith(wrapError(error, attempt.#what));
  }

  static #onConnect(this: ConnectingSocket): void {
    const attempt = this[ATTEMPT]!;
    const { address, port } = attempt.#remote;
    // A port of this host in the dynamic range where nobody listens can be met by its own SYN.
    if (attempt.#hooks.isOwn(address) && localOf(this)?.port === port) {
      return attempt.#fail('refused', 'nobody listens there');
    }
    attempt.#end();
    attempt.#settle.resolve(attempt.#hooks.stream(this, attempt.#remote, attempt.#reading));
  }

  get #what(): string {
    return whatOf(this.#remote);
  }

  #fail(kind: SubstrateError['kind'], message: string, cause?: unknown): void {
    this.#failWith(new SubstrateError(kind, `${this.#what}: ${message}`, { cause }));
  }

  #failWith(error: SubstrateError): void {
    this.#end();
    this.#socket.destroy();
    this.#settle.reject(error);
  }

  #end(): void {
    // The socket lives on, and lets go of it.
    (this.#socket as ConnectingSocket)[ATTEMPT] = undefined;
    this.#clock.clearTimeout(this.#timer);
    this.#connecting.remove(this.link);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}

/** For errors. */
function whatOf(remote: Target): string {
  return `connect to ${hostOf(remote)} port ${remote.port}`;
}

/** Opens streams: to addresses, and to names, which are resolved first. */
export class Connector {
  readonly #clock: Clock;
  readonly #connecting = new RecencyList<() => void>();
  readonly #world: ConstructorParameters<typeof Attempt>[0];
  #closed = false;

  constructor(clock: Clock, hooks: ConnectorHooks) {
    this.#clock = clock;
    this.#world = { clock, hooks, connecting: this.#connecting };
  }

  /** Whoever still waits is told `local`. */
  close(): void {
    this.#closed = true;
    for (const cancel of [...this.#connecting]) cancel();
  }

  connect(
    target: Target,
    options: { timeoutMs: number; signal?: CancelSignal | undefined },
  ): Promise<Stream> {
    try {
      if (this.#closed) throw new SubstrateError('local', 'the substrate is closed');
      return target.fqdn === true ? this.#connectByName(target, options) : this.#connect(target, options);
    } catch (error) {
      return Promise.reject(error as SubstrateError);
    }
  }

  #connect(
    target: Target,
    { timeoutMs, signal }: { timeoutMs: number; signal?: CancelSignal | undefined },
  ): Promise<Stream> {
    const host = hostOf(target);
    const { address, port, interface: name } = target;
    const remote: Target = isLinkLocal(address) ? { address, port, interface: name } : { address, port };
    if (signal?.aborted) {
      throw new SubstrateError('local', `${whatOf(remote)}: aborted`, { cause: signal.reason });
    }
    const reading = new Reading();
    const settings: TcpNetConnectOpts & SetByNode = {
      host,
      port,
      noDelay: true,
      allowHalfOpen: true,
      autoSelectFamily: false,
      onread: reading.onread,
      emitClose: false,
      autoDestroy: true,
      decodeStrings: false,
    };
    const socket = openSocket(settings);
    return new Promise((resolve, reject) => {
      new Attempt(this.#world, socket, reading, remote, { timeoutMs, signal }, { resolve, reject });
    });
  }

  /** RFC 8990 §2.8.6: an FQDN is resolved first; then its addresses are tried in order, each for its share of time. */
  async #connectByName(
    { address: name, port }: Target,
    { timeoutMs, signal }: { timeoutMs: number; signal?: CancelSignal | undefined },
  ): Promise<Stream> {
    const ascii = asciiName(name);
    const giveUpAt = this.#clock.now() + timeoutMs;
    const addresses = await this.#patiently(resolveName(ascii), `resolving ${name}`, timeoutMs, signal);
    let failure: unknown;
    for (const [i, address] of addresses.entries()) {
      const share = Math.max(1, giveUpAt - this.#clock.now()) / (addresses.length - i);
      try {
        return await this.connect({ address, port }, { timeoutMs: share, ...(signal ? { signal } : {}) });
      } catch (error) {
        if (error instanceof SubstrateError && error.kind === 'local') throw error;
        failure = error;
      }
    }
    throw failure;
  }

  /** Waits for something that cannot be cancelled as long as the caller does; what comes later is dropped. */
  #patiently<T>(waiting: Promise<T>, what: string, timeoutMs: number, signal?: CancelSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const settled = (): void => {
        this.#clock.clearTimeout(timer);
        this.#connecting.remove(closing);
        signal?.removeEventListener('abort', onAbort);
      };
      const fail = (kind: 'local' | 'timeout', message: string, cause?: unknown): void => {
        settled();
        reject(new SubstrateError(kind, `${what}: ${message}`, { cause }));
      };
      const onAbort = (): void => fail('local', 'aborted', signal?.reason);
      const closing = new Link(() => fail('local', 'the substrate is closed'));
      const timer = this.#clock.setTimeout(
        () => fail('timeout', `no answer within ${timeoutMs} ms`),
        timeoutMs,
      );
      this.#connecting.push(closing);
      signal?.addEventListener('abort', onAbort, { once: true });
      waiting.finally(settled).then(resolve, reject);
      if (signal?.aborted) onAbort();
    });
  }
}

/**
 * The name as resolvers know it (RFC 5890). Throws `local` for what cannot be a domain name: the resolver would take some of
 * it for an address or a path.
 */
function asciiName(name: string): string {
  const ascii = /^[\x20-\x7e]*$/.test(name) ? name : domainToASCII(name);
  if (ascii.length > 253 || !/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$/.test(ascii)) {
    throw new SubstrateError('local', `bad domain name ${JSON.stringify(name.slice(0, 80))}`);
  }
  return ascii;
}

/** The target as the stack wants it; throws `local` for what is no address or no port. */
function hostOf({ address, port, interface: name }: Target): string {
  if (
    isIP(address) === 0 ||
    address.includes('%') ||
    !(Number.isInteger(port) && port > 0 && port < 65_536)
  ) {
    throw new SubstrateError('local', `bad target ${address} port ${port}`);
  }
  if (!isLinkLocal(address)) return address;
  if (name === undefined) throw new SubstrateError('local', `link-local ${address} needs an interface`);
  return zoned(address, name);
}
