/** The suite itself: a few quick rows against this engine, and against one that does nothing. */
import { expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { labDescribe } from '../lab/describe.js';
import type { SuiteResult } from './suite.js';

const RUN = fileURLToPath(new URL('./run.js', import.meta.url));
const BROKEN = fileURLToPath(new URL('./broken/run.js', import.meta.url));
const MUTE = fileURLToPath(new URL('./adapters/mute.js', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const conformance = (...args: string[]): Promise<Ended> => runFile(RUN, args);

function runFile(file: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Tests run beside others: everything may take longer than alone. */
const PATIENT = ['--patience', '5', '--json'];

labDescribe('the conformance suite', () => {
  test('finds rows of every kind passed by this engine', async () => {
    const rows = ['G-2.5.4.1-01', 'G-2.5.4.3-05', 'G-2.8.2-07', 'G-2.8.7-03', 'A-2.3.5-05', 'G-2.5.1-01'];
    const { code, stdout, stderr } = await conformance(...PATIENT, '--jobs', '2', '--only', rows.join());
    const result = JSON.parse(stdout) as SuiteResult;
    expect(result.rows.filter(({ status }) => status === 'failed')).toEqual([]);
    expect(result.summary).toEqual({ passed: 5, failed: 0, notApplicable: 1 });
    expect(result.rows.map(({ id }) => id).sort()).toEqual([...rows].sort());
    expect(result.engine.name).toBe('anima-grasp');
    expect(stderr).toMatch(/\[6\/6\]/);
    expect(code).toBe(0);
  }, 120_000);

  test('names what an engine that does nothing does not do, and what does not apply to it', async () => {
    const rows = 'G-2.5.4.3-02,G-2.5.4.3-05,G-2.5.2-01,A-2.3.5-05';
    const { code, stdout } = await conformance(...PATIENT, '--adapter', MUTE, '--jobs', '1', '--only', rows);
    const result = JSON.parse(stdout) as SuiteResult;
    const reasons = Object.fromEntries(
      result.rows.map(({ id, status, reason }) => [id, `${status}: ${reason}`]),
    );
    expect(reasons['G-2.5.4.3-02']).toMatch(
      /^failed: no connection to port \d+ of P within 2000 ms\n[^]*P sends to/,
    );
    // It is silent where it should be, and where it should not.
    expect(reasons['G-2.5.4.3-05']).toMatch(/^failed: E no longer answers a discovery/);
    expect(reasons['G-2.5.2-01']).toBe('notApplicable: the engine has no dull');
    expect(reasons['A-2.3.5-05']).toBe('notApplicable: no requests');
    expect(result.summary).toEqual({ passed: 0, failed: 2, notApplicable: 2 });
    expect(code).toBe(1);
  }, 120_000);

  test('refuses rows and adapters that there are not', async () => {
    expect(await conformance('--only', 'G-0-00')).toMatchObject({ code: 2, stderr: 'no row G-0-00\n' });
    expect(await conformance('--adapter', './nobody')).toMatchObject({ code: 2 });
    expect(await conformance('--jobs', 'many')).toMatchObject({ code: 2 });
    expect(await conformance('a.json')).toMatchObject({ code: 2, stderr: 'what is a.json for?\n' });
    expect(await conformance('--report', 'x.md', 'none.json')).toMatchObject({ code: 2 });
  }, 60_000);

  test('names a broken engine', async () => {
    const name = 'DULL: takes floods of any objective';
    const { code, stdout } = await runFile(BROKEN, ['--patience', '5', '--only', name]);
    expect(stdout).toBe(`named  G-2.5.2-07: ${name}\n1 of 1 broken engines named\n`);
    expect(code).toBe(0);
  }, 60_000);
});
