import { describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Exit } from '../../src/cli/exit.js';
import {
  FD00_A,
  FD00_B,
  FE80_A,
  FE80_B,
  Pcapng,
  START,
  Talk,
  cbor,
  discoveryFrame,
  ethernet,
  ip,
  pcap,
  say,
  timed,
  udp,
} from '../capture/build.js';
import { dataFile } from '../capture/data.js';
import { grasp, type Line, type Run, type RunOptions } from './world.js';

/** Runs `grasp decode` on these bytes as a file. */
async function decode(
  bytes: Uint8Array,
  argv: readonly string[] = ['--json'],
  options?: RunOptions,
): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'grasp-decode-'));
  try {
    const file = join(folder, 'x.pcap');
    writeFileSync(file, bytes);
    return await grasp(['decode', ...argv, file], options);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const short = (lines: readonly Line[]): unknown[] =>
  lines.map(({ event, type, objective, option }) => [
    event,
    type,
    (objective as Line | undefined)?.['name'] ?? option,
  ]);

const WHOLE = [
  ['message', 'M_FLOOD', undefined],
  ['message', 'M_DISCOVERY', 'EX1'],
  ['message', 'M_RESPONSE', undefined],
  ['message', 'M_REQ_SYN', 'EX1'],
  ['message', 'M_SYNCH', 'EX1'],
  ['message', 'M_DISCOVERY', 'EX3'],
  ['message', 'M_RESPONSE', undefined],
  ['message', 'M_REQ_NEG', 'EX3'],
  ['message', 'M_NEGOTIATE', 'EX3'],
  ['message', 'M_NEGOTIATE', 'EX3'],
  ['message', 'M_WAIT', undefined],
  ['message', 'M_DISCOVERY', 'nobody'],
  ['message', 'M_END', 'O_ACCEPT'],
  ['message', 'M_REQ_NEG', 'EX3'],
  ['message', 'M_END', 'O_DECLINE'],
];

describe.each(['two-nodes.pcap', 'two-prototypes.pcap'])('grasp decode of %s', (name) => {
  test('every message is shown, in the order of time', async () => {
    const run = await grasp(['decode', '--json', dataFile(name)]);
    expect(run.exit).toBe(Exit.done);
    expect(short(run.lines)).toEqual(WHOLE);
    const times = run.lines.map((line) => String(line['time']));
    expect(times).toEqual([...times].sort());
    expect(run.stderr).toBe('55 packets: 15 valid messages, 0 not valid, 0 packets of other traffic\n');
    const text = await grasp(['decode', dataFile(name)]);
    expect(text.stdout.match(/^#/gm)).toHaveLength(WHOLE.length);
  });

  test('a truncated file: what was read is shown, the offset told, exit 1', async () => {
    const bytes = readFileSync(dataFile(name));
    const run = await decode(bytes.subarray(0, 4000));
    expect(run.exit).toBe(Exit.noAgreement);
    const messages = run.lines.filter(({ event }) => event === 'message');
    expect(messages.length).toBeGreaterThan(5);
    expect(short(messages)).toEqual(WHOLE.slice(0, messages.length));
    const broken = run.lines.at(-1)!;
    expect(broken).toMatchObject({ event: 'broken', reason: 'file.truncated' });
    expect(run.stderr).toContain(`x.pcap is broken at offset ${String(broken['offset'])}: file.truncated`);
    expect(run.stderr.trimEnd().split('\n').at(-1)).toMatch(/^\d+ packets: \d+ valid messages/);
  });
});

const A = { address: FD00_A, port: 41_000 };
const B = { address: FD00_B, port: 50_000 };

describe('lines', () => {
  const answer = new Talk({ address: FE80_A, port: 39_999 }, { address: FE80_B, port: 40_000 }).open();
  answer.says('client', say.response(say.locator(A.address, A.port)));
  const talk = new Talk(B, A).open().says('client', say.request()).says('server', Uint8Array.of(0xff, 1));
  talk.resets('client');
  const frames = [discoveryFrame(), ...answer.frames, ...talk.frames];

  test('for people: when, by which interface, from whom to whom, what, and what is wrong', async () => {
    const file = new Pcapng().interface(1, [[2, Buffer.from('l1')]]);
    frames.forEach((frame, i) => file.packet(0, START / 1000n + BigInt(i), frame));
    const run = await decode(file.bytes, []);
    expect(run.exit).toBe(Exit.noAgreement);
    expect(run.stdout).toBe(
      `#1 2030-01-01T00:00:00.000000Z l1 udp [fe80::b]:40000 -> [ff02::13]:7017  M_DISCOVERY (29 bytes)
  session id: 4711
  initiator: fd00::b
  objective: "EX3" F_DISC+F_NEG loop count 6, no value
  cbor: [1, 4711, h'fd00000000000000000000000000000b', ["EX3", 3, 6]]
#5 2030-01-01T00:00:00.000004Z l1 tcp [fe80::a]:39999 -> [fe80::b]:40000  M_RESPONSE (49 bytes)
  session id: 4711
  initiator: fd00::b
  ttl: 60000 ms
  locator: [fd00::a]:41000 tcp
  cbor: [2, 4711, h'fd00000000000000000000000000000b', 60000, [103, h'fd00000000000000000000000000000a', 6, 41000]]
#9 2030-01-01T00:00:00.000008Z l1 tcp [fd00::b]:50000 -> [fd00::a]:41000  M_REQ_NEG (15 bytes)
  session id: 4711
  objective: "EX3" F_DISC+F_NEG loop count 6, value 300
  cbor: [3, 4711, ["EX3", 3, 6, 300]]
#10 2030-01-01T00:00:00.000009Z l1 tcp [fd00::a]:41000 -> [fd00::b]:50000  no GRASP message (2 bytes)
  problem: cbor.break (malformed)
  hex: ff01
#11 2030-01-01T00:00:00.000010Z l1 tcp [fd00::b]:50000 -> [fd00::a]:41000
  the connection was reset
`,
    );
    expect(run.stderr).toBe('11 packets: 3 valid messages, 1 not valid, 0 packets of other traffic\n');
  });

  test('as JSON, one object per message', async () => {
    const run = await decode(pcap(timed(frames)));
    expect(run.lines[1]).toEqual({
      event: 'message',
      packet: 5,
      time: '2030-01-01T00:00:00.000004Z',
      interface: null,
      transport: 'tcp',
      source: { address: 'fe80::a', port: 39_999 },
      destination: { address: 'fe80::b', port: 40_000 },
      found: 'discovery',
      type: 'M_RESPONSE',
      sessionId: 4711,
      initiator: 'fd00::b',
      ttlMs: 60_000,
      locators: [{ kind: 'ipv6', address: 'fd00::a', protocol: 'tcp', port: 41_000 }],
      bytes: 49,
      droppedOptions: 0,
      diagnostic:
        "[2, 4711, h'fd00000000000000000000000000000b', 60000, [103, h'fd00000000000000000000000000000a', 6, 41000]]",
    });
    expect(run.lines[3]).toMatchObject({
      event: 'refused',
      found: 'locator',
      type: null,
      sessionId: null,
      kind: 'malformed',
      reason: 'cbor.break',
      hex: 'ff01',
      diagnostic: null,
    });
    expect(run.lines[4]).toMatchObject({ event: 'trouble', reason: 'tcp.reset', transport: 'tcp' });
    expect(run.lines).toHaveLength(5);
  });

  test('a message that does not belong there, and one of the wrong shape', async () => {
    const group = (bytes: Uint8Array): Uint8Array =>
      ethernet(ip(FE80_B, 'ff02::13', 17, udp(40_000, 7017, bytes)), [7]);
    const shapeless = cbor([3, 4711, ['EX3', 3]]);
    const { exit, lines } = await decode(pcap(timed([group(say.step()), group(shapeless)])));
    expect(exit).toBe(Exit.noAgreement);
    expect(lines).toMatchObject([
      {
        event: 'refused',
        vlan: 7,
        type: 'M_NEGOTIATE',
        objective: { name: 'EX3', value: 100 },
        kind: 'misplaced',
        reason: 'message.misplaced',
      },
      {
        event: 'refused',
        type: 'M_REQ_NEG',
        sessionId: 4711,
        kind: 'unusable',
        reason: 'objective.shape',
        diagnostic: '[3, 4711, ["EX3", 3]]',
      },
    ]);
  });

  test('captures of several interfaces are put into the order of time', async () => {
    const at = (ns: bigint, port: number) => ({ bytes: discoveryFrame(port), time: START + ns * 1000n });
    const { lines } = await decode(pcap([at(3n, 3), at(1n, 1), at(2n, 2)]));
    expect(lines.map((line) => (line['source'] as Line)['port'])).toEqual([1, 2, 3]);
  });

  test('traffic that is not GRASP is counted in the last line, exit 0', async () => {
    const dns = ethernet(ip(FD00_B, FD00_A, 17, udp(5353, 53, Buffer.from('query'))));
    const ssh = new Talk(B, { address: FD00_A, port: 22 })
      .open()
      .says('server', Buffer.from('SSH-2.0-x\r\n'));
    const run = await decode(pcap(timed([dns, ...ssh.frames])), []);
    expect(run).toMatchObject({ exit: Exit.done, stdout: '' });
    expect(run.stderr).toBe('5 packets: 0 valid messages, 0 not valid, 5 packets of other traffic\n');
  });
});

describe('what is read', () => {
  test('standard input with -', async () => {
    const run = await grasp(['decode', '-', '--json'], { stdinBytes: pcap([{ bytes: discoveryFrame() }]) });
    expect(run.exit).toBe(Exit.done);
    expect(short(run.lines)).toEqual([['message', 'M_DISCOVERY', 'EX3']]);
  });

  test('a file that is no capture is broken at its first byte', async () => {
    const run = await decode(Buffer.from('no capture'));
    expect(run.exit).toBe(Exit.noAgreement);
    expect(run.lines).toEqual([{ event: 'broken', reason: 'file.unknown-format', offset: 0 }]);
  });

  test('a port that is named', async () => {
    const bytes = pcap([{ bytes: ethernet(ip(FE80_B, 'ff02::13', 17, udp(1, 7018, say.discovery()))) }]);
    expect((await decode(bytes)).lines).toEqual([]);
    expect((await decode(bytes, ['--json', '--port', '7018'])).lines).toHaveLength(1);
  });

  test.each<[string, readonly string[], string]>([
    ['no such file', ['no-such-file.pcap'], 'there is no file of that name'],
    ['a directory', ['/'], 'is a directory'],
    ['two files', ['x.pcap', 'y.pcap'], 'not hexadecimal'],
    ['--live without interface', ['--live'], '--live needs an interface'],
    ['--live with a file', ['--live', '-i', 'lo', 'x.pcap'], 'it goes without HEX or FILE'],
    ['-i without --live', ['-i', 'lo', '8100'], '-i goes only with --live'],
    ['--port with hex', ['--port', '1', '8100'], '--port goes only with a capture'],
    ['--port 0', ['--port', '0', 'x.pcap'], 'whole number from 1 to 65535'],
  ])('usage: %s', async (_name, argv, message) => {
    const run = await grasp(['decode', ...argv]);
    expect(run).toMatchObject({ exit: Exit.usage, stdout: '' });
    expect(run.stderr).toContain(message);
  });

  test('--live where no program captures: exit 3, and which package has one', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    try {
      const run = await grasp(['decode', '--live', '-i', 'lo']);
      expect(run).toMatchObject({ exit: Exit.engine, stdout: '' });
      expect(run.stderr).toContain('neither tcpdump nor dumpcap is installed');
      expect(run.stderr).toContain('install the package tcpdump, or wireshark-common');
    } finally {
      process.env['PATH'] = path;
    }
  });
});
