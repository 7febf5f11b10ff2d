/**
 * The floor of a step: 40 bytes there and 40 bytes back on a connection that stays open. Imports nothing of the
 * project.
 *
 *     node dist/bench/floors/ping-pong.js server ADDR
 *     node dist/bench/floors/ping-pong.js client ADDR PORT COUNT CONCURRENCY
 *
 * The server prints `{"event":"ready","port":N}` and ends with its standard input; the client warms up, prints one
 * result and ends.
 */
import net from 'node:net';

const BYTES = 40;

function serve(host: string): void {
  const answer = Buffer.alloc(BYTES, 2);
  const server = net.createServer({ noDelay: true }, (socket) => {
    let received = 0;
    socket.on('data', (bytes) => {
      received += bytes.length;
      for (; received >= BYTES; received -= BYTES) socket.write(answer);
    });
    socket.on('error', () => undefined);
  });
  server.listen({ port: 0, host }, () => {
    const { port } = server.address() as net.AddressInfo;
    process.stdout.write(`${JSON.stringify({ event: 'ready', port })}\n`);
  });
  process.stdin.on('end', () => process.exit(0)).resume();
}

/** `count` round trips on one connection; resolves with how long each took, ms. */
function play(host: string, port: number, count: number): Promise<number[]> {
  const ask = Buffer.alloc(BYTES, 1);
  const took: number[] = [];
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, noDelay: true });
    let received = 0;
    let at = 0;
    const send = (): void => {
      at = performance.now();
      socket.write(ask);
    };
    socket.on('connect', send);
    socket.on('data', (bytes) => {
      received += bytes.length;
      if (received < BYTES) return;
      received -= BYTES;
      took.push(performance.now() - at);
      if (took.length < count) return send();
      socket.end();
      resolve(took);
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed after ${took.length}`)));
  });
}

async function measure(host: string, port: number, count: number, concurrency: number): Promise<void> {
  const all = async (steps: number): Promise<number[]> => {
    const each = Math.ceil(steps / concurrency);
    return (await Promise.all(Array.from({ length: concurrency }, () => play(host, port, each)))).flat();
  };
  await all(Math.min(4000, Math.ceil(count / 2)));
  const at = performance.now();
  const took = await all(count);
  const seconds = (performance.now() - at) / 1000;
  const sorted = Float64Array.from(took).sort();
  const quantile = (q: number): number => Number((sorted[Math.floor(sorted.length * q)] ?? 0).toFixed(4));
  const rate = Math.round(took.length / seconds);
  const result = { failures: 0, p50Ms: quantile(0.5), p99Ms: quantile(0.99), rate };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

const [role, host = '::1', port, count, concurrency] = process.argv.slice(2);
if (role === 'server') serve(host);
else await measure(host, Number(port), Number(count), Number(concurrency));
