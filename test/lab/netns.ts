/**
 * Network namespaces for tests: every node of a lab is a namespace of its own, every link a veth pair (a bridge in
 * a further namespace where more than two nodes meet). Traffic never leaves them. Needs Linux, root and `ip`;
 * elsewhere lab tests are skipped with a line, unless GRASP_REQUIRE_LAB=1, where they fail.
 */
import { execFile, execFileSync, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export interface LabPlan {
  readonly nodes: readonly string[];
  /** Link name → the nodes on it. On each node the interface bears the link's name. */
  readonly links: Readonly<Record<string, readonly string[]>>;
  /** A ULA address on every interface besides the link-local one. */
  readonly ula?: boolean;
  /** Whether interfaces have IPv6 at all. Default true. */
  readonly ipv6?: boolean;
  /** An IPv4 address on every interface, 10.0.<link>.<node>/24. */
  readonly ipv4?: boolean;
  /** Names can be given addresses; see {@link Lab.setName}. */
  readonly names?: boolean;
  /** Leaves duplicate address detection on (and does not wait for it): addresses are tentative at first. */
  readonly dad?: boolean;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LabAddresses {
  /** Empty without IPv6. */
  readonly linkLocal: string;
  readonly ula: string | undefined;
  readonly ipv4: string | undefined;
}

export interface Lab {
  /** The namespace of a node. */
  namespace(node: string): string;
  /** The node's addresses on a link as the lab gave them. */
  addresses(node: string, link: string): LabAddresses;
  /** Starts a program in a node's namespace; the lab ends it in `close` if it still runs. */
  spawn(node: string, argv: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Runs a program in a node's namespace to its end. */
  run(
    node: string,
    argv: readonly string[],
    options?: { env?: NodeJS.ProcessEnv; input?: string },
  ): Promise<Ended>;
  /** Runs `ip` in a node's namespace; rejects if it fails. */
  ip(node: string, ...args: string[]): Promise<string>;
  /** Takes an interface down, or up again with the addresses it had. Resolves when they are usable. */
  setUp(node: string, link: string, up: boolean): Promise<void>;
  /** Replaces the ULA address of an interface, and the IPv4 one it may have; returns the new ULA. */
  renumber(node: string, link: string): Promise<string>;
  /** Replaces the link-local address of an interface; returns the new one. */
  changeLinkLocal(node: string, link: string): Promise<string>;
  /** Gives an interface another IPv4 address, `192.0.2.1/24`, or none. */
  setIpv4(node: string, link: string, cidr: string | undefined): Promise<void>;
  /** What every node's resolver answers for a name, from now on. Only with `names` in the plan. */
  setName(name: string, addresses: readonly string[]): void;
  /** Removes the interface (and what it was joined to), and makes a new one of the same name, by two calls. */
  removeLink(link: string): Promise<void>;
  restoreLink(link: string): Promise<void>;
  /** Ends the lab's own children and deletes its own namespaces. Idempotent. */
  close(): Promise<void>;
}

let availability: { readonly reason: string | undefined } | undefined;

/** Why no lab can be made here; undefined if one can. */
export function labAvailable(): string | undefined {
  availability ??= { reason: probe() };
  return availability.reason;
}

function probe(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const name = `gt-${process.pid}-probe`;
  try {
    ipSync('netns', 'add', name);
    ipSync('netns', 'del', name);
    return undefined;
  } catch (error) {
    return `\`ip netns\` does not work here (${(error as Error).message.split('\n')[0]})`;
  }
}

function ipSync(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Namespaces whose maker has ended without deleting them. */
function removeLeftovers(): void {
  for (const line of ipSync('netns', 'list').split('\n')) {
    const match = /^(gt-(\d+)-[^ ]*)/.exec(line);
    if (!match?.[1] || isAlive(Number(match[2]))) continue;
    try {
      ipSync('netns', 'del', match[1]);
    } catch {
      // Another test process was quicker.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

let labs = 0;

/** Makes the namespaces and links of a plan. Resolves when every address is usable. */
export async function createLab(plan: LabPlan): Promise<Lab> {
  const reason = labAvailable();
  if (reason !== undefined) throw new Error(reason);
  removeLeftovers();
  for (const name of Object.keys(plan.links)) {
    if (!/^[A-Za-z0-9_-]{1,15}$/.test(name)) throw new RangeError(`'${name}' cannot name an interface`);
  }
  const lab = new NetnsLab(plan, `gt-${process.pid}-${++labs}`);
  try {
    await lab.build();
    return lab;
  } catch (error) {
    await lab.close();
    throw error;
  }
}

class NetnsLab implements Lab {
  readonly #plan: LabPlan;
  readonly #prefix: string;
  readonly #namespaces: string[] = [];
  readonly #children = new Set<ChildProcess>();
  readonly #ula = new Map<string, string>();
  readonly #linkLocal = new Map<string, string>();
  /** With the prefix length. */
  readonly #ipv4 = new Map<string, string>();
  readonly #names = new Map<string, readonly string[]>();
  readonly #atExit = (): void => this.#closeSync();
  #generation = 0;
  #closed = false;

  constructor(plan: LabPlan, prefix: string) {
    this.#plan = plan;
    this.#prefix = prefix;
  }

  async build(): Promise<void> {
    process.once('exit', this.#atExit);
    const { nodes, links } = this.#plan;
    for (const node of nodes) {
      await this.#addNamespace(this.namespace(node));
      if (!this.#plan.names) continue;
      // `ip netns exec` mounts what is here over /etc.
      mkdirSync(dirname(this.#hostsOf(node)), { recursive: true });
      writeFileSync(this.#hostsOf(node), '');
    }
    for (const [link, members] of Object.entries(links)) {
      if (members.length !== 2) await this.#addBridge(link);
      await this.restoreLink(link);
    }
  }

  namespace(node: string): string {
    return `${this.#prefix}-${node}`;
  }

  addresses(node: string, link: string): LabAddresses {
    const key = `${node} ${link}`;
    const linkLocal = this.#linkLocal.get(key);
    const ipv4 = this.#ipv4.get(key)?.split('/')[0];
    if (linkLocal === undefined && ipv4 === undefined) {
      throw new RangeError(`${node} has no address on ${link}`);
    }
    return { linkLocal: linkLocal ?? '', ula: this.#ula.get(key), ipv4 };
  }

  spawn(node: string, argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    // `ip netns exec` becomes the program: the child's pid is the program's own.
    const child = spawn('ip', ['netns', 'exec', this.namespace(node), ...argv], options);
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  run(
    node: string,
    argv: readonly string[],
    options: { env?: NodeJS.ProcessEnv; input?: string } = {},
  ): Promise<Ended> {
    const env = { ...process.env, ...options.env };
    const child = this.spawn(node, argv, { stdio: ['pipe', 'pipe', 'pipe'], env });
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin?.on('error', () => undefined).end(options.input ?? '');
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
  }

  ip(node: string, ...args: string[]): Promise<string> {
    return ip('-n', this.namespace(node), ...args);
  }

  async setUp(node: string, link: string, up: boolean): Promise<void> {
    await this.ip(node, 'link', 'set', link, up ? 'up' : 'down');
    if (up) await this.#settle(node, link);
  }

  async renumber(node: string, link: string): Promise<string> {
    const key = `${node} ${link}`;
    if (this.#ipv4.has(key)) await this.setIpv4(node, link, this.#ipv4Of(node, link, ++this.#generation));
    if (this.#plan.ipv6 === false) return '';
    const old = this.#ula.get(key);
    if (old !== undefined) await this.ip(node, 'addr', 'del', `${old}/64`, 'dev', link);
    const address = this.#ulaOf(node, link, ++this.#generation);
    this.#ula.set(key, address);
    await this.ip(node, 'addr', 'add', `${address}/64`, 'dev', link, 'nodad');
    return address;
  }

  async changeLinkLocal(node: string, link: string): Promise<string> {
    const key = `${node} ${link}`;
    const address = `fe80::${(++this.#generation).toString(16)}:${(this.#plan.nodes.indexOf(node) + 1).toString(16)}`;
    await this.ip(node, 'addr', 'del', `${this.addresses(node, link).linkLocal}/64`, 'dev', link);
    await this.ip(node, 'addr', 'add', `${address}/64`, 'dev', link, 'nodad');
    this.#linkLocal.set(key, address);
    return address;
  }

  async setIpv4(node: string, link: string, cidr: string | undefined): Promise<void> {
    const key = `${node} ${link}`;
    const old = this.#ipv4.get(key);
    if (old !== undefined) await this.ip(node, 'addr', 'del', old, 'dev', link);
    this.#ipv4.delete(key);
    if (cidr === undefined) return;
    await this.ip(node, 'addr', 'add', cidr, 'dev', link);
    this.#ipv4.set(key, cidr);
  }

  setName(name: string, addresses: readonly string[]): void {
    this.#names.set(name, addresses);
    const lines = [...this.#names].flatMap(([known, all]) => all.map((address) => `${address} ${known}\n`));
    // In place: the programs that run have this very file mounted over their /etc/hosts.
    for (const node of this.#plan.nodes) writeFileSync(this.#hostsOf(node), lines.join(''));
  }

  async removeLink(link: string): Promise<void> {
    const members = this.#plan.links[link] ?? [];
    const alone = members.length === 2 ? members.slice(0, 1) : members; // one end takes the other along
    for (const node of alone) await this.ip(node, 'link', 'del', link);
  }

  async restoreLink(link: string): Promise<void> {
    const members = this.#plan.links[link] ?? [];
    if (members.length === 2) {
      const [first, second] = members as [string, string];
      await this.ip(
        first,
        'link',
        'add',
        link,
        'type',
        'veth',
        'peer',
        'name',
        link,
        'netns',
        this.namespace(second),
      );
    } else {
      const bridge = this.#bridgeOf(link);
      for (const [i, node] of members.entries()) {
        const port = `p${i}`;
        await ip(
          '-n',
          bridge,
          'link',
          'add',
          port,
          'type',
          'veth',
          'peer',
          'name',
          link,
          'netns',
          this.namespace(node),
        );
        await ip('-n', bridge, 'link', 'set', port, 'master', 'br0', 'up');
      }
    }
    for (const node of members) await this.ip(node, 'link', 'set', link, 'up');
    for (const node of members) await this.#settle(node, link);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    process.off('exit', this.#atExit);
    const ended = [...this.#children].map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all(ended);
    for (const namespace of this.#namespaces) await ip('netns', 'del', namespace);
    this.#removeNames();
  }

  #closeSync(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const namespace of this.#namespaces) {
      try {
        ipSync('netns', 'del', namespace);
      } catch {
        // Left for the next lab, which removes what dead processes left behind.
      }
    }
    this.#removeNames();
  }

  #hostsOf(node: string): string {
    return `/etc/netns/${this.namespace(node)}/hosts`;
  }

  #removeNames(): void {
    if (!this.#plan.names) return;
    for (const node of this.#plan.nodes)
      rmSync(dirname(this.#hostsOf(node)), { recursive: true, force: true });
  }

  async #addNamespace(name: string): Promise<void> {
    await ip('netns', 'add', name);
    this.#namespaces.push(name);
    await ip('-n', name, 'link', 'set', 'lo', 'up');
    const settings = ['net/ipv4/tcp_tw_reuse=1'];
    // Without detection addresses are never tentative, and tests need not wait for them.
    if (!this.#plan.dad)
      settings.push('net/ipv6/conf/default/accept_dad=0', 'net/ipv6/conf/all/accept_dad=0');
    if (this.#plan.ipv6 === false) settings.push('net/ipv6/conf/default/disable_ipv6=1');
    const script = settings.map(
      (setting) => `echo ${setting.split('=')[1]} > /proc/sys/${setting.split('=')[0]}`,
    );
    await execute('ip', ['netns', 'exec', name, 'sh', '-ec', script.join('\n')]);
  }

  async #addBridge(link: string): Promise<void> {
    const name = this.#bridgeOf(link);
    await this.#addNamespace(name);
    const settings = ['type', 'bridge', 'mcast_snooping', '0', 'stp_state', '0', 'forward_delay', '0'];
    await ip('-n', name, 'link', 'add', 'br0', ...settings);
    await ip('-n', name, 'link', 'set', 'br0', 'up');
  }

  #bridgeOf(link: string): string {
    return `${this.#prefix}-br-${link}`;
  }

  /** Gives an interface that has come up its ULA address and waits for its link-local one. */
  async #settle(node: string, link: string): Promise<void> {
    const key = `${node} ${link}`;
    if (this.#plan.ipv4) {
      const cidr = this.#ipv4.get(key) ?? this.#ipv4Of(node, link, 0);
      this.#ipv4.set(key, cidr);
      await this.ip(node, 'addr', 'replace', cidr, 'dev', link);
    }
    if (this.#plan.ula && this.#plan.ipv6 !== false) {
      const address = this.#ula.get(key) ?? this.#ulaOf(node, link, 0);
      this.#ula.set(key, address);
      await this.ip(node, 'addr', 'replace', `${address}/64`, 'dev', link, 'nodad');
    }
    for (let tries = 0; tries < 2000; tries++) {
      const text = await this.ip(node, '-6', '-o', 'addr', 'show', 'dev', link, 'scope', 'link');
      const address = / inet6 ([0-9a-f:]+)\//.exec(text)?.[1];
      const carrier =
        this.#plan.dad || /state UP/.test(await this.ip(node, '-o', 'link', 'show', 'dev', link));
      if (carrier && this.#plan.ipv6 === false) return;
      if (address && carrier && (this.#plan.dad || !text.includes('tentative'))) {
        this.#linkLocal.set(key, address);
        return;
      }
    }
    throw new Error(`${node}: no link-local address on ${link}`);
  }

  #ipv4Of(node: string, link: string, generation: number): string {
    const { nodes, links } = this.#plan;
    return `10.0.${Object.keys(links).indexOf(link) + 1}.${16 * generation + nodes.indexOf(node) + 1}/24`;
  }

  #ulaOf(node: string, link: string, generation: number): string {
    const { nodes, links } = this.#plan;
    const linkNumber = Object.keys(links).indexOf(link) + 1;
    const host = nodes.indexOf(node) + 1;
    return `fd00:0:0:${linkNumber.toString(16)}::${generation ? `${generation.toString(16)}:` : ''}${host.toString(16)}`;
  }
}

function ip(...args: string[]): Promise<string> {
  return execute('ip', args);
}

function execute(file: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { encoding: 'utf8' }, (error, stdout) => {
      if (error) reject(error as Error);
      else resolve(stdout);
    });
  });
}
