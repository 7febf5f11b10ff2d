import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import {
  type discover_result,
  type listen_result,
  type negotiate_result,
  type objective,
  type session_handle,
  type synchronize_result,
} from '../../src/api/graspi/index.js';
import { FacadeWorld, negotiable, synchronizable, type Party } from './graspi-rig.js';

let world: FacadeWorld;
let bank: Party;
let client: Party;
let briggs: number;
let gray: number;
const ex3 = negotiable('EX3');

beforeEach(async () => {
  world = new FacadeWorld();
  bank = await world.party('bank');
  client = await world.party('client');
  briggs = await world.register(bank, 'Briggs', ex3);
  gray = await world.register(client, 'Gray', ex3);
});

afterEach(() => world.close());

/** Polls until there is something else than noReply. */
async function polled<R extends readonly [number, ...unknown[]]>(poll: () => Promise<R>): Promise<R> {
  for (let tries = 0; tries < 2000; tries++) {
    const result = await world.until(poll());
    if (result[0] !== 2) return result;
    await world.clock.advance(1);
  }
  throw new Error('no result after 2000 polls');
}

async function request(
  value: unknown,
): Promise<{ asked: Promise<negotiate_result>; session: session_handle; got: objective }> {
  const waiting = bank.api.listen_negotiate(briggs, ex3);
  await world.clock.settle();
  const asked = client.api.request_negotiate(gray, negotiable('EX3', { value }), null, null);
  const [, session, got] = await world.until(waiting);
  return { asked, session: session!, got: got! };
}

describe('RFC 8991 §2.2.1 polling', () => {
  test('A-2.2-02 negotiate_step polled ten times: one M_NEGOTIATE; then the answer, once', async () => {
    const { asked, session, got } = await request(1);
    got.value = 2;
    for (let i = 0; i < 10; i++) {
      expect(await world.until(bank.api.polling.negotiate_step(briggs, session, got, null))).toEqual([
        2,
        session,
        null,
        null,
      ]);
    }
    expect(world.messages(5)).toHaveLength(1);
    const [, handle, counter] = await world.until(asked);
    counter!.value = 3;
    void client.api.negotiate_step(gray, handle, counter!, null);
    const result = await polled(() => bank.api.polling.negotiate_step(briggs, session, got, null));
    expect(result).toMatchObject([0, session, { value: 3, loop_count: 4 }, null]);
    expect(world.messages(5)).toHaveLength(2);
    // The result was fetched: the same call now is the next step.
    got.value = 4;
    got.loop_count = 4;
    expect((await world.until(bank.api.polling.negotiate_step(briggs, session, got, null)))[0]).toBe(2);
    expect(world.messages(5)).toHaveLength(3);
  });

  test('A-2.2-04 request_negotiate: the handle is known from the first poll on, and stays the same', async () => {
    const waiting = bank.api.listen_negotiate(briggs, ex3);
    await world.clock.settle();
    const asked = negotiable('EX3', { value: 1 });
    const poll = () => client.api.polling.request_negotiate(gray, asked, null, null);
    const [code, early] = await world.until(poll());
    expect(code).toBe(2);
    const [, again] = await world.until(poll());
    expect(again).toBe(early);
    // No session yet: nothing can be done with it.
    expect(await world.until(client.api.negotiate_wait(gray, early, null))).toBe(19);
    const [, session, got] = await polled(() =>
      Promise.race([waiting, Promise.resolve<listen_result>([2, null, null])]),
    );
    void bank.api.negotiate_step(briggs, session, got!, null);
    const [err, handle] = await polled(poll);
    expect([err, handle === early, world.messages(3).length]).toEqual([0, true, 1]);
    expect(await world.until(client.api.negotiate_wait(gray, handle, null))).toBe(0);
  });

  test('A-2.2-03 another objective object is another request, also of the same objective to the same peer', async () => {
    const waiting = [bank.api.listen_negotiate(briggs, ex3), bank.api.listen_negotiate(briggs, ex3)];
    await world.clock.settle();
    const one = negotiable('EX3', { value: 1 });
    const two = negotiable('EX3', { value: 2 });
    for (let i = 0; i < 3; i++) {
      await world.until(client.api.polling.request_negotiate(gray, one, null, null));
      await world.until(client.api.polling.request_negotiate(gray, two, null, null));
      await world.clock.advance(5);
    }
    const served = await world.until(Promise.all(waiting));
    expect(served.map(([, , got]) => got!.value).sort()).toEqual([1, 2]);
    expect(world.messages(3)).toHaveLength(2);
    for (const [, session] of served) await world.until(bank.api.end_negotiate(briggs, session, true));
    expect(await polled(() => client.api.polling.request_negotiate(gray, two, null, null))).toMatchObject([
      0,
      null,
      { value: 2 },
      null,
    ]);
    expect(await polled(() => client.api.polling.request_negotiate(gray, one, null, null))).toMatchObject([
      0,
      null,
      { value: 1 },
      null,
    ]);
    // In the older shape.
    const three = negotiable('EX3', { value: 3, loop_count: 0 });
    expect(await polled(() => client.api.polling.req_negotiate(gray, three, null, null))).toEqual([
      3,
      null,
      null,
    ]);
  });

  test('discover, listen_negotiate and synchronize: 2 with the shape of the call, then the result', async () => {
    expect(await world.until(client.api.polling.discover(gray, ex3, null))).toEqual([2, []]);
    expect(await world.until(bank.api.polling.listen_negotiate(briggs, ex3))).toEqual([2, null, null]);
    const ex2 = synchronizable('EX2');
    expect(await world.until(client.api.polling.synchronize(gray, ex2, null, null))).toEqual([2, null]);
    expect(await polled(() => client.api.polling.synchronize(gray, ex2, null, null))).toEqual([33, null]);
    // Found or not, it is answered once and begun anew afterwards.
    expect((await polled(() => client.api.polling.discover(gray, ex3, null)))[0]).toBe(0);
    const before = world.messages(1).length;
    for (let i = 0; i < 3; i++) await world.until(client.api.polling.discover(gray, ex3, 1000, true));
    expect(world.messages(1)).toHaveLength(before + 1);
    const asked = client.api.request_negotiate(gray, negotiable('EX3', { value: 1 }), null, null);
    const [err, session] = await polled(() => bank.api.polling.listen_negotiate(briggs, ex3));
    expect(err).toBe(0);
    await world.until(bank.api.end_negotiate(briggs, session, true));
    expect((await world.until(asked))[0]).toBe(0);
  });

  test('what fails at once is told by the first poll, and a poll of nobody gives 6', async () => {
    expect(
      await world.until(client.api.polling.discover(gray, negotiable('X', { synch: true }), null)),
    ).toEqual([8, []]);
    expect(await world.until(client.api.polling.listen_negotiate(null, ex3))).toEqual([6, null, null]);
    expect(await world.until(client.api.polling.negotiate_step(gray, null, ex3, null))).toEqual([
      19,
      null,
      null,
      null,
    ]);
  });

  test('a poll lets the event loop take a turn: a loop of nothing but polls ends', async () => {
    let turns = 0;
    const loop = (async () => {
      for (;;) {
        turns++;
        const [err] = await client.api.polling.discover(gray, ex3, 0);
        if (err !== 2) return err;
      }
    })();
    expect(await world.until(loop)).toBe(0);
    expect(turns).toBeLessThan(100);
  });
});

