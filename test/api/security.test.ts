import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Asa, Grasp, Objective, SimulatedNode } from '../../src/index.js';
import { World } from './rig.js';

let world: World;
let bank: { grasp: Grasp; node: SimulatedNode };
let client: { grasp: Grasp; node: SimulatedNode };
let briggs: { asa: Asa; ex3: Objective };
let gray: { asa: Asa; ex3: Objective };

beforeEach(async () => {
  world = new World();
  bank = await world.engine('bank');
  client = await world.engine('client');
  briggs = await world.asa(bank.grasp, 'Briggs');
  gray = await world.asa(client.grasp, 'Gray');
});

afterEach(() => world.close());

describe('RFC 8991 §3, Appendix A: noSecurity (16)', () => {
  test('G-3-01 every call that sends or receives gives 16 while the substrate has no security', async () => {
    client.node.setSecurity('none');
    await world.clock.settle();
    const { asa, ex3 } = gray;
    const peer = '[fd00::1]:4000';
    expect(await world.failure(asa.discover('EX3'))).toMatchObject({ code: 16, name: 'noSecurity' });
    expect(await world.failure(asa.requestNegotiate(ex3, 1))).toMatchObject({ code: 16 });
    expect(await world.failure(asa.requestNegotiate(ex3, 1, { peer }))).toMatchObject({ code: 16 });
    expect(await world.failure(ex3.onNegotiate(() => undefined))).toMatchObject({ code: 16 });
    // Registering sends nothing.
    await world.until(asa.registerObjective({ name: 'EX4', negotiate: true }));
    expect((await world.until(client.grasp.status())).security).toBe('none');
  });

  test('P-6.9.2-02 on loss waiting calls end with 16; on recovery the same handles work', async () => {
    let step: unknown;
    await world.until(
      briggs.ex3.onNegotiate(async (session) => {
        step = await session.negotiateStep(2).catch((error: unknown) => error);
        if (!session.ended) await session.endNegotiate({ accept: true });
      }),
    );
    const offered = await world.until(gray.asa.requestNegotiate(gray.ex3, 1));
    expect(offered.state).toBe('offered');
    const waiting = world.failure(gray.asa.discover('nobody', { timeoutMs: 60_000 }));
    client.node.setSecurity('none');
    bank.node.setSecurity('none');
    await world.clock.settle();
    expect(step).toMatchObject({ code: 16 });
    expect(await waiting).toMatchObject({ code: 16 });

    client.node.setSecurity('secure');
    bank.node.setSecurity('secure');
    await world.clock.settle();
    const again = await world.until(gray.asa.requestNegotiate(gray.ex3, 1));
    expect(again).toMatchObject({ state: 'offered', value: 2 });
  });
});
