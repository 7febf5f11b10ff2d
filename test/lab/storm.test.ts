/** A storm of multicasts on a real link while the handler is blocked: bounded memory, and every datagram accounted for. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
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

jest.setTimeout(90_000);

const IF = 'l1';
const RATE = 20_000;
const MB = 1024 * 1024;

const hex = (message: unknown): string => Buffer.from(encode(message)).toString('hex');
const initiator = Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 0xfd : i));

/** Discoveries and floods in turn, of an objective that nobody has. */
const STORM = Array.from({ length: 200 }, (_, i) =>
  i % 2 === 0
    ? hex([1, 1000 + i, initiator, ['nobody has it', 3, 6, null]])
    : hex([9, 1000 + i, initiator, 60_000, [['EX1', 5, 6, ['value', 'x'.repeat(100)]], []]]),
);

labDescribe('a storm of multicasts while the handler is blocked', () => {
  let lab: Lab;
  let engine: Commanded;
  let other: Commanded;
  let raw: Commanded;

  beforeAll(async () => {
    lab = await createLab({ nodes: ['a', 'b'], links: { [IF]: ['a', 'b'] }, ula: true });
    // A handler that is blocked is not replaced here: it is to be seen how the listener fares meanwhile.
    engine = await startEngine(lab, 'a', { interface: IF, hungAfterMs: 30_000 });
    other = await startEngine(lab, 'b', { interface: IF, hungAfterMs: 30_000 });
    raw = await startRawPeer(lab, 'b', IF);
    await engine.call('offer', { name: 'EX3' });
  });
  afterAll(async () => {
    await lab.close();
  });

  // The first is the first of the process; nothing has been warmed up.
  test.each([1, 2, 3, 4])(
    'storm %i: blocked 2 s at 20,000 datagrams/s: at most 16 MB more, sent = handled + the sum of named drops',
    async () => {
      const { pid } = engine.program;
      const before = await engine.quiet();
      const atRest = watchMemory(pid);
      await engine.call('fail', { host: 'core', fault: 'block', ms: 2_000 });
      const storm = await raw.call('storm', { datagrams: STORM, count: 3 * RATE, rate: RATE });
      const after = await engine.quiet();
      const most = mostMemory(pid);

      const counts = growth(before.counters, after.counters);
      const drops = sum(
        counts,
        /^multicast\.(kernel-dropped\.|.*queue-full$|too-big|malformed|other|own-copy)/,
      );
      expect(storm['failed']).toBe(0);
      // It was a storm, and the handler was blocked: its queues overflowed.
      expect(storm['ms']).toBeLessThan(3_500);
      expect(counts['multicast.discovery.queue-full']).toBeGreaterThan(1_000);
      expect(counts['multicast.flood.queue-full']).toBeGreaterThan(1_000);
      expect(drops + (counts['multicast.handled'] ?? 0)).toBe(storm['sent']);
      expect((most - atRest) / MB).toBeLessThanOrEqual(16);
      expect(await engine.restarts()).toEqual({ supervisor: 0, core: 0, listener: 0, 'sessions-1': 0 });
    },
  );

  test('and after all of them it discovers and negotiates', async () => {
    const found = await other.call('discover', { name: 'EX3' });
    expect(found['found']).toBe(true);
    expect(found['ms']).toBeLessThan(500);
    expect(await other.call('negotiate', { name: 'EX3' })).toMatchObject({ state: 'accepted' });
  });
});
