import type { Server, Socket } from 'node:net';
import { RecencyList } from '../../protocol/index.js';
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
import { Connector } from './connector.js';
import { InterfaceWatch, type ChosenInterface } from './interfaces.js';
import { Ipv4Group } from './ipv4-group.js';
import { settle, type PlainOptions, type PlainSettings } from './options.js';
import { SendPair, type PairLink } from './pair.js';
import { platformOf, UNTOLD, wrapError, type Platform } from './platform.js';
import { Receiver } from './receiver.js';
import { closeServer, openServer } from './sockets.js';
import { PlainStream, remoteOf, type Reading } from './stream.js';
import { interfaceOf, WellKnown } from './well-known.js';

/**
 * Opens one thread's view of the host's network. Rejects with `no-interface` for a name no interface bears, with
 * `unsupported` on a platform other than Linux, for two chosen interfaces on one IPv4 subnet, and for bad options.
 * `lenient`: the same description was opened before, and what it names may have changed since; only bad options
 * and the platform are refused.
 */
export async function openPlainSubstrate(
  options: PlainOptions,
  deps: { clock: Clock; lenient?: boolean },
): Promise<Substrate> {
  return new PlainSubstrate(settle(options), platformOf(), deps.clock, deps.lenient ?? false);
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
  readonly #streams = new RecencyList<PlainStream>();
  readonly #gone = (stream: PlainStream): void => void this.#streams.remove(stream.inAll);
  readonly #connector: Connector;
  readonly #drops = new Counters();
  readonly #group4: Ipv4Group;
  #closing: Promise<void> | undefined;

  constructor(settings: PlainSettings, platform: Platform, clock: Clock, lenient: boolean) {
    this.#settings = settings;
    this.#platform = platform;
    this.#clock = clock;
    this.#connector = new Connector(clock, {
      stream: (socket, remote, reading) => this.#stream(socket, remote, reading),
      isOwn: (address) => this.#watch.isOwn(address),
    });
    const { interfaces: chosen, security, pollIntervalMs } = settings;
    const { ipv4 } = settings.receives;
    this.#watch = new InterfaceWatch(platform, clock, { chosen, security, pollIntervalMs, ipv4, lenient });
    this.#group4 = new Ipv4Group(settings, {
      members: () =>
        this.#watch.chosen.flatMap(({ name, index, ipv4: address }) =>
          address ? { name, index, address } : [],
        ),
      interfaces: () => this.#watch.byPrecedence,
      ambiguous: () => this.#watch.ambiguous,
      drops: (socket) => platform.drops(socket),
      count: (reason) => this.#drops.add(reason),
    });
    this.#watch.onLook(() => {
      this.#loseGone();
      void this.#group4.follow();
    });
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
    const holder: { owned?: Owned } = {};
    const receiver = await Receiver.open(interfaceName, this.#settings, {
      onDatagram,
      onError: (error) => holder.owned && this.#socketFailed(holder.owned, error),
      group4: this.#group4,
      has: () => {
        const found = this.#find(interfaceName);
        return { ipv6: found?.linkLocal !== undefined, ipv4: found?.ipv4 !== undefined };
      },
    });
    const unlook = this.#watch.onLook(() => receiver.follow());
    const owned = this.#own(info, onLost, async () => {
      unlook();
      await receiver.close();
    });
    holder.owned = owned;
    if (this.#closing) return this.#tooLate(owned);
    return { close: () => this.#close(owned), kernelDrops: () => receiver.drops(this.#platform) };
  }

  async openPair(
    interfaceName: string,
    options: { port?: number; onStream: (stream: Stream) => void; onLost: (error: SubstrateError) => void },
  ): Promise<PortPair> {
    const info = this.#usable(interfaceName);
    const pair = await SendPair.bind(interfaceName, options.port ?? 0, this.#settings, this.#clock, {
      onSocket: (socket) => this.#accept(socket, options.onStream),
      link: () => this.#linkOf(interfaceName),
    });
    const owned = this.#own(info, options.onLost, () => pair.close());
    if (this.#closing) return this.#tooLate(owned);
    pair.onError((error) => this.#socketFailed(owned, error));
    return {
      interface: interfaceName,
      port: pair.port,
      sendMulticast: (bytes) => pair.multicast(bytes, () => this.#owned.has(owned)),
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
          options.onStream(stream, stream.local && interfaceOf(stream.local, this.environment)),
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
    const behind = this.#group4.kernelDrops();
    return { ...this.#drops.snapshot(), ...(behind > 0 ? { 'ipv4.kernel-dropped': behind } : {}) };
  }

  async listen(options: ListenOptions, onStream: (stream: Stream) => void): Promise<StreamListener> {
    this.#assertOpen();
    const { port = 0, backlog = this.#settings.backlog } = options;
    const server = await openServer(port, backlog, (socket) => this.#accept(socket, onStream));
    const owned = this.#own(undefined, undefined, () => closeServer(server));
    if (this.#closing) return this.#tooLate(owned);
    return { port: portOf(server), close: () => this.#close(owned) };
  }

  connect(
    target: Target,
    options: { timeoutMs: number; signal?: CancelSignal | undefined },
  ): Promise<Stream> {
    return this.#connector.connect(target, options);
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    this.#watch.close();
    this.#connector.close();
    for (const stream of [...this.#streams]) stream.abort();
    await Promise.all([...this.#owned].map((owned) => this.#close(owned)));
  }

  /** The interface of a pair; while an address is tentative, the host is asked anew each time. */
  #linkOf(name: string): PairLink | undefined {
    const found = this.#find(name);
    if (!found?.tentative) return found;
    this.#watch.look();
    return this.#find(name);
  }

  #find(name: string): ChosenInterface | undefined {
    return this.#watch.chosen.find((item) => item.name === name);
  }

  #accept(socket: Socket, onStream: (stream: Stream) => void): void {
    const remote = remoteOf(socket);
    if (!remote || this.#closing) {
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    onStream(this.#stream(socket, remote, undefined));
  }

  #stream(socket: Socket, remote: Target, reading: Reading | undefined): PlainStream {
    const stream = new PlainStream(socket, remote, this.#gone, reading);
    this.#streams.push(stream.inAll);
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
      if (!info) continue;
      const index = this.#platform.indexOf(info.name);
      if (index === info.index || index === UNTOLD) continue;
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

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}
