import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { decode, encode } from 'cborg';
import type { PacketReceiver, Substrate } from '../../src/substrate/types.js';
import {
  CoreRig,
  discovery,
  flood,
  type CoreEngineOptions,
  type LoneListener,
  type SlowHandler,
} from './core-rig.js';

let rig: CoreRig;
beforeEach(() => {
  rig = new CoreRig();
});
afterEach(() => rig.close());

/** Every datagram that was received is somewhere: passed, waiting, or dropped under a name. */
function expectBalanced(lone: LoneListener): void {
  const {
    'multicast.received': received,
    'multicast.passed': passed = 0,
    ...rest
  } = lone.counters.snapshot();
  const dropped = Object.entries(rest)
    .filter(([name]) => name.startsWith('multicast.'))
    .reduce((sum, [, n]) => sum + n, 0);
  const queued = lone.queue('discovery').length + lone.queue('flood').length;
  expect(received).toBe(passed + dropped + queued);
}

describe('own copies (§2.7)', () => {
  test("an engine's own multicasts are dropped; those of another engine of the same node are kept", async () => {
    const one = await rig.engine('host');
    const other = await rig.engine('host');
    await one.client().discover('EX3');
    expect(one.heard.snapshot()).toEqual({ 'multicast.own-copy': 1, 'multicast.received': 1 });
    expect(other.heard.snapshot()).toEqual({ 'multicast.passed': 1, 'multicast.received': 1 });
    expect(other.counters.get('multicast.handled')).toBe(1);
  });

  test("another node's multicasts are kept, also from a port that is the engine's own", async () => {
    const peer = await rig.peer('peer');
    const lone = await rig.listener('host');
    const handler = lone.attachHandler();
    lone.listener.setOwnSenders([{ interface: 'l1', port: peer.port() }]);
    await peer.multicast(discovery('EX3'));
    expect(lone.counters.get('multicast.own-copy')).toBe(0);
    expect(handler.types).toEqual([1]);
  });

  test('dropped only on the interface of that sender', async () => {
    const lone = await rig.listener('host', { links: ['l1', 'l2'] });
    const handler = lone.attachHandler();
    const beside = await rig.peer('host');
    lone.listener.setOwnSenders([{ interface: 'l2', port: beside.port('l1') }]);
    await beside.multicast(discovery('EX3'));
    expect(handler.types).toEqual([1]);
    lone.listener.setOwnSenders([{ interface: 'l1', port: beside.port('l1') }]);
    await beside.multicast(discovery('EX3'));
    expect(handler.types).toEqual([1]);
    expect(lone.counters.get('multicast.own-copy')).toBe(1);
    expectBalanced(lone);
  });

  test('after renumbering too', async () => {
    const lone = await rig.listener('host');
    const handler = lone.attachHandler();
    const beside = await rig.peer('host');
    lone.listener.setOwnSenders([{ interface: 'l1', port: beside.port() }]);
    lone.node.renumber('l1', { linkLocal: true });
    await rig.clock.settle();
    await beside.multicast(discovery('EX3'));
    expect(handler.types).toEqual([]);
    expect(lone.counters.get('multicast.own-copy')).toBe(1);
  });

  test('listenSelf: heard like any other', async () => {
    const engine = await rig.engine('host', { listenSelf: true });
    await engine.client().discover('EX3');
    expect(engine.heard.get('multicast.passed')).toBe(1);
    // The handler knows it for its own.
    expect(engine.counters.get('multicast.own')).toBe(1);
  });
});

