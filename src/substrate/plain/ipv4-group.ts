import type { Socket as UdpSocket } from 'node:dgram';
import type { Datagram } from '../types.js';
import { onLink, type Ipv4Interface } from './on-link.js';
import type { PlainSettings } from './options.js';
import { closeSocket, openIpv4ReceiveSocket } from './sockets.js';

/** An interface to be joined, by the address it has now. */
export interface Ipv4Member {
  readonly name: string;
  readonly index: number;
  readonly address: string;
}

export interface Ipv4GroupHooks {
  /** The interfaces of GRASP that have an IPv4 subnet of their own. */
  members(): readonly Ipv4Member[];
  /** Every interface of the host. */
  interfaces(): readonly Ipv4Interface[];
  /** How many interfaces IPv4 cannot be used on, because another one is on their subnet. */
  ambiguous(): number;
  drops(socket: UdpSocket): number;
  count(reason: string): void;
}

type OnDatagram = (datagram: Datagram) => void;

/**
 * The IPv4 half of every receiver of a substrate: one socket in all, on 224.0.0.119. Node does not tell the
 * interface of an IPv4 multicast, and two sockets, each joined on one interface, would both hear both; so one
 * hears everything, and the source's on-link prefix says where it came from. A source on no known link is dropped
 * and counted: the engine cannot answer, nor judge, what it cannot place.
 */
export class Ipv4Group {
  readonly #settings: PlainSettings;
  readonly #hooks: Ipv4GroupHooks;
  readonly #receivers = new Map<string, Set<OnDatagram>>();
  /** The address by which each interface is joined, by name and index. */
  readonly #joined = new Map<string, string>();
  #ambiguous = 0;
  #socket: UdpSocket | undefined;
  #opening: Promise<void> | undefined;

  constructor(settings: PlainSettings, hooks: Ipv4GroupHooks) {
    this.#settings = settings;
    this.#hooks = hooks;
  }

  /** Hears the group on an interface, now or as soon as it has an IPv4 address; returns the way to stop. */
  async add(interfaceName: string, onDatagram: OnDatagram): Promise<() => Promise<void>> {
    let receivers = this.#receivers.get(interfaceName);
    if (!receivers) this.#receivers.set(interfaceName, (receivers = new Set()));
    receivers.add(onDatagram);
    await this.follow();
    return async () => {
      receivers.delete(onDatagram);
      if (receivers.size === 0 && this.#receivers.get(interfaceName) === receivers) {
        this.#receivers.delete(interfaceName);
      }
      if (this.#receivers.size === 0) await this.#close();
    };
  }

  /** Joins and leaves as interfaces and addresses are now; what fails is tried again at the next call. */
  async follow(): Promise<void> {
    if (this.#receivers.size === 0) return;
    const ambiguous = this.#hooks.ambiguous();
    if (ambiguous > this.#ambiguous) this.#hooks.count('ipv4.shared-subnet');
    this.#ambiguous = ambiguous;
    await (this.#opening ??= this.#open().finally(() => (this.#opening = undefined)));
    const socket = this.#socket;
    if (!socket) return;
    const { group4 } = this.#settings;
    const wanted = new Map(
      this.#hooks
        .members()
        .filter(({ name }) => this.#receivers.has(name))
        .map(({ name, index, address }) => [`${name} ${index}`, address]),
    );
    for (const [key, address] of this.#joined) {
      if (wanted.get(key) === address) continue;
      this.#joined.delete(key);
      try {
        socket.dropMembership(group4, address);
      } catch {
        // The interface took the membership along. Nothing is lost: the next join is what counts.
      }
    }
    for (const [key, address] of wanted) {
      if (this.#joined.has(key)) continue;
      try {
        socket.addMembership(group4, address);
        this.#joined.set(key, address);
      } catch {
        this.#hooks.count('ipv4.join-failed');
      }
    }
  }

  /** Datagrams the stack dropped because the socket was behind. */
  kernelDrops(): number {
    return this.#socket ? this.#hooks.drops(this.#socket) : 0;
  }

  async #open(): Promise<void> {
    if (this.#socket) return;
    let socket: UdpSocket;
    try {
      socket = await openIpv4ReceiveSocket(this.#settings);
    } catch {
      return this.#hooks.count('ipv4.open-failed');
    }
    if (this.#receivers.size === 0) return closeSocket(socket); // closed meanwhile
    this.#socket = socket;
    socket.on('message', (bytes, { address, port }) => this.#received(bytes, address, port));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EBADF' && error.code !== 'ENOTSOCK') return;
      if (this.#socket === socket) this.#socket = undefined;
      this.#joined.clear();
    });
  }

  #received(bytes: Uint8Array, address: string, port: number): void {
    const name = onLink(address, this.#hooks.interfaces());
    const receivers = name === undefined ? undefined : this.#receivers.get(name);
    if (name === undefined || !receivers) return this.#hooks.count('ipv4.unknown-link');
    for (const onDatagram of [...receivers]) onDatagram({ bytes, interface: name, address, port });
  }

  async #close(): Promise<void> {
    await this.#opening;
    const socket = this.#socket;
    if (!socket || this.#receivers.size > 0) return;
    this.#socket = undefined;
    this.#joined.clear();
    await closeSocket(socket);
  }
}
