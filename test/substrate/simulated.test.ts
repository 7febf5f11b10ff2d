import { describe, expect, test } from '@jest/globals';
import { inlinePair, SimulatedClock } from '../../src/runtime/index.js';
import {
  openSimulatedSubstrate,
  SimulatedNetwork,
  SubstrateError,
  type LinkSettings,
  type SimulatedNode,
  type Stream,
  type StreamHandlers,
  type Substrate,
  type Traffic,
} from '../../src/substrate/index.js';

/** One more engine thread of a node, inline. */
async function open(clock: SimulatedClock, node: SimulatedNode): Promise<Substrate> {
  const [theirs, ours] = inlinePair(clock, { clone: true });
  node.connectPort(theirs);
  return clock.until(openSimulatedSubstrate(ours, { clock }));
}

const ignore = (): void => undefined;
const handlers = (some: Partial<StreamHandlers> = {}): StreamHandlers => {
  return { onData: ignore, onEnd: ignore, onClose: ignore, ...some };
};

/** `count` numbered datagrams from one node to another; the numbers in the order of arrival, and when. */
async function send(
  seed: number,
  settings: Partial<LinkSettings>,
  count: number,
): Promise<{ numbers: number[]; times: number[]; network: SimulatedNetwork }> {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork({ clock, seed });
  network.link('l1').set(settings);
  const a = await open(clock, network.addNode('a', { links: ['l1'] }));
  const b = await open(clock, network.addNode('b', { links: ['l1'] }));
  const numbers: number[] = [];
  const times: number[] = [];
  const start = clock.now();
  await clock.until(
    b.openReceiver(
      'l1',
      ({ bytes }) => {
        numbers.push((bytes[0]! << 8) | bytes[1]!);
        times.push(clock.now() - start);
      },
      ignore,
    ),
  );
  const pair = await clock.until(a.openPair('l1', { onStream: ignore, onLost: ignore }));
  for (let i = 0; i < count; i++) await clock.until(pair.sendMulticast(Uint8Array.of(i >> 8, i & 255)));
  await clock.runUntilIdle();
  network.close();
  await clock.settle();
  return { numbers, times, network };
}

describe('simulated nodes', () => {
  test('§2.6 of several engines of a node one has unicast 7017; another node has its own', async () => {
    const clock = new SimulatedClock();
    const network = new SimulatedNetwork({ clock, port: 7099 });
    const node = network.addNode('a', { links: ['l1'] });
    const [first, second] = [await open(clock, node), await open(clock, node)];
    const other = await open(clock, network.addNode('b', { links: ['l1'] }));
    const heard: string[] = [];
    const take = (who: string) => ({
      onDatagram: ({ interface: by }: { interface: string }) => void heard.push(`${who} ${by}`),
      onStream: ignore,
      onLost: ignore,
    });
    await clock.until(first.openWellKnown(take('first')));
    await expect(clock.until(second.openWellKnown(take('second')))).rejects.toMatchObject({
      kind: 'address-in-use',
    });
    expect((await clock.until(other.openWellKnown(take('other')))).port).toBe(7099);
    const [address] = node.environment.interfaces[0]!.addresses;
    const send = async (): Promise<void> => {
      network.node('b').sendDatagram({ address: address!, port: 7099 }, Uint8Array.of(1), 5000);
      await clock.settle();
    };
    await send();
    await clock.until(first.close());
    await send();
    await clock.until(second.openWellKnown(take('second')));
    await send();
    expect(heard).toEqual(['first l1', 'second l1']);
    network.close();
    await clock.settle();
  });

  test('an IPv4 address is refused if it is none, or on the subnet of another interface', () => {
    const network = new SimulatedNetwork({ clock: new SimulatedClock() });
    const node = network.addNode('a', { links: ['l1', 'l2'], ipv4: true });
    const [first, second] = node.environment.interfaces.map(({ addresses }) => addresses.at(-1)!);
    expect(second).not.toBe(first);
    for (const bad of ['192.0.2.1', '192.0.2.1/33', 'fd00::1/64', '', `${first}/24`]) {
      expect(() => node.setIpv4('l2', bad)).toThrow(RangeError);
    }
    node.setIpv4('l2', '192.0.2.1/24');
    expect(node.environment.interfaces[1]!.addresses).toContain('192.0.2.1');
    node.setIpv4('l2', undefined);
    expect(node.environment.interfaces[1]!.addresses).toHaveLength(1);
    network.close();
  });
});

