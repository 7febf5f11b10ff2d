/** One supervised host over a thread that is no thread: what becomes of those who wait for it. */
import { describe, expect, test } from '@jest/globals';
import { Counters, inlinePair, SimulatedClock } from '../../src/runtime/index.js';
import { serve } from '../../src/workers/control.js';
import type { HostSettings } from '../../src/workers/host.js';
import type { Placement } from '../../src/workers/placement.js';
import { isPort, toEndpoint } from '../../src/workers/ports.js';
import { SupervisedHost } from '../../src/workers/supervised-host.js';

const NO_THREAD = new Error('EAGAIN: no thread');

interface Hosted {
  readonly onReady?: () => Promise<void>;
  /** Hears of each question for a proof of life. */
  readonly onPing?: () => Promise<void> | void;
  /** What the thread ends with as soon as it is launched. */
  readonly failure?: Error;
  readonly idleMs?: () => number | undefined;
  /** So many times the system gives no thread. */
  readonly refusals?: number;
  readonly replaced?: boolean;
}

/** A host over a thread that is served on an inline endpoint. */
function hosted({
  onReady = () => Promise.resolve(),
  onPing = () => undefined,
  failure,
  idleMs = () => undefined,
  refusals = 0,
  replaced = true,
}: Hosted = {}): { host: SupervisedHost; clock: SimulatedClock; kill: () => void } {
  let kill: () => void = () => undefined;
  const clock = new SimulatedClock(0);
  const placement: Placement = {
    kind: 'inline',
    world: { clock, random: (bytes) => void bytes.fill(1), toEndpoint },
    channel: () => inlinePair(clock, { clone: true }),
    launch: (init, _ports, onExit) => {
      if (refusals-- > 0) throw NO_THREAD;
      kill = () => onExit(undefined);
      const control = {
        ready: () => Promise.resolve(),
        ping: async () => {
          await onPing();
          return { osThread: undefined, at: clock.now() };
        },
        status: () => ({ actors: [], queues: [], counters: {} }),
        close: () => Promise.resolve(),
      };
      const endpoint = toEndpoint(init.control);
      if (failure) {
        endpoint.close();
        clock.setTimeout(() => onExit(failure), 1);
        return { threadId: 1, idleMs, terminate: () => undefined };
      }
      serve(control, endpoint, isPort);
      return { threadId: 1, idleMs, terminate: () => clock.defer(() => onExit(undefined)) };
    },
  };
  const host = new SupervisedHost({
    name: 'sessions-1',
    role: 'sessions',
    placement,
    clock,
    counters: new Counters(),
    hungAfterMs: 500,
    replaced,
    settings: () => ({}) as HostSettings,
    substrate: () => ({ init: {} as never, ports: [] }),
    events: { portsChanged: () => undefined },
    onReady,
    onLost: () => undefined,
  });
  return { host, clock, kill: () => kill() };
}

test('a replay that fails fails those who wait for it; the thread that comes next can be waited for', async () => {
  const refused = new Error('refused');
  let replays = 0;
  const { host, clock } = hosted({
    onReady: () => (++replays === 1 ? Promise.reject(refused) : Promise.resolve()),
  });
  const first = host.ready().then(
    () => 'ready',
    (error: unknown) => error,
  );
  expect(await clock.until(first)).toMatchObject({ code: 41, cause: refused });
  const second = host.ready().then(
    () => 'ready',
    (error: unknown) => error,
  );
  expect(await clock.until(second)).toBe('ready');
  expect(replays).toBe(2);
  expect(host.restarts).toBe(1);
  await clock.until(host.stop(1_000));
});

test('a thread is not running, for who looks at it, until it has been told what it is to do', async () => {
  let told!: () => void;
  const replay = new Promise<void>((resolve) => (told = resolve));
  const { host, clock } = hosted({ onReady: () => replay });
  const running = host.ready();
  await clock.advance(10);
  expect(host.isBuilt).toBe(true);
  expect(host.state).toBe('starting');
  told();
  await clock.until(running);
  expect(host.state).toBe('running');
  await clock.until(host.stop(1_000));
  expect(host.state).toBe('stopped');
});

