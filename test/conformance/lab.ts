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

export class RowLab {
  readonly p: Peer;
  readonly p2: Peer;
  readonly q: Peer;
  readonly #lab: Lab;

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

  close(): Promise<void> {
    return this.#lab.close();
  }
}
