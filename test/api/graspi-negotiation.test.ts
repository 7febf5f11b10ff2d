import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Buffer } from 'node:buffer';
import {
  asa_locator,
  cbor,
  LISTEN_GAP_MS,
  session_handle,
  type listen_result,
  type negotiate_result,
  type objective,
} from '../../src/api/graspi/index.js';
import { FacadeWorld, negotiable, synchronizable, type Party } from './graspi-rig.js';

let world: FacadeWorld;
let bank: Party;
let client: Party;
let briggs: number;
let gray: number;
let peer: asa_locator | undefined;
const ex3 = negotiable('EX3', { value: ['NZD', 0] });

beforeEach(async () => {
  world = new FacadeWorld();
  peer = undefined;
  bank = await world.party('bank');
  client = await world.party('client');
  briggs = await world.register(bank, 'Briggs', ex3);
  gray = await world.register(client, 'Gray', ex3);
});

afterEach(() => world.close());

/** A request under way and the session it makes at the responder. */
async function begun(
  asked: objective = negotiable('EX3', { value: ['NZD', 410] }),
): Promise<{ answer: Promise<negotiate_result>; session: session_handle; received: objective }> {
  const { waiting } = await opened();
  const answer = client.api.request_negotiate(gray, asked, peer, 10_000);
  const [err, session, received] = await world.until(waiting);
  if (err || !session || !received) throw new Error(`listen_negotiate: ${err}`);
  return { answer, session, received };
}

/** A call that waits, and where it can be reached. */
async function opened(): Promise<{ waiting: Promise<listen_result> }> {
  const waiting = bank.api.listen_negotiate(briggs, ex3);
  await world.clock.settle();
  if (!peer) {
    const [, found] = await world.until(client.api.discover(gray, ex3, 1000, true));
    peer = found[0]!;
  }
  return { waiting };
}

const offer = (value: unknown, changes: Partial<objective> = {}): objective =>
  negotiable('EX3', { value, ...changes });

