import { describe, expect, test } from '@jest/globals';
import { InlineEndpoint, inlinePair, SimulatedClock } from '../../src/runtime/index.js';

function listen(endpoint: InlineEndpoint): unknown[] {
  const heard: unknown[] = [];
  endpoint.onMessage((message) => heard.push(message));
  endpoint.onClose(() => heard.push('closed'));
  return heard;
}

describe.each([{ clone: true }, { clone: false }])('inline endpoint with %o', (options) => {
  test('messages arrive in order, never inside the call', async () => {
    const clock = new SimulatedClock();
    const [a, b] = inlinePair(clock, options);
    const heard = listen(b);
    a.postMessage(1);
    a.postMessage(2);
    expect(heard).toEqual([]);
    await clock.settle();
    a.postMessage(3);
    await clock.settle();
    expect(heard).toEqual([1, 2, 3]);
  });

  test('postInOwnTurn hands over at once, after what was posted before', async () => {
    const clock = new SimulatedClock();
    const [a, b] = inlinePair(clock, options);
    const heard = listen(b);
    a.postMessage(1);
    a.postInOwnTurn(2);
    expect(heard).toEqual([1, 2]);
    await clock.settle();
    b.close();
    a.postInOwnTurn(3);
    expect(heard).toEqual([1, 2]);
  });

  test('both ways', async () => {
    const clock = new SimulatedClock();
    const [a, b] = inlinePair(clock, options);
    const heard = listen(a);
    b.onMessage((message) => b.postMessage(`re: ${String(message)}`));
    a.postMessage('hello');
    await clock.settle();
    expect(heard).toEqual(['re: hello']);
  });

  test('what comes before there is a handler is kept', async () => {
    const clock = new SimulatedClock();
    const [a, b] = inlinePair(clock, options);
    a.postMessage('early');
    a.close();
    await clock.settle();
    const heard = listen(b);
    await clock.settle();
    expect(heard).toEqual(['early', 'closed']);
  });

  test('close: what was posted before still arrives, then the other end hears of it once', async () => {
    const clock = new SimulatedClock();
    const [a, b] = inlinePair(clock, options);
    const here = listen(a);
    const there = listen(b);
    a.postMessage('last');
    a.close();
    a.close();
    a.postMessage('too late');
    b.postMessage('nobody reads this');
    await clock.settle();
    b.postMessage('nor this');
    await clock.settle();
    expect(there).toEqual(['last', 'closed']);
    expect(here).toEqual([]);
  });

  test('an end closed while it handles what came gets no more of it', async () => {
    const clock = new SimulatedClock();
    const [a, b] = inlinePair(clock, options);
    const heard: unknown[] = [];
    b.onMessage((message) => {
      heard.push(message);
      b.close();
    });
    const closed = listen(a);
    a.postMessage(1);
    a.postMessage(2);
    await clock.settle();
    expect(heard).toEqual([1]);
    expect(closed).toEqual(['closed']);
  });

  test('who asks only after the other end has closed is told too', async () => {
    const clock = new SimulatedClock();
    const [a, b] = inlinePair(clock, options);
    b.onMessage(() => undefined);
    a.close();
    await clock.settle();
    const heard: string[] = [];
    b.onClose(() => heard.push('closed'));
    await clock.settle();
    expect(heard).toEqual(['closed']);
  });
});

describe('clone', () => {
  test('with it, nothing is shared; a later change of the sender is not seen', async () => {
    const clock = new SimulatedClock();
    const [a, b] = inlinePair(clock, { clone: true });
    const heard = listen(b);
    const message = { bytes: Uint8Array.of(1, 2, 3), deep: { list: [1] } };
    a.postMessage(message);
    message.bytes[0] = 9;
    message.deep.list.push(2);
    await clock.settle();
    expect(heard).toEqual([{ bytes: Uint8Array.of(1, 2, 3), deep: { list: [1] } }]);
  });

  test('with it, what cannot cross threads is refused at once', () => {
    const [a] = inlinePair(new SimulatedClock(), { clone: true });
    expect(() => a.postMessage({ call: () => undefined })).toThrow(/could not be cloned/);
  });

  test('without it, the message itself arrives', async () => {
    const clock = new SimulatedClock();
    const [a, b] = inlinePair(clock);
    const heard = listen(b);
    const message = { call: () => undefined };
    a.postMessage(message);
    await clock.settle();
    expect(heard[0]).toBe(message);
  });

  test('what is transferred is handed over as it is, wherever it stands; the rest is cloned', async () => {
    const clock = new SimulatedClock();
    const [a, b] = inlinePair(clock, { clone: true });
    const heard = listen(b);
    const [theirs, ours] = inlinePair(clock, { clone: true });
    const beside = { n: 1 };
    a.postMessage({ args: ['attach', { port: theirs }], beside }, [theirs]);
    beside.n = 2;
    await clock.settle();
    const { args, beside: copy } = heard[0] as { args: [string, { port: InlineEndpoint }]; beside: unknown };
    expect(args[0]).toBe('attach');
    expect(args[1].port).toBe(theirs);
    expect(copy).toEqual({ n: 1 });
    const replies = listen(ours);
    args[1].port.postMessage('through');
    await clock.settle();
    expect(replies).toEqual(['through']);
  });

  test('a message that is itself what is transferred', async () => {
    const clock = new SimulatedClock();
    const [a, b] = inlinePair(clock, { clone: true });
    const heard = listen(b);
    const [port] = inlinePair(clock);
    a.postMessage(port, [port]);
    a.postMessage('plain', [port]);
    await clock.settle();
    expect(heard[0]).toBe(port);
    expect(heard[1]).toBe('plain');
  });

  test('an endpoint without a twin swallows what it is given', async () => {
    const clock = new SimulatedClock();
    const alone = new InlineEndpoint(clock, true);
    alone.postMessage('nobody');
    alone.close();
    await clock.settle();
  });
});
