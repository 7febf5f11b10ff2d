import type { Socket as UdpSocket } from 'node:dgram';
import { connect as openSocket, isIP, type Server, type Socket } from 'node:net';
import type { Clock } from '../../runtime/clock.js';
import { Counters } from '../../runtime/counters.js';
import {
  SubstrateError,
  type CancelSignal,
  type Datagram,
  type Environment,
  type ListenOptions,
  type PacketReceiver,
  type PortPair,
  type Stream,
  type StreamListener,
  type Substrate,
  type WellKnownPort,
  type Target,
} from '../types.js';
import { InterfaceWatch } from './interfaces.js';
import { settle, type PlainOptions, type PlainSettings } from './options.js';
import { isLinkLocal, splitAddress, platformOf, wrapError, zoned, type Platform } from './platform.js';
import { closeServer, closeSocket, openReceiveSocket, openSendSocket, openServer } from './sockets.js';
import { endsOf, PlainStream, type Ends } from './stream.js';
import { interfaceOf, WellKnown } from './well-known.js';

/** Port numbers tried for a pair before giving up; each failure means that one protocol has the number taken. */
const PAIR_ATTEMPTS = 64;
/**
 * A multicast that finds only a tentative link-local address (EADDRNOTAVAIL) is tried again this often and this
 * long, ms: duplicate address detection ends within one to two seconds (RFC 4862 §5.4).
 */
const TENTATIVE_RETRY_MS = 100;
const TENTATIVE_PATIENCE_MS = 2500;

/**
 * Opens one thread's view of the host's network. Rejects with `no-interface` for a name no interface bears, with
 * `unsupported` on a platform other than Linux.
 */
export async function openPlainSubstrate(options: PlainOptions, deps: { clock: Clock }): Promise<Substrate> {
  return new PlainSubstrate(settle(options), platformOf(), deps.clock);
}

/** Anything open that ends with the substrate, or with its interface. */
interface Owned {
  readonly interface?: { readonly name: string; readonly index: number };
  close(): Promise<void>;
  lost?(error: SubstrateError): void;
}

class PlainSubstrate implements Substrate {
  readonly #settings: PlainSettings;
  readonly #platform: Platform;
  readonly #clock: Clock;
  readonly #watch: InterfaceWatch;
  readonly #owned = new Set<Owned>();
  readonly #streams = new Set<PlainStream>();
  readonly #connecting = new Set<() => void>();
  readonly #drops = new Counters();
  #closing: Promise<void> | undefined;

  constructor(settings: PlainSettings, platform: Platform, clock: Clock) {
    this.#settings = settings;
    this.#platform = platform;
    this.#clock = clock;
    const { interfaces: chosen, security, pollIntervalMs } = settings;
    this.#watch = new InterfaceWatch(platform, clock, { chosen, security, pollIntervalMs });
    this.#watch.onLook(() => this.#loseGone());
  }

  get environment(): Environment {
    return this.#watch.environment;
  }

  watch(listener: (environment: Environment) => void): () => void {
    return this.#watch.watch(listener);
  }

