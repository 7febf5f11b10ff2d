import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  openPlainSubstrate,
  SubstrateError,
  type Environment,
  type PlainOptions,
} from '../../src/substrate/index.js';
import { platformOf } from '../../src/substrate/plain/platform.js';
import { nodeClock } from '../../src/workers/node-clock.js';
import { labDescribe } from '../lab/describe.js';
import { createLab, type Lab, type LabPlan } from '../lab/netns.js';
import { startPlainAgent } from './harness.js';

// Elsewhere the plain substrate is refused at start, which is tested everywhere.
const onLinux = process.platform === 'linux' ? test : test.skip;

describe('plain substrate, without privileges', () => {
  test('platforms that are not written for are refused by name', () => {
    for (const name of ['darwin', 'win32']) {
      expect(() => platformOf(name)).toThrow(expect.objectContaining({ kind: 'unsupported' }));
    }
  });

  onLinux('an interface that does not exist is refused at once', async () => {
    // The join itself would succeed, on the default interface.
    for (const name of ['nosuchif0', '', '..', 'a/b', 'lo ']) {
      const opening = openPlainSubstrate({ interfaces: [name] }, { clock: nodeClock });
      await expect(opening).rejects.toMatchObject({ kind: 'no-interface' });
    }
  });

  onLinux('with no interface at all, streams within the host work, over IPv4 too', async () => {
    const substrate = await openPlainSubstrate({ interfaces: [] }, { clock: nodeClock });
    try {
      expect(substrate.environment).toMatchObject({ security: 'none', interfaces: [] });
      const heard: number[] = [];
      const accepted = new Promise<{ address: string }>((resolve) => {
        void substrate
          .listen({}, (stream) => {
            resolve(stream.remote);
            stream.setHandlers({
              onData: (bytes) => void heard.push(...bytes),
              onEnd: () => stream.end(),
              onClose: () => undefined,
            });
          })
          .then(async ({ port }) => {
            const stream = await substrate.connect({ address: '127.0.0.1', port }, { timeoutMs: 5000 });
            stream.setHandlers({ onData: () => undefined, onEnd: () => undefined, onClose: finished });
            stream.write(Uint8Array.of(1, 2, 3));
            stream.end();
          });
      });
      let finished: () => void = () => undefined;
      await new Promise<void>((resolve) => (finished = resolve));
      expect(heard).toEqual([1, 2, 3]);
      expect((await accepted).address).toBe('127.0.0.1');
    } finally {
      await substrate.close();
    }
    await substrate.close();
    await expect(substrate.listen({}, () => undefined)).rejects.toBeInstanceOf(SubstrateError);
  });
});

