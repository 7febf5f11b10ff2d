/** Negotiation (RFC 8990 §2.5.5), and the two parties Neg1 and Neg2 in conversation. */
import { ErrorCode } from '../../protocol/index.js';
import type { Asa, NegotiateResult, NegotiationSession, Objective, PeerLike } from '../api.js';
import { Dice } from '../demo/prng.js';
import { demand, demandEqual, failsWith, type Stage, type Step } from './stage.js';

const TIMEOUT_MS = 20_000;
const ASKED_WAIT_MS = 10_000;

interface Pair {
  /** Of the asking ASA, registered under another ASA's overlap. */
  readonly asking: Objective;
  readonly asa: Asa;
  readonly peer: PeerLike;
  readonly stop: () => Promise<void>;
}

/** Has the far node answer `name` with `serve`, and finds it from the host. */
async function pair(
  { one, far }: Stage,
  name: string,
  serve: (session: NegotiationSession) => Promise<unknown>,
): Promise<Pair> {
  const options = { name, negotiate: true, dryRun: true };
  const answering = await far.registerObjective(options);
  const listening = await answering.onNegotiate(serve);
  const asking = await one.registerObjective(options);
  for await (const peer of one.discover(asking, { timeoutMs: 5_000 })) {
    return { asking, asa: one, peer, stop: () => listening.stop() };
  }
  throw new Error(`nobody answers for ${name}`);
}

/** Offers the received number plus one until the other side ends it. */
async function plusOne(session: NegotiationSession): Promise<NegotiateResult> {
  for (;;) {
    const reply = await session.negotiateStep((session.value as number) + 1);
    if (reply.state !== 'offered') return reply;
  }
}

export const negotiationSteps: readonly Step[] = [
  {
    name: 'negotiation: steps in turn until one side accepts, as a dry run too',
    run: async (stage) => {
      const dryRuns: boolean[] = [];
      const { asking, asa, peer } = await pair(stage, 'Steps', (session) => {
        dryRuns.push(session.dryRun);
        return plusOne(session);
      });
      for (const dryRun of [false, true]) {
        let reply = await asa.requestNegotiate(asking, 1, { peer, dryRun, timeoutMs: TIMEOUT_MS });
        demand(reply.state === 'offered', `the answer is ${reply.state}`);
        reply = await reply.session.negotiateStep(10);
        demand(reply.state === 'offered', `the answer is ${reply.state}`);
        demandEqual('the offer, the loop count', [reply.value, reply.loopCount], [11, 3]);
        await reply.session.endNegotiate({ accept: true });
      }
      demandEqual('dry runs', dryRuns, [false, true]);
      return 'agreed on 11';
    },
  },
  {
    name: 'negotiation: wait, then agree; decline with a reason',
    run: async (stage) => {
      const { asking, asa, peer } = await pair(stage, 'Wait', async (session) => {
        if (session.value === 'no') return session.endNegotiate({ accept: false, reason: 'not this' });
        await session.negotiateWait(ASKED_WAIT_MS);
        return session.endNegotiate({ accept: true });
      });
      const agreed = await asa.requestNegotiate(asking, 'yes', { peer, timeoutMs: TIMEOUT_MS });
      demandEqual('the first', agreed, { state: 'accepted', value: 'yes' });
      const declined = await asa.requestNegotiate(asking, 'no', { peer, timeoutMs: TIMEOUT_MS });
      demandEqual('the second', declined, { state: 'declined', reason: 'not this' });
      return 'not this';
    },
  },
  {
    name: 'negotiation: ends when the loop count is exhausted',
    run: async (stage) => {
      const { asking, asa, peer } = await pair(stage, 'Loop', plusOne);
      const talk = async (): Promise<void> => {
        let reply = await asa.requestNegotiate(asking, 0, { peer, loopCount: 3, timeoutMs: TIMEOUT_MS });
        while (reply.state === 'offered') reply = await reply.session.negotiateStep(0);
      };
      return `code ${await failsWith('an endless negotiation', talk, ErrorCode.loopExhausted, ErrorCode.noPeer)}`;
    },
  },
  {
    name: 'negotiation: an unusable message is told with M_INVALID and ends the session',
    run: async (stage) => {
      const { asking, asa, peer } = await pair(stage, 'Invalid', (session) => session.sendInvalid('what?'));
      const code = await failsWith(
        'the request',
        () => asa.requestNegotiate(asking, 'nonsense', { peer, timeoutMs: TIMEOUT_MS }),
        ErrorCode.invalidNeg,
        ErrorCode.noValidStep,
        ErrorCode.noPeer,
        ErrorCode.noNegReply,
      );
      return `code ${code}`;
    },
  },
  {
    name: 'deregistration: nobody negotiates with what is gone, and an ASA that is gone can do nothing',
    run: async (stage) => {
      const { asking, asa, peer, stop } = await pair(stage, 'Away', plusOne);
      await stop();
      const leaver = await stage.host.registerAsa('Leaver');
      const theirs = await leaver.registerObjective({ name: 'Theirs', negotiate: true });
      await leaver.deregister();
      const codes = [
        await failsWith(
          'asking where nobody listens any more',
          () => asa.requestNegotiate(asking, 1, { peer, timeoutMs: 2_000 }),
          ErrorCode.sockErrNegRq,
          ErrorCode.noPeer,
        ),
        await failsWith('registering', () => leaver.registerObjective({ name: 'More' }), ErrorCode.noASA),
        await failsWith('discovering', () => leaver.discover('EX1'), ErrorCode.noASA),
        await failsWith(
          'negotiating',
          () => leaver.requestNegotiate(theirs, 1, { peer }),
          ErrorCode.noASA,
          ErrorCode.notYourObj,
        ),
      ];
      return `codes ${codes.join(', ')}`;
    },
  },
];