describe('simulated links', () => {
  test('lose, double and reorder at their rates', async () => {
    const lossy = await send(3, { lossRate: 0.3 }, 2000);
    expect(lossy.numbers.length).toBeGreaterThan(1300);
    expect(lossy.numbers.length).toBeLessThan(1500);
    expect(lossy.network.counters()['l1']).toMatchObject({
      datagrams: 2000,
      lost: 2000 - lossy.numbers.length,
    });
    const doubled = await send(3, { duplicateRate: 0.25 }, 2000);
    expect(doubled.numbers.length).toBeGreaterThan(2400);
    expect(doubled.numbers.length).toBeLessThan(2600);
    expect(new Set(doubled.numbers).size).toBe(2000);
    const mixed = await send(3, { delayMs: 1, reorderRate: 0.1 }, 500);
    expect([...mixed.numbers].sort((x, y) => x - y)).toEqual(Array.from({ length: 500 }, (_, i) => i));
    expect(mixed.numbers).not.toEqual([...mixed.numbers].sort((x, y) => x - y));
    const clean = await send(3, {}, 500);
    expect(clean.numbers).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });

  test('delay by virtual time, with jitter within its bound', async () => {
    const { times } = await send(4, { delayMs: 40, jitterMs: 10 }, 200);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(40);
    expect(Math.max(...times)).toBeLessThan(50);
    expect(new Set(times).size).toBeGreaterThan(100);
  });

  test('same seed, same behaviour; another seed, another', async () => {
    const faults = { lossRate: 0.2, duplicateRate: 0.1, reorderRate: 0.1, delayMs: 2, jitterMs: 3 };
    const [one, same, other] = [
      await send(5, faults, 300),
      await send(5, faults, 300),
      await send(6, faults, 300),
    ];
    expect(same.numbers).toEqual(one.numbers);
    expect(same.times).toEqual(one.times);
    expect(other.numbers).not.toEqual(one.numbers);
  });

  test('refuse settings that mean nothing', () => {
    const link = new SimulatedNetwork({ clock: new SimulatedClock() }).link('l1');
    for (const bad of [
      { lossRate: 1.1 },
      { delayMs: -1 },
      { jitterMs: NaN },
      { segmentBytes: 0 },
      { nonsense: 5 },
    ]) {
      expect(() => link.set(bad as Partial<LinkSettings>)).toThrow(RangeError);
    }
    expect(link.settings).toMatchObject({ lossRate: 0, delayMs: 0, mtu: 1500 });
  });

  test('a datagram limit other than the default holds', async () => {
    const clock = new SimulatedClock();
    const network = new SimulatedNetwork({ clock });
    network.link('l1').set({ mtu: 148 });
    const a = await open(clock, network.addNode('a', { links: ['l1'] }));
    const pair = await clock.until(a.openPair('l1', { onStream: ignore, onLost: ignore }));
    await clock.until(pair.sendMulticast(new Uint8Array(100)));
    await expect(clock.until(pair.sendMulticast(new Uint8Array(101)))).rejects.toMatchObject({
      kind: 'too-big',
    });
    expect(network.counters()['l1']!.datagrams).toBe(1);
  });
});

/** a and b on l1; a stream from b to a. */
async function connected(
  settings: Partial<LinkSettings>,
  atA: (stream: Stream, clock: SimulatedClock) => StreamHandlers,
): Promise<{ clock: SimulatedClock; network: SimulatedNetwork; stream: Stream; a: Substrate; b: Substrate }> {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork({ clock });
  network.link('l1').set(settings);
  const a = await open(clock, network.addNode('a', { links: ['l1'] }));
  const b = await open(clock, network.addNode('b', { links: ['l1'] }));
  const { port } = await clock.until(a.listen({}, (stream) => stream.setHandlers(atA(stream, clock))));
  const { linkLocal } = a.environment.interfaces[0]!;
  const target = { address: linkLocal!, port, interface: 'l1' };
  const stream = await clock.until(b.connect(target, { timeoutMs: 5000 }));
  return { clock, network, stream, a, b };
}

