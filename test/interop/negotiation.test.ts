/**
 * This engine and the Python prototype negotiate, each in both roles. The prototype needs seconds to start, so each
 * of its processes serves a series of sessions, all before the first test, and the tests look at what happened.
 */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createLab, type Lab } from '../lab/netns.js';
import {
  agreement,
  only,
  runGrasp,
  startAgent,
  startGrasp,
  type GraspRun,
  type Line,
  type Program,
} from '../lab/program.js';
import { interopDescribe, startDriver } from './prototype.js';

jest.setTimeout(180_000);

const IF = 'l1';
const ON = ['-i', IF, '--insecure', '--json'];

/** One session in which the prototype answers: what it does, and how this engine asks. */
interface Case {
  readonly moves: readonly object[];
  readonly argv: readonly string[];
}

const THEIR_VALUE = {
  $map: [
    [1, [{ $bytes: '00ff' }, { a: [null, true, -5, 1.5] }]],
    ['ключ', 'värde'],
  ],
};

const CASES = {
  accept: { moves: [{ do: 'accept' }], argv: ['["NZD",300]'] },
  counterOffers: {
    moves: [
      { do: 'offer', value: ['NZD', 100] },
      { do: 'offer', value: ['NZD', 250] },
    ],
    argv: ['["NZD",300]', '--min', '200'],
  },
  asciiReason: { moves: [{ do: 'decline', reason: 'Insufficient funds' }], argv: ['["NZD",300]'] },
  otherReason: { moves: [{ do: 'decline', reason: 'Недостаточно средств — ₽ 0 😢' }], argv: ['["NZD",300]'] },
  noReason: { moves: [{ do: 'decline' }], argv: ['["NZD",300]'] },
  oursDeclines: { moves: [{ do: 'offer', value: ['NZD', 1] }], argv: ['["€",300]', '--min', '200'] },
  wait: {
    moves: [
      { do: 'wait', ms: 20_000, sleep: 2.5 },
      { do: 'offer', value: ['NZD', 300] },
    ],
    argv: ['["NZD",301]', '--min', '300', '--timeout', '1500'],
  },
  dryRun: {
    moves: [{ do: 'offer', value: ['NZD', 300] }],
    argv: ['["NZD",301]', '--min', '300', '--dry-run'],
  },
  tag24: {
    moves: [{ do: 'offer', value: ['NZD', 300], tag24: true }],
    argv: ['{"$cbor":["NZD",301]}', '--min', '300'],
  },
  tag24Answer: {
    moves: [{ do: 'offer', value: ['NZD', 100], tag24: true }, { do: 'accept' }],
    argv: ['["NZD",300]', '--min', '200'],
  },
  maps: {
    moves: [{ do: 'offer', value: THEIR_VALUE }],
    argv: ['{"want":[{"$map":[[1,"one"],[-2,{"deep":[[[]]]}]]}],"big":18446744073709551615}', '--accept-any'],
  },
} satisfies Record<string, Case>;

type CaseName = keyof typeof CASES;
const NAMES = Object.keys(CASES) as CaseName[];

/** What the prototype asks of one `grasp offer EX6 '["¥",400]' --dry-run`, one after the other. */
const REQUESTS = [
  { value: ['¥', 300] },
  { value: ['¥', 900], moves: [{ do: 'offer', value: ['¥', 800] }, { do: 'accept' }] },
  { value: ['¥', 900], moves: [{ do: 'decline', reason: 'You are mean!' }] },
  { value: ['¥', 900], moves: [{ do: 'decline', reason: 'Слишком мало' }] },
  { value: ['¥', 900], moves: [{ do: 'decline' }] },
  { value: ['NZD', 300] },
  {
    value: ['¥', 900],
    moves: [
      { do: 'wait', ms: 20_000, sleep: 0.5 },
      { do: 'offer', value: ['¥', 250] },
    ],
  },
  { value: ['¥', 500], dry: true, moves: [{ do: 'offer', value: ['¥', 300] }] },
  { value: ['¥', 300], tag24: true },
  { value: ['¥', 500], tag24: true, moves: [{ do: 'offer', value: ['¥', 300], tag24: true }] },
  { value: ['¥', 900], loopCount: 1 },
];

