import { createSocket, type Socket as UdpSocket, type SocketOptions } from 'node:dgram';
import { createServer, isIPv4, Socket, type Server, type SocketConstructorOpts } from 'node:net';
import { isLinkLocal, wrapError, zoned } from './platform.js';
import type { PlainSettings } from './options.js';

/**
 * A UDP socket that looks nothing up, for every address it is given is numeric: a datagram leaves in the call that sends it, not
 * after what else the turn has to do.
 */
function udpSocket(options: SocketOptions): UdpSocket {
  return createSocket({
    ...options,
    lookup: (address, _options, callback) => callback(null, address, isIPv4(address) ? 4 : 6),
  });
}

/** Binds a UDP socket; rejects with the error wrapped, the socket closed. */
function bind(socket: UdpSocket, address: string, port: number, what: string): Promise<UdpSocket> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      socket.close();
      reject(wrapError(error, what));
    };
    socket.once('error', failed);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

/**
 * The receive socket of one interface: bound to the group's address with the interface as its zone, so that it
 * gets this interface's multicasts only (a socket on `::` would hear every group any socket of the host has
 * joined) and the interface is known even of a global source. `reuseAddr`: several engines of a host each get
 * every multicast.
 */
export async function openReceiveSocket(settings: PlainSettings, interfaceName: string): Promise<UdpSocket> {
  const { group, port, receiveBufferBytes } = settings;
  const what = `receiver on ${interfaceName}`;
  const socket = udpSocket({ type: 'udp6', reuseAddr: true });
  await bind(socket, zoned(group, interfaceName), port, what);
  try {
    socket.addMembership(group, zoned('::', interfaceName));
    socket.setRecvBufferSize(receiveBufferBytes);
    return socket;
  } catch (error) {
    socket.close();
    throw wrapError(error, what);
  }
}

/** Joins the group again, whether the kernel still knows the membership or not. */
export function rejoin(socket: UdpSocket, { group }: PlainSettings, interfaceName: string): void {
  for (const change of ['dropMembership', 'addMembership'] as const) {
    try {
      socket[change](group, zoned('::', interfaceName));
    } catch {
      // Not a member any more, or the interface is going again: the next look finds it, or its loss.
    }
  }
}

/** The receive socket for IPv4 multicasts of every interface; who is joined is up to the caller. */
export async function openIpv4ReceiveSocket(settings: PlainSettings): Promise<UdpSocket> {
  const socket = udpSocket({ type: 'udp4', reuseAddr: true });
  await bind(socket, settings.group4, settings.port, 'IPv4 receiver');
  socket.setRecvBufferSize(settings.receiveBufferBytes);
  return socket;
}

/** The IPv4 send socket of one interface, to be told the interface's address before each send. */
export async function openIpv4SendSocket(settings: PlainSettings, port: number): Promise<UdpSocket> {
  const socket = udpSocket({ type: 'udp4', reuseAddr: port === settings.port });
  await bind(socket, '0.0.0.0', port, 'IPv4 sender');
  socket.setMulticastTTL(settings.hopLimit);
  socket.setMulticastLoopback(true);
  return socket;
}

/** A socket for unicasts to one address of an interface, exclusively. */
export async function openUnicastSocket(
  settings: PlainSettings,
  address: string,
  interfaceName: string,
): Promise<UdpSocket> {
  const what = `unicast receiver on ${address}`;
  const isV4 = isIPv4(address);
  const socket = udpSocket(isV4 ? { type: 'udp4' } : { type: 'udp6', ipv6Only: true });
  await bind(socket, isLinkLocal(address) ? zoned(address, interfaceName) : address, settings.port, what);
  socket.setRecvBufferSize(settings.receiveBufferBytes);
  return socket;
}

/** The send socket of one interface. On `::`, so that it outlives every change of addresses. */
export async function openSendSocket(
  settings: PlainSettings,
  interfaceName: string,
  port: number,
): Promise<UdpSocket> {
  const what = `sender on ${interfaceName}`;
  // On the group's own port the receive sockets are there already, and they allow reuse.
  const socket = udpSocket({ type: 'udp6', ipv6Only: true, reuseAddr: port === settings.port });
  await bind(socket, '::', port, what);
  try {
    socket.setMulticastInterface(zoned('::', interfaceName));
    socket.setMulticastTTL(settings.hopLimit);
    socket.setMulticastLoopback(true);
    return socket;
  } catch (error) {
    socket.close();
    throw wrapError(error, what);
  }
}

/** As many kinds of options, each made so often, as it takes until V8 stops to make shortcuts for each. */
const KINDS = 5;
const TIMES = 10;
let hasMetManyKinds = false;

/**
 * Shows V8 sockets with options of many kinds, once in a thread. Node copies the options of each socket and adds to the copy.
 * As long as V8 has met few kinds of options there, it copies by a shortcut that ends in a hidden class of its own for
 * each copy, and every later look into one is a slow one: 16 µs of the 18 that making an accepted socket takes.
 */
function meetManyKinds(): void {
  if (hasMetManyKinds) return;
  hasMetManyKinds = true;
  for (let time = 0; time < TIMES; time++) {
    // Without a handle they are objects and nothing else.
    for (let kind = 0; kind < KINDS; kind++) new Socket({ [`kind${kind}`]: true } as SocketConstructorOpts);
  }
}

/** A TCP listener on every address of the host, IPv4 too. Rejects with the error wrapped. */
export function openServer(
  port: number,
  backlog: number,
  onSocket: (socket: Socket) => void,
): Promise<Server> {
  meetManyKinds();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onSocket);
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(wrapError(error, `listener on port ${port}`));
    server.once('error', failed);
    server.listen({ host: '::', port, backlog, exclusive: true }, () => {
      server.off('error', failed);
      // No descriptor left for a connection that wants in: the peer is turned away, the listener stays.
      server.on('error', () => undefined);
      resolve(server);
    });
  });
}

/** Stops accepting; resolves when the port is free. Accepted connections go on. */
export function closeServer(server: Server): Promise<void> {
  // The callback of `close` waits for every accepted connection; the handle itself is closed within a turn.
  return new Promise((resolve) => {
    server.close();
    setImmediate(resolve);
  });
}

export function closeSocket(socket: UdpSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.close(() => resolve());
  });
}
