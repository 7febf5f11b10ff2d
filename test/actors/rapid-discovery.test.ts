/** Values that come with the answer to an own discovery: RFC 8990 §2.5.6.3, wire.md §9.5. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { encode } from 'cborg';
import { addressBytes, CoreRig, tcp6, type CoreEngine, type MulticastPeer } from './core-rig.js';

let rig: CoreRig;
let engine: CoreEngine;
let peer: MulticastPeer;
beforeEach(async () => {
  rig = new CoreRig();
  engine = await rig.engine('engine');
  peer = await rig.peer('peer');
});
afterEach(() => rig.close());

const Q = 'fd00::51';
const asked = { flags: 5 };

describe('value in M_RESPONSE (C-04)', () => {
  test('is told with the locator, and kept for the next one who asks, as long as the locator', async () => {
    const found = await engine.client().discover('EX2', asked);
    expect(peer.heard[0]!.message[3]).toEqual(['EX2', 5, 6]);
    await peer.respond(peer.heard[0]!, 5_000, tcp6(Q, 1), ['EX2', 5, 6, [1, 'x']]);
    const rapid = { flags: 5, loopCount: 6, value: encode([1, 'x']) };
    expect(found.found.map((each) => each.rapid)).toEqual([rapid]);
    const again = await engine.client('other').discover('EX2', { ...asked, timeoutMs: 0 });
    expect(again.found.map((each) => each.rapid)).toEqual([rapid]);
    await rig.clock.advance(5_000);
    expect((await engine.client('third').discover('EX2', { ...asked, timeoutMs: 0 })).found).toEqual([]);
  });

  test.each([
    ['a mere copy of the objective', ['EX2', 5, 6]],
    ['G-2.8.5-05 null', ['EX2', 5, 6, null]],
    ['another name', ['EX4', 5, 6, 1]],
    ['no F_SYNCH', ['EX2', 3, 6, 1]],
  ])('%s: no value, the locator is good', async (_, objective) => {
    const found = await engine.client().discover('EX2', asked);
    await peer.respond(peer.heard[0]!, 5_000, tcp6(Q, 1), objective);
    expect(found.ports).toEqual([1]);
    expect(found.found[0]).not.toHaveProperty('rapid');
  });

  test('where the discovery carried a value itself, what comes back may be its copy', async () => {
    const found = await engine.client().discover('EX2', { ...asked, value: 7 });
    await peer.respond(peer.heard[0]!, 5_000, tcp6(Q, 1), ['EX2', 5, 6, 7]);
    expect(found.ports).toEqual([1]);
    expect(found.found[0]).not.toHaveProperty('rapid');
  });

  test('a newer response without value takes an old value away', async () => {
    await engine.client().discover('EX2', asked);
    await peer.respond(peer.heard[0]!, 5_000, tcp6(Q, 1), ['EX2', 5, 6, 1]);
    await peer.respond(peer.heard[0]!, 5_000, tcp6(Q, 1));
    const again = await engine.client('other').discover('EX2', { ...asked, timeoutMs: 0 });
    expect(again.found[0]).not.toHaveProperty('rapid');
  });
});

describe('M_SYNCH in place of M_RESPONSE (§2.5.6.3)', () => {
  test('G-2.5.6.3-01 G-2.5.4.5-01 a discovery that asks for it has four elements', async () => {
    await engine.client().discover('EX2', { ...asked, value: null });
    expect(peer.heard[0]!.message[3]).toEqual(['EX2', 5, 6, null]);
  });

  test('is the result: the value, and where it came from; nothing is cached', async () => {
    const found = await engine.client().discover('EX2', { ...asked, value: 0 });
    const stream = await peer.connect(engine.discoveryPort());
    await stream.send([8, peer.heard[0]!.message[1], ['EX2', 5, 6, { v: 1 }]]);
    expect(stream.over).toBe(true);
    expect(found.found).toEqual([
      {
        locator: {
          type: 103,
          address: addressBytes(stream.stream.local!.address),
          protocol: 6,
          port: stream.stream.local!.port,
        },
        interface: 'l1',
        expiresAt: rig.clock.now() + 60_000,
        diverted: false,
        rapid: { flags: 5, loopCount: 6, value: encode({ v: 1 }) },
      },
    ]);
    expect(found.outcome).toBeUndefined();
    expect(engine.counters.get('response.value')).toBe(1);
    expect((await engine.client('other').discover('EX2', { ...asked, timeoutMs: 0 })).found).toEqual([]);
  });

  test('G-2.5.6.3-03 an M_RESPONSE is a result as always', async () => {
    const found = await engine.client().discover('EX2', { ...asked, value: 0 });
    await peer.respond(peer.heard[0]!, 5_000, tcp6(Q, 1));
    expect(found.ports).toEqual([1]);
  });

  test('not asked for: refused', async () => {
    const found = await engine.client().discover('EX2', asked);
    const stream = await peer.connect(engine.discoveryPort());
    await stream.send([8, peer.heard[0]!.message[1], ['EX2', 5, 6, 1]]);
    expect(stream.over).toBe(true);
    expect(found.found).toEqual([]);
    expect(engine.counters.get('response.refused.message.misplaced')).toBe(1);
  });

  test.each([
    ['not asked for by this discovery', 1, 0, 'EX2'],
    ['another session ID', 0, 1, 'EX2'],
    ['another objective', 0, 0, 'EX4'],
  ])('%s: unmatched', async (_, which, offset, name) => {
    const client = engine.client();
    const rapid = await client.discover('EX2', { ...asked, value: 0 });
    const plain = await client.discover('EX2', asked);
    const stream = await peer.connect(engine.discoveryPort());
    await stream.send([8, (peer.heard[which]!.message[1] as number) + offset, [name, 5, 6, 1]]);
    expect([rapid.found, plain.found]).toEqual([[], []]);
    expect(engine.counters.get('response.unmatched')).toBe(1);
  });

  test.each([
    ['M_NEGOTIATE', (sid: number) => [5, sid, ['EX2', 3, 6, 1]]],
    ['M_END', (sid: number) => [6, sid, [101]]],
    ['M_WAIT', (sid: number) => [7, sid, 100]],
  ])('§2.5.5.1 %s: rapid negotiation is not asked for', async (_, message) => {
    await engine.client().discover('EX2', { ...asked, value: 0 });
    const stream = await peer.connect(engine.discoveryPort());
    await stream.send(message(peer.heard[0]!.message[1] as number));
    expect(stream.over).toBe(true);
    expect(engine.counters.get('response.unmatched')).toBe(1);
  });

  test('two engines with it switched on: the value comes with the discovery', async () => {
    const other = await rig.engine('other', { rapidAnswers: true });
    await other.announce('EX2', [{ rapidValue: encode('now') }], 60_000, 5);
    const found = await engine.client().discover('EX2', { ...asked, value: null });
    expect(found.found.map((each) => each.rapid?.value)).toEqual([encode('now')]);
  });
});
