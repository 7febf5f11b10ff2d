/**
 * Where benchmarks run: network namespaces in a line, neighbours joined by veth pairs, or, without the right to make
 * them, the loopback interface of the host (two sides only); the result says which.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { Program } from './support/program.js';

export interface Side {
  /** Address of this side that its neighbours reach: on the link before it, of the first node on the one after it. */
  readonly address: string;
  /** Names of the interfaces along the line; empty on loopback: then the engine chooses, and peers are named. */
  readonly interfaces: readonly string[];
  /** Starts `node ARGS` on this side; stdin and stdout are pipes, stderr is ours. */
  spawn(args: readonly string[]): ChildProcess;
  /** Any program, with these variables added to the environment. */
  spawnProgram(argv: readonly string[], env?: Readonly<Record<string, string>>): ChildProcess;
  /** `node ARGS` as a {@link Program}. */
  start(what: string, args: readonly string[]): Program;
}

export interface Lab {
  readonly kind: 'namespaces' | 'loopback';
  readonly nodes: readonly Side[];
  readonly server: Side;
  readonly client: Side;
  /** Ends what still runs and takes the namespaces away. Idempotent. */
  close(): void;
}

const PREFIX = 'gbench';
let labs = 0;
const open = new Set<Lab>();

/** All that this process has opened; what runs in them would keep it alive. */
export function closeLabs(): void {
  for (const lab of open) lab.close();
}

function ip(...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`);
  return stdout;
}

/** Kernel settings of a namespace, by their path below /proc/sys/net: `sysctl` is not everywhere. */
function set(namespace: string, settings: Readonly<Record<string, string>>): void {
  const lines = Object.entries(settings).map(([path, value]) => `echo '${value}' > /proc/sys/net/${path}`);
  ip('netns', 'exec', namespace, 'sh', '-ec', lines.join('\n'));
}

const linkName = (link: number): string => `gb${link}`;
const addressOn = (link: number, end: 1 | 2): string => `fd00:be7c:0:${link.toString(16)}::${end}`;

/** Links of a node: the one to the node before it, the one to the node after it. */
const linksOf = (node: number, nodes: number): number[] =>
  [node - 1, node].filter((link) => link >= 0 && link < nodes - 1);

function addNode(name: string): void {
  ip('netns', 'add', name);
  set(name, {
    // No duplicate address detection: addresses are usable at once.
    'ipv6/conf/all/accept_dad': '0',
    'ipv6/conf/default/accept_dad': '0',
    // Every session leaves a port in TIME_WAIT for 60 s; without reuse a run stalls after 28,000 of them.
    'ipv4/tcp_tw_reuse': '1',
    'ipv4/ip_local_port_range': '1024 65535',
    'core/somaxconn': '8192',
  });
  ip('-n', name, 'link', 'set', 'lo', 'up');
}

function addLink(link: number, before: string, after: string): void {
  const device = linkName(link);
  ip('link', 'add', device, 'netns', before, 'type', 'veth', 'peer', 'name', device, 'netns', after);
  for (const [name, end] of [
    [before, 1],
    [after, 2],
  ] as const) {
    ip('-n', name, 'link', 'set', device, 'up');
    ip('-n', name, 'address', 'add', `${addressOn(link, end)}/64`, 'dev', device, 'nodad');
  }
}

/** Namespaces whose maker has ended without taking them away. */
function removeLeftovers(): void {
  for (const [, name, pid] of ip('netns', 'list').matchAll(/^(gbench-(\d+)-[^ \n]*)/gm)) {
    try {
      process.kill(Number(pid), 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') ip('netns', 'del', name ?? '');
    }
  }
}

/**
 * Opens namespaces where that is allowed. Else, for two nodes, loopback with a line on stderr; a longer line is
 * refused.
 *
 * @param count 0: no network at all; both sides are this process's own surroundings.
 */
export function openLab(count = 2): Lab {
  const children = new Set<ChildProcess>();
  const lab = ++labs;
  const names = Array.from({ length: count }, (_, node) => `${PREFIX}-${process.pid}-${lab}-${node}`);

  function side(prefix: readonly string[], address: string, interfaces: readonly string[]): Side {
    const spawnProgram: Side['spawnProgram'] = (argv, env) => {
      const [command, ...rest] = [...prefix, ...argv] as [string, ...string[]];
      const options = env === undefined ? {} : { env: { ...process.env, ...env } };
      const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'], ...options });
      children.add(child);
      child.once('exit', () => children.delete(child));
      return child;
    };
    const spawnNode = (args: readonly string[]): ChildProcess => spawnProgram([process.execPath, ...args]);
    const start = (what: string, args: readonly string[]): Program => new Program(spawnNode(args), what);
    return { address, interfaces, spawn: spawnNode, spawnProgram, start };
  }

  const removeNamespaces = (): void => {
    for (const name of names) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
  };

  let kind: Lab['kind'] = count === 0 ? 'loopback' : 'namespaces';
  try {
    if (count > 0) removeLeftovers();
    for (const name of names) addNode(name);
    for (let link = 0; link < count - 1; link++) addLink(link, names[link]!, names[link + 1]!);
  } catch (error) {
    removeNamespaces();
    kind = 'loopback';
    const why = error instanceof Error ? error.message : String(error);
    if (count > 2) {
      const message = `a line of ${count} nodes needs network namespaces, and so root: ${why}`;
      throw new Error(message, { cause: error });
    }
    process.stderr.write(
      `lab: no namespaces (${why}); both sides on loopback, numbers differ from a real link\n`,
    );
  }

  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    open.delete(self);
    process.off('exit', close);
    for (const child of children) child.kill('SIGKILL');
    if (kind === 'namespaces') removeNamespaces();
  };
  process.once('exit', close);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

  const nodes = names.map((name, node) =>
    kind === 'namespaces'
      ? side(
          ['ip', 'netns', 'exec', name],
          node === 0 ? addressOn(0, 1) : addressOn(node - 1, 2),
          linksOf(node, count).map(linkName),
        )
      : side([], '::1', []),
  );
  const here = side([], '::1', []);
  const self: Lab = { kind, nodes, server: nodes[0] ?? here, client: nodes[1] ?? here, close };
  open.add(self);
  return self;
}

/** Benchmarks that multicast have no loopback to fall back on. */
export function needNamespaces(lab: Lab): void {
  if (lab.kind !== 'namespaces') throw new Error('this needs network namespaces, and so root');
}