describe('RFC 8991 §2.3.5 a whole negotiation, line by line', () => {
  test('A-2.3.5-05 A-2.3.5-06 A-2.3.5-14 offers, a wait, acceptance; loop counts as received', async () => {
    const { answer, session, received } = await begun();
    expect([received.value, received.loop_count, received.dry, received.neg]).toEqual([
      ['NZD', 410],
      6,
      false,
      true,
    ]);
    expect(session.id_source).not.toBe('');
    expect(session.remote).toMatchObject({ address: session.id_source, port: expect.any(Number) });
    received.value = ['NZD', 80];
    const theirs = bank.api.negotiate_step(briggs, session, received, 10_000);
    const [err, handle, first, reason] = await world.until(answer);
    expect([err, first?.value, first?.loop_count, reason]).toEqual([0, ['NZD', 80], 5, null]);
    expect(handle).toBeInstanceOf(session_handle);
    expect(handle!.id_value).toBe(session.id_value);
    expect(handle!.id_source).not.toBe('');
    // A-2.3.5-15: at once, with what was asked for; null is 60000.
    expect(await world.until(client.api.negotiate_wait(gray, handle, null))).toBe(0);
    expect(world.messages(7).at(-1)).toMatch(/19ea60$/);
    expect(await world.until(client.api.negotiate_wait(gray, handle, 20_000))).toBe(0);
    expect(world.messages(7).at(-1)).toMatch(/194e20$/);
    first!.value = ['NZD', 307];
    const ours = client.api.negotiate_step(gray, handle, first!, null);
    const [, more, second] = await world.until(theirs);
    expect([more, second?.value, second?.loop_count]).toEqual([session, ['NZD', 307], 4]);
    // A-2.3.5-16: the reason is not sent on accept.
    expect(await world.until(bank.api.end_negotiate(briggs, session, true, 'unused'))).toBe(0);
    expect(world.messages(6).at(-1)).toMatch(/811865$/);
    const [done, none, own, why] = await world.until(ours);
    expect([done, none, own?.value, why]).toEqual([0, null, ['NZD', 307], null]);
    // A-2.3.2-15 both handles are dead.
    expect(await world.until(bank.api.end_negotiate(briggs, session, true))).toBe(19);
    expect(await world.until(client.api.negotiate_step(gray, handle, first!, null))).toEqual([
      19,
      null,
      null,
      null,
    ]);
  });

  test('A-2.3.5-03 A-2.3.5-05 accepted at once: null handle, the requested value; flags 3, loop count 6', async () => {
    const { answer, session } = await begun(offer(7));
    expect(await world.until(bank.api.end_negotiate(briggs, session, true))).toBe(0);
    const [err, handle, own, reason] = await world.until(answer);
    expect([err, handle, own?.value, own?.loop_count, reason]).toEqual([0, null, 7, 6, null]);
    expect(world.messages(3)).toEqual([expect.stringMatching(/^8303.*846345583303060\w$/)]);
  });

  test.each([
    ['[102]', undefined, '', /^83061a\w{8}811866$/],
    ['[102, ""]', '', '', /^83061a\w{8}82186660$/],
    ['[102, "x"]', 'x', 'x', /^83061a\w{8}8218666178$/],
  ])('A-2.3.5-07 declined with %s: 1 and the reason, in both shapes', async (_form, reason, told, wire) => {
    const rfc = await begun();
    expect(await world.until(bank.api.end_negotiate(briggs, rfc.session, false, reason))).toBe(0);
    expect(await world.until(rfc.answer)).toEqual([1, null, null, told]);
    expect(world.messages(6).at(-1)).toMatch(wire);
    const { waiting } = await opened();
    const older = client.api.req_negotiate(gray, offer(1), peer, null);
    const [, session] = await world.until(waiting);
    const keywords = reason === undefined ? {} : { reason };
    expect(await world.until(bank.api.end_negotiate(briggs, session, false, keywords))).toBe(0);
    expect(await world.until(older)).toEqual([1, null, told]);
  });

  test('the older shape belongs to req_negotiate, to its steps, and to the module grasp', async () => {
    const { waiting } = await opened();
    const asked = client.api.req_negotiate(gray, offer(1), peer, null);
    const [, session, received] = await world.until(waiting);
    received!.value = 2;
    const theirs = bank.api.grasp.negotiate_step(briggs, session, received!, null);
    const [err, handle, answer, ...nothing] = await world.until(asked);
    expect([err, (answer as objective).value, nothing]).toEqual([0, 2, []]);
    const ours = client.api.negotiate_step(gray, handle, offer(3, { loop_count: 5 }), null);
    expect(await world.until(theirs)).toMatchObject([0, {}, { value: 3, loop_count: 4 }]);
    expect(await world.until(bank.api.end_negotiate(briggs, session, false, 'no'))).toBe(0);
    expect(await world.until(ours)).toEqual([1, null, 'no']);
  });

  test('A-2.3.5-04 peer null: discovers first; 17 where nobody is', async () => {
    expect(await world.until(client.api.request_negotiate(gray, offer(1), null, null))).toEqual([
      17,
      null,
      null,
      null,
    ]);
    const waiting = bank.api.listen_negotiate(briggs, ex3);
    await world.clock.settle();
    const asked = client.api.request_negotiate(gray, offer(1));
    const [, session] = await world.until(waiting);
    await world.until(bank.api.end_negotiate(briggs, session, true));
    expect(await world.until(asked)).toMatchObject([0, null, { value: 1 }, null]);
    expect(world.messages(1).length).toBeGreaterThan(0);
  });

  test('A-2.3.2-10 raw CBOR goes out in tag 24 and comes back as its bytes; other bytes are a byte string', async () => {
    const { answer, session, received } = await begun(offer(cbor.dumps([1, 2])));
    expect(world.messages(3).at(-1)).toMatch(/d81843820102$/);
    expect(received.value).toBeInstanceOf(Uint8Array);
    expect(cbor.loads(received.value)).toEqual([1, 2]);
    received.value = Buffer.from('8201', 'hex');
    const stepping = bank.api.negotiate_step(briggs, session, received, null);
    const [, handle, counter] = await world.until(answer);
    expect(counter!.value).toEqual(new Uint8Array([0x82, 1]));
    expect(world.messages(5).at(-1)).toMatch(/428201$/);
    await world.until(client.api.end_negotiate(gray, handle, true));
    expect((await world.until(stepping))[0]).toBe(0);
  });

  test('objects are copied: what the caller does to them afterwards has no effect, and they are not changed', async () => {
    const asked = offer(['NZD', 410], { loop_count: 9 });
    const { waiting } = await opened();
    const answer = client.api.request_negotiate(gray, asked, peer, null);
    (asked.value as unknown[])[1] = 1;
    asked.loop_count = 2;
    const [, session, received] = await world.until(waiting);
    expect([received!.value, received!.loop_count]).toEqual([['NZD', 410], 9]);
    await world.until(bank.api.end_negotiate(briggs, session, true));
    const [, , own] = await world.until(answer);
    expect(own).not.toBe(asked);
    expect(own!.value).toEqual(['NZD', 410]);
    expect(asked.value).toEqual(['NZD', 1]);
  });

  test('A-2.3.5-09 a dry run is one by the objective of the request, though registered without; it stays one', async () => {
    const { answer, session, received } = await begun(offer(1, { dry: true }));
    expect(received.dry).toBe(true);
    expect(world.messages(3).at(-1)).toMatch(/63455833\s*0b06/);
    const before = world.sent.length;
    const wet = negotiable('EX3', { value: 2, loop_count: 6 });
    expect(await world.until(bank.api.negotiate_step(briggs, session, wet, null))).toEqual([
      3,
      null,
      null,
      null,
    ]);
    expect(world.sent.length).toBe(before);
    await world.until(bank.api.end_negotiate(briggs, session, true));
    expect(await world.until(answer)).toMatchObject([0, null, { dry: true }, null]);
  });
});

