/**
 * The floor of a discovery: a multicast of 48 bytes, and an answer of 64 over a TCP connection to its source. Through
 * relays: each sends the multicast on to its other interface, and passes the answer back. Imports nothing of the
 * project.
 *
 *     node dist/bench/floors/answer.js ask IF WARM_UP WARM_UP_PACE_MS COUNT PACE_MS TIMEOUT_MS
 *     node dist/bench/floors/answer.js answer IF
 *     node dist/bench/floors/answer.js relay IF IF
 *
 * A question is a number and the port for its answer; an answer is the number. `ask` prints one result and ends; the
 * others print `{"event":"ready"}` and end with their standard input.
 */
import { createSocket, type Socket } from 'node:dgram';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const GROUP = 'ff02::7f17';
const PORT = 17_017;
const QUESTION_BYTES = 48;
const ANSWER_BYTES = 64;

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** Hears questions on an interface. */
function hear(name: string, heard: (id: number, port: number, source: string) => void): Promise<void> {
  const socket = createSocket({ type: 'udp6', reuseAddr: true });
  socket.on('message', (bytes, { address }) => heard(bytes.readUInt32BE(0), bytes.readUInt16BE(4), address));
  return new Promise((resolve) => {
    socket.bind(PORT, `${GROUP}%${name}`, () => {
      socket.addMembership(GROUP, `::%${name}`);
      resolve();
    });
  });
}

/** A way to send questions, and a listener for their answers. */
async function asking(name: string, answered: (id: number) => void): Promise<(id: number) => void> {
  const server = net.createServer({ noDelay: true }, (connection) => {
    connection.once('data', (bytes) => answered(bytes.readUInt32BE(0)));
    connection.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '::', resolve));
  const { port } = server.address() as net.AddressInfo;
  const socket: Socket = createSocket('udp6');
  await new Promise<void>((resolve) => socket.bind(0, resolve));
  socket.setMulticastInterface(`::%${name}`);
  return (id) => {
    const question = Buffer.alloc(QUESTION_BYTES);
    question.writeUInt32BE(id, 0);
    question.writeUInt16BE(port, 4);
    socket.send(question, PORT, `${GROUP}%${name}`);
  };
}

function answer(id: number, host: string, port: number): void {
  const text = Buffer.alloc(ANSWER_BYTES);
  text.writeUInt32BE(id, 0);
  const socket = net.connect({ host, port, noDelay: true }, () => socket.end(text));
  socket.on('error', () => undefined);
  socket.resume();
}

/** Asks a number of times; only what comes after the warm-up is told. */
async function ask(
  name: string,
  [warmUp = 0, warmUpPaceMs = 0, count = 0, paceMs = 0, timeoutMs = 0]: readonly number[],
): Promise<void> {
  const waiting = new Map<number, () => void>();
  const send = await asking(name, (id) => waiting.get(id)?.());
  const tookMs: number[] = [];
  let failures = 0;
  for (let id = 1; id <= warmUp + count; id++) {
    const isWarmUp = id <= warmUp;
    const pause = isWarmUp ? warmUpPaceMs : paceMs;
    if (pause > 0) await delay(pause);
    const at = performance.now();
    const answered = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      waiting.set(id, () => {
        clearTimeout(timer);
        resolve(true);
      });
      send(id);
    });
    if (isWarmUp) continue;
    if (answered) tookMs.push(performance.now() - at);
    else failures += 1;
  }
  say({ tookMs, failures });
  process.exit(0);
}

const [role, first = '', ...rest] = process.argv.slice(2);
const [second = ''] = rest;
if (role === 'ask') await ask(first, rest.map(Number));
else {
  if (role === 'answer') await hear(first, (id, port, source) => answer(id, source, port));
  else {
    const sources = new Map<number, { source: string; port: number }>();
    const send = await asking(second, (id) => {
      const asker = sources.get(id);
      if (asker) answer(id, asker.source, asker.port);
      sources.delete(id);
    });
    await hear(first, (id, port, source) => {
      sources.set(id, { source, port });
      send(id);
    });
  }
  say({ event: 'ready' });
  process.stdin.on('end', () => process.exit(0)).resume();
}