describe('what is looked at', () => {
  test.each([
    ['nothing', ''],
    ['no CBOR', 'ff'],
    ['a truncated discovery', '8401'],
    ['two items', '80f6'],
    ['a reserved initial byte', '1c'],
  ])('%s: malformed, and the next one is handled', async (_, hex) => {
    const peer = await rig.peer('peer');
    const lone = await rig.listener('host');
    const handler = lone.attachHandler();
    await peer.multicast(Uint8Array.from(Buffer.from(hex, 'hex')));
    expect(lone.counters.get('multicast.malformed')).toBe(1);
    await peer.multicast(discovery('EX3'));
    expect(handler.types).toEqual([1]);
    expectBalanced(lone);
  });

  test.each([
    ['G-2.8.13-02 M_NOOP', [0]],
    ['G-2.8.2-07 an unknown type', [42, 7, 'x']],
    ['M_NEGOTIATE', [5, 7, ['EX3', 3, 6, 1]]],
    ['M_INVALID', [99, 7]],
    ['a number', 1],
    ['an empty array', []],
    ['a type that is no number', ['1', 7]],
  ])('%s: discarded in silence, counted, and the next one is handled', async (_, message) => {
    const peer = await rig.peer('peer');
    const lone = await rig.listener('host');
    const handler = lone.attachHandler();
    await peer.multicast(message);
    expect(lone.counters.get('multicast.other')).toBe(1);
    expect(handler.datagrams).toEqual([]);
    await peer.multicast(discovery('EX3'));
    expect(handler.types).toEqual([1]);
    expectBalanced(lone);
    expect(peer.heard).toEqual([]);
  });

  test('limits.maxDatagramBytes: exactly so many pass, one more is dropped unread', async () => {
    rig.network.link('l1').set({ mtu: 60_000 });
    const peer = await rig.peer('peer');
    const lone = await rig.listener('host', { limits: { maxDatagramBytes: 270 } });
    const handler = lone.attachHandler();
    const base = encode(discovery('EX3', { value: new Uint8Array(200) })).length;
    await peer.multicast(discovery('EX3', { value: new Uint8Array(200 + 270 - base) }));
    expect(handler.datagrams.map(({ bytes }) => bytes.length)).toEqual([270]);
    await peer.multicast(discovery('EX3', { value: new Uint8Array(201 + 270 - base) }));
    await peer.multicast(new Uint8Array(50_000));
    expect(lone.counters.get('multicast.too-big')).toBe(2);
    expect(handler.datagrams.length).toBe(1);
    expectBalanced(lone);
  });

  test('limits.maxDatagramBytes: more than 2048 too, all the way', async () => {
    rig.network.link('l1').set({ mtu: 60_000 });
    const peer = await rig.peer('peer');
    const engine = await rig.engine('host', { limits: { maxDatagramBytes: 4_096 } });
    await engine.announce('EX3', [{}]);
    await peer.multicast(discovery('EX3', { value: new Uint8Array(3_000) }));
    expect(peer.responses).toHaveLength(1);
    await peer.multicast(discovery('EX3', { sid: 5, value: new Uint8Array(4_096) }));
    expect(peer.responses).toHaveLength(1);
    expect(engine.heard.get('multicast.too-big')).toBe(1);
  });

  test('the handler gets memory of its own, with where it came from', async () => {
    const peer = await rig.peer('peer', { links: ['l1', 'l2'] });
    const lone = await rig.listener('host', { links: ['l1', 'l2'] });
    const handler = lone.attachHandler();
    await peer.multicast(discovery('EX3'), 'l2');
    const { linkLocal } = peer.node.environment.interfaces[1]!;
    expect(handler.datagrams).toMatchObject([{ interface: 'l2', address: linkLocal, port: peer.port('l2') }]);
    const { bytes } = handler.datagrams[0]!;
    expect(bytes.buffer.byteLength).toBe(bytes.length);
    expect(Buffer.from(bytes)).toEqual(Buffer.from(encode(discovery('EX3'))));
  });
});

