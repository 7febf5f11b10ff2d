import { describe, expect, test } from '@jest/globals';
import { ErrorCode, GraspError } from '../../src/protocol/index.js';
import type { RandomFill } from '../../src/runtime/index.js';
import type { ObjectiveRegistration } from '../../src/workers/engine-control.js';
import { Registry } from '../../src/workers/registry.js';

/** Well spread and the same in every run. */
function spread(seed = 1): RandomFill {
  let state = seed;
  return (target) => {
    for (let i = 0; i < target.length; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      target[i] = state >>> 24;
    }
  };
}

function registry(limits: { asas?: number; objectives?: number } = {}, random = spread()): Registry {
  return new Registry({ asas: 1_000, objectives: 10_000, ...limits }, random);
}

function registration(
  name: string,
  changes: Partial<Record<keyof ObjectiveRegistration, unknown>> = {},
): ObjectiveRegistration {
  return {
    name,
    negotiate: true,
    synchronize: false,
    dryRun: false,
    loopCount: 6,
    ttlMs: 60_000,
    overlap: false,
    ...changes,
  } as ObjectiveRegistration;
}

/** Changes that make it a synchronization objective. */
const SYNCH = { negotiate: false, synchronize: true };

/** A locator that can be registered. */
const v6 = (): object => ({
  type: 103,
  address: Uint8Array.of(0xfd, ...new Uint8Array(14), 1),
  protocol: 6,
  port: 4_000,
});

/** The code that a call throws; undefined if it does not. */
function codeOf(call: () => unknown): number | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (!GraspError.is(error)) throw error;
    return error.code;
  }
}

describe('§4.1 register_asa', () => {
  test('an ASA gets a handle, by which its client finds it again', () => {
    const reg = registry();
    const asa = reg.addAsa('main', 'Briggs');
    expect(reg.asaOf('main', asa.handle)).toBe(asa);
    expect(asa).toMatchObject({ name: 'Briggs', client: 'main' });
  });

  test('A-2.3.3-02 names are unique in the engine, whoever registers (5)', () => {
    const reg = registry();
    reg.addAsa('main', 'Briggs');
    expect(codeOf(() => reg.addAsa('main', 'Briggs'))).toBe(ErrorCode.dupASA);
    expect(codeOf(() => reg.addAsa('worker', 'Briggs'))).toBe(ErrorCode.dupASA);
    reg.addAsa('main', 'briggs');
    expect(reg.asas.size).toBe(2);
  });

  test.each([[''], [undefined], [null], [7], [{}]])('a name is a non-empty string: %j gives 3', (name) => {
    const reg = registry();
    expect(codeOf(() => reg.addAsa('main', name as string))).toBe(ErrorCode.unspec);
    expect(reg.asas.size).toBe(0);
  });

  test('A-3-02 limits.asas exceeded: 4, and room again when one has gone', () => {
    const reg = registry({ asas: 2 });
    const first = reg.addAsa('main', 'a');
    reg.addAsa('main', 'b');
    expect(codeOf(() => reg.addAsa('main', 'c'))).toBe(ErrorCode.ASAfull);
    expect(codeOf(() => reg.addAsa('main', 'b'))).toBe(ErrorCode.dupASA);
    reg.asas.delete(first.handle);
    expect(reg.addAsa('main', 'c').name).toBe('c');
  });

  test('A-2.3.2-14 handles: 32 bits, not 0, no duplicates among 1000, no arithmetic progression', () => {
    const reg = registry();
    const handles = Array.from({ length: 1_000 }, (_, i) => reg.addAsa('main', `asa ${i}`).handle);
    expect(new Set(handles).size).toBe(1_000);
    for (const handle of handles) {
      expect(Number.isInteger(handle) && handle > 0 && handle < 2 ** 32).toBe(true);
    }
    const steps = new Set(handles.slice(1).map((handle, i) => handle - handles[i]!));
    expect(steps.size).toBeGreaterThan(990);
  });

  test('A-2.3.2-14 a handle in use, and 0, are drawn again', () => {
    const draws = [7, 7, 0, 8];
    const reg = registry({}, (target) => {
      new DataView(target.buffer, target.byteOffset).setUint32(0, draws.shift()!);
    });
    expect(reg.addAsa('main', 'a').handle).toBe(7);
    expect(reg.addAsa('main', 'b').handle).toBe(8);
    expect(draws).toEqual([]);
  });
});

