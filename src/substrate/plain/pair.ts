import type { Socket as UdpSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import type { Clock } from '../../runtime/clock.js';
import { SubstrateError } from '../types.js';
import type { ChosenInterface } from './interfaces.js';
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
export type PairLink = Pick<ChosenInterface, 'mtu' | 'linkLocal' | 'tentative' | 'ipv4'>;

interface Sockets {
  readonly ipv6: UdpSocket | undefined;
  readonly ipv4: UdpSocket | undefined;
  readonly server: Server;
}

type Family = 'ipv6' | 'ipv4';
/** In the order in which they are tried. */
type Families = readonly [Family, ...Family[]];
const BOTH: Families = ['ipv6', 'ipv4'];
const IPV6: Families = ['ipv6'];
const IPV4: Families = ['ipv4'];

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
  multicast(bytes: Uint8Array, isOpen: () => boolean): Promise<void> {
    // Whatever is thrown in here, by a look at the host too, is a rejection.
    return new Promise((resolve, reject) => {
      const link = this.#link();
      const families = this.#familiesFor(link);
      const refused = isOpen() ? this.#tooBig(bytes, link, families) : closed();
      if (refused) return reject(refused);
      const copy = Buffer.from(bytes);
      // This is a relay's way: nearly always the first family takes it at once, and nothing more is to be done.
      this.#send(families[0], copy, (error) => {
        if (!error && this.#isEnough(families)) resolve();
        else this.#goOn(families, copy, isOpen, error).then(resolve, reject);
      });
    });
  }

  /** After the first try by the first family: tries again, and goes on to the next. */
  async #goOn(
    families: Families,
    bytes: Buffer,
    isOpen: () => boolean,
    first: NodeJS.ErrnoException | null,
  ): Promise<void> {
    const errors: SubstrateError[] = [];
    for (const family of families) {
      const tried = family === families[0] ? first : await this.#try(family, bytes, isOpen);
      const error = tried && (await this.#insist(family, bytes, isOpen, tried));
      if (error?.kind === 'local' || error?.kind === 'too-big') throw error;
      if (error) errors.push(error);
      else if (this.#settings.sends === 'first') return;
    }
    if (errors.length === families.length) throw errors[0]!;
  }

  #familiesFor(link: PairLink | undefined): Families {
    const { receives } = this.#settings;
    // A link-local address is there, or about to be.
    const ipv6 = receives.ipv6 && link !== undefined && (link.linkLocal !== undefined || link.tentative);
    const ipv4 = receives.ipv4 && link?.ipv4 !== undefined;
    if (ipv6) return ipv4 ? BOTH : IPV6;
    if (ipv4) return IPV4;
    // Nothing is known to be there; the stack may know better, and if not, it says why.
    return receives.ipv6 ? IPV6 : IPV4;
  }

  #isEnough(families: Families): boolean {
    return families.length === 1 || this.#settings.sends === 'first';
  }

  /** Never fragmented (RFC 8990 §2.5.3): every copy has to fit into one packet of this link. */
  #tooBig(
    { length }: Uint8Array,
    link: PairLink | undefined,
    families: Families,
  ): SubstrateError | undefined {
    if (!link) return undefined;
    // IPv6 is first, and has the longer headers: where its copy fits, the other does.
    const most = link.mtu - HEADERS[families[0]];
    if (length <= most) return undefined;
    return new SubstrateError(
      'too-big',
      `datagram of ${length} bytes, ${this.interfaceName} carries ${most}`,
    );
  }

  /** Tries again for as long as that is hopeful. Undefined: it has left after all. */
  async #insist(
    family: Family,
    bytes: Buffer,
    isOpen: () => boolean,
    first: NodeJS.ErrnoException,
  ): Promise<SubstrateError | undefined> {
    const giveUpAt = this.#clock.now() + TENTATIVE_PATIENCE_MS;
    let error: NodeJS.ErrnoException | null = first;
    for (;;) {
      if (!error) return undefined;
      const hopeful =
        error.code === 'EADDRNOTAVAIL' && this.#clock.now() < giveUpAt && this.#link()?.tentative === true;
      if (!hopeful) return wrapError(error, `multicast on ${this.interfaceName}`);
      await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, TENTATIVE_RETRY_MS));
      error = await this.#try(family, bytes, isOpen);
    }
  }

  #try(family: Family, bytes: Buffer, isOpen: () => boolean): Promise<NodeJS.ErrnoException | null> {
    if (!isOpen()) return Promise.resolve(closed());
    return new Promise((resolve) => this.#send(family, bytes, resolve));
  }

  #send(family: Family, bytes: Buffer, done: (error: NodeJS.ErrnoException | null) => void): void {
    const { port, group, group4 } = this.#settings;
    const socket = this.#sockets[family]!;
    if (family === 'ipv6') return socket.send(bytes, port, group, done);
    try {
      // The source address goes with the interface, and is kept by the socket after the interface has lost it.
      const address = this.#link()?.ipv4;
      if (address === undefined) {
        return done(Object.assign(new Error('no IPv4 address'), { code: 'ENETUNREACH' }));
      }
      socket.setMulticastInterface(address);
    } catch (error) {
      return done(error as NodeJS.ErrnoException);
    }
    socket.send(bytes, port, group4, done);
  }
}

function closed(): SubstrateError {
  return new SubstrateError('local', 'the pair is closed');
}
