/**
 * Storms of floods at a relay and at a leaf. They need a machine with nothing else to do, so they are run when asked
 * for: `GRASP_STORM=short` for some seconds, `GRASP_STORM=full` for 30 s at 2,000 floods/s, 10 s at 20,000 datagrams/s.
 */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { encode } from 'cborg';
import {
  growth,
  mostMemory,
  startEngine,
  startRawPeer,
  sum,
  watchMemory,
  type Commanded,
} from './commanded.js';
import { labDescribe } from './describe.js';
import { createLab, type Lab } from './netns.js';
import { addRoutes } from './routes.js';

jest.setTimeout(240_000);

const FULL = process.env['GRASP_STORM'] === 'full';
const FLOODS = { rate: 2_000, seconds: FULL ? 30 : 5 };
const HEAVY = { rate: 20_000, seconds: FULL ? 10 : 3 };
const MB = 1024 * 1024;
const MEMORY_MB = 40;

const PLAN = {
  nodes: ['a', 'r', 'b', 'raw'],
  links: { l1: ['a', 'r', 'raw'], l2: ['r', 'b'] },
  ula: true,
};

const initiator = Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 0xfd : i));
/** Session ids take five bytes; the storm writes another one into each datagram. */
const FIRST_ID = 0x1000_0000;
const STAMP_AT = 3;
const floods = Array.from({ length: 200 }, (_, i) =>
  Buffer.from(
    encode([9, FIRST_ID, initiator, 60_000, [[`EX${i}`, 5, 6, ['value', 'x'.repeat(100)]], []]]),
  ).toString('hex'),
);

const threadsOf = (pid: number): number => readdirSync(`/proc/${pid}/task`).length;
const report = (text: string): void => void process.stderr.write(`${text}\n`);

const ASKED = process.env['GRASP_STORM'] !== undefined;
if (!ASKED)
  process.stderr.write('skipped: storms at a relay and at a leaf: GRASP_STORM is neither short nor full\n');
const stormDescribe = ASKED ? labDescribe : describe.skip;

stormDescribe('storms of floods at a relay and at a leaf', () => {
  let lab: Lab;
  let relay: Commanded;
  let gray: Commanded;
  let briggs: Commanded;
  let raw: Commanded;
  let stamp = FIRST_ID;

  beforeAll(async () => {
    lab = await createLab(PLAN);
    await addRoutes(lab, PLAN);
    const hungAfterMs = 10_000;
    relay = await startEngine(lab, 'r', { interface: '', interfaces: ['l1', 'l2'], hungAfterMs });
    gray = await startEngine(lab, 'a', { interface: 'l1', hungAfterMs });
    briggs = await startEngine(lab, 'b', { interface: 'l2', hungAfterMs });
    raw = await startRawPeer(lab, 'raw', 'l1');
    await briggs.call('offer', { name: 'EX3' });
    await negotiates();
    // What a storm takes once and for all: code that is compiled, caches that fill.
    await storm(FLOODS.rate, 1);
    await quiet();
  });
  afterAll(async () => {
    await lab.close();
  });

  function storm(rate: number, seconds: number): Promise<Record<string, unknown>> {
    const count = rate * seconds;
    stamp += count;
    return raw.call('storm', { datagrams: floods, count, rate, stampAt: STAMP_AT, stamp: stamp - count });
  }

  async function quiet(): Promise<void> {
    for (const engine of [relay, gray, briggs]) await engine.quiet();
  }

  /** Gray finds Briggs behind the relay, and both agree. */
  async function negotiates(): Promise<number> {
    const end = await gray.call('negotiate', { name: 'EX3' });
    expect(end).toMatchObject({ state: 'accepted' });
    return Number(end['ms']);
  }

  async function unharmed(): Promise<void> {
    for (const engine of [relay, gray, briggs]) {
      expect(Object.values(await engine.restarts()).reduce((all, count) => all + count, 0)).toBe(0);
    }
  }

  test(`${FLOODS.rate} floods/s for ${FLOODS.seconds} s at a relay: constant threads, memory flat within 40 MB, discovery and negotiation through it never fail`, async () => {
    const { pid } = relay.program;
    const before = (await relay.status()).counters;
    const threads = new Set([threadsOf(pid)]);
    const atRest = watchMemory(pid);
    let over = false;
    const storming = storm(FLOODS.rate, FLOODS.seconds).finally(() => (over = true));
    const took: number[] = [];
    while (!over) {
      took.push(await negotiates());
      threads.add(threadsOf(pid));
    }
    const { sent, ms } = await storming;
    await quiet();
    const grown = growth(before, (await relay.status()).counters);
    const memory = (mostMemory(pid) - atRest) / MB;
    const slowest = Math.max(...took).toFixed(0);
    report(
      `relay: ${String(sent)} floods in ${Number(ms).toFixed(0)} ms, ${grown['flood.relay.relayed'] ?? 0} relayed; ` +
        `${took.length} negotiations, slowest ${slowest} ms; ${memory.toFixed(1)} MB more; threads ${[...threads].join()}`,
    );
    report(JSON.stringify(grown));
    expect(ms).toBeLessThan(FLOODS.seconds * 1000 * 1.2);
    expect([...threads]).toHaveLength(1);
    expect(memory).toBeLessThanOrEqual(MEMORY_MB);
    expect(took.length).toBeGreaterThanOrEqual(3);
    await unharmed();
  });

  test.each(['relay', 'leaf'])(
    `${HEAVY.rate} datagrams/s for ${HEAVY.seconds} s at a %s: bounded, and it serves afterwards`,
    async (where) => {
      const target = where === 'relay' ? relay : gray;
      const { pid } = target.program;
      const before = (await target.status()).counters;
      const threads = threadsOf(pid);
      const atRest = watchMemory(pid);
      const { sent, failed } = await storm(HEAVY.rate, HEAVY.seconds);
      await quiet();
      const grown = growth(before, (await target.status()).counters);
      const memory = (mostMemory(pid) - atRest) / MB;
      report(`${where}: ${String(sent)} datagrams; ${memory.toFixed(1)} MB more; ${JSON.stringify(grown)}`);
      expect(failed).toBe(0);
      // What came by the link of the storm; a relay's own copies on the other one are no part of it.
      const dropped = sum(
        grown,
        /^multicast\.(kernel-dropped\.l1|flood\.queue-full|too-big|malformed|other)$/,
      );
      expect(dropped + (grown['multicast.handled'] ?? 0)).toBe(sent);
      expect(threadsOf(pid)).toBe(threads);
      expect(memory).toBeLessThanOrEqual(MEMORY_MB);
      await negotiates();
      await unharmed();
    },
  );
});
