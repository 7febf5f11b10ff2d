/** RUNTIME on a real machine: what is stopped, starved or blocked is not hung. Nothing is restarted, service goes on. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { startEngine, type Commanded } from './commanded.js';
import { labDescribe } from './describe.js';
import { createLab, type Lab } from './netns.js';

jest.setTimeout(120_000);

const IF = 'l1';
const NAME = 'EX3';
const STOPPED_S = process.env['GRASP_LONG'] === '1' ? 30 : 3;
const UNTOUCHED = { supervisor: 0, core: 0, listener: 0, 'sessions-1': 0 };

/** Resolves when a program has run to its end; time that passes outside this process. */
function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
}

const seconds = (n: number): Promise<void> => ended(spawn('sleep', [String(n)]));

labDescribe('what is busy is not hung, on a real link', () => {
  let lab: Lab;
  let engine: Commanded;
  let gray: Commanded;

  beforeAll(async () => {
    lab = await createLab({ nodes: ['a', 'b'], links: { [IF]: ['a', 'b'] }, ula: true });
  });
  afterAll(async () => {
    await lab.close();
  });
  beforeEach(async () => {
    // The default: hung after 500 ms.
    engine = await startEngine(lab, 'a', { interface: IF });
    gray = await startEngine(lab, 'b', { interface: IF });
    await engine.call('offer', { name: NAME });
    await negotiates();
  });
  afterEach(async () => {
    for (const { program } of [engine, gray]) {
      program.kill('SIGKILL');
      await program.ended;
    }
  });

  async function negotiates(): Promise<void> {
    expect(await gray.call('negotiate', { name: NAME })).toMatchObject({ state: 'accepted' });
  }

  /** Nothing was restarted, and nothing is about to be: supervision has had its time to judge wrongly. */
  async function untouched(): Promise<void> {
    await seconds(1.5);
    expect(await engine.restarts()).toEqual(UNTOUCHED);
    await negotiates();
  }

  test(`the process stopped ${STOPPED_S} s and continued`, async () => {
    const { pid } = engine.program;
    process.kill(pid, 'SIGSTOP');
    await seconds(STOPPED_S);
    process.kill(pid, 'SIGCONT');
    await negotiates();
    await untouched();
  });

  test('stopped in the middle of a negotiation, which goes on afterwards', async () => {
    const { pid } = engine.program;
    process.kill(pid, 'SIGSTOP');
    const { ula } = lab.addresses('a', IF);
    const status = gray.call('negotiate', { name: NAME });
    await seconds(1);
    process.kill(pid, 'SIGCONT');
    expect(ula).toBeDefined();
    expect(await status).toMatchObject({ state: 'accepted' });
    await untouched();
  });

  test('the machine at 100 % CPU', async () => {
    // Bounded by itself: it ends after 5 s, whatever becomes of this test.
    const loop = 'const until = Date.now() + 5000; while (Date.now() < until);';
    const busy = Array.from({ length: 8 }, () => spawn(process.execPath, ['-e', loop]));
    let over = false;
    const all = Promise.all(busy.map(ended)).then(() => (over = true));
    let during = 0;
    while (!over) {
      await negotiates();
      during++;
    }
    await all;
    expect(during).toBeGreaterThan(0);
    await untouched();
  });

  test('the main thread blocked 5 s', async () => {
    const blocked = engine.call('blockMain', { ms: 5_000 });
    await blocked;
    await negotiates();
    await untouched();
  });
});