describe('api.md §4.6–4.12 codes, each with nothing sent', () => {
  const request = (changes: Partial<objective>, to: unknown = null, timeout: unknown = null) =>
    world.silently(() =>
      client.api.request_negotiate(
        gray,
        Object.assign(negotiable('EX3', { value: 1 }), changes),
        to as null,
        timeout as null,
      ),
    );
  const failed = (code: number): negotiate_result => [code, null, null, null];
  const locator = (changes: Partial<asa_locator>): asa_locator =>
    Object.assign(new asa_locator('2001:db8::1', 0), { is_ipaddress: true, port: 4000 }, changes);

  test('4.6 8, 9, 15, 13, 3, 40', async () => {
    expect(await request({ synch: true })).toEqual(failed(8));
    expect(await request({ neg: false, dry: true })).toEqual(failed(9));
    expect(await request({ neg: false })).toEqual(failed(15));
    expect(await request({ name: 'EX4' })).toEqual(failed(13));
    expect(await request({ value: () => 1 })).toEqual(failed(3));
    expect(await request({ loop_count: 0 })).toEqual(failed(3));
    expect(await request({ loop_count: 256 })).toEqual(failed(3));
    expect(await request({}, null, -1)).toEqual(failed(3));
    expect(await request({}, null, 2 ** 32)).toEqual(failed(3));
    expect(await request({}, null, 'soon')).toEqual(failed(3));
    expect(await request({}, 17)).toEqual(failed(3));
    expect(await request({ value: 'x'.repeat(2048) }, locator({}))).toEqual(failed(40));
  });

  test('4.6 38: another transport, a URI, no kind or two, no address, no port', async () => {
    expect(await request({}, locator({ protocol: 17 }))).toEqual(failed(38));
    expect(await request({}, locator({ is_ipaddress: false, is_uri: true, locator: 'http://x' }))).toEqual(
      failed(38),
    );
    expect(await request({}, locator({ is_ipaddress: false }))).toEqual(failed(38));
    expect(await request({}, locator({ is_fqdn: true }))).toEqual(failed(38));
    expect(await request({}, locator({ locator: 'nowhere' }))).toEqual(failed(38));
    expect(await request({}, locator({ port: 65_536 }))).toEqual(failed(38));
    expect(await request({}, locator({ port: null }))).toEqual(failed(38));
    expect(await request({}, locator({ protocol: 256 }))).toEqual(failed(38));
    expect(await request({}, locator({ locator: 'fe80::1' }))).toEqual(failed(38));
  });

  test('4.6 a link-local peer is reached by its interface’s index', async () => {
    const { waiting } = await opened();
    const { interfaces } = await world.until(client.grasp.status());
    const theirs = (await world.until(bank.grasp.status())).interfaces[0]!;
    const target = new asa_locator(theirs.linkLocal!, interfaces[0]!.index);
    target.is_ipaddress = true;
    target.port = peer!.port;
    const asked = client.api.request_negotiate(gray, offer(1), target, null);
    const [err, session] = await world.until(waiting);
    expect(err).toBe(0);
    await world.until(bank.api.end_negotiate(briggs, session, true));
    expect((await world.until(asked))[0]).toBe(0);
  });

  test('A-2.3.2-04 timeout 0 is 60 s: 27; 18 where nobody listens', async () => {
    const { waiting } = await opened();
    const start = world.clock.now();
    const asked = client.api.request_negotiate(gray, offer(1), peer, 0);
    const [, session] = await world.until(waiting);
    expect(await world.until(asked)).toEqual(failed(27));
    expect(world.clock.now() - start).toBe(60_000);
    expect(await world.until(bank.api.end_negotiate(briggs, session, true))).not.toBe(0);
    await world.clock.advance(LISTEN_GAP_MS);
    expect(await world.until(client.api.request_negotiate(gray, offer(1), peer, null))).toEqual(failed(18));
  });

  test('4.9 8, 9, 15, 13, 19, 3 and 40 leave the session as it was', async () => {
    const { answer, session } = await begun();
    const other = await world.register(bank, 'Other');
    await world.until(bank.api.register_obj(briggs, negotiable('EX4')));
    const before = world.sent.length;
    const step = (changes: Partial<objective>, handle = session, asa = briggs, timeout: unknown = null) =>
      world.until(bank.api.negotiate_step(asa, handle, offer(1, changes), timeout as null));
    expect(await step({ synch: true })).toEqual(failed(8));
    expect(await step({ neg: false, dry: true })).toEqual(failed(9));
    expect(await step({ neg: false })).toEqual(failed(15));
    expect(await step({ name: 'EX5' })).toEqual(failed(13));
    expect(await step({}, session, other)).toEqual(failed(13));
    expect(await step({}, new session_handle())).toEqual(failed(19));
    expect(await step({ name: 'EX4' })).toEqual(failed(3));
    expect(await step({ loop_count: 256 })).toEqual(failed(3));
    expect(await step({ value: () => 1 })).toEqual(failed(3));
    expect(await step({ value: 'x'.repeat(2048) })).toEqual(failed(40));
    expect(await step({}, session, briggs, -1)).toEqual(failed(3));
    // A-2.2-04: a handle belongs to the ASA that got it.
    expect(await world.until(bank.api.negotiate_wait(other, session, null))).toBe(19);
    expect(await world.until(bank.api.end_negotiate(other, session, true))).toBe(19);
    expect(await world.until(bank.api.send_invalid(other, session))).toBe(19);
    expect(await world.until(bank.api.negotiate_wait(briggs, session, -1))).toBe(3);
    expect(await world.until(bank.api.end_negotiate(briggs, session, 1 as unknown as boolean))).toBe(3);
    expect(await world.until(bank.api.end_negotiate(briggs, session, false, 7 as unknown as string))).toBe(3);
    expect(await world.until(bank.api.send_invalid(briggs, session, 7 as unknown as string))).toBe(3);
    expect(world.sent.length).toBe(before);
    expect(await world.until(bank.api.end_negotiate(briggs, session, true))).toBe(0);
    expect((await world.until(answer))[0]).toBe(0);
  });

  test('A-2.3.5-02 not this side’s turn: step, wait and accept give 3, nothing is sent', async () => {
    const { answer, session, received } = await begun();
    const first = bank.api.negotiate_step(briggs, session, received, null);
    await world.until(answer);
    const again = await world.silently(() => bank.api.negotiate_step(briggs, session, received, null));
    expect(again).toEqual(failed(3));
    expect(await world.silently(() => bank.api.negotiate_wait(briggs, session, null))).toBe(3);
    expect(await world.silently(() => bank.api.end_negotiate(briggs, session, true))).toBe(3);
    // Declining is allowed; the step that waits is over then.
    expect(await world.until(bank.api.end_negotiate(briggs, session, false))).toBe(0);
    expect(await world.until(first)).toEqual(failed(19));
  });

  test.each([0, 1])(
    'C-02 loop count %i passed to a step: 21, the session is over on both sides',
    async (loop_count) => {
      const { answer, session } = await begun();
      const spent = offer(1, { loop_count });
      expect(await world.until(bank.api.negotiate_step(briggs, session, spent, null))).toEqual(failed(21));
      expect(world.messages(5)).toEqual([]);
      expect(await world.until(answer)).toEqual(failed(23));
      expect(await world.until(bank.api.end_negotiate(briggs, session, false))).toBe(19);
    },
  );

  test('D-11 a loop count raised by the ASA is not accepted', async () => {
    const { answer, session } = await begun();
    void bank.api.negotiate_step(briggs, session, offer(1, { loop_count: 200 }), null);
    expect(await world.until(answer)).toMatchObject([0, {}, { loop_count: 5 }, null]);
  });

  test('A-2.3.7-01 send_invalid: [99, sid, info], text or bytes or nothing; 28 at the peer, 19 here', async () => {
    for (const [info, wire] of [
      ['x', /^831863.*6178$/],
      [Uint8Array.of(1, 2), /^831863.*420102$/],
      [{ info: 'y' }, /^831863.*6179$/],
      [undefined, /^821863/],
    ] as const) {
      const { answer, session } = await begun();
      expect(await world.until(bank.api.send_invalid(briggs, session, info))).toBe(0);
      expect(world.sent.filter((hex) => hex.slice(2, 6) === '1863').at(-1)).toMatch(wire);
      expect(await world.until(answer)).toEqual(failed(28));
      expect(await world.until(bank.api.send_invalid(briggs, session))).toBe(19);
    }
  });

  test('5 an end while it is this side’s turn is told by the next call, then 19', async () => {
    const { answer, session, received } = await begun();
    const stepping = bank.api.negotiate_step(briggs, session, received, null);
    const [, handle, counter] = await world.until(answer);
    await world.until(bank.api.end_negotiate(briggs, session, false, 'changed my mind'));
    expect((await world.until(stepping))[0]).toBe(19);
    await world.clock.settle();
    expect(await world.until(client.api.negotiate_step(gray, handle, counter!, null))).toEqual([
      1,
      null,
      null,
      'changed my mind',
    ]);
    expect(await world.until(client.api.negotiate_step(gray, handle, counter!, null))).toEqual(failed(19));
  });

  test('A-A-01 16 while there is no security', async () => {
    const { session, received } = await begun();
    for (const party of [bank, client]) party.node.setSecurity('none');
    await world.clock.settle();
    expect(await request({})).toEqual(failed(16));
    expect(await world.until(client.api.discover(gray, ex3, null))).toEqual([16, []]);
    expect(await world.until(bank.api.listen_negotiate(briggs, ex3))).toEqual([16, null, null]);
    expect(await world.until(bank.api.stop_negotiate(briggs, ex3))).toBe(16);
    expect((await world.until(bank.api.negotiate_step(briggs, session, received, null)))[0]).toBe(16);
    // Registering needs none.
    expect(await world.until(client.api.register_obj(gray, negotiable('EX9')))).toBe(0);
    expect(await world.until(client.api.deregister_obj(gray, negotiable('EX9')))).toBe(0);
  });
});

