/** A plain substrate in a process of its own: JSON lines on stdin and stdout. Options: one JSON argument. */
import { createSocket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import { createInterface } from 'node:readline';
import { openPlainSubstrate, type PlainOptions } from '../../src/substrate/index.js';
import { nodeClock } from '../../src/workers/node-clock.js';
import { Agent, serve, type AgentMessage } from './agent.js';

const options = JSON.parse(process.argv[2] ?? '{}') as PlainOptions;
const send = (message: AgentMessage): void => void process.stdout.write(`${JSON.stringify(message)}\n`);
const substrate = await openPlainSubstrate(options, { clock: nodeClock });
const agent = new Agent(substrate, {
  emit: send,
  unicast: ({ address, port, interface: zone }, bytes) =>
    new Promise((resolve, reject) => {
      const socket = createSocket(isIPv4(address) ? 'udp4' : 'udp6');
      socket.send(bytes, port, zone === undefined ? address : `${address}%${zone}`, (error) => {
        const from = error ? 0 : socket.address().port;
        socket.close();
        if (error) reject(error);
        else resolve(from);
      });
    }),
  freeze: () => undefined, // the suite stops the process
});
const handle = serve(agent, send);
createInterface({ input: process.stdin })
  .on('line', (line) => handle(JSON.parse(line) as AgentMessage))
  .on('close', () => process.exit(0));
send({ event: 'environment', environment: substrate.environment });