  async openReceiver(
    interfaceName: string,
    onDatagram: (datagram: Datagram) => void,
    onLost: (error: SubstrateError) => void,
  ): Promise<PacketReceiver> {
    const info = this.#usable(interfaceName);
    const socket = await openReceiveSocket(this.#settings, interfaceName);
    const owned = this.#own(info, onLost, () => closeSocket(socket));
    if (this.#closing) return this.#tooLate(owned);
    socket.on('message', (bytes, { address, port }) => {
      const from = splitAddress(address).address;
      onDatagram({ bytes, interface: interfaceName, address: from, port });
    });
    socket.on('error', (error) => this.#socketFailed(owned, error));
    return { close: () => this.#close(owned), kernelDrops: () => this.#platform.drops(socket) };
  }

  async openPair(
    interfaceName: string,
    options: { port?: number; onStream: (stream: Stream) => void; onLost: (error: SubstrateError) => void },
  ): Promise<PortPair> {
    const info = this.#usable(interfaceName);
    const { socket, server, port } = await this.#bindPair(interfaceName, options.port ?? 0, options.onStream);
    const owned = this.#own(info, options.onLost, async () => {
      await Promise.all([closeSocket(socket), closeServer(server)]);
    });
    if (this.#closing) return this.#tooLate(owned);
    socket.on('error', (error) => this.#socketFailed(owned, error));
    return {
      interface: interfaceName,
      port,
      sendMulticast: (bytes) => this.#multicast(owned, socket, bytes),
      close: () => this.#close(owned),
    };
  }

  async openWellKnown(options: {
    onDatagram: (datagram: Datagram) => void;
    onStream: (stream: Stream, interfaceName: string | undefined) => void;
    onLost: (error: SubstrateError) => void;
  }): Promise<WellKnownPort> {
    this.#assertOpen();
    this.#watch.look();
    const wellKnown = await WellKnown.open(this.#settings, {
      environment: () => this.environment,
      onSocket: (socket) => {
        this.#accept(socket, (stream) =>
          options.onStream(stream, interfaceOf(stream.local, this.environment)),
        );
      },
      onDatagram: options.onDatagram,
      onForeign: () => this.#drops.add('unicast.foreign-link'),
    });
    const unlook = this.#watch.onLook(() => wellKnown.follow());
    const owned = this.#own(undefined, options.onLost, async () => {
      unlook();
      await wellKnown.close();
    });
    if (this.#closing) return this.#tooLate(owned);
    return { port: wellKnown.port, close: () => this.#close(owned) };
  }

  dropped(): Record<string, number> {
    return this.#drops.snapshot();
  }

  async listen(options: ListenOptions, onStream: (stream: Stream) => void): Promise<StreamListener> {
    this.#assertOpen();
    const { port = 0, backlog = this.#settings.backlog } = options;
    const server = await openServer(port, backlog, (socket) => this.#accept(socket, onStream));
    const owned = this.#own(undefined, undefined, () => closeServer(server));
    if (this.#closing) return this.#tooLate(owned);
    return { port: portOf(server), close: () => this.#close(owned) };
  }

  async connect(target: Target, options: { timeoutMs: number; signal?: CancelSignal }): Promise<Stream> {
    this.#assertOpen();
    const host = hostOf(target);
    const { timeoutMs, signal } = options;
    const what = `connect to ${host} port ${target.port}`;
    if (signal?.aborted) throw new SubstrateError('local', `${what}: aborted`, { cause: signal.reason });
    const { address, port, interface: name } = target;
    const remote: Target = isLinkLocal(address) ? { address, port, interface: name } : { address, port };
    const socket = openSocket({ host, port, noDelay: true, allowHalfOpen: true, autoSelectFamily: false });
    return new Promise((resolve, reject) => {
      const settled = (): void => {
        this.#clock.clearTimeout(timer);
        this.#connecting.delete(onClosing);
        signal?.removeEventListener('abort', onAbort);
        socket.off('error', onError);
      };
      const fail = (error: SubstrateError): void => {
        settled();
        socket.on('error', () => undefined);
        socket.destroy();
        reject(error);
      };
      const onError = (error: Error): void => fail(wrapError(error, what));
      const onAbort = (): void => {
        fail(new SubstrateError('local', `${what}: aborted`, { cause: signal?.reason }));
      };
      const onClosing = (): void => fail(new SubstrateError('local', `${what}: the substrate is closed`));
      const timer = this.#clock.setTimeout(() => {
        fail(new SubstrateError('timeout', `${what}: no answer within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#connecting.add(onClosing);
      signal?.addEventListener('abort', onAbort, { once: true });
      socket.once('error', onError);
      socket.once('connect', () => {
        // A port of this host in the dynamic range where nobody listens can be met by its own SYN.
        const ends = endsOf(socket, remote);
        if (!ends) return fail(new SubstrateError('local', `${what}: no file descriptor left`));
        if (ends.local.port === port && ends.local.address === ends.remote.address) {
          return fail(new SubstrateError('refused', `${what}: nobody listens there`));
        }
        settled();
        resolve(this.#stream(socket, ends));
      });
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    this.#watch.close();
    for (const cancel of [...this.#connecting]) cancel();
    for (const stream of [...this.#streams]) stream.abort();
    await Promise.all([...this.#owned].map((owned) => this.#close(owned)));
  }

  async #bindPair(
    interfaceName: string,
    wanted: number,
    onStream: (stream: Stream) => void,
  ): Promise<{ socket: UdpSocket; server: Server; port: number }> {
    for (let attempt = 1; ; attempt++) {
      const socket = await openSendSocket(this.#settings, interfaceName, wanted);
      const { port } = socket.address();
      try {
        const { backlog } = this.#settings;
        const server = await openServer(port, backlog, (accepted) => this.#accept(accepted, onStream));
        return { socket, server, port };
      } catch (error) {
        await closeSocket(socket);
        const taken = error instanceof SubstrateError && error.kind === 'address-in-use';
        // RFC 8990 §2.8.4: both on one number; if one is taken, both move on together.
        if (!taken || wanted !== 0 || attempt === PAIR_ATTEMPTS) throw error;
      }
    }
  }

  async #multicast(owned: Owned, socket: UdpSocket, bytes: Uint8Array): Promise<void> {
    const { maxDatagramBytes } = this.#settings;
    if (bytes.length > maxDatagramBytes) {
      throw new SubstrateError('too-big', `datagram of ${bytes.length} bytes, at most ${maxDatagramBytes}`);
    }
    const copy = Buffer.from(bytes);
    const giveUpAt = this.#clock.now() + TENTATIVE_PATIENCE_MS;
    for (;;) {
      if (!this.#owned.has(owned)) throw new SubstrateError('local', 'the pair is closed');
      const error = await this.#send(socket, copy);
      if (!error) return;
      const hopeful =
        error.code === 'EADDRNOTAVAIL' && this.#clock.now() < giveUpAt && this.#isTentative(owned);
      if (!hopeful) {
        throw wrapError(error, `multicast on ${owned.interface?.name}`);
      }
      await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, TENTATIVE_RETRY_MS));
    }
  }

  #isTentative({ interface: info }: Owned): boolean {
    return this.#platform.list().some((item) => item.name === info?.name && item.tentative);
  }

  #send(socket: UdpSocket, bytes: Uint8Array): Promise<NodeJS.ErrnoException | null> {
    const { port, group } = this.#settings;
    return new Promise((resolve) => socket.send(bytes, port, group, resolve));
  }

  #accept(socket: Socket, onStream: (stream: Stream) => void): void {
    const ends = endsOf(socket);
    if (!ends || this.#closing) {
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    onStream(this.#stream(socket, ends));
  }

  #stream(socket: Socket, ends: Ends): PlainStream {
    const stream = new PlainStream(socket, ends, (gone) => void this.#streams.delete(gone));
    this.#streams.add(stream);
    return stream;
  }

  #own(
    info: Owned['interface'],
    lost: ((error: SubstrateError) => void) | undefined,
    close: () => Promise<void>,
  ): Owned {
    const owned: Owned = { ...(info ? { interface: info } : {}), ...(lost ? { lost } : {}), close };
    this.#owned.add(owned);
    return owned;
  }

  async #close(owned: Owned): Promise<void> {
    if (this.#owned.delete(owned)) await owned.close();
  }

  async #tooLate(owned: Owned): Promise<never> {
    await this.#close(owned);
    throw new SubstrateError('local', 'the substrate is closed');
  }

  /**
   * What a receive reports is about one datagram or about now: ENETDOWN of an interface that went down, or no file
   * descriptor left to name the sender's zone. Socket and membership survive that; only a bad socket is lost.
   */
  #socketFailed(owned: Owned, error: NodeJS.ErrnoException): void {
    if (error.code !== 'EBADF' && error.code !== 'ENOTSOCK') return;
    if (!this.#owned.has(owned)) return;
    this.#lose(owned, wrapError(error, `socket on ${owned.interface?.name}`));
  }

  /** A removed interface tells its sockets nothing, and one re-created under the same name needs new ones. */
  #loseGone(): void {
    for (const owned of [...this.#owned]) {
      const info = owned.interface;
      if (!info || this.#platform.indexOf(info.name) === info.index) continue;
      this.#lose(owned, new SubstrateError('no-interface', `interface '${info.name}' is gone`));
    }
  }

  #lose(owned: Owned, error: SubstrateError): void {
    void this.#close(owned);
    owned.lost?.(error);
  }

  #usable(interfaceName: string): { name: string; index: number } {
    this.#assertOpen();
    const { name, index } = this.#watch.require(interfaceName);
    return { name, index };
  }

  #assertOpen(): void {
    if (this.#closing) throw new SubstrateError('local', 'the substrate is closed');
  }
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

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}