interopDescribe('negotiation with the Python prototype', () => {
  let lab: Lab;
  let responder: Program;
  const runs = new Map<CaseName, GraspRun>();
  const prototypes: Program[] = [];
  const offers: Program[] = [];

  beforeAll(async () => {
    const nodes = ['ours', 'responder', 'requester', 'maps', 'waiting'];
    lab = await createLab({ nodes, links: { [IF]: nodes }, ula: true });
    await Promise.all([theyAnswer(), theyAsk(), theyAskWithMaps(), theyWait()]);
  });

  afterAll(async () => {
    await lab.close();
  });

  async function theyAnswer(): Promise<void> {
    const sessions = NAMES.map((name) => CASES[name].moves);
    responder = startDriver(lab, 'responder', 'responder', { objective: 'EX3', dry: true, sessions });
    await responder.event('registered');
    for (const name of NAMES) {
      const { argv } = CASES[name];
      runs.set(name, await untilFound(() => runGrasp(lab, 'ours', 'negotiate', 'EX3', ...argv, ...ON)));
    }
    await responder.event('finished');
    await responder.ended;
  }

  async function theyAsk(): Promise<void> {
    const offer = startGrasp(lab, 'ours', 'offer', 'EX6', '["¥",400]', '--dry-run', ...ON);
    await offer.event('ready');
    const prototype = startDriver(lab, 'requester', 'requester', { objective: 'EX6', requests: REQUESTS });
    await prototype.event('finished');
    await prototype.ended;
    await offer.event('end', REQUESTS.length);
    offer.kill('SIGINT');
    await offer.ended;
    offers[0] = offer;
    prototypes[0] = prototype;
  }

  async function theyAskWithMaps(): Promise<void> {
    const offer = startGrasp(lab, 'ours', 'offer', 'EX4', JSON.stringify(THEIR_VALUE), '--once', ...ON);
    await offer.event('ready');
    const value = { nested: [{ $map: [[1, { b: [[null], 0.5] }]] }] };
    const requests = [{ value, moves: [{ do: 'accept' }] }];
    const prototype = startDriver(lab, 'maps', 'requester', { objective: 'EX4', requests });
    await prototype.event('finished');
    await Promise.all([prototype.ended, offer.ended]);
    offers[1] = offer;
    prototypes[1] = prototype;
  }

  async function theyWait(): Promise<void> {
    const ours = startAgent(lab, 'ours', 'waiting-responder', IF, 'EX5');
    await ours.event('ready');
    const requests = [{ value: 1, timeout: 1500, moves: [{ do: 'accept' }] }];
    const prototype = startDriver(lab, 'waiting', 'requester', { objective: 'EX5', requests });
    await prototype.event('finished');
    await Promise.all([prototype.ended, ours.ended]);
    offers[2] = ours;
    prototypes[2] = prototype;
  }

  describe('the prototype answers, this engine asks', () => {
    const look = (name: CaseName): { ours: GraspRun; end: Line; request: Line; theirs: Line } => {
      const ours = runs.get(name)!;
      const nth = (event: string) =>
        responder.lines.filter((l) => l['event'] === event)[NAMES.indexOf(name)]!;
      return { ours, end: only(ours, 'end'), request: nth('request'), theirs: nth('end') };
    };

    test('accept at once', () => {
      const { ours, end, request, theirs } = look('accept');
      expect(ours.code).toBe(0);
      expect(agreement(end)).toEqual({ outcome: 'accepted', value: ['NZD', 300], reason: null, code: 0 });
      expect(request).toMatchObject({ value: ['NZD', 300], loopCount: 6, dry: false, tag24: false });
      expect(theirs).toMatchObject({ state: 'accepted', value: ['NZD', 300], code: 0 });
    });

    test('counter-offers until this side accepts', () => {
      const { ours, end, theirs } = look('counterOffers');
      expect(ours.code).toBe(0);
      expect(end).toMatchObject({ outcome: 'accepted', value: ['NZD', 250] });
      expect(theirs).toMatchObject({ state: 'accepted', value: ['NZD', 250] });
      expect(ours.lines.filter((line) => line['event'] === 'step')).toHaveLength(4);
    });

    test.each([
      ['an ASCII', 'asciiReason', 'Insufficient funds'],
      ['a non-ASCII', 'otherReason', 'Недостаточно средств — ₽ 0 😢'],
      ['no', 'noReason', null],
    ] as const)('decline with %s reason', (_kind, name, reason) => {
      const { ours, end } = look(name);
      expect(ours.code).toBe(1);
      expect(end).toMatchObject({ outcome: 'declined', value: null, reason, code: 1 });
    });

    test('this side declines a counter-offer, with a non-ASCII reason', () => {
      const { ours, theirs } = look('oursDeclines');
      expect(ours.code).toBe(1);
      expect(theirs).toMatchObject({ state: 'declined', reason: '€ is needed, not NZD', code: 1 });
    });

    test('RFC 8990 §2.8.9 M_WAIT keeps this side waiting beyond its timeout', () => {
      const { end, theirs } = look('wait');
      expect(end).toMatchObject({ outcome: 'accepted', value: ['NZD', 300] });
      expect(theirs).toMatchObject({ state: 'accepted' });
    });

    test('dry run', () => {
      const { end, request, theirs } = look('dryRun');
      expect(request).toMatchObject({ dry: true });
      expect(end).toMatchObject({ outcome: 'accepted', dryRun: true });
      expect(theirs).toMatchObject({ state: 'accepted' });
    });

    test('RFC 8991 §2.3.2.4 values in tag 24, both ways', () => {
      const { ours, end, request, theirs } = look('tag24');
      // The prototype hands its ASA the bytes within the tag.
      expect(request).toMatchObject({ tag24: true, value: { $bytes: '82634e5a4419012d' } });
      expect(ours.lines).toContainEqual(
        expect.objectContaining({ direction: 'received', value: ['NZD', 300], tag24: true }),
      );
      expect(end).toMatchObject({ outcome: 'accepted', value: ['NZD', 300] });
      expect(theirs).toMatchObject({ state: 'accepted' });
    });

    test('a tag-24 counter-offer to a plain request is answered in tag 24', () => {
      const { end, theirs } = look('tag24Answer');
      expect(theirs).toMatchObject({
        state: 'accepted',
        value: { $bytes: expect.stringMatching(/^82634e5a44/) },
      });
      expect(end).toMatchObject({ outcome: 'accepted' });
    });

    test('maps and nested values, both ways', () => {
      const { end, request, theirs } = look('maps');
      const big = Number(18446744073709551615n);
      expect(request['value']).toEqual({
        want: [
          {
            $map: [
              [1, 'one'],
              [-2, { deep: [[[]]] }],
            ],
          },
        ],
        big,
      });
      expect(end).toMatchObject({ outcome: 'accepted', value: THEIR_VALUE });
      expect(theirs).toMatchObject({ state: 'accepted' });
    });
  });

  describe('the prototype asks, this engine answers', () => {
    test('discovery gives the global address and the port of the objective', () => {
      expect(prototypes[0]!.lines[0]).toMatchObject({
        event: 'found',
        address: lab.addresses('ours', IF).ula,
        port: offers[0]!.lines[0]!['port'],
        diverted: false,
      });
    });

    test('accept, counter-offers, declines with any reason, wait, dry run, tag 24, loop count 1', () => {
      const ourEnds = offers[0]!.lines.filter((line) => line['event'] === 'end').map(agreement);
      const accepted = (sum: number) => ({ outcome: 'accepted', value: ['¥', sum], reason: null, code: 0 });
      const declined = (reason: string | null) => ({ outcome: 'declined', value: null, reason, code: 1 });
      expect(ourEnds).toEqual([
        accepted(300),
        accepted(300),
        declined('You are mean!'),
        declined('Слишком мало'),
        declined(null),
        declined('only ¥ is offered, not NZD'),
        accepted(250),
        accepted(300),
        accepted(300),
        accepted(300),
        declined('at most ¥ 400 is offered'),
      ]);
      const theirEnds = prototypes[0]!.lines.filter((line) => line['event'] === 'end');
      expect(theirEnds.map(({ state, reason }) => [state, reason ?? null])).toEqual(
        ourEnds.map(({ outcome, reason }) => [outcome, reason]),
      );
    });

    test('a dry run is one, and a tag-24 session in tag 24, in every message', () => {
      const steps = (n: number) =>
        offers[0]!.lines.filter((l) => l['session'] === n && l['event'] === 'step');
      expect(steps(8).map((line) => line['dryRun'])).toEqual([true, true, true]);
      expect(steps(10).map((line) => line['tag24'])).toEqual([true, true, true]);
      const offered = prototypes[0]!.lines.filter((line) => line['event'] === 'offered');
      expect(offered.filter((line) => line['tag24'] === true)).toHaveLength(1);
      expect(offered.filter((line) => line['dry'] === true)).toHaveLength(1);
    });

    test('maps and nested values, both ways', () => {
      expect(offers[1]!.lines[1]).toMatchObject({
        direction: 'received',
        value: { nested: [{ $map: [[1, { b: [[null], 0.5] }]] }] },
      });
      expect(only(offers[1]!, 'end')).toMatchObject({ outcome: 'accepted', value: THEIR_VALUE });
      expect(only(prototypes[1]!, 'end')).toMatchObject({ state: 'accepted', value: THEIR_VALUE });
    });

    test('M_WAIT sent by this side keeps the prototype waiting beyond its timeout', () => {
      expect(only(prototypes[2]!, 'offered')).toMatchObject({ value: 'after a while' });
      expect(only(offers[2]!, 'end')).toMatchObject({ state: 'accepted' });
    });
  });
});

/** The prototype is registered a moment before it listens: asks again while nobody is found. */
async function untilFound(ask: () => Promise<GraspRun>): Promise<GraspRun> {
  for (;;) {
    const run = await ask();
    if (run.lines.at(-1)?.['code'] !== 17) return run;
  }
}
