import type { Socket as UdpSocket } from 'node:dgram';
import { isIPv4, type Server, type Socket } from 'node:net';
import { SubstrateError, type Datagram, type Environment, type Target } from '../types.js';
import type { PlainSettings } from './options.js';
import { isLinkLocal, splitAddress } from './platform.js';
import { closeServer, closeSocket, openServer, openUnicastSocket } from './sockets.js';

export interface WellKnownHooks {
  /** The environment now. */
  environment(): Environment;
  onSocket(socket: Socket): void;
  onDatagram(datagram: Datagram): void;
  /** A datagram that came by an interface GRASP does not use. */
  onForeign(): void;
}

/** One address of one interface, as it is now: an interface re-created has another index. */
interface Place {
  readonly interface: string;
  readonly address: string;
}

/**
 * Unicast to the group's port (RFC 8990 §2.6): a TCP listener on every address of the host, and a UDP socket per
 * address of the chosen interfaces. Not one on `::`: that hears every multicast of the host a second time, and
 * does not tell the interface. Nothing here allows reuse, because of several sockets on one address and port only
 * one gets a unicast: the first engine of a host has the port, another is told `address-in-use`. The listener
 * comes first, and decides a race between two.
 */
export class WellKnown {
  readonly #settings: PlainSettings;
  readonly #hooks: WellKnownHooks;
  readonly #sockets = new Map<string, UdpSocket>();
  readonly #server: Server;
  #syncing: Promise<void> | undefined;
  #again = false;
  #closed = false;

  private constructor(settings: PlainSettings, hooks: WellKnownHooks, server: Server) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#server = server;
  }

  static async open(settings: PlainSettings, hooks: WellKnownHooks): Promise<WellKnown> {
    const server = await openServer(settings.port, settings.backlog, (socket) => hooks.onSocket(socket));
    const port = new WellKnown(settings, hooks, server);
    for (const [key, place] of port.#wanted()) {
      const error = await port.#open(key, place);
      // Not all of it: somebody else takes a part of the node's unicasts.
      if (error?.kind !== 'address-in-use') continue;
      await port.close();
      throw error;
    }
    return port;
  }

  get port(): number {
    return this.#settings.port;
  }

  /** Opens what is missing, closes what is gone. What cannot be opened now is tried again at the next call. */
  follow(): void {
    this.#again = true;
    this.#syncing ??= this.#sync().finally(() => (this.#syncing = undefined));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#syncing;
    const sockets = [...this.#sockets.values()];
    this.#sockets.clear();
    await Promise.all([closeServer(this.#server), ...sockets.map(closeSocket)]);
  }

  async #sync(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      const wanted = this.#wanted();
      for (const [key, socket] of [...this.#sockets]) {
        if (wanted.has(key)) continue;
        this.#sockets.delete(key);
        await closeSocket(socket);
      }
      for (const [key, place] of wanted) {
        if (!this.#sockets.has(key) && !this.#closed) await this.#open(key, place);
      }
    }
  }

  #wanted(): Map<string, Place> {
    const wanted = new Map<string, Place>();
    const { ipv6, ipv4 } = this.#settings.receives;
    for (const { name, index, linkLocal, addresses } of this.#hooks.environment().interfaces) {
      for (const address of linkLocal === undefined ? addresses : [linkLocal, ...addresses]) {
        if (isIPv4(address) ? ipv4 : ipv6)
          wanted.set(`${name} ${index} ${address}`, { interface: name, address });
      }
    }
    return wanted;
  }

  async #open(key: string, place: Place): Promise<SubstrateError | undefined> {
    let socket: UdpSocket;
    try {
      socket = await openUnicastSocket(this.#settings, place.address, place.interface);
    } catch (error) {
      if (error instanceof SubstrateError) return error;
      throw error;
    }
    this.#sockets.set(key, socket);
    socket.on('message', (bytes, from) => {
      const { address, interface: zone } = splitAddress(from.address);
      // A host takes what is for its address by whatever link it comes; a zone tells which one it was.
      const by = isLinkLocal(address) ? zone : place.interface;
      if (by === undefined || !this.#hooks.environment().interfaces.some(({ name }) => name === by)) {
        return this.#hooks.onForeign();
      }
      this.#hooks.onDatagram({ bytes, interface: by, address, port: from.port });
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Everything else is about one datagram or about now; see the receive sockets.
      if (error.code !== 'EBADF' && error.code !== 'ENOTSOCK') return;
      if (this.#sockets.get(key) === socket) this.#sockets.delete(key);
    });
    return undefined;
  }
}

/** The chosen interface a stream came by, from its local address; undefined if it is none of them. */
export function interfaceOf(
  { address, interface: zone }: Target,
  environment: Environment,
): string | undefined {
  const { interfaces } = environment;
  return interfaces.find((i) => (zone === undefined ? i.addresses.includes(address) : i.name === zone))?.name;
}
