/** What a thread's API side does when the core is lost and replaced; the test plays supervisor and core. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { Client, type CoreSink } from '../../src/api/client.js';
import { FloodWatch } from '../../src/api/flooding.js';
import { ErrorCode, GraspError } from '../../src/protocol/index.js';
import { DataPort, inlinePair, SimulatedClock } from '../../src/runtime/index.js';
import type { EngineControl, FloodRecord, FromCore, ToCore } from '../../src/workers/engine-control.js';

let clock: SimulatedClock;
let client: Client;

beforeEach(() => {
  clock = new SimulatedClock();
  client = new Client({
    control: {} as EngineControl,
    clock,
    window: 16,
    host: 'sessions-1',
  });
});

/** A core that notes what it is asked. */
function attachCore(): { asked: ToCore[]; say: (event: FromCore) => Promise<void> } {
  const [atCore, atClient] = inlinePair(clock, { clone: true });
  const asked: ToCore[] = [];
  const port = new DataPort<FromCore, ToCore>(atCore, clock, { onEvents: (events) => asked.push(...events) });
  client.attachCore(atClient);
  return {
    asked,
    say: async (event) => {
      port.send(event);
      await clock.settle();
    },
  };
}

const lost = { code: ErrorCode.engineLost, detail: 'core ended' };
const record = (value: number): FloodRecord => ({
  objective: { name: 'EX1', flags: 5, loopCount: 6 },
  value: Uint8Array.of(value),
  locator: undefined,
  interface: 'link',
  expiresAt: 0,
});

describe('the core is lost', () => {
  test('a call under way fails with 41; one made before there is a core again waits for it', async () => {
    const first = attachCore();
    const underWay = client.askCore({ t: 'flood.get', objective: 'EX1' }).catch((error: unknown) => error);
    await clock.settle();
    expect(first.asked).toEqual([{ t: 'flood.get', call: 1, objective: 'EX1' }]);
    client.coreLost(lost);
    expect(await clock.until(underWay)).toMatchObject({ code: 41, name: 'engineLost' });
    const patient = client.askCore({ t: 'flood.get', objective: 'EX2' });
    await clock.settle();
    const second = attachCore();
    await clock.settle();
    expect(second.asked).toEqual([{ t: 'flood.get', call: 2, objective: 'EX2' }]);
    await second.say({ t: 'floods', call: 2, entries: [] });
    expect(await clock.until(patient)).toEqual([]);
  });

  test('watchFlood goes on at the core that takes its place, and hears nothing of the old one', async () => {
    const first = attachCore();
    const watch = new FloodWatch(client, 'EX1', undefined);
    await clock.settle();
    expect(first.asked).toEqual([{ t: 'flood.watch', call: 1, objective: 'EX1' }]);
    await first.say({ t: 'floods', call: 1, entries: [record(1)] });
    expect(await clock.until(watch.next())).toMatchObject({ value: [{ value: 1 }] });
    client.coreLost(lost);
    const second = attachCore();
    await clock.settle();
    expect(second.asked).toEqual([{ t: 'flood.watch', call: 1, objective: 'EX1' }]);
    await first.say({ t: 'floods', call: 1, entries: [record(2)] });
    await second.say({ t: 'floods', call: 1, entries: [record(3)] });
    expect(await clock.until(watch.next())).toMatchObject({ value: [{ value: 3 }] });
    await watch.return();
    await clock.settle();
    expect(second.asked.slice(1)).toEqual([{ t: 'cancel', call: 1 }]);
    // A watch that has ended is not taken up again.
    client.coreLost(lost);
    const third = attachCore();
    await clock.settle();
    expect(third.asked).toEqual([]);
  });

  test('closing ends both, with 42, and later calls too', async () => {
    attachCore();
    const watch = new FloodWatch(client, 'EX1', undefined);
    const next = watch.next().catch((error: unknown) => error);
    const get = client.askCore({ t: 'flood.get', objective: 'EX1' }).catch((error: unknown) => error);
    client.close(new GraspError(ErrorCode.closed));
    expect(await clock.until(next)).toMatchObject({ code: 42 });
    expect(await clock.until(get)).toMatchObject({ code: 42 });
    const failures: unknown[] = [];
    const sink: CoreSink = { done: (failure) => failures.push(failure) };
    client.callCore({ t: 'flood.get', objective: 'EX1' }, sink);
    expect(failures).toEqual([{ code: 42 }]);
  });

  test('what arrives for a call that was given up is dropped', async () => {
    const core = attachCore();
    const controller = new AbortController();
    const get = client.askCore({ t: 'flood.get', objective: 'EX1' }, controller.signal);
    const failed = get.catch((error: unknown) => error);
    controller.abort(new Error('enough'));
    expect(await clock.until(failed)).toMatchObject({ message: 'enough' });
    await core.say({ t: 'floods', call: 1, entries: [record(1)] });
    await core.say({ t: 'done', call: 1, failure: lost });
    expect(core.asked).toEqual([
      { t: 'flood.get', call: 1, objective: 'EX1' },
      { t: 'cancel', call: 1 },
    ]);
  });
});
