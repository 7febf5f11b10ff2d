/** DULL instances: RFC 8990 §2.5.2, RFC 8994 §6.4. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Grasp, type Asa, type DullOptions, type GraspOptions, type SimulatedNode } from '../../src/index.js';
import { World } from './rig.js';
import { addressBytes, type Said, type Stranger, type Wire } from './wire.js';

const [DISCOVERY, RESPONSE, FLOOD] = [1, 2, 9];
const SERVED: DullOptions = { objectives: ['AN_ACP', 'AN_Proxy'] };

let world: World;
let wire: Wire;
/** On links l1 and l2; l1 is its DULL instance's. */
let node: SimulatedNode;
let dull: Grasp;
let asa: Asa;
/** A neighbour on each link. */
let p: Stranger;
let q: Stranger;

beforeEach(async () => {
  world = new World();
  node = world.network.addNode('e', { links: ['l1', 'l2'], security: 'none', ipv4: true });
  dull = await world.engineOn(node, { more: { dull: { ...SERVED, interface: 'l1' } } });
  asa = await world.until(dull.registerAsa('Scout'));
  p = await world.stranger('p', ['l1']);
  p.takesAnswers = true;
  q = await world.stranger('q', ['l2']);
  wire = world.wire();
});

afterEach(() => world.close());

const linkLocal = (of: SimulatedNode, link: string): string =>
  of.environment.interfaces.find(({ name }) => name === link)!.linkLocal!;
const initiator = (of: Stranger): Uint8Array =>
  addressBytes(of.substrate.environment.interfaces[0]!.linkLocal!);
const pair = (name: string, loopCount = 1, value: unknown = 'IKEv2'): unknown[] => [
  [name, 4, loopCount, value],
  [],
];
let sessionId = 1;
const flood = (from: Stranger, ...pairs: unknown[][]): Promise<void> =>
  world.until(
    from.multicast(
      [FLOOD, sessionId++, initiator(from), 60_000, ...pairs],
      from.node.environment.interfaces[0]!.name,
    ),
  );
const ask = async (from: Stranger, name: string, loopCount = 1): Promise<void> => {
  await world.until(
    from.multicast(
      [DISCOVERY, sessionId++, initiator(from), [name, 1, loopCount]],
      from.node.environment.interfaces[0]!.name,
    ),
  );
  await world.clock.advance(2_000);
};
const held = async (name = 'AN_ACP', by = asa): Promise<unknown[]> =>
  (await world.until(by.getFlood(name))).map(({ value }) => value);
const counters = async (of = dull): Promise<Readonly<Record<string, number>>> =>
  (await world.until(of.status())).counters;
const saidByEngine = (type: number): Said[] => wire.of(type).filter((said) => said.node === 'e');
const registered = (name: string, more: object = {}) =>
  world.until(asa.registerObjective({ name, synchronize: true, ...more }));

