/** The scripted peers (P, P2, Q): raw sockets in a namespace, driven over stdio; what they see is kept in order. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { decodeFirst, encode, Incomplete, show, showBytes, Verbatim } from './cbor.js';
import { type Notice, now, type Journal } from './waiting.js';
import { addressBytes, ALL_GRASP_NEIGHBORS_4, ALL_GRASP_NEIGHBORS_6, GRASP_LISTEN_PORT } from './wire.js';

/** A datagram a peer has received. */
export interface Datagram {
  readonly bytes: Buffer;
  /** Decoded; undefined if it is no array of CBOR. */
  readonly message: unknown[] | undefined;
  /** Source without zone. */
  readonly address: string;
  readonly port: number;
  /** ms, {@link now}. */
  readonly at: number;
}

/** A message on a connection. */
export interface Arrived {
  readonly message: unknown[];
  readonly bytes: Buffer;
  readonly at: number;
}

/** What can be sent: an item to be encoded, or bytes as they are (`Verbatim`, a Buffer). */
export type Sendable = unknown;

export function bytesOf(item: Sendable): Buffer {
  if (item instanceof Uint8Array) return Buffer.from(item);
  if (item instanceof Verbatim) return Buffer.from(item.bytes);
  return encode(item);
}

/** A failed expectation: the row fails with this reason. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

interface Reply {
  readonly error?: string;
  readonly code?: string;
  readonly [key: string]: unknown;
}

export interface PeerPlace {
  readonly name: string;
  readonly interface: string;
  readonly linkLocal: string;
  readonly ula: string;
}

export class Peer {
  readonly name: string;
  readonly interface: string;
  readonly linkLocal: string;
  /** A ULA: what this peer's messages bear as initiator. */
  global: string;
  /** Its IPv4 address, in rows that have asked for some. */
  ipv4: string | undefined;
  /** The row's; set by the runner. */
  journal: Journal | undefined;
  readonly notice: Notice;
  /** Multicasts of E heard on this link since the row began; those of the scripted peers are left out. */
  readonly multicasts: Datagram[] = [];
  /** Source addresses that are not E's. */
  readonly scripted = new Set<string>();
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, (reply: Reply) => void>();
  readonly #datagrams = new Map<number, (datagram: Datagram) => void>();
  readonly #servers = new Map<number, (conn: Conn) => void>();
  readonly #outgoing = new Map<number, Conn>();
  readonly #conns = new Map<number, Conn>();
  #lastCall = 0;
  #lastHandle = 0;
  #ended = false;

  constructor(place: PeerPlace, child: ChildProcess, notice: Notice) {
    this.name = place.name;
    this.interface = place.interface;
    this.linkLocal = place.linkLocal;
    this.global = place.ula;
    this.notice = notice;
    this.#child = child;
    createInterface({ input: child.stdout! }).on('line', (line) => this.#line(JSON.parse(line) as Reply));
    child.once('close', () => {
      this.#ended = true;
      for (const answer of this.#calls.values()) answer({ error: `the agent of ${this.name} ended` });
    });
    child.stdin!.on('error', () => undefined); // its end is told by `close`
  }

  /** The initiator field of this peer's messages. */
  get initiator(): Buffer {
    return addressBytes(this.global);
  }

  /** Forgets all sockets, and hears the group again. */
  async begin(journal: Journal): Promise<void> {
    this.journal = undefined;
    await this.do('clear', {});
    this.multicasts.length = 0;
    this.#datagrams.clear();
    this.#servers.clear();
    this.#conns.clear();
    this.journal = journal;
    const handle = ++this.#lastHandle;
    this.#datagrams.set(handle, (datagram) => this.#multicast(datagram));
    await this.do('udp', {
      handle,
      port: GRASP_LISTEN_PORT,
      address: ALL_GRASP_NEIGHBORS_6,
      group: ALL_GRASP_NEIGHBORS_6,
    });
  }

  /** Hears the IPv4 group too, on the interface with this address. */
  async joinIPv4(interfaceAddress: string): Promise<void> {
    const handle = ++this.#lastHandle;
    this.#datagrams.set(handle, (datagram) => this.#multicast(datagram));
    await this.do('udp', {
      handle,
      port: GRASP_LISTEN_PORT,
      address: ALL_GRASP_NEIGHBORS_4,
      group: ALL_GRASP_NEIGHBORS_4,
      family: 4,
      interfaceAddress,
    });
  }

  /**
   * A UDP socket and a TCP listener on one port, as an initiator of discoveries has them (G-2.8.4-03).
   * `tcp: false`: nobody listens; `reset`: connections are reset at once. `address`: the source of datagrams.
   * `family: 4`: by IPv4, in rows that have it.
   */
  async pair(options: PairOptions = {}): Promise<Pair> {
    for (let tries = 0; ; tries++) {
      const { family } = options;
      const pair = new Pair(this, ++this.#lastHandle, ++this.#lastHandle, family);
      const connection = (conn: Conn): void => {
        pair.connections.push(conn);
        this.notice.changed();
      };
      this.#servers.set(pair.server, connection);
      this.#datagrams.set(pair.udp, (datagram) => {
        pair.datagrams.push(datagram);
        this.#note(`gets by UDP from [${datagram.address}]:${datagram.port} ${showBytes(datagram.bytes)}`);
      });
      try {
        const { address, hopLimit } = options;
        const udp = await this.do('udp', {
          handle: pair.udp,
          port: options.port ?? 0,
          address,
          family,
          interfaceAddress: this.ipv4,
          hopLimit,
          // A port given may be the group's, which other sockets of the peer have too.
          reuse: options.port !== undefined,
        });
        pair.port = udp['port'] as number;
        if (options.tcp !== false) {
          await this.do('listen', { handle: pair.server, port: pair.port, reset: options.reset });
        }
        return pair;
      } catch (error) {
        // The number may be taken for TCP alone.
        await this.do('close', { handle: pair.udp });
        if (tries === 5 || options.port !== undefined) throw error;
      }
    }
  }

  /** A TCP listener: what a locator of this peer points to. */
  async listen(options: { port?: number; address?: string; reset?: boolean } = {}): Promise<Listener> {
    const listener = new Listener(this, ++this.#lastHandle);
    this.#servers.set(listener.handle, (conn) => {
      listener.connections.push(conn);
      this.notice.changed();
    });
    listener.port = (await this.do('listen', { handle: listener.handle, ...options }))['port'] as number;
    return listener;
  }

  /** Connects; throws a {@link Violation} if that is refused. */
  async connect(host: string, port: number, options: ConnectOptions = {}): Promise<Conn> {
    const { conn, refused } = await this.tryConnect(host, port, options);
    if (!conn) throw new Violation(`${this.name} cannot connect to [${host}]:${port}: ${refused}`);
    return conn;
  }

  /** Connects, or tells why not. */
  async tryConnect(
    host: string,
    port: number,
    options: ConnectOptions = {},
  ): Promise<{ conn?: Conn; refused?: string }> {
    const reply = await this.#ask('connect', { host, port, ...options });
    if (reply.error !== undefined) {
      this.#note(`cannot connect to [${host}]:${port}: ${reply.code ?? reply.error}`);
      return { refused: reply.code ?? reply.error };
    }
    const conn = this.#outgoing.get(reply['conn'] as number)!;
    this.#outgoing.delete(reply['conn'] as number);
    return { conn };
  }

  /** Sends datagrams from a UDP socket. */
  async send(udp: number, items: readonly Sendable[], address: string, port: number): Promise<void> {
    const bytes = items.map(bytesOf);
    for (const each of bytes.slice(0, 3)) this.#note(`sends to [${address}]:${port} ${showBytes(each)}`);
    if (bytes.length > 3) this.#note(`… ${bytes.length} datagrams in all`);
    await this.do('send', { handle: udp, hex: bytes.map((each) => each.toString('hex')), address, port });
  }

  /** The first multicast heard that matches, not before number `from`; undefined if there is none in `ms`. */
  hears(
    matches: (message: unknown[], datagram: Datagram) => boolean,
    ms = 1000,
    from = 0,
  ): Promise<Datagram | undefined> {
    return this.notice.until(
      () =>
        this.multicasts
          .slice(from)
          .find((datagram) => datagram.message && matches(datagram.message, datagram)),
      ms,
    );
  }

  /** All multicasts heard so far that match. */
  heard(matches: (message: unknown[], datagram: Datagram) => boolean): Datagram[] {
    return this.multicasts.filter((datagram) => datagram.message && matches(datagram.message, datagram));
  }

  async do(what: string, command: object): Promise<Reply> {
    const reply = await this.#ask(what, command);
    if (reply.error !== undefined) throw new Error(`${this.name} ${what}: ${reply.error}`);
    return reply;
  }

  noteOn(text: string, at?: number): void {
    this.#note(text, at);
  }

  #ask(what: string, command: object): Promise<Reply> {
    if (this.#ended) return Promise.resolve({ error: `the agent of ${this.name} has ended` });
    const id = ++this.#lastCall;
    this.#child.stdin!.write(`${JSON.stringify({ ...command, id, do: what })}\n`);
    return new Promise((resolve) => this.#calls.set(id, resolve));
  }

  #multicast(datagram: Datagram): void {
    if (this.scripted.has(datagram.address)) return;
    this.multicasts.push(datagram);
    const { address, port, bytes, at } = datagram;
    this.#note(`hears from [${address}]:${port} ${showBytes(bytes)}`, at);
  }

  #note(text: string, at?: number): void {
    this.journal?.note(`${this.name} ${text}`, at);
  }

  #line(line: Reply): void {
    const at = (line['at'] as number | undefined) ?? now();
    switch (line['event']) {
      case 'reply': {
        const id = line['id'] as number;
        this.#calls.get(id)?.(line);
        this.#calls.delete(id);
        break;
      }
      case 'datagram': {
        const bytes = Buffer.from(line['hex'] as string, 'hex');
        const address = (line['address'] as string).split('%')[0]!;
        this.#datagrams.get(line['handle'] as number)?.({
          bytes,
          message: asMessage(bytes),
          address,
          port: line['port'] as number,
          at,
        });
        break;
      }
      case 'connection': {
        const conn = new Conn(this, line['conn'] as number, {
          remoteAddress: String(line['remoteAddress'])
            .split('%')[0]!
            .replace(/^::ffff:/, ''),
          remotePort: line['remotePort'] as number,
          localAddress: String(line['localAddress']).split('%')[0]!,
          localPort: line['localPort'] as number,
          at,
        });
        this.#conns.set(conn.id, conn);
        if (line['server'] === undefined) this.#outgoing.set(conn.id, conn);
        else {
          this.#note(`accepts [${conn.remoteAddress}]:${conn.remotePort} at ${conn.localPort}`, at);
          this.#servers.get(line['server'] as number)?.(conn);
        }
        break;
      }
      case 'data':
        this.#conns.get(line['conn'] as number)?.received(Buffer.from(line['hex'] as string, 'hex'), at);
        break;
      case 'fin':
        this.#conns.get(line['conn'] as number)?.ended('fin', at);
        break;
      case 'closed':
        this.#conns.get(line['conn'] as number)?.ended(line.error === undefined ? 'closed' : 'reset', at);
        break;
      default:
        this.#note(JSON.stringify(line));
    }
    this.notice.changed();
  }
}