describe('§4.2 handles', () => {
  test('A-2.3.2-13 an unknown handle, and the handle of another client, give 6', () => {
    const reg = registry();
    const { handle } = reg.addAsa('main', 'Briggs');
    expect(codeOf(() => reg.asaOf('main', handle + 1))).toBe(ErrorCode.noASA);
    expect(codeOf(() => reg.asaOf('worker', handle))).toBe(ErrorCode.noASA);
    reg.asas.delete(handle);
    expect(codeOf(() => reg.asaOf('main', handle))).toBe(ErrorCode.noASA);
  });
});

describe('§4.3 register_objective', () => {
  test('a registration is found by its ASA and name', () => {
    const reg = registry();
    const asa = reg.addAsa('main', 'Briggs');
    const ex3 = registration('EX3', { dryRun: true });
    reg.addObjective(asa, ex3);
    expect(reg.shareOf(asa, 'EX3')).toEqual(ex3);
    expect(reg.objectiveCount).toBe(1);
  });

  test.each([
    ['A-2.3.2-05 negotiation and synchronization', { synchronize: true }, ErrorCode.notBoth],
    ['A-2.3.2-06 dry run without negotiation', { negotiate: false, dryRun: true }, ErrorCode.notDry],
    ['loop count 0', { loopCount: 0 }, ErrorCode.unspec],
    ['A-2.3.2-01 loop count 256', { loopCount: 256 }, ErrorCode.unspec],
    ['loop count 1.5', { loopCount: 1.5 }, ErrorCode.unspec],
    ['empty name', { name: '' }, ErrorCode.unspec],
    ['a name that is no text', { name: 7 }, ErrorCode.unspec],
    ['D-14 a name that fits no message', { name: 'x'.repeat(2_048) }, ErrorCode.tooBig],
    ['A-2.3.2-01 ttl -1', { ttlMs: -1 }, ErrorCode.unspec],
    ['A-2.3.2-01 ttl 2^32', { ttlMs: 2 ** 32 }, ErrorCode.unspec],
    ['ttl 0.5', { ttlMs: 0.5 }, ErrorCode.unspec],
    ['ttl that is no number', { ttlMs: '60000' }, ErrorCode.unspec],
    ['discoverable that is no boolean', { discoverable: 1 }, ErrorCode.unspec],
    ['local that is no boolean', { local: 'yes' }, ErrorCode.unspec],
    ['rapid that is no boolean', { rapid: null }, ErrorCode.unspec],
    ['floodOnly that is no boolean', { ...SYNCH, floodOnly: 0 }, ErrorCode.unspec],
    ['floodOnly for negotiation', { floodOnly: true }, ErrorCode.unspec],
    ['floodOnly and discoverable', { ...SYNCH, floodOnly: true, discoverable: true }, ErrorCode.unspec],
    ['a value that is not encoded', { ...SYNCH, value: 7 }, ErrorCode.unspec],
    ['an empty value', { ...SYNCH, value: new Uint8Array() }, ErrorCode.unspec],
    ['§2.8.3 a value that fits no M_SYNCH', { ...SYNCH, value: new Uint8Array(2_034) }, ErrorCode.tooBig],
    ['locators that are no array', { locators: v6() }, ErrorCode.unspec],
    [
      'locators that fit no M_RESPONSE',
      { locators: Array.from({ length: 90 }, () => v6()) },
      ErrorCode.tooBig,
    ],
    ...[
      null,
      7,
      {},
      { ...v6(), type: 100 },
      { ...v6(), address: new Uint8Array(4) },
      { ...v6(), address: 'fd00::1' },
      { ...v6(), address: new Uint8Array(16) },
      { ...v6(), address: Uint8Array.of(0xff, 2, ...new Uint8Array(13), 0x13) },
      { ...v6(), address: Uint8Array.of(...new Uint8Array(15), 1) },
      { ...v6(), protocol: 41 },
      { ...v6(), protocol: null },
      { ...v6(), port: -1 },
      { ...v6(), port: 65_536 },
      { ...v6(), port: 1.5 },
      { ...v6(), port: null },
      { ...v6(), port: '4000' },
      { type: 104, address: Uint8Array.of(224, 0, 0, 119), protocol: 6, port: 1 },
      { type: 104, address: new Uint8Array(16), protocol: 6, port: 1 },
      { type: 105, name: '', protocol: 6, port: 1 },
      { type: 105, name: 7, protocol: 6, port: 1 },
      { type: 105, name: 'a.example', protocol: null, port: 1 },
      { type: 106, uri: '', protocol: null, port: null },
      { type: 106, uri: '\ud800', protocol: null, port: null },
      { type: 106, uri: 'http://a/', protocol: 1, port: null },
    ].map((locator): [string, object, ErrorCode] => [
      `38 locator ${JSON.stringify(locator)}`,
      { locators: [v6(), locator] },
      ErrorCode.invalidLoc,
    ]),
  ])('%s: refused, nothing registered', (_, changes, code) => {
    const reg = registry();
    const asa = reg.addAsa('main', 'Briggs');
    expect(codeOf(() => reg.addObjective(asa, registration('EX3', changes)))).toBe(code);
    expect(reg.objectiveCount).toBe(0);
    expect(reg.objectives.size).toBe(0);
  });

  test.each([
    ['neither negotiation nor synchronization: discovery only', { negotiate: false }],
    ['ttl 0', { ttlMs: 0 }],
    ['ttl 2^32−1', { ttlMs: 2 ** 32 - 1 }],
    ['loop counts 1', { loopCount: 1 }],
    ['loop counts 255', { loopCount: 255 }],
    ['synchronization', { negotiate: false, synchronize: true }],
    ['discoverable', { discoverable: true }],
    ['floodOnly for synchronization', { ...SYNCH, floodOnly: true }],
    ['§2.8.3 a value that just fits an M_SYNCH', { ...SYNCH, value: new Uint8Array(2_033) }],
    [
      'a longer value where the objective allows it',
      { ...SYNCH, maxMessageBytes: 9_000, value: new Uint8Array(8_000) },
    ],
    ['no locators', { locators: [] }],
    [
      'D-05 locators of every kind, a link-local one too',
      {
        locators: [
          v6(),
          { ...v6(), address: Uint8Array.of(0xfe, 0x80, ...new Uint8Array(14)), protocol: 17, port: 0 },
          { type: 104, address: Uint8Array.of(192, 0, 2, 1), protocol: 6, port: 65_535 },
          { type: 105, name: 'a.example', protocol: 6, port: 1 },
          { type: 106, uri: 'urn:x', protocol: null, port: null },
          { type: 106, uri: 'coap://a/', protocol: 17, port: 5_683 },
        ],
      },
    ],
  ])('%s: allowed', (_, changes) => {
    const reg = registry();
    reg.addObjective(reg.addAsa('main', 'Briggs'), registration('EX3', changes));
    expect(reg.objectiveCount).toBe(1);
  });

  test('12 registered already, by the same ASA or by another, without overlap', () => {
    const reg = registry();
    const briggs = reg.addAsa('main', 'Briggs');
    const gray = reg.addAsa('main', 'Gray');
    reg.addObjective(briggs, registration('EX3'));
    expect(codeOf(() => reg.addObjective(briggs, registration('EX3')))).toBe(ErrorCode.objReg);
    expect(codeOf(() => reg.addObjective(gray, registration('EX3')))).toBe(ErrorCode.objReg);
    reg.addObjective(gray, registration('ex3'));
    expect(reg.objectiveCount).toBe(2);
  });

  test('A-2.3.3-11 overlap: both say so: both registered; the same ASA twice: 12', () => {
    const reg = registry();
    const briggs = reg.addAsa('main', 'Briggs');
    const gray = reg.addAsa('worker', 'Gray');
    reg.addObjective(briggs, registration('EX3', { overlap: true }));
    reg.addObjective(gray, registration('EX3', { overlap: true, ttlMs: 5_000, loopCount: 3 }));
    expect(reg.objectiveCount).toBe(2);
    expect(reg.shareOf(gray, 'EX3').loopCount).toBe(3);
    expect(codeOf(() => reg.addObjective(gray, registration('EX3', { overlap: true })))).toBe(
      ErrorCode.objReg,
    );
  });

  test.each([
    ['only the first says overlap', { overlap: true }, { overlap: false }],
    ['only the second says overlap', { overlap: false }, { overlap: true }],
    ['another dry-run flag', { overlap: true }, { overlap: true, dryRun: true }],
    ['another kind', { overlap: true }, { overlap: true, negotiate: false, synchronize: true }],
    ['discovery only', { overlap: true }, { overlap: true, negotiate: false }],
  ])('D-03 %s: 12', (_, first, second) => {
    const reg = registry();
    reg.addObjective(reg.addAsa('main', 'Briggs'), registration('EX3', first));
    const gray = reg.addAsa('main', 'Gray');
    expect(codeOf(() => reg.addObjective(gray, registration('EX3', second)))).toBe(ErrorCode.objReg);
    expect(codeOf(() => reg.shareOf(gray, 'EX3'))).toBe(ErrorCode.notYourObj);
    expect(reg.objectiveCount).toBe(1);
  });

  test('A-3-02 limits.objectives exceeded: 11; each share counts; room again after a deregistration', () => {
    const reg = registry({ objectives: 2 });
    const briggs = reg.addAsa('main', 'Briggs');
    const gray = reg.addAsa('main', 'Gray');
    reg.addObjective(briggs, registration('EX1', { overlap: true }));
    reg.addObjective(gray, registration('EX1', { overlap: true }));
    expect(codeOf(() => reg.addObjective(briggs, registration('EX2')))).toBe(ErrorCode.objFull);
    expect(codeOf(() => reg.shareOf(briggs, 'EX2'))).toBe(ErrorCode.notYourObj);
    reg.removeObjective(gray, 'EX1');
    reg.addObjective(briggs, registration('EX2'));
    expect(reg.objectiveCount).toBe(2);
  });
});

