import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  EncodedValue,
  Grasp,
  RawCbor,
  type Asa,
  type NegotiationSession,
  type Objective,
} from '../../src/index.js';
import { World } from './rig.js';

let world: World;
let bank: Grasp;
let client: Grasp;
let briggs: { asa: Asa; ex3: Objective };
let gray: { asa: Asa; ex3: Objective };

beforeEach(async () => {
  world = new World();
  bank = (await world.engine('bank')).grasp;
  client = (await world.engine('client')).grasp;
  briggs = await world.asa(bank, 'Briggs', { dryRun: true });
  gray = await world.asa(client, 'Gray', { dryRun: true });
});

afterEach(() => world.close());

const serve = (handler: (session: NegotiationSession) => unknown): Promise<unknown> =>
  world.until(briggs.ex3.onNegotiate(handler));

/** What has been sent on the link so far. */
const sent = (): number => {
  const { datagrams, streamMessages } = world.network.counters()['link']!;
  return datagrams + streamMessages;
};

describe('RFC 8990 §2.5.5 negotiation through the API', () => {
  test('A.5: offers, a wait and a decline with its reason; loop counts go down by one', async () => {
    const seen: unknown[] = [];
    await serve(async (session) => {
      seen.push([session.value, session.loopCount, session.role]);
      const second = await session.negotiateStep(['NZD', 80]);
      if (second.state !== 'offered') return;
      seen.push([second.value, second.loopCount]);
      await session.negotiateWait(20_000);
      await world.clock.advance(0);
      const third = await session.negotiateStep(['NZD', 120]);
      if (third.state !== 'offered') return;
      seen.push([third.value, third.loopCount]);
      await session.endNegotiate({ accept: false, reason: 'Insufficient funds' });
    });
    const first = await world.until(gray.asa.requestNegotiate(gray.ex3, ['NZD', 410]));
    if (first.state !== 'offered') throw new Error(first.state);
    expect([first.value, first.loopCount]).toEqual([['NZD', 80], 5]);
    const second = await world.until(first.session.negotiateStep(['NZD', 307]));
    if (second.state !== 'offered') throw new Error(second.state);
    expect([second.value, second.loopCount]).toEqual([['NZD', 120], 3]);
    const third = await world.until(second.session.negotiateStep(['NZD', 246]));
    expect(third).toEqual({ state: 'declined', reason: 'Insufficient funds' });
    expect(seen).toEqual([
      [['NZD', 410], 6, 'responder'],
      [['NZD', 307], 4],
      [['NZD', 246], 2],
    ]);
    expect(first.session.ended).toBe(true);
    expect(await world.failure(first.session.negotiateStep(1))).toMatchObject({ code: 19 });
  });

  test('G-2.5.5-08 a hundred sessions at once between the same two ASAs do not mix', async () => {
    await serve(async (session) => {
      const result = await session.negotiateStep((session.value as number) + 1000);
      if (result.state === 'offered') await session.endNegotiate({ accept: true });
    });
    const one = async (value: number): Promise<unknown> => {
      const result = await gray.asa.requestNegotiate(gray.ex3, value);
      if (result.state !== 'offered') return result.state;
      const last = await result.session.negotiateStep((result.value as number) + 1);
      return last.state === 'accepted' ? last.value : last.state;
    };
    const values = Array.from({ length: 100 }, (_, i) => i);
    const results = await world.until(Promise.all(values.map(one)));
    expect(results).toEqual(values.map((value) => value + 1001));
  });

  test('G-2.10.2-01 a dry run stays one, and is told to the responder', async () => {
    let dry: boolean | undefined;
    await serve(async (session) => {
      dry = session.dryRun;
      await session.endNegotiate({ accept: true });
    });
    await world.until(gray.asa.requestNegotiate(gray.ex3, 1, { dryRun: true }));
    expect(dry).toBe(true);
  });

  test('A-2.3.2-10 raw CBOR (tag 24), maps with any keys, and values given byte for byte arrive as sent', async () => {
    const values: unknown[] = [];
    await serve(async (session) => {
      values.push(session.value, Buffer.from(session.encodedValue).toString('hex'));
      await session.endNegotiate({ accept: true });
    });
    const raw = new RawCbor(Uint8Array.of(0x82, 1, 2));
    await world.until(gray.asa.requestNegotiate(gray.ex3, raw));
    await world.until(
      gray.asa.requestNegotiate(
        gray.ex3,
        new Map<unknown, unknown>([
          [[1], 'x'],
          [2n ** 70n, null],
        ]),
      ),
    );
    // 1.0 as a double, and 1 in nine bytes: neither is the preferred form.
    const verbatim = new EncodedValue(Buffer.from('82fb3ff00000000000001b0000000000000001', 'hex'));
    await world.until(gray.asa.requestNegotiate(gray.ex3, verbatim));
    expect(values[0]).toEqual(raw);
    expect(values[1]).toBe('d81843820102');
    expect(values[2]).toEqual(
      new Map<unknown, unknown>([
        [[1], 'x'],
        [2n ** 70n, null],
      ]),
    );
    expect(values[5]).toBe('82fb3ff00000000000001b0000000000000001');
  });

  test('the session signal aborts when the peer ends it, and the next call says how', async () => {
    let failure: unknown;
    let reason: unknown;
    await serve(async (session) => {
      await new Promise<void>((resolve) => session.signal.addEventListener('abort', () => resolve()));
      reason = session.signal.reason;
      failure = await session.negotiateStep(1).catch((error: unknown) => error);
    });
    const controller = new AbortController();
    // Nobody else drives the clock meanwhile: the call must not time out before it is given up.
    const { signal } = controller;
    const asked = gray.asa.requestNegotiate(gray.ex3, 1, { signal }).catch((error: unknown) => error);
    await world.clock.advance(700);
    controller.abort(new Error('enough'));
    expect(await world.until(asked)).toMatchObject({ message: 'enough' });
    await world.clock.settle();
    expect(reason).toMatchObject({ code: 1 });
    expect(failure).toEqual({ state: 'declined', reason: 'aborted' });
  });

  test('G-2.8.3-02 maxMessageBytes of both registrations allows more than 2048 bytes', async () => {
    const big = { name: 'BIG', negotiate: true, maxMessageBytes: 5_000 };
    const theirs = await world.until(briggs.asa.registerObjective(big));
    const ours = await world.until(gray.asa.registerObjective(big));
    await world.until(theirs.onNegotiate((session) => session.endNegotiate({ accept: true })));
    const text = 'x'.repeat(3_000);
    expect(await world.until(gray.asa.requestNegotiate(ours, text))).toEqual({
      state: 'accepted',
      value: text,
    });
  });

  test('4.2 an ASA and its objective deregistered at the same time are both gone', async () => {
    await world.until(Promise.all([gray.ex3.deregister(), gray.asa.deregister()]));
    const status = await world.until(client.status());
    expect([status.asas, status.objectives]).toEqual([[], []]);
    await world.until(client.registerAsa('Gray'));
  });

  test('3 a reason that is no well-formed text is refused, and the session lives', async () => {
    let refused: unknown;
    await serve(async (session) => {
      refused = await session
        .endNegotiate({ accept: false, reason: '\ud83d' })
        .catch((error: unknown) => error);
      await session.endNegotiate({ accept: true });
    });
    expect(await world.until(gray.asa.requestNegotiate(gray.ex3, 1))).toMatchObject({ state: 'accepted' });
    expect(refused).toMatchObject({ code: 3 });
  });

  test('a listen whose signal aborts while it opens is not left open', async () => {
    const controller = new AbortController();
    const opening = world.failure(briggs.ex3.onNegotiate(() => undefined, { signal: controller.signal }));
    controller.abort(new Error('changed my mind'));
    expect(await opening).toMatchObject({ message: 'changed my mind' });
    expect(await world.until(gray.asa.discover('EX3'))).toEqual([]);
  });

  test('4.12 send_invalid is cut to 2048 bytes between characters, and ends the session on both sides (28)', async () => {
    const sizes: number[] = [];
    world.network.onTraffic(({ kind, bytes }) => {
      if (kind === 'stream' && bytes[1] === 0x18 && bytes[2] === 99) sizes.push(bytes.length);
    });
    let after: unknown;
    await serve(async (session) => {
      await session.sendInvalid('é'.repeat(2_000));
      after = await session.endNegotiate({ accept: true }).catch((error: unknown) => error);
    });
    expect(await world.failure(gray.asa.requestNegotiate(gray.ex3, 1))).toMatchObject({ code: 28 });
    await world.clock.settle();
    expect(after).toMatchObject({ code: 19 });
    expect(sizes).toHaveLength(1);
    expect(sizes[0]).toBeLessThanOrEqual(2_048);
    expect(sizes[0]).toBeGreaterThan(2_040);
  });

  test('G-2.2-05 what was learnt on an interface that went down is not used, and discovery works when it is back', async () => {
    const away = await world.engine('away');
    const { asa } = await world.asa(away.grasp, 'Gray');
    await serve((session) => session.endNegotiate({ accept: true }));
    expect(await world.until(asa.discover('EX3'))).toHaveLength(1);
    expect(await world.until(asa.discover('EX3', { timeoutMs: 0 }))).toHaveLength(1);
    away.node.setInterfaceUp('link', false);
    await world.clock.settle();
    expect(await world.until(asa.discover('EX3', { timeoutMs: 0 }))).toEqual([]);
    away.node.setInterfaceUp('link', true);
    await world.clock.advance(1_000);
    expect(await world.until(asa.discover('EX3'))).toHaveLength(1);
  });

  test('P-6.9.2-01 two ASAs of one engine negotiate without any network', async () => {
    const alone = (await world.engine('alone', { node: { links: [] } })).grasp;
    const one = await world.asa(alone, 'one', { overlap: true });
    const two = await world.asa(alone, 'two', { overlap: true });
    await world.until(one.ex3.onNegotiate((session) => session.endNegotiate({ accept: true })));
    const found = await world.until(two.asa.discover('EX3'));
    expect(found).toMatchObject([{ kind: 'ipv6', diverted: false }]);
    expect(await world.until(two.asa.requestNegotiate(two.ex3, 7))).toEqual({ state: 'accepted', value: 7 });
    // D-07: an ASA does not find itself.
    expect(await world.until(one.asa.discover('EX3'))).toEqual([]);
  });
});

