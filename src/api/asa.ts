import {
  decodeValue,
  encodeValue,
  ErrorCode,
  F_DISC,
  GraspError,
  GRASP_DEF_LOOPCT,
  objectiveFlags,
  validateName,
} from '../protocol/index.js';
import type { Target } from '../substrate/types.js';
import type { ObjectiveRegistration } from '../workers/engine-control.js';
import { answered } from './answering.js';
import { checkedLoopCount, checkedUint32, timeoutOf } from './checks.js';
import { SessionError, type Client } from './client.js';
import { Discovery } from './discovery.js';
import { isUsablePeer, toTarget, type AsaLocator, type PeerLike } from './locator.js';
import { Objective, type ObjectiveOptions } from './objective.js';
import { NegotiationSession, type NegotiateResult } from './session.js';

/** ms to wait for a TCP connection to a peer before the request fails with 18. */
const CONNECT_TIMEOUT_MS = 5_000;

/** RFC 8990 §2.8.5: default ttl of an M_RESPONSE, ms. */
const DEF_TTL_MS = 60_000;

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

export interface RequestOptions {
  /** Where to; default: the first usable locator of a discovery, which ends there (D-08). */
  readonly peer?: PeerLike | null | undefined;
  /** ms to wait for the peer's answer; default and 0: 60000. */
  readonly timeoutMs?: number | null | undefined;
  /** Only try what would happen (F_NEG_DRY); the objective must be registered with `dryRun`. */
  readonly dryRun?: boolean | undefined;
  /** 1 … 255; default the objective's. */
  readonly loopCount?: number | undefined;
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
   * Registers an objective: needed before it is negotiated. Nothing is sent, and nobody can discover it before
   * `onNegotiate` or `listenNegotiate`.
   *
   * Rejects: 3 bad name, loop count or ttl; 6 this ASA is deregistered; 8 negotiate and synchronize; 9 dry run
   * without negotiate; 11 registry full; 12 already registered (unless all registrations say `overlap`); 40 name too
   * long for a message.
   */
  async registerObjective(options: ObjectiveOptions): Promise<Objective> {
    const registration: ObjectiveRegistration = {
      name: options.name,
      negotiate: options.negotiate ?? false,
      synchronize: options.synchronize ?? false,
      dryRun: options.dryRun ?? false,
      loopCount: options.loopCount ?? GRASP_DEF_LOOPCT,
      ttlMs: options.ttlMs ?? DEF_TTL_MS,
      overlap: options.overlap ?? false,
      maxMessageBytes:
        options.maxMessageBytes === undefined
          ? undefined
          : checkedUint32(options.maxMessageBytes, 'maxMessageBytes'),
    };
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
        flags: own ? objectiveFlags(own, { dryRun: false }) : F_DISC,
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
   * Asks a peer to negotiate (M_REQ_NEG, RFC 8990 §2.8.6) and waits for its answer.
   *
   * Rejects: 3 value not encodable, bad number; 6; 9 dry run without `dryRun`; 13 not an objective of this ASA; 15
   * not for negotiation; 16; 17 nobody found; 18 cannot connect; 21, 23–28 what the peer did (api.md §5); 38 the
   * peer cannot be connected to; 40 too big; 41 worker lost; 43 limit reached. Aborting `signal` rejects with its
   * reason.
   */
  async requestNegotiate(
    objective: Objective,
    value: unknown,
    options: RequestOptions = {},
  ): Promise<NegotiateResult> {
    const timeoutMs = timeoutOf(options.timeoutMs);
    const loopCount = checkedLoopCount(options.loopCount ?? objective.loopCount);
    const bytes = encodeValue(value);
    const dryRun = options.dryRun ?? false;
    const peer = options.peer === undefined || options.peer === null ? undefined : toTarget(options.peer);
    this.#assertRegistered();
    if (objective.asa !== this || objective.deregistered) {
      throw new GraspError(ErrorCode.notYourObj, JSON.stringify(objective.name));
    }
    if (!objective.negotiate) throw new GraspError(ErrorCode.notNeg, JSON.stringify(objective.name));
    if (dryRun && !objective.dryRun) throw new GraspError(ErrorCode.notDry, JSON.stringify(objective.name));
    options.signal?.throwIfAborted();
    const request = (target: Target): Promise<NegotiateResult> =>
      this.#request(objective, { bytes, target, timeoutMs, loopCount, dryRun, signal: options.signal });
    if (peer) return request(peer);

    // D-08: the first usable answer ends the discovery; if a cached peer is gone, the next one is tried.
    let refused: GraspError | undefined;
    for await (const locator of this.#peers(objective, loopCount, timeoutMs, options.signal)) {
      try {
        return await request(toTarget(locator));
      } catch (error) {
        if (!(error instanceof SessionError) || error.code !== ErrorCode.sockErrNegRq) throw error;
        refused = error;
      }
    }
    throw refused ?? new GraspError(ErrorCode.noDiscReply, JSON.stringify(objective.name));
  }

  /** Deregisters the ASA with all its objectives and sessions. Idempotent. */
  async deregister(): Promise<void> {
    if (this.#deregistered) return;
    this.#deregistered = true;
    await this.#client.control.deregisterAsa(this.handle);
  }

  async *#peers(
    objective: Objective,
    loopCount: number,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<AsaLocator> {
    const limit = Math.min(100 * loopCount, timeoutMs);
    const found = this.discover(objective, { loopCount, timeoutMs: limit, signal });
    for await (const locator of found) if (isUsablePeer(locator)) yield locator;
  }

  async #request(
    objective: Objective,
    request: {
      bytes: Uint8Array;
      target: Target;
      timeoutMs: number;
      loopCount: number;
      dryRun: boolean;
      signal: AbortSignal | undefined;
    },
  ): Promise<NegotiateResult> {
    const { bytes, target, timeoutMs, loopCount, dryRun, signal } = request;
    const line = await this.#client.lineForRequest();
    signal?.throwIfAborted();
    const head = { name: objective.name, flags: objectiveFlags(objective, { dryRun }), loopCount };
    const key = this.#client.nextNumber();
    const answering = line.call({
      t: 'request',
      session: key,
      asa: this.handle,
      objective: head,
      value: bytes,
      target,
      connectTimeoutMs: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
      timeoutMs,
      maxMessageBytes: objective.maxMessageBytes,
    });
    const answer = await answered(line, key, answering, signal);
    if (answer.state === 'declined') return answer;
    if (answer.state === 'accepted') return { state: 'accepted', value: decodeValue(bytes) };
    const { sessionId, remote } = answer;
    const session = new NegotiationSession({
      line,
      key,
      role: 'initiator',
      head,
      sessionId,
      remote,
      value: answer.value,
      loopCount: answer.loopCount,
    });
    return { state: 'offered', session, value: session.value, loopCount: session.loopCount };
  }

  #assertRegistered(): void {
    if (this.#deregistered) throw new GraspError(ErrorCode.noASA, JSON.stringify(this.name));
  }
}