describe('§4.4 deregister_objective', () => {
  test('A-2.3.3-13 not registered at all: 14; by another ASA: 13; by this one: gone', () => {
    const reg = registry();
    const briggs = reg.addAsa('main', 'Briggs');
    const gray = reg.addAsa('main', 'Gray');
    reg.addObjective(briggs, registration('EX3'));
    expect(codeOf(() => reg.removeObjective(gray, 'EX4'))).toBe(ErrorCode.notObj);
    expect(codeOf(() => reg.removeObjective(gray, 'EX3'))).toBe(ErrorCode.notYourObj);
    expect(reg.objectiveCount).toBe(1);
    reg.removeObjective(briggs, 'EX3');
    expect(codeOf(() => reg.removeObjective(briggs, 'EX3'))).toBe(ErrorCode.notObj);
    expect(codeOf(() => reg.shareOf(briggs, 'EX3'))).toBe(ErrorCode.notYourObj);
    reg.addObjective(gray, registration('EX3'));
  });

  test("D-03 with overlap only the caller's share goes", () => {
    const reg = registry();
    const briggs = reg.addAsa('main', 'Briggs');
    const gray = reg.addAsa('main', 'Gray');
    reg.addObjective(briggs, registration('EX3', { overlap: true }));
    reg.addObjective(gray, registration('EX3', { overlap: true }));
    reg.removeObjective(briggs, 'EX3');
    expect(reg.shareOf(gray, 'EX3').name).toBe('EX3');
    expect(codeOf(() => reg.removeObjective(briggs, 'EX3'))).toBe(ErrorCode.notYourObj);
  });
});

