import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Environment, Target } from '../../src/substrate/types.js';
import type { AgentEvent, CommandName, Commands } from './agent.js';
import type { Harness, LinkName, NodeName, WorldOptions } from './harness.js';
import { Refused } from './remote.js';

const NODES: NodeName[] = ['a', 'b', 'c'];

/** What every substrate owes the engine. One suite, whatever carries the bytes. */
export function substrateContract(
  name: string,
  makeHarness: (options?: WorldOptions) => Promise<Harness>,
  block: (name: string, body: () => void) => void = describe,
): void {
  block(`substrate contract: ${name}`, () => {
    let world: Harness;
    beforeAll(async () => {
      world = await makeHarness();
    }, 60_000);
    afterAll(async () => {
      await world?.close();
    });
    afterEach(async () => {
      for (const node of NODES) {
        const faults = await world.run(world.nodes[node].call('reset', {}));
        expect(faults).toEqual({ onCloseTwice: 0, afterClose: 0 });
      }
      for (const node of NODES) world.nodes[node].forgetEvents();
    });

    const t = tools(() => world);
    const { call, event, environment, info, kindOf, towards, connected, collect, ended, closed } = t;

    describe('interfaces and addresses', () => {
      test('the environment lists the chosen interfaces with link-local and further addresses', async () => {
        const { interfaces, security } = await environment('a');
        expect(security).toBe('insecure');
        expect(interfaces.map((i) => i.name)).toEqual(['l1', 'l2']);
        for (const item of interfaces) {
          expect(item.linkLocal).toMatch(/^fe80::/);
          expect(item.addresses).toEqual([expect.stringMatching(/^fd/)]);
          expect(item.index).toBeGreaterThan(0);
        }
        expect(interfaces[0]!.index).not.toBe(interfaces[1]!.index);
      });

      test('an interface that is not there is refused', async () => {
        expect(await kindOf(call('b', 'openReceiver', { interface: 'l2' }))).toBe('no-interface');
        expect(await kindOf(call('b', 'openPair', { interface: 'nonsense' }))).toBe('no-interface');
      });

      test('an interface that goes down and up again is announced; its receivers go on', async () => {
        const receiver = await call('b', 'openReceiver', { interface: 'l1' });
        const { linkLocal } = await info('b', 'l1');
        await world.setUp('b', 'l1', false);
        await event('b', 'environment', (e) => e.environment.interfaces.length === 0);
        expect(await kindOf(call('b', 'openPair', { interface: 'l1' }))).toBe('no-interface');
        await world.setUp('b', 'l1', true);
        await event('b', 'environment', (e) => e.environment.interfaces[0]?.linkLocal === linkLocal);
        if (!(await environment('a')).interfaces.some((i) => i.name === 'l1' && i.linkLocal)) {
          // On a veth pair the other end loses its carrier too.
          await event('a', 'environment', (e) =>
            e.environment.interfaces.some((i) => i.name === 'l1' && !!i.linkLocal),
          );
        }
        const pair = await call('a', 'openPair', { interface: 'l1' });
        await call('a', 'multicast', { id: pair.id, hex: 'd0' });
        expect(await event('b', 'datagram', (e) => e.id === receiver.id)).toMatchObject({ hex: 'd0' });
        expect(world.nodes.b.pending('lost')).toEqual([]);
      });

      test('a new address is announced, reachable, and the old one is gone', async () => {
        const before = (await info('a', 'l1')).addresses[0]!;
        await world.renumber('a', 'l1');
        const changed = await event('a', 'environment', (e) => {
          const now = e.environment.interfaces.find((i) => i.name === 'l1')?.addresses;
          return now?.length === 1 && now[0] !== before;
        });
        const after = changed.environment.interfaces.find((i) => i.name === 'l1')!.addresses[0]!;
        const { id, port } = await call('a', 'listen', {});
        const { remote } = await call('b', 'connect', { target: { address: after, port }, timeoutMs: 5000 });
        expect(remote).toMatchObject({ address: after, port });
        await event('a', 'stream', (e) => e.id === id);
        const old = { address: before, port };
        expect(['timeout', 'unreachable']).toContain(
          await kindOf(call('b', 'connect', { target: old, timeoutMs: 300 })),
        );
      });

      test('an interface that is removed is lost to whatever was open on it; a new one of its name works', async () => {
        const receiver = await call('b', 'openReceiver', { interface: 'l1' });
        const pair = await call('a', 'openPair', { interface: 'l1' });
        const other = await call('a', 'openPair', { interface: 'l2' });
        await world.removeLink('l1');
        expect(await event('b', 'lost', (e) => e.id === receiver.id)).toMatchObject({ kind: 'no-interface' });
        expect(await event('a', 'lost', (e) => e.id === pair.id)).toMatchObject({ kind: 'no-interface' });
        expect(await kindOf(call('a', 'multicast', { id: pair.id, hex: '00' }))).toBe('local');
        await world.restoreLink('l1');
        const whole = (e: { environment: Environment }): boolean => {
          const found = e.environment.interfaces.find((i) => i.name === 'l1');
          return found?.linkLocal !== undefined && found.addresses.length > 0;
        };
        await event('a', 'environment', whole);
        await event('b', 'environment', whole);
        const again = await call('b', 'openReceiver', { interface: 'l1' });
        const newPair = await call('a', 'openPair', { interface: 'l1', port: pair.port });
        expect(newPair.port).toBe(pair.port);
        await call('a', 'multicast', { id: newPair.id, hex: 'd1' });
        await event('b', 'datagram', (e) => e.id === again.id && e.hex === 'd1');
        expect(world.nodes.a.pending('lost')).toEqual([]);
        await call('a', 'multicast', { id: other.id, hex: 'd2' });
      });

      test('a change of security is published', async () => {
        if (!world.setSecurity) {
          // Fixed by the options: stays as it was opened, whatever else changes.
          await world.renumber('a', 'l2');
          const { environment: now } = await event('a', 'environment');
          expect(now.security).toBe('insecure');
          return;
        }
        for (const security of ['none', 'secure', 'insecure'] as const) {
          world.setSecurity('a', security);
          expect((await event('a', 'environment')).environment.security).toBe(security);
        }
      });
    });

    describe('packets', () => {
      test('§2.5.1 a multicast reaches the link, with interface, source address and port', async () => {
        const atB = await call('b', 'openReceiver', { interface: 'l1' });
        const atC = await call('c', 'openReceiver', { interface: 'l2' });
        const pair1 = await call('a', 'openPair', { interface: 'l1' });
        const pair2 = await call('a', 'openPair', { interface: 'l2' });
        await call('a', 'multicast', { id: pair1.id, hex: '01' });
        await call('a', 'multicast', { id: pair2.id, hex: '02' });
        const { linkLocal: address1 } = await info('a', 'l1');
        const { linkLocal: address2 } = await info('a', 'l2');
        expect(await event('b', 'datagram')).toEqual({
          event: 'datagram',
          id: atB.id,
          interface: 'l1',
          address: address1,
          port: pair1.port,
          hex: '01',
        });
        expect(await event('c', 'datagram')).toEqual({
          event: 'datagram',
          id: atC.id,
          interface: 'l2',
          address: address2,
          port: pair2.port,
          hex: '02',
        });
        // Neither heard what crossed the other link: it would have come before a marker sent later.
        await call('a', 'multicast', { id: pair1.id, hex: '03' });
        await event('b', 'datagram', (e) => e.hex === '03');
        await call('a', 'multicast', { id: pair2.id, hex: '04' });
        await event('c', 'datagram', (e) => e.hex === '04');
        expect([...world.nodes.b.pending('datagram'), ...world.nodes.c.pending('datagram')]).toEqual([]);
      });

      test('own multicasts are looped back, on their own interface only', async () => {
        const own1 = await call('a', 'openReceiver', { interface: 'l1' });
        const own2 = await call('a', 'openReceiver', { interface: 'l2' });
        const pair1 = await call('a', 'openPair', { interface: 'l1' });
        const pair2 = await call('a', 'openPair', { interface: 'l2' });
        await call('a', 'multicast', { id: pair1.id, hex: '11' });
        const { linkLocal } = await info('a', 'l1');
        const copy = await event('a', 'datagram', (e) => e.id === own1.id);
        expect(copy).toMatchObject({ hex: '11', interface: 'l1', address: linkLocal, port: pair1.port });
        await call('a', 'multicast', { id: pair2.id, hex: '12' });
        expect(await event('a', 'datagram', (e) => e.id === own2.id)).toMatchObject({
          hex: '12',
          interface: 'l2',
        });
        expect(world.nodes.a.pending('datagram')).toEqual([]);
      });

      test('§2.3 every receiver of a node gets every multicast; a closed one gets none', async () => {
        const first = await call('b', 'openReceiver', { interface: 'l1' });
        const second = await call('b', 'openReceiver', { interface: 'l1' });
        const pair = await call('a', 'openPair', { interface: 'l1' });
        await call('a', 'multicast', { id: pair.id, hex: '21' });
        await event('b', 'datagram', (e) => e.id === first.id);
        await event('b', 'datagram', (e) => e.id === second.id);
        await call('b', 'release', { id: first.id });
        await call('a', 'multicast', { id: pair.id, hex: '22' });
        expect(await event('b', 'datagram', (e) => e.id === second.id)).toMatchObject({ hex: '22' });
        expect(world.nodes.b.pending('datagram')).toEqual([]);
      });

      test('§2.5.3 a datagram that fills one packet of the link goes, one byte more is refused, not fragmented', async () => {
        await call('b', 'openReceiver', { interface: 'l1' });
        const pair = await call('a', 'openPair', { interface: 'l1' });
        const send = (bytes: number): Promise<string> =>
          kindOf(call('a', 'multicast', { id: pair.id, hex: 'ab'.repeat(bytes) }));
        expect(await send(1453)).toBe('too-big');
        expect(await send(1452)).toBe('no error');
        await event('b', 'datagram');
        await world.setMtu('l1', 1280);
        // The next look at the link tells its new size.
        while ((await send(1233)) !== 'too-big') await event('b', 'datagram');
        expect(await send(1232)).toBe('no error');
        expect((await event('b', 'datagram')).hex).toBe('ab'.repeat(64));
        await world.setMtu('l1', 1500);
        while ((await send(1452)) === 'too-big');
        expect(world.nodes.b.pending('lost')).toEqual([]);
      });

      test('a receiver that is behind loses datagrams, counts them, and goes on', async () => {
        const receiver = await call('b', 'openReceiver', { interface: 'l1' });
        const pair = await call('a', 'openPair', { interface: 'l1' });
        await world.freeze('b');
        await call('a', 'storm', { id: pair.id, bytes: 1200, count: 8000 });
        world.thaw('b');
        await event('b', 'datagram');
        let marked = false;
        // A mark behind the storm tells when all of it has been read; early marks may be dropped themselves.
        while (!marked) {
          await call('a', 'multicast', { id: pair.id, hex: '5e' });
          await call('b', 'environment', {});
          marked = world.nodes.b.pending('datagram').some((e) => e.hex === '5e');
        }
        const heard = world.nodes.b.pending('datagram').filter((e) => e.hex !== '5e').length + 1;
        const { drops } = await call('b', 'drops', { id: receiver.id });
        expect(heard).toBeGreaterThan(100);
        expect(drops).toBeGreaterThan(100);
        // Marks may be among the drops.
        expect(heard + drops!).toBeGreaterThanOrEqual(8000);
      }, 30_000);
    });

    describe('a pair', () => {
      test('§2.8.4 sends from the very port number on which it accepts streams', async () => {
        await call('b', 'openReceiver', { interface: 'l1' });
        const pair = await call('a', 'openPair', { interface: 'l1' });
        await call('a', 'multicast', { id: pair.id, hex: '31' });
        const { address, port, interface: from } = await event('b', 'datagram');
        expect(port).toBe(pair.port);
        const { stream } = await call('b', 'connect', {
          target: { address, port, interface: from },
          timeoutMs: 5000,
        });
        const accepted = await event('a', 'stream', (e) => e.id === pair.id);
        expect(accepted.local).toMatchObject({ address, port });
        await call('b', 'write', { stream, hex: '3132' });
        expect(await collect('a', accepted.stream, 2)).toBe('3132');
      });

      test('pairs of several interfaces have ports of their own', async () => {
        const ports = [];
        for (const link of ['l1', 'l2', 'l1'] as const)
          ports.push((await call('a', 'openPair', { interface: link })).port);
        expect(new Set(ports).size).toBe(3);
      });

      test('a number taken by a listener or by another pair is refused, and free again after close', async () => {
        const listener = await call('a', 'listen', {});
        const taken = { interface: 'l1', port: listener.port };
        expect(await kindOf(call('a', 'openPair', taken))).toBe('address-in-use');
        await call('a', 'release', { id: listener.id });
        const pair = await call('a', 'openPair', taken);
        expect(pair.port).toBe(listener.port);
        expect(await kindOf(call('a', 'openPair', { interface: 'l2', port: pair.port }))).toBe(
          'address-in-use',
        );
        expect(await kindOf(call('a', 'listen', { port: pair.port }))).toBe('address-in-use');
        await call('a', 'release', { id: pair.id });
        expect(await kindOf(call('a', 'multicast', { id: pair.id, hex: '00' }))).toBe('unexpected');
        expect((await call('a', 'listen', { port: pair.port })).port).toBe(pair.port);
      });
    });

    describe('the well-known port', () => {
      test('§2.6 takes datagrams to the link-local and the global address, each with its interface', async () => {
        const { id, port } = await call('a', 'openWellKnown', {});
        expect(port).toBe(7017);
        for (const [from, link, hex] of [
          ['b', 'l1', 'a1'],
          ['c', 'l2', 'a2'],
        ] as const) {
          const { linkLocal, addresses } = await info('a', link);
          const own = await info(from, link);
          const sent = await world.run(world.unicast(from, await towards('a', link, port), hex));
          expect(await event('a', 'datagram')).toEqual({
            event: 'datagram',
            id,
            interface: link,
            address: own.linkLocal,
            port: sent,
            hex,
          });
          expect(linkLocal).toBeDefined();
          await world.run(world.unicast(from, { address: addresses[0]!, port }, hex));
          expect(await event('a', 'datagram')).toMatchObject({ interface: link, address: own.addresses[0] });
        }
        expect(world.nodes.a.pending('datagram')).toEqual([]);
      });

      test('§2.6 takes streams, with the interface they came by', async () => {
        const { id, port } = await call('a', 'openWellKnown', {});
        for (const [from, link] of [
          ['b', 'l1'],
          ['c', 'l2'],
        ] as const) {
          const targets = [
            await towards('a', link, port),
            { address: (await info('a', link)).addresses[0]!, port },
          ];
          for (const target of targets) {
            const { stream } = await call(from, 'connect', { target, timeoutMs: 5000 });
            const accepted = await event('a', 'stream', (e) => e.id === id);
            expect(accepted.by).toBe(link);
            await call(from, 'write', { stream, hex: 'abcd' });
            expect(await collect('a', accepted.stream, 2)).toBe('abcd');
          }
        }
        // Within the node, by no interface at all.
        await call('a', 'connect', { target: { address: '::1', port }, timeoutMs: 5000 });
        expect((await event('a', 'stream', (e) => e.id === id)).by).toBe('none');
      });

      test('hears no multicast, and the receivers no unicast', async () => {
        const receiver = await call('a', 'openReceiver', { interface: 'l1' });
        const wellKnown = await call('a', 'openWellKnown', {});
        const pair = await call('b', 'openPair', { interface: 'l1' });
        const target = await towards('a', 'l1', wellKnown.port);
        for (const hex of ['b1', 'b2']) {
          await call('b', 'multicast', { id: pair.id, hex });
          expect(await event('a', 'datagram', (e) => e.hex === hex)).toMatchObject({ id: receiver.id });
          await world.run(world.unicast('b', target, hex));
          expect(await event('a', 'datagram', (e) => e.hex === hex)).toMatchObject({ id: wellKnown.id });
        }
        expect(world.nodes.a.pending('datagram')).toEqual([]);
      });

      test('belongs to one at a time, and is free again after close', async () => {
        const { id, port } = await call('a', 'openWellKnown', {});
        expect(await kindOf(call('a', 'openWellKnown', {}))).toBe('address-in-use');
        expect(await kindOf(call('a', 'listen', { port }))).toBe('address-in-use');
        // The refused one took nothing along.
        const target = await towards('a', 'l1', port);
        await world.run(world.unicast('b', target, 'c1'));
        expect(await event('a', 'datagram')).toMatchObject({ id, hex: 'c1' });
        await call('a', 'release', { id });
        expect(await kindOf(call('b', 'connect', { target, timeoutMs: 5000 }))).toBe('refused');
        const again = await call('a', 'openWellKnown', {});
        await world.run(world.unicast('b', target, 'c2'));
        expect(await event('a', 'datagram')).toMatchObject({ id: again.id, hex: 'c2' });
      });

      test('§2.2 follows addresses and interfaces that change', async () => {
        const { id, port } = await call('a', 'openWellKnown', {});
        const takes = async (target: Target, hex: string): Promise<void> => {
          // The socket of a new address is there a moment after the environment says so.
          for (let heard = false; !heard;) {
            await world.run(world.unicast('b', target, hex));
            await call('a', 'environment', {});
            heard = world.nodes.a.pending('datagram').some((e) => e.hex === hex && e.id === id);
          }
          expect(await event('a', 'datagram', (e) => e.hex === hex)).toMatchObject({ interface: 'l1' });
        };
        const before = (await info('a', 'l1')).addresses[0]!;
        await world.renumber('a', 'l1');
        const renumbered = await event('a', 'environment', (e) => {
          const now = e.environment.interfaces.find((i) => i.name === 'l1')?.addresses;
          return now?.length === 1 && now[0] !== before;
        });
        const after = renumbered.environment.interfaces.find((i) => i.name === 'l1')!.addresses[0]!;
        await takes({ address: after, port }, 'd1');
        await world.removeLink('l1');
        await event('a', 'environment', (e) => e.environment.interfaces.every((i) => i.name !== 'l1'));
        await world.restoreLink('l1');
        for (const node of ['a', 'b'] as const) {
          await event(node, 'environment', (e) =>
            e.environment.interfaces.some((i) => i.name === 'l1' && !!i.linkLocal && i.addresses.length > 0),
          );
        }
        await takes(await towards('a', 'l1', port), 'd2');
        expect(world.nodes.a.pending('lost')).toEqual([]);
      });
    });

    describe('streams', () => {
      test('carry a message cut at every byte', async () => {
        const message = Array.from({ length: 24 }, (_, i) => (i + 0xc0).toString(16)).join('');
        for (let cut = 1; cut < 24; cut++) {
          const { a, b, listener } = await connected();
          await call('b', 'write', { stream: b, hex: message.slice(0, 2 * cut) });
          expect(await collect('a', a, cut)).toBe(message.slice(0, 2 * cut));
          await call('b', 'write', { stream: b, hex: message.slice(2 * cut) });
          expect(await collect('a', a, 24 - cut)).toBe(message.slice(2 * cut));
          await call('b', 'end', { stream: b });
          await call('a', 'end', { stream: a });
          expect([await closed('a', a), await closed('b', b)]).toEqual([
            { event: 'close', stream: a },
            { event: 'close', stream: b },
          ]);
          await call('a', 'release', { id: listener });
        }
      }, 30_000);

      test('carry byte by byte, both ways', async () => {
        const { a, b } = await connected();
        for (let i = 0; i < 40; i++) {
          const hex = (i + 0x40).toString(16);
          await call('b', 'write', { stream: b, hex });
          expect(await collect('a', a, 1)).toBe(hex);
          await call('a', 'write', { stream: a, hex });
          expect(await collect('b', b, 1)).toBe(hex);
        }
      });

      test('know both ends alike', async () => {
        const { id, port } = await call('a', 'listen', {});
        const target = await towards('a', 'l1', port);
        const { remote, local } = await call('b', 'connect', { target, timeoutMs: 5000 });
        const accepted = await event('a', 'stream', (e) => e.id === id);
        expect(remote).toEqual(target);
        expect(accepted.local).toEqual(remote);
        expect(accepted.remote).toEqual({ ...local, interface: 'l1' });
        expect(local).toMatchObject({ address: (await info('b', 'l1')).linkLocal });
        expect(local.port).toBeGreaterThan(1023);
      });

      test('reach global addresses, the own node by any of its addresses, and loopback', async () => {
        const { id, port } = await call('a', 'listen', {});
        const { addresses } = await info('a', 'l1');
        const global = { address: addresses[0]!, port };
        const { remote } = await call('b', 'connect', { target: global, timeoutMs: 5000 });
        expect(remote).toEqual(global);
        await event('a', 'stream', (e) => e.id === id);
        const own = [global, { address: '::1', port }, await towards('a', 'l2', port)];
        for (const target of own) {
          const { stream } = await call('a', 'connect', { target, timeoutMs: 5000 });
          const accepted = await event('a', 'stream', (e) => e.id === id);
          await call('a', 'write', { stream, hex: '77' });
          expect(await collect('a', accepted.stream, 1)).toBe('77');
        }
      });

      test('§2.5.1 link-local addresses count on their own link only', async () => {
        const { port } = await call('a', 'listen', {});
        const wrong = { ...(await towards('a', 'l1', port)), interface: 'l2' };
        expect(['timeout', 'unreachable']).toContain(
          await kindOf(call('c', 'connect', { target: wrong, timeoutMs: 300 })),
        );
      });

      test('fail by name: refused, timeout, unreachable, local', async () => {
        const { id, port } = await call('a', 'listen', {});
        await call('a', 'release', { id });
        const connect = (target: Target, timeoutMs = 5000): Promise<string> =>
          kindOf(call('b', 'connect', { target, timeoutMs }));
        const nobody = await towards('a', 'l1', port);
        expect(await connect(nobody)).toBe('refused');
        expect(await connect({ address: '::1', port })).toBe('refused');
        expect(await connect({ ...nobody, address: 'fe80::dead:beef' }, 250)).toBe('timeout');
        expect(await connect({ address: '2001:db8::1', port })).toBe('unreachable');
        expect(await connect({ ...nobody, interface: 'nonsense' })).toBe('unreachable');
        expect(await connect({ address: nobody.address, port })).toBe('local');
        expect(await connect({ address: 'example.org', port })).toBe('local');
        expect(await connect({ ...nobody, port: 0 })).toBe('local');
      });

      describe('to a name (§2.8.6)', () => {
        const named = (port: number, address = 'host.example'): Target => ({ address, port, fqdn: true });

        test('lead to the first of its addresses that answers', async () => {
          const { id, port } = await call('a', 'listen', {});
          const { addresses, linkLocal } = await info('a', 'l1');
          world.setName('host.example', [linkLocal!, '2001:db8::1', addresses[0]!]);
          const { remote } = await call('b', 'connect', { target: named(port), timeoutMs: 5000 });
          expect(remote).toEqual({ address: addresses[0], port });
          await event('a', 'stream', (e) => e.id === id);
          world.setName('host.example', [addresses[0]!]);
          expect(await kindOf(call('b', 'connect', { target: named(9), timeoutMs: 5000 }))).toBe('refused');
        });

        test('in any script: resolvers know it by its ASCII form (RFC 5890)', async () => {
          const { id, port } = await call('a', 'listen', {});
          const { addresses } = await info('a', 'l1');
          for (const name of ['bücher.example', 'xn--bcher-kva.example']) world.setName(name, addresses);
          await call('b', 'connect', { target: named(port, 'bücher.example'), timeoutMs: 5000 });
          await event('a', 'stream', (e) => e.id === id);
        });

        test('give an address that is silent only its share of the time', async () => {
          const { id, port } = await call('a', 'listen', {});
          const { addresses } = await info('a', 'l1');
          const silent = addresses[0]!.replace(/[0-9a-f]+$/, 'dead');
          world.setName('slow.example', [silent, addresses[0]!]);
          await call('b', 'connect', { target: named(port, 'slow.example'), timeoutMs: 1000 });
          await event('a', 'stream', (e) => e.id === id);
          world.setName('silent.example', [silent]);
          const silence = call('b', 'connect', { target: named(port, 'silent.example'), timeoutMs: 300 });
          expect(await kindOf(silence)).toBe('timeout');
        });

        test('are unreachable without a usable address: unknown, link-local, loopback, mDNS', async () => {
          const { port } = await call('a', 'listen', {});
          const { addresses, linkLocal } = await info('a', 'l1');
          world.setName('here.local', addresses);
          world.setName('onlink.example', [linkLocal!, '127.0.0.1', '::1']);
          for (const name of ['nobody.example', 'here.local', 'onlink.example', 'localhost']) {
            const connecting = call('b', 'connect', { target: named(port, name), timeoutMs: 20_000 });
            expect(await kindOf(connecting)).toBe('unreachable');
          }
        }, 30_000);

        test('stop when the signal says so', async () => {
          const { port } = await call('a', 'listen', {});
          world.setName('host.example', (await info('a', 'l1')).addresses);
          for (const abort of ['before', 'during'] as const) {
            const connecting = call('b', 'connect', { target: named(port), timeoutMs: 5000, abort });
            expect(await kindOf(connecting)).toBe('local');
          }
        });
      });

      test('stop connecting when the signal says so, and the peer keeps nothing', async () => {
        const { id, port } = await call('a', 'listen', {});
        const target = await towards('a', 'l1', port);
        for (const abort of ['before', 'during'] as const) {
          expect(await kindOf(call('b', 'connect', { target, timeoutMs: 5000, abort }))).toBe('local');
        }
        const { stream } = await call('b', 'connect', { target, timeoutMs: 5000 });
        await call('b', 'write', { stream, hex: '99' });
        // The one that was let go may have been accepted; if so it is closed again.
        for (;;) {
          const accepted = await event('a', 'stream', (e) => e.id === id);
          const mine = (e: AgentEvent): boolean =>
            (e.event === 'data' || e.event === 'close') && e.stream === accepted.stream;
          const first = await world.run(world.nodes.a.any(mine));
          if (first.event === 'data') break;
        }
      });

      test('half-close: the side that has ended still hears the other', async () => {
        const { a, b } = await connected();
        await call('b', 'write', { stream: b, hex: '51' });
        await call('b', 'end', { stream: b });
        expect(await collect('a', a, 1)).toBe('51');
        await event('a', 'end', (e) => e.stream === a);
        await call('a', 'write', { stream: a, hex: '52' });
        expect(await collect('b', b, 1)).toBe('52');
        expect((await call('b', 'write', { stream: b, hex: '53' })).room).toBe(false);
        await call('a', 'end', { stream: a });
        await event('b', 'end', (e) => e.stream === b);
        expect(await closed('a', a)).not.toHaveProperty('kind');
        expect(await closed('b', b)).not.toHaveProperty('kind');
        expect(world.nodes.a.pending('data')).toEqual([]);
      });

      test('abort: the peer sees a reset, the own side no error', async () => {
        const { a, b } = await connected();
        await call('b', 'write', { stream: b, hex: '61' });
        expect(await collect('a', a, 1)).toBe('61');
        await call('b', 'abort', { stream: b });
        expect(await closed('b', b)).not.toHaveProperty('kind');
        expect(await closed('a', a)).toMatchObject({ kind: 'reset' });
        expect((await call('a', 'write', { stream: a, hex: '62' })).room).toBe(false);
      });

      test('abort after end, and after the end went out: the peer learns when it writes, at the latest', async () => {
        for (const wait of [false, true]) {
          const { a, b } = await connected();
          await call('b', 'end', { stream: b });
          if (wait) await event('a', 'end', (e) => e.stream === a);
          await call('b', 'abort', { stream: b });
          expect(await closed('b', b)).not.toHaveProperty('kind');
          await call('a', 'write', { stream: a, hex: '63' });
          expect(await closed('a', a)).toMatchObject({ kind: 'reset' });
        }
      });

      test('abort while unsent data and an end are waiting: the rest is dropped, the peer is told', async () => {
        const { a, b } = await connected(true);
        await call('a', 'pause', { stream: a });
        const much = { stream: b, bytes: 32 << 20, chunk: 65_536, force: true };
        const { written, bufferedBytes } = await call('b', 'fill', much);
        expect(bufferedBytes).toBeGreaterThan(8 << 20); // more than both stacks' buffers will take
        await call('b', 'end', { stream: b });
        await call('b', 'abort', { stream: b });
        expect(await closed('b', b)).not.toHaveProperty('kind');
        await call('a', 'resume', { stream: a });
        // Where unread bytes were waiting, libuv gives these and then reports the hang-up as an end.
        const first = await ended('a', a);
        if (first.event === 'end') await call('a', 'write', { stream: a, hex: '64' });
        expect(first.event === 'end' ? await closed('a', a) : first).toMatchObject({ kind: 'reset' });
        expect((await call('a', 'received', { stream: a })).bytes).toBeLessThan(written);
      });

      test('end comes after everything written before it, however slow the peer', async () => {
        const { a, b } = await connected(true);
        await call('a', 'pause', { stream: a });
        const much = { stream: b, bytes: 32 << 20, chunk: 65_536, force: true };
        const { written, sha, bufferedBytes } = await call('b', 'fill', much);
        expect(bufferedBytes).toBeGreaterThan(8 << 20);
        await call('b', 'end', { stream: b });
        await call('a', 'resume', { stream: a });
        await event('a', 'end', (e) => e.stream === a);
        expect(await call('a', 'received', { stream: a })).toEqual({ bytes: written, sha });
        await call('a', 'end', { stream: a });
        expect(await closed('b', b)).not.toHaveProperty('kind');
      });

      test('a peer that does not read stops the writer; drain starts it again; nothing is lost', async () => {
        const { a, b } = await connected(true);
        await call('a', 'pause', { stream: a });
        const first = await call('b', 'fill', { stream: b, bytes: 256 << 20, chunk: 65_536 });
        // Both stacks' buffers may fill, not more.
        expect(first.written).toBeLessThan(32 << 20);
        expect(first.bufferedBytes).toBeGreaterThan(0);
        expect(world.nodes.b.pending('drain')).toEqual([]);
        await call('a', 'resume', { stream: a });
        await event('b', 'drain', (e) => e.stream === b);
        const second = await call('b', 'fill', { stream: b, bytes: 1 << 20, chunk: 1000 });
        await call('b', 'end', { stream: b });
        await event('a', 'end', (e) => e.stream === a);
        const bytes = first.written + second.written;
        expect(await call('a', 'received', { stream: a })).toEqual({ bytes, sha: second.sha });
      });

      test('300 connections at once are all accepted', async () => {
        const { id, port } = await call('a', 'listen', {});
        const target = await towards('a', 'l1', port);
        const calls = Array.from({ length: 300 }, () =>
          world.nodes.b.call('connect', { target, timeoutMs: 20_000 }),
        );
        const streams = await world.run(Promise.all(calls));
        expect(new Set(streams.map(({ stream }) => stream)).size).toBe(300);
        for (let i = 0; i < 300; i++) await event('a', 'stream', (e) => e.id === id);
      }, 30_000);

      test('beyond the backlog of a listener that is busy connects time out; later ones succeed', async () => {
        const { id, port } = await call('a', 'listen', { backlog: 2 });
        const target = await towards('a', 'l1', port);
        await world.freeze('a');
        const calls = Array.from({ length: 12 }, () =>
          kindOf(world.nodes.b.call('connect', { target, timeoutMs: 600 })),
        );
        const outcomes = await world.run(Promise.all(calls));
        const made = outcomes.filter((kind) => kind === 'no error').length;
        expect(made).toBeGreaterThanOrEqual(2);
        expect(made).toBeLessThan(12);
        expect(outcomes.filter((kind) => kind === 'timeout').length).toBe(12 - made);
        world.thaw('a');
        const { stream, local } = await call('b', 'connect', { target, timeoutMs: 10_000 });
        expect(stream).toBeGreaterThan(0);
        await event('a', 'stream', (e) => e.id === id && e.remote.port === local.port);
      }, 30_000);

      test('a listener that closes keeps what it accepted, refuses what comes, and frees its port at once', async () => {
        const { a, b, listener } = await connected();
        const { port } = await call('a', 'listen', {}); // some other one stays
        await call('a', 'release', { id: listener });
        await call('b', 'write', { stream: b, hex: '71' });
        expect(await collect('a', a, 1)).toBe('71');
        expect(port).toBeGreaterThan(0);
        for (let i = 0; i < 5; i++) {
          const again = await call('a', 'listen', {});
          const target = await towards('a', 'l1', again.port);
          await call('b', 'connect', { target, timeoutMs: 5000 });
          await call('a', 'release', { id: again.id });
          expect(await kindOf(call('b', 'connect', { target, timeoutMs: 5000 }))).toBe('refused');
          expect((await call('a', 'listen', { port: again.port })).port).toBe(again.port);
        }
      });
    });

    describe('IPv4 (§2.6)', () => {
      let other: Harness;
      const v4 = tools(() => other);
      afterEach(async () => {
        await other.close();
      });
      const begin = async (options: WorldOptions): Promise<void> => {
        other = await makeHarness(options);
      };
      const ipv4 = async (node: NodeName, link: LinkName): Promise<string> => {
        return (await v4.info(node, link)).addresses.find((address) => !address.includes(':'))!;
      };
      const datagram = (node: NodeName, hex: string) => v4.event(node, 'datagram', (e) => e.hex === hex);

      test('a node without IPv6 is heard, with interface, source and port, and answered on that port', async () => {
        await begin({ ipv6: false, ipv4: true });
        for (const { linkLocal, addresses } of (await v4.environment('a')).interfaces) {
          expect(linkLocal).toBeUndefined();
          expect(addresses).toEqual([expect.stringMatching(/^10\./)]);
        }
        const receivers = {
          a1: await v4.call('a', 'openReceiver', { interface: 'l1' }),
          a2: await v4.call('a', 'openReceiver', { interface: 'l2' }),
          b: await v4.call('b', 'openReceiver', { interface: 'l1' }),
          c: await v4.call('c', 'openReceiver', { interface: 'l2' }),
        };
        const pair1 = await v4.call('a', 'openPair', { interface: 'l1' });
        const pair2 = await v4.call('a', 'openPair', { interface: 'l2' });
        for (const [pair, link, peer, hex] of [
          [pair1, 'l1', 'b', '41'],
          [pair2, 'l2', 'c', '42'],
        ] as const) {
          await v4.call('a', 'multicast', { id: pair.id, hex });
          const source = { interface: link, address: await ipv4('a', link), port: pair.port };
          expect(await datagram(peer, hex)).toMatchObject({ id: receivers[peer].id, ...source });
          const own = link === 'l1' ? receivers.a1 : receivers.a2;
          expect(await datagram('a', hex)).toMatchObject({ id: own.id, ...source });
          const { stream } = await v4.call(peer, 'connect', { target: source, timeoutMs: 5000 });
          const accepted = await v4.event('a', 'stream', (e) => e.id === pair.id);
          await v4.call(peer, 'write', { stream, hex });
          expect(await v4.collect('a', accepted.stream, 1)).toBe(hex);
        }
        for (const node of NODES) expect(other.nodes[node].pending('datagram')).toEqual([]);
        const send = (bytes: number): Promise<string> =>
          v4.kindOf(v4.call('a', 'multicast', { id: pair1.id, hex: '43'.repeat(bytes) }));
        expect(await send(1473)).toBe('too-big');
        expect(await send(1472)).toBe('no error');
      }, 30_000);

      test('§2.2 new addresses, and interfaces removed and made again, are followed', async () => {
        await begin({ ipv6: false, ipv4: true });
        const heard = await v4.call('b', 'openReceiver', { interface: 'l1' });
        const pair = await v4.call('a', 'openPair', { interface: 'l1' });
        const before = await ipv4('a', 'l1');
        await other.renumber('a', 'l1');
        await v4.event('a', 'environment', (e) =>
          e.environment.interfaces.some((i) => i.name === 'l1' && i.addresses[0] !== before),
        );
        await v4.call('a', 'multicast', { id: pair.id, hex: '44' });
        expect((await datagram('b', '44')).address).toBe(await ipv4('a', 'l1'));
        // The receiver's own address: it has to stay a member of the group.
        const old = await ipv4('b', 'l1');
        await other.renumber('b', 'l1');
        // Between the two addresses it may be seen with none.
        await v4.event('b', 'environment', (e) =>
          e.environment.interfaces.some((i) => i.addresses.length > 0 && !i.addresses.includes(old)),
        );
        await v4.call('a', 'multicast', { id: pair.id, hex: '45' });
        expect(await datagram('b', '45')).toMatchObject({ id: heard.id });
        // What was true before must not answer for what comes.
        for (const node of ['a', 'b'] as const) other.nodes[node].forgetEvents();
        await other.removeLink('l1');
        await v4.event('b', 'lost', (e) => e.id === heard.id);
        await v4.event('a', 'lost', (e) => e.id === pair.id);
        await other.restoreLink('l1');
        for (const node of ['a', 'b'] as const) {
          await v4.event(node, 'environment', (e) =>
            e.environment.interfaces.some((i) => i.name === 'l1' && i.addresses.length > 0),
          );
        }
        const again = await v4.call('b', 'openReceiver', { interface: 'l1' });
        const newPair = await v4.call('a', 'openPair', { interface: 'l1' });
        await v4.call('a', 'multicast', { id: newPair.id, hex: '46' });
        expect(await datagram('b', '46')).toMatchObject({ id: again.id, interface: 'l1' });
        expect(other.nodes.b.pending('datagram')).toEqual([]);
      }, 30_000);

      test('a multicast from no subnet of the receiver is dropped and counted', async () => {
        await begin({ ipv6: false, ipv4: true });
        await v4.call('b', 'openReceiver', { interface: 'l1' });
        const pair = await v4.call('a', 'openPair', { interface: 'l1' });
        await other.setIpv4('a', 'l1', '192.0.2.1/24');
        await v4.event('a', 'environment', (e) =>
          e.environment.interfaces.some((i) => i.addresses.includes('192.0.2.1')),
        );
        await v4.call('a', 'multicast', { id: pair.id, hex: '47' });
        let dropped: Readonly<Record<string, number>> = {};
        while (Object.keys(dropped).length === 0) dropped = await v4.call('b', 'dropped', {});
        expect(dropped).toEqual({ 'ipv4.unknown-link': 1 });
        expect(other.nodes.b.pending('datagram')).toEqual([]);
        await other.setIpv4('b', 'l1', '192.0.2.2/24');
        await v4.event('b', 'environment', (e) =>
          e.environment.interfaces.some((i) => i.addresses.includes('192.0.2.2')),
        );
        await v4.call('a', 'multicast', { id: pair.id, hex: '48' });
        expect(await datagram('b', '48')).toMatchObject({ interface: 'l1', address: '192.0.2.1' });
      }, 30_000);

      test('with both, one copy goes out, by IPv6; unicast 7017 and streams work by either', async () => {
        await begin({ ipv4: true });
        await v4.call('b', 'openReceiver', { interface: 'l1' });
        const pair = await v4.call('a', 'openPair', { interface: 'l1' });
        for (const hex of ['51', '52']) await v4.call('a', 'multicast', { id: pair.id, hex });
        const { linkLocal } = await v4.info('a', 'l1');
        for (const hex of ['51', '52']) expect((await datagram('b', hex)).address).toBe(linkLocal);
        expect(other.nodes.b.pending('datagram')).toEqual([]);
        const wellKnown = await v4.call('a', 'openWellKnown', {});
        const target = { address: await ipv4('a', 'l1'), port: wellKnown.port };
        await other.run(other.unicast('b', target, '53'));
        expect(await datagram('a', '53')).toMatchObject({
          id: wellKnown.id,
          interface: 'l1',
          address: await ipv4('b', 'l1'),
        });
        await v4.call('b', 'connect', { target, timeoutMs: 5000 });
        const { by } = await v4.event('a', 'stream', (e) => e.id === wellKnown.id);
        expect(by).toBe('l1');
      }, 30_000);

      test('families: both send a copy each from one port number; one of them is all there is', async () => {
        await begin({ ipv4: true, families: ['ipv6', 'ipv4'] });
        const receive = async (): Promise<unknown> => v4.call('b', 'openReceiver', { interface: 'l1' });
        await receive();
        const pair = await v4.call('a', 'openPair', { interface: 'l1' });
        await v4.call('a', 'multicast', { id: pair.id, hex: '61' });
        const copies = [await datagram('b', '61'), await datagram('b', '61')];
        const { linkLocal } = await v4.info('a', 'l1');
        expect(new Set(copies.map(({ address }) => address))).toEqual(
          new Set([linkLocal, await ipv4('a', 'l1')]),
        );
        expect(copies.map(({ port }) => port)).toEqual([pair.port, pair.port]);
        for (const family of ['ipv4', 'ipv6'] as const) {
          await other.close();
          await begin({ ipv4: true, families: [family] });
          await receive();
          const single = await v4.call('a', 'openPair', { interface: 'l1' });
          for (const hex of ['62', '63']) await v4.call('a', 'multicast', { id: single.id, hex });
          const first = await datagram('b', '62');
          expect(first.address.includes(':')).toBe(family === 'ipv6');
          expect((await datagram('b', '63')).address).toBe(first.address);
          expect(other.nodes.b.pending('datagram')).toEqual([]);
        }
      }, 60_000);
    });

    describe('the end', () => {
      let short: Harness;
      const {
        call: callShort,
        event: eventShort,
        connected: connect,
        ended: endedShort,
        kindOf: kind,
        towards: to,
        environment: env,
      } = tools(() => short);
      beforeEach(async () => {
        short = await makeHarness();
      }, 60_000);
      afterEach(async () => {
        await short.close();
      });

      test('close ends all that is open, once; everything asked later is refused', async () => {
        const { a, b } = await connect();
        await callShort('a', 'openReceiver', { interface: 'l1' });
        const pair = await callShort('a', 'openPair', { interface: 'l1' });
        const target = await to('a', 'l1', pair.port);
        const { linkLocal } = (await env('b')).interfaces[0]!;
        const nobody = {
          address: linkLocal!.replace(/.$/, (c) => (c === '0' ? '1' : '0')),
          port: 9,
          interface: 'l1',
        };
        const pending = kind(short.nodes.a.call('connect', { target: nobody, timeoutMs: 60_000 }));
        await callShort('a', 'close', {});
        await callShort('a', 'close', {});
        expect(await short.run(pending)).toBe('local');
        expect(await eventShort('a', 'close', (e) => e.stream === a)).not.toHaveProperty('kind');
        expect(await endedShort('b', b)).toMatchObject({ event: 'close', kind: 'reset' });
        expect(await kind(callShort('b', 'connect', { target, timeoutMs: 5000 }))).toBe('refused');
        expect(await kind(callShort('a', 'listen', {}))).toBe('local');
        expect(await kind(callShort('a', 'openPair', { interface: 'l1' }))).toBe('local');
        expect(await kind(callShort('a', 'openReceiver', { interface: 'l1' }))).toBe('local');
        expect(await kind(callShort('a', 'connect', { target, timeoutMs: 5000 }))).toBe('local');
        expect(short.nodes.a.pending('lost')).toEqual([]);
      });

      test('a thread or process that dies leaves nothing open', async () => {
        const { b } = await connect();
        const pair = await callShort('a', 'openPair', { interface: 'l1' });
        const target = await to('a', 'l1', pair.port);
        await short.kill('a');
        await endedShort('b', b);
        expect(await kind(callShort('b', 'connect', { target, timeoutMs: 5000 }))).toBe('refused');
      });
    });
  });
}

