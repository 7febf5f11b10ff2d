import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DataPort, inlinePair, SimulatedClock, type Endpoint } from '../../src/runtime/index.js';

interface Batch {
  readonly events: readonly unknown[];
  readonly handled: number;
}

const read = (message: unknown): Batch => {
  const [events, handled] = message as [unknown[], number];
  return { events, handled };
};

/** An endpoint that notes what is posted through it. */
function tapped(endpoint: Endpoint): { endpoint: Endpoint; posted: Batch[] } {
  const posted: Batch[] = [];
  return {
    posted,
    endpoint: {
      postMessage: (message, transfer) => {
        posted.push(read(structuredClone(message)));
        endpoint.postMessage(message, transfer);
      },
      onMessage: (handler) => endpoint.onMessage(handler),
      onClose: (handler) => endpoint.onClose(handler),
      close: () => endpoint.close(),
    },
  };
}

function rig(windows: { a?: number; b?: number } = {}) {
  const clock = new SimulatedClock();
  const [one, other] = inlinePair(clock, { clone: true });
  const log: string[] = [];
  const tapA = tapped(one);
  const tapB = tapped(other);
  const atA: unknown[] = [];
  const atB: unknown[] = [];
  const a = new DataPort<unknown, unknown>(tapA.endpoint, clock, {
    onEvents: (events) => atA.push(...events),
    onCredit: () => log.push(`a has credit for ${a.credit}`),
    onClose: () => log.push('a lost'),
    ...(windows.a === undefined ? {} : { window: windows.a }),
  });
  let onB = (_events: readonly unknown[]): void => undefined;
  const b = new DataPort<unknown, unknown>(tapB.endpoint, clock, {
    onEvents: (events) => {
      atB.push(...events);
      onB(events);
    },
    onCredit: () => log.push(`b has credit for ${b.credit}`),
    onClose: () => log.push('b lost'),
    ...(windows.b === undefined ? {} : { window: windows.b }),
  });
  return {
    clock,
    a,
    b,
    atA,
    atB,
    log,
    fromA: tapA.posted,
    fromB: tapB.posted,
    whenB: (fn: (events: readonly unknown[]) => void) => void (onB = fn),
  };
}

/** The far end is silent: it takes everything and confirms by hand. */
function silent(window: number) {
  const clock = new SimulatedClock();
  const [near, far] = inlinePair(clock, { clone: true });
  const got: unknown[] = [];
  let credits = 0;
  far.onMessage((batch) => got.push(...read(batch).events));
  const port = new DataPort<number, never>(near, clock, {
    onEvents: () => undefined,
    onCredit: () => credits++,
    window,
  });
  return {
    clock,
    port,
    got,
    get credits() {
      return credits;
    },
    confirm: async (handled: number) => {
      far.postMessage([[], handled]);
      await clock.settle();
    },
  };
}

describe('batches', () => {
  test('the events of one turn leave together, in order; nothing arrives inside the call', async () => {
    const { a, atB, clock, fromA } = rig();
    for (let i = 0; i < 5; i++) a.send(i);
    expect(atB).toEqual([]);
    await clock.settle();
    a.send(5);
    await clock.settle();
    expect(atB).toEqual([0, 1, 2, 3, 4, 5]);
    expect(fromA.map((batch) => batch.events.length)).toEqual([5, 1]);
  });

  test('confirmations ride on own events', async () => {
    const { a, b, clock, fromB, whenB } = rig();
    whenB((events) => {
      for (const event of events) b.send(`re: ${String(event)}`);
    });
    a.send(1);
    a.send(2);
    await clock.settle();
    expect(fromB).toMatchObject([{ events: ['re: 1', 're: 2'], handled: 2 }]);
    a.send(3);
    await clock.settle();
    expect(fromB.slice(1)).toMatchObject([{ events: ['re: 3'], handled: 1 }]);
    expect(a.unhandled).toBe(0);
  });

  test('without own events they are sent only when the peer could come to need them', async () => {
    const { a, clock, fromB } = rig({ a: 8, b: 8 });
    a.send(1);
    await clock.settle();
    expect(fromB).toEqual([]);
    a.send(2);
    await clock.settle();
    expect(fromB).toMatchObject([{ events: [], handled: 2 }]);
    expect(a.unhandled).toBe(0);
  });
});