export interface PairOptions {
  readonly port?: number | undefined;
  readonly tcp?: boolean | undefined;
  readonly reset?: boolean | undefined;
  readonly address?: string | undefined;
  readonly family?: 4 | 6 | undefined;
  readonly hopLimit?: number | undefined;
}

export interface ConnectOptions {
  readonly localAddress?: string;
  readonly localPort?: number;
}

function asMessage(bytes: Buffer): unknown[] | undefined {
  try {
    const { value, length } = decodeFirst(bytes);
    return Array.isArray(value) && length === bytes.length ? value : undefined;
  } catch {
    return undefined; // kept as bytes; rows that look for messages do not see it
  }
}

export class Listener {
  readonly peer: Peer;
  readonly handle: number;
  /** In order of arrival. */
  readonly connections: Conn[] = [];
  port = 0;

  constructor(peer: Peer, handle: number) {
    this.peer = peer;
    this.handle = handle;
  }

  /** The n-th connection, from 0; throws a {@link Violation} if it is not there in `ms`. */
  async accept(ms = 1000, n = 0): Promise<Conn> {
    const conn = await this.peer.notice.until(() => this.connections[n], ms);
    if (!conn) throw new Violation(`no connection to port ${this.port} of ${this.peer.name} within ${ms} ms`);
    return conn;
  }