describe('RFC 8991 §2.2.3 notify', () => {
  test('A-2.2-07 sessions with an answer, calls without a session, and sessions that have ended; each told once', async () => {
    expect(await world.until(client.api.notify(gray))).toEqual([0, [], []]);
    const waiting = bank.api.listen_negotiate(briggs, ex3);
    await world.clock.settle();
    const asked = negotiable('EX3', { value: 1 });
    const missing = negotiable('EX9');
    const [, handle] = await world.until(client.api.polling.request_negotiate(gray, asked, null, null));
    await world.until(client.api.polling.discover(gray, missing, 100));
    expect(await world.until(client.api.notify(gray))).toEqual([0, [], []]);
    const [, session, got] = await world.until(waiting);
    const stepping = bank.api.negotiate_step(briggs, session, got!, null);
    await world.clock.advance(1000);
    expect(await world.until(client.api.notify(gray))).toEqual([
      0,
      [handle],
      [{ call: 'discover', objective: missing }],
    ]);
    expect(await world.until(client.api.notify(gray))).toEqual([0, [], []]);
    expect((await world.until(client.api.polling.request_negotiate(gray, asked, null, null)))[0]).toBe(0);
    await world.until(bank.api.end_negotiate(briggs, session, false, 'enough'));
    await world.until(stepping);
    await world.clock.settle();
    expect(await world.until(client.api.notify(gray))).toEqual([0, [handle], []]);
    expect(await world.until(client.api.negotiate_step(gray, handle, asked, null))).toEqual([
      1,
      null,
      null,
      'enough',
    ]);
  });
});

