/**
 * RFC 8990 §2.2, issue of change: interfaces and addresses that come, go, flap, are renumbered or made again, and a
 * process that stood still meanwhile. After each, discovery and negotiation work again in both directions within
 * three seconds, and what goes out carries what is true now.
 */
import { afterEach, expect, jest, test } from '@jest/globals';
import { decode } from 'cborg';
import { spawn } from 'node:child_process';
import { isIPv4 } from 'node:net';
import { startEngine, type Commanded, type EnginePlan } from './commanded.js';
import { labDescribe } from './describe.js';
import { createLab, type Lab, type LabPlan } from './netns.js';
import { startAgent, type Line, type Program } from './program.js';

jest.setTimeout(process.env['GRASP_LONG'] === '1' ? 240_000 : 60_000);

const IF = 'l1';
const HERE = 'EX3';
const THERE = 'EX4';
const AGAIN_MS = 3_000;
const STOPPED_S = process.env['GRASP_LONG'] === '1' ? 130 : 5;

/** Time that passes outside this process. */
function seconds(n: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('sleep', [String(n)]);
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
}

/** An address of 16 bytes as the wire has it, as text of RFC 5952. */
function textOf(bytes: unknown): string {
  const hex = Buffer.from(bytes as Uint8Array).toString('hex');
  return normal(hex.match(/.{4}/g)!.join(':'));
}