  async close(): Promise<void> {
    await this.peer.do('close', { handle: this.handle });
  }
}

export class Pair {
  readonly peer: Peer;
  readonly udp: number;
  readonly server: number;
  readonly connections: Conn[] = [];
  /** What came to the port by unicast UDP: nothing, if the engine keeps to RFC 8990. */
  readonly datagrams: Datagram[] = [];
  readonly family: 4 | 6;
  port = 0;

  constructor(peer: Peer, udp: number, server: number, family: 4 | 6 = 6) {
    this.family = family;
    this.peer = peer;
    this.udp = udp;
    this.server = server;
  }

  /** To the group: the IPv4 one if the pair was made for that. */
  multicast(...items: readonly Sendable[]): Promise<void> {
    const group = this.family === 4 ? ALL_GRASP_NEIGHBORS_4 : ALL_GRASP_NEIGHBORS_6;
    return this.peer.send(this.udp, items, group, GRASP_LISTEN_PORT);
  }

  unicast(address: string, port: number, ...items: readonly Sendable[]): Promise<void> {
    return this.peer.send(this.udp, items, address, port);
  }

  /** The n-th connection, from 0; throws a {@link Violation} if it is not there in `ms`. */
  async accept(ms = 2000, n = 0): Promise<Conn> {
    const conn = await this.peer.notice.until(() => this.connections[n], ms);
    if (!conn) throw new Violation(`no connection to port ${this.port} of ${this.peer.name} within ${ms} ms`);
    return conn;
  }
}

