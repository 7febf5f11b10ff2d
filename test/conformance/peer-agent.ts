/**
 * The scripted peer's sockets, in a namespace of its own: carries out commands on stdin (JSON lines, `{id, do, …}`)
 * and reports what happens on stdout. Knows bytes only. Argument: the interface.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

const [interfaceName = 'lo'] = process.argv.slice(2);

type Command = Readonly<Record<string, unknown>> & { readonly id: number; readonly do: string };

const sockets = new Map<number, UdpSocket>();
const servers = new Map<number, Server>();
const connections = new Map<number, Socket>();
let lastConnection = 0;

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
/** ms of the system's monotonic clock, which all processes of the host share. */
const now = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

const zoned = (address: string): string =>
  /^(fe[89ab]|ff[0-9a-f]2:)/i.test(address) && !address.includes('%')
    ? `${address}%${interfaceName}`
    : address;

/** A UDP socket; with `group` it also hears what is sent there. */
async function openUdp(command: Command): Promise<object> {
  const { handle, port, address, group, family } = command as unknown as {
    handle: number;
    port?: number;
    address?: string;
    group?: string;
    family?: 4 | 6;
  };
  const socket = createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    reuseAddr: group !== undefined || command['reuse'] === true,
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ port: port ?? 0, address: address && zoned(address) }, resolve);
  });
  socket.removeAllListeners('error');
  socket.on('error', (error) => say({ event: 'udp.error', handle, error: error.message }));
  socket.on('message', (bytes, from) =>
    say({
      event: 'datagram',
      handle,
      hex: bytes.toString('hex'),
      address: from.address,
      port: from.port,
      at: now(),
    }),
  );
  if (family === 4) {
    const own = command['interfaceAddress'] as string;
    if (group !== undefined) socket.addMembership(group, own);
    socket.setMulticastInterface(own);
  } else {
    if (group !== undefined) socket.addMembership(group, `::%${interfaceName}`);
    socket.setMulticastInterface(`::%${interfaceName}`);
  }
  // The peer's own multicasts are no observation.
  socket.setMulticastLoopback(false);
  if (typeof command['hopLimit'] === 'number') socket.setMulticastTTL(command['hopLimit']);
  sockets.set(handle, socket);
  return { port: socket.address().port };
}

function send(command: Command): Promise<object> {
  const { handle, hex, address, port } = command as unknown as {
    handle: number;
    hex: string[];
    address: string;
    port: number;
  };
  const socket = sockets.get(handle);
  if (!socket) throw new Error(`no UDP socket ${handle}`);
  return new Promise((resolve, reject) => {
    let left = hex.length;
    if (left === 0) resolve({});
    for (const each of hex) {
      socket.send(Buffer.from(each, 'hex'), port, zoned(address), (error) => {
        if (error) reject(error);
        else if (--left === 0) resolve({ at: now() });
      });
    }
  });
}

function adopt(socket: Socket, extra: object): number {
  const conn = ++lastConnection;
  connections.set(conn, socket);
  socket.setNoDelay(true);
  say({
    event: 'connection',
    conn,
    ...extra,
    remoteAddress: socket.remoteAddress,
    remotePort: socket.remotePort,
    localAddress: socket.localAddress,
    localPort: socket.localPort,
    at: now(),
  });
  let reason: string | undefined;
  socket.on('data', (bytes) => say({ event: 'data', conn, hex: bytes.toString('hex'), at: now() }));
  socket.on('end', () => {
    say({ event: 'fin', conn, at: now() });
    if (!held.has(conn)) socket.end();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => (reason = error.code ?? error.message));
  socket.on('close', () => {
    connections.delete(conn);
    say({ event: 'closed', conn, error: reason, at: now() });
  });
  return conn;
}

/** Connections whose own half stays open after the other side's FIN. */
const held = new Set<number>();

function listen(command: Command): Promise<object> {
  const { handle, port, address } = command as unknown as { handle: number; port?: number; address?: string };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (command['reset'] === true) socket.resetAndDestroy();
    else adopt(socket, { server: handle });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: port ?? 0, host: address ? zoned(address) : '::' }, () => {
      servers.set(handle, server);
      const bound = server.address();
      resolve({ port: typeof bound === 'object' ? bound!.port : 0 });
    });
  });
}

function open(command: Command): Promise<object> {
  const { host, port, localAddress, localPort } = command as unknown as {
    host: string;
    port: number;
    localAddress?: string;
    localPort?: number;
  };
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: zoned(host),
      port,
      noDelay: true,
      allowHalfOpen: true,
      ...(localAddress === undefined ? {} : { localAddress: zoned(localAddress) }),
      ...(localPort === undefined ? {} : { localPort }),
    });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve({ conn: adopt(socket, { call: command.id }), at: now() });
    });
  });
}

function connectionOf(command: Command): Socket | undefined {
  return connections.get(command['conn'] as number);
}

const handlers: Record<string, (command: Command) => Promise<object> | object> = {
  udp: openUdp,
  send,
  listen,
  connect: open,
  /** Each of `hex` in a segment of its own. */
  write: async (command) => {
    const socket = connectionOf(command);
    if (!socket || socket.destroyed) return { gone: true };
    for (const hex of command['hex'] as string[]) {
      if (socket.destroyed) return { gone: true };
      await new Promise<void>((resolve) => socket.write(Buffer.from(hex, 'hex'), () => resolve()));
    }
    return { at: now() };
  },
  hold: (command) => {
    held.add(command['conn'] as number);
    return {};
  },
  end: (command) => {
    connectionOf(command)?.end();
    return {};
  },
  reset: (command) => {
    connectionOf(command)?.resetAndDestroy();
    return {};
  },
  pause: (command) => {
    connectionOf(command)?.pause();
    return {};
  },
  /** Ends one server or socket. */
  close: async (command) => {
    const handle = command['handle'] as number;
    sockets.get(handle)?.close();
    sockets.delete(handle);
    const server = servers.get(handle);
    servers.delete(handle);
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
    return {};
  },
  /** Forgets everything: the next row begins. */
  clear: () => {
    for (const socket of sockets.values()) socket.close();
    for (const server of servers.values()) server.close();
    for (const socket of connections.values()) socket.resetAndDestroy();
    sockets.clear();
    servers.clear();
    held.clear();
    return {};
  },
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line) as Command;
  void (async () => {
    try {
      const handler = handlers[command.do];
      if (!handler) throw new Error(`no command ${command.do}`);
      say({ event: 'reply', id: command.id, ...(await handler(command)) });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      say({ event: 'reply', id: command.id, error: message, code });
    }
  })();
});
process.stdin.on('close', () => process.exit(0));
say({ event: 'ready' });
