/**
 * The floor: what the same exchange costs with raw sockets and nothing else, one process and one thread per side.
 *
 *     initiator: connect · 40 B →            (M_REQ_NEG)
 *     responder:           ← 40 B            (M_NEGOTIATE)
 *     initiator: 20 B →, then closes         (M_END, accept)
 *     responder: closes when the 20 B are in
 *
 * Sizes and closing order are those of a negotiation of two steps. With `--request 31 --answer 38 --end 0` they are
 * those of a synchronization: M_REQ_SYN, M_SYNCH, and the responder closes first. Imports nothing of the project.
 *
 * With `--tuned` it does what the engine does so that making a socket costs V8 less (see `meetManyKinds` of
 * src/substrate/plain/sockets.ts); without, sockets are as Node makes them.
 *
 *     node dist/bench/floor.js server [--host ADDR] [sizes]
 *     node dist/bench/floor.js client --host ADDR --port N [--sessions N] [--concurrency N] [--warmup N] [--json] [sizes]
 *                                 [--tuned]
 *
 * The server prints `{"event":"ready","port":N}` and ends with its standard input. No retry: what fails is counted.
 */
import net from 'node:net';
import { parseArgs } from 'node:util';

/** Bytes of each message; an `end` of 0: the answer is the last one. */
interface Sizes {
  readonly request: number;
  readonly answer: number;
  readonly end: number;
}

/** An exchange without progress for so long has failed. */
const IDLE_MS = 10_000;

function serve(host: string, sizes: Sizes): void {
  const answer = Buffer.alloc(sizes.answer, 2);
  const server = net.createServer({ noDelay: true }, (socket) => {
    let received = 0;
    socket.on('data', (bytes) => {
      const before = received;
      received += bytes.length;
      if (before < sizes.request && received >= sizes.request) socket.write(answer);
      if (received >= sizes.request + sizes.end) socket.end();
    });
    // The client counts failures; a reset must only not end the server.
    socket.on('error', () => undefined);
  });
  server.listen({ port: 0, host, backlog: 4096 }, () => {
    const { port } = server.address() as net.AddressInfo;
    process.stdout.write(`${JSON.stringify({ event: 'ready', port })}\n`);
  });
  process.stdin.on('end', () => process.exit(0)).resume();
}

interface Run {
  readonly failures: number;
  readonly seconds: number;
  /** CPU time of this process, all threads, µs. */
  readonly cpuUs: number;
  /** Ascending, one per session without failure: from connect to the last byte handed to the kernel. */
  readonly latenciesMs: Float64Array;
}

function run(
  { host, port, sizes }: { host: string; port: number; sizes: Sizes },
  sessions: number,
  concurrency: number,
): Promise<Run> {
  const request = Buffer.alloc(sizes.request, 1);
  const end = Buffer.alloc(sizes.end, 3);
  const latencies: number[] = [];
  const reasons = new Map<string, number>();
  let started = 0;
  let closed = 0;
  let failures = 0;
  const startedAt = performance.now();
  const cpuAt = process.cpuUsage();

  return new Promise((resolve) => {
    const finish = (): void => {
      for (const [reason, count] of reasons) process.stderr.write(`floor: ${count} × ${reason}\n`);
      const seconds = (performance.now() - startedAt) / 1000;
      const cpu = process.cpuUsage(cpuAt);
      resolve({
        failures,
        seconds,
        cpuUs: cpu.user + cpu.system,
        latenciesMs: Float64Array.from(latencies).sort(),
      });
    };

    function begin(): void {
      if (started === sessions) return;
      started += 1;
      const at = performance.now();
      let received = 0;
      let handedOn = false;
      let failure: string | undefined;
      const next = (): void => {
        if (handedOn) return;
        handedOn = true;
        begin();
      };
      const socket = net.connect({ host, port, noDelay: true });
      socket.setTimeout(IDLE_MS, () => socket.destroy(new Error('idle')));
      socket.on('connect', () => socket.write(request));
      socket.on('data', (bytes) => {
        received += bytes.length;
        if (received < sizes.answer) return;
        const done = (): void => {
          latencies.push(performance.now() - at);
          next();
        };
        if (sizes.end > 0) socket.end(end, done);
        else {
          socket.end();
          done();
        }
      });
      socket.on('error', (error) => {
        failure = error.message;
      });
      socket.on('close', () => {
        if (failure === undefined && received !== sizes.answer) failure = `closed after ${received} bytes`;
        if (failure !== undefined) {
          failures += 1;
          reasons.set(failure, (reasons.get(failure) ?? 0) + 1);
        }
        closed += 1;
        next();
        if (closed === sessions) finish();
      });
    }

    if (sessions === 0) finish();
    for (let i = 0; i < Math.min(concurrency, sessions); i++) begin();
  });
}

const quantile = (sorted: Float64Array, q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;

async function measure(options: {
  peer: { host: string; port: number; sizes: Sizes };
  sessions: number;
  concurrency: number;
  warmup: number;
  json: boolean;
}): Promise<void> {
  const { peer, sessions, concurrency } = options;
  const warmup = await run(peer, options.warmup, concurrency);
  const { failures, seconds, cpuUs, latenciesMs } = await run(peer, sessions, concurrency);
  const result = {
    sessions,
    concurrency,
    failures: failures + warmup.failures,
    rate: Math.round((sessions - failures) / seconds),
    cpuUs: Math.round(cpuUs / sessions),
    p50Ms: Number(quantile(latenciesMs, 0.5).toFixed(4)),
    p99Ms: Number(quantile(latenciesMs, 0.99).toFixed(4)),
  };
  process.stdout.write(
    options.json
      ? `${JSON.stringify(result)}\n`
      : `${result.rate} sessions/s, p50 ${result.p50Ms} ms, p99 ${result.p99Ms} ms, ${result.failures} failures\n`,
  );
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    host: { type: 'string', default: '::1' },
    port: { type: 'string', default: '0' },
    sessions: { type: 'string', default: '10000' },
    concurrency: { type: 'string', default: '32' },
    warmup: { type: 'string', default: '1000' },
    request: { type: 'string', default: '40' },
    answer: { type: 'string', default: '40' },
    end: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
    tuned: { type: 'boolean', default: false },
  },
});
const role = positionals[0];
if (values.tuned) {
  for (let time = 0; time < 10; time++) {
    for (let kind = 0; kind < 5; kind++)
      new net.Socket({ [`kind${kind}`]: true } as net.SocketConstructorOpts);
  }
}
const sizes = { request: Number(values.request), answer: Number(values.answer), end: Number(values.end) };
if (role === 'server') serve(values.host, sizes);
else if (role === 'client') {
  await measure({
    peer: { host: values.host, port: Number(values.port), sizes },
    sessions: Number(values.sessions),
    concurrency: Number(values.concurrency),
    warmup: Number(values.warmup),
    json: values.json,
  });
} else {
  process.stderr.write(
    'usage: floor server|client --host ADDR --port N --sessions N --concurrency N [--json]\n',
  );
  process.exitCode = 2;
}
