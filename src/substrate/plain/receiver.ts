import type { Socket as UdpSocket } from 'node:dgram';
import { SubstrateError, type Datagram } from '../types.js';
import type { Ipv4Group } from './ipv4-group.js';
import type { PlainSettings } from './options.js';
import { splitAddress, type Platform } from './platform.js';
import { closeSocket, openReceiveSocket, rejoin } from './sockets.js';

export interface ReceiverHooks {
  onDatagram(datagram: Datagram): void;
  onError(error: NodeJS.ErrnoException): void;
  readonly group4: Ipv4Group;
  /** Whether the interface has a link-local IPv6 address, an IPv4 address of its own subnet, now. */
  has(): { readonly ipv6: boolean; readonly ipv4: boolean };
}

/** Hears the group on one interface, by its own socket for IPv6 and through the shared one for IPv4. */
export class Receiver {
  readonly #name: string;
  readonly #settings: PlainSettings;
  readonly #hooks: ReceiverHooks;
  #socket: UdpSocket | undefined;
  #leave: (() => Promise<void>) | undefined;
  #hadIpv6: boolean;
  #opening = false;
  #closed = false;

  private constructor(name: string, settings: PlainSettings, hooks: ReceiverHooks) {
    this.#name = name;
    this.#settings = settings;
    this.#hooks = hooks;
    this.#hadIpv6 = hooks.has().ipv6;
  }

  /** Rejects if the interface cannot be heard on by any family. */
  static async open(name: string, settings: PlainSettings, hooks: ReceiverHooks): Promise<Receiver> {
    const receiver = new Receiver(name, settings, hooks);
    const { ipv6, ipv4 } = settings.receives;
    const error = ipv6 ? await receiver.#openIpv6() : undefined;
    // An interface may have IPv6 switched off; then it is heard by IPv4, and by IPv6 as soon as that works.
    if (error && !(ipv4 && hooks.has().ipv4)) throw error;
    if (ipv4) receiver.#leave = await hooks.group4.add(name, (datagram) => hooks.onDatagram(datagram));
    return receiver;
  }

  /** Opens what could not be opened before, and joins again where the kernel may have dropped the membership. */
  follow(): void {
    if (this.#opening || this.#closed || !this.#settings.receives.ipv6) return;
    const { ipv6 } = this.#hooks.has();
    const back = ipv6 && !this.#hadIpv6;
    this.#hadIpv6 = ipv6;
    // Down and up keeps it; IPv6 taken off the interface and put back (an MTU below 1280) does not.
    if (this.#socket && back) return rejoin(this.#socket, this.#settings, this.#name);
    if (this.#socket) return;
    this.#opening = true;
    void this.#openIpv6().finally(() => (this.#opening = false));
  }

  drops(platform: Platform): number {
    return this.#socket ? platform.drops(this.#socket) : 0;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#socket && closeSocket(this.#socket), this.#leave?.()]);
  }

  async #openIpv6(): Promise<SubstrateError | undefined> {
    let socket: UdpSocket;
    try {
      socket = await openReceiveSocket(this.#settings, this.#name);
    } catch (error) {
      if (error instanceof SubstrateError) return error;
      throw error;
    }
    if (this.#closed) {
      await closeSocket(socket);
      return undefined;
    }
    this.#socket = socket;
    socket.on('message', (bytes, { address, port }) => {
      this.#hooks.onDatagram({ bytes, interface: this.#name, address: splitAddress(address).address, port });
    });
    socket.on('error', (error) => this.#hooks.onError(error));
    return undefined;
  }
}
