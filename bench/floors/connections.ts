/**
 * The floor of memory per session: connections that stay open after 40 bytes there and 40 back. Imports nothing of the
 * project.
 *
 *     node --expose-gc dist/bench/floors/connections.js server ADDR
 *     node --expose-gc dist/bench/floors/connections.js client ADDR PORT
 *
 * Both print `{"event":"ready"}` (the server with its port) and end with their standard input. A line
 * `{"do":"open","count":N}` lets the client open so many more, `{"do":"release"}` closes them all, and
 * `{"do":"memory"}` is answered by what the process holds.
 */
import net from 'node:net';
import { createInterface } from 'node:readline';

const BYTES = 40;
const AT_ONCE = 64;
const [role, host = '::1', port = '0'] = process.argv.slice(2);
const open = new Set<net.Socket>();

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

function memory(): object {
  globalThis.gc?.();
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rssMb: rss / 1024 / 1024, heapMb: (heapUsed + external) / 1024 / 1024 };
}

function openOne(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port: Number(port), noDelay: true });
    open.add(socket);
    socket.once('connect', () => socket.write(Buffer.alloc(BYTES, 1)));
    socket.once('data', () => resolve());
    socket.once('error', reject);
    socket.once('close', () => open.delete(socket));
  });
}

async function openAll(count: number): Promise<object> {
  let failures = 0;
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await openOne().catch(() => (failures += 1));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return { failures };
}

async function releaseAll(): Promise<object> {
  const closed = [...open].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  for (const socket of open) socket.end();
  await Promise.all(closed);
  return { failures: 0 };
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line) as { do: string; count?: number };
    if (command.do === 'memory') say(memory());
    else void (command.do === 'open' ? openAll(command.count ?? 0) : releaseAll()).then(say);
  })
  .on('close', () => process.exit(0));

if (role === 'server') {
  const answer = Buffer.alloc(BYTES, 2);
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.once('data', () => socket.write(answer));
    socket.on('error', () => undefined);
    socket.resume();
  });
  server.listen({ port: 0, host, backlog: 4096 }, () => {
    say({ event: 'ready', port: (server.address() as net.AddressInfo).port });
  });
} else say({ event: 'ready' });
