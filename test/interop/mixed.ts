/**
 * Networks in which some nodes are this engine and some the Python prototype, all driven by the same calls: those of
 * the conformance suite's adapters, of which each engine has one.
 */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  Adapter,
  CallFailed,
  Engine,
  valueOf,
  type AsaHandle,
  type FloodAnswer,
  type LocatorAnswer,
  type LocatorArgument,
  type ObjectiveArgument,
} from '../conformance/adapter.js';
import { Peer, type Datagram } from '../conformance/peer.js';
import { adapterCommand } from '../conformance/suite.js';
import { Journal, Notice, now } from '../conformance/waiting.js';
import { createLab, type Lab, type LabPlan } from '../lab/netns.js';
import { startGrasp } from '../lab/program.js';
import { addRoutes } from '../lab/routes.js';
import { startDaemon } from './prototype.js';

/** `ours`, `theirs`: an engine driven through its adapter. `our daemon`, `their daemon`: one that only relays. */
export type Kind = 'ours' | 'theirs' | 'our daemon' | 'their daemon';

/** What a node sends or answers has this long: everything but a repeated discovery is there at once. */
const SOON_MS = 10_000;

/** Hears every multicast of every link. */
const EAR = 'ear';
const AGENT = fileURLToPath(new URL('../conformance/peer-agent.js', import.meta.url));

export class MixedNode {
  readonly engine: Engine;
  readonly asa: AsaHandle;
  readonly #notice: Notice;

  constructor(engine: Engine, asa: AsaHandle, notice: Notice) {
    this.engine = engine;
    this.asa = asa;
    this.#notice = notice;
  }

  async registers(objective: ObjectiveArgument, options: object = {}): Promise<void> {
    await this.engine.registerObjective(this.asa, objective, options);
  }

  /** Registers a synchronization objective and answers requests for it. */
  async publishes(objective: ObjectiveArgument, options: object = {}): Promise<void> {
    await this.registers({ synchronize: true, ...objective }, options);
    await this.engine.listenSynchronize(this.asa, { synchronize: true, ...objective });
  }

  async floods(
    ttlMs: number,
    ...tagged: { name: string; value: unknown; loopCount?: number; locator?: LocatorArgument }[]
  ): Promise<void> {
    const items = tagged.map(({ locator, ...objective }) => ({
      objective: { synchronize: true, ...objective },
      locator: locator ?? null,
    }));
    await this.engine.flood(this.asa, ttlMs, items);
  }

  getFlood(name: string): Promise<FloodAnswer[]> {
    return this.engine.getFlood(this.asa, { name, synchronize: true });
  }

  /** The floods of an objective, once they are as wanted. */
  receives(
    name: string,
    good: (floods: FloodAnswer[]) => boolean = (all) => all.length > 0,
  ): Promise<FloodAnswer[]> {
    return this.until(() => this.getFlood(name), good, `floods of ${name}`);
  }

  /** Discovers, again and again if need be; the first locator. */
  async finds(objective: ObjectiveArgument): Promise<LocatorAnswer> {
    const ask = (): Promise<LocatorAnswer[]> =>
      this.engine.discover(this.asa, objective, { timeoutMs: 1000 });
    const [locator] = await this.until(ask, (found) => found.length > 0, `discovery of ${objective.name}`);
    return locator!;
  }

  /** Asks until the answer is good; it must be within {@link SOON_MS}. */
  async until<X>(ask: () => Promise<X>, good: (x: X) => boolean, what: string): Promise<X> {
    const end = now() + SOON_MS;
    for (;;) {
      const answer = await ask();
      if (good(answer)) return answer;
      if (now() > end) throw new Error(`${what}: ${JSON.stringify(answer)}`);
      await this.#notice.during(() => undefined, 20);
    }
  }

  /** Whether a call fails with this code. */
  async code(call: Promise<unknown>): Promise<number> {
    try {
      await call;
      return 0;
    } catch (error) {
      if (error instanceof CallFailed) return error.code;
      throw error;
    }
  }
}

