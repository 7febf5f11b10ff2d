/** `grasp demo` as a process: real workers over the simulated link. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, jest, test } from '@jest/globals';
import { DEFAULT_SEED, planConversations } from '../../src/cli/commands/demo.js';
import { rehearse } from './rehearsal.js';
import type { Line } from './world.js';

jest.setTimeout(60_000);

const MAIN = fileURLToPath(new URL('../../package/cli/main.js', import.meta.url));

interface Show {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly lines: readonly Line[];
}

function demo(...argv: string[]): Promise<Show> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, 'demo', ...argv], (_error, stdout, stderr) => {
      const json = stdout.split('\n').filter((line) => line.startsWith('{'));
      resolve({
        code: child.exitCode ?? -1,
        stdout,
        stderr: stderr.replace(/^\(.*Warning.*\n?|^\(Use `node.*\n?/gm, ''),
        lines: json.map((line) => JSON.parse(line) as Line),
      });
    });
  });
}

/** What was sent in a conversation, as the rehearsal writes it. */
function said(lines: readonly Line[], negotiation: number): string[] {
  return lines
    .filter((l) => l['negotiation'] === negotiation && l['event'] === 'step' && l['direction'] === 'sent')
    .map((l) => `${String(l['asa'])} ${(l['value'] as unknown[]).join(' ')} ${String(l['loopCount'])}`);
}

/** The story the engines told is the one that follows from the seed. */
function expectStory(show: Show, seed: number, grays: number): void {
  expect([show.code, show.stderr]).toEqual([0, '']);
  for (const { number, gray, plan } of planConversations(seed, grays)) {
    const story = rehearse(seed, gray, plan);
    const ends = show.lines.filter((l) => l['negotiation'] === number && l['event'] === 'end');
    expect([number, said(show.lines, number)]).toEqual([number, story.said]);
    expect(ends.map((l) => l['asa']).sort()).toEqual(['Briggs', gray]);
    const codes = ends.map((l) => l['code']);
    const told = ends.map(({ outcome, value, reason }) => ({ outcome, value, reason }));
    if (story.outcome === 'exhausted') {
      // Who could not go on comes first: 21; the other one sees the connection close: 23.
      expect(codes).toEqual([21, 23]);
    } else if (story.outcome === 'accepted') {
      expect(told).toEqual(Array(2).fill({ outcome: 'accepted', value: story.agreed, reason: null }));
    } else {
      expect(told).toEqual(Array(2).fill({ outcome: 'declined', value: null, reason: story.reason }));
    }
    const waits = show.lines.filter((l) => l['negotiation'] === number && l['event'] === 'wait');
    expect([number, waits.length]).toEqual([number, story.waits]);
  }
}

describe('grasp demo', () => {
  test('tells the story of its default seed, from API events of both sides, and ends by itself', async () => {
    const show = await demo('--json');
    expectStory(show, DEFAULT_SEED, 1);
    expect(show.lines.map((line) => line['event'])).toEqual(expect.arrayContaining(['wait', 'locator']));
    // What one side sent, the other received.
    const of = (direction: string) =>
      show.lines
        .filter((l) => l['event'] === 'step' && l['direction'] === direction)
        .map((l) => [l['negotiation'], l['loopCount'], l['value']]);
    expect(of('received')).toEqual(of('sent'));
  });

  test('same seed, same bytes; another seed, another story; no times, ports or process ids', async () => {
    const [first, second, other] = await Promise.all([demo(), demo(), demo('--seed', '5')]);
    expect([first.code, first.stderr]).toEqual([0, '']);
    expect(second.stdout).toBe(first.stdout);
    expect(other.code).toBe(0);
    expect(other.stdout).not.toBe(first.stdout);
    for (const part of [
      /accepts NZD \d+/,
      /declines: "[^"]+"/,
      /asks for time/,
      /Loop count exhausted \(code 21\)/,
    ]) {
      expect(first.stdout).toMatch(part);
    }
    const last = first.stdout.trimEnd().split('\n').at(-1);
    expect(last).toMatch(
      /^Messages on link street: \d+ \(1 multicast, \d+ in 5 streams\)\. Threads: 7 \(main, bank /,
    );
  });

  test('one Briggs serves ten Grays at once', async () => {
    const [first, second] = await Promise.all([
      demo('--grays', '10', '--json'),
      demo('--grays', '10', '--json'),
    ]);
    expectStory(first, DEFAULT_SEED, 10);
    expect(second.stdout).toBe(first.stdout);
    expect(first.lines.at(-1)).toMatchObject({ event: 'summary', clientsAtOnce: 10 });
    // Grouped: all of one Gray before anything of the next.
    const order = first.lines.map((line) => line['negotiation']).filter((n) => n !== undefined);
    expect(order).toEqual([...order].sort((a, b) => Number(a) - Number(b)));
  });
});