/** What the seed decides: what Neg1 has and what Neg2 wants. */
export function plot(seed: number): {
  readonly reserves: number;
  readonly wanted: number;
  readonly wait: boolean;
} {
  const dice = new Dice(seed, 0x4e67);
  return { reserves: dice.between(100, 400), wanted: dice.between(100, 500), wait: dice.oneIn(2) };
}

/** Neg1 has reserves and gives half of them at first, then all; Neg2 wants money and comes down by a third. */
export const conversationStep: Step = {
  name: 'Neg1 and Neg2',
  run: async (stage) => {
    const { host, seed, say } = stage;
    const { reserves, wanted, wait } = plot(seed);
    const [neg1, neg2] = [await host.registerAsa('Neg1'), await host.registerAsa('Neg2')];
    const options = { name: 'EX2', negotiate: true, overlap: true };
    const told = (value: unknown): string => JSON.stringify(value);
    let ended!: (text: string) => void;
    const outcome = new Promise<string>((resolve) => (ended = resolve));

    const answering = await neg1.registerObjective(options);
    const listening = await answering.onNegotiate(async (session) => {
      const give = [Math.floor(reserves / 2), reserves];
      for (;;) {
        const [, asked] = session.value as [string, number];
        say('Neg1', `is asked for ${told(session.value)}`);
        if (asked <= reserves) {
          await session.endNegotiate({ accept: true });
          return ended(`agreed on ${told(session.value)}`);
        }
        const offer = give.shift();
        if (offer === undefined) {
          await session.endNegotiate({ accept: false, reason: `only ${reserves} are left` });
          return ended(`declined: only ${reserves} are left`);
        }
        if (wait) {
          await session.negotiateWait(ASKED_WAIT_MS);
          say('Neg1', 'asks for time');
        }
        say('Neg1', `offers ${told(['NZD', offer])}`);
        const reply = await session.negotiateStep(['NZD', offer], { timeoutMs: TIMEOUT_MS });
        if (reply.state === 'accepted') return ended(`agreed on ${told(['NZD', offer])}`);
        if (reply.state === 'declined') return ended(`declined: ${reply.reason}`);
      }
    });

    const asking = await neg2.registerObjective(options);
    let peer: PeerLike | undefined;
    for await (const found of neg2.discover(asking, { timeoutMs: 5_000 })) {
      peer = found;
      break;
    }
    demand(peer !== undefined, 'Neg2 does not find Neg1');
    let want = wanted;
    say('Neg2', `wants ${told(['NZD', want])}`);
    let reply = await neg2.requestNegotiate(asking, ['NZD', want], { peer, timeoutMs: TIMEOUT_MS });
    while (reply.state === 'offered') {
      const [, offered] = reply.value as [string, number];
      want = Math.floor((want * 2) / 3);
      if (offered >= want) {
        say('Neg2', `takes ${told(reply.value)}`);
        await reply.session.endNegotiate({ accept: true });
        break;
      }
      say('Neg2', `would be content with ${told(['NZD', want])}`);
      reply = await reply.session.negotiateStep(['NZD', want], { timeoutMs: TIMEOUT_MS });
    }
    const mine = reply.state === 'declined' ? `declined: ${reply.reason}` : `agreed on ${told(reply.value)}`;
    demandEqual('the outcome at Neg1', await outcome, mine);
    await listening.stop();
    await neg1.deregister();
    await neg2.deregister();
    return mine;
  },
};