/** A listener whose socket the test is. What arrives stands in a buffer that the next datagram overwrites. */
async function heardFrom(options: CoreEngineOptions = {}): Promise<{
  lone: LoneListener;
  arrive: (message: unknown) => void;
  /** The discovery of this session id, in a turn of its own. */
  arriveAlone: (sid: number) => Promise<void>;
}> {
  const slab = Buffer.alloc(2_048);
  let arrive: (message: unknown) => void = () => undefined;
  const lone = await rig.listener('host', {
    ...options,
    wrap: (substrate) =>
      overriding(substrate, {
        openReceiver: (name, onDatagram, onLost) => {
          arrive = (message) => {
            const bytes = encode(message);
            slab.set(bytes);
            const view = slab.subarray(0, bytes.length);
            onDatagram({ bytes: view, interface: name, address: 'fe80::9', port: 40_000 });
          };
          return substrate.openReceiver(name, onDatagram, onLost);
        },
      }),
  });
  const arriveAlone = async (sid: number): Promise<void> => {
    arrive(discovery('EX3', { sid }));
    await rig.clock.settle();
  };
  return { lone, arrive: (message) => arrive(message), arriveAlone };
}

/** Session ids in the order they came in. */
const sidsOf = (handler: SlowHandler): unknown[] =>
  handler.datagrams.map(({ bytes }) => (decode(Uint8Array.from(bytes)) as unknown[])[1]);

test('what a turn brings goes together; where turns bring one each, it goes at once', async () => {
  const { lone, arrive } = await heardFrom();
  const handler = lone.attachHandler();
  /** What has been passed before the turn is over, and the batches in the end. */
  async function turn(datagrams: number): Promise<[number, number[]]> {
    const before = lone.counters.get('multicast.passed');
    handler.batches.length = 0;
    for (let i = 0; i < datagrams; i++) arrive(discovery('EX3'));
    const atOnce = lone.counters.get('multicast.passed') - before;
    await rig.clock.settle();
    return [atOnce, [...handler.batches]];
  }
  expect(await turn(3)).toEqual([0, [3]]);
  expect(await turn(1)).toEqual([0, [1]]);
  expect(await turn(1)).toEqual([1, [1]]);
  expect(await turn(4)).toEqual([1, [1, 3]]);
  expect(await turn(4)).toEqual([0, [4]]);
  expect(await turn(1)).toEqual([0, [1]]);
  expect(await turn(2)).toEqual([1, [1, 1]]);
  expectBalanced(lone);
});

describe('the socket may use its buffer again at once', () => {
  test('what waits is a copy', async () => {
    const { lone, arrive } = await heardFrom();
    for (let sid = 1; sid <= 3; sid++) arrive(discovery('EX3', { sid }));
    const handler = lone.attachHandler();
    await rig.clock.settle();
    expect(sidsOf(handler)).toEqual([1, 2, 3]);
  });

  test('so is what goes at once', async () => {
    const { lone, arrive, arriveAlone } = await heardFrom();
    const handler = lone.attachHandler();
    for (let sid = 1; sid <= 2; sid++) await arriveAlone(sid);
    arrive(discovery('EX3', { sid: 3 }));
    expect(lone.counters.get('multicast.passed')).toBe(3);
    arrive(discovery('EX3', { sid: 4 }));
    await rig.clock.settle();
    expect(sidsOf(handler)).toEqual([1, 2, 3, 4]);
    const { bytes } = handler.datagrams[2]!;
    expect(bytes.buffer.byteLength).toBe(bytes.length);
  });
});

