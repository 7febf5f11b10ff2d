/**
 * A negotiation of two steps:
 *
 *     initiator: requestNegotiate ['NZD', 300]
 *     responder: negotiateStep    ['NZD', 250]
 *     initiator: endNegotiate accept
 */
import type { Asa, Objective } from 'anima-grasp';
import { closedLoop, TIMEOUT_MS } from './load.js';
import { loadOf, type Work } from './work.js';

/** With name, flags and loop count this makes an M_REQ_NEG of 40 bytes, like the floor's. */
const OBJECTIVE = 'bench:negotiation:01';
export const ASK = ['NZD', 300];
export const OFFER = ['NZD', 250];

const register = (asa: Asa): Promise<Objective> =>
  asa.registerObjective({ name: OBJECTIVE, negotiate: true, overlap: true });

export const negotiation: Work = {
  objective: OBJECTIVE,
  async respond(asa) {
    const objective = await register(asa);
    await objective.onNegotiate(
      async (session) => {
        await session.negotiateStep(OFFER);
      },
      { concurrency: 10_000 },
    );
    return {};
  },
  async initiate(asa, peer) {
    const objective = await register(asa);
    return {
      run: (command) =>
        closedLoop(loadOf(command), async () => {
          const result = await asa.requestNegotiate(objective, ASK, { peer, timeoutMs: TIMEOUT_MS });
          if (result.state !== 'offered') throw new Error(result.state);
          await result.session.endNegotiate({ accept: true });
        }),
    };
  },
};
