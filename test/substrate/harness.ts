/** The three worlds the contract suite runs in. All have the same plan: a on l1 and l2, b on l1, c on l2. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';
import { inlinePair, SimulatedClock, type Endpoint } from '../../src/runtime/index.js';
import {
  openSimulatedSubstrate,
  SimulatedNetwork,
  type Environment,
  type PlainOptions,
  type Security,
  type Target,
} from '../../src/substrate/index.js';
import { nodeClock } from '../../src/workers/node-clock.js';
import { portEndpoint } from '../../src/workers/port-endpoint.js';
import { createLab, type Lab } from '../lab/netns.js';
import { Agent, serve, type AgentMessage } from './agent.js';
import { Remote } from './remote.js';

export type NodeName = 'a' | 'b' | 'c';
export type LinkName = 'l1' | 'l2';

const LINKS: Record<NodeName, LinkName[]> = { a: ['l1', 'l2'], b: ['l1'], c: ['l2'] };
/** Where a simulated node's programs send unicasts from. */
const UNICAST_PORT = 40_000;
const NODES: NodeName[] = ['a', 'b', 'c'];

/** What the nodes of a world have besides. */
export interface WorldOptions {
  readonly ipv6?: boolean;
  readonly ipv4?: boolean;
  readonly families?: readonly ('ipv6' | 'ipv4')[];
}

export interface Harness {
  readonly nodes: Record<NodeName, Remote>;
  /** Waits for a promise; under virtual time, advances it as far as that takes. */
  run<T>(promise: Promise<T>): Promise<T>;
  setUp(node: NodeName, link: LinkName, up: boolean): Promise<void>;
  renumber(node: NodeName, link: LinkName): Promise<void>;
  setIpv4(node: NodeName, link: LinkName, cidr: string | undefined): Promise<void>;
  setMtu(link: LinkName, mtu: number): Promise<void>;
  /** What the resolver answers. */
  setName(name: string, addresses: readonly string[]): void;
  /** Takes a link away with the interfaces on it, and makes it again. */
  removeLink(link: LinkName): Promise<void>;
  restoreLink(link: LinkName): Promise<void>;
  /** A datagram to one address, by no substrate; the port it came from. */
  unicast(node: NodeName, target: Target, hex: string): Promise<number>;
  /** Stops a node's thread or process, as if it were busy, and lets it go again. */
  freeze(node: NodeName): Promise<void>;
  thaw(node: NodeName): void;
  /** Ends a node's process or thread, with all it had open, without a word. */
  kill(node: NodeName): Promise<void>;
  /** Undefined where security is fixed when the substrate is opened. */
  readonly setSecurity?: (node: NodeName, security: Security) => void;
  close(): Promise<void>;
}