describe('RFC 8990 §2.5.2 DULL', () => {
  test('G-2.5.2-01 what is said on another link has no effect, and nothing is sent there', async () => {
    const acp = await registered('AN_ACP', { discoverable: true });
    await flood(q, pair('AN_ACP', 1, 'from l2'));
    await ask(q, 'AN_ACP');
    await flood(p, pair('AN_ACP', 1, 'from l1'));
    await world.clock.settle();
    expect(await held()).toEqual(['from l1']);
    await world.until(asa.flood([{ objective: acp }], { ttlMs: 60_000 }));
    await world.until(asa.discover('AN_Proxy'));
    expect(wire.said.filter((said) => said.node === 'e').map(({ link }) => link)).toEqual(['l1', 'l1']);
  });

  test('G-2.5.2-02 P-6.4-02 instances of one node share nothing, with each other or with the node’s own', async () => {
    const other = await world.engineOn(node, { more: { dull: { ...SERVED, interface: 'l2' } } });
    node.setSecurity('insecure');
    const inside = await world.engineOn(node);
    // The same name thrice: three registries.
    const [away, within] = [
      await world.until(other.registerAsa('Scout')),
      await world.until(inside.registerAsa('Scout')),
    ];
    await flood(p, pair('AN_ACP', 1, 'from l1'));
    await flood(q, pair('AN_ACP', 1, 'from l2'));
    const ex1 = await world.until(within.registerObjective({ name: 'EX1', synchronize: true }));
    await world.until(within.flood([{ objective: ex1, value: 'inside' }], { ttlMs: 60_000 }));
    await world.clock.settle();
    expect([await held('AN_ACP', asa), await held('AN_ACP', away)]).toEqual([['from l1'], ['from l2']]);
    expect([await held('EX1', asa), await held('EX1', away)]).toEqual([[], []]);
    expect(await held('EX1', within)).toEqual(['inside']);
    // Forgotten here, known there.
    await world.until(asa.expireFlood({ name: 'AN_ACP' }));
    expect([await held('AN_ACP', asa), await held('AN_ACP', away)]).toEqual([[], ['from l2']]);
    const states = [];
    for (const each of [dull, other, inside]) states.push(await world.until(each.status()));
    expect(states.map((state) => state.interfaces.map(({ name }) => name))).toEqual([
      ['l1'],
      ['l2'],
      ['l1', 'l2'],
    ]);
    expect(states.map((state) => state.dull?.interface)).toEqual(['l1', 'l2', undefined]);
    // Unicasts to the node's port are for the instance that answers beyond the link.
    expect(states.map(({ wellKnownPort }) => wellKnownPort)).toEqual([false, false, true]);
    // One ends, the others go on.
    await world.until(other.close());
    await flood(p, pair('AN_ACP', 1, 'again'));
    await world.clock.settle();
    expect(await held()).toEqual(['again']);
  });

  test('G-2.5.2-03 -04 P-6.4-08 floods and discovers without security; loop counts are 1, the initiator link-local', async () => {
    const acp = await registered('AN_ACP', { floodOnly: true, loopCount: 6 });
    const proxy = await registered('AN_Proxy', { floodOnly: true });
    await world.until(
      asa.flood(
        [
          { objective: acp, value: 'IKEv2', loopCount: 6 },
          { objective: proxy, value: '', loopCount: 255 },
        ],
        { ttlMs: 210_000 },
      ),
    );
    expect(await world.until(asa.discover('AN_ACP', { loopCount: 6 }))).toEqual([]);
    const own = addressBytes(linkLocal(node, 'l1'));
    const [flooded, ...more] = saidByEngine(FLOOD);
    expect(flooded!.message.slice(2)).toEqual([
      own,
      210_000,
      [['AN_ACP', 4, 1, 'IKEv2'], []],
      [['AN_Proxy', 4, 1, ''], []],
    ]);
    expect(more).toEqual([]);
    expect(saidByEngine(DISCOVERY).map(({ message }) => message.slice(2))).toEqual([[own, ['AN_ACP', 1, 1]]]);
    // The copy that stays in the node (C-12) is of the same kind.
    const [kept] = await world.until(asa.getFlood('AN_Proxy'));
    expect(kept).toMatchObject({ value: '', loopCount: 1 });
    expect((await world.until(dull.status())).security).toBe('none');
  });

  test('G-2.5.2-05 every request is refused (16) before anything is sent; what was flooded can be had', async () => {
    const negotiable = await world.until(asa.registerObjective({ name: 'AN_Proxy', negotiate: true }));
    const acp = await registered('AN_ACP');
    let connections = 0;
    const port = await world.until(p.listen(() => (connections++, 'close')));
    const peer = { address: linkLocal(p.node, 'l1'), port, interface: 'l1' };
    for (const refused of [
      () => asa.requestNegotiate(negotiable, 1),
      () => asa.requestNegotiate(negotiable, 1, { peer }),
      () => asa.synchronize('AN_ACP'),
      () => asa.synchronize('AN_ACP', { peer }),
      () => negotiable.onNegotiate(() => undefined),
      () => negotiable.listenNegotiate().next(),
      () => acp.listenSynchronize(1),
    ]) {
      expect(await world.failure(refused())).toMatchObject({ code: 16 });
    }
    expect([wire.said, connections]).toEqual([[], 0]);
    await flood(p, pair('AN_ACP', 1, 'DTLS'));
    await world.clock.settle();
    expect(await world.until(asa.synchronize('AN_ACP'))).toMatchObject({ value: 'DTLS', source: 'flood' });
  });

  test('G-2.5.2-06 a message with a loop count other than 1 is discarded in silence', async () => {
    await registered('AN_ACP', { discoverable: true });
    for (const loopCount of [0, 2, 255]) await ask(p, 'AN_ACP', loopCount);
    await flood(p, pair('AN_ACP', 2));
    await flood(p, pair('AN_ACP', 1), pair('AN_Proxy', 2));
    await flood(p, pair('AN_ACP', 0));
    await world.clock.settle();
    expect([await held('AN_ACP'), await held('AN_Proxy')]).toEqual([[], []]);
    expect(wire.said.filter((said) => said.node === 'e')).toEqual([]);
    // A link-local initiator with 2 and more is no sound flood anywhere (§2.5.6.2); the codec refuses it.
    const { 'dull.loop-count': refused = 0 } = await counters();
    const misformed = Object.entries(await counters())
      .filter(([name]) => name.startsWith('multicast.refused.'))
      .reduce((sum, [, count]) => sum + count, 0);
    expect(refused + misformed).toBe(6);
    expect(refused).toBeGreaterThanOrEqual(3);
    await ask(p, 'AN_ACP');
    expect(saidByEngine(RESPONSE)).toHaveLength(1);
  });

  test('G-2.5.2-06 also where the initiator is no link-local address', async () => {
    const global = addressBytes('2001:db8::7');
    await world.until(p.multicast([FLOOD, 1, global, 60_000, pair('AN_ACP', 1), pair('AN_Proxy', 6)], 'l1'));
    await world.clock.settle();
    expect([await held('AN_ACP'), await held('AN_Proxy')]).toEqual([[], []]);
    expect(await counters()).toMatchObject({ 'dull.loop-count': 1 });
  });

  test('G-2.5.2-07 what is not of its service is discarded, with all that is in the same message', async () => {
    await ask(p, 'EX1');
    await flood(p, pair('EX1'));
    await flood(p, pair('AN_ACP', 1, 'mixed'), pair('EX1'));
    await world.clock.settle();
    expect([await held('EX1'), await held('AN_ACP')]).toEqual([[], []]);
    expect(await counters()).toMatchObject({ 'dull.objective': 3 });
    expect(wire.said.filter((said) => said.node === 'e')).toEqual([]);
    await flood(p, pair('AN_ACP', 1, 'alone'));
    await world.clock.settle();
    expect(await held('AN_ACP')).toEqual(['alone']);
  });

  test('G-2.5.2-06 -07 also where it is in a pair that no cache would take (§2.10.3)', async () => {
    const global = addressBytes('2001:db8::7');
    const noSynch = (name: string, loopCount: number): unknown[] => [[name, 3, loopCount, 0], []];
    await flood(p, pair('AN_ACP', 1, 'foreign'), noSynch('EX1', 1));
    const loops = [pair('AN_ACP', 1, 'loops'), noSynch('AN_Proxy', 6)];
    await world.until(p.multicast([FLOOD, 1, global, 60_000, ...loops], 'l1'));
    await world.clock.settle();
    expect(await held('AN_ACP')).toEqual([]);
    expect(await counters()).toMatchObject({ 'dull.objective': 1, 'dull.loop-count': 1 });
    await flood(p, pair('AN_ACP', 1, 'own'), noSynch('AN_Proxy', 1));
    await world.clock.settle();
    expect(await held('AN_ACP')).toEqual(['own']);
  });

  test('G-2.5.2-08 -10 relays nothing, and sends nobody elsewhere', async () => {
    // A neighbour on the link answers, so that there is something to divert to.
    p.onHeard = (message, from) => {
      if (message[0] !== DISCOVERY) return;
      const place = [103, initiator(p), 6, 4711];
      void p.respond(from, [RESPONSE, message[1], message[2], 60_000, place]);
    };
    const found = await world.until(asa.discover('AN_ACP'));
    expect(found).toMatchObject([
      { address: linkLocal(p.node, 'l1'), port: 4711, interface: 'l1', diverted: false },
    ]);
    p.onHeard = undefined;
    wire.forget();
    await ask(p, 'AN_ACP');
    await ask(p, 'AN_Proxy');
    await flood(p, pair('AN_ACP'));
    await world.clock.advance(10_000);
    expect(wire.said.filter((said) => said.node === 'e')).toEqual([]);
    expect(q.heard).toEqual([]);
  });

  test('G-2.5.2-09 answers give the link-local address of the interface, and no other', async () => {
    await registered('AN_ACP', { discoverable: true, ttlMs: 5_000 });
    // Locators of the ASA's choice (D-05), none of them of the link.
    await registered('AN_Proxy', {
      discoverable: true,
      locators: ['[fd00::1]:4443', 'proxy.example.com:4443'],
    });
    await ask(p, 'AN_ACP');
    const [response] = saidByEngine(RESPONSE);
    const own = addressBytes(linkLocal(node, 'l1'));
    expect(response!.message.slice(2)).toEqual([initiator(p), 5_000, [103, own, 6, expect.any(Number)]]);
    await ask(p, 'AN_Proxy');
    expect(saidByEngine(RESPONSE)).toHaveLength(1);
    expect(await counters()).toMatchObject({ 'response.no-address': 1 });
  });

  test('G-2.5.2-11 datagrams and streams that do not come from a link-local address are discarded', async () => {
    await registered('AN_ACP', { discoverable: true });
    const far = world.network.addNode('far', { links: ['l1'], ipv6: false, ipv4: true });
    const ipv4 = await world.engineOn(far);
    const flooder = await world.until(ipv4.registerAsa('Far'));
    const acp = await world.until(
      flooder.registerObjective({ name: 'AN_ACP', synchronize: true, loopCount: 1 }),
    );
    await world.until(flooder.flood([{ objective: acp, value: 'far' }], { ttlMs: 60_000 }));
    await world.until(flooder.discover('AN_ACP', { loopCount: 1 }));
    expect(await held()).toEqual([]);
    expect(await counters()).toMatchObject({ 'dull.source': 2 });

    // An answer to its own discovery, by the address that is good beyond the link.
    const ula = node.environment.interfaces.find(({ name }) => name === 'l1')!.addresses[0]!;
    p.onHeard = (message, { port }) => {
      if (message[0] !== DISCOVERY) return;
      const answer = [RESPONSE, message[1], message[2], 60_000, [103, initiator(p), 6, 4711]];
      void p.respond({ address: ula, port }, answer);
    };
    expect(await world.until(asa.discover('AN_Proxy', { timeoutMs: 2_000 }))).toEqual([]);
    expect(await counters()).toMatchObject({ 'dull.source': 2, 'dull.stream-source': 1 });
  });

  test.each<[string, string, unknown[]]>([
    ['a Divert', 'locator', [[100, [103, addressBytes('fd00::7'), 6, 4711]]]],
    ['an address beyond the link', 'locator', [[103, addressBytes('fd00::7'), 6, 4711]]],
    ['a name', 'locator', [[105, 'acp.example.com', 6, 4711]]],
    [
      'loop count 6',
      'loop-count',
      [
        [103, addressBytes('fe80::7'), 6, 4711],
        ['AN_ACP', 1, 6],
      ],
    ],
    [
      'another objective',
      'objective',
      [
        [103, addressBytes('fe80::7'), 6, 4711],
        ['EX1', 1, 1],
      ],
    ],
  ])('G-2.5.2-06 -07 -09 -10 an answer that holds %s is not taken', async (_, reason, rest) => {
    p.onHeard = (message, from) => {
      if (message[0] === DISCOVERY) void p.respond(from, [RESPONSE, message[1], message[2], 60_000, ...rest]);
    };
    expect(await world.until(asa.discover('AN_ACP', { timeoutMs: 1_000 }))).toEqual([]);
    expect(await counters()).toMatchObject({ [`dull.${reason}`]: 1 });
  });

  test('what is not of its service cannot be sent either: 3', async () => {
    const ex1 = await registered('EX1');
    const acp = await registered('AN_ACP');
    expect(await world.failure(asa.discover('EX1'))).toMatchObject({
      code: 3,
      message: expect.stringContaining('"EX1"'),
    });
    const both = [{ objective: acp }, { objective: ex1 }];
    expect(await world.failure(asa.flood(both, { ttlMs: 1 }))).toMatchObject({ code: 3 });
    expect(wire.said).toEqual([]);
    expect(await held('AN_ACP')).toEqual([]);
  });

  test('it works on while the interface goes and comes back', async () => {
    node.setInterfaceUp('l1', false);
    await world.clock.settle();
    const acp = await registered('AN_ACP');
    await world.until(asa.flood([{ objective: acp }], { ttlMs: 60_000 }));
    expect(saidByEngine(FLOOD)).toEqual([]);
    node.setInterfaceUp('l1', true);
    await world.clock.advance(1_000);
    await world.until(asa.flood([{ objective: acp }], { ttlMs: 60_000 }));
    expect(saidByEngine(FLOOD).map(({ link }) => link)).toEqual(['l1']);
  });
});