/** The lab writes some addresses otherwise. */
function normal(address: string): string {
  return isIPv4(address) ? address : new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

labDescribe('interfaces and addresses that change, on real links', () => {
  let lab: Lab;
  /** Offers HERE, looks for THERE. */
  let engine: Commanded;
  /** Offers THERE, looks for HERE. */
  let gray: Commanded;

  afterEach(async () => {
    await lab.close();
  });

  async function begin(plan: Partial<LabPlan> = {}, engines: Partial<EnginePlan> = {}): Promise<void> {
    lab = await createLab({ nodes: ['a', 'b'], links: { [IF]: ['a', 'b'] }, ula: true, ...plan });
    engine = await startEngine(lab, 'a', { interface: IF, ...engines });
    gray = await startEngine(lab, 'b', { interface: IF, ...engines });
    await engine.call('offer', { name: HERE });
    await gray.call('offer', { name: THERE });
    await worksAgain();
  }

  /** Asks until the answer is right, at most until the time is over; how long it took, ms. */
  async function until(right: () => Promise<boolean>, atMostMs = AGAIN_MS): Promise<number> {
    const from = performance.now();
    for (;;) {
      let failure: unknown = 'the answer was not the one wanted';
      const ok = await right().catch((error: unknown) => {
        failure = error;
        return false;
      });
      const took = performance.now() - from;
      if (took > atMostMs) throw new Error(`not within ${atMostMs} ms`, { cause: failure });
      if (ok) return took;
    }
  }

  const negotiates = async (who: Commanded, name: string): Promise<boolean> =>
    (await who.call('negotiate', { name, timeoutMs: 300 }))['state'] === 'accepted';

  async function worksAgain(): Promise<void> {
    await until(async () => {
      const both = await Promise.all([negotiates(gray, HERE), negotiates(engine, THERE)]);
      return both.every(Boolean);
    });
  }

  const sees = (who: Commanded, right: (interfaces: Line[]) => boolean): Promise<number> =>
    until(async () => right((await who.status()).interfaces as unknown as Line[]));
  const seesNone = (who: Commanded): Promise<number> => sees(who, (interfaces) => interfaces.length === 0);

  /** The address a discovery of `name` finds. */
  const found = async (who: Commanded, name: string): Promise<unknown> =>
    (await who.call('discover', { name, timeoutMs: 300 }))['address'];

  /** The initiator of discoveries of `name` heard after now. */
  async function initiator(ear: Program, name: string): Promise<unknown> {
    const before = ear.lines.length;
    await engine.call('discover', { name, timeoutMs: 50 });
    const { hex } = await ear.line((line) => {
      if (ear.lines.indexOf(line) < before || line['event'] !== 'heard') return false;
      const [type, , , objective] = decode(Buffer.from(String(line['hex']), 'hex')) as unknown[];
      return type === 1 && (objective as unknown[])[0] === name;
    });
    const [, , address] = decode(Buffer.from(String(hex), 'hex')) as unknown[];
    return textOf(address);
  }

  const noRestarts = async (): Promise<void> => {
    for (const each of [engine, gray]) {
      expect(Object.values(await each.restarts()).every((n) => n === 0)).toBe(true);
    }
  };

  test('an interface down and up again', async () => {
    await begin();
    await lab.setUp('a', IF, false);
    await seesNone(engine);
    expect(await found(gray, HERE)).toBeUndefined();
    await lab.setUp('a', IF, true);
    await worksAgain();
    await noRestarts();
  });

  test('an interface that flaps', async () => {
    await begin();
    for (let i = 0; i < 8; i++) await lab.setUp('a', IF, i % 2 === 1);
    await worksAgain();
    await noRestarts();
  });

  test('a ULA address renumbered: the next M_RESPONSE and the next initiator carry the new one', async () => {
    await begin();
    const ear = startAgent(lab, 'b', 'ear', IF);
    await ear.event('ready');
    const before = normal(lab.addresses('a', IF).ula!);
    expect(await found(gray, HERE)).toBe(before);
    expect(await initiator(ear, 'EX9')).toBe(before);
    const after = normal(await lab.renumber('a', IF));
    expect(after).not.toBe(before);
    await until(async () => (await found(gray, HERE)) === after);
    await until(async () => (await initiator(ear, 'EX9')) === after);
    await worksAgain();
  });

  test('a link-local address changed, on a node that has no other', async () => {
    await begin({ ula: false });
    const ear = startAgent(lab, 'b', 'ear', IF);
    await ear.event('ready');
    const before = lab.addresses('a', IF).linkLocal;
    expect(await found(gray, HERE)).toBe(before);
    const after = await lab.changeLinkLocal('a', IF);
    await until(async () => (await found(gray, HERE)) === after);
    await until(async () => (await initiator(ear, 'EX9')) === after);
    await worksAgain();
  });

  test('an interface deleted, and made again under its name when everybody has noticed', async () => {
    await begin();
    await lab.removeLink(IF);
    await seesNone(engine);
    await seesNone(gray);
    await lab.restoreLink(IF);
    await worksAgain();
    await noRestarts();
  });

  test('an interface deleted and made again at once: sockets of the old index are renewed', async () => {
    await begin();
    const before = (await engine.status()).interfaces[0]!.index;
    await lab.removeLink(IF);
    await lab.restoreLink(IF);
    await worksAgain();
    // The thread that tells the status takes looks of its own, and may have taken one in between.
    await sees(engine, ([one]) => one !== undefined && one['index'] !== before);
    await noRestarts();
  });

  test('an interface that comes when the engine runs already', async () => {
    await begin({ links: { [IF]: ['a', 'b'], l2: ['a', 'b'] } }, { interfaces: [IF, 'l2'] });
    await lab.removeLink('l2');
    await sees(engine, (interfaces) => interfaces.length === 1);
    await sees(gray, (interfaces) => interfaces.length === 1);
    await lab.restoreLink('l2');
    await lab.setUp('a', IF, false);
    await worksAgain();
    await noRestarts();
  });

  test('a worker that fails while its interface is away is replaced all the same', async () => {
    await begin();
    await lab.removeLink(IF);
    await seesNone(engine);
    for (const host of ['core', 'listener']) await engine.call('fail', { host, fault: 'throw' });
    await until(async () => {
      const { core, listener } = await engine.restarts();
      return core === 1 && listener === 1;
    });
    await lab.restoreLink(IF);
    await worksAgain();
    expect(await engine.restarts()).toMatchObject({ core: 1, listener: 1 });
  });

  test('a link that has IPv4 only, renumbered, and deleted and made again', async () => {
    await begin({ ipv6: false, ipv4: true });
    const before = await found(gray, HERE);
    expect(before).toBe(lab.addresses('a', IF).ipv4);
    expect(isIPv4(String(before))).toBe(true);
    await lab.renumber('a', IF);
    const { ipv4: after } = lab.addresses('a', IF);
    expect(after).not.toBe(before);
    await until(async () => (await found(gray, HERE)) === after);
    await worksAgain();
    await lab.renumber('b', IF);
    await worksAgain();
    await lab.removeLink(IF);
    await lab.restoreLink(IF);
    await worksAgain();
    await noRestarts();
  });

  test('a node with IPv4 only finds one that has both, and is given an address it can reach', async () => {
    await begin({ ipv4: true });
    const script = `echo 1 > /proc/sys/net/ipv6/conf/${IF}/disable_ipv6`;
    await lab.run('a', ['sh', '-ec', script]);
    await sees(engine, ([info]) => info !== undefined && info['linkLocal'] === undefined);
    await until(() => negotiates(engine, THERE));
    expect(await found(engine, THERE)).toBe(lab.addresses('b', IF).ipv4);
  });

  test('an interface that loses IPv6 goes on by IPv4, and takes IPv6 up again', async () => {
    await begin({ ipv4: true });
    const ipv6 = async (on: boolean): Promise<void> => {
      const script = `echo ${on ? 0 : 1} > /proc/sys/net/ipv6/conf/${IF}/disable_ipv6`;
      for (const node of ['a', 'b']) await lab.run(node, ['sh', '-ec', script]);
    };
    const bothSee = async (has: boolean): Promise<void> => {
      for (const each of [engine, gray]) {
        await sees(each, ([info]) => info !== undefined && (info['linkLocal'] !== undefined) === has);
      }
    };
    await ipv6(false);
    await bothSee(false);
    await worksAgain();
    expect(await found(gray, HERE)).toBe(lab.addresses('a', IF).ipv4);
    await ipv6(true);
    await bothSee(true);
    const ear = startAgent(lab, 'b', 'ear', IF);
    await ear.event('ready');
    // By IPv6 again: this ear hears nothing else.
    expect(typeof (await sourceOf(ear, 'EX9'))).toBe('string');
    await worksAgain();
  });

  /** The source of the next discovery of `name`. */
  async function sourceOf(ear: Program, name: string): Promise<unknown> {
    await engine.call('discover', { name, timeoutMs: 50 });
    const { address } = await ear.line((line) => {
      if (line['event'] !== 'heard') return false;
      const [, , , objective] = decode(Buffer.from(String(line['hex']), 'hex')) as unknown[];
      return (objective as unknown[])[0] === name;
    });
    return address;
  }

  test(`a process stopped ${STOPPED_S} s, its interface renumbered and made again meanwhile`, async () => {
    await begin();
    const { pid } = engine.program;
    process.kill(pid, 'SIGSTOP');
    await lab.removeLink(IF);
    await lab.restoreLink(IF);
    const after = normal(await lab.renumber('a', IF));
    await seconds(STOPPED_S);
    process.kill(pid, 'SIGCONT');
    await worksAgain();
    expect(await found(gray, HERE)).toBe(after);
    await noRestarts();
  });

  test('§2.3 several engines of one host hear each other, and a third node reaches both', async () => {
    await begin();
    const second = await startEngine(lab, 'a', { interface: IF });
    await second.call('offer', { name: 'EX5' });
    for (const [who, name] of [
      [engine, 'EX5'],
      [second, HERE],
      [second, THERE],
      [gray, HERE],
      [gray, 'EX5'],
    ] as const) {
      await until(() => negotiates(who, name));
    }
  });
});
