/** An ASA on the library that asks for everything `library-responder` can do, then many things at once. */
import { Grasp, GraspError, type AsaLocator, type NegotiateResult } from '../../../src/index.js';

const [interfaceName] = process.argv.slice(2) as [string];
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const grasp = await Grasp.start({
  substrate: { kind: 'plain', interfaces: [interfaceName], insecure: true },
});
const asa = await grasp.registerAsa('library-requester');
const ex3 = await asa.registerObjective({ name: 'EX3', negotiate: true, dryRun: true });

let peer: AsaLocator | undefined;
for await (const locator of asa.discover('EX3')) {
  peer = locator;
  break;
}
if (peer === undefined) throw new Error('nobody found');
say({ event: 'found', port: peer.port, interface: peer.interface });

const told = (result: NegotiateResult): object =>
  result.state === 'declined' ? result : { state: result.state, value: result.value };

async function ask(
  what: string,
  after: (result: NegotiateResult) => Promise<object>,
  dryRun = false,
): Promise<void> {
  try {
    const result = await asa.requestNegotiate(ex3, [what, 1], { peer: peer!, dryRun });
    say({ event: 'result', what, ...(await after(result)) });
  } catch (error) {
    const code: unknown = GraspError.is(error) ? error.code : String(error);
    say({ event: 'result', what, code });
  }
}

const asIs = (result: NegotiateResult): Promise<object> => Promise.resolve(told(result));

async function accept(result: NegotiateResult): Promise<object> {
  if (result.state !== 'offered') return told(result);
  await result.session.endNegotiate({ accept: true });
  return { state: 'accepted here', value: result.value, dryRun: result.session.dryRun };
}

async function stepOn(result: NegotiateResult): Promise<object> {
  while (result.state === 'offered') result = await result.session.negotiateStep(['loop', 9]);
  return told(result);
}

await ask('accept', asIs);
await ask('decline', asIs);
await ask('counter', accept);
await ask('dry', accept, true);
await ask('wait', accept);
await ask('invalid', asIs);
await ask('throw', asIs);
await ask('return', asIs);
await ask('loop', stepOn);

const many = await Promise.all(
  Array.from({ length: 300 }, async (_, i) => {
    const value = [i % 2 === 0 ? 'accept' : 'counter', i];
    const result = await asa.requestNegotiate(ex3, value, { peer: peer! });
    if (result.state !== 'offered') return result.state === 'accepted' && (result.value as number[])[1] === i;
    await result.session.endNegotiate({ accept: true });
    return (result.value as number[])[1] === i + 1;
  }),
);
say({ event: 'many', right: many.filter(Boolean).length });
await grasp.close();
