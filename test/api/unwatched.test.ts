/**
 * While nobody watches, nothing of an inspection exists: the code that makes its objects is not even loaded, and no
 * owner has anybody to tell.
 */
import { expect, jest, test } from '@jest/globals';

let loaded = 0;
let attached = 0;
let made = 0;

const real = await import('../../src/actors/watch/host-watch.js');
const viewer = await import('../../src/actors/watch/viewer-line.js');

jest.unstable_mockModule('../../src/actors/watch/host-watch.js', () => {
  loaded++;
  return {
    HostWatch: class extends real.HostWatch {
      override attach(...args: Parameters<InstanceType<typeof real.HostWatch>['attach']>): void {
        attached++;
        super.attach(...args);
      }
    },
  };
});

const { World } = await import('./rig.js');
const { Counters } = await import('../../src/runtime/index.js');

test('no inspection object is made unwatched, in none of all the threads, and again none when it is over', async () => {
  const add = jest.spyOn(viewer.ViewerLine.prototype, 'add').mockImplementation(function (this: unknown) {
    made++;
  });
  const watched = new Set<unknown>();
  const counted = jest.spyOn(Counters.prototype, 'add');
  const world = new World();
  const bank = (await world.engine('bank')).grasp;
  const client = (await world.engine('client')).grasp;
  const briggs = await world.asa(bank, 'Briggs');
  const gray = await world.asa(client, 'Gray');
  const ex1 = await world.until(briggs.asa.registerObjective({ name: 'EX1', synchronize: true, value: 1 }));
  await world.until(ex1.listenSynchronize(1));
  await world.until(
    briggs.ex3.onNegotiate(async (session) => {
      const result = await session.negotiateStep(2);
      if (result.state === 'offered') await session.endNegotiate({ accept: true });
    }),
  );
  const everything = async (): Promise<void> => {
    const first = await world.until(gray.asa.requestNegotiate(gray.ex3, 1));
    if (first.state === 'offered') await world.until(first.session.negotiateStep(3));
    await world.until(gray.asa.discover('EX3', { flush: true }));
    await world.until(gray.asa.synchronize('EX1', { peer: await peer() }));
    await world.until(briggs.asa.flood([{ objective: ex1, locator: null }], { ttlMs: 1_000 }));
    await world.clock.settle();
  };
  const peer = async () => (await world.until(gray.asa.discover('EX1')))[0]!;

  await everything();
  expect([loaded, attached, made]).toEqual([0, 0, 0]);
  // Whoever counts is whom the owners tell: all of them were reached, and had nobody.
  for (const owner of counted.mock.contexts) watched.add((owner as InstanceType<typeof Counters>).watcher);
  expect(counted.mock.contexts.length).toBeGreaterThan(10);
  expect(watched).toEqual(new Set([undefined]));

  // The same with somebody watching makes them, so that the test sees what it looks for.
  const inspection = client.inspect();
  await world.until(inspection.attached);
  await everything();
  expect(attached).toBe(4);
  expect(made).toBeGreaterThan(20);

  await world.until(inspection.close());
  await world.clock.settle();
  made = 0;
  counted.mockClear();
  await everything();
  expect(made).toBe(0);
  for (const owner of counted.mock.contexts) {
    expect((owner as InstanceType<typeof Counters>).watcher).toBeUndefined();
  }
  add.mockRestore();
  counted.mockRestore();
  await world.close();
});
