/**
 * Where benchmarks run: two network namespaces joined by a veth pair, or, without the right to make them, the
 * loopback interface of the host; the result says which.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface Side {
  /** Address of this side that the other one reaches. */
  readonly address: string;
  /** Interface to run an engine on; undefined on loopback: then the engine chooses, and peers are named. */
  readonly interface: string | undefined;
  /** Starts `node ARGS` on this side; stdin and stdout are pipes, stderr is ours. */
  spawn(args: readonly string[]): ChildProcess;
}

export interface Lab {
  readonly kind: 'namespaces' | 'loopback';
  readonly server: Side;
  readonly client: Side;
  /** Ends what still runs and takes the namespaces away. Idempotent. */
  close(): void;
}

function ip(...args: string[]): void {
  const { status, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`);
}

/** Kernel settings of a namespace, by their path below /proc/sys/net: `sysctl` is not everywhere. */
function set(namespace: string, settings: Readonly<Record<string, string>>): void {
  const lines = Object.entries(settings).map(([path, value]) => `echo '${value}' > /proc/sys/net/${path}`);
  ip('netns', 'exec', namespace, 'sh', '-ec', lines.join('\n'));
}

/** Opens namespaces where that is allowed, else loopback with a line on stderr. */
export function openLab(): Lab {
  const children = new Set<ChildProcess>();
  const names = ['s', 'c'].map((side) => `gbench-${process.pid}-${side}`) as [string, string];

  function side(prefix: readonly string[], address: string, interfaceName: string | undefined): Side {
    return {
      address,
      interface: interfaceName,
      spawn(args) {
        const [command, ...rest] = [...prefix, process.execPath, ...args] as [string, ...string[]];
        const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
        children.add(child);
        child.once('exit', () => children.delete(child));
        return child;
      },
    };
  }

  const removeNamespaces = (): void => {
    for (const name of names) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
  };

  let kind: Lab['kind'] = 'namespaces';
  try {
    for (const name of names) ip('netns', 'add', name);
    ip('link', 'add', 'gb0', 'netns', names[0], 'type', 'veth', 'peer', 'name', 'gb0', 'netns', names[1]);
    names.forEach((name, index) => {
      set(name, {
        // No duplicate address detection: addresses are usable at once.
        'ipv6/conf/all/accept_dad': '0',
        'ipv6/conf/gb0/accept_dad': '0',
        // Every session leaves a port in TIME_WAIT for 60 s; without reuse a run stalls after 28,000 of them.
        'ipv4/tcp_tw_reuse': '1',
        'ipv4/ip_local_port_range': '1024 65535',
        'core/somaxconn': '8192',
      });
      ip('-n', name, 'link', 'set', 'lo', 'up');
      ip('-n', name, 'link', 'set', 'gb0', 'up');
      ip('-n', name, 'address', 'add', `fd00:be7c::${index + 1}/64`, 'dev', 'gb0', 'nodad');
    });
  } catch (error) {
    removeNamespaces();
    kind = 'loopback';
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(
      `lab: no namespaces (${why}); both sides on loopback, numbers differ from a real link\n`,
    );
  }

  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    process.off('exit', close);
    for (const child of children) child.kill('SIGKILL');
    if (kind === 'namespaces') removeNamespaces();
  };
  process.once('exit', close);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

  const make = (index: 0 | 1): Side =>
    kind === 'namespaces'
      ? side(['ip', 'netns', 'exec', names[index]], `fd00:be7c::${index + 1}`, 'gb0')
      : side([], '::1', undefined);
  return { kind, server: make(0), client: make(1), close };
}

/** The next JSON line of a child's stdout; rejects when it ends without one. */
export async function nextLine(child: ChildProcess, what: string): Promise<unknown> {
  if (child.stdout === null) throw new Error(`${what} has no output`);
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'exit').then(([code, signal]: unknown[]) => {
    // Output that came before the exit is still read first.
    return new Promise<never>((_, reject) => {
      setImmediate(() => reject(new Error(`${what} ended (${String(code ?? signal)}) without a result`)));
    });
  });
  const line = once(lines, 'line').then(([text]) => JSON.parse(String(text)) as unknown);
  return await Promise.race([line, ended]);
}
