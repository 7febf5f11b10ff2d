/** Unicast synchronization: M_REQ_SYN, M_SYNCH (RFC 8990 §2.5.6.1). */
import { closedLoop, TIMEOUT_MS } from './load.js';
import { loadOf, type Work } from './work.js';

const OBJECTIVE = 'bench:synchronize:01';
const VALUE = ['NZD', 250];

export const synchronize: Work = {
  objective: OBJECTIVE,
  async respond(asa) {
    const objective = await asa.registerObjective({ name: OBJECTIVE, synchronize: true, value: VALUE });
    await objective.listenSynchronize();
    return {};
  },
  async initiate(asa, peer) {
    return {
      run: (command) =>
        closedLoop(loadOf(command), async () => {
          const { value } = await asa.synchronize(OBJECTIVE, { peer, timeoutMs: TIMEOUT_MS });
          if (!Array.isArray(value) || value[1] !== VALUE[1]) throw new Error('another value');
        }),
    };
  },
};