describe('a handler that does not take', () => {
  const limits = { discoveryQueue: 10, floodQueue: 20, handlerWindow: 4 };

  test('A-3-02 limits.discoveryQueue, floodQueue: beyond them dropped under a name; nothing gets lost', async () => {
    const peer = await rig.peer('peer');
    const lone = await rig.listener('host', { limits });
    const handler = lone.attachHandler();
    for (let i = 0; i < 50; i++) peer.post(discovery('EX3', { sid: i }));
    for (let i = 0; i < 60; i++) peer.post(flood('EX1', { sid: i }));
    await rig.clock.settle();
    expect(lone.counters.snapshot()).toEqual({
      'multicast.received': 110,
      'multicast.passed': 4,
      'multicast.discovery.queue-full': 36,
      'multicast.flood.queue-full': 40,
    });
    expect([lone.queue('discovery'), lone.queue('flood'), lone.queue('unhandled')]).toEqual([
      { name: 'multicast.discovery', length: 10, limit: 10 },
      { name: 'multicast.flood', length: 20, limit: 20 },
      { name: 'multicast.unhandled', length: 4, limit: 4 },
    ]);
    expectBalanced(lone);

    // It wakes up: all that waited comes, a window at a time.
    let confirmed = 0;
    while (confirmed < handler.datagrams.length) {
      expect(handler.datagrams.length - confirmed).toBeLessThanOrEqual(limits.handlerWindow);
      const n = handler.datagrams.length - confirmed;
      confirmed += n;
      await handler.confirm(n);
      expectBalanced(lone);
    }
    expect(handler.datagrams.length).toBe(34);
    expect([lone.queue('discovery').length, lone.queue('flood').length]).toEqual([0, 0]);
  });

  test('limits.discoveryQueueBytes, floodQueueBytes: beyond them too, each queue by its own', async () => {
    const peer = await rig.peer('peer');
    const one = encode(discovery('EX3')).length;
    const bytes = { discoveryQueueBytes: 3 * one, floodQueueBytes: 1 };
    const lone = await rig.listener('host', { limits: { ...limits, ...bytes } });
    for (let i = 0; i < 5; i++) peer.post(discovery('EX3'));
    peer.post(flood('EX1', { sid: 1 }));
    await rig.clock.settle();
    expect(lone.counters.snapshot()).toEqual({
      'multicast.received': 6,
      'multicast.discovery.queue-full': 2,
      'multicast.flood.queue-full': 1,
    });
    expect([lone.queue('discovery').length, lone.queue('flood').length]).toEqual([3, 0]);
    expectBalanced(lone);
  });

  test('a storm of floods does not starve discovery', async () => {
    const peer = await rig.peer('peer');
    const lone = await rig.listener('host', { limits });
    const handler = lone.attachHandler();
    for (let i = 0; i < 1_000; i++) peer.post(flood('EX1', { sid: i }));
    for (let i = 0; i < 10; i++) peer.post(discovery('EX3', { sid: i }));
    await rig.clock.settle();
    expect(lone.counters.get('multicast.discovery.queue-full')).toBe(0);
    await handler.confirm(4);
    // Turn about: two discoveries of the next four, although 20 floods were there before them.
    expect(handler.types.slice(4).filter((type) => type === 1).length).toBe(2);
    for (let i = 0; i < 5; i++) await handler.confirm(4);
    expect(handler.types.filter((type) => type === 1).length).toBe(10);
    expectBalanced(lone);
  });

  test('nor a storm of discoveries the floods', async () => {
    const peer = await rig.peer('peer');
    const lone = await rig.listener('host', { limits });
    const handler = lone.attachHandler();
    for (let i = 0; i < 1_000; i++) peer.post(discovery('EX3', { sid: i }));
    for (let i = 0; i < 5; i++) peer.post(flood('EX1', { sid: i }));
    await rig.clock.settle();
    for (let i = 0; i < 3; i++) await handler.confirm(4);
    expect(handler.types.filter((type) => type === 9).length).toBe(5);
  });

  test('limits.handlerWindow: holds for what comes one by one too', async () => {
    const { lone, arriveAlone } = await heardFrom({ limits });
    const handler = lone.attachHandler();
    for (let sid = 1; sid <= 8; sid++) {
      await arriveAlone(sid);
      expect(lone.queue('unhandled').length).toBe(Math.min(sid, limits.handlerWindow));
      expect(lone.queue('discovery').length).toBe(Math.max(0, sid - limits.handlerWindow));
    }
    while (sidsOf(handler).length < 8) await handler.confirm(2);
    expect(sidsOf(handler)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expectBalanced(lone);
  });

  test('what comes alone does not overtake what waits', async () => {
    const { lone, arrive, arriveAlone } = await heardFrom({ limits });
    const handler = lone.attachHandler();
    for (let sid = 1; sid <= limits.handlerWindow; sid++) arrive(discovery('EX3', { sid }));
    await rig.clock.settle();
    await arriveAlone(5);
    expect(lone.queue('discovery').length).toBe(1);
    // There is credit for one, which is too little to be told of.
    await handler.confirm(1);
    await arriveAlone(6);
    while (sidsOf(handler).length < 6) await handler.confirm(2);
    expect(sidsOf(handler)).toEqual([1, 2, 3, 4, 5, 6]);
    expectBalanced(lone);
  });

  test('what comes after a core has died waits for the next one, whether it comes alone or not', async () => {
    const { lone, arrive, arriveAlone } = await heardFrom({ limits });
    const first = lone.attachHandler();
    for (let sid = 1; sid <= 2; sid++) await arriveAlone(sid);
    first.die();
    await rig.clock.settle();
    await arriveAlone(3);
    for (const sid of [4, 5]) arrive(discovery('EX3', { sid }));
    await rig.clock.settle();
    expect(lone.counters.get('multicast.passed')).toBe(2);
    const second = lone.attachHandler();
    await rig.clock.settle();
    expect([sidsOf(first), sidsOf(second)]).toEqual([
      [1, 2],
      [3, 4, 5],
    ]);
    expectBalanced(lone);
  });

  test('without a handler it waits, and goes to the one that comes', async () => {
    const peer = await rig.peer('peer');
    const lone = await rig.listener('host', { limits });
    for (let i = 0; i < 12; i++) peer.post(discovery('EX3', { sid: i }));
    await rig.clock.settle();
    expect(lone.queue('discovery').length).toBe(10);
    const first = lone.attachHandler();
    await rig.clock.settle();
    expect(first.datagrams.length).toBe(4);
    // The first has died with what it had; the rest goes to its successor.
    const second = lone.attachHandler();
    await rig.clock.settle();
    expect(second.datagrams.length).toBe(4);
    await second.confirm(4);
    expect(second.datagrams.length).toBe(6);
    expect(first.datagrams.length).toBe(4);
    expectBalanced(lone);
  });

  test('limits.handlerWindow: a core that takes at once keeps a window of any size going', async () => {
    const peer = await rig.peer('peer');
    const engine = await rig.engine('host', { limits: { handlerWindow: 4 } });
    for (let i = 0; i < 100; i++) await peer.multicast(discovery('EX3', { sid: i }));
    expect(engine.heard.get('multicast.passed')).toBe(100);
    expect(engine.counters.get('multicast.handled')).toBe(100);
  });
});

describe('sockets', () => {
  test('G-2.2-05 an interface that goes down and comes up, and one plugged in again, is heard again', async () => {
    const peer = await rig.peer('peer');
    const lone = await rig.listener('host');
    const handler = lone.attachHandler();
    lone.node.setInterfaceUp('l1', false);
    await rig.clock.settle();
    expect(lone.listener.status().actors).toEqual([]);
    await peer.multicast(discovery('EX3'));
    expect(handler.datagrams).toEqual([]);
    lone.node.setInterfaceUp('l1', true);
    await rig.clock.settle();
    await peer.multicast(discovery('EX3'));
    expect(handler.datagrams.length).toBe(1);

    lone.node.detach('l1');
    await rig.clock.settle();
    lone.node.attach('l1');
    await rig.clock.settle();
    await peer.multicast(discovery('EX3'));
    expect(handler.datagrams.length).toBe(2);
    expect(lone.listener.status().actors).toEqual([{ machine: 'binding', state: 'open', count: 1 }]);
  });

  test('G-2.2-03 a socket that cannot be opened is tried again, four times a second', async () => {
    const peer = await rig.peer('peer');
    let refusals = 3;
    const lone = await rig.listener('host', {
      wrap: (substrate) =>
        overriding(substrate, {
          openReceiver: (...args) =>
            refusals-- > 0 ? Promise.reject(new Error('no descriptors')) : substrate.openReceiver(...args),
        }),
    });
    const handler = lone.attachHandler();
    expect(lone.listener.status().actors).toEqual([{ machine: 'binding', state: 'retrying', count: 1 }]);
    await rig.clock.advance(749);
    expect(lone.listener.status().actors).toEqual([{ machine: 'binding', state: 'retrying', count: 1 }]);
    await rig.clock.advance(1);
    expect(lone.counters.get('multicast.binding.failed')).toBe(3);
    await peer.multicast(discovery('EX3'));
    expect(handler.datagrams.length).toBe(1);
  });

  test('a socket that fails later is counted and replaced', async () => {
    const peer = await rig.peer('peer');
    let fail: () => void = () => undefined;
    const lone = await rig.listener('host', {
      wrap: (substrate) =>
        overriding(substrate, {
          openReceiver: async (name, onDatagram, onLost) => {
            const receiver = await substrate.openReceiver(name, onDatagram, onLost);
            fail = () => {
              void receiver.close();
              onLost(new Error('gone') as never);
            };
            return receiver;
          },
        }),
    });
    const handler = lone.attachHandler();
    fail();
    await rig.clock.settle();
    await peer.multicast(discovery('EX3'));
    expect(handler.datagrams).toEqual([]);
    await rig.clock.advance(250);
    await peer.multicast(discovery('EX3'));
    expect(handler.datagrams.length).toBe(1);
    expect(lone.counters.get('multicast.binding.lost')).toBe(1);
  });

  test('an interface that goes while its socket is being opened leaves none open', async () => {
    let opened: ((receiver: PacketReceiver) => void) | undefined;
    let closed = 0;
    const node = rig.network.addNode('host', { links: ['l1'] });
    node.setInterfaceUp('l1', false);
    const lone = await rig.listener('host', {
      wrap: (real) =>
        overriding(real, {
          openReceiver: () => new Promise((resolve) => (opened = resolve)),
        }),
    });
    node.setInterfaceUp('l1', true);
    await rig.clock.settle();
    expect(opened).toBeDefined();
    node.setInterfaceUp('l1', false);
    await rig.clock.settle();
    opened!({ close: async () => void closed++ });
    await rig.clock.settle();
    expect(closed).toBe(1);
    expect(lone.listener.status().actors).toEqual([]);
  });

  test('what the stack dropped is counted per interface', async () => {
    await rig.close();
    rig = new CoreRig({ receiveBufferBytes: 200 });
    const peer = await rig.peer('peer');
    const lone = await rig.listener('host');
    lone.attachHandler();
    for (let i = 0; i < 50; i++) peer.post(discovery('EX3', { sid: i }));
    await rig.clock.settle();
    await peer.multicast(discovery('EX3'));
    lone.listener.status();
    const dropped = lone.counters.get('multicast.kernel-dropped.l1');
    expect(dropped).toBeGreaterThan(0);
    expect(dropped).toBe(51 - lone.counters.get('multicast.received'));
    lone.listener.status();
    expect(lone.counters.get('multicast.kernel-dropped.l1')).toBe(dropped);
    // A new socket begins to count anew.
    lone.node.setInterfaceUp('l1', false);
    await rig.clock.settle();
    lone.node.setInterfaceUp('l1', true);
    await rig.clock.settle();
    const before = lone.counters.get('multicast.received');
    for (let i = 0; i < 20; i++) peer.post(discovery('EX3', { sid: i }));
    await rig.clock.settle();
    lone.listener.status();
    const more = 20 - (lone.counters.get('multicast.received') - before);
    expect(more).toBeGreaterThan(0);
    expect(lone.counters.get('multicast.kernel-dropped.l1')).toBe(dropped + more);
  });

  test('a closed listener hears nothing and leaves no socket', async () => {
    const peer = await rig.peer('peer');
    const lone = await rig.listener('host');
    await rig.run(lone.listener.close());
    await peer.multicast(discovery('EX3'));
    lone.node.setInterfaceUp('l1', false);
    lone.node.setInterfaceUp('l1', true);
    await rig.clock.settle();
    await peer.multicast(discovery('EX3'));
    expect(lone.counters.get('multicast.received')).toBe(0);
  });
});

/** The substrate, with some of its methods replaced. */
function overriding(substrate: Substrate, changes: Partial<Substrate>): Substrate {
  return new Proxy(substrate, {
    get: (target, key) => {
      const value: unknown = key in changes ? Reflect.get(changes, key) : Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