describe('ports', () => {
  test('§4.3 a port is held per session host, also while nobody listens, because peers cache locators', () => {
    const reg = registry();
    const asa = reg.addAsa('main', 'Briggs');
    reg.addObjective(asa, registration('EX3'));
    const listen = reg.addListen(asa, 'EX3', 'sessions-1');
    expect(reg.portOf('sessions-1', 'EX3')).toBe(0);
    reg.holdPort('sessions-1', 'EX3', 40_001);
    reg.holdPort('sessions-2', 'EX3', 40_002);
    reg.listens.delete(listen.listen);
    expect(reg.portOf('sessions-1', 'EX3')).toBe(40_001);
    expect(reg.portOf('sessions-2', 'EX3')).toBe(40_002);
  });

  test('the last deregistration lets them go; before it they stay for the others', () => {
    const reg = registry();
    const briggs = reg.addAsa('main', 'Briggs');
    const gray = reg.addAsa('main', 'Gray');
    reg.addObjective(briggs, registration('EX3', { overlap: true }));
    reg.addObjective(gray, registration('EX3', { overlap: true }));
    reg.holdPort('sessions-1', 'EX3', 40_001);
    reg.removeObjective(briggs, 'EX3');
    expect(reg.portOf('sessions-1', 'EX3')).toBe(40_001);
    reg.removeObjective(gray, 'EX3');
    expect(reg.portOf('sessions-1', 'EX3')).toBe(0);
  });

  test('a port that was opened while its objective was deregistered is not remembered', () => {
    const reg = registry();
    const asa = reg.addAsa('main', 'Briggs');
    reg.addObjective(asa, registration('EX3'));
    reg.removeObjective(asa, 'EX3');
    reg.holdPort('sessions-1', 'EX3', 40_001);
    expect(reg.portOf('sessions-1', 'EX3')).toBe(0);
  });

  test('wire.md §8 names are opaque: the ports of "A\\nEX3" are not those of "EX3"', () => {
    const reg = registry();
    const asa = reg.addAsa('main', 'Briggs');
    reg.addObjective(asa, registration('EX3'));
    reg.addObjective(asa, registration('A\nEX3'));
    reg.holdPort('sessions-1', 'A\nEX3', 40_001);
    reg.holdPort('sessions-1', 'EX3', 40_002);
    reg.removeObjective(asa, 'EX3');
    expect(reg.portOf('sessions-1', 'A\nEX3')).toBe(40_001);
    expect(reg.portOf('sessions-1', 'EX3')).toBe(0);
    expect(reg.portOf('sessions-1\nA', 'EX3')).toBe(0);
  });
});