interface ConnEnds {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly at: number;
}

/** A TCP connection of a peer. */
export class Conn {
  readonly peer: Peer;
  readonly id: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly at: number;
  /** Everything received. */
  bytes: Buffer = Buffer.alloc(0);
  /** The messages in it. */
  readonly messages: Arrived[] = [];
  /** How the other side ended it: FIN, RST; undefined: not yet. */
  end: { readonly how: 'fin' | 'reset'; readonly at: number } | undefined;
  /** The socket is gone. */
  gone = false;
  #rest: Buffer = Buffer.alloc(0);
  #read = 0;
  #broken: string | undefined;

  constructor(peer: Peer, id: number, ends: ConnEnds) {
    this.peer = peer;
    this.id = id;
    this.remoteAddress = ends.remoteAddress;
    this.remotePort = ends.remotePort;
    this.localAddress = ends.localAddress;
    this.localPort = ends.localPort;
    this.at = ends.at;
  }

  /** @internal */
  received(bytes: Buffer, at: number): void {
    this.bytes = Buffer.concat([this.bytes, bytes]);
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length > 0 && this.#broken === undefined) {
      try {
        const { value, length } = decodeFirst(this.#rest);
        const item = this.#rest.subarray(0, length);
        this.#rest = this.#rest.subarray(length);
        this.peer.noteOn(`gets on TCP ${this.localPort} ${showBytes(item)}`, at);
        if (Array.isArray(value)) this.messages.push({ message: value, bytes: item, at });
        else this.#broken = `${show(value)} is no message`;
      } catch (error) {
        if (error instanceof Incomplete) return;
        this.#broken = `${(error as Error).message}: ${this.#rest.toString('hex')}`;
        this.peer.noteOn(`gets on TCP ${this.localPort} what is no CBOR: ${this.#broken}`, at);
      }
    }
  }

  /** @internal */
  ended(how: 'fin' | 'reset' | 'closed', at: number): void {
    if (how === 'closed') this.gone = true;
    else {
      this.end ??= { how, at };
      if (how === 'reset') this.gone = true;
      this.peer.noteOn(`sees ${how === 'fin' ? 'FIN' : 'RST'} on TCP ${this.localPort}`, at);
    }
  }

  /** The next message not yet read; throws a {@link Violation} if none comes in `ms`. */
  async next(ms = 1000): Promise<Arrived> {
    const found = await this.peer.notice.until(() => this.messages[this.#read] ?? this.#trouble(), ms);
    if (found === undefined) throw new Violation(`no message on the connection within ${ms} ms`);
    if (typeof found === 'string') throw new Violation(found);
    this.#read++;
    return found;
  }

  /** How the other side ends the connection; throws a {@link Violation} if it does not in `ms`. */
  async closes(ms = 1000): Promise<{ how: 'fin' | 'reset'; at: number }> {
    const end = await this.peer.notice.until(() => this.end, ms);
    if (!end) throw new Violation(`the connection is not closed within ${ms} ms`);
    return end;
  }

  /** Each item in a segment of its own. */
  async send(...items: readonly Sendable[]): Promise<void> {
    const bytes = items.map(bytesOf);
    for (const each of bytes) this.peer.noteOn(`sends on TCP ${this.localPort} ${showBytes(each)}`);
    await this.peer.do('write', { conn: this.id, hex: bytes.map((each) => each.toString('hex')) });
  }

  /** All items in one segment. */
  async sendJoined(...items: readonly Sendable[]): Promise<void> {
    await this.send(Buffer.concat(items.map(bytesOf)));
  }

  /** FIN. */
  async finish(): Promise<void> {
    await this.peer.do('end', { conn: this.id });
  }

  /** RST. */
  async reset(): Promise<void> {
    await this.peer.do('reset', { conn: this.id });
  }

  /** Its own half stays open after the other side's FIN. */
  async hold(): Promise<void> {
    await this.peer.do('hold', { conn: this.id });
  }

  #trouble(): string | undefined {
    if (this.#broken !== undefined) return `the connection carries what is no message: ${this.#broken}`;
    if (this.end) return `the connection was closed (${this.end.how}) without a further message`;
    return undefined;
  }
}
