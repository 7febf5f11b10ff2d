/**
 * Negotiations at a given rate, whatever becomes of those before (an open loop), and what each ends with. Both sides
 * count: the initiator what its calls ended with, the responder what became of the sessions its ASA got.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { GraspError, type Asa, type Objective } from 'anima-grasp';
import { number } from '../support/commands.js';
import { Reasons } from '../support/statistics.js';
import { closedLoop, reasonOf, TIMEOUT_MS } from './load.js';
import { ASK, OFFER } from './negotiation.js';
import { loadOf, type Peer, type Work } from './work.js';

const OBJECTIVE = 'bench:overload:00001';
/** How often requests are started: at most so many ms late. */
const TICK_MS = 5;

const register = (asa: Asa): Promise<Objective> =>
  asa.registerObjective({ name: OBJECTIVE, negotiate: true, overlap: true });

async function negotiate(asa: Asa, objective: Objective, peer: Peer): Promise<void> {
  const result = await asa.requestNegotiate(objective, ASK, { peer, timeoutMs: TIMEOUT_MS });
  if (result.state !== 'offered') throw new Error(result.state);
  try {
    await result.session.endNegotiate({ accept: true });
  } catch (error) {
    throw new Error(`accepted work: ${reasonOf(error)}`, { cause: error });
  }
}

/** What an error of a call is in the books: its code, or no code at all. */
function bookOf(error: unknown): { code: number | undefined; broken: boolean } {
  if (error instanceof GraspError) return { code: error.code, broken: false };
  return { code: undefined, broken: true };
}

async function openLoop(
  asa: Asa,
  objective: Objective,
  peer: Peer,
  rate: number,
  seconds: number,
): Promise<object> {
  const refused = new Reasons();
  const broken = new Reasons();
  const running = new Set<Promise<void>>();
  let started = 0;
  let completed = 0;

  const one = async (): Promise<void> => {
    try {
      await negotiate(asa, objective, peer);
      completed += 1;
    } catch (error) {
      const { code, broken: isBroken } = bookOf(error);
      if (isBroken) broken.add(reasonOf(error));
      else refused.add(String(code));
    }
  };

  const beganAt = performance.now();
  let most = 0;
  for (let now = 0; now < seconds * 1000; now = performance.now() - beganAt) {
    const due = Math.floor((now * rate) / 1000);
    for (; started < due; started++) {
      const run: Promise<void> = one().finally(() => running.delete(run));
      running.add(run);
    }
    most = Math.max(most, running.size);
    await delay(TICK_MS);
  }
  const loadSeconds = (performance.now() - beganAt) / 1000;
  await Promise.all(running);
  const settleSeconds = (performance.now() - beganAt) / 1000 - loadSeconds;
  return {
    started,
    completed,
    refused: refused.toJSON(),
    broken: broken.toJSON(),
    mostAtOnce: most,
    loadSeconds,
    settleSeconds,
  };
}

export const overload: Work = {
  objective: OBJECTIVE,
  async respond(asa) {
    const objective = await register(asa);
    const failed = new Reasons();
    let begun = 0;
    let accepted = 0;
    await objective.onNegotiate(
      async (session) => {
        begun += 1;
        try {
          const result = await session.negotiateStep(OFFER);
          if (result.state === 'accepted') accepted += 1;
          else failed.add(result.state);
        } catch (error) {
          failed.add(error instanceof GraspError ? String(error.code) : reasonOf(error));
        }
      },
      { concurrency: 1_000 },
    );
    return { books: () => ({ begun, accepted, failed: failed.toJSON() }) };
  },
  async initiate(asa, peer) {
    const objective = await register(asa);
    return {
      run: (command) => closedLoop(loadOf(command), () => negotiate(asa, objective, peer)),
      overload: (command) =>
        openLoop(asa, objective, peer, number(command, 'rate'), number(command, 'seconds')),
    };
  },
};
