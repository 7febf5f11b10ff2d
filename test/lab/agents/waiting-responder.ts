/**
 * An ASA that lets its peer wait: M_WAIT, 2.5 s of silence, then an offer. `IF NAME` as arguments; serves one
 * session and prints how it ended.
 */
// M_WAIT is about time that passes; the test waits for what comes after it.
// eslint-disable-next-line no-restricted-imports
import { setTimeout as pass } from 'node:timers/promises';
import { Grasp } from '../../../src/index.js';

const [interfaceName, name] = process.argv.slice(2) as [string, string];
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const grasp = await Grasp.start({
  substrate: { kind: 'plain', interfaces: [interfaceName], insecure: true },
});
const asa = await grasp.registerAsa('waiting');
const objective = await asa.registerObjective({ name, negotiate: true });
const served = new Promise<void>((resolve) => {
  void objective
    .onNegotiate(async (session) => {
      await session.negotiateWait(20_000);
      await pass(2_500);
      const reply = await session.negotiateStep('after a while');
      say({ event: 'end', state: reply.state });
      resolve();
    })
    .then(() => say({ event: 'ready' }));
});
await served;
await grasp.close();
