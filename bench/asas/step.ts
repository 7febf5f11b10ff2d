/** Single steps on open sessions: an offer and the answer to it. */
import { GraspError, type Asa, type NegotiationSession, type Objective } from 'anima-grasp';
import type { Sample } from '../support/result.js';
import { latencies, Reasons } from '../support/statistics.js';
import { reasonOf, TIMEOUT_MS, type Load } from './load.js';
import { ASK, OFFER } from './negotiation.js';
import { loadOf, type Peer, type Work } from './work.js';

const OBJECTIVE = 'bench:step:000000001';
/** Both directions count (RFC 8990 §2.8.7): a session has 127 steps of one side, then a new one is opened. */
const LOOP_COUNT = 255;

const register = (asa: Asa): Promise<Objective> =>
  asa.registerObjective({ name: OBJECTIVE, negotiate: true, overlap: true, loopCount: LOOP_COUNT });

async function open(asa: Asa, objective: Objective, peer: Peer): Promise<NegotiationSession> {
  const result = await asa.requestNegotiate(objective, ASK, { peer, timeoutMs: TIMEOUT_MS });
  if (result.state !== 'offered') throw new Error(result.state);
  return result.session;
}

/** `count` steps in all; each of `concurrency` lanes on a session of its own. Opening and ending are not timed. */
async function steps(asa: Asa, objective: Objective, peer: Peer, load: Load): Promise<Sample> {
  const took: number[] = [];
  const reasons = new Reasons();
  let started = 0;
  let sessions = 0;

  /** One session, until its loop count is used up. */
  async function onOneSession(): Promise<void> {
    const session = await open(asa, objective, peer);
    sessions += 1;
    while (started < load.count && session.loopCount > 2) {
      started += 1;
      const at = performance.now();
      const result = await session.negotiateStep(ASK, { timeoutMs: TIMEOUT_MS });
      if (result.state !== 'offered') throw new Error(result.state);
      took.push(performance.now() - at);
    }
    await session.endNegotiate({ accept: true });
  }

  async function lane(): Promise<void> {
    while (started < load.count) {
      try {
        await onOneSession();
      } catch (error) {
        reasons.add(reasonOf(error));
        // Counted as a step, so that a peer that is gone ends the run.
        started += 1;
      }
    }
  }

  const startedAt = performance.now();
  await Promise.all(Array.from({ length: load.concurrency }, lane));
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    failures: reasons.total,
    reasons: reasons.toJSON(),
    measures: { ...latencies(took), rate: Math.round(took.length / seconds), sessions },
  };
}

export const step: Work = {
  objective: OBJECTIVE,
  async respond(asa) {
    const objective = await register(asa);
    await objective.onNegotiate(
      async (session) => {
        for (;;) {
          const result = await session.negotiateStep(OFFER);
          if (result.state !== 'offered') return;
        }
      },
      {
        concurrency: 10_000,
        // A client that has what it wants ends its process.
        onError: (error) => {
          if (!(error instanceof GraspError)) throw error;
        },
      },
    );
    return {};
  },
  async initiate(asa, peer) {
    const objective = await register(asa);
    return { run: (command) => steps(asa, objective, peer, loadOf(command)) };
  },
};