export class MixedLab {
  readonly #lab: Lab;
  readonly #plan: LabPlan;
  readonly #notice = new Notice();
  readonly #nodes = new Map<string, MixedNode>();
  readonly #ears = new Map<string, Peer>();

  private constructor(lab: Lab, plan: LabPlan) {
    this.#lab = lab;
    this.#plan = plan;
  }

  /** Starts everything. `ears`: with a listener on each link. IPv6 only, like every lab that does not say more. */
  static async make(
    kinds: Readonly<Record<string, Kind>>,
    links: LabPlan['links'],
    options: { ears?: boolean } = {},
  ): Promise<MixedLab> {
    const plan: LabPlan = { nodes: Object.keys(kinds), links, ula: true };
    const wired = options.ears
      ? Object.fromEntries(Object.entries(links).map(([link, members]) => [link, [...members, EAR]]))
      : links;
    const nodes = options.ears ? [...plan.nodes, EAR] : plan.nodes;
    const made = new MixedLab(await createLab({ ...plan, nodes, links: wired }), plan);
    try {
      await addRoutes(made.#lab, plan);
      if (options.ears) await Promise.all(Object.keys(links).map((link) => made.#listen(link)));
      await Promise.all(plan.nodes.map((name) => made.#start(name, kinds[name]!)));
      return made;
    } catch (error) {
      await made.close();
      throw error;
    }
  }

  node(name: string): MixedNode {
    const found = this.#nodes.get(name);
    if (!found) throw new RangeError(`${name} is not driven`);
    return found;
  }

  address(node: string, link: string): string {
    return this.#lab.addresses(node, link).ula!;
  }

  /** Every address of a node on a link. */
  addresses(node: string, link: string): string[] {
    const { linkLocal, ula } = this.#lab.addresses(node, link);
    return [linkLocal, ula!];
  }

  /** Starts a program in a node's namespace. */
  spawn(node: string, argv: readonly string[]): ChildProcess {
    return this.#lab.spawn(node, argv, { stdio: ['pipe', 'pipe', 'pipe'] });
  }

  /** What has been sent on a link that satisfies this. */
  heard(link: string, which: (message: readonly unknown[]) => boolean): Datagram[] {
    return this.#ears.get(link)!.heard(which);
  }

  close(): Promise<void> {
    return this.#lab.close();
  }

  #linksOf(node: string): string[] {
    return Object.entries(this.#plan.links).flatMap(([link, members]) =>
      members.includes(node) ? link : [],
    );
  }

  async #listen(link: string): Promise<void> {
    const { linkLocal, ula } = this.#lab.addresses(EAR, link);
    const child = this.#lab.spawn(EAR, [process.execPath, AGENT, link], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ear = new Peer({ name: link, interface: link, linkLocal, ula: ula! }, child, this.#notice);
    this.#ears.set(link, ear);
    await ear.begin(new Journal());
  }

  async #start(name: string, kind: Kind): Promise<void> {
    const interfaces = this.#linksOf(name);
    if (kind === 'our daemon') {
      const on = interfaces.flatMap((each) => ['-i', each]);
      await startGrasp(this.#lab, name, 'daemon', ...on, '--insecure', '--json').event('ready');
    } else if (kind === 'their daemon') await startDaemon(this.#lab, name);
    else {
      const command = adapterCommand(kind === 'ours' ? 'anima-grasp' : 'graspy');
      const adapter = new Adapter(
        this.#lab.spawn(name, command, { stdio: ['pipe', 'pipe', 'pipe'] }),
        this.#notice,
      );
      const engine = new Engine(adapter);
      await engine.call('start', { interfaces, insecure: true });
      this.#nodes.set(name, new MixedNode(engine, await engine.registerAsa(name), this.#notice));
    }
  }
}

/** The values of floods, newest first. */
export function valuesOf(floods: readonly FloodAnswer[]): unknown[] {
  return floods.map(({ objective }) => valueOf(objective));
}