/** What the tests say often, towards the world they run in now. */
function tools(world: () => Harness) {
  const call = <N extends CommandName>(
    node: NodeName,
    command: N,
    args: Commands[N][0],
  ): Promise<Commands[N][1]> => world().run(world().nodes[node].call(command, args));
  const event = <E extends AgentEvent['event']>(
    node: NodeName,
    name: E,
    matches?: (event: Extract<AgentEvent, { event: E }>) => boolean,
  ) => world().run(world().nodes[node].event(name, matches));
  const environment = (node: NodeName): Promise<Environment> => call(node, 'environment', {});
  const info = async (node: NodeName, link: LinkName) => {
    const found = (await environment(node)).interfaces.find((i) => i.name === link);
    if (!found) throw new Error(`${node} has no interface ${link} now`);
    return found;
  };
  const kindOf = async (promise: Promise<unknown>): Promise<string> => {
    try {
      await promise;
      return 'no error';
    } catch (error) {
      if (error instanceof Refused) return error.kind;
      throw error;
    }
  };
  /** A link-local target, with the interface of the node that connects. */
  const towards = async (node: NodeName, link: LinkName, port: number): Promise<Target> => {
    return { address: (await info(node, link)).linkLocal!, port, interface: link };
  };
  /** b connects to a listener of a; both ends' numbers. */
  const connected = async (quiet = false): Promise<{ b: number; a: number; listener: number }> => {
    const { id, port } = await call('a', 'listen', { quiet });
    const target = await towards('a', 'l1', port);
    const { stream } = await call('b', 'connect', { target, timeoutMs: 5000, quiet });
    const accepted = await event('a', 'stream', (e) => e.id === id);
    return { b: stream, a: accepted.stream, listener: id };
  };
  /** Waits until so many bytes have come in on a stream; their hex. */
  const collect = async (node: NodeName, stream: number, bytes: number): Promise<string> => {
    let hex = '';
    while (hex.length < 2 * bytes) hex += (await event(node, 'data', (e) => e.stream === stream)).hex;
    return hex;
  };
  const ended = (node: NodeName, stream: number) =>
    world().run(
      world().nodes[node].any((e) => (e.event === 'end' || e.event === 'close') && e.stream === stream),
    );
  const closed = (node: NodeName, stream: number) => event(node, 'close', (e) => e.stream === stream);
  return { call, event, environment, info, kindOf, towards, connected, collect, ended, closed };
}
