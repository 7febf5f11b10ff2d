/**
 * The floor of floods: raw UDP multicasts counted, or sent on to the next link. Imports nothing of the project.
 *
 *     node dist/bench/floors/datagrams.js count IF GROUP PORT [KIND]   counts what comes; of GRASP only messages of a kind
 *     node dist/bench/floors/datagrams.js forward IF IF GROUP PORT     sends what comes by the first on to the second
 *     node dist/bench/floors/datagrams.js send IF GROUP PORT           sends numbers from 0 up, as it is told
 *
 * All print `{"event":"ready"}` and end with their standard input. A line to `count` is answered by what has come since
 * the last one: how many, when the first and the last, and with at most 10,000 of them each number and its time. A line
 * to `send`, `{"count":N,"paceMs":N}`, is answered when they have left, with the time of each. Times are those of the
 * monotonic clock of the machine, ns as text.
 */
import { createSocket, type Socket } from 'node:dgram';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
const MOST_TIMES = 10_000;
const BYTES = 64;

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const now = (): string => process.hrtime.bigint().toString();

function hear(name: string, group: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp6', reuseAddr: true });
  return new Promise((resolve) => {
    socket.bind(port, `${group}%${name}`, () => {
      socket.addMembership(group, `::%${name}`);
      socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
      resolve(socket);
    });
  });
}

async function sender(name: string, group: string, port: number): Promise<Socket> {
  const socket = createSocket('udp6');
  await new Promise<void>((resolve) => socket.bind(0, resolve));
  socket.setMulticastInterface(`::%${name}`);
  await new Promise<void>((resolve) => socket.connect(port, `${group}%${name}`, resolve));
  socket.on('error', () => undefined);
  return socket;
}

/** @param kind message type of GRASP, the second byte; NaN: all */
async function count(name: string, group: string, port: number, kind: number): Promise<void> {
  const socket = await hear(name, group, port);
  let received = 0;
  let first = '0';
  let last = '0';
  let times: [number, string][] = [];
  socket.on('message', (bytes) => {
    if (!Number.isNaN(kind) && bytes[1] !== kind) return;
    received += 1;
    // Reading the clock costs more than counting: only of the few.
    if (times.length < MOST_TIMES) times.push([bytes.readUInt32BE(0), (last = now())]);
    else if (received % 100 === 0) last = now();
    if (received === 1) first = last;
  });
  createInterface({ input: process.stdin }).on('line', () => {
    const told = { received, first, last, ...(received <= MOST_TIMES ? { times } : {}) };
    received = 0;
    times = [];
    say(told);
  });
}

async function send(name: string, group: string, port: number): Promise<void> {
  const socket = await sender(name, group, port);
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { count: wanted, paceMs } = JSON.parse(line) as { count: number; paceMs: number };
    void (async () => {
      const sent: string[] = [];
      for (let value = 0; value < wanted; value++) {
        await delay(paceMs);
        const datagram = Buffer.alloc(BYTES);
        datagram.writeUInt32BE(value, 0);
        sent.push(now());
        socket.send(datagram);
      }
      say({ sent });
    })();
  });
}

async function forward(from: string, to: string, group: string, port: number): Promise<void> {
  const out = await sender(to, group, port);
  (await hear(from, group, port)).on('message', (bytes) => out.send(bytes));
}

const [role, ...args] = process.argv.slice(2) as [string, ...string[]];
const [a = '', b = '', c = '', d = ''] = args;
if (role === 'count') await count(a, b, Number(c), d === '' ? NaN : Number(d));
else if (role === 'send') await send(a, b, Number(c));
else await forward(a, b, c, Number(d));
say({ event: 'ready' });
process.stdin.on('end', () => process.exit(0)).resume();
