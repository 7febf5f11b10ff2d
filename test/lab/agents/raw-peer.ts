/**
 * A peer that knows nothing of GRASP but bytes: sends datagrams and speaks on connections as it is told. Argument:
 * the interface. Commands: `datagrams`, `spoofed`, `storm`, `talk`, `hold`, `held`, `drop`.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { number, serveCommands, text, texts } from './serve.js';

const [interfaceName = 'lo'] = process.argv.slice(2);
const GROUP = `ff02::13%${interfaceName}`;
const GRASP_LISTEN_PORT = 7017;

/** A socket connected to the group: sending needs no look-up and happens at once. */
async function groupSocket(source?: string): Promise<UdpSocket> {
  const socket = createSocket('udp6');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, source ?? '::', () => {
      socket.setMulticastInterface(`::%${interfaceName}`);
      socket.connect(GRASP_LISTEN_PORT, GROUP, () => resolve());
    });
  });
  socket.removeAllListeners('error');
  return socket;
}

function transmit(socket: UdpSocket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

const bytesOf = (hex: string): Buffer => Buffer.from(hex, 'hex');

/** How a connection went: what came, and how it ended. */
interface Talk {
  readonly received: string;
  /** `open`: the connection was left open after `wait` bytes had come. */
  readonly ended: 'fin' | 'reset' | 'open';
}

interface TalkPlan {
  readonly host: string;
  readonly port: number;
  /** Each in a segment of its own. */
  readonly chunks: readonly string[];
  /** After the last chunk. `none`: waits for the other side. */
  readonly finish: 'fin' | 'reset' | 'none';
  /** Ends the talk when so many bytes have come. */
  readonly wait: number;
}

function talk(plan: TalkPlan): Promise<Talk> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: plan.host, port: plan.port, noDelay: true, allowHalfOpen: true });
    let received = '';
    let fin = false;
    const write = async (): Promise<void> => {
      for (const chunk of plan.chunks) {
        if (socket.destroyed || !socket.writable) return;
        // The callback comes when the kernel has it; with TCP_NODELAY that is a segment.
        await new Promise<void>((written) => socket.write(bytesOf(chunk), () => written()));
      }
      if (plan.finish === 'fin') socket.end();
      if (plan.finish === 'reset') socket.resetAndDestroy();
    };
    socket.once('connect', () => void write());
    socket.on('data', (data) => {
      received += data.toString('hex');
      if (plan.wait > 0 && received.length / 2 >= plan.wait) {
        socket.resetAndDestroy();
        resolve({ received, ended: 'open' });
      }
    });
    socket.on('end', () => {
      fin = true;
      socket.end();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'EHOSTUNREACH') reject(error);
    });
    socket.on('close', () => resolve({ received, ended: fin ? 'fin' : 'reset' }));
  });
}

const held = new Set<Socket>();

/** Opens a connection, sends `first`, and leaves it. */
function hold(host: string, port: number, first: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      held.add(socket);
      socket.on('close', () => held.delete(socket));
      socket.on('error', () => undefined);
      if (first.length > 0) socket.write(first);
      resolve();
    });
    socket.resume();
  });
}

serveCommands({
  datagrams: async (command) => {
    const socket = await groupSocket();
    for (const hex of texts(command, 'datagrams')) await transmit(socket, bytesOf(hex));
    socket.close();
    return { sent: texts(command, 'datagrams').length };
  },
  /** The n-th datagram from the n-th source address. */
  spoofed: async (command) => {
    const datagrams = texts(command, 'datagrams');
    const sources = texts(command, 'sources');
    let sent = 0;
    for (const source of sources) {
      const socket = await groupSocket(source);
      await transmit(socket, bytesOf(datagrams[sent % datagrams.length]!));
      socket.close();
      sent++;
    }
    return { sent };
  },
  /**
   * `count` datagrams, in turn from `datagrams`, at `rate` per second. Takes the thread. With `stampAt` each is
   * another one: a number that counts from `stamp` up is written to these four bytes.
   */
  storm: async (command) => {
    const datagrams = texts(command, 'datagrams').map(bytesOf);
    const [count, perMs] = [number(command, 'count'), number(command, 'rate') / 1000];
    const stampAt = command['stampAt'];
    const stamp = typeof command['stamp'] === 'number' ? command['stamp'] : 0;
    const socket = await groupSocket();
    const pause = new Int32Array(new SharedArrayBuffer(4));
    const began = performance.now();
    let failed = 0;
    socket.on('error', () => failed++);
    for (let sent = 0; sent < count;) {
      const due = Math.min(count, Math.floor((performance.now() - began) * perMs));
      for (; sent < due; sent++) {
        const datagram = datagrams[sent % datagrams.length]!;
        if (stampAt === undefined) socket.send(datagram);
        else {
          // A copy: what is sent is read later.
          const stamped = Buffer.from(datagram);
          stamped.writeUInt32BE(stamp + sent, Number(stampAt));
          socket.send(stamped);
        }
      }
      if (sent < count) Atomics.wait(pause, 0, 0, 1);
    }
    const ms = performance.now() - began;
    await new Promise<void>((resolve) => socket.send(datagrams[0]!, () => resolve()));
    socket.close();
    return { sent: count + 1 - failed, failed, ms };
  },
  talk: async (command) => talk(command as unknown as TalkPlan),
  talks: async (command) => ({
    talks: await Promise.all((command['plans'] as TalkPlan[]).map((plan) => talk(plan))),
  }),
  hold: async (command) => {
    const first = bytesOf(text(command, 'first'));
    const [host, port] = [text(command, 'host'), number(command, 'port')];
    const made = Array.from({ length: number(command, 'count') }, () => hold(host, port, first));
    const results = await Promise.allSettled(made);
    return { connected: results.filter((each) => each.status === 'fulfilled').length };
  },
  held: () => ({ open: held.size }),
  drop: () => {
    for (const socket of held) socket.resetAndDestroy();
    return {};
  },
});