describe('user errors: the code of api.md at once, with nothing sent', () => {
  const cases: [string, number, () => PromiseLike<unknown>][] = [
    ['4.1 ASA name that is no text', 3, () => bank.registerAsa(7 as unknown as string)],
    ['4.1 ASA name in use', 5, () => bank.registerAsa('Briggs')],
    ['4.3 empty objective name', 3, () => gray.asa.registerObjective({ name: '', negotiate: true })],
    ['4.3 loop count 0', 3, () => gray.asa.registerObjective({ name: 'a', negotiate: true, loopCount: 0 })],
    [
      '4.3 loop count 256',
      3,
      () => gray.asa.registerObjective({ name: 'a', negotiate: true, loopCount: 256 }),
    ],
    [
      '4.3 ttl beyond 2^32−1',
      3,
      () => gray.asa.registerObjective({ name: 'a', negotiate: true, ttlMs: 2 ** 32 }),
    ],
    [
      '4.3 negotiate and synchronize',
      8,
      () => gray.asa.registerObjective({ name: 'a', negotiate: true, synchronize: true }),
    ],
    ['4.3 dry run without negotiate', 9, () => gray.asa.registerObjective({ name: 'a', dryRun: true })],
    ['4.3 registered twice', 12, () => gray.asa.registerObjective({ name: 'EX3', negotiate: true })],
    ['4.5 timeout −1', 3, async () => gray.asa.discover('EX3', { timeoutMs: -1 })],
    ['4.5 loop count 256', 3, async () => gray.asa.discover('EX3', { loopCount: 256 })],
    ['4.6 value that cannot be encoded', 3, () => gray.asa.requestNegotiate(gray.ex3, () => 1)],
    ['4.6 timeout 2^32', 3, () => gray.asa.requestNegotiate(gray.ex3, 1, { timeoutMs: 2 ** 32 })],
    ['4.6 objective of another ASA', 13, () => gray.asa.requestNegotiate(briggs.ex3, 1)],
    [
      '4.6 URI as peer',
      38,
      () =>
        gray.asa.requestNegotiate(gray.ex3, 1, {
          peer: {
            kind: 'uri',
            address: 'http://x',
            port: null,
            protocol: null,
            diverted: false,
            expiresAt: 0,
          },
        }),
    ],
    [
      '4.6 UDP peer',
      38,
      () =>
        gray.asa.requestNegotiate(gray.ex3, 1, {
          peer: { kind: 'ipv6', address: 'fd00::1', port: 1, protocol: 'udp', diverted: false, expiresAt: 0 },
        }),
    ],
    [
      '4.6 link-local peer without interface',
      38,
      () => gray.asa.requestNegotiate(gray.ex3, 1, { peer: '[fe80::1]:1' }),
    ],
    [
      '4.6 message too big',
      40,
      () => gray.asa.requestNegotiate(gray.ex3, 'x'.repeat(2048), { peer: '[fd00::1]:1' }),
    ],
  ];
  test.each(cases)('%s: %i', async (_name, code, call) => {
    const before = sent();
    expect(await world.failure((async () => call())())).toMatchObject({ code });
    expect(sent()).toBe(before);
  });

  test('4.6 not registered for negotiation: 15; dry run not registered: 9', async () => {
    const synch = await world.until(gray.asa.registerObjective({ name: 'EX2', synchronize: true }));
    expect(await world.failure(gray.asa.requestNegotiate(synch, 1))).toMatchObject({ code: 15 });
    expect(() => synch.listenNegotiate()).toThrow(expect.objectContaining({ code: 15 }));
    const plain = await world.until(gray.asa.registerObjective({ name: 'EX4', negotiate: true }));
    expect(await world.failure(gray.asa.requestNegotiate(plain, 1, { dryRun: true }))).toMatchObject({
      code: 9,
    });
  });

  test('4.6 nobody found: 17, after 100 ms × loop count', async () => {
    const start = world.clock.now();
    expect(await world.failure(gray.asa.requestNegotiate(gray.ex3, 1))).toMatchObject({ code: 17 });
    expect(world.clock.now() - start).toBe(600);
  });

  test('6: a deregistered ASA can do nothing more, and its name is free', async () => {
    await world.until(gray.asa.deregister());
    expect(() => gray.asa.discover('EX3')).toThrow(expect.objectContaining({ code: 6 }));
    expect(await world.failure(gray.asa.requestNegotiate(gray.ex3, 1))).toMatchObject({ code: 6 });
    await world.until(client.registerAsa('Gray'));
  });

  test('G-2.8.3-02 exactly 2048 bytes are sent, 2049 are not, and more if the objective allows it', async () => {
    await serve((session) => session.endNegotiate({ accept: true }));
    const ask = async (ex3: Objective, length: number): Promise<unknown> => {
      const outcome = await world.failure(
        gray.asa.requestNegotiate(
          ex3,
          new EncodedValue(
            Buffer.concat([Buffer.from([0x59, length >> 8, length & 255]), Buffer.alloc(length)]),
          ),
        ),
      );
      return (outcome as { code?: number }).code ?? 'sent';
    };
    // [3, sid (5 bytes), ["EX3", 3, 6, h'…' with a head of 3 bytes]]: 17 bytes around the content, which is cut to fit.
    let largest = 2048;
    while ((await ask(gray.ex3, largest)) === 40) largest--;
    const message = 1 + 1 + 5 + 1 + 4 + 1 + 1 + 3 + largest;
    expect(message).toBe(2048);
  });

  test('Grasp.start: options that do not fit are refused', async () => {
    const node = world.network.addNode('late', { links: [] });
    const substrate = { kind: 'simulated', node } as const;
    await expect(Grasp.start({ substrate, clock: world.clock })).rejects.toMatchObject({ code: 3 });
    await expect(Grasp.start({ substrate, limits: { sessions: -1 } })).rejects.toMatchObject({ code: 3 });
    await expect(
      Grasp.start({ substrate: { kind: 'plain', interfaces: ['no-such-if'], insecure: true } }),
    ).rejects.toMatchObject({ code: 3, message: expect.stringContaining('no-such-if') });
  });
});