describe('simulated streams', () => {
  test('take the delay of the link both ways, and keep their order under jitter', async () => {
    const heard: number[] = [];
    const { clock, stream } = await connected({ delayMs: 10, jitterMs: 8 }, () =>
      handlers({ onData: (bytes) => void heard.push(...bytes) }),
    );
    const connectedAt = clock.now();
    expect(connectedAt).toBeGreaterThanOrEqual(20);
    expect(connectedAt).toBeLessThan(36);
    stream.setHandlers(handlers());
    for (let i = 0; i < 100; i++) stream.write(Uint8Array.of(i));
    await clock.advance(9);
    expect(heard).toEqual([]);
    await clock.runUntilIdle();
    expect(heard).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test('are cut everywhere by a link of one-byte segments', async () => {
    const pieces: number[] = [];
    const { clock, stream } = await connected({ segmentBytes: 1 }, () =>
      handlers({ onData: (bytes) => void pieces.push(bytes.length) }),
    );
    stream.setHandlers(handlers());
    stream.write(new Uint8Array(40));
    await clock.settle();
    expect(pieces).toEqual(Array.from({ length: 40 }, () => 1));
  });

  test('wait while an interface is down, and go on when it is up', async () => {
    const heard: number[] = [];
    const { clock, network, stream } = await connected({}, () =>
      handlers({ onData: (bytes) => void heard.push(...bytes) }),
    );
    stream.setHandlers(handlers());
    network.node('a').setInterfaceUp('l1', false);
    stream.write(Uint8Array.of(1));
    stream.end();
    await clock.advance(10_000);
    expect(heard).toEqual([]);
    network.node('a').setInterfaceUp('l1', true);
    await clock.settle();
    expect(heard).toEqual([1]);
  });

  test('keep at most a window and one piece under way, whatever is written at once', async () => {
    let paused: Stream | undefined;
    let bytes = 0;
    const { clock, network, stream } = await connected({}, (accepted) => {
      paused = accepted;
      accepted.pause();
      return handlers({ onData: (some) => void (bytes += some.length) });
    });
    stream.setHandlers(handlers());
    expect(stream.write(new Uint8Array(10 << 20))).toBe(false);
    await clock.settle();
    expect(network.counters()['l1']).toMatchObject({ streamMessages: 1, streamBytes: 65_536 });
    expect(stream.bufferedBytes).toBe((10 << 20) - 65_536);
    paused!.resume();
    await clock.settle();
    expect(bytes).toBe(10 << 20);
    expect(network.counters()['l1']).toMatchObject({ streamMessages: 1, streamBytes: 10 << 20 });
    expect(stream.bufferedBytes).toBe(0);
  });

  test('do not see more than the bytes written when a view of a larger buffer is sent', async () => {
    const heard: number[] = [];
    const { clock, stream } = await connected({}, () =>
      handlers({ onData: (bytes) => void heard.push(bytes.buffer.byteLength) }),
    );
    stream.setHandlers(handlers());
    stream.write(Buffer.alloc(8192).subarray(100, 140));
    await clock.settle();
    expect(heard).toEqual([40]);
  });
});

describe('simulated network', () => {
  test('counts datagrams and messages per link, what stays in a node under lo, and shows each to observers', async () => {
    const { clock, network, stream, a } = await connected({}, () => handlers());
    stream.setHandlers(handlers());
    const seen: string[] = [];
    const stop = network.onTraffic(({ link, kind, node, to, bytes }: Traffic) => {
      seen.push(`${link} ${kind} ${node}→${to?.node ?? '*'} ${bytes.length}`);
    });
    stream.write(new Uint8Array(40));
    stream.write(new Uint8Array(20));
    const pair = await clock.until(
      a.openPair('l1', { onStream: (s) => s.setHandlers(handlers()), onLost: ignore }),
    );
    await clock.until(pair.sendMulticast(new Uint8Array(30)));
    const own = await clock.until(a.connect({ address: '::1', port: pair.port }, { timeoutMs: 10 }));
    own.setHandlers(handlers());
    own.write(new Uint8Array(7));
    await clock.settle();
    stop();
    stream.write(new Uint8Array(1));
    await clock.settle();
    expect(seen).toEqual(['l1 stream b→a 40', 'l1 stream b→a 20', 'l1 datagram a→* 30', 'lo stream a→a 7']);
    expect(network.counters()).toMatchObject({
      l1: { datagrams: 1, datagramBytes: 30, streams: 1, streamMessages: 3, streamBytes: 61 },
      lo: { datagrams: 0, streams: 1, streamMessages: 1, streamBytes: 7 },
    });
  });

  test('a node without links reaches itself, and nothing else', async () => {
    const clock = new SimulatedClock();
    const network = new SimulatedNetwork({ clock });
    const only = await open(clock, network.addNode('only', { links: [], otherAddresses: ['2001:db8::5'] }));
    expect(only.environment).toEqual({
      security: 'insecure',
      interfaces: [],
      otherAddresses: ['2001:db8::5'],
    });
    const { port } = await clock.until(only.listen({}, (stream) => stream.setHandlers(handlers())));
    for (const address of ['::1', '127.0.0.1', '2001:db8::5']) {
      const stream = await clock.until(only.connect({ address, port }, { timeoutMs: 10 }));
      expect(stream.remote).toEqual({ address, port });
      stream.setHandlers(handlers());
    }
    const far = clock.until(only.connect({ address: '2001:db8::6', port }, { timeoutMs: 10 }));
    await expect(far).rejects.toMatchObject({ kind: 'unreachable' });
  });

  test('a neighbour that is not there: timeout first, unreachable when the stack gives up', async () => {
    const { clock, b } = await connected({}, () => handlers());
    const target = { address: 'fe80::99', port: 9, interface: 'l1' };
    await expect(clock.until(b.connect(target, { timeoutMs: 2999 }))).rejects.toMatchObject({
      kind: 'timeout',
    });
    await expect(clock.until(b.connect(target, { timeoutMs: 9999 }))).rejects.toMatchObject({
      kind: 'unreachable',
    });
    const ula = { address: b.environment.interfaces[0]!.addresses[0]!.replace(/.$/, 'e'), port: 9 };
    await expect(clock.until(b.connect(ula, { timeoutMs: 500 }))).rejects.toMatchObject({ kind: 'timeout' });
  });

  test('nodes without ULA addresses, and the choices of security', async () => {
    const clock = new SimulatedClock();
    const network = new SimulatedNetwork({ clock });
    const bare = network.addNode('bare', { links: ['l1'], ula: false, security: 'none' });
    expect(bare.environment.interfaces[0]).toMatchObject({
      name: 'l1',
      linkLocal: 'fe80::1:1',
      addresses: [],
    });
    expect(bare.environment.security).toBe('none');
    bare.renumber('l1', { linkLocal: true });
    expect(bare.environment.interfaces[0]!.linkLocal).not.toBe('fe80::1:1');
    expect(() => network.addNode('bare', { links: [] })).toThrow(RangeError);
    expect(() => network.node('nobody')).toThrow(RangeError);
    expect(() => bare.setInterfaceUp('l9', true)).toThrow(SubstrateError);
  });

  test('two threads of one node share its ports and each hear its multicasts', async () => {
    const clock = new SimulatedClock();
    const network = new SimulatedNetwork({ clock });
    const node = network.addNode('a', { links: ['l1'] });
    const [one, two] = [await open(clock, node), await open(clock, node)];
    const heard: string[] = [];
    await clock.until(one.openReceiver('l1', () => void heard.push('one'), ignore));
    await clock.until(two.openReceiver('l1', () => void heard.push('two'), ignore));
    const pair = await clock.until(one.openPair('l1', { onStream: ignore, onLost: ignore }));
    await expect(clock.until(two.listen({ port: pair.port }, ignore))).rejects.toMatchObject({
      kind: 'address-in-use',
    });
    await clock.until(pair.sendMulticast(Uint8Array.of(1)));
    await clock.settle();
    expect(heard.sort()).toEqual(['one', 'two']);
    await clock.until(one.close());
    expect((await clock.until(two.listen({ port: pair.port }, ignore))).port).toBe(pair.port);
  });

  test('closing the network is news to every receiver, pair, stream and pending call', async () => {
    const closes: unknown[] = [];
    const { clock, network, stream, a, b } = await connected({}, () =>
      handlers({ onClose: (error) => void closes.push(error?.kind) }),
    );
    stream.setHandlers(handlers({ onClose: (error) => void closes.push(error?.kind) }));
    const lost: string[] = [];
    await clock.until(a.openReceiver('l1', ignore, (error) => void lost.push(`receiver ${error.kind}`)));
    const onLost = (error: SubstrateError): void => void lost.push(`pair ${error.kind}`);
    await clock.until(a.openPair('l1', { onStream: ignore, onLost }));
    const pending = b.connect({ address: 'fe80::99', port: 9, interface: 'l1' }, { timeoutMs: 60_000 });
    await clock.settle();
    network.close();
    await expect(clock.until(pending)).rejects.toMatchObject({ kind: 'local' });
    await clock.settle();
    expect(lost).toEqual(['receiver local', 'pair local']);
    expect(closes).toEqual(['local', 'local']);
    await clock.until(Promise.all([a.close(), b.close()]));
    expect(() => network.addNode('late', { links: [] })).toThrow(SubstrateError);
  });

  test('a substrate opened on a closed network is refused', async () => {
    const clock = new SimulatedClock();
    const [theirs, ours] = inlinePair(clock);
    const opening = openSimulatedSubstrate(ours, { clock });
    theirs.close();
    await expect(clock.until(opening)).rejects.toMatchObject({ kind: 'local' });
  });
});
