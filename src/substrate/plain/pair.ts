import type { Socket as UdpSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import type { Clock } from '../../runtime/clock.js';
import { SubstrateError } from '../types.js';
import type { PlainSettings } from './options.js';
import { wrapError } from './platform.js';
import { closeServer, closeSocket, openIpv4SendSocket, openSendSocket, openServer } from './sockets.js';

/** Port numbers tried for a pair before giving up; each failure means that one protocol has the number taken. */
const PAIR_ATTEMPTS = 64;
/**
 * A multicast that finds only a tentative link-local address (EADDRNOTAVAIL) is tried again this often and this
 * long, ms: duplicate address detection ends within one to two seconds (RFC 4862 §5.4).
 */
const TENTATIVE_RETRY_MS = 100;
const TENTATIVE_PATIENCE_MS = 2500;
/** Headers in front of a datagram's payload: IPv6 40 or IPv4 20, and UDP 8. */
const HEADERS = { ipv6: 48, ipv4: 28 } as const;

/** The interface of a pair as it is now. */
export interface PairLink {
  readonly mtu: number;
  /** It has a link-local address, or is about to have one. */
  readonly ipv6: boolean;
  /** The IPv4 address multicasts leave from; undefined: none, or its subnet is another interface's too. */
  readonly ipv4: string | undefined;
  readonly tentative: boolean;
}

interface Sockets {
  readonly ipv6: UdpSocket | undefined;
  readonly ipv4: UdpSocket | undefined;
  readonly server: Server;
}

type Family = 'ipv6' | 'ipv4';

/**
 * The sending half of one interface: UDP sockets of both families and a TCP listener on one port number (RFC 8990
 * §2.8.4). Whatever family a copy leaves by, its receivers answer to the same number.
 */
export class SendPair {
  readonly #settings: PlainSettings;
  readonly #clock: Clock;
  readonly #sockets: Sockets;
  readonly #link: () => PairLink | undefined;

  private constructor(
    readonly interfaceName: string,
    readonly port: number,
    settings: PlainSettings,
    clock: Clock,
    sockets: Sockets,
    link: () => PairLink | undefined,
  ) {
    this.#settings = settings;
    this.#clock = clock;
    this.#sockets = sockets;
    this.#link = link;
  }

  /** `link` is asked at every send, and may tell undefined once the interface is gone. */
  static async bind(
    interfaceName: string,
    wanted: number,
    settings: PlainSettings,
    clock: Clock,
    hooks: {
      onSocket: (socket: Socket) => void;
      link: () => PairLink | undefined;
    },
  ): Promise<SendPair> {
    for (let attempt = 1; ; attempt++) {
      const opened: UdpSocket[] = [];
      try {
        // The first socket gets the number; RFC 8990 §2.8.4: if it is taken elsewhere, all move on together.
        const open = async (family: Family, from: (port: number) => Promise<UdpSocket>) => {
          if (!settings.receives[family]) return undefined;
          const socket = await from(opened[0]?.address().port ?? wanted);
          opened.push(socket);
          return socket;
        };
        const ipv6 = await open('ipv6', (port) => openSendSocket(settings, interfaceName, port));
        const ipv4 = await open('ipv4', (port) => openIpv4SendSocket(settings, port));
        const { port } = opened[0]!.address();
        const server = await openServer(port, settings.backlog, hooks.onSocket);
        return new SendPair(interfaceName, port, settings, clock, { ipv6, ipv4, server }, hooks.link);
      } catch (error) {
        await Promise.all(opened.map(closeSocket));
        const taken = error instanceof SubstrateError && error.kind === 'address-in-use';
        if (!taken || wanted !== 0 || attempt === PAIR_ATTEMPTS) throw error;
      }
    }
  }

  onError(handler: (error: NodeJS.ErrnoException) => void): void {
    this.#sockets.ipv6?.on('error', handler);
    this.#sockets.ipv4?.on('error', handler);
  }

  async close(): Promise<void> {
    const { ipv6, ipv4, server } = this.#sockets;
    await Promise.all([
      ...(ipv6 ? [closeSocket(ipv6)] : []),
      ...(ipv4 ? [closeSocket(ipv4)] : []),
      closeServer(server),
    ]);
  }

  /**
   * Sends one datagram to the group. By every family asked for, or else by IPv6 where the interface speaks it and
   * by IPv4 where it does not: a node that hears both would otherwise get everything twice.
   */
  async multicast(bytes: Uint8Array, isOpen: () => boolean): Promise<void> {
    const link = this.#link();
    const families = this.#familiesFor(link);
    this.#checkSize(bytes, link, families);
    const copy = Buffer.from(bytes);
    const { sends } = this.#settings;
    const errors: SubstrateError[] = [];
    for (const family of families) {
      const error = await this.#sendBy(family, copy, isOpen);
      if (error?.kind === 'local' || error?.kind === 'too-big') throw error;
      if (error) errors.push(error);
      else if (sends === 'first') return;
    }
    if (errors.length === families.length) throw errors[0]!;
  }

  #familiesFor(link: PairLink | undefined): Family[] {
    const { receives } = this.#settings;
    const has = { ipv6: link?.ipv6 === true, ipv4: link?.ipv4 !== undefined };
    const families = (['ipv6', 'ipv4'] as const).filter((family) => receives[family] && has[family]);
    if (families.length > 0) return families;
    // Nothing is known to be there; the stack may know better, and if not, it says why.
    return receives.ipv6 ? ['ipv6'] : ['ipv4'];
  }

  #checkSize(bytes: Uint8Array, link: PairLink | undefined, families: readonly Family[]): void {
    if (!link) return;
    // Never fragmented (RFC 8990 §2.5.3): every copy has to fit into one packet of this link.
    const copies = this.#settings.sends === 'first' ? families.slice(0, 1) : families;
    const most = Math.min(...copies.map((family) => link.mtu - HEADERS[family]));
    if (bytes.length > most) {
      throw new SubstrateError(
        'too-big',
        `datagram of ${bytes.length} bytes, ${this.interfaceName} carries ${most}`,
      );
    }
  }

  async #sendBy(family: Family, bytes: Buffer, isOpen: () => boolean): Promise<SubstrateError | undefined> {
    const giveUpAt = this.#clock.now() + TENTATIVE_PATIENCE_MS;
    for (;;) {
      if (!isOpen()) return new SubstrateError('local', 'the pair is closed');
      const error = await this.#send(family, bytes);
      if (!error) return undefined;
      const hopeful =
        error.code === 'EADDRNOTAVAIL' && this.#clock.now() < giveUpAt && this.#link()?.tentative === true;
      if (!hopeful) return wrapError(error, `multicast on ${this.interfaceName}`);
      await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, TENTATIVE_RETRY_MS));
    }
  }

  #send(family: Family, bytes: Buffer): Promise<NodeJS.ErrnoException | null> {
    const { port, group, group4 } = this.#settings;
    const socket = this.#sockets[family]!;
    return new Promise((resolve) => {
      if (family === 'ipv6') return socket.send(bytes, port, group, resolve);
      try {
        // The source address goes with the interface, and is kept by the socket after the interface has lost it.
        const address = this.#link()?.ipv4;
        if (address === undefined) {
          return resolve(Object.assign(new Error('no IPv4 address'), { code: 'ENETUNREACH' }));
        }
        socket.setMulticastInterface(address);
      } catch (error) {
        return resolve(error as NodeJS.ErrnoException);
      }
      socket.send(bytes, port, group4, resolve);
    });
  }
}