test('a thread that died while it was told leaves all to be told to its successor', async () => {
  const replays: (() => void)[] = [];
  const { host, clock, kill } = hosted({ onReady: () => new Promise((resolve) => replays.push(resolve)) });
  const running = host.ready();
  await clock.advance(10);
  kill();
  replays[0]!();
  await clock.advance(10);
  expect(replays).toHaveLength(2);
  expect([host.isBuilt, host.state]).toEqual([true, 'starting']);
  replays[1]!();
  await clock.until(running);
  expect([host.restarts, host.state]).toEqual([1, 'running']);
  await clock.until(host.stop(1_000));
});

test('a thread that works is asked who it is at once, before any tick: it may be starved from the first', async () => {
  let pings = 0;
  const { host, clock } = hosted({ onPing: () => void pings++ });
  await clock.until(host.ready());
  await clock.advance(1);
  expect(pings).toBe(1);
  // The answer is there: the next tick asks again.
  host.tick(100, true);
  await clock.advance(1);
  expect(pings).toBe(2);
  await clock.until(host.stop(1_000));
});

test('a thread that ends while it starts fails its start with what it ended with, not with its closed port', async () => {
  const failure = new Error('thrown while loading');
  const { host, clock } = hosted({ failure });
  await expect(clock.until(host.ready())).rejects.toMatchObject({ code: 41, cause: failure });
  await clock.until(host.stop(1_000));
});

describe('a system that gives no thread', () => {
  test('who waits is told (41); it is tried again, and works when there is one', async () => {
    const { host, clock } = hosted({ refusals: 2 });
    await expect(clock.until(host.ready())).rejects.toMatchObject({ code: 41, cause: NO_THREAD });
    await clock.advance(10_000);
    expect([host.restarts, host.state]).toEqual([2, 'running']);
    await clock.until(host.ready());
    await clock.until(host.stop(1_000));
  });

  test('a host that has none can be stopped', async () => {
    const { host, clock } = hosted({ refusals: Infinity });
    await expect(clock.until(host.ready())).rejects.toMatchObject({ code: 41 });
    await clock.until(host.stop(1_000));
    expect(host.state).toBe('stopped');
  });
});

test('an ASA’s thread that ends before it works is not waited for', async () => {
  const failure = new Error('out of memory');
  const { host, clock } = hosted({ failure, replaced: false });
  await expect(clock.until(host.ready())).rejects.toMatchObject({ code: 41, cause: failure });
  expect(host.state).toBe('stopped');
  await clock.until(host.stop(1_000));
});

describe('a thread between two ticks of 100 ms', () => {
  /** How many of ten ticks the thread is asked at, and whether it lives on, if of each it waits this long for something to do. */
  async function asked(waited: number, answers = true): Promise<{ pings: number; restarts: number }> {
    let [pings, idle] = [0, 0];
    const { host, clock } = hosted({
      onPing: () => {
        pings++;
        return answers ? undefined : new Promise<void>(() => undefined);
      },
      idleMs: () => idle,
    });
    await clock.until(host.ready());
    await clock.advance(1);
    pings = 0;
    for (let i = 0; i < 10; i++) {
      idle += waited;
      host.tick(100, true);
      await clock.advance(100);
    }
    const { restarts } = host;
    await clock.until(host.stop(1_000));
    return { pings, restarts };
  }

  test('that waits for something to do is alive, and left in peace', async () => {
    expect(await asked(95)).toEqual({ pings: 0, restarts: 0 });
  });

  test('that is busy is asked: how late it answers is its lag', async () => {
    expect(await asked(50)).toEqual({ pings: 10, restarts: 0 });
  });

  test('that is busy all the time lives as long as it answers', async () => {
    expect(await asked(0)).toEqual({ pings: 10, restarts: 0 });
  });

  test('that is busy and does not answer is replaced after 500 ms, and so is the next', async () => {
    expect(await asked(0, false)).toMatchObject({ restarts: 2 });
  });

  test('that does not answer, but waits for something to do, is alive', async () => {
    expect(await asked(95, false)).toMatchObject({ restarts: 0 });
  });
});
