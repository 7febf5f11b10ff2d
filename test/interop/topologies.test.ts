/**
 * Lines and rings of this engine and the Python prototype: each relays for the other. IPv6 only.
 *
 * The prototype's relay keeps what it finds for itself: who asks through it finds nothing at first, and by a repeated
 * discovery what is then in its cache (RFC 8990 §2.5.4.3, Divert). This engine's sends the answer back at once
 * (§2.5.4.4).
 */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { valueOf } from '../conformance/adapter.js';
import { MixedLab, valuesOf, type Kind, type MixedNode } from './mixed.js';
import { interopDescribe } from './prototype.js';

jest.setTimeout(90_000);

const M_DISCOVERY = 1;
const M_FLOOD = 9;

const nameIn = (message: readonly unknown[]): unknown => {
  const objective = message[0] === M_FLOOD ? (message[4] as unknown[])[0] : message[3];
  return (objective as unknown[])[0];
};
const loopCountIn = (message: readonly unknown[]): unknown => {
  const objective = message[0] === M_FLOOD ? (message[4] as unknown[])[0] : message[3];
  return (objective as unknown[])[2];
};
const about = (type: number, name: string) => (message: readonly unknown[]) =>
  message[0] === type && nameIn(message) === name;

/** a negotiates with b, which has to be discovered: two steps and an agreement. */
async function negotiates(a: MixedNode, b: MixedNode, name: string): Promise<void> {
  const objective = { name, negotiate: true };
  await b.registers(objective);
  await a.registers(objective);
  const { request } = await b.engine.listenNegotiate(b.asa, objective);
  const peer = await a.finds(objective);
  const asked = a.engine.requestNegotiate(a.asa, { ...objective, value: 300 }, { peer, timeoutMs: 5000 });
  const incoming = await request;
  expect(valueOf(incoming.objective)).toBe(300);
  const counter = b.engine.negotiateStep(b.asa, incoming.session, { ...objective, value: 100 });
  const offered = await asked;
  if (offered.state !== 'offered') throw new Error(offered.state);
  expect(valueOf(offered.objective)).toBe(100);
  await a.engine.endNegotiate(a.asa, offered.session, true);
  expect(await counter).toMatchObject({ state: 'accepted' });
}

/** b publishes, a discovers and synchronizes. */
async function synchronizes(a: MixedNode, b: MixedNode, name: string): Promise<void> {
  const objective = { name, synchronize: true };
  await b.publishes({ ...objective, value: [name] });
  const peer = await a.finds(objective);
  expect(valueOf(await a.engine.synchronize(a.asa, objective, { peer }))).toEqual([name]);
}

/** One floods, the others have it, with its tag; then a second value takes the place of the first. */
async function floodsTo(lab: MixedLab, from: string, link: string, to: readonly string[]): Promise<void> {
  const name = `flood.${from}`;
  const address = lab.address(from, link);
  const locator = { kind: 'ipv6', address, protocol: 6, port: 4711 } as const;
  const sender = lab.node(from);
  await sender.registers({ name, synchronize: true });
  for (const value of ['first', 'second']) {
    await sender.floods(60_000, { name, value, locator });
    for (const each of to) {
      const got = await lab.node(each).receives(name, (floods) => valuesOf(floods).includes(value));
      expect(valuesOf(got)).toEqual([value]);
      expect(got[0]).toMatchObject({ locator: { address, port: 4711 } });
    }
  }
}

const LINES: readonly [string, Readonly<Record<string, Kind>>][] = [
  ['two prototypes, our daemon between them', { a: 'theirs', m: 'our daemon', b: 'theirs' }],
  ['this engine twice, their daemon between', { a: 'ours', m: 'their daemon', b: 'ours' }],
  ['the prototype and this engine, our daemon between', { a: 'theirs', m: 'our daemon', b: 'ours' }],
  ['the prototype and this engine, their daemon between', { a: 'theirs', m: 'their daemon', b: 'ours' }],
];