describe('api.md §4.7, §4.8 listen_negotiate and stop_negotiate', () => {
  test('8, 9, 15, 13', async () => {
    const listen = (changes: Partial<objective>) =>
      world.until(bank.api.listen_negotiate(briggs, Object.assign(negotiable('EX3'), changes)));
    expect(await listen({ synch: true })).toEqual([8, null, null]);
    expect(await listen({ neg: false, dry: true })).toEqual([9, null, null]);
    expect(await listen({ neg: false })).toEqual([15, null, null]);
    expect(await listen({ name: 'EX4' })).toEqual([13, null, null]);
    await world.until(bank.api.register_obj(briggs, synchronizable('EX2')));
    expect(await listen({ name: 'EX2' })).toEqual([15, null, null]);
    const stop = (changes: Partial<objective>) =>
      world.until(bank.api.stop_listen_negotiate(briggs, Object.assign(negotiable('EX3'), changes)));
    expect(await stop({ synch: true })).toBe(8);
    expect(await stop({ name: 'EX4' })).toBe(13);
    // Not listening: no error.
    expect(await stop({})).toBe(0);
  });

  test('A-2.3.5-11 it returns only after a request', async () => {
    const { waiting } = await opened();
    let returned = false;
    void waiting.then(() => (returned = true));
    await world.clock.advance(10_000);
    expect(returned).toBe(false);
    void client.api.request_negotiate(gray, offer(1), peer, null);
    await world.until(waiting);
    expect(returned).toBe(true);
  });

  test('A-2.3.5-12 A-2.2-03 ten listens wait, ten requests come: each is served once, values are not mixed', async () => {
    const waiting = Array.from({ length: 10 }, () => bank.api.listen_negotiate(briggs, ex3));
    await world.clock.settle();
    const asked = Array.from({ length: 10 }, (_, i) =>
      client.api.request_negotiate(gray, offer(i), null, null),
    );
    const sessions = await world.until(Promise.all(waiting));
    expect(sessions.map(([, , received]) => received!.value as number).sort((a, b) => a - b)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    ]);
    const steps = sessions.map(([, session, received]) => {
      received!.value = (received!.value as number) + 100;
      return bank.api.negotiate_step(briggs, session, received!, null);
    });
    const answers = await world.until(Promise.all(asked));
    expect(answers.map(([, , answer]) => answer!.value)).toEqual(answers.map((_, i) => i + 100));
    await world.until(Promise.all(answers.map(([, handle]) => client.api.end_negotiate(gray, handle, true))));
    expect((await world.until(Promise.all(steps))).map(([err]) => err)).toEqual(Array(10).fill(0));
    // A-2.2-01: none of it kept another call waiting.
    expect(await world.until(client.api.discover(gray, negotiable('EX9'), 100))).toEqual([0, []]);
  });

  test('A-2.3.5-13 stop: waiting calls return 3, nobody is found, requests are refused, sessions go on', async () => {
    const { answer, session } = await begun();
    const { waiting } = await opened();
    expect(await world.until(bank.api.stop_listen_negotiate(briggs, ex3))).toBe(0);
    expect(await world.until(waiting)).toEqual([3, null, null]);
    expect(await world.until(client.api.discover(gray, ex3, 1000, true))).toEqual([0, []]);
    expect(await world.until(client.api.request_negotiate(gray, offer(1), peer, null))).toEqual([
      18,
      null,
      null,
      null,
    ]);
    expect(await world.until(bank.api.end_negotiate(briggs, session, true))).toBe(0);
    expect((await world.until(answer))[0]).toBe(0);
  });

  test('4.4 a call that waits returns 13 when its objective is deregistered', async () => {
    const { waiting } = await opened();
    expect(await world.until(bank.api.deregister_obj(briggs, ex3))).toBe(0);
    expect(await world.until(waiting)).toEqual([13, null, null]);
  });

  test('C-20 a request between two calls waits for the second', async () => {
    await begun();
    const asked = client.api.request_negotiate(gray, offer('between'), peer, null);
    await world.clock.advance(LISTEN_GAP_MS - 10);
    const [err, session, received] = await world.until(bank.api.listen_negotiate(briggs, ex3));
    expect([err, received?.value]).toEqual([0, 'between']);
    await world.until(bank.api.end_negotiate(briggs, session, true));
    expect((await world.until(asked))[0]).toBe(0);
  });

  test('C-20 no second call within 250 ms: it is closed, and nobody is found any more', async () => {
    await begun();
    const asked = client.api.request_negotiate(gray, offer('between'), peer, null);
    const start = world.clock.now();
    expect(await world.until(asked)).toEqual([23, null, null, null]);
    expect(world.clock.now() - start).toBeLessThanOrEqual(LISTEN_GAP_MS);
    expect(world.clock.now() - start).toBeGreaterThan(LISTEN_GAP_MS - 50);
    expect(await world.until(client.api.discover(gray, ex3, 1000, true))).toEqual([0, []]);
    expect(await world.until(client.api.request_negotiate(gray, offer(1), peer, null))).toEqual([
      18,
      null,
      null,
      null,
    ]);
  });

  test('C-20 listenGapMs 0: closed at once', async () => {
    const strict = await world.party('strict', { facade: { listenGapMs: 0 } });
    const ex7 = negotiable('EX7', { value: 1 });
    const asa = await world.register(strict, 'Strict', ex7);
    await world.until(client.api.register_obj(gray, ex7));
    const waiting = strict.api.listen_negotiate(asa, ex7);
    await world.clock.settle();
    const [, [target]] = await world.until(client.api.discover(gray, ex7, 1000));
    void client.api.request_negotiate(gray, ex7, target!, null);
    await world.until(waiting);
    await world.clock.advance(1);
    expect(await world.until(client.api.request_negotiate(gray, ex7, target!, null))).toEqual([
      18,
      null,
      null,
      null,
    ]);
  });

  test('C-20 not after stop and not after deregistering: closed at once', async () => {
    await begun();
    const asked = client.api.request_negotiate(gray, offer('between'), peer, null);
    await world.clock.advance(20);
    const start = world.clock.now();
    await world.until(bank.api.stop_negotiate(briggs, ex3));
    expect(await world.until(asked)).toEqual([23, null, null, null]);
    expect(world.clock.now()).toBe(start);
  });

  test('C-20 what waits is bounded: when the queue is full, requests are closed at once', async () => {
    const small = await world.party('small', { limits: { requestQueue: 2 } });
    const bankTwo = await world.register(small, 'Small', negotiable('EX7'));
    await world.until(client.api.register_obj(gray, negotiable('EX7')));
    const waiting = small.api.listen_negotiate(bankTwo, negotiable('EX7'));
    await world.clock.settle();
    const [, [target]] = await world.until(client.api.discover(gray, negotiable('EX7'), 1000));
    void client.api.request_negotiate(gray, negotiable('EX7', { value: 0 }), target!, null);
    await world.until(waiting);
    const asked = [1, 2, 3].map((value) =>
      client.api.request_negotiate(gray, negotiable('EX7', { value }), target!, null),
    );
    const start = world.clock.now();
    const [first] = await world.until(Promise.race(asked));
    expect(first).toBe(23);
    expect(world.clock.now() - start).toBeLessThan(50);
    expect((await world.until(Promise.all(asked))).map(([err]) => err)).toEqual([23, 23, 23]);
  });

  test('a listen costs nothing when it is over: no listener and no timer is left', async () => {
    const { session } = await begun();
    await world.until(bank.api.end_negotiate(briggs, session, true));
    await world.clock.advance(LISTEN_GAP_MS);
    const { objectives } = await world.until(bank.grasp.status());
    expect(objectives[0]!.listening).toEqual([]);
  });
});
