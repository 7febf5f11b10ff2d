/** Discovery relay, RFC 8990 §2.5.4.4, from two links to lines, rings and meshes of relays. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { encode } from 'cborg';
import {
  addressBytes,
  CoreRig,
  discovery,
  tcp6,
  type CoreEngine,
  type CoreEngineOptions,
  type MulticastPeer,
} from './core-rig.js';

let rig: CoreRig;
beforeEach(() => {
  rig = new CoreRig();
});
afterEach(() => rig.close());

const FAR = 'fd00::51';
const relays = (engine: CoreEngine): number => engine.census()['discoveryRelay collecting'] ?? 0;

/** A relay between p on l1 and q on l2. */
async function between(options: CoreEngineOptions = {}) {
  const engine = await rig.engine('relay', { links: ['l1', 'l2'], ...options });
  const p = await rig.peer('p', { links: ['l1'] });
  const q = await rig.peer('q', { links: ['l2'] });
  return { engine, p, q };
}

describe('a discovery that is relayed', () => {
  test('G-2.5.4.4-03 -04 -09 on the other interface, from its port there, loop count one less, all else the same', async () => {
    const { engine, p, q } = await between();
    await p.multicast(discovery('EX3', { loop: 3 }));
    expect(p.heard).toEqual([]);
    expect(q.heard).toEqual([
      {
        interface: 'l2',
        address: engine.discoveryPort('l2').address,
        port: engine.discoveryPort('l2').port,
        message: discovery('EX3', { loop: 2 }),
      },
    ]);
    expect(relays(engine)).toBe(1);
    await rig.clock.advance(199);
    expect(relays(engine)).toBe(1);
    await rig.clock.advance(1);
    expect(relays(engine)).toBe(0);
  });

  test('on every other interface, once each', async () => {
    await rig.engine('relay', { links: ['l1', 'l2', 'l3', 'l4'] });
    const p = await rig.peer('p', { links: ['l1'] });
    const q = await rig.peer('q', { links: ['l2', 'l3', 'l4'] });
    await p.multicast(discovery('EX3'));
    expect(q.heard.map((heard) => heard.interface).sort()).toEqual(['l2', 'l3', 'l4']);
  });

  test('byte for byte as it came, flags, value and unusual encodings included', async () => {
    await rig.engine('relay', { links: ['l1', 'l2'] });
    const p = await rig.peer('p', { links: ['l1'] });
    const sent: Uint8Array[] = [];
    rig.network.onTraffic(({ kind, node, bytes }) => {
      if (kind === 'datagram' && node === 'relay') sent.push(Uint8Array.from(bytes));
    });
    // Indefinite outer array, session id in 9 bytes, chunked name, flags with an undefined bit, loop count in 3 bytes.
    const head = '9f01' + '1b00000000000000ff' + '50' + 'fd'.repeat(16);
    const objective = (loop: string): string =>
      '84' + '7f624558613aff' + '1823' + loop + 'fb3ff0000000000000';
    await p.multicast(Buffer.from(head + objective('190005') + 'ff', 'hex'));
    expect(sent.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual([
      head + objective('190004') + 'ff',
    ]);
  });

  test.each([1, 0])('G-2.5.4.4-10 not with a loop count of %i', async (loop) => {
    const { engine, q, p } = await between();
    await p.multicast(discovery('EX3', { loop }));
    await rig.clock.advance(5_000);
    expect(q.heard).toEqual([]);
    expect(engine.counters.get('multicast.discovery.spent')).toBe(1);
  });

  test('a loop count of 255 goes on as 254; 256 is no discovery', async () => {
    const { engine, p, q } = await between();
    await p.multicast(discovery('EX3', { loop: 255 }));
    expect(q.heard[0]!.message[3]).toEqual(['EX3', 3, 254]);
    await p.multicast(discovery('EX3', { loop: 256, sid: 5 }));
    expect(q.heard.length).toBe(1);
    expect(engine.counters.get('multicast.refused.objective.loop-count')).toBe(1);
  });

  test('G-2.5.4.4-12 -13 never twice: for two minutes, by no interface, with no loop count', async () => {
    const { engine, p, q } = await between();
    await p.multicast(discovery('EX3'));
    await p.multicast(discovery('EX3'));
    await p.multicast(discovery('EX3', { loop: 3 }));
    await q.multicast(discovery('EX3', { loop: 4 }), 'l2');
    expect([p.heard.length, q.heard.length]).toEqual([0, 1]);
    expect(engine.counters.get('multicast.discovery.repeated')).toBe(3);
    await rig.clock.advance(119_999);
    await p.multicast(discovery('EX3'));
    expect(q.heard.length).toBe(1);
    // Another initiator with the same session id is another discovery (§2.7).
    await p.multicast(discovery('EX3', { from: 'fd00::78' }));
    expect(q.heard.length).toBe(2);
    await rig.clock.advance(2);
    await p.multicast(discovery('EX3'));
    expect(q.heard.length).toBe(3);
  });

  test('§2.7 its own discovery, heard on its other interface, is not relayed', async () => {
    const { engine, p, q } = await between();
    await engine.client().discover('EX3');
    const own = p.heard[0]!.message as [number, number, Uint8Array, unknown];
    p.heard.length = q.heard.length = 0;
    await q.multicast([1, own[1], own[2], ['EX3', 3, 4]], 'l2');
    expect([p.heard, q.heard]).toEqual([[], []]);
    expect(engine.counters.get('multicast.own')).toBe(1);
  });

  test('G-2.5.4.1-01 not what is supported here', async () => {
    const { engine, p, q } = await between();
    await engine.announce('EX3', [{}]);
    await p.multicast(discovery('EX3'));
    expect([p.responses.length, q.heard]).toEqual([1, []]);
  });

  test('G-3-01 not without security; and what is under way ends with it', async () => {
    const { engine, p, q } = await between();
    await p.multicast(discovery('EX3'));
    expect(relays(engine)).toBe(1);
    engine.node.setSecurity('none');
    await rig.clock.settle();
    expect(relays(engine)).toBe(0);
    await p.multicast(discovery('EX3', { sid: 2 }));
    expect(q.heard.length).toBe(1);
  });

  test('an interface that takes nothing: the relay is over at once', async () => {
    const { engine, p } = await between({
      wrap: (substrate) =>
        new Proxy(substrate, {
          get: (target, key) => {
            const value: unknown = Reflect.get(target, key, target);
            if (key !== 'openPair')
              return typeof value === 'function' ? (value.bind(target) as unknown) : value;
            return async (...args: Parameters<typeof target.openPair>) => ({
              ...(await target.openPair(...args)),
              interface: args[0],
              port: 40_000,
              sendMulticast: () => Promise.reject(new Error('down')),
            });
          },
        }),
    });
    await p.multicast(discovery('EX3'));
    expect(relays(engine)).toBe(0);
    expect(engine.counters.get('relay.discovery.send-failed')).toBe(1);
  });
});

describe('its results', () => {
  test('G-2.5.4.4-15 G-2.8.5-06 each at once to where the discovery came from, as a Divert', async () => {
    const { engine, p, q } = await between();
    const third = await rig.peer('third', { links: ['l2'] });
    await p.multicast(discovery('EX3', { from: 'fd00::99' }));
    await q.respond(q.heard[0]!, 30_000, tcp6(FAR, 1));
    expect(p.responses).toEqual([[2, 77, addressBytes('fd00::99'), 30_000, [100, tcp6(FAR, 1)]]]);
    await rig.clock.advance(300);
    await third.respond(third.heard[0]!, 0, tcp6(FAR, 2), [105, 'host.example', 6, 3]);
    expect(p.responses.slice(1)).toEqual([
      [2, 77, addressBytes('fd00::99'), 0, [100, tcp6(FAR, 2), [105, 'host.example', 6, 3]]],
    ]);
    expect(p.accepted.every((connection) => connection.ended)).toBe(true);
    expect(engine.counters.get('relay.response.passed')).toBe(2);
    expect(q.responses).toEqual([]);
  });

  test('G-2.9.2-01 Diverts of other relays are flattened, IPv6 TCP first', async () => {
    const { p, q } = await between();
    await p.multicast(discovery('EX3'));
    const name = [105, 'host.example', 6, 3];
    await q.respond(q.heard[0]!, 30_000, [100, name, tcp6(FAR, 1), tcp6(FAR, 2)]);
    expect(p.responses.map((message) => message[4])).toEqual([[100, tcp6(FAR, 1), tcp6(FAR, 2), name]]);
  });

  test('G-2.9.5.1-04 G-2.9.5.3-01 G-2.9.5.4-01 nothing that means something on its own link only', async () => {
    const { engine, p, q } = await between();
    await p.multicast(discovery('EX3'));
    const local = [tcp6('fe80::5', 1), [105, 'x.local', 6, 1], [106, 'http://x.local/', 6, 1]];
    await q.respond(q.heard[0]!, 30_000, ...local);
    expect(p.responses).toEqual([]);
    expect(engine.counters.get('relay.response.unusable')).toBe(1);
    await q.respond(q.heard[0]!, 30_000, ...local, tcp6(FAR, 1), [104, Uint8Array.of(192, 0, 2, 1), 6, 2]);
    expect(p.responses.map((message) => message[4])).toEqual([
      [100, tcp6(FAR, 1), [104, Uint8Array.of(192, 0, 2, 1), 6, 2]],
    ]);
  });

  test('limits.divertLocators: a Divert from the cache holds no more', async () => {
    const { p, q } = await between({ limits: { divertLocators: 2 } });
    await p.multicast(discovery('EX3'));
    await q.respond(q.heard[0]!, 30_000, tcp6(FAR, 1), tcp6(FAR, 2), tcp6(FAR, 3));
    await p.multicast(discovery('EX3', { sid: 78 }));
    expect(p.responses.map((message) => [message[1], message[4]])).toEqual([
      [77, [100, tcp6(FAR, 1), tcp6(FAR, 2), tcp6(FAR, 3)]],
      [78, [100, tcp6(FAR, 1), tcp6(FAR, 2)]],
    ]);
  });

  test('no locator twice for one discovery, for another one again', async () => {
    const { engine, p, q } = await between();
    await p.multicast(discovery('EX3'));
    await q.respond(q.heard[0]!, 30_000, tcp6(FAR, 1));
    await q.respond(q.heard[0]!, 30_000, [100, tcp6(FAR, 1)]);
    await q.respond(q.heard[0]!, 30_000, tcp6(FAR, 1), tcp6(FAR, 2));
    expect(p.responses.map((message) => message[4])).toEqual([
      [100, tcp6(FAR, 1)],
      [100, tcp6(FAR, 2)],
    ]);
    expect(engine.counters.get('relay.response.repeated')).toBe(1);
  });

  test('§9.5 a rapid value is passed on, a mere copy of the objective is not', async () => {
    const { p, q } = await between();
    await p.multicast(discovery('EX2'));
    await q.respond(q.heard[0]!, 30_000, tcp6(FAR, 1), ['EX2', 5, 6, [1, 'two']]);
    await q.respond(q.heard[0]!, 30_000, tcp6(FAR, 2), ['EX2', 5, 6, null]);
    await q.respond(q.heard[0]!, 30_000, tcp6(FAR, 3), ['EX2', 3, 6]);
    await q.respond(q.heard[0]!, 30_000, tcp6(FAR, 4), ['EX4', 5, 6, 1]);
    expect(p.responses.map((message) => message.slice(5))).toEqual([[['EX2', 5, 6, [1, 'two']]], [], [], []]);
  });

  test('§2.5.6.3 an M_SYNCH in place of a response goes on as it is, once, where a value was asked for', async () => {
    const { engine, p, q } = await between();
    const ask = (sid: number, objective: unknown[]): unknown[] => [
      1,
      sid,
      addressBytes('fd00::77'),
      objective,
    ];
    await p.multicast(ask(1, ['EX2', 5, 6, null]));
    await p.multicast(ask(2, ['EX2', 5, 6]));
    const say = async (link: string, by: MulticastPeer, message: unknown[]): Promise<void> => {
      const stream = await by.connect(engine.discoveryPort(link));
      await stream.send(message);
    };
    await say('l1', p, [8, 1, ['EX2', 5, 6, 1]]);
    await say('l2', q, [8, 1, ['EX4', 5, 6, 2]]);
    await say('l2', q, [8, 2, ['EX2', 5, 6, 3]]);
    expect(p.responses).toEqual([]);
    expect(engine.counters.get('response.unmatched')).toBe(2);
    for (let i = 0; i < 2; i++) await say('l2', q, [8, 1, ['EX2', 5, 6, { v: 4 }]]);
    expect(p.responses).toEqual([[8, 1, ['EX2', 5, 6, { v: 4 }]]]);
    await rig.clock.advance(500);
    await say('l2', q, [8, 1, ['EX2', 5, 6, 5]]);
    expect(engine.counters.get('response.refused.message.misplaced')).toBe(1);
  });

  test('§2.5.6.3 a value through two relays to the one who asked for it', async () => {
    await rig.engine('r1', { links: ['l1', 'l2'] });
    await rig.engine('r2', { links: ['l2', 'l3'] });
    const holder = await rig.engine('holder', { links: ['l3'], rapidAnswers: true });
    await holder.announce('EX2', [{ rapidValue: encode('now') }], 60_000, 5);
    const asking = await rig.engine('asking', { links: ['l1'] });
    const found = await asking.client().discover('EX2', { flags: 5, value: null });
    expect(found.found.map((each) => each.rapid?.value)).toEqual([encode('now')]);
  });

  test('G-2.8.3-02 what came in one message of 2048 bytes goes on, if need be in two', async () => {
    const { p, q } = await between();
    await p.multicast(discovery('EX3'));
    const head = encode([2, 77, addressBytes('fd00::77'), 30_000]).length;
    const count = Math.floor((2_048 - head - 1) / encode(tcp6(FAR, 50_000)).length);
    const all = Array.from({ length: count }, (_, i) => tcp6(FAR, 50_000 + i));
    await q.respond(q.heard[0]!, 30_000, ...all);
    expect(p.responses.flatMap((message) => (message[4] as unknown[]).slice(1))).toEqual(all);
    for (const message of p.responses) expect(encode(message).length).toBeLessThanOrEqual(2_048);
  });

  test('G-2.5.4.4-14 after 100 ms × remaining loop count: no more', async () => {
    const { engine, p, q } = await between();
    await p.multicast(discovery('EX3', { loop: 3 }));
    await rig.clock.advance(200);
    await q.respond(q.heard[0]!, 30_000, tcp6(FAR, 1));
    expect(p.responses).toEqual([]);
    expect(engine.counters.get('response.unmatched')).toBe(1);
  });

  test('a response by the interface the discovery came by, or with another initiator, is none', async () => {
    const { engine, p, q } = await between();
    await p.multicast(discovery('EX3'));
    const wrongSide = await p.connect(engine.discoveryPort('l1'));
    await wrongSide.send([2, 77, addressBytes('fd00::77'), 30_000, tcp6(FAR, 1)]);
    const other = await q.connect(engine.discoveryPort('l2'));
    await other.send([2, 77, addressBytes('fd00::78'), 30_000, tcp6(FAR, 2)]);
    expect(p.responses).toEqual([]);
    expect(engine.counters.get('relay.response.wrong-side')).toBe(1);
    expect(engine.counters.get('response.unmatched')).toBe(1);
  });

  test('§2.5.4.3 go into the relay’s own cache: its ASAs have them, the next asker gets a Divert', async () => {
    const { engine, p, q } = await between();
    const waiting = await engine.client().discover('EX3', { minimumTtlMs: 0 });
    await p.multicast(discovery('EX3'));
    q.heard.splice(0, 1);
    await q.respond(q.heard[0]!, 30_000, tcp6(FAR, 1), tcp6('fe80::5', 2));
    // A discovery of its own for the same objective, under way at the time, hears of it too.
    expect(waiting.ports).toEqual([1, 2]);
    const cached = await engine.client('other').discover('EX3', { timeoutMs: 0 });
    expect(cached.found.map(({ interface: name, diverted }) => [name, diverted])).toEqual([
      ['l2', false],
      ['l2', false],
    ]);
    await p.multicast(discovery('EX3', { sid: 78 }));
    expect(p.responses.map((message) => [message[1], message[4]])).toEqual([
      [77, [100, tcp6(FAR, 1)]],
      [78, [100, tcp6(FAR, 1)]],
    ]);
    expect(q.heard.length).toBe(1);
  });
});

describe('limits', () => {
  test('G-2.5.4.4-11 limits.discoveryRelayRate per interface; single ones pass again afterwards', async () => {
    const { engine, p, q } = await between({ limits: { discoveryRelayRate: 20 } });
    for (let sid = 0; sid < 100; sid++) p.post(discovery('EX3', { sid }));
    await rig.clock.settle();
    expect(q.heard.length).toBe(20);
    expect(engine.counters.get('relay.discovery.rate')).toBe(80);
    // The other interface has a rate of its own.
    await q.multicast(discovery('EX3', { sid: 1_000 }), 'l2');
    expect(p.heard.length).toBe(1);
    await rig.clock.advance(50);
    await p.multicast(discovery('EX3', { sid: 101 }));
    expect(q.heard.length).toBe(21);
    // What was not relayed for the rate’s sake is not remembered: its repetition goes through.
    await rig.clock.advance(50);
    await p.multicast(discovery('EX3', { sid: 99 }));
    expect(q.heard.length).toBe(22);
  });

  test('limits.discoveryRelays: the oldest ends early', async () => {
    const { engine, p, q } = await between({ limits: { discoveryRelays: 2 } });
    for (let sid = 1; sid <= 3; sid++) await p.multicast(discovery('EX3', { sid }));
    expect(relays(engine)).toBe(2);
    expect(engine.queue('relay.discoveries')).toEqual({ name: 'relay.discoveries', length: 2, limit: 2 });
    expect(engine.counters.get('relay.discovery.ended-early')).toBe(1);
    for (const heard of q.heard) await q.respond(heard, 30_000, tcp6(FAR, heard.message[1] as number));
    expect(p.responses.map(([, sid]) => sid)).toEqual([2, 3]);
  });

  test('limits.discoveryRelayMemory: when it is full nothing more is relayed, nothing forgotten early', async () => {
    const { engine, p, q } = await between({ limits: { discoveryRelayMemory: 2 } });
    for (let sid = 1; sid <= 3; sid++) await p.multicast(discovery('EX3', { sid }));
    expect(q.heard.length).toBe(2);
    expect(engine.counters.get('relay.discovery.memory')).toBe(1);
    await p.multicast(discovery('EX3', { sid: 1 }));
    expect(q.heard.length).toBe(2);
    await rig.clock.advance(120_001);
    await p.multicast(discovery('EX3', { sid: 3 }));
    expect(q.heard.length).toBe(3);
  });

  test('limits.discoveryRelayLocators: no more are passed back for one discovery', async () => {
    const { engine, p, q } = await between({ limits: { discoveryRelayLocators: 2 } });
    await p.multicast(discovery('EX3'));
    await q.respond(q.heard[0]!, 30_000, tcp6(FAR, 1), tcp6(FAR, 2), tcp6(FAR, 3));
    await q.respond(q.heard[0]!, 30_000, tcp6(FAR, 4));
    expect(p.responses.map((message) => message[4])).toEqual([[100, tcp6(FAR, 1), tcp6(FAR, 2)]]);
    expect(engine.counters.get('relay.response.locators')).toBe(2);
  });

  test('a storm of discoveries with spoofed initiators: what is kept is bounded, all relays end', async () => {
    const { engine, p, q } = await between();
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < 2_000; i++) {
        const sid = second * 2_000 + i;
        p.post(discovery('EX3', { sid, from: `fd00::${sid.toString(16)}`, loop: 255 }));
      }
      await rig.clock.advance(1_000);
    }
    expect(q.heard.length).toBeLessThanOrEqual(1_200);
    expect(relays(engine)).toBeLessThanOrEqual(1_024);
    expect(engine.queue('relay.discovery-memory').length).toBe(q.heard.length);
    await rig.clock.advance(1_000);
    await p.multicast(discovery('EX3', { sid: 20_000 }));
    await q.respond(q.heard.at(-1)!, 30_000, tcp6(FAR, 1));
    expect(p.responses.length).toBe(1);
    await rig.clock.advance(26_000);
    expect(relays(engine)).toBe(0);
  });
});

