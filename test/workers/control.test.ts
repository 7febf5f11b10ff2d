import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { ErrorCode, GraspError } from '../../src/protocol/index.js';
import { inlinePair, type Endpoint } from '../../src/runtime/index.js';
import { connect, serve } from '../../src/workers/control.js';
import { nodeClock } from '../../src/workers/node-clock.js';
import { portEndpoint } from '../../src/workers/port-endpoint.js';
import { isPort } from '../../src/workers/ports.js';

/** What is served in these tests. */
const target = {
  add: (a: number, b: number) => a + b,
  later: async (bytes: Uint8Array) => ({ length: bytes.length }),
  nothing: () => undefined,
  refuse: () => {
    throw new GraspError(ErrorCode.objReg, 'EX3', { cause: new GraspError(ErrorCode.noASA, 'inner') });
  },
  refuseLater: async () => {
    throw new GraspError(ErrorCode.noSecurity);
  },
  fault: () => {
    throw new TypeError('a fault of this program');
  },
  throwText: () => {
    throw 'only text'; // eslint-disable-line @typescript-eslint/only-throw-error
  },
  hang: () => new Promise<never>(() => undefined),
  unserializable: () => () => undefined,
  /** Talks over a port that it was given. */
  greet: (port: Endpoint | MessagePort, name: string) => {
    port.postMessage(`hello ${name}`);
  },
  makePort: () => makePort(),
};
type Target = typeof target;

let makePort: () => object = () => ({});
const open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

function realPair(): { here: Endpoint; there: Endpoint } {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  makePort = () => {
    const made = new MessageChannel();
    open.push(made.port2);
    made.port2.postMessage('hello from inside');
    return made.port1;
  };
  return { here: portEndpoint(port1), there: portEndpoint(port2) };
}

function inlineEnds(): { here: Endpoint; there: Endpoint } {
  const [here, there] = inlinePair(nodeClock, { clone: true });
  open.push(here, there);
  makePort = () => {
    const [given, kept] = inlinePair(nodeClock, { clone: true });
    open.push(kept);
    kept.postMessage('hello from inside');
    return given;
  };
  return { here, there };
}

describe.each([
  ['MessagePort', realPair],
  ['inline endpoint', inlineEnds],
])('control calls over a %s', (_, pair) => {
  function rig() {
    const { here, there } = pair();
    serve(target, there, isPort);
    return { ...connect<Target>(here, isPort), here, there };
  }

  test('arguments and results cross as data; a result may be a promise', async () => {
    const { calls } = rig();
    expect(await calls.add(2, 3)).toBe(5);
    expect(await calls.later(Uint8Array.of(1, 2, 3))).toEqual({ length: 3 });
    expect(await calls.nothing()).toBeUndefined();
  });

  test('calls run concurrently and each gets its own answer', async () => {
    const { calls } = rig();
    const sums = await Promise.all(Array.from({ length: 50 }, (_unused, i) => calls.add(i, i)));
    expect(sums).toEqual(Array.from({ length: 50 }, (_unused, i) => 2 * i));
  });

  test.each(['refuse', 'refuseLater'] as const)(
    'a GraspError keeps class, code, detail and cause: %s',
    async (method) => {
      const { calls } = rig();
      const error: unknown = await calls[method]().catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(GraspError);
      const expected = method === 'refuse' ? ErrorCode.objReg : ErrorCode.noSecurity;
      expect(error).toMatchObject({ code: expected });
      if (method !== 'refuse') return;
      expect(error).toMatchObject({ name: 'objReg', detail: 'EX3' });
      expect((error as GraspError).cause).toBeInstanceOf(GraspError);
      expect((error as GraspError).cause).toMatchObject({ code: ErrorCode.noASA, detail: 'inner' });
      expect((error as GraspError).stack).toContain('control.test');
    },
  );

  test('another error keeps name, message and stack, and is no GraspError', async () => {
    const { calls } = rig();
    const error: unknown = await calls.fault().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: 'TypeError', message: 'a fault of this program' });
    expect((error as Error).stack).toContain('control.test');
    expect(GraspError.is(error)).toBe(false);
    await expect(calls.throwText()).rejects.toThrow('only text');
  });

  test('a method that is not there, or data that cannot cross: rejected, and the next call works', async () => {
    const { calls } = rig();
    await expect((calls as unknown as { missing(): Promise<void> }).missing()).rejects.toThrow();
    await expect(calls.add((() => 1) as unknown as number, 2)).rejects.toThrow(/could not be cloned/);
    await expect(calls.unserializable()).rejects.toThrow();
    expect(await calls.add(1, 1)).toBe(2);
  });

  test('a handle on the calls is no thenable', async () => {
    const { calls } = rig();
    expect(await Promise.resolve(calls).then((same) => same === calls)).toBe(true);
  });

  test('ports move with the call that carries them, and with the result', async () => {
    const { calls } = rig();
    const given = makePort();
    const back = open.at(-1) as Endpoint & { on?: unknown };
    const heard = new Promise((resolve) => {
      if (typeof back.on === 'function') {
        (back as unknown as MessagePort).on('message', resolve);
      } else back.onMessage(resolve);
    });
    await calls.greet(given as Endpoint, 'Briggs');
    expect(await heard).toBe('hello Briggs');

    const made = await calls.makePort();
    const end = 'on' in made ? portEndpoint(made as never) : (made as Endpoint);
    open.push(end);
    expect(await new Promise((resolve) => end.onMessage(resolve))).toBe('hello from inside');
  });

  test('calls that wait when the other end closes reject with engineLost (41), and so does every later one', async () => {
    const { calls, there } = rig();
    const first = calls.hang();
    const second = calls.hang();
    await calls.add(1, 1);
    there.close();
    await expect(first).rejects.toMatchObject({ code: ErrorCode.engineLost });
    await expect(second).rejects.toBeInstanceOf(GraspError);
    await expect(calls.add(1, 1)).rejects.toMatchObject({ code: ErrorCode.engineLost });
  });

  test('a call made before anyone knows of the close rejects too', async () => {
    const { calls, there } = rig();
    there.close();
    await expect(calls.add(1, 1)).rejects.toMatchObject({ code: ErrorCode.engineLost });
  });

  test('lose: what waits and what follows is rejected with the given error; the first one stays', async () => {
    const handle = rig();
    const { calls } = handle;
    const waiting = calls.hang();
    handle.lose(new GraspError(ErrorCode.closed, 'on purpose'));
    handle.lose(new GraspError(ErrorCode.engineLost));
    await expect(waiting).rejects.toMatchObject({ code: ErrorCode.closed, detail: 'on purpose' });
    await expect(calls.add(1, 1)).rejects.toMatchObject({ code: ErrorCode.closed });
  });
});

test('a MessagePort that was closed before anyone connected to it: calls reject', async () => {
  const { port1, port2 } = new MessageChannel();
  const here = portEndpoint(port1);
  const closed = once(port1, 'close');
  port2.close();
  await closed;
  const { calls } = connect<Target>(here, isPort);
  await expect(calls.add(1, 1)).rejects.toMatchObject({ code: ErrorCode.engineLost });
});
