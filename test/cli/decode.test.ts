import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Exit } from '../../src/cli/exit.js';
import { grasp } from './world.js';

const REQ_NEG = '831903031a000f4240'; // not a message, see below
const NEG = '830501' + '84634558330305' + '82634e5a4418c8';

describe('grasp decode', () => {
  test('a message is told with its RFC names, as text', async () => {
    const run = await grasp(['decode', NEG]);
    expect(run.exit).toBe(Exit.done);
    expect(run.stdout).toBe(
      'M_NEGOTIATE (17 bytes)\n' +
        '  session id: 1\n' +
        '  objective: "EX3" F_DISC+F_NEG loop count 5, value ["NZD",200]\n' +
        '  cbor: [5, 1, ["EX3", 3, 5, ["NZD", 200]]]\n',
    );
  });

  test('and as JSON', async () => {
    const { lines, exit } = await grasp(['decode', '--json', NEG]);
    expect(exit).toBe(Exit.done);
    expect(lines).toEqual([
      {
        event: 'message',
        type: 'M_NEGOTIATE',
        sessionId: 1,
        objective: { name: 'EX3', flags: ['F_DISC', 'F_NEG'], loopCount: 5, value: ['NZD', 200] },
        bytes: 17,
        contexts: ['rapid', 'session'],
        droppedOptions: 0,
        diagnostic: '[5, 1, ["EX3", 3, 5, ["NZD", 200]]]',
      },
    ]);
  });

  test('standard input is read when no HEX is given; several items one after the other', async () => {
    const { lines, exit } = await grasp(['decode', '--json'], { stdin: '0x8100 83:06:01:\n81 18 65\n8100' });
    expect(exit).toBe(Exit.done);
    expect(lines.map((line) => [line['type'], line['option']])).toEqual([
      ['M_NOOP', undefined],
      ['M_END', 'O_ACCEPT'],
      ['M_NOOP', undefined],
    ]);
  });

  test('an item that is no message: exit 1 and the reason', async () => {
    const item = await grasp(['decode', '--json', '8118f0']);
    expect(item.exit).toBe(Exit.noAgreement);
    expect(item.lines).toMatchObject([
      { event: 'refused', kind: 'unknown', type: '240', diagnostic: '[240]' },
    ]);
    const text = await grasp(['decode', 'f6']);
    expect(text.exit).toBe(Exit.noAgreement);
    expect(text.stdout).toContain('Not a GRASP message');
    const shape = await grasp(['decode', '8203']);
    expect(shape.exit).toBe(Exit.noAgreement);
  });

  test('malformed and truncated bytes: exit 1, what came before is told', async () => {
    const malformed = await grasp(['decode', '--json', '8100', 'ff']);
    expect(malformed.exit).toBe(Exit.noAgreement);
    expect(malformed.lines).toMatchObject([
      { event: 'message', type: 'M_NOOP' },
      { event: 'refused', kind: 'malformed' },
    ]);
    const truncated = await grasp(['decode', '--json', REQ_NEG]);
    expect(truncated.exit).toBe(Exit.noAgreement);
    expect(truncated.lines).toMatchObject([{ event: 'refused', reason: 'truncated', pendingBytes: 9 }]);
  });

  test('a dump may be longer than a message may be', async () => {
    const long = '5a00010000' + '00'.repeat(65536);
    const run = await grasp(['decode', '--json', '830501' + '846345583303' + '05' + long]);
    expect(run).toMatchObject({
      exit: Exit.done,
      lines: [{ type: 'M_NEGOTIATE', bytes: 3 + 8 + 65541 - 1 }],
    });
  });

  test('every valid vector is a message; what is not well-formed is not; none upsets the command', async () => {
    const file = new URL('../../../test/vectors/vectors.json', import.meta.url);
    const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as {
      vectors: readonly { name: string; hex: string; valid: boolean; wellFormed: boolean }[];
    };
    expect(vectors.length).toBeGreaterThan(300);
    for (const { name, hex, valid, wellFormed } of vectors) {
      const { exit, stderr } = await grasp(['decode', '--json', hex]);
      if (hex === '') expect([name, exit]).toEqual([name, Exit.usage]);
      else if (valid) expect([name, exit, stderr]).toEqual([name, Exit.done, '']);
      // Two messages are one too many for a datagram, but fine in a dump.
      else if (!wellFormed && name !== 'bad.cbor.two-messages-udp')
        expect([name, exit, stderr]).toEqual([name, Exit.noAgreement, '']);
      else expect([name, stderr]).toEqual([name, '']);
    }
  });
});
