/** How the reader's end asks the threads for items. */
import { expect, test } from '@jest/globals';
import type { FromWatch, ToWatch, WatchSpec } from '../../src/actors/watch/protocol.js';
import { DataPort, inlinePair, SimulatedClock, type Endpoint } from '../../src/runtime/index.js';
import type { Placement } from '../../src/workers/placement.js';
import { Watches } from '../../src/workers/watches.js';

test('a thread is asked for more when a quarter has been read, not for each batch, and for all that was read', async () => {
  const clock = new SimulatedClock();
  const placement = {
    channel: () => inlinePair(clock),
    world: { clock, toEndpoint: (raw: unknown) => raw as Endpoint },
  } as unknown as Placement;
  const asked: number[] = [];
  let host!: DataPort<FromWatch, ToWatch>;
  const watches = new Watches(placement, () => [
    {
      name: 'core',
      watch: (_watch, _spec, _prefix, port) => {
        host = new DataPort(port as Endpoint, clock, {
          onEvents: (demands) => asked.push(...demands.map(({ more }) => more)),
        });
        return Promise.resolve();
      },
      unwatch: () => Promise.resolve(),
    },
  ]);
  const spec: WatchSpec = { kind: 'inspection', share: 1, maxPerSecond: Infinity, hold: 100 };
  const watch = watches.add(
    spec,
    ({ items }, taken) => taken(items.length),
    () => undefined,
  );
  await watch.attached;
  await clock.settle();
  expect(asked).toEqual([100]);
  const item = { name: 'caches', thread: 'core', at: 0, discovery: 0, flood: 0 } as const;
  for (let i = 0; i < 10; i++) {
    host.send({ items: Array(10).fill(item), seen: 0, chosen: 0, unsampled: 0, rate: 0, slow: 0 });
    await clock.settle();
  }
  expect(asked).toEqual([100, 30, 30, 30]);
  watch.close();
});
