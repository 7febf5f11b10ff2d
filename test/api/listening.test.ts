import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { getEventListeners } from 'node:events';
import type { Asa, Grasp, NegotiationSession, Objective } from '../../src/index.js';
import { World } from './rig.js';

let world: World;
let briggs: { asa: Asa; ex3: Objective };
let gray: { asa: Asa; ex3: Objective };
let bank: Grasp;

beforeEach(async () => {
  world = new World();
  bank = (await world.engine('bank')).grasp;
  briggs = await world.asa(bank, 'Briggs', { dryRun: true });
  gray = await world.asa((await world.engine('client')).grasp, 'Gray', { dryRun: true });
});

afterEach(() => world.close());

const accept = (session: NegotiationSession): Promise<void> => session.endNegotiate({ accept: true });
const fresh = { flush: true } as const;

describe('RFC 8991 §2.3.5 listen_negotiate', () => {
  test('A-2.3.3-08 registered is not discoverable, listening is, at the moment onNegotiate resolves', async () => {
    expect(await world.until(gray.asa.discover('EX3'))).toEqual([]);
    const listening = await world.until(briggs.ex3.onNegotiate(accept));
    const found = await world.until(gray.asa.discover('EX3'));
    expect(found.map(({ port, diverted }) => ({ port, diverted }))).toEqual([
      { port: listening.port, diverted: false },
    ]);
  });

  test('A-2.3.5-13 stop: no more answers, requests on the known port are refused, sessions under way go on', async () => {
    let held: NegotiationSession | undefined;
    const listening = await world.until(
      briggs.ex3.onNegotiate((session) => {
        held ??= session;
        return new Promise((resolve) => session.signal.addEventListener('abort', resolve));
      }),
    );
    const [peer] = await world.until(gray.asa.discover('EX3'));
    const waiting = gray.asa.requestNegotiate(gray.ex3, 1, { peer: peer! });
    await world.clock.advance(10);
    await world.until(listening.stop());
    await world.until(listening.ended);
    expect(await world.until(gray.asa.discover('EX3', fresh))).toEqual([]);
    expect(await world.failure(gray.asa.requestNegotiate(gray.ex3, 2, { peer: peer! }))).toMatchObject({
      code: 18,
    });
    await world.until(held!.endNegotiate({ accept: true }));
    expect(await world.until(waiting)).toEqual({ state: 'accepted', value: 1 });
  });

  test('the port stays the same when an objective is listened for again (wire.md §5)', async () => {
    const first = await world.until(briggs.ex3.onNegotiate(accept));
    await world.until(first.stop());
    const second = await world.until(briggs.ex3.onNegotiate(accept));
    expect(second.port).toBe(first.port);
  });

  test('stopNegotiate ends a listen that is still being opened', async () => {
    const opening = briggs.ex3.onNegotiate(accept);
    const stopping = briggs.ex3.stopNegotiate();
    const listening = await world.until(opening);
    await world.until(stopping);
    expect(await world.until(listening.ended)).toBeUndefined();
    expect(await world.until(gray.asa.discover('EX3', fresh))).toEqual([]);
  });

  test('a listen that fails or ends by itself leaves no listener on its signal', async () => {
    const { signal } = new AbortController();
    const waiting = briggs.ex3
      .listenNegotiate({ signal })
      .next()
      .catch((error: unknown) => error);
    await world.clock.settle();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await world.until(briggs.asa.deregister());
    expect(await world.until(waiting)).toMatchObject({ code: 13 });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(await world.failure(briggs.ex3.listenNegotiate({ signal }).next())).toMatchObject({ code: 6 });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('C-13 deregistering the objective ends its listens, and its sessions with 19', async () => {
    let result: unknown;
    const listening = await world.until(
      briggs.ex3.onNegotiate(async (session) => {
        result = await session.negotiateStep(2).catch((error: unknown) => error);
      }),
    );
    const asked = gray.asa.requestNegotiate(gray.ex3, 1);
    await world.until(asked);
    await world.until(briggs.ex3.deregister());
    await world.until(listening.ended);
    await world.clock.settle();
    expect(result).toMatchObject({ code: 19, name: 'noSession' });
    expect(await world.until(gray.asa.discover('EX3', fresh))).toEqual([]);
    expect(await world.failure(briggs.ex3.onNegotiate(accept))).toMatchObject({ code: 13 });
  });

  test('4.4 a pending listenNegotiate rejects with 13 when its objective is deregistered', async () => {
    const sessions = briggs.ex3.listenNegotiate();
    const next = sessions.next();
    await world.clock.settle();
    const failed = world.failure(next);
    await world.until(briggs.ex3.deregister());
    expect(await failed).toMatchObject({ code: 13, name: 'notYourObj' });
  });

  test('listenNegotiate hands out one session at a time, and requests in between wait their turn', async () => {
    const seen: unknown[] = [];
    const serving = (async () => {
      for await (const session of briggs.ex3.listenNegotiate()) {
        seen.push(session.value);
        await session.endNegotiate({ accept: true });
        if (seen.length === 3) break;
      }
    })();
    await world.clock.settle();
    const results = await world.until(
      Promise.all([1, 2, 3].map((value) => gray.asa.requestNegotiate(gray.ex3, value))),
    );
    expect(results.map(({ state }) => state)).toEqual(['accepted', 'accepted', 'accepted']);
    await world.until(serving);
    expect(seen.sort()).toEqual([1, 2, 3]);
    // Leaving the loop stopped listening.
    expect(await world.until(gray.asa.discover('EX3', fresh))).toEqual([]);
  });

  test('A-2.3.5-12 onNegotiate serves as many at a time as its concurrency, and no more', async () => {
    let now = 0;
    let most = 0;
    await world.until(
      briggs.ex3.onNegotiate(
        async (session) => {
          most = Math.max(most, ++now);
          const result = await session.negotiateStep(session.value);
          now--;
          if (result.state === 'offered') await session.endNegotiate({ accept: true });
        },
        { concurrency: 3 },
      ),
    );
    const one = async (value: number): Promise<unknown> => {
      const result = await gray.asa.requestNegotiate(gray.ex3, value);
      if (result.state !== 'offered') return result.state;
      await result.session.endNegotiate({ accept: true });
      return result.value;
    };
    const values = Array.from({ length: 20 }, (_, i) => i);
    expect(await world.until(Promise.all(values.map(one)))).toEqual(values);
    expect(most).toBe(3);
  });

  test('a handler that throws declines with a stated reason, and the error is heard of', async () => {
    const errors: unknown[] = [];
    await world.until(
      briggs.ex3.onNegotiate(
        () => {
          throw new Error('out of money');
        },
        { onError: (error) => errors.push(error) },
      ),
    );
    expect(await world.until(gray.asa.requestNegotiate(gray.ex3, 1))).toEqual({
      state: 'declined',
      reason: 'the ASA failed: out of money',
    });
    expect(errors).toMatchObject([{ message: 'out of money' }]);
  });

  test('a handler that throws a message longer than a message may be still declines', async () => {
    await world.until(
      briggs.ex3.onNegotiate(
        () => {
          throw new Error('x'.repeat(10_000));
        },
        { onError: () => undefined },
      ),
    );
    const result = await world.until(gray.asa.requestNegotiate(gray.ex3, 1));
    expect(result).toMatchObject({ state: 'declined' });
  });

  test('a handler that returns without an answer declines', async () => {
    await world.until(briggs.ex3.onNegotiate(() => undefined));
    expect(await world.until(gray.asa.requestNegotiate(gray.ex3, 1))).toEqual({
      state: 'declined',
      reason: 'no answer by the ASA',
    });
  });

  test('control calls about one objective happen in the order they were made', async () => {
    const first = briggs.ex3.onNegotiate(accept);
    const stopped = first.then((listening) => listening.stop());
    const gone = briggs.ex3.deregister();
    await world.until(Promise.all([first, stopped, gone]));
    expect((await world.until(bank.status())).objectives).toEqual([]);
  });
});

describe('Grasp.close', () => {
  test('rejects what waits with closed (42), and may be called again', async () => {
    const finding = world.failure(gray.asa.discover('nobody', { timeoutMs: 60_000 }));
    const sessions = briggs.ex3.listenNegotiate();
    const next = sessions.next();
    await world.clock.settle();
    const listened = world.failure(next);
    await world.until(bank.close());
    await world.until(bank.close());
    expect(await listened).toMatchObject({ code: 42, name: 'closed' });
    expect(await world.failure(bank.registerAsa('later'))).toMatchObject({ code: 42 });
    expect(await finding).toEqual({ unexpected: [] });
  });

  test('what is begun after it gives 42, and leaves no listener on its signal', async () => {
    const { signal } = new AbortController();
    await world.until(bank.close());
    for (const begun of [
      briggs.asa.discover('EX3', { signal }),
      briggs.asa.watchFlood('EX1', { signal }).next(),
      briggs.ex3.listenNegotiate({ signal }).next(),
    ]) {
      expect(await world.failure(Promise.resolve(begun))).toMatchObject({ code: 42 });
    }
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