/** Datagrams each node has sent per link from now on. */
function copies(): Map<string, number> {
  const sent = new Map<string, number>();
  rig.network.onTraffic(({ kind, node, link }) => {
    if (kind === 'datagram') sent.set(`${node} ${link}`, (sent.get(`${node} ${link}`) ?? 0) + 1);
  });
  return sent;
}

describe('networks of relays', () => {
  /** n0 –l1– n1 –l2– … ; the inner ones relay. */
  async function line(length: number): Promise<CoreEngine[]> {
    const engines: CoreEngine[] = [];
    for (let i = 0; i < length; i++) {
      const links = [i > 0 ? [`l${i}`] : [], i < length - 1 ? [`l${i + 1}`] : []].flat();
      engines.push(await rig.engine(`n${i}`, { links }));
    }
    return engines;
  }

  test.each([0, 2, 10])(
    'a line of 7, links of %i ms: found through five relays at the first attempt',
    async (delayMs) => {
      const nodes = await line(7);
      for (let i = 1; i < 7; i++) rig.network.link(`l${i}`).set({ delayMs });
      await nodes[6]!.announce('EX3', [{ port: 50_006 }]);
      const sent = copies();
      const found = await nodes[0]!.client().discover('EX3');
      // Datagram, connect, M_RESPONSE: 4 × the delay on each of 6 links.
      await rig.clock.advance(24 * delayMs);
      expect(found.found).toEqual([
        {
          locator: { type: 103, address: addressBytes(nodes[6]!.address('l6')), protocol: 6, port: 50_006 },
          interface: 'l1',
          expiresAt: expect.any(Number),
          diverted: true,
        },
      ]);
      expect([...sent].sort()).toEqual([0, 1, 2, 3, 4, 5].map((i) => [`n${i} l${i + 1}`, 1]));
      for (const node of nodes.slice(1, 6)) expect(node.counters.get('relay.response.passed')).toBe(1);
      await rig.clock.advance(600);
      expect(nodes.map(relays)).toEqual([0, 0, 0, 0, 0, 0, 0]);
      expect(found.outcome).toEqual({ atMs: expect.any(Number), failure: undefined });
      // Everybody on the way knows it now: the next asker is answered by its neighbour.
      sent.clear();
      const again = await nodes[0]!.client('again').discover('EX3', { flush: true });
      await rig.clock.advance(4 * delayMs);
      expect(again.found.length).toBe(1);
      expect(sent.size).toBe(1);
    },
  );

  test('a line of 8: the sixth relay gets a loop count of 1 and sends nothing', async () => {
    const nodes = await line(8);
    await nodes[7]!.announce('EX3', [{}]);
    const found = await nodes[0]!.client().discover('EX3');
    await rig.clock.advance(700);
    expect(found.found).toEqual([]);
    expect(nodes[6]!.counters.get('multicast.discovery.spent')).toBe(1);
    const farther = await nodes[0]!.client().discover('EX3', { loopCount: 7 });
    expect(farther.found.length).toBe(1);
  });

  test('a ring of 5: one copy per node and link at most, one result, every relay ends', async () => {
    const nodes: CoreEngine[] = [];
    for (let i = 0; i < 5; i++)
      nodes.push(await rig.engine(`n${i}`, { links: [`l${i}`, `l${(i + 1) % 5}`] }));
    const sent = copies();
    await nodes[2]!.announce('EX3', [{}]);
    const found = await nodes[0]!.client().discover('EX3', { loopCount: 255 });
    expect(found.found.length).toBe(1);
    expect(Math.max(...sent.values())).toBe(1);
    expect(sent.size).toBeLessThanOrEqual(10);
    expect(nodes.some((node) => relays(node) > 0)).toBe(true);
    await rig.clock.advance(25_500);
    expect(nodes.map(relays)).toEqual([0, 0, 0, 0, 0]);
  });

  test('a full mesh of 5, one link per pair: one copy per node and link at most', async () => {
    const link = (a: number, b: number): string => `l${Math.min(a, b)}${Math.max(a, b)}`;
    const nodes: CoreEngine[] = [];
    for (let i = 0; i < 5; i++) {
      const links = [0, 1, 2, 3, 4].filter((other) => other !== i).map((other) => link(i, other));
      nodes.push(await rig.engine(`n${i}`, { links }));
    }
    const sent = copies();
    // Nobody knows it: it goes everywhere it can.
    const found = await nodes[0]!.client().discover('EX4', { loopCount: 255 });
    expect(Math.max(...sent.values())).toBe(1);
    expect(sent.size).toBeLessThanOrEqual(20);
    await rig.clock.advance(25_500);
    expect([found.found, nodes.map(relays)]).toEqual([[], [0, 0, 0, 0, 0]]);
    expect(Math.max(...sent.values())).toBe(1);
    for (const node of nodes.slice(1)) expect(node.queue('relay.discovery-memory').length).toBe(1);
  });

  test('five relays that share both their links: each sends one copy, none relays another’s', async () => {
    for (let i = 0; i < 5; i++) await rig.engine(`n${i}`, { links: ['l1', 'l2'] });
    const p = await rig.peer('p', { links: ['l1'] });
    const q: MulticastPeer = await rig.peer('q', { links: ['l2'] });
    await p.multicast(discovery('EX3', { loop: 255 }));
    expect([p.heard.length, q.heard.length]).toEqual([0, 5]);
    // One answer reaches the asker through whichever relay it was given to.
    await q.respond(q.heard[3]!, 30_000, tcp6(FAR, 1));
    expect(p.responses.length).toBe(1);
  });
});
