/** Engines inline under virtual time, on one simulated network; messages between actors are copied as between threads. */
import {
  Grasp,
  SimulatedClock,
  SimulatedNetwork,
  type Asa,
  type Limits,
  type NodeOptions,
  type Objective,
  type ObjectiveOptions,
  type SimulatedNode,
  type GraspOptions,
} from '../../src/index.js';
import { Stranger, Wire } from './wire.js';

export class World {
  readonly clock = new SimulatedClock(1_000_000);
  readonly network = new SimulatedNetwork({ seed: 1, clock: this.clock });
  readonly #engines: Grasp[] = [];
  readonly #strangers: Stranger[] = [];

  /** Notes what is said from now on. */
  wire(): Wire {
    return new Wire(this.network);
  }

  /** A node without an engine. */
  async stranger(name: string, links: readonly string[] = ['link']): Promise<Stranger> {
    const stranger = await this.until(Stranger.open(this.network, this.clock, name, links));
    this.#strangers.push(stranger);
    return stranger;
  }

  /** Lets virtual time pass until the promise has settled. */
  until<T>(promise: PromiseLike<T>): Promise<T> {
    return this.clock.until(Promise.resolve(promise));
  }

  /** The error a promise rejects with. */
  async failure(promise: PromiseLike<unknown>): Promise<unknown> {
    return this.until(
      Promise.resolve(promise).then(
        (value) => ({ unexpected: value }),
        (error: unknown) => error,
      ),
    );
  }

  async engine(
    name: string,
    options: {
      node?: Partial<NodeOptions>;
      limits?: Partial<Limits>;
      more?: Partial<GraspOptions>;
    } = {},
  ): Promise<{ grasp: Grasp; node: SimulatedNode }> {
    const node = this.network.addNode(name, { links: ['link'], ...options.node });
    return { grasp: await this.engineOn(node, options), node };
  }

  /** One more engine on a node. */
  async engineOn(
    node: SimulatedNode,
    options: { limits?: Partial<Limits>; more?: Partial<GraspOptions> } = {},
  ): Promise<Grasp> {
    const grasp = await this.until(
      Grasp.start({
        substrate: { kind: 'simulated', node },
        placement: 'inline',
        clock: this.clock,
        cloneMessages: true,
        ...(options.limits ? { limits: options.limits } : {}),
        ...options.more,
      }),
    );
    this.#engines.push(grasp);
    return grasp;
  }

  async asa(
    grasp: Grasp,
    name: string,
    objective: Partial<ObjectiveOptions> = {},
  ): Promise<{ asa: Asa; ex3: Objective }> {
    const asa = await this.until(grasp.registerAsa(name));
    const ex3 = await this.until(asa.registerObjective({ name: 'EX3', negotiate: true, ...objective }));
    return { asa, ex3 };
  }

  async close(): Promise<void> {
    for (const stranger of this.#strangers) await this.until(stranger.close());
    for (const engine of this.#engines) await this.until(engine.close());
    this.network.close();
    await this.clock.settle();
  }
}
