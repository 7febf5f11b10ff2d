/** What a DULL instance sees of a substrate: RFC 8990 §2.5.2, RFC 8994 §6.4. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { inlinePair, SimulatedClock } from '../../src/runtime/index.js';
import { linkLocalOnly } from '../../src/substrate/link-local.js';
import {
  openSimulatedSubstrate,
  SimulatedNetwork,
  type NodeOptions,
  type SimulatedNode,
} from '../../src/substrate/simulated/index.js';
import type { Environment, Stream, Substrate } from '../../src/substrate/types.js';

let clock: SimulatedClock;
let network: SimulatedNetwork;
let e: SimulatedNode;
let whole: Substrate;
let limited: Substrate;

beforeEach(async () => {
  clock = new SimulatedClock(0);
  network = new SimulatedNetwork({ seed: 1, clock });
  e = add('e', { links: ['l1', 'l2'], ipv4: true, otherAddresses: ['2001:db8::1'] });
  whole = await open(e);
  limited = linkLocalOnly(whole, 'l1');
});

afterEach(async () => {
  await clock.until(limited.close());
  network.close();
  await clock.settle();
});

const add = (name: string, options: NodeOptions): SimulatedNode => network.addNode(name, options);
function open(node: SimulatedNode): Promise<Substrate> {
  const [theirs, ours] = inlinePair(clock, { clone: true });
  node.connectPort(theirs);
  return clock.until(openSimulatedSubstrate(ours, { clock }));
}
const linkLocal = (of: SimulatedNode, link: string): string =>
  of.environment.interfaces.find(({ name }) => name === link)!.linkLocal!;

test('P-6.4-01 one interface, its link-local address, no protection; and so after every change', async () => {
  const only = {
    name: 'l1',
    index: e.environment.interfaces[0]!.index,
    linkLocal: linkLocal(e, 'l1'),
    addresses: [],
  };
  expect(limited.environment).toEqual({ security: 'none', interfaces: [only], otherAddresses: [] });
  expect(limited.environment).toBe(limited.environment);
  const seen: Environment[] = [];
  const unwatch = limited.watch((environment) => seen.push(environment));
  e.setInterfaceUp('l1', false);
  await clock.settle();
  e.setInterfaceUp('l1', true);
  await clock.settle();
  expect(seen.map(({ interfaces }) => interfaces)).toEqual([[], [only]]);
  expect(seen.at(-1)).toBe(limited.environment);
  unwatch();
  e.setInterfaceUp('l1', false);
  await clock.settle();
  expect(seen).toHaveLength(2);
});

test.each<[string, string, boolean]>([
  ['from the link', 'l1', true],
  ['from another link, by an address of that', 'l2', false],
])('G-2.5.2-01 a stream %s', async (_, link, taken) => {
  const streams: Stream[] = [];
  const { port } = await clock.until(
    limited.listen({}, (stream) => {
      streams.push(stream);
      stream.setHandlers({ onData: () => undefined, onEnd: () => undefined, onClose: () => undefined });
    }),
  );
  const peer = await open(add('p', { links: [link] }));
  let over = false;
  const stream = await clock.until(
    peer.connect({ address: linkLocal(e, link), port, interface: link }, { timeoutMs: 100 }),
  );
  stream.setHandlers({ onData: () => undefined, onEnd: () => undefined, onClose: () => (over = true) });
  await clock.settle();
  expect([streams.length, over]).toEqual(taken ? [1, false] : [0, true]);
  expect(limited.dropped!()).toEqual(taken ? {} : { 'dull.stream-source': 1 });
  await clock.until(peer.close());
});

test('G-2.5.2-11 a stream from beyond the link is reset, also at the port of a pair', async () => {
  const streams: Stream[] = [];
  const pair = await clock.until(
    limited.openPair('l1', { onStream: (stream) => streams.push(stream), onLost: () => undefined }),
  );
  const peer = await open(add('p', { links: ['l1'] }));
  const { addresses } = e.environment.interfaces[0]!;
  let over = false;
  const target = { address: addresses[0]!, port: pair.port };
  const stream = await clock.until(peer.connect(target, { timeoutMs: 100 }));
  stream.setHandlers({ onData: () => undefined, onEnd: () => undefined, onClose: () => (over = true) });
  await clock.settle();
  expect([streams, over]).toEqual([[], true]);
  await clock.until(peer.close());
});

test('G-2.5.2-05 nothing leads away from the link, and unicasts to the node are for others', async () => {
  const options = { timeoutMs: 100 };
  for (const address of ['2001:db8::7', 'fd00::7', '192.0.2.7', 'node.example.com']) {
    await expect(limited.connect({ address, port: 1 }, options)).rejects.toMatchObject({
      kind: 'unreachable',
    });
  }
  const nothing = { onDatagram: () => undefined, onStream: () => undefined, onLost: () => undefined };
  await expect(limited.openWellKnown(nothing)).rejects.toMatchObject({ kind: 'unsupported' });
  const wellKnown = await clock.until(whole.openWellKnown(nothing));
  await clock.until(wellKnown.close());
});
