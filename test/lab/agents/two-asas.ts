/** Two ASAs of one engine that has no interface at all: they discover each other and negotiate (D-07). */
import { Grasp } from '../../../src/index.js';

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const grasp = await Grasp.start({ substrate: { kind: 'plain', interfaces: [], insecure: true } });
const briggs = await grasp.registerAsa('Briggs');
const offered = await briggs.registerObjective({ name: 'EX3', negotiate: true, overlap: true });
let told: (line: object) => void = () => undefined;
const responder = new Promise<object>((resolve) => (told = resolve));
await offered.onNegotiate(async (session) => {
  const reply = await session.negotiateStep(['NZD', 250]);
  told({ state: reply.state, value: reply.state === 'accepted' ? reply.value : null });
});

const gray = await grasp.registerAsa('Gray');
const wanted = await gray.registerObjective({ name: 'EX3', negotiate: true, overlap: true });
const locators = await gray.discover('EX3');
say({ event: 'found', count: locators.length });
const reply = await gray.requestNegotiate(wanted, ['NZD', 300], { peer: locators[0]! });
if (reply.state !== 'offered') throw new Error(`not offered but ${reply.state}`);
await reply.session.endNegotiate({ accept: true });
say({ event: 'initiator', state: 'accepted', value: reply.value });
say({ event: 'responder', ...(await responder) });
await grasp.close();
