/** Registrations and listens of a whole engine, inline under virtual time: api.md §4.3, §4.4, §4.14, §4.15. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { decode, encode } from 'cborg';
import { ErrorCode, GraspError } from '../../src/protocol/index.js';
import type {
  ClientControl,
  EngineControl,
  ObjectiveRegistration,
} from '../../src/workers/engine-control.js';
import { inlinePlacement } from '../../src/workers/placement.js';
import { Registrations, type Directory } from '../../src/workers/registrations.js';
import { Registry } from '../../src/workers/registry.js';
import { Supervisor } from '../../src/workers/supervisor.js';
import { type Peer, PeerStream, Rig } from '../actors/session-rig.js';

const NEGOTIATE = { negotiate: true, synchronize: false };
const SYNCH = { negotiate: false, synchronize: true };

function registration(name: string, changes: Partial<ObjectiveRegistration>): ObjectiveRegistration {
  return { name, ...NEGOTIATE, dryRun: false, loopCount: 6, ttlMs: 60_000, overlap: false, ...changes };
}

describe('an engine', () => {
  let rig: Rig;
  let supervisor: Supervisor;
  let control: EngineControl;
  let peer: Peer;
  let asa: number;
  let ended: [number, number][];

  beforeEach(async () => {
    rig = new Rig();
    ended = [];
    const node = rig.network.addNode('engine', { links: ['l1'] });
    let state = 1;
    const random = (bytes: Uint8Array): void => {
      for (let i = 0; i < bytes.length; i++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        bytes[i] = state >>> 24;
      }
    };
    supervisor = await rig.run(
      Supervisor.start({
        substrate: { kind: 'simulated', node },
        placement: inlinePlacement(rig.clock, random, { clone: true }),
      }),
    );
    const client: ClientControl = {
      attachCore: () => undefined,
      attachSessions: () => undefined,
      sessionsLost: () => undefined,
      coreLost: () => undefined,
      listenEnded: (listen, failure) => void ended.push([listen, failure.code]),
    };
    await rig.run(supervisor.attachClient('main', client));
    control = supervisor.controlFor('main');
    peer = await rig.peer('peer');
    asa = await rig.run(control.registerAsa('Briggs'));
  });
  afterEach(async () => {
    await rig.run(supervisor.close());
    await rig.close();
  });

  const register = (name: string, changes: Partial<ObjectiveRegistration> = SYNCH): Promise<void> =>
    rig.run(control.registerObjective(asa, registration(name, changes)));
  const publish = (name: string, value: unknown, handle = asa): Promise<void> =>
    rig.run(control.listenSynchronize(handle, name, encode(value)));
  const listening = async (name: string) =>
    (await rig.run(supervisor.status())).objectives.find((objective) => objective.name === name)?.listening;
  async function codeOf(call: Promise<unknown>): Promise<number> {
    return rig.run(
      call.then(
        () => 0,
        (error: GraspError) => error.code,
      ),
    );
  }

  /** The port that a discovery finds; undefined: silence. */
  async function discovered(name: string): Promise<number | undefined> {
    const streams: PeerStream[] = [];
    const pair = await rig.run(
      peer.substrate.openPair('l1', {
        onStream: (stream) => streams.push(new PeerStream(rig, stream)),
        onLost: () => undefined,
      }),
    );
    const initiator = new Uint8Array(16).fill(0xfd);
    await rig.run(pair.sendMulticast(encode([1, 4_000_000_000, initiator, [name, 5, 6]])));
    await rig.clock.advance(200);
    await rig.run(pair.close());
    const response = streams[0]?.messages[0];
    expect(streams.length).toBeLessThan(2);
    return (response?.[4] as unknown[] | undefined)?.[3] as number | undefined;
  }

  /** What a request at the port is answered: the value, or how the connection ends. */
  async function asked(port: number, name: string, sid = 7): Promise<unknown> {
    const address = supervisor.environment.interfaces[0]!.addresses[0]!;
    let stream: PeerStream;
    try {
      stream = await peer.connect({ address, port });
    } catch (error) {
      return (error as { kind: string }).kind;
    }
    await stream.send([4, sid, [name, 5, 6, null]]);
    await rig.clock.settle();
    expect(stream.over).toBe(true);
    return stream.messages.length === 0 ? 'closed' : (stream.messages[0]![2] as unknown[])[3];
  }

  test('A-2.3.3-08, A-2.3.6-04 listenSynchronize: discoverable and answered from now on; again: the new value on the same port', async () => {
    await register('EX3');
    expect(await discovered('EX3')).toBeUndefined();
    await publish('EX3', { a: 1 });
    const port = (await discovered('EX3'))!;
    expect(await asked(port, 'EX3')).toEqual({ a: 1 });
    await publish('EX3', 'two');
    expect(await discovered('EX3')).toBe(port);
    expect(await asked(port, 'EX3')).toBe('two');
    expect(await listening('EX3')).toEqual([
      { asa: 'Briggs', thread: 'sessions-1', port, kind: 'synchronize' },
    ]);
  });

  test('A-2.3.6-05 stopSynchronize: no answer to discoveries, the port refuses; not listening: no error; again: the same port', async () => {
    await register('EX3');
    await rig.run(control.stopSynchronize(asa, 'EX3'));
    await publish('EX3', 1);
    const port = (await discovered('EX3'))!;
    await rig.run(control.stopSynchronize(asa, 'EX3'));
    expect(await discovered('EX3')).toBeUndefined();
    expect(await asked(port, 'EX3')).toBe('refused');
    await publish('EX3', 2);
    expect(await discovered('EX3')).toBe(port);
    expect(await asked(port, 'EX3')).toBe(2);
  });

  test('A-2.3.3-09 discoverable: found at once, requests closed; while it listens answered on the same port; after stop as before', async () => {
    await register('EX3', { ...SYNCH, discoverable: true });
    const port = (await discovered('EX3'))!;
    expect(await asked(port, 'EX3')).toBe('closed');
    expect(await listening('EX3')).toEqual([expect.objectContaining({ port, kind: 'presence' })]);
    await publish('EX3', 5);
    expect(await discovered('EX3')).toBe(port);
    expect(await asked(port, 'EX3')).toBe(5);
    await rig.run(control.stopSynchronize(asa, 'EX3'));
    expect(await discovered('EX3')).toBe(port);
    expect(await asked(port, 'EX3')).toBe('closed');
    await rig.run(control.deregisterObjective(asa, 'EX3'));
    expect(await discovered('EX3')).toBeUndefined();
    expect(await asked(port, 'EX3')).toBe('refused');
  });

  test('A-2.3.3-09 discovery only and negotiation objectives are discoverable too', async () => {
    await register('EX1', { negotiate: false, discoverable: true });
    await register('EX2', { discoverable: true });
    const ports = [await discovered('EX1'), await discovered('EX2')];
    expect(await asked(ports[0]!, 'EX1')).toBe('closed');
    const { port, listen } = await rig.run(control.listen(asa, 'EX2'));
    expect(port).toBe(ports[1]);
    await rig.run(control.stopListen(listen));
    expect(await discovered('EX2')).toBe(port);
  });

  test('§4.14, §4.15 codes: 6, 13, 32, 40, 3; nothing is opened', async () => {
    await register('EX3');
    await register('EX4', NEGOTIATE);
    const gray = await rig.run(control.registerAsa('Gray'));
    const one = encode(1);
    expect(await codeOf(control.listenSynchronize(asa + 1, 'EX3', one))).toBe(6);
    expect(await codeOf(control.listenSynchronize(gray, 'EX3', one))).toBe(13);
    expect(await codeOf(control.listenSynchronize(asa, 'nobody has it', one))).toBe(13);
    expect(await codeOf(control.listenSynchronize(asa, 'EX4', one))).toBe(32);
    expect(await codeOf(control.listenSynchronize(asa, 'EX3', new Uint8Array(3_000)))).toBe(40);
    expect(await codeOf(control.listenSynchronize(asa, 'EX3', new Uint8Array()))).toBe(3);
    expect(await codeOf(control.stopSynchronize(asa + 1, 'EX3'))).toBe(6);
    expect(await codeOf(control.stopSynchronize(gray, 'EX3'))).toBe(13);
    expect(await codeOf(control.stopSynchronize(asa, 'EX4'))).toBe(32);
    expect(await codeOf(control.listen(asa, 'EX3'))).toBe(15);
    expect(await listening('EX3')).toEqual([]);
    await publish('EX3', 1);
    expect(await codeOf(control.listenSynchronize(asa, 'EX3', new Uint8Array(3_000)))).toBe(40);
    expect(await asked((await discovered('EX3'))!, 'EX3')).toBe(1);
  });

  test('16 without security; registering works, and what it made discoverable is found when security is there', async () => {
    await register('EX3');
    rig.network.node('engine').setSecurity('none');
    await rig.clock.settle();
    expect(await codeOf(control.listenSynchronize(asa, 'EX3', encode(1)))).toBe(16);
    expect(await codeOf(control.stopSynchronize(asa, 'EX3'))).toBe(16);
    await register('EX4', { ...SYNCH, discoverable: true });
    expect(await discovered('EX4')).toBeUndefined();
    rig.network.node('engine').setSecurity('insecure');
    await rig.clock.settle();
    expect(await asked((await discovered('EX4'))!, 'EX4')).toBe('closed');
  });

  test('api.md §4.4 deregister: answers off, port closed; registered anew it starts from nothing', async () => {
    await register('EX3');
    await publish('EX3', 1);
    const port = (await discovered('EX3'))!;
    await rig.run(control.deregisterObjective(asa, 'EX3'));
    expect(await asked(port, 'EX3')).toBe('refused');
    expect(ended).toEqual([]);
    await register('EX3');
    expect(await discovered('EX3')).toBeUndefined();
    await rig.run(control.deregisterAsa(asa));
    expect(await codeOf(control.listenSynchronize(asa, 'EX3', encode(1)))).toBe(6);
  });

  test('A-2.3.3-04 an ASA that is deregistered takes its discoverable objectives with it, also those on their way', async () => {
    await register('EX3', { ...SYNCH, discoverable: true });
    const onItsWay = control.registerObjective(asa, registration('EX4', { discoverable: true }));
    const late = control.registerObjective(asa, registration('EX4', {}));
    const gone = control.deregisterAsa(asa);
    const codes = [codeOf(onItsWay), codeOf(late), codeOf(gone)];
    expect((await Promise.all(codes)).at(-1)).toBe(0);
    expect((await rig.run(supervisor.status())).objectives).toEqual([]);
    expect(await discovered('EX3')).toBeUndefined();
    expect(await discovered('EX4')).toBeUndefined();
  });

  test('calls about one objective are carried out in the order they were made', async () => {
    const all = [
      control.registerObjective(asa, registration('EX3', { ...SYNCH, discoverable: true })),
      control.deregisterObjective(asa, 'EX3'),
      control.registerObjective(asa, registration('EX3', SYNCH)),
      control.registerObjective(asa, registration('EX3', SYNCH)),
    ];
    expect(await Promise.all(all.map(codeOf))).toEqual([0, 0, 0, 12]);
    const values = [1, 2, 3].map((value) => control.listenSynchronize(asa, 'EX3', encode(value)));
    await rig.run(Promise.all(values));
    expect(await listening('EX3')).toHaveLength(1);
    expect(await asked((await discovered('EX3'))!, 'EX3')).toBe(3);
  });

  test('D-03 overlap: one port, the latest value of those that still listen; discoverable while one does', async () => {
    const gray = await rig.run(control.registerAsa('Gray'));
    await register('EX3', { ...SYNCH, overlap: true });
    await rig.run(control.registerObjective(gray, registration('EX3', { ...SYNCH, overlap: true })));
    await publish('EX3', 'briggs');
    await publish('EX3', 'gray', gray);
    const port = (await discovered('EX3'))!;
    expect(await asked(port, 'EX3')).toBe('gray');
    await publish('EX3', 'briggs again');
    expect(await asked(port, 'EX3')).toBe('briggs again');
    await rig.run(control.stopSynchronize(asa, 'EX3'));
    expect(await asked(port, 'EX3')).toBe('gray');
    expect(await discovered('EX3')).toBe(port);
    await rig.run(control.deregisterObjective(gray, 'EX3'));
    expect(await discovered('EX3')).toBeUndefined();
    expect(await asked(port, 'EX3')).toBe('refused');
  });
});