interopDescribe('lines with the prototype', () => {
  describe.each(LINES)('%s', (_name, kinds) => {
    let lab: MixedLab;
    const links = { l1: ['a', 'm'], l2: ['m', 'b'] };
    const first = kinds['m'] === 'our daemon';

    beforeAll(async () => {
      lab = await MixedLab.make(kinds, links, { ears: true });
    });

    afterAll(async () => {
      await lab.close();
    });

    test.each([
      ['a', 'l1', 'b'],
      ['b', 'l2', 'a'],
    ])('RFC 8990 §2.5.6.2 floods of %s are relayed once', async (from, link, to) => {
      await floodsTo(lab, from, link, [to]);
      const heard = (on: string): unknown[] =>
        lab.heard(on, about(M_FLOOD, `flood.${from}`)).map(({ message }) => loopCountIn(message!));
      const other = link === 'l1' ? 'l2' : 'l1';
      expect([heard(link), heard(other)]).toEqual([
        [6, 6],
        [5, 5],
      ]);
    });

    test('RFC 8990 §2.8.11 a flood whose loop count is spent goes no further', async () => {
      for (const name of ['near', 'far']) await lab.node('a').registers({ name, synchronize: true });
      await lab.node('a').floods(60_000, { name: 'near', value: 1, loopCount: 1 });
      await lab.node('a').floods(60_000, { name: 'far', value: 1, loopCount: 2 });
      await lab.node('b').receives('far');
      expect(await lab.node('b').getFlood('near')).toEqual([]);
      expect(lab.heard('l2', about(M_FLOOD, 'near'))).toEqual([]);
      expect(lab.heard('l2', about(M_FLOOD, 'far')).map(({ message }) => loopCountIn(message!))).toEqual([1]);
    });

    test.each([
      ['a', 'l1', 'b'],
      ['b', 'l2', 'a'],
    ])('RFC 8990 §2.5.4.4 %s on %s discovers %s through the relay', async (from, link, to) => {
      const [asks, answers] = [lab.node(from), lab.node(to)];
      const names = [`synch.${from}`, `neg.${from}`] as const;
      await synchronizes(asks, answers, names[0]);
      await negotiates(asks, answers, names[1]);
      // Our relay sends back what it finds; theirs may have it in its cache only for a later discovery.
      for (const name of first ? names : []) {
        const sessions = lab.heard(link, about(M_DISCOVERY, name)).map(({ message }) => message![1]);
        expect(new Set(sessions).size).toBe(1);
      }
    });
  });
});

interopDescribe('a longer line and a ring with the prototype', () => {
  test('RFC 8990 §2.5.4.4, §2.5.6.2 both relays between both engines', async () => {
    const kinds = { a: 'ours', m: 'their daemon', n: 'our daemon', b: 'theirs' } as const;
    const lab = await MixedLab.make(kinds, { l1: ['a', 'm'], l2: ['m', 'n'], l3: ['n', 'b'] });
    try {
      await floodsTo(lab, 'a', 'l1', ['b']);
      await floodsTo(lab, 'b', 'l3', ['a']);
      await synchronizes(lab.node('a'), lab.node('b'), 'synch.a');
      await negotiates(lab.node('b'), lab.node('a'), 'neg.b');
    } finally {
      await lab.close();
    }
  });

  describe('a ring of two of each', () => {
    let lab: MixedLab;
    const links = { l1: ['a', 'b'], l2: ['b', 'c'], l3: ['c', 'd'], l4: ['d', 'a'] };
    const kinds = { a: 'ours', b: 'theirs', c: 'ours', d: 'theirs' } as const;

    beforeAll(async () => {
      lab = await MixedLab.make(kinds, links, { ears: true });
    });

    afterAll(async () => {
      await lab.close();
    });

    test.each([
      ['a', 'l1'],
      ['b', 'l2'],
      ['c', 'l3'],
      ['d', 'l4'],
    ])(
      'RFC 8990 §2.5.6.2 floods of %s reach everybody, at most once per node and link',
      async (from, link) => {
        const others = Object.keys(kinds).filter((each) => each !== from);
        await floodsTo(lab, from, link, others);
        for (const on of Object.keys(links)) {
          const heard = lab.heard(on, about(M_FLOOD, `flood.${from}`));
          const senders = heard.map(({ message, address }) => `${address} ${String(message![1])}`);
          expect(new Set(senders).size).toBe(senders.length);
        }
      },
    );

    test.each([
      ['a', 'c'],
      ['c', 'a'],
      ['b', 'd'],
      ['d', 'b'],
      ['a', 'b'],
      ['d', 'c'],
    ])('RFC 8990 §2.5.4 %s discovers %s, synchronizes and negotiates', async (from, to) => {
      await synchronizes(lab.node(from), lab.node(to), `synch.${from}${to}`);
      await negotiates(lab.node(from), lab.node(to), `neg.${from}${to}`);
      for (const on of Object.keys(links)) {
        const heard = lab.heard(on, about(M_DISCOVERY, `neg.${from}${to}`));
        const senders = heard.map(({ message, address }) => `${address} ${String(message![1])}`);
        expect(new Set(senders).size).toBe(senders.length);
      }
    });
  });
});
