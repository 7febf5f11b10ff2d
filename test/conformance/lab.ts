/**
 * The network of a row: E with i1 and i2; P and P2 on i1's link, Q on i2's; each in a namespace of its own, with a
 * ULA on every interface. Made once and used for many rows.
 */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createLab, type Lab } from '../lab/netns.js';
import { Peer } from './peer.js';
import type { Notice } from './waiting.js';

const AGENT = fileURLToPath(new URL('./peer-agent.js', import.meta.url));

/** Names of E's interfaces; a peer's bears the name of its link. */
export const I1 = 'i1';
export const I2 = 'i2';

/** IPv4 addresses, given for rows that ask for them; which node has which on which link. */
const IPV4 = [
  ['e', I1, '10.77.1.1'],
  ['p', I1, '10.77.1.2'],
  ['p2', I1, '10.77.1.3'],
  ['e', I2, '10.77.2.1'],
  ['q', I2, '10.77.2.4'],
] as const;

export class RowLab {
  readonly p: Peer;
  readonly p2: Peer;
  readonly q: Peer;
  readonly #lab: Lab;
  #hasIPv4 = false;

  private constructor(lab: Lab, notice: Notice) {
    this.#lab = lab;
    const peer = (name: string, link: string): Peer => {
      const { linkLocal, ula } = lab.addresses(name, link);
      const child = lab.spawn(name, [process.execPath, AGENT, link], { stdio: ['pipe', 'pipe', 'inherit'] });
      return new Peer({ name: name.toUpperCase(), interface: link, linkLocal, ula: ula! }, child, notice);
    };
    this.p = peer('p', I1);
    this.p2 = peer('p2', I1);
    this.q = peer('q', I2);
    for (const each of this.peers) {
      for (const { linkLocal, global } of this.peers) each.scripted.add(linkLocal).add(global);
    }
  }

  static async make(notice: Notice): Promise<RowLab> {
    const links = { [I1]: ['e', 'p', 'p2'], [I2]: ['e', 'q'] };
    return new RowLab(await createLab({ nodes: ['e', 'p', 'p2', 'q'], links, ula: true }), notice);
  }

  get peers(): readonly Peer[] {
    return [this.p, this.p2, this.q];
  }

  /** E's addresses on an interface, as the lab gave them. */
  addresses(link: string): { linkLocal: string; ula: string } {
    const { linkLocal, ula } = this.#lab.addresses('e', link);
    return { linkLocal, ula: ula! };
  }

  /** Starts a program in E's namespace. */
  startAtE(argv: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    return this.#lab.spawn('e', argv, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  }

  /** Runs `ip` in the namespace of `e`, `p`, `p2` or `q`. */
  ip(node: string, ...args: string[]): Promise<string> {
    return this.#lab.ip(node, ...args);
  }

  /** Runs a program there to its end; its standard output. */
  async run(node: string, ...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#lab.run(node, argv);
    if (code !== 0) throw new Error(`${argv.join(' ')} at ${node}: ${stderr}`);
    return stdout;
  }

  /** Takes E's interface down, or up with its addresses. */
  setUp(link: string, up: boolean): Promise<void> {
    return this.#lab.setUp('e', link, up);
  }

  /** Gives E's interface another ULA; returns it. */
  renumber(link: string): Promise<string> {
    return this.#lab.renumber('e', link);
  }

  /** Gives every node an IPv4 address on each link, and lets the peers hear the IPv4 group too. */
  async addIPv4(): Promise<void> {
    this.#hasIPv4 = true;
    for (const [node, link, address] of IPV4) {
      await this.#lab.ip(node, 'addr', 'add', `${address}/24`, 'dev', link);
      await this.#lab.ip(node, 'route', 'replace', '224.0.0.0/4', 'dev', link);
    }
    const ofPeers = IPV4.filter(([node]) => node !== 'e');
    for (const [node, , address] of ofPeers) {
      for (const each of this.peers) each.scripted.add(address);
      const peer = this.peers.find(({ name }) => name === node.toUpperCase())!;
      peer.ipv4 = address;
      await peer.joinIPv4(address);
    }
  }

  /** Takes them away again. */
  async removeIPv4(): Promise<void> {
    if (!this.#hasIPv4) return;
    this.#hasIPv4 = false;
    for (const [node, link] of IPV4) await this.#lab.ip(node, '-4', 'addr', 'flush', 'dev', link);
    for (const peer of this.peers) peer.ipv4 = undefined;
  }

  close(): Promise<void> {
    return this.#lab.close();
  }
}