describe('RFC 8991 §2.3.2.8 callbacks', () => {
  test('A-2.3.2-16 each is called exactly once, with the result; the call itself returns 2', async () => {
    const heard: Record<string, unknown[]> = {
      discovered: [],
      listened: [],
      asked: [],
      older: [],
      stepped: [],
      synchronized: [],
    };
    const note =
      (name: string) =>
      (...result: unknown[]) =>
        void heard[name]!.push(result);
    expect(
      await world.until(
        bank.api.listen_negotiate(briggs, ex3, { negotiate_step_received: note('listened') }),
      ),
    ).toEqual([2, null, null]);
    await world.clock.settle();
    const discovered: Promise<discover_result> = client.api.discover(gray, ex3, 500, {
      discovery_received: note('discovered'),
    });
    expect(await world.until(discovered)).toEqual([2, []]);
    await world.clock.advance(500);
    expect(heard['discovered']).toMatchObject([[0, [{ is_ipaddress: true }]]]);
    const [code, handle] = await world.until(
      client.api.request_negotiate(gray, negotiable('EX3', { value: 1 }), null, null, {
        negotiate_step_received: note('asked'),
      }),
    );
    expect(code).toBe(2);
    await world.clock.advance(100);
    expect(heard['listened']).toHaveLength(1);
    const [, session, got] = heard['listened']![0] as listen_result;
    await world.until(
      bank.api.negotiate_step(briggs, session, got!, null, { negotiate_step_received: note('stepped') }),
    );
    await world.clock.advance(100);
    expect(heard['asked']).toMatchObject([[0, handle, { value: 1 }, null]]);
    await world.until(client.api.end_negotiate(gray, handle, false, 'no'));
    await world.clock.advance(100);
    expect(heard['stepped']).toEqual([[1, null, null, 'no']]);
    const synchronized: Promise<synchronize_result> = client.api.synchronize(
      gray,
      synchronizable('EX2'),
      null,
      null,
      {
        synchronization_received: note('synchronized'),
      },
    );
    expect(await world.until(synchronized)).toEqual([2, null]);
    await world.until(
      client.api.req_negotiate(gray, negotiable('EX9'), null, null, {
        negotiate_step_received: note('older'),
      }),
    );
    await world.clock.advance(70_000);
    expect(heard['synchronized']).toEqual([[33, null]]);
    expect(heard['older']).toEqual([[13, null, null]]);
    expect([heard['discovered']!.length, heard['asked']!.length, heard['listened']!.length]).toEqual([
      1, 1, 1,
    ]);
  });

  test('what is no function is refused (3); what throws becomes a warning', async () => {
    const bad = { discovery_received: 7 as unknown as () => void };
    expect(await world.until(client.api.discover(gray, ex3, 100, bad))).toEqual([3, []]);
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    try {
      const throwing = (): never => {
        throw new Error('callback failed');
      };
      await world.until(client.api.discover(gray, ex3, 0, { discovery_received: throwing }));
      await world.clock.advance(10);
      expect(warn.mock.calls).toEqual([[expect.stringContaining('callback failed'), 'GraspCallbackWarning']]);
    } finally {
      warn.mockRestore();
    }
  });
});

describe('tprint, ttprint, init_bubble_text, mess_check', () => {
  test('the ASA’s name, texts as they are, values as they look; ttprint in test mode only; bytes in hex there', () => {
    const { api, printed } = client;
    api.tprint('Asking for', ['NZD', 5], null, true, Uint8Array.of(1));
    api.ttprint('hidden');
    api.test_mode = true;
    api.ttprint('shown', Uint8Array.of(1, 255));
    expect(printed).toEqual([
      "Gray: Asking for [ 'NZD', 5 ] null true Uint8Array(1) [ 1 ]\n",
      'Gray: shown 01ff\n',
    ]);
  });

  test('text from a peer does not speak to the terminal', () => {
    client.api.tprint('\u001b[2Jgone\u202e');
    expect(client.printed).toEqual(['Gray: \\u{1b}[2Jgone\\u{202e}\n']);
  });

  test('init_bubble_text: a caption, then everything in boxes, wrapped', () => {
    const { api, printed } = client;
    api.init_bubble_text('Gray');
    api.tprint('Hello');
    const lines = printed.join('').split('\n');
    expect(lines[0]).toMatch(/^╔═+╗$/);
    expect(lines[1]).toMatch(/^║ Gray +║$/);
    expect(lines.slice(3, 6)).toEqual(['╭───────╮', '│ Hello │', '╰───────╯']);
    printed.length = 0;
    api.tprint('word '.repeat(40).trim());
    const box = printed.join('').trimEnd().split('\n');
    expect(box.length).toBeGreaterThan(3);
    expect(new Set(box.map((line) => line.length)).size).toBe(1);
    expect(box[0]!.length).toBeLessThanOrEqual(80);
    printed.length = 0;
    api.tprint('x'.repeat(5000));
    expect(printed.join('').match(/x/g)).toHaveLength(1000);
  });

  test('mess_check: refused messages are reported with their reason, once; not when it is off', async () => {
    const { api, printed } = client;
    api.mess_check = true;
    const stranger = await world.stranger('stranger');
    // A flood that is too short.
    const send = (): Promise<void> => world.until(stranger.multicast([9, 1], 'link'));
    await send();
    await world.clock.advance(1000);
    const reports = (): string[] => printed.filter((line) => line.includes('message refused'));
    expect(reports()).toEqual([expect.stringMatching(/message\.arity, 1 times/)]);
    await world.clock.advance(3000);
    expect(reports()).toHaveLength(1);
    api.mess_check = false;
    await send();
    await world.clock.advance(3000);
    expect(reports()).toHaveLength(1);
  });
});
