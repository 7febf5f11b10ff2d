/**
 * An ASA that asks for VALUE, takes the first offer, and says nothing more. `IF NAME VALUE` as arguments; prints
 * `offered`, then `ended` with the code when the other side ends the session.
 */
import { Grasp, GraspError } from '../../../src/index.js';

const [interfaceName, name, value] = process.argv.slice(2) as [string, string, string];
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const grasp = await Grasp.start({
  substrate: { kind: 'plain', interfaces: [interfaceName], insecure: true },
});
const asa = await grasp.registerAsa('silent');
const objective = await asa.registerObjective({ name, negotiate: true });
const reply = await asa.requestNegotiate(objective, JSON.parse(value));
if (reply.state !== 'offered') throw new Error(`not offered but ${reply.state}`);
const { signal } = reply.session;
say({ event: 'offered', value: reply.value });
await new Promise<void>((resolve) => {
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve(), { once: true });
});
say({ event: 'ended', code: GraspError.is(signal.reason) ? signal.reason.code : null });
await grasp.close();
