import {
  ErrorCode,
  F_DISC,
  GraspError,
  GRASP_DEF_LOOPCT,
  objectiveFlags,
  validateName,
} from '../protocol/index.js';
import type { Clock } from '../runtime/index.js';
import type { EngineStatus } from '../workers/engine-control.js';
import { rejecting } from './answering.js';
import { checkedLoopCount, checkedUint32 } from './checks.js';
import type { Client } from './client.js';
import { Discovery } from './discovery.js';
import {
  expireFlood,
  flood,
  floodsOf,
  FloodWatch,
  type FloodItem,
  type FloodOptions,
  type FloodTag,
  type TaggedObjective,
} from './flooding.js';
import { requestNegotiate, type RequestOptions } from './negotiate.js';
import { Objective } from './objective.js';
import { registrationOf, type ObjectiveOptions } from './registration.js';
import type { NegotiateResult } from './session.js';
import { synchronize, type SynchronizeOptions, type Synchronized } from './synchronize.js';

export interface DiscoverOptions {
  /** ms; default 100 × loop count (RFC 8990 §2.5.4.3). 0: only what is cached, nothing is sent. */
  readonly timeoutMs?: number | null | undefined;
  /** 1 (this link only) … 255; default the objective's, or 6. */
  readonly loopCount?: number | undefined;
  /**
   * RFC 8991 style: cached locators with no more than this left are dropped (0: all), discovery is performed in
   * any case and what is still cached is part of the result. Absent: cached locators end the discovery at once.
   */
  readonly minimumTtlMs?: number | undefined;
  /** Drops what is cached for the objective first. */
  readonly flush?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * An Autonomic Service Agent registered with the engine: RFC 8991 §2.3.3.
 *
 * @example
 * const asa = await grasp.registerAsa('Gray');
 * const ex3 = await asa.registerObjective({ name: 'EX3', negotiate: true });
 * const result = await asa.requestNegotiate(ex3, ['NZD', 300]);
 */
export class Asa {
  readonly name: string;
  /** asa_handle of RFC 8991 §2.3.2.5: unpredictable, 32 bits. */
  readonly handle: number;
  readonly #client: Client;
  #deregistered = false;

  /** @internal */
  constructor(client: Client, name: string, handle: number) {
    this.#client = client;
    this.name = name;
    this.handle = handle;
  }

  /**
   * Registers an objective: needed before it is negotiated, listened for or flooded. Nothing is sent, and nobody can
   * discover it before `onNegotiate`, `listenNegotiate` or `listenSynchronize`, unless it is `discoverable`.
   *
   * Rejects: 3 bad name, loop count, ttl, value or flag; 6 this ASA is deregistered; 8 negotiate and synchronize;
   * 9 dry run without negotiate; 11 registry full; 12 already registered (unless all registrations say `overlap`);
   * 38 a locator that cannot be announced; 40 name too long for a message.
   *
   * @example
   * const ex1 = await asa.registerObjective({ name: 'EX1', synchronize: true, value: ['NZD', 7] });
   */
  async registerObjective(options: ObjectiveOptions): Promise<Objective> {
    const registration = registrationOf(options);
    this.#assertRegistered();
    await this.#client.control.registerObjective(this.handle, registration);
    return new Objective(this.#client, this, registration);
  }

  /**
   * Looks for ASAs that support an objective, on every interface; the objective need not be registered. See
   * {@link Discovery} for its two forms. Finding nobody is no error.
   *
   * Throws 3 at once for a bad name or number. Rejects: 6, 16 no security, 43 too many discoveries.
   */
  discover(objective: string | Objective, options: DiscoverOptions = {}): Discovery {
    const name = typeof objective === 'string' ? objective : objective.name;
    const invalid = validateName(name);
    if (invalid) throw invalid;
    this.#assertRegistered();
    const own = typeof objective === 'string' ? undefined : objective;
    const { timeoutMs, minimumTtlMs } = options;
    return new Discovery(this.#client, {
      asa: this.handle,
      objective: {
        name,
        flags: own ? objectiveFlags(own) : F_DISC,
        loopCount: checkedLoopCount(options.loopCount ?? own?.loopCount ?? GRASP_DEF_LOOPCT),
      },
      timeoutMs:
        timeoutMs === undefined || timeoutMs === null ? undefined : checkedUint32(timeoutMs, 'timeoutMs'),
      minimumTtlMs: minimumTtlMs === undefined ? undefined : checkedUint32(minimumTtlMs, 'minimumTtlMs'),
      flush: options.flush ?? false,
      signal: options.signal,
    });
  }