describe('several session hosts', () => {
  interface Call {
    readonly host: string;
    readonly method: string;
    readonly argument: unknown;
  }

  /** Registrations over hosts that only note what they are told. */
  function fakes(fail: (call: Call) => GraspError | undefined = () => undefined) {
    const calls: Call[] = [];
    const registry = new Registry({ asas: 10, objectives: 10 }, (bytes) =>
      bytes.fill(calls.length + registry.asas.size + 1),
    );
    const host = (name: string, role: string) => ({
      name,
      role,
      isBuilt: true,
      ready: () => Promise.resolve(),
      calls: () =>
        new Proxy(
          {},
          {
            get:
              (_, method) =>
              (...args: unknown[]): Promise<unknown> => {
                const call = {
                  host: name,
                  method: String(method),
                  argument: args.length > 1 ? args : args[0],
                };
                calls.push(call);
                const error = fail(call);
                return error ? Promise.reject(error) : Promise.resolve({ port: name === 'core' ? 0 : 4_000 });
              },
          },
        ),
    });
    const hosts = new Map(
      [host('core', 'core'), host('sessions-1', 'sessions'), host('asa:b', 'asa')].map((each) => [
        each.name,
        each,
      ]),
    );
    const directory = {
      security: () => 'insecure',
      get: (name: string) => hosts.get(name),
      all: () => [...hosts.values()],
      session: (name: string) => hosts.get(name)!,
      forRequest: () => Promise.resolve('sessions-1'),
      client: (id: string) => ({ id, control: {}, host: id === 'main' ? undefined : 'asa:b' }),
    } as unknown as Directory;
    const registrations = new Registrations(registry, directory);
    const a = registry.addAsa('main', 'a').handle;
    const b = registry.addAsa('asa:b', 'b').handle;
    return { calls, registry, registrations, a, b, directory };
  }

  async function bothListen(fail?: (call: Call) => GraspError | undefined) {
    const all = fakes(fail);
    const { registrations, a, b } = all;
    const changes = { ...SYNCH, overlap: true };
    await registrations.registerObjective('main', a, registration('EX3', changes));
    await registrations.registerObjective('asa:b', b, registration('EX3', changes));
    await registrations.listenSynchronize('main', a, 'EX3', encode('a'));
    await registrations.listenSynchronize('asa:b', b, 'EX3', encode('b'));
    return all;
  }
  const told = (calls: Call[]): unknown[] =>
    calls
      .filter(({ method }) => method === 'setValue')
      .map(({ host, argument }) => [host, decode((argument as [number, Uint8Array])[1]) as unknown]);

  test('D-03 a listen in another host is opened with the value given for it, not with that of before', async () => {
    const { calls } = await bothListen();
    const opened = calls
      .filter(({ method }) => method === 'listen')
      .map(({ host, argument }) => [host, decode((argument as { value: Uint8Array }).value) as unknown]);
    expect(opened).toEqual([
      ['sessions-1', 'a'],
      ['asa:b', 'b'],
    ]);
  });

  test('D-03 every host that answers has the latest value; after a stop, before it is confirmed, that of those who remain', async () => {
    const { calls, registrations, a, b } = await bothListen();
    expect(told(calls)).toEqual([['sessions-1', 'b']]);
    calls.length = 0;
    await registrations.listenSynchronize('main', a, 'EX3', encode('a2'));
    expect(told(calls)).toEqual([
      ['sessions-1', 'a2'],
      ['asa:b', 'a2'],
    ]);
    calls.length = 0;
    await registrations.stopSynchronize('main', a, 'EX3');
    expect(calls.map(({ host, method }) => `${host} ${method}`)).toEqual([
      'core announce',
      'asa:b setValue',
      'sessions-1 stopListen',
    ]);
    expect(told(calls)).toEqual([['asa:b', 'b']]);
    calls.length = 0;
    await registrations.stopSynchronize('asa:b', b, 'EX3');
    expect(calls.map(({ host, method }) => `${host} ${method}`)).toEqual([
      'core announce',
      'asa:b stopListen',
    ]);
  });

  test('D-04 a rapid objective is announced anew with each value, another is not', async () => {
    const { calls, registrations, a } = fakes();
    for (const [name, rapid] of [
      ['EX3', true],
      ['EX4', false],
    ] as const) {
      await registrations.registerObjective('main', a, registration(name, { ...SYNCH, rapid }));
      await registrations.listenSynchronize('main', a, name, encode(1));
      calls.length = 0;
      await registrations.listenSynchronize('main', a, name, encode(2));
      const announced = calls.filter(({ method }) => method === 'announce').map(({ argument }) => argument);
      expect(announced).toEqual(
        rapid
          ? [
              [
                name,
                expect.objectContaining({ listeners: [expect.objectContaining({ rapidValue: encode(2) })] }),
              ],
            ]
          : [],
      );
    }
  });

  test('a host that took another’s place gets the listens with the values of now, whatever the security', async () => {
    const { calls, registry, registrations, directory } = await bothListen();
    calls.length = 0;
    const [listen] = registry.listensOf({ client: 'main' });
    await registrations.resume(directory.session('sessions-1'), listen!);
    expect(calls).toEqual([
      {
        host: 'sessions-1',
        method: 'listen',
        argument: expect.objectContaining({
          kind: 'synchronize',
          flags: 5,
          value: encode('b'),
          port: 4_000,
          resumed: true,
        }),
      },
    ]);
  });

  test('its port is taken meanwhile: synchronization goes on at another, a negotiation listen ends', async () => {
    let taken = false;
    const fail = ({ method, argument }: Call): GraspError | undefined =>
      taken && method === 'listen' && (argument as { port: number }).port === 4_000
        ? new GraspError(ErrorCode.unspec, 'in use')
        : undefined;
    const { calls, registry, registrations, directory, a } = await bothListen(fail);
    await registrations.registerObjective('main', a, registration('EX4', NEGOTIATE));
    await registrations.listen('main', a, 'EX4');
    taken = true;
    calls.length = 0;
    const host = directory.session('sessions-1');
    const [synch, negotiate] = registry.listensOf({ client: 'main' });
    await registrations.resume(host, synch!);
    expect(calls.map(({ method }) => method)).toEqual(['listen', 'listen', 'announce']);
    await expect(registrations.resume(host, negotiate!)).rejects.toMatchObject({ code: 3 });
  });

  test('its port is taken while nobody listens: the next listen opens another, which is announced', async () => {
    let taken = false;
    const { calls, registry, registrations, a } = fakes(({ method, argument }) =>
      taken && method === 'listen' && (argument as { port: number }).port === 4_000
        ? new GraspError(ErrorCode.unspec, 'in use')
        : undefined,
    );
    await registrations.registerObjective('main', a, registration('EX3', NEGOTIATE));
    const first = await registrations.listen('main', a, 'EX3');
    // Another listen holds it: then it is not the port that is in the way.
    taken = true;
    await expect(registrations.listen('main', a, 'EX3')).rejects.toMatchObject({ code: 3 });
    await registrations.stopListen('main', first.listen);
    calls.length = 0;
    await registrations.listen('main', a, 'EX3');
    expect(calls.map(({ method, argument }) => [method, (argument as { port?: number }).port])).toEqual([
      ['listen', 4_000],
      ['listen', 0],
      ['announce', undefined],
    ]);
    expect(registry.listensOf({ objective: 'EX3' })).toMatchObject([{ open: true }]);
  });

  test('a discoverable objective whose port cannot be opened is not registered', async () => {
    const { registry, registrations, a } = fakes(({ method }) =>
      method === 'listen' ? new GraspError(ErrorCode.unspec, 'no descriptors') : undefined,
    );
    const registering = registrations.registerObjective(
      'main',
      a,
      registration('EX3', { discoverable: true }),
    );
    await expect(registering).rejects.toMatchObject({ code: 3 });
    expect(registry.objectiveCount).toBe(0);
    expect(registry.listens.size).toBe(0);
  });
});
