/** The sample ASAs that come with the Python prototype, as they are, against this engine. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { createLab, type Lab } from '../lab/netns.js';
import { agreement, only, runGrasp, startGrasp, type Line, type Program } from '../lab/program.js';
import { interopDescribe, startSample } from './prototype.js';

// They read out what they are about for 8 s, wait for each other for some more, and think for 10 s at times.
jest.setTimeout(300_000);

const IF = 'l1';
const ON = ['-i', IF, '--insecure', '--json'];

interopDescribe('the sample ASAs of the prototype', () => {
  let lab: Lab;
  let briggs: Program;
  let gray: Program;

  beforeAll(async () => {
    // Links of two, so that Briggs and Gray do not meet.
    lab = await createLab({
      nodes: ['forbriggs', 'briggs', 'forgray', 'gray'],
      links: { [IF]: ['forbriggs', 'briggs'], l2: ['forgray', 'gray'] },
      ula: true,
    });
    briggs = startSample(lab, 'briggs', 'Briggs');
    gray = startSample(lab, 'gray', 'Gray');
  });
  afterAll(async () => {
    await lab.close();
  });

  test('Gray asks an offer of this engine, and both agree how each negotiation ended', async () => {
    const offer = startGrasp(
      lab,
      'forgray',
      'offer',
      'EX3',
      '["NZD",260]',
      '--dry-run',
      '-i',
      'l2',
      '--insecure',
      '--json',
    );
    await offer.event('ready');
    const SESSIONS = 3;
    await offer.event('end', SESSIONS);
    // Gray tells each outcome after its session; what it asks for next comes later.
    const told =
      /^.*(Negotiation succeeded.*|request_negotiate error: .*|Peer reject: .*|Rejecting unacceptable offer.*)$/gm;
    await gray.output(new RegExp(`(?:(?:${told.source.slice(1, -1)})[^]*?){${SESSIONS}}`, 'm'));
    const theirs = [...gray.stdout.matchAll(told)].map((match) => match[1]!);
    const ours = offer.lines.filter((line) => line['event'] === 'end');
    const outcomes = ours.map(({ outcome, reason }) => ({ outcome, reason }));
    for (let i = 0; i < SESSIONS; i++) {
      // With both sides' whole account, for what the sample does is drawn at random.
      const session = { i, told: theirs[i], theirs, outcomes };
      const end = ours[i]!;
      if (end['outcome'] === 'accepted')
        expect(session).toMatchObject({ told: expect.stringMatching(/^Negotiation succeeded/) });
      else expect(end['outcome']).toBe('declined');
      if (end['outcome'] === 'declined' && end['reason'] !== 'You are mean!') {
        // Declined here: Gray prints the reason it was given.
        expect(session).toMatchObject({ told: expect.stringContaining(String(end['reason'])) });
      }
    }
    // Every request was understood: an amount, whether in tag 24 or not, dry run or not.
    const requests = offer.lines.filter(
      (line) => line['event'] === 'step' && line['direction'] === 'received',
    );
    for (const request of requests) {
      expect(request['value']).toEqual([expect.stringMatching(/^(NZD|USD)$/), expect.any(Number)]);
    }
    offer.kill('SIGINT');
    expect((await offer.ended).code).toBe(0);
    gray.kill('SIGTERM');
    await gray.ended;
  });

  test('Briggs answers requests of this engine', async () => {
    await briggs.output(/Ready to negotiate EX3 as listener/);
    const ask = (...argv: string[]) => runGrasp(lab, 'forbriggs', 'negotiate', 'EX3', ...argv, ...ON);

    // Half of what Briggs has is at least 50: so much is given at once.
    const small = await ask('["NZD",40]');
    expect(small.code).toBe(0);
    expect(agreement(only(small, 'end'))).toMatchObject({ outcome: 'accepted', value: ['NZD', 40] });

    const wrapped = await ask('{"$cbor":["NZD",41]}');
    expect(wrapped.code).toBe(0);

    const dry = await ask('["NZD",42]', '--dry-run');
    expect(dry.code).toBe(0);

    const dollars = await ask('["USD",40]');
    expect(dollars.code).toBe(1);
    expect(only(dollars, 'end')).toMatchObject({ outcome: 'declined', reason: 'Invalid currency', code: 1 });

    // More than Briggs ever has: it offers half, and this side comes down to no less than 600.
    const greedy = await ask('["NZD",900]', '--min', '600');
    expect(greedy.code).toBe(1);
    const end = only(greedy, 'end');
    const offered = greedy.lines.filter((l: Line) => l['direction'] === 'received');
    expect(offered.length).toBeGreaterThan(0);
    for (const line of offered) expect(line['value']).toEqual(['NZD', expect.any(Number)]);
    // Briggs may ask for less time than it then takes (27), give its reason in Russian, or count to the end.
    if (end['outcome'] === 'failed') expect(end['code']).toBe(27);
    else
      expect(end['reason']).toMatch(
        /^(Insufficient funds|Недостаточно средств|Loop count exhausted|at least NZD 600 is needed)$/,
      );

    // Its first counter-offer is half of what it has, 100 to 400.
    const taken = await ask('["NZD",900]', '--accept-any');
    expect(taken.code).toBe(0);
    const [, sum] = only(taken, 'end')['value'] as [string, number];
    expect(sum).toBeGreaterThanOrEqual(50);
    expect(sum).toBeLessThanOrEqual(200);
    await briggs.output(/Negotiation succeeded/);
    briggs.kill('SIGTERM');
    await briggs.ended;
  });
});
