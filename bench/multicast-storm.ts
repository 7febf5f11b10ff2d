/**
 * The sender of the benchmarks with multicasts: GRASP messages from a raw socket at a steady rate.
 *
 *     node dist/bench/multicast-storm.js IF GROUP PORT flood|discovery NAMES
 *
 * Prints `{"event":"ready"}`; a line `{"do":"storm","count":N,"rate":N}` is answered by `{"sent","failed","seconds"}`
 * when all have left. The n-th message is about the name n modulo NAMES; floods hold the number n as value. No session
 * id comes twice.
 */
import { createSocket } from 'node:dgram';
import {
  encodeMessage,
  encodeValue,
  F_DISC,
  F_NEG,
  F_SYNCH,
  M_DISCOVERY,
  M_FLOOD,
} from '../src/protocol/index.js';
import { FIRST, nameOf, valueOf } from './support/storm.js';
import { number, say, serveCommands, type Command } from './support/commands.js';

const SESSION_ID_AT = 3;
const TTL_MS = 600_000;
const LOOP_COUNT = 6;
/** Nobody's address: it only tells session ids apart. */
const INITIATOR = Uint8Array.from([0xfd, 0, 0xbe, 0x7c, ...new Array<number>(11).fill(0), 0xee]);

function template(kind: string, index: number): Buffer {
  const head = { sessionId: FIRST, initiator: INITIATOR };
  const objective = { name: nameOf(index), loopCount: LOOP_COUNT };
  return Buffer.from(
    kind === 'flood'
      ? encodeMessage({
          type: M_FLOOD,
          ...head,
          ttl: TTL_MS,
          objectives: [
            {
              objective: { ...objective, flags: F_DISC | F_SYNCH, value: encodeValue(FIRST) },
              locator: undefined,
            },
          ],
        })
      : encodeMessage({
          type: M_DISCOVERY,
          ...head,
          objective: { ...objective, flags: F_DISC | F_NEG, value: undefined },
        }),
  );
}

async function main([name = '', group = '', port, kind = 'flood', names]: readonly string[]): Promise<void> {
  const templates = Array.from({ length: Number(names) }, (_, index) => template(kind, index));
  // The value is the one other five-byte number that begins like FIRST.
  const valueAt = templates.map((each) => each.lastIndexOf(Buffer.from([0x1a, 0x10, 0, 0, 0])) + 1);
  const socket = createSocket('udp6');
  await new Promise<void>((resolve) => socket.bind(0, resolve));
  socket.setMulticastInterface(`::%${name}`);
  await new Promise<void>((resolve) => socket.connect(Number(port), `${group}%${name}`, resolve));
  let failed = 0;
  let stamp = 0;

  function send(n: number): void {
    const index = n % templates.length;
    // A copy: what is sent is read later.
    const datagram = Buffer.from(templates[index]!);
    datagram.writeUInt32BE(FIRST + stamp++, SESSION_ID_AT);
    if (kind === 'flood') datagram.writeUInt32BE(valueOf(n), valueAt[index]!);
    socket.send(datagram, (error) => {
      if (error) failed += 1;
    });
  }

  /** Takes the thread: a timer would be late under load, and the rate with it. */
  async function storm(command: Command): Promise<object> {
    const [count, perMs] = [number(command, 'count'), number(command, 'rate') / 1000];
    const pause = new Int32Array(new SharedArrayBuffer(4));
    failed = 0;
    const began = performance.now();
    for (let sent = 0; sent < count;) {
      const due = Math.min(count, Math.floor((performance.now() - began) * perMs));
      for (; sent < due; sent++) send(sent);
      if (sent < count) Atomics.wait(pause, 0, 0, 1);
    }
    const seconds = (performance.now() - began) / 1000;
    await new Promise((resolve) => setImmediate(resolve));
    return { sent: count - failed, failed, seconds };
  }

  serveCommands({ storm }, async () => undefined);
  say({ event: 'ready' });
}

await main(process.argv.slice(2));
