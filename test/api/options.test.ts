import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Grasp, type GraspOptions } from '../../src/index.js';
import { World } from './rig.js';
import { addressBytes, type Wire } from './wire.js';

let world: World;
let wire: Wire;

beforeEach(() => {
  world = new World();
  wire = world.wire();
});

afterEach(() => world.close());

async function publisher(more: Partial<GraspOptions> = {}, rapid = false) {
  const { grasp, node } = await world.engine('publisher', { more });
  const { asa, ex3: ex1 } = await world.asa(grasp, 'P', {
    name: 'EX1',
    negotiate: false,
    synchronize: true,
    rapid,
  });
  await world.until(ex1.listenSynchronize(7));
  return { grasp, node, asa, ex1 };
}

async function reader() {
  const { grasp } = await world.engine('reader');
  return world.until(grasp.registerAsa('Reader'));
}

describe('RFC 8990 §2.5.6.3 rapid mode', () => {
  test('G-2.5.6.3-01 off by default: a discovery that asks for the value gets a locator, and M_REQ_SYN follows', async () => {
    await publisher({}, true);
    const asa = await reader();
    wire.forget();
    expect(await world.until(asa.synchronize('EX1', { rapid: true }))).toMatchObject({
      value: 7,
      source: 'request',
    });
    expect(wire.of(1)[0]!.message[3]).toEqual(['EX1', 5, 6, null]);
    expect(wire.of(2)).toHaveLength(1);
    expect(wire.of(4)).toHaveLength(1);
  });

  test('on: M_SYNCH with the session ID of the discovery is the answer; nothing else is sent', async () => {
    await publisher({ rapidAnswers: true }, true);
    const asa = await reader();
    wire.forget();
    expect(await world.until(asa.synchronize('EX1', { rapid: true }))).toMatchObject({
      value: 7,
      flags: 5,
      source: 'rapid',
    });
    expect(wire.said.map(({ node, message }) => `${node} ${String(message[0])}`)).toEqual([
      'reader 1',
      'publisher 8',
    ]);
    expect(wire.of(8)[0]!.message[1]).toBe(wire.of(1)[0]!.message[1]);
    // Whoever does not ask for it gets a locator all the same.
    expect(await world.until(asa.discover('EX1'))).toHaveLength(1);
  });
});

describe('Grasp.start', () => {
  test('testing.forceDivert: own locators stand in an O_DIVERT', async () => {
    const { node } = await publisher({ testing: { forceDivert: true } });
    const asa = await reader();
    wire.forget();
    const [found] = await world.until(asa.discover('EX1'));
    const address = node.environment.interfaces[0]!.addresses[0]!;
    expect(found).toMatchObject({ address, diverted: true });
    expect(wire.of(2)[0]!.message.slice(4)).toEqual([[100, [103, addressBytes(address), 6, found!.port]]]);
    expect(await world.until(asa.synchronize('EX1'))).toMatchObject({ value: 7 });
  });

  test('syntaxDiagnostics: one warning of a kind per second, with its reason; none without it', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    try {
      const quiet = await publisher();
      const { grasp } = await world.engine('telling', { more: { syntaxDiagnostics: true } });
      const stranger = await world.stranger('stranger');
      const nonsense = [9, 7, addressBytes('fd00::7'), 60_000, [['EX1', 5, 6, 1]]];
      for (let i = 0; i < 5; i++) await world.until(stranger.multicast(nonsense, 'link'));
      await world.clock.advance(1_000);
      await world.until(stranger.multicast(nonsense, 'link'));
      await world.clock.settle();
      const { counters } = await world.until(grasp.status());
      const reason = Object.keys(counters).find((name) => name.startsWith('multicast.refused.'))!;
      expect(counters[reason]).toBe(6);
      expect((await world.until(quiet.grasp.status())).counters[reason]).toBe(6);
      expect(warn.mock.calls).toEqual([
        [`core: message refused: ${reason} (1)`, 'GraspSyntaxWarning'],
        [`core: message refused: ${reason} (5)`, 'GraspSyntaxWarning'],
      ]);
    } finally {
      warn.mockRestore();
    }
  });

  test.each<[string, Partial<GraspOptions>]>([
    ['sessionWorkers', { sessionWorkers: 0 }],
    ['sessionWorkers', { sessionWorkers: 1.5 }],
    ['sessionWorkers', { sessionWorkers: Infinity }],
    ['hungAfterMs', { hungAfterMs: 0 }],
    ['asaHungAfterMs', { asaHungAfterMs: -Infinity }],
  ])('%s is a whole number from 1: else 3, %j', async (name, more) => {
    expect(await world.failure(world.engine('e', { more }))).toMatchObject({
      code: 3,
      detail: expect.stringContaining(`${name} is a whole number from 1`),
    });
  });

  test('hungAfterMs and asaHungAfterMs may be Infinity: never', async () => {
    const { grasp } = await world.engine('e', { more: { hungAfterMs: Infinity, asaHungAfterMs: Infinity } });
    expect((await world.until(grasp.status())).placement).toBe('inline');
  });

  test.each<[string, Partial<GraspOptions>]>([
    ['syntaxDiagnostics', { syntaxDiagnostics: 1 as never }],
    ['rapidAnswers', { rapidAnswers: 'yes' as never }],
    ['testing.forceDivert', { testing: { forceDivert: 0 as never } }],
    ['listenSelf', { listenSelf: 'no' as never }],
  ])('%s is true or false: else 3', async (_name, more) => {
    const node = world.network.addNode('bad', { links: ['link'] });
    const starting = Grasp.start({
      substrate: { kind: 'simulated', node },
      placement: 'inline',
      clock: world.clock,
      ...more,
    });
    expect(await world.failure(starting)).toMatchObject({ code: 3 });
  });

  test('A-2.2-01 a listen that waits delays nothing else', async () => {
    const { grasp, asa, ex1 } = await publisher();
    const { ex3 } = await world.asa(grasp, 'Neg');
    const waiting = ex3.listenNegotiate();
    const next = waiting.next();
    next.catch(() => undefined);
    const other = await reader();
    expect(await world.until(other.synchronize('EX1'))).toMatchObject({ value: 7 });
    await world.until(asa.flood([{ objective: ex1 }], { ttlMs: 1_000 }));
    expect(await world.until(other.getFlood('EX1'))).toHaveLength(1);
    expect(await world.until(other.discover('EX3'))).toHaveLength(1);
    await world.until(waiting.return!());
  });
});
