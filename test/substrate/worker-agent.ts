/** A simulated substrate in a worker: the substrate over one port, the suite's commands over the other. */
import { workerData, type MessagePort } from 'node:worker_threads';
import { openSimulatedSubstrate } from '../../src/substrate/index.js';
import { nodeClock } from '../../src/workers/node-clock.js';
import { portEndpoint } from '../../src/workers/port-endpoint.js';
import { Agent, serve, type AgentMessage } from './agent.js';

interface Data {
  network: MessagePort;
  control: MessagePort;
  /** 1: stand still; 0: go. */
  gate: Int32Array;
}

const { network, control, gate } = workerData as Data;
const send = (message: AgentMessage): void => control.postMessage(message);
const substrate = await openSimulatedSubstrate(portEndpoint(network), { clock: nodeClock });
const agent = new Agent(substrate, {
  emit: send,
  freeze: () => setImmediate(() => Atomics.wait(gate, 0, 1)),
});
const handle = serve(agent, send);
control.on('message', (message: AgentMessage) => handle(message));
send({ event: 'environment', environment: substrate.environment });
