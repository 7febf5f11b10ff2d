/**
 * Two nodes talk, tcpdump listens, and every message is shown: those of this engine, and those of the Python
 * prototype. The captures in `data` are made here: GRASP_WRITE_CAPTURES=1 writes them anew.
 */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { grasp, type Line } from '../cli/world.js';
import type { LocatorArgument } from '../conformance/adapter.js';
import { MixedLab, type MixedNode } from '../interop/mixed.js';
import { interopDescribe } from '../interop/prototype.js';
import { labDescribe } from '../lab/describe.js';
import { MAIN, Program } from '../lab/program.js';
import { dataFile } from './data.js';
import { toolDescribe } from './tools.js';

jest.setTimeout(90_000);

const LINK = 'l1';

/** What the two say to each other: each kind of message at least once. */
async function converse(a: MixedNode, b: MixedNode, address: string): Promise<void> {
  const tag: LocatorArgument = { kind: 'ipv6', address, protocol: 6, port: 4000 };
  await a.registers({ name: 'EX2', synchronize: true });
  await a.registers({ name: 'EX4', synchronize: true });
  await a.floods(
    60_000,
    { name: 'EX2', value: ['€', 2 ** 31, [true, null, -7]], locator: tag },
    { name: 'EX4', value: 1.5 },
  );
  await b.receives('EX4');

  await a.publishes({ name: 'EX1', value: [true, 'text'] });
  const synch = { name: 'EX1', synchronize: true };
  const where = await b.finds(synch);
  await b.engine.synchronize(b.asa, synch, { peer: where, timeoutMs: 5000 });

  const objective = { name: 'EX3', negotiate: true };
  await a.registers(objective);
  await b.registers(objective);
  const first = await a.engine.listenNegotiate(a.asa, objective);
  const options = { peer: await b.finds(objective), timeoutMs: 20_000 };
  const asked = b.engine.requestNegotiate(b.asa, { ...objective, value: ['NZD', 300] }, options);
  const { session } = await first.request;
  const counter = a.engine.negotiateStep(a.asa, session, { ...objective, value: ['NZD', 100] });
  const offered = await asked;
  if (offered.state !== 'offered') throw new Error(offered.state);
  const last = b.engine.negotiateStep(b.asa, offered.session, { ...objective, value: ['NZD', 200] });
  await counter;
  await a.engine.negotiateWait(a.asa, session, 20_000);
  // The prototype takes one read for one message: a pause, as long as a discovery that nobody answers.
  await a.engine.discover(a.asa, { name: 'nobody' }, { timeoutMs: 500 });
  await a.engine.endNegotiate(a.asa, session, true);
  await last;

  const second = await a.engine.listenNegotiate(a.asa, objective);
  const again = b.engine.requestNegotiate(b.asa, { ...objective, value: ['NZD', 1] }, options);
  await a.engine.endNegotiate(a.asa, (await second.request).session, false, 'zu wenig');
  await again;
}

/** What must be shown, in this order: type, and who said it. A discovery may have been repeated. */
const EXPECTED = [
  ['M_FLOOD', 'a'],
  ['M_DISCOVERY', 'b'],
  ['M_RESPONSE', 'a'],
  ['M_REQ_SYN', 'b'],
  ['M_SYNCH', 'a'],
  ['M_DISCOVERY', 'b'],
  ['M_RESPONSE', 'a'],
  ['M_REQ_NEG', 'b'],
  ['M_NEGOTIATE', 'a'],
  ['M_NEGOTIATE', 'b'],
  ['M_WAIT', 'a'],
  ['M_DISCOVERY', 'a'],
  ['M_END', 'a'],
  ['M_REQ_NEG', 'b'],
  ['M_END', 'a'],
];

for (const [kind, fixture, whereDescribe] of [
  ['ours', 'two-nodes.pcap', labDescribe],
  ['theirs', 'two-prototypes.pcap', interopDescribe],
] as const) {
  const name = `a capture of two nodes (${kind})`;
  whereDescribe(name, () => {
    toolDescribe('tcpdump', name, () => {
      let lab: MixedLab;
      let folder: string;

      beforeAll(async () => {
        folder = mkdtempSync(join(tmpdir(), 'grasp-capture-'));
        lab = await MixedLab.make({ a: kind, b: kind }, { [LINK]: ['a', 'b'] });
      });
      afterAll(async () => {
        await lab.close();
        rmSync(folder, { recursive: true, force: true });
      });

      test('decode of the file, and --live beside it, show every message', async () => {
        const file = join(folder, 'all.pcap');
        const filter = 'udp port 7017 or tcp';
        // Not -Z: it could not write into the folder any more.
        const argv = ['tcpdump', '-i', LINK, '-U', '--immediate-mode', '-Z', 'root', '-w', file, filter];
        const dump = lab.spawn('a', argv);
        await listening(dump);
        const decode = [process.execPath, MAIN, 'decode', '--live', '-i', LINK, '--json'];
        const live = new Program(lab.spawn('a', decode));
        await live.event('ready');
        await converse(lab.node('a'), lab.node('b'), lab.address('a', LINK));
        await live.line((line) => line['option'] === 'O_DECLINE');
        live.kill('SIGINT');
        expect(await live.ended).toEqual({ code: 0, signal: null });
        const ended = once(dump, 'close');
        dump.kill('SIGINT');
        await ended;
        if (process.env['GRASP_WRITE_CAPTURES'] === '1') copyFileSync(file, dataFile(fixture));

        const { lines, exit } = await grasp(['decode', '--json', file]);
        expect(exit).toBe(0);
        expect(lines.filter(({ event }) => event === 'refused')).toEqual([]);
        expect(spoken(lines, lab.addresses('a', LINK))).toEqual(EXPECTED);
        // The same messages, live.
        expect(said(live.lines)).toEqual(said(lines));
      });
    });
  });
}

async function listening(dump: ChildProcess): Promise<void> {
  let text = '';
  for await (const chunk of dump.stderr!) {
    text += String(chunk);
    if (text.includes('listening on')) return;
  }
  throw new Error(`tcpdump does not listen: ${text}`);
}

/** Type and speaker of each message; repeated discoveries once. `a`: the addresses of that node. */
function spoken(lines: readonly Line[], a: readonly string[]): unknown[] {
  const all: (readonly [unknown, string])[] = [];
  for (const { event, type, source } of lines) {
    if (event !== 'message') continue;
    const who = a.includes((source as { address: string }).address) ? 'a' : 'b';
    const before = all.at(-1);
    if (type !== 'M_DISCOVERY' || before?.[0] !== type || before[1] !== who) all.push([type, who]);
  }
  return all;
}

function said(lines: readonly Line[]): unknown[] {
  return lines
    .filter(({ event }) => event === 'message')
    .map(({ type, sessionId, diagnostic, source }) => ({ type, sessionId, diagnostic, source }));
}
