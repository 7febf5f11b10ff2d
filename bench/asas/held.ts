/** Sessions that stay open: each has its first offer, and waits for the initiator's word. */
import { GraspError, type Asa, type NegotiationSession, type Objective } from 'anima-grasp';
import { number } from '../support/commands.js';
import { closedLoop, TIMEOUT_MS } from './load.js';
import { ASK, OFFER } from './negotiation.js';
import { loadOf, type Work } from './work.js';

const OBJECTIVE = 'bench:held:000000001';
/** Longer than any measurement. */
const PATIENCE_MS = 600_000;

const register = (asa: Asa): Promise<Objective> =>
  asa.registerObjective({ name: OBJECTIVE, negotiate: true, overlap: true });

export const held: Work = {
  objective: OBJECTIVE,
  async respond(asa) {
    const objective = await register(asa);
    await objective.onNegotiate(
      async (session) => {
        await session.negotiateStep(OFFER, { timeoutMs: PATIENCE_MS });
      },
      {
        concurrency: 20_000,
        onError: (error) => {
          if (!(error instanceof GraspError)) throw error;
        },
      },
    );
    return {};
  },
  async initiate(asa, peer) {
    const objective = await register(asa);
    const sessions: NegotiationSession[] = [];
    return {
      /** Opens `count` more. */
      open: (command) =>
        closedLoop(loadOf(command), async () => {
          const result = await asa.requestNegotiate(objective, ASK, { peer, timeoutMs: TIMEOUT_MS });
          if (result.state !== 'offered') throw new Error(result.state);
          sessions.push(result.session);
        }),
      /** Ends all of them; those that were not alive any more are failures. */
      release: (command) => {
        const all = sessions.splice(0);
        return closedLoop({ count: all.length, concurrency: number(command, 'concurrency') }, async () => {
          await all.pop()?.endNegotiate({ accept: true });
        });
      },
    };
  },
};