/** A plain substrate in a process of a lab's node. `limit`: file descriptors the process may have. */
export async function startPlainAgent(
  lab: Lab,
  node: string,
  options: PlainOptions,
  limit?: number,
): Promise<{ remote: Remote; child: ChildProcess; environment: Environment }> {
  const script = fileURLToPath(new URL('./plain-agent.js', import.meta.url));
  const program = [process.execPath, script, JSON.stringify(options)];
  const argv =
    limit === undefined ? program : ['sh', '-c', `ulimit -n ${limit}; exec "$@"`, 'sh', ...program];
  const child = lab.spawn(node, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  const remote = new Remote((message) => void child.stdin!.write(`${JSON.stringify(message)}\n`));
  child.stdin!.on('error', () => undefined);
  createInterface({ input: child.stdout! }).on('line', (line) =>
    remote.receive(JSON.parse(line) as AgentMessage),
  );
  child.once('exit', (code) => remote.gone(`the agent of ${node} ended with ${code}`));
  const { environment } = await remote.event('environment');
  return { remote, child, environment };
}

export async function plainHarness({ families, ...has }: WorldOptions = {}): Promise<Harness> {
  const links = { l1: ['a', 'b'], l2: ['a', 'c'] };
  const lab = await createLab({ nodes: NODES, links, ula: true, names: true, ...has });
  const children = new Map<NodeName, ChildProcess>();
  const start = async (node: NodeName): Promise<Remote> => {
    const options = { insecure: true, interfaces: LINKS[node], pollIntervalMs: 50, families };
    const { remote, child } = await startPlainAgent(lab, node, options);
    children.set(node, child);
    return remote;
  };
  try {
    const [a, b, c] = await Promise.all([start('a'), start('b'), start('c')]);
    return {
      nodes: { a, b, c },
      run: (promise) => promise,
      setUp: (node, link, up) => lab.setUp(node, link, up),
      renumber: async (node, link) => void (await lab.renumber(node, link)),
      setIpv4: (node, link, cidr) => lab.setIpv4(node, link, cidr),
      setMtu: async (link, mtu) => {
        for (const node of links[link]) await lab.ip(node, 'link', 'set', link, 'mtu', String(mtu));
      },
      setName: (name, addresses) => lab.setName(name, addresses),
      removeLink: (link) => lab.removeLink(link),
      restoreLink: (link) => lab.restoreLink(link),
      unicast: async (node, target, hex) => {
        const { port } = await { a, b, c }[node].call('unicast', { target, hex });
        return port;
      },
      freeze: async (node) => void children.get(node)!.kill('SIGSTOP'),
      thaw: (node) => void children.get(node)!.kill('SIGCONT'),
      kill: async (node) => {
        const child = children.get(node)!;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await ended;
      },
      close: () => lab.close(),
    };
  } catch (error) {
    await lab.close();
    throw error;
  }
}

/** Everything in this thread, virtual time, every message through structuredClone. */
export async function inlineHarness(has: WorldOptions = {}): Promise<Harness> {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork({ clock, seed: 11 });
  const nodes = {} as Record<NodeName, Remote>;
  const gates = {} as Gates;
  for (const name of NODES) {
    const [theirs, ours] = inlinePair(clock, { clone: true });
    network.addNode(name, { links: LINKS[name], ...has }).connectPort(theirs);
    const { endpoint, freeze, thaw } = freezable(ours);
    gates[name] = { freeze: async () => freeze(), thaw, kill: async () => ours.close() };
    const substrate = await clock.until(openSimulatedSubstrate(endpoint, { clock }));
    const remote: Remote = new Remote((message) => handle(message));
    const agent = new Agent(substrate, { emit: (event) => remote.receive(event), freeze });
    const handle = serve(agent, (message) => remote.receive(message));
    nodes[name] = remote;
  }
  return simulatedHarness(
    network,
    nodes,
    gates,
    (promise) => clock.until(promise),
    async () => {
      network.close();
      await clock.settle();
    },
  );
}

/** The network here, each node's substrate in a worker of its own, real time. */
export async function threadsHarness(has: WorldOptions = {}): Promise<Harness> {
  const network = new SimulatedNetwork({ clock: nodeClock, seed: 12 });
  const workers: Worker[] = [];
  const gates = {} as Gates;
  const start = async (name: NodeName): Promise<Remote> => {
    const net = new MessageChannel();
    const control = new MessageChannel();
    network.addNode(name, { links: LINKS[name], ...has }).connectPort(portEndpoint(net.port1));
    const remote = new Remote((message) => control.port1.postMessage(message));
    control.port1.on('message', (message: AgentMessage) => remote.receive(message));
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(new URL('./worker-agent.js', import.meta.url), {
      workerData: { network: net.port2, control: control.port2, gate },
      transferList: [net.port2, control.port2],
    });
    worker.once('error', (error) => remote.gone(`the agent of ${name} failed: ${error.stack}`));
    workers.push(worker);
    gates[name] = {
      freeze: async () => {
        Atomics.store(gate, 0, 1);
        await remote.call('freeze', {});
      },
      thaw: () => {
        Atomics.store(gate, 0, 0);
        Atomics.notify(gate, 0);
      },
      kill: async () => void (await worker.terminate()),
    };
    await remote.event('environment');
    return remote;
  };
  const [a, b, c] = [await start('a'), await start('b'), await start('c')];
  return simulatedHarness(
    network,
    { a, b, c },
    gates,
    (promise) => promise,
    async () => {
      network.close();
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  );
}

type Gates = Record<NodeName, { freeze: () => Promise<void>; thaw: () => void; kill: () => Promise<void> }>;

function simulatedHarness(
  network: SimulatedNetwork,
  nodes: Record<NodeName, Remote>,
  gates: Gates,
  run: <T>(promise: Promise<T>) => Promise<T>,
  close: () => Promise<void>,
): Harness {
  const members = (link: LinkName): NodeName[] => NODES.filter((name) => LINKS[name].includes(link));
  return {
    nodes,
    run,
    setUp: async (node, link, up) => network.node(node).setInterfaceUp(link, up),
    renumber: async (node, link) => network.node(node).renumber(link),
    setIpv4: async (node, link, cidr) => network.node(node).setIpv4(link, cidr),
    setMtu: async (link, mtu) => void network.link(link).set({ mtu }),
    setName: (name, addresses) => network.setName(name, addresses),
    removeLink: async (link) => members(link).forEach((name) => network.node(name).detach(link)),
    restoreLink: async (link) => members(link).forEach((name) => network.node(name).attach(link)),
    unicast: async (node, target, hex) => {
      network.node(node).sendDatagram(target, Buffer.from(hex, 'hex'), UNICAST_PORT);
      return UNICAST_PORT;
    },
    freeze: (node) => gates[node].freeze(),
    thaw: (node) => gates[node].thaw(),
    kill: (node) => gates[node].kill(),
    setSecurity: (node, security) => network.node(node).setSecurity(security),
    close,
  };
}

/** An endpoint whose thread can be busy: what arrives meanwhile waits, as it would in a worker. */
function freezable(endpoint: Endpoint): { endpoint: Endpoint; freeze: () => void; thaw: () => void } {
  let waiting: unknown[] | undefined;
  let deliver: (message: unknown) => void = () => undefined;
  return {
    endpoint: {
      postMessage: (message, transfer) => endpoint.postMessage(message, transfer),
      onMessage: (handler) => {
        deliver = handler;
        endpoint.onMessage((message) => (waiting ? void waiting.push(message) : handler(message)));
      },
      onClose: (handler) => endpoint.onClose(handler),
      close: () => endpoint.close(),
    },
    freeze: () => {
      waiting ??= [];
    },
    thaw: () => {
      const messages = waiting ?? [];
      waiting = undefined;
      for (const message of messages) deliver(message);
    },
  };
}
