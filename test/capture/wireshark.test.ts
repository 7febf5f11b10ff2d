/** The dissector in extras/wireshark, run by tshark on captures: it sees what `grasp decode` sees. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { diagnostic } from '../../src/protocol/index.js';
import { root } from '../tooling/root.js';
import { grasp, type Line } from '../cli/world.js';
import {
  FD00_A,
  FD00_B,
  FE80_A,
  FE80_B,
  Talk,
  cbor,
  discoveryFrame,
  ethernet,
  ip,
  join,
  pcap,
  say,
  timed,
  udp,
} from './build.js';
import { dataFile } from './data.js';
import { toolDescribe } from './tools.js';

jest.setTimeout(60_000);

const SCRIPT = joinPath(root, 'extras/wireshark/grasp.lua');
const A = { address: FD00_A, port: 41_000 };
const B = { address: FD00_B, port: 50_000 };

toolDescribe('tshark', 'the Wireshark dissector', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(joinPath(tmpdir(), 'grasp-tshark-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Fields of the packets that a filter lets through, one array per packet. */
  function tshark(file: string, filter: string, ...fields: string[]): string[][] {
    const argv = [
      '-r',
      file,
      '-X',
      `lua_script:${SCRIPT}`,
      '-Y',
      filter,
      '-T',
      'fields',
      '-E',
      'separator=|',
    ];
    for (const field of fields) argv.push('-e', field);
    // No configuration but this; nothing of it is said on stderr if all is well.
    const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder };
    const stdout = execFileSync('tshark', argv, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] });
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('|'));
  }

  function file(frames: readonly Uint8Array[]): string {
    const path = joinPath(folder, 'x.pcap');
    writeFileSync(path, pcap(timed(frames)));
    return path;
  }

  /** A discovery and its answer: the locator is A's. */
  function discovered(): Uint8Array[] {
    const answer = new Talk({ address: FE80_A, port: 39_999 }, { address: FE80_B, port: 40_000 }).open();
    answer.says('client', say.response(say.locator(A.address, A.port))).closes('client', 'server');
    return [discoveryFrame(), ...answer.frames];
  }

  test.each(['two-nodes.pcap', 'two-prototypes.pcap'])(
    '%s: every message, as decode shows it',
    async (name) => {
      const { lines } = await grasp(['decode', '--json', dataFile(name)]);
      const expected = lines.map(
        ({ packet, type, sessionId, objective, objectives, diagnostic: notation }) => {
          const all = (objectives ?? (objective ? [objective] : [])) as Line[];
          return [
            String(packet),
            type,
            String(sessionId),
            all.map((each) => each['name']).join(','),
            notation,
          ];
        },
      );
      const seen = tshark(
        dataFile(name),
        'grasp',
        'frame.number',
        'grasp.type',
        'grasp.session',
        'grasp.objective',
        'grasp.cbor',
      );
      const TYPES: Record<string, string> = {
        1: 'M_DISCOVERY',
        2: 'M_RESPONSE',
        3: 'M_REQ_NEG',
        4: 'M_REQ_SYN',
        5: 'M_NEGOTIATE',
        6: 'M_END',
        7: 'M_WAIT',
        8: 'M_SYNCH',
        9: 'M_FLOOD',
      };
      expect(seen.map(([packet, type, ...rest]) => [packet, TYPES[type!], ...rest])).toEqual(expected);
      expect(tshark(dataFile(name), 'grasp.problem', 'frame.number')).toEqual([]);
    },
  );

  test('filters: session, objective, type, flags, locator', async () => {
    const { lines } = await grasp(['decode', '--json', dataFile('two-nodes.pcap')]);
    const count = (filter: string): number =>
      tshark(dataFile('two-nodes.pcap'), filter, 'frame.number').length;
    const session = lines.find(({ type }) => type === 'M_REQ_NEG')!['sessionId'];
    expect(count(`grasp.session == ${String(session)}`)).toBe(5);
    expect(count('grasp.objective == "EX3"')).toBe(5);
    expect(count('grasp.type == 5')).toBe(2);
    expect(count('grasp.type == "M_FLOOD"')).toBe(1);
    expect(count('grasp.flags.synch == 1')).toBe(3);
    expect(count('grasp.locator.port == 4000')).toBe(1);
    expect(count('grasp.reason == "zu wenig"')).toBe(1);
  });

  test('a stream is put together: cut at every byte, and several messages in one segment', () => {
    const bytes = join(say.wait(), say.step('é'.repeat(20)), say.wait(1));
    const talk = new Talk(B, A).open().says('client', say.request());
    talk.says('server', ...[...bytes].map((byte) => Uint8Array.of(byte)));
    talk.says('client', join(say.wait(2), say.accept()));
    const types = tshark(file([...discovered(), ...talk.frames]), 'grasp', 'grasp.type').flatMap(([all]) =>
      all!.split(','),
    );
    expect(types).toEqual(['1', '2', '3', '7', '5', '7', '7', '6']);
  });

  test('ports: 7017, learnt from locators, and by content; nothing else', () => {
    const at = (port: number, bytes: Uint8Array): Uint8Array[] =>
      new Talk(B, { address: FD00_A, port }).open().says('client', bytes).frames;
    const seen = (frames: Uint8Array[]): number => tshark(file(frames), 'grasp', 'frame.number').length;
    const shapeless = cbor([3, 1, 'EX3']);
    expect(seen(at(7017, shapeless))).toBe(1);
    expect(seen(at(A.port, shapeless))).toBe(0);
    expect(seen([...discovered(), ...at(A.port, shapeless)])).toBe(3);
    expect(seen(at(A.port, say.request()))).toBe(1);
    const flood = ethernet(
      ip(FE80_A, 'ff02::13', 17, udp(39_000, 7017, say.flood(say.locator(FD00_A, A.port)))),
    );
    expect(seen([flood, ...at(A.port, Buffer.from('GET / HTTP/1.1\r\n\r\n'))])).toBe(1);
    expect(seen([flood, ...at(A.port, say.wait())])).toBe(2);
  });

  test('what is not valid is said', () => {
    const group = (bytes: Uint8Array): Uint8Array =>
      ethernet(ip(FE80_B, 'ff02::13', 17, udp(40_000, 7017, bytes)));
    const frames = [
      group(say.discovery().subarray(0, -1)),
      group(join(say.discovery(), [0])),
      group(cbor([42, 1])),
      group(cbor([1, 4711, new Uint8Array(3), ['EX3', 3, 6]])),
      group(Uint8Array.of(0xff)),
      group(say.discovery()),
    ];
    expect(tshark(file(frames), 'grasp', 'frame.number', 'grasp.problem')).toEqual([
      ['1', 'truncated'],
      ['2', 'more than one item in a datagram'],
      ['3', 'an unknown message type'],
      ['4', 'no initiator'],
      ['5', 'a break outside'],
      ['6', ''],
    ]);
    expect(tshark(file(frames), 'grasp.malformed', 'frame.number')).toHaveLength(5);
  });

  test('every vector: values are shown in the same notation, nothing upsets the dissector', () => {
    const { vectors } = JSON.parse(readFileSync(joinPath(root, 'test/vectors/vectors.json'), 'utf8')) as {
      vectors: readonly { name: string; hex: string; valid: boolean }[];
    };
    const all = vectors.map(({ name, hex, valid }) => ({ name, valid, bytes: Buffer.from(hex, 'hex') }));
    const shown = all.filter(({ bytes }) => bytes.length > 0 && bytes.length < 60_000);
    const frames = shown.map(({ bytes }) => ethernet(ip(FE80_B, 'ff02::13', 17, udp(40_000, 7017, bytes))));
    const seen = tshark(file(frames), 'udp', 'frame.number', 'grasp.cbor', 'grasp.problem');
    expect(seen).toHaveLength(shown.length);
    for (const [i, { name, bytes, valid }] of shown.entries()) {
      let notation: string;
      try {
        notation = diagnostic(bytes);
      } catch {
        expect([name, seen[i]![2]]).not.toEqual([name, '']);
        continue;
      }
      if (valid) expect([name, seen[i]![2]]).toEqual([name, '']);
      expect([name, seen[i]![1]!.slice(0, 60)]).toEqual([name, notation.slice(0, 60)]);
    }
  });
});