describe('Grasp.start({ dull })', () => {
  const start = (options: Partial<GraspOptions>): Promise<unknown> =>
    world.failure(
      Grasp.start({
        substrate: { kind: 'simulated', node },
        placement: 'inline',
        clock: world.clock,
        ...options,
      }),
    );

  test.each<[string, Partial<GraspOptions>]>([
    ['two interfaces, none named', { dull: SERVED }],
    ['an interface that is not there', { dull: { ...SERVED, interface: 'l9' } }],
    ['no objective', { dull: { objectives: [], interface: 'l1' } }],
    ['no list', { dull: { objectives: 'AN_ACP' as unknown as string[], interface: 'l1' } }],
    ['an empty name', { dull: { objectives: ['AN_ACP', ''], interface: 'l1' } }],
    ['P-6.4-04 plain: all interfaces', { substrate: { kind: 'plain' }, dull: SERVED }],
    ['plain: no interface', { substrate: { kind: 'plain', interfaces: [] }, dull: SERVED }],
    ['plain: two interfaces', { substrate: { kind: 'plain', interfaces: ['lo', 'eth0'] }, dull: SERVED }],
    [
      'plain: one that is not among those given',
      { substrate: { kind: 'plain', interfaces: ['lo'] }, dull: { ...SERVED, interface: 'eth0' } },
    ],
  ])('G-2.5.2-01 %s: 3 at once', async (_, options) => {
    expect(await start(options)).toMatchObject({ code: 3 });
  });

  test('one interface needs no name', async () => {
    const { grasp } = await world.engine('leaf', { node: { links: ['l1'] }, more: { dull: SERVED } });
    expect((await world.until(grasp.status())).dull).toEqual({ interface: 'l1', ...SERVED });
  });
});