labDescribe('plain substrate, in network namespaces', () => {
  let lab: Lab;
  const make = async (plan: LabPlan): Promise<Lab> => (lab = await createLab(plan));
  let made = false;
  beforeEach(() => void (made = false));
  afterEach(async () => {
    if (made) await lab.close();
  });
  const pair = async (plan: Partial<LabPlan> = {}): Promise<Lab> => {
    made = true;
    return make({ nodes: ['a', 'b'], links: { l1: ['a', 'b'] }, ...plan });
  };
  /** A cable with both ends in node a, down. */
  const cable = (name: string): Promise<string> =>
    lab.ip('a', 'link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}-x`);
  const names = (environment: Environment): string[] => environment.interfaces.map((i) => i.name);

  test('default: every interface that is up, multicast-capable and not loopback, later ones too', async () => {
    await pair({ ula: true });
    await cable('nomc');
    for (const end of ['nomc', 'nomc-x']) await lab.ip('a', 'link', 'set', end, 'multicast', 'off', 'up');
    await lab.ip('a', 'addr', 'add', '2001:db8:1::1/64', 'dev', 'nomc', 'nodad');
    await lab.ip('a', 'addr', 'add', '2001:db8:2::1/128', 'dev', 'lo');
    const { remote, environment } = await startPlainAgent(lab, 'a', { pollIntervalMs: 50 });
    expect(environment.security).toBe('none');
    expect(names(environment)).toEqual(['l1']);
    expect([...environment.otherAddresses].sort()).toEqual(['2001:db8:1::1', '2001:db8:2::1']);
    await cable('late');
    for (const end of ['late', 'late-x']) await lab.ip('a', 'link', 'set', end, 'up');
    const changed = await remote.event('environment', (e) => e.environment.interfaces.length === 3);
    expect(names(changed.environment).sort()).toEqual(['l1', 'late', 'late-x']);
  });

  test('chosen interfaces come in the order given; one that is down is left out until it is up', async () => {
    await pair();
    await cable('idle');
    await lab.ip('a', 'link', 'set', 'idle-x', 'up');
    const { remote, environment } = await startPlainAgent(lab, 'a', {
      interfaces: ['idle', 'l1'],
      pollIntervalMs: 50,
    });
    expect(names(environment)).toEqual(['l1']);
    await expect(remote.call('openPair', { interface: 'idle' })).rejects.toMatchObject({
      kind: 'no-interface',
    });
    await lab.ip('a', 'link', 'set', 'idle', 'up');
    const changed = await remote.event('environment', (e) => e.environment.interfaces.length === 2);
    expect(names(changed.environment)).toEqual(['idle', 'l1']);
    expect((await remote.call('openPair', { interface: 'idle' })).port).toBeGreaterThan(0);
  });

  test('a multicast sent while the address is still tentative leaves as soon as it is not', async () => {
    await pair({ dad: true });
    const a = (await startPlainAgent(lab, 'a', { pollIntervalMs: 50 })).remote;
    const b = (await startPlainAgent(lab, 'b', { pollIntervalMs: 50 })).remote;
    const usable = (linkLocal: boolean) => (e: { environment: Environment }) =>
      e.environment.interfaces.length === 1 &&
      (e.environment.interfaces[0]!.linkLocal !== undefined) === linkLocal;
    await lab.setUp('a', 'l1', false);
    await a.event('environment', (e) => e.environment.interfaces.length === 0);
    a.forgetEvents();
    await lab.setUp('a', 'l1', true);
    await a.event('environment', usable(false));
    const receiver = await b.call('openReceiver', { interface: 'l1' }).catch(async () => {
      await b.event('environment', (e) => e.environment.interfaces.length === 1);
      return b.call('openReceiver', { interface: 'l1' });
    });
    const { id } = await a.call('openPair', { interface: 'l1' });
    await a.call('multicast', { id, hex: 'aa55' });
    const { address } = await b.event('datagram', (e) => e.id === receiver.id);
    const { interfaces } = await a.call('environment', {});
    expect(address).toBe(
      interfaces[0]?.linkLocal ??
        (await a.event('environment', usable(true))).environment.interfaces[0]!.linkLocal,
    );
  }, 20_000);

  test('an interface without any address, or any of the families asked for, refuses a multicast at once', async () => {
    await pair({ ipv6: false });
    const { remote, environment } = await startPlainAgent(lab, 'a', { interfaces: ['l1'] });
    // Without any address it is not told by the host at all.
    expect(environment.interfaces).toEqual([]);
    await expect(remote.call('openPair', { interface: 'l1' })).rejects.toMatchObject({
      kind: 'no-interface',
    });
    await lab.setIpv4('a', 'l1', '192.0.2.1/24');
    const only6 = (await startPlainAgent(lab, 'a', { families: ['ipv6'] })).remote;
    const { id } = await only6.call('openPair', { interface: 'l1' });
    await expect(only6.call('multicast', { id, hex: '00' })).rejects.toMatchObject({ kind: 'unreachable' });
  });

  test('a receiver stays in the group when its interface loses IPv6 altogether for a while', async () => {
    await pair();
    const options: PlainOptions = { families: ['ipv6'], pollIntervalMs: 50 };
    const a = (await startPlainAgent(lab, 'a', options)).remote;
    const b = (await startPlainAgent(lab, 'b', options)).remote;
    const receiver = await b.call('openReceiver', { interface: 'l1' });
    // Below 1280 the kernel takes IPv6 off the interface, memberships and all, and the index stays.
    await lab.setIpv4('b', 'l1', '192.0.2.2/24');
    // What was told while addresses were new would answer the questions below.
    b.forgetEvents();
    await lab.ip('b', 'link', 'set', 'l1', 'mtu', '1000');
    await b.event('environment', (e) => e.environment.interfaces[0]?.linkLocal === undefined);
    b.forgetEvents();
    await lab.ip('b', 'link', 'set', 'l1', 'mtu', '1500');
    await b.event('environment', (e) => e.environment.interfaces[0]?.linkLocal !== undefined);
    const { id } = await a.call('openPair', { interface: 'l1' });
    // Until the group is joined again, which is said to nobody.
    let over = false;
    const heard = b.event('datagram').finally(() => (over = true));
    while (!over) await a.call('multicast', { id, hex: '09' });
    expect(await heard).toMatchObject({ id: receiver.id, hex: '09' });
    expect(b.pending('lost')).toEqual([]);
  });

  test('two named interfaces on one IPv4 subnet are refused at start, unless IPv4 is not heard', async () => {
    await pair({ nodes: ['a', 'b'], links: { l1: ['a', 'b'], l2: ['a', 'b'] }, ipv4: true });
    await lab.setIpv4('a', 'l2', '10.0.1.77/24');
    const program = [
      "import { openPlainSubstrate } from './dist/src/substrate/index.js';",
      "import { nodeClock } from './dist/src/workers/node-clock.js';",
      'const options = JSON.parse(process.argv[1]);',
      'try { const s = await openPlainSubstrate(options, { clock: nodeClock }); await s.close(); console.log("ok"); }',
      'catch (error) { console.log(error.kind, error.message); }',
    ].join('\n');
    const start = async (options: PlainOptions): Promise<string> => {
      const argv = [process.execPath, '--input-type=module', '-e', program, JSON.stringify(options)];
      const { stdout, stderr } = await lab.run('a', argv);
      expect(stderr).toBe('');
      return stdout.trim();
    };
    const text = await start({ interfaces: ['l1', 'l2'] });
    expect(text).toMatch(/^unsupported /);
    for (const word of ["'l1'", "'l2'", '10.0.1.0/24', 'families']) expect(text).toContain(word);
    // Nobody named them: a host with cable and WLAN on one LAN has to start.
    expect(await start({})).toBe('ok');
    expect(await start({ interfaces: ['l1'] })).toBe('ok');
    expect(await start({ families: ['ipv6'] })).toBe('ok');
    for (const families of [[], ['ipv5'], 'ipv4'])
      expect(await start({ families } as unknown as PlainOptions)).toMatch(/^unsupported families is a list/);
  }, 20_000);

  test('a subnet that becomes shared later: the first interface keeps IPv4, the second one waits, counted', async () => {
    await pair({ nodes: ['a', 'b'], links: { l1: ['a', 'b'], l2: ['a', 'b'] }, ipv4: true });
    const options: PlainOptions = { interfaces: ['l1', 'l2'], families: ['ipv4'], pollIntervalMs: 50 };
    const a = (await startPlainAgent(lab, 'a', options)).remote;
    const b = (await startPlainAgent(lab, 'b', options)).remote;
    for (const link of ['l1', 'l2']) await a.call('openReceiver', { interface: link });
    const own = await a.call('openPair', { interface: 'l2' });
    const peer = await b.call('openPair', { interface: 'l1' });
    await lab.setIpv4('a', 'l2', '10.0.1.77/24');
    await a.event('environment', (e) => e.environment.interfaces[1]?.addresses[0] === '10.0.1.77');
    let counted: Readonly<Record<string, number>> = {};
    while (!('ipv4.shared-subnet' in counted)) counted = await a.call('dropped', {});
    expect(counted['ipv4.shared-subnet']).toBe(1);
    await expect(a.call('multicast', { id: own.id, hex: '01' })).rejects.toMatchObject({
      kind: 'unreachable',
    });
    await b.call('multicast', { id: peer.id, hex: '02' });
    expect(await a.event('datagram')).toMatchObject({ interface: 'l1', hex: '02' });
    await lab.setIpv4('a', 'l2', '10.0.2.77/24');
    await a.event('environment', (e) => e.environment.interfaces[1]?.addresses[0] === '10.0.2.77');
    await a.call('multicast', { id: own.id, hex: '03' });
    expect(await a.event('datagram', (e) => e.hex === '03')).toMatchObject({
      interface: 'l2',
      address: '10.0.2.77',
    });
  }, 20_000);

  test('§2.6 unicast 7017 belongs to one engine of a host; when it ends, another can have it', async () => {
    await pair({ ula: true });
    const first = await startPlainAgent(lab, 'a', {});
    const second = (await startPlainAgent(lab, 'a', {})).remote;
    const elsewhere = (await startPlainAgent(lab, 'a', { port: 7018 })).remote;
    await first.remote.call('openWellKnown', {});
    await expect(second.call('openWellKnown', {})).rejects.toMatchObject({ kind: 'address-in-use' });
    expect((await elsewhere.call('openWellKnown', {})).port).toBe(7018);
    const gone = new Promise((resolve) => first.child.once('exit', resolve));
    first.child.kill('SIGKILL');
    await gone;
    const { id } = await second.call('openWellKnown', {});
    const b = (await startPlainAgent(lab, 'b', {})).remote;
    await b.call('unicast', { target: { address: lab.addresses('a', 'l1').ula!, port: 7017 }, hex: '07' });
    expect(await second.event('datagram')).toMatchObject({ id, hex: '07', interface: 'l1' });
  }, 20_000);

  test('§2.6 unicast 7017 is in use if a part of it is: UDP of one address, held by another program', async () => {
    await pair({ ula: true });
    const script =
      "const s = require('node:dgram').createSocket('udp6'); s.bind(7017, process.argv[1], () => console.log('bound'))";
    const holder = lab.spawn('a', [process.execPath, '-e', script, lab.addresses('a', 'l1').ula!]);
    await new Promise((resolve) => holder.stdout!.once('data', resolve));
    const { remote } = await startPlainAgent(lab, 'a', {});
    await expect(remote.call('openWellKnown', {})).rejects.toMatchObject({ kind: 'address-in-use' });
    // What had been taken is free again.
    expect((await remote.call('listen', { port: 7017 })).port).toBe(7017);
  });

  test('§2.3 engines of one host each hear every multicast; another group or port is another world', async () => {
    await pair();
    const [a, one, two, group, port] = await Promise.all([
      startPlainAgent(lab, 'a', {}),
      startPlainAgent(lab, 'b', {}),
      startPlainAgent(lab, 'b', {}),
      startPlainAgent(lab, 'b', { group: 'ff02::1:13' }),
      startPlainAgent(lab, 'b', { port: 7018 }),
    ]);
    for (const { remote } of [one, two, group, port]) await remote.call('openReceiver', { interface: 'l1' });
    const { id } = await a.remote.call('openPair', { interface: 'l1' });
    await a.remote.call('multicast', { id, hex: '01' });
    for (const { remote } of [one, two]) expect((await remote.event('datagram')).hex).toBe('01');
    // What the other two would have heard came before their own groups' datagrams.
    for (const [{ remote }, options] of [
      [group, { group: 'ff02::1:13' }],
      [port, { port: 7018 }],
    ] as const) {
      const sender = (await startPlainAgent(lab, 'a', options)).remote;
      const own = await sender.call('openPair', { interface: 'l1' });
      await sender.call('multicast', { id: own.id, hex: '02' });
      expect((await remote.event('datagram')).hex).toBe('02');
    }
  }, 20_000);

  test('the pair may be on the port of the group itself, receivers hear each multicast once', async () => {
    await pair();
    const a = (await startPlainAgent(lab, 'a', {})).remote;
    const b = (await startPlainAgent(lab, 'b', {})).remote;
    await b.call('openReceiver', { interface: 'l1' });
    await b.call('openPair', { interface: 'l1', port: 7017 });
    await a.call('openReceiver', { interface: 'l1' });
    const { id, port } = await a.call('openPair', { interface: 'l1', port: 7017 });
    expect(port).toBe(7017);
    for (const hex of ['01', '02']) await a.call('multicast', { id, hex });
    for (const remote of [a, b]) {
      for (const hex of ['01', '02'])
        expect(await remote.event('datagram')).toMatchObject({ hex, port: 7017 });
      expect(remote.pending('datagram')).toEqual([]);
    }
  });

  test('without file descriptors connects fail as local and listeners survive', async () => {
    await pair();
    // Looking at the interfaces takes a descriptor, too: many looks fall into the time without.
    const a = (await startPlainAgent(lab, 'a', { pollIntervalMs: 5 }, 170)).remote;
    const b = (await startPlainAgent(lab, 'b', {})).remote;
    const target = (port: number, node: string) => ({
      address: lab.addresses(node, 'l1').linkLocal,
      port,
      interface: 'l1',
    });
    const receiver = await a.call('openReceiver', { interface: 'l1' });
    const sender = await b.call('openPair', { interface: 'l1' });
    const atB = await b.call('listen', {});
    const streams: number[] = [];
    let refused: unknown;
    while (refused === undefined && streams.length < 400) {
      await a.call('connect', { target: target(atB.port, 'b'), timeoutMs: 5000 }).then(
        ({ stream }) => streams.push(stream),
        (error: unknown) => (refused = error),
      );
    }
    expect(refused).toMatchObject({ kind: 'local' });
    // The socket of the connect that failed is free again: something else takes it.
    while (
      await a.call('listen', {}).then(
        () => true,
        () => false,
      )
    );
    // Naming the zone of a sender takes a descriptor too: such datagrams are lost, the receiver is not.
    await b.call('multicast', { id: sender.id, hex: 'f0' });
    await a.call('environment', {});
    for (const stream of streams) {
      await a.call('abort', { stream });
      await a.event('close', (e) => e.stream === stream);
    }
    await b.call('multicast', { id: sender.id, hex: 'f1' });
    expect(await a.event('datagram', (e) => e.id === receiver.id && e.hex === 'f1')).toBeDefined();
    expect(a.pending('lost')).toEqual([]);
    const atA = await a.call('listen', {});
    const over = (stream: number): Promise<unknown> =>
      b.any((e) => (e.event === 'end' || e.event === 'close') && e.stream === stream);
    const many = await Promise.all(
      Array.from({ length: 200 }, () =>
        b.call('connect', { target: target(atA.port, 'a'), timeoutMs: 5000 }),
      ),
    );
    await Promise.race(many.map(({ stream }) => over(stream)));
    for (const { stream } of many) await b.call('abort', { stream });
    // Those that were accepted give their descriptors back one by one.
    const heard = a.event('data', (e) => e.hex === 'cafe').then(() => true);
    for (let served = false; !served;) {
      const { stream } = await b.call('connect', { target: target(atA.port, 'a'), timeoutMs: 5000 });
      await b.call('write', { stream, hex: 'cafe' });
      served = await Promise.race([heard, over(stream).then(() => false)]);
    }
  }, 20_000);
});
