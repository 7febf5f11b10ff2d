/** Facades on engines under virtual time, and what they put on the link, read by another CBOR library. */
import { Buffer } from 'node:buffer';
import { createGraspi, objective, type configuration, type graspi_api } from '../../src/api/graspi/index.js';
import type { Grasp, Limits, NodeOptions, SimulatedNode } from '../../src/index.js';
import { World } from './rig.js';

export interface Party {
  readonly api: graspi_api;
  readonly grasp: Grasp;
  readonly node: SimulatedNode;
  /** What tprint and dump_all have written. */
  readonly printed: string[];
}

export class FacadeWorld extends World {
  /** Hex of every message sent on the link, streams and datagrams. */
  readonly sent: string[] = [];

  constructor() {
    super();
    this.network.onTraffic(({ link, bytes }) => {
      if (link !== 'lo') this.sent.push(Buffer.from(bytes).toString('hex'));
    });
  }

  async party(
    name: string,
    options: { node?: Partial<NodeOptions>; limits?: Partial<Limits>; facade?: configuration } = {},
  ): Promise<Party> {
    const { grasp, node } = await this.engine(name, options);
    const printed: string[] = [];
    const api = createGraspi(grasp, { output: (text) => printed.push(text), ...options.facade });
    return { api, grasp, node, printed };
  }

  /** Registers an ASA, and an objective if there is one. */
  async register(party: Party, name: string, ...objectives: objective[]): Promise<number> {
    const [err, handle] = await this.until(party.api.register_asa(name));
    if (err || handle === null) throw new Error(`register_asa: ${err}`);
    for (const each of objectives) {
      const failed = await this.until(party.api.register_obj(handle, each));
      if (failed) throw new Error(`register_obj: ${failed}`);
    }
    return handle;
  }

  /** Messages of a type (its number on the wire is below 24) sent so far. */
  messages(type: number): string[] {
    return this.sent.filter(
      (hex) => hex[0] === '8' && hex.slice(2, 4) === type.toString(16).padStart(2, '0'),
    );
  }

  /** Nothing on the link during the call. */
  async silently<T>(call: () => PromiseLike<T>): Promise<T> {
    const before = this.sent.length;
    const result = await this.until(call());
    const more = this.sent.slice(before);
    if (more.length > 0) throw new Error(`sent: ${more.join(', ')}`);
    return result;
  }
}

export function negotiable(name: string, changes: Partial<objective> = {}): objective {
  return Object.assign(new objective(name), { neg: true }, changes);
}

export function synchronizable(name: string, changes: Partial<objective> = {}): objective {
  return Object.assign(new objective(name), { synch: true }, changes);
}