  /**
   * Asks a peer to negotiate (M_REQ_NEG, RFC 8990 §2.8.6) and waits for its answer. Without `peer` the ones known
   * from earlier discoveries are tried, then, if nobody accepts a connection, those of a new discovery.
   *
   * Rejects: 3 value not encodable, bad number; 6; 9 dry run without `dryRun`; 13 not an objective of this ASA; 15
   * not for negotiation; 16; 17 nobody found; 18 cannot connect; 21, 23–28 what the peer did (api.md §5); 38 the
   * peer cannot be connected to; 40 too big; 41 worker lost; 43 limit reached. Aborting `signal` rejects with its
   * reason.
   */
  requestNegotiate(
    objective: Objective,
    value: unknown,
    options: RequestOptions = {},
  ): Promise<NegotiateResult> {
    return rejecting(() => {
      this.#assertRegistered();
      if (objective.asa !== this) throw new GraspError(ErrorCode.notYourObj, JSON.stringify(objective.name));
      return requestNegotiate(this.#client, objective, value, options);
    });
  }

  /**
   * Gets the value of an objective (RFC 8990 §2.5.6); it need not be registered. With `peer`, that one is asked.
   * Without, in this order: the flood cache; a value that came with a discovery's answer and has not expired; a
   * discovery, unless somebody is known from an earlier one; a value in its answer; M_REQ_SYN to the first who
   * accepts a connection. ASAs of this node are found too. Each call gets the value anew unless it is cached.
   *
   * Rejects: 3 bad name or number; 6; 16; 24 answer not CBOR; 32 not for synchronization; 33 not flooded and nobody
   * found; 34 cannot connect; 35 closed without answer; 36 no answer in time; 37 no valid answer; 38 the peer cannot
   * be connected to; 41 worker lost; 43 limit reached. Aborting `signal` rejects with its reason.
   *
   * @example
   * const { value, source } = await asa.synchronize('EX1', { timeoutMs: 5000 });
   */
  synchronize(objective: string | Objective, options: SynchronizeOptions = {}): Promise<Synchronized> {
    return rejecting(() => {
      this.#assertRegistered();
      return synchronize(this.#client, this.handle, objective, options);
    });
  }

  /**
   * Sends the objectives through the whole network (M_FLOOD, RFC 8990 §2.8.11), and into the own flood cache for
   * other ASAs of this node. Resolves when the datagrams have left; nobody confirms them, and repeating them is the
   * ASA's job, not more often than useful (§2.5.6.2). All or nothing: one bad objective and nothing is sent. The
   * objectives given are not changed.
   *
   * Rejects: 3 empty list, no or bad ttl, value not encodable; 6; 13 one is not registered by this ASA; 16; 32 one is
   * not for synchronization; 38 bad locator; 40 more than a datagram holds; 41 worker lost.
   *
   * @example
   * await asa.flood([{ objective: ex1, value: 7, locator: '[2001:db8::1]:4000' }], { ttlMs: 180_000 });
   */
  async flood(items: readonly FloodItem[], options: FloodOptions): Promise<void> {
    this.#assertRegistered();
    return flood(this.#client, this, items, options);
  }

  /**
   * What the flood cache holds for an objective, unexpired, newest first; it need not be registered. Nothing there is
   * no error. Rejects: 3 bad name; 6; 16; 32 not for synchronization.
   */
  async getFlood(
    objective: string | Objective,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<TaggedObjective[]> {
    const name = this.#synchronizable(objective);
    return floodsOf(this.#client, name, options.signal);
  }

  /**
   * What {@link Asa.getFlood} gives, now and again after every change; who is slow gets the newest only. Goes on
   * over a restart of the engine's core. Throws 3, 6, 32 at once; its `next` rejects with 16, 42 engine closed, or
   * the reason of `signal`.
   *
   * @example
   * for await (const entries of asa.watchFlood('EX1', { signal })) console.log(entries[0]?.value);
   */
  watchFlood(
    objective: string | Objective,
    options: { signal?: AbortSignal | undefined } = {},
  ): AsyncIterableIterator<TaggedObjective[]> {
    const name = this.#synchronizable(objective);
    return new FloodWatch(this.#client, name, options.signal);
  }

  /**
   * Forgets the entry of the flood cache that has this name and tag, whatever its ttl; a later flood brings it back.
   * None there: no error. Rejects: 3 bad name; 6; 38 the tag is no locator.
   */
  async expireFlood(entry: TaggedObjective | FloodTag): Promise<void> {
    this.#assertRegistered();
    return expireFlood(this.#client, entry);
  }

  /** @internal The time of its engine, for what is built on it. */
  get clock(): Clock {
    return this.#client.clock;
  }

  /** @internal Hears of the engine's end; returns the way to stop. */
  onClose(listener: (error: GraspError) => void): () => void {
    return this.#client.onClose(listener);
  }

  /** @internal */
  status(): Promise<EngineStatus> {
    return this.#client.control.status();
  }

  /** Deregisters the ASA with all its objectives and sessions. Idempotent. */
  async deregister(): Promise<void> {
    if (this.#deregistered) return;
    this.#deregistered = true;
    await this.#client.control.deregisterAsa(this.handle);
  }

  #synchronizable(objective: string | Objective): string {
    const name = typeof objective === 'string' ? objective : objective.name;
    const invalid = validateName(name);
    if (invalid) throw invalid;
    this.#assertRegistered();
    if (typeof objective !== 'string' && !objective.synchronize) {
      throw new GraspError(ErrorCode.notSynch, JSON.stringify(name));
    }
    return name;
  }

  #assertRegistered(): void {
    if (this.#deregistered) throw new GraspError(ErrorCode.noASA, JSON.stringify(this.name));
  }
}
