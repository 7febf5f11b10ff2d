/**
 * A ring and a full mesh of five nodes, each a `grasp` of its own: one flood and one discovery cross each link at
 * most once from each node. What is on the links is counted by sockets of the test's own.
 */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { decode } from 'cborg';
import { labDescribe } from './describe.js';
import { createLab, type Lab, type LabPlan } from './netns.js';
import { runGrasp, startAgent, startGrasp, type Program } from './program.js';

jest.setTimeout(90_000);

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5'];
/** These two run their command and no daemon: a node is one engine. */
const ORIGIN = 'n1';
const PUBLISHER = 'n3';

const between = (pairs: readonly (readonly [number, number])[]): Record<string, string[]> =>
  Object.fromEntries(pairs.map(([a, b]) => [`l${a}${b}`, [`n${a}`, `n${b}`]]));

const NETWORKS: Record<string, Record<string, string[]>> = {
  'a ring of five': between([
    [1, 2],
    [2, 3],
    [3, 4],
    [4, 5],
    [1, 5],
  ]),
  'a full mesh of five': between(
    [1, 2, 3, 4].flatMap((a) => [2, 3, 4, 5].map((b) => [a, b] as const)).filter(([a, b]) => a < b),
  ),
};

const M_DISCOVERY = 1;
const M_FLOOD = 9;

async function end(...programs: readonly Program[]): Promise<void> {
  for (const program of programs) program.kill('SIGTERM');
  for (const program of programs) expect((await program.ended).code).toBe(0);
}

interface Heard {
  readonly type: number;
  readonly name: string;
  readonly sessionId: number;
  readonly link: string;
  readonly node: string;
}

describe.each(Object.entries(NETWORKS))('%s', (name, links) => {
  labDescribe(`${name}: no loops, no storms`, () => {
    const plan: LabPlan = { nodes: NODES, links, ula: true };
    let lab: Lab;
    const ears: Program[] = [];
    const earOf = new Map<string, Program>();
    let daemons: Program[];

    const linksOf = (node: string): string[] =>
      Object.keys(links).filter((link) => links[link]!.includes(node));
    const on = (node: string): string[] => [
      ...linksOf(node).flatMap((link) => ['-i', link]),
      '--insecure',
      '--json',
    ];
    const members = (link: string): string[] => links[link]!;

    beforeAll(async () => {
      lab = await createLab(plan);
      // One ear for each link, at its first node: it hears that node's own multicasts too.
      for (const node of NODES) {
        const own = Object.keys(links).filter((link) => members(link)[0] === node);
        if (own.length === 0) continue;
        const ear = startAgent(lab, node, 'ear', ...own);
        ears.push(ear);
        for (const link of own) earOf.set(link, ear);
      }
      daemons = NODES.filter((node) => node !== ORIGIN && node !== PUBLISHER).map((node) =>
        startGrasp(lab, node, 'daemon', ...on(node)),
      );
      for (const program of [...ears, ...daemons]) await program.event('ready');
    });
    afterAll(async () => {
      await lab.close();
    });

    function heard(): Heard[] {
      return ears
        .flatMap((ear) => ear.lines)
        .filter((line) => line['event'] === 'heard')
        .map((line) => {
          const link = line['interface'] as string;
          const address = (line['address'] as string).split('%')[0]!;
          const node = members(link).find((each) => lab.addresses(each, link).linkLocal === address);
          const message = decode(Buffer.from(line['hex'] as string, 'hex')) as unknown[];
          const type = message[0] as number;
          const objective = (type === M_FLOOD ? (message[4] as unknown[])[0] : message[3]) as unknown[];
          return {
            type,
            name: objective[0] as string,
            sessionId: message[1] as number,
            link,
            node: node ?? `nobody's ${address}`,
          };
        });
    }

    /** Resolves when a flood of this name was heard on each link. */
    async function floodedEverywhere(objective: string): Promise<void> {
      const marker = Buffer.from(objective).toString('hex');
      await Promise.all(
        [...earOf].map(([link, ear]) =>
          ear.line(
            ({ interface: by, hex }) =>
              by === link && /^85/.test(String(hex)) && String(hex).includes(marker),
          ),
        ),
      );
    }

    /** How often each node sent a message of this kind and name on each link, where more than once. */
    function repeated(type: number, objective: string): string[] {
      const seen = new Map<string, number>();
      for (const each of heard()) {
        if (each.type !== type || each.name !== objective) continue;
        const key = `${each.node} on ${each.link}, session ${each.sessionId}`;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
      return [...seen].filter(([, count]) => count > 1).map(([key, count]) => `${key}: ${count} times`);
    }

    const linksWith = (type: number, objective: string): string[] =>
      [
        ...new Set(
          heard()
            .filter((h) => h.type === type && h.name === objective)
            .map((h) => h.link),
        ),
      ].sort();

    test('one flood, and one discovery: each node sends it at most once on each link', async () => {
      const publish = startGrasp(lab, PUBLISHER, 'publish', 'EX1', '1', ...on(PUBLISHER));
      await publish.event('ready');
      // It stays, so that the node of the flood hears it come back and could relay it.
      const flood = startGrasp(lab, ORIGIN, 'flood', 'EX2', '7', '--every', '600', ...on(ORIGIN));
      await flood.event('sent');
      await floodedEverywhere('EX2');
      // A flood that comes after it: what the first could still cause has happened.
      const last = await runGrasp(lab, 'n4', 'flood', 'EX3', '8', ...on('n4'));
      expect(last.code).toBe(0);
      await floodedEverywhere('EX3');
      await end(flood);
      const found = await runGrasp(lab, ORIGIN, 'discover', 'EX1', ...on(ORIGIN));
      expect(found).toMatchObject({ code: 0, stderr: '' });
      const nobody = await runGrasp(lab, ORIGIN, 'discover', 'EX9', ...on(ORIGIN));
      expect(nobody.code).toBe(1);
      await end(publish, ...daemons);
      for (const ear of ears) ear.kill('SIGTERM');
      for (const ear of ears) await ear.ended;

      const all = Object.keys(links).sort();
      expect(linksWith(M_FLOOD, 'EX2')).toEqual(all);
      expect(linksWith(M_DISCOVERY, 'EX9')).toEqual(all);
      expect(repeated(M_FLOOD, 'EX2')).toEqual([]);
      expect(repeated(M_DISCOVERY, 'EX9')).toEqual([]);
      expect(repeated(M_DISCOVERY, 'EX1')).toEqual([]);
      const of = (type: number, objective: string) =>
        heard().filter((each) => each.type === type && each.name === objective);
      expect(new Set(of(M_FLOOD, 'EX2').map((each) => each.sessionId)).size).toBe(1);
      expect(of(M_FLOOD, 'EX2').every((each) => NODES.includes(each.node))).toBe(true);
      process.stderr.write(
        `${name}: datagrams of one flood ${of(M_FLOOD, 'EX2').length}, of one discovery ` +
          `${of(M_DISCOVERY, 'EX9').length}, on ${all.length} links\n`,
      );
    });
  });
});