describe('credit', () => {
  test('an event may count as many: so many fill the window, and so many are confirmed', async () => {
    const clock = new SimulatedClock();
    const [one, other] = inlinePair(clock, { clone: true });
    const credits: number[] = [];
    const sender = new DataPort<string, never>(one, clock, {
      window: 8,
      onEvents: () => undefined,
      onCredit: () => credits.push(sender.credit),
    });
    const got: string[] = [];
    new DataPort<never, string>(other, clock, {
      countOf: (event) => event.length,
      onEvents: (events) => got.push(...events),
    });
    sender.send('abc', 3);
    expect([sender.credit, sender.congested]).toEqual([5, false]);
    sender.send('defgh', 5);
    expect([sender.credit, sender.congested]).toEqual([0, true]);
    await clock.settle();
    expect(got).toEqual(['abc', 'defgh']);
    expect([sender.credit, sender.congested, credits]).toEqual([8, false, [8]]);
  });

  test('congested at the window, credit again at half of it, told once', async () => {
    const far = silent(8);
    for (let i = 0; i < 7; i++) far.port.send(i);
    expect([far.port.congested, far.port.credit, far.port.unhandled]).toEqual([false, 1, 7]);
    far.port.send(7);
    expect([far.port.congested, far.port.credit, far.port.unhandled]).toEqual([true, 0, 8]);
    await far.confirm(3);
    expect([far.port.congested, far.credits]).toEqual([false, 0]);
    await far.confirm(1);
    expect([far.port.unhandled, far.credits]).toEqual([4, 1]);
    await far.confirm(4);
    expect([far.port.unhandled, far.credits]).toEqual([0, 1]);
  });

  test('never told to one that was not congested', async () => {
    const far = silent(8);
    for (let i = 0; i < 7; i++) far.port.send(i);
    await far.confirm(7);
    expect(far.credits).toBe(0);
  });

  test('the port drops nothing, also beyond the window', async () => {
    const far = silent(4);
    for (let i = 0; i < 100; i++) far.port.send(i);
    await far.clock.settle();
    expect(far.got).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect([far.port.credit, far.port.unhandled]).toEqual([0, 100]);
    await far.confirm(97);
    expect([far.port.credit, far.credits]).toEqual([1, 0]);
    await far.confirm(1);
    expect(far.credits).toBe(1);
  });

  test.each([1, 2, 3, 4, 7, 64, 1024, 4096])(
    'window %i: a sender that waits for credit gets it, whatever the other end has for a window',
    async (window) => {
      const total = 3 * window + 1;
      const { a, atB, clock, log } = rig({ a: window });
      let next = 0;
      const fill = (): void => {
        while (a.credit > 0 && next < total) a.send(next++);
      };
      for (let rounds = 0; next < total && rounds < total + 1; rounds++) {
        fill();
        await clock.settle();
      }
      expect(atB).toEqual(Array.from({ length: total }, (_, i) => i));
      expect(log.length).toBeGreaterThan(0);
    },
  );

  test('nothing is lost or reordered, whatever the windows and the turns (property)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.record({ a: fc.nat(30), b: fc.nat(30), settle: fc.boolean() }), { maxLength: 20 }),
        async (windowA, windowB, steps) => {
          const { a, b, atA, atB, clock } = rig({ a: windowA, b: windowB });
          let sentA = 0;
          let sentB = 0;
          for (const step of steps) {
            for (let i = 0; i < step.a; i++) a.send(sentA++);
            for (let i = 0; i < step.b; i++) b.send(sentB++);
            if (step.settle) await clock.settle();
          }
          await clock.settle();
          expect(atB).toEqual(Array.from({ length: sentA }, (_, i) => i));
          expect(atA).toEqual(Array.from({ length: sentB }, (_, i) => i));
          // What is not confirmed yet can never fill the window: an end keeps less than a quarter to itself.
          expect(a.unhandled).toBeLessThan(Math.max(1, windowA / 4));
          expect(b.unhandled).toBeLessThan(Math.max(1, windowB / 4));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('end', () => {
  test('close delivers what was sent, and tells the other end once; nothing follows', async () => {
    const { a, b, atB, clock, log } = rig();
    a.send('last');
    a.close();
    a.close();
    a.send('too late');
    await clock.settle();
    expect(atB).toEqual(['last']);
    expect(log).toEqual(['b lost']);
    expect([a.closed, b.closed]).toEqual([true, true]);
    b.send('to nobody');
    b.close();
    await clock.settle();
    expect(log).toEqual(['b lost']);
  });

  test('an end that closes while it handles events takes no more', async () => {
    const { a, b, atB, clock, whenB } = rig();
    whenB(() => b.close());
    a.send(1);
    await clock.settle();
    a.send(2);
    await clock.settle();
    expect(atB).toEqual([1]);
    expect(a.closed).toBe(true);
  });
});

test('`pack` and `unpack` are for what crosses between threads, and for nothing else', async () => {
  const double = { pack: (n: number) => [n * 2], unpack: (packed: unknown) => (packed as [number])[0] / 2 };
  for (const crosses of [true, false]) {
    const clock = new SimulatedClock();
    const [one, other] = inlinePair(clock);
    const tap = tapped(one);
    const end: Endpoint = crosses
      ? tap.endpoint
      : { ...tap.endpoint, postInOwnTurn: (message) => tap.endpoint.postMessage(message) };
    const far: Endpoint = crosses ? tapped(other).endpoint : other;
    const heard: number[] = [];
    const a = new DataPort<number, number>(end, clock, { ...double, onEvents: () => undefined });
    const b = new DataPort<number, number>(far, clock, { ...double, onEvents: (n) => heard.push(...n) });
    a.send(1);
    a.send(2);
    await clock.settle();
    expect(heard).toEqual([1, 2]);
    expect(tap.posted.flatMap(({ events }) => events)).toEqual(crosses ? [[2], [4]] : [1, 2]);
    b.close();
    a.close();
  }
});

test('what is sent at once leaves before the turn is over, behind what was sent before it', async () => {
  const { clock, a, atB, fromA } = rig();
  const posted = (): unknown[] => fromA.map(({ events }) => events);
  a.send('first');
  a.sendAtOnce('second');
  expect(posted()).toEqual([['first', 'second']]);
  a.send('third');
  await clock.settle();
  expect(posted()).toEqual([['first', 'second'], ['third']]);
  expect(atB).toEqual(['first', 'second', 'third']);
  a.close();
});