describe('listens and what is announced', () => {
  function listening() {
    const reg = registry();
    const briggs = reg.addAsa('main', 'Briggs');
    const gray = reg.addAsa('worker', 'Gray');
    reg.addObjective(briggs, registration('EX3', { overlap: true, ttlMs: 60_000 }));
    reg.addObjective(gray, registration('EX3', { overlap: true, ttlMs: 5_000 }));
    const first = reg.addListen(briggs, 'EX3', 'sessions-1');
    const second = reg.addListen(gray, 'EX3', 'asa-1');
    reg.holdPort('sessions-1', 'EX3', 40_001);
    reg.holdPort('asa-1', 'EX3', 40_002);
    return { reg, briggs, gray, first, second };
  }

  test('A-2.3.3-08 nothing is announced before TCP accepts, nor for a name nobody registered', () => {
    const { reg } = listening();
    expect(reg.announcement('EX3')).toBeUndefined();
    expect(reg.announcement('EX4')).toBeUndefined();
  });

  test('A-2.3.3-10 the ttl of the registration; an explicit 0 stays 0', () => {
    const reg = registry();
    const asa = reg.addAsa('main', 'Briggs');
    reg.addObjective(asa, registration('EX3', { ttlMs: 5_000 }));
    reg.addObjective(asa, registration('EX4', { ttlMs: 0 }));
    for (const name of ['EX3', 'EX4']) {
      reg.addListen(asa, name, 'sessions-1').open = true;
      reg.holdPort('sessions-1', name, 40_001);
    }
    expect(reg.announcement('EX3')).toEqual({
      objective: 'EX3',
      flags: 3,
      ttlMs: 5_000,
      listeners: [{ asa: asa.handle, port: 40_001 }],
    });
    expect(reg.announcement('EX4')?.ttlMs).toBe(0);
  });

  test('D-03 several listening ASAs: each with its port, the shortest ttl; discoverable while one listens', () => {
    const { reg, briggs, gray, first, second } = listening();
    first.open = true;
    expect(reg.announcement('EX3')).toEqual({
      objective: 'EX3',
      flags: 3,
      ttlMs: 60_000,
      listeners: [{ asa: briggs.handle, port: 40_001 }],
    });
    second.open = true;
    expect(reg.announcement('EX3')).toEqual({
      objective: 'EX3',
      flags: 3,
      ttlMs: 5_000,
      listeners: [
        { asa: briggs.handle, port: 40_001 },
        { asa: gray.handle, port: 40_002 },
      ],
    });
    reg.listens.delete(first.listen);
    expect(reg.announcement('EX3')?.listeners).toEqual([{ asa: gray.handle, port: 40_002 }]);
    reg.listens.delete(second.listen);
    expect(reg.announcement('EX3')).toBeUndefined();
  });

  test('G-2.8.5-04 a ttl of 0 means 600,000 ms: it is not the shortest', () => {
    const reg = registry();
    const briggs = reg.addAsa('main', 'Briggs');
    const gray = reg.addAsa('main', 'Gray');
    reg.addObjective(briggs, registration('EX3', { overlap: true, ttlMs: 0 }));
    reg.addObjective(gray, registration('EX3', { overlap: true, ttlMs: 5_000 }));
    reg.addListen(briggs, 'EX3', 'sessions-1').open = true;
    reg.addListen(gray, 'EX3', 'sessions-1').open = true;
    reg.holdPort('sessions-1', 'EX3', 40_001);
    expect(reg.announcement('EX3')?.ttlMs).toBe(5_000);
  });

  test('§2.10.2 flags as registered; without F_DISC for an infrastructure objective', () => {
    const reg = registry();
    const asa = reg.addAsa('main', 'Briggs');
    const flags = (name: string, changes: object): number | undefined => {
      reg.addObjective(asa, registration(name, changes));
      reg.addListen(asa, name, 'sessions-1', 'presence').open = true;
      return reg.announcement(name)?.flags;
    };
    expect(flags('a', {})).toBe(3);
    expect(flags('b', { dryRun: true })).toBe(3);
    expect(flags('c', SYNCH)).toBe(5);
    expect(flags('d', { ...SYNCH, floodOnly: true })).toBe(4);
    expect(flags('e', { negotiate: false })).toBe(1);
  });

  test('A-2.3.3-09 presence is announced until the ASA itself listens, and again after it', () => {
    const { reg, briggs, gray } = listening();
    reg.addListen(briggs, 'EX3', 'sessions-1', 'presence').open = true;
    reg.addListen(gray, 'EX3', 'asa-1', 'presence').open = true;
    const ports = (): number[] | undefined => reg.announcement('EX3')?.listeners.map(({ port }) => port);
    expect(ports()).toEqual([40_001, 40_002]);
    const listen = reg.addListen(briggs, 'EX3', 'sessions-1');
    listen.open = true;
    expect(
      reg
        .announcement('EX3')
        ?.listeners.map(({ asa }) => asa)
        .sort(),
    ).toEqual([briggs.handle, gray.handle].sort());
    reg.listens.delete(listen.listen);
    expect(ports()).toEqual([40_001, 40_002]);
    // C-13: what is deregistered is announced no more, before its listener is closed.
    reg.removeObjective(gray, 'EX3');
    expect(ports()).toEqual([40_001]);
  });

  test('A-2.3.3-12, D-05 local and locators go with the ASA that registered them', () => {
    const reg = registry();
    const briggs = reg.addAsa('main', 'Briggs');
    const gray = reg.addAsa('main', 'Gray');
    const locators = [v6()];
    reg.addObjective(briggs, registration('EX3', { overlap: true, local: true, locators: [] }));
    reg.addObjective(gray, registration('EX3', { overlap: true, locators }));
    for (const asa of [briggs, gray]) reg.addListen(asa, 'EX3', 'sessions-1').open = true;
    expect(reg.announcement('EX3')?.listeners).toEqual([
      { asa: briggs.handle, port: 0, local: true },
      { asa: gray.handle, port: 0, locators },
    ]);
  });

  test('D-04 rapid: the latest value given, else that of the registration; none if it is null, or for negotiation', () => {
    const reg = registry();
    const asa = reg.addAsa('main', 'Briggs');
    const value = Uint8Array.of(1);
    const rapid = (name: string): Uint8Array | undefined => reg.announcement(name)?.listeners[0]?.rapidValue;
    reg.addObjective(asa, registration('EX3', { ...SYNCH, rapid: true, value }));
    reg.addObjective(asa, registration('EX4', { ...SYNCH, value }));
    reg.addObjective(asa, registration('EX5', { rapid: true, value }));
    for (const name of ['EX3', 'EX4', 'EX5']) reg.addListen(asa, name, 'sessions-1', 'presence').open = true;
    expect(rapid('EX3')).toEqual(value);
    expect(rapid('EX4')).toBeUndefined();
    expect(rapid('EX5')).toBeUndefined();
    expect([reg.isRapid('EX3'), reg.isRapid('EX4')]).toEqual([true, false]);
    const listen = reg.addListen(asa, 'EX3', 'sessions-1', 'synchronize', Uint8Array.of(2));
    listen.open = true;
    expect(rapid('EX3')).toEqual(Uint8Array.of(2));
    reg.giveValue(listen, Uint8Array.of(0xf6));
    expect(rapid('EX3')).toBeUndefined();
    reg.giveValue(listen, Uint8Array.of(3));
    reg.listens.delete(listen.listen);
    expect(rapid('EX3')).toEqual(value);
  });

  test('D-03 the published value is the latest of those that still listen', () => {
    const reg = registry();
    const [a, b] = ['a', 'b'].map((name) => reg.addAsa('main', name));
    for (const asa of [a!, b!]) reg.addObjective(asa, registration('EX3', { ...SYNCH, overlap: true }));
    expect(reg.published('EX3')).toBeUndefined();
    const first = reg.addListen(a!, 'EX3', 'sessions-1', 'synchronize', Uint8Array.of(1));
    expect(reg.published('EX3')).toBeUndefined();
    first.open = true;
    const second = reg.addListen(b!, 'EX3', 'sessions-2', 'synchronize', Uint8Array.of(2));
    second.open = true;
    expect(reg.published('EX3')).toEqual(Uint8Array.of(2));
    reg.giveValue(first, Uint8Array.of(3));
    expect(reg.published('EX3')).toEqual(Uint8Array.of(3));
    reg.listens.delete(first.listen);
    expect(reg.published('EX3')).toEqual(Uint8Array.of(2));
  });

  test('listens are found by ASA, objective, client and host, in any combination', () => {
    const { reg, briggs, gray, first, second } = listening();
    expect(reg.listensOf({})).toEqual([first, second]);
    expect(reg.listensOf({ asa: briggs.handle })).toEqual([first]);
    expect(reg.listensOf({ client: 'worker' })).toEqual([second]);
    expect(reg.listensOf({ host: 'asa-1', objective: 'EX3' })).toEqual([second]);
    expect(reg.listensOf({ objective: 'EX4' })).toEqual([]);
    expect(reg.listensOf({ asa: gray.handle, client: 'main' })).toEqual([]);
    expect(first.listen).not.toBe(second.listen);
  });
});
