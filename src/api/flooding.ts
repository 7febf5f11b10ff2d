/** Flooding: RFC 8990 §2.5.6.2 and §2.8.11, RFC 8991 §2.3.6 (api.md §4.16–4.18). */
import {
  decodeScanned,
  encodedSize,
  encodeValue,
  ErrorCode,
  formatAddress,
  GraspError,
  M_FLOOD,
  MAX_MULTICAST_SIZE,
  MAX_UINT32,
  NULL_VALUE,
  objectiveFlags,
  validateName,
} from '../protocol/index.js';
import type { FloodPair, FloodRecord } from '../workers/engine-control.js';
import { checkedLoopCount, checkedUint32, show } from './checks.js';
import type { Client } from './client.js';
import { toAsaLocator, toFloodLocator, toTag, type AsaLocator, type LocatorLike } from './locator.js';
import type { Objective } from './objective.js';
import { toError } from './sessions-line.js';

/** An objective to be flooded, with its tag: tagged_objective of RFC 8991 §2.3.2.4. */
export interface FloodItem {
  /** Registered by the ASA that floods it, with `synchronize`. */
  readonly objective: Objective;
  /** Default: the objective's own value. */
  readonly value?: unknown;
  /** 1 … 255; default the objective's. */
  readonly loopCount?: number | undefined;
  /**
   * Null or absent: no tag. The address `::` becomes the link-local address of each interface it is sent on, and the
   * loop count of all objectives of this flood 1 (C-21).
   */
  readonly locator?: LocatorLike | null | undefined;
}

export interface FloodOptions {
  /** ms that receivers keep it; 0: for ever. Must be written: a forgotten one must not flood for ever. */
  readonly ttlMs: number;
  /** Looked at before anything is sent: what has left cannot be called back. */
  readonly signal?: AbortSignal | undefined;
}

/** An objective that was flooded, as the flood cache holds it. */
export interface TaggedObjective {
  readonly name: string;
  /** Decoded; null if it was flooded without one. Maps are `Map`, a tag-24 item is `RawCbor`. */
  readonly value: unknown;
  /** The same as the CBOR item that was received. */
  readonly encodedValue: Uint8Array;
  /** RFC 8990 §2.10.2, as received. */
  readonly flags: number;
  /** As received. */
  readonly loopCount: number;
  /** The tag; null: none. */
  readonly locator: AsaLocator | null;
  /** Interface it came by; absent for floods of this node. */
  readonly interface?: string;
  /** Who flooded it, by its own account: an address as text (RFC 8990 §2.8.11). It proves nothing. */
  readonly initiator?: string;
  /** ms since the epoch; 0: never. */
  readonly expiresAt: number;
}

/** What names an entry of the flood cache: a {@link TaggedObjective}, or its name and tag. */
export interface FloodTag {
  readonly name: string;
  readonly locator?: LocatorLike | null | undefined;
}

/** Checks everything, then sends all or nothing; see `Asa.flood`. */
export async function flood(
  client: Client,
  asa: { readonly handle: number },
  items: readonly FloodItem[],
  options: FloodOptions,
): Promise<void> {
  if (!Array.isArray(items) || items.length === 0) {
    throw new GraspError(ErrorCode.unspec, 'a flood is a list of at least one objective');
  }
  // A JavaScript caller may leave it out: `undefined` is no ttl (api.md §4.16).
  const ttlMs = checkedUint32((options as Partial<FloodOptions> | undefined)?.ttlMs, 'ttlMs');
  const pairs = items.map((item: FloodItem) => pairOf(asa, item));
  const bytes = encodedSize({
    type: M_FLOOD,
    sessionId: MAX_UINT32,
    initiator: SHORTEST_INITIATOR,
    ttl: ttlMs,
    objectives: pairs.map(({ objective, value, locator }) => ({
      objective: { ...objective, value },
      locator,
    })),
  });
  if (bytes > MAX_MULTICAST_SIZE) {
    throw new GraspError(
      ErrorCode.tooBig,
      `a flood holds at most ${MAX_MULTICAST_SIZE} bytes, this one needs ${bytes}`,
    );
  }
  options.signal?.throwIfAborted();
  await client.askCore({ t: 'flood', asa: asa.handle, ttlMs, pairs });
}

/** Of a node that has only IPv4; the core knows which it is, and has the last word on a flood of nearly that size. */
const SHORTEST_INITIATOR = new Uint8Array(4);

function pairOf(asa: object, item: FloodItem): FloodPair {
  const { objective, locator } = item;
  const name = JSON.stringify(objective?.name);
  if (typeof objective !== 'object' || !('asa' in objective)) {
    throw new GraspError(ErrorCode.notYourObj, show(objective));
  }
  if (!objective.synchronize) throw new GraspError(ErrorCode.notSynch, name);
  // A-2.3.6-08
  if (objective.asa !== asa || objective.deregistered) throw new GraspError(ErrorCode.notYourObj, name);
  return {
    objective: {
      name: objective.name,
      flags: objectiveFlags(objective, { discoverable: !objective.floodOnly }),
      loopCount: checkedLoopCount(item.loopCount ?? objective.loopCount),
    },
    value: item.value === undefined ? objective.encodedValue : encodeValue(item.value),
    locator: locator === undefined || locator === null ? undefined : toFloodLocator(locator),
  };
}

/** What the flood cache holds for an objective, newest first. */
export async function floodsOf(
  client: Client,
  objective: string,
  signal?: AbortSignal,
): Promise<TaggedObjective[]> {
  const records = await client.askCore({ t: 'flood.get', objective }, signal);
  return records.map(toTagged);
}

/** Forgets one entry; none there: no error. */
export async function expireFlood(client: Client, { name, locator }: FloodTag): Promise<void> {
  const invalid = validateName(name);
  if (invalid) throw invalid;
  await client.askCore({
    t: 'flood.expire',
    objective: name,
    locator: locator === undefined || locator === null ? undefined : toTag(locator),
  });
}

function toTagged(record: FloodRecord): TaggedObjective {
  const { objective, locator, interface: interfaceName, expiresAt, initiator } = record;
  const encodedValue = record.value ?? NULL_VALUE;
  return {
    name: objective.name,
    value: decodeScanned(encodedValue),
    encodedValue,
    flags: objective.flags,
    loopCount: objective.loopCount,
    locator: locator ? toAsaLocator({ locator, interface: interfaceName, expiresAt, diverted: false }) : null,
    ...(interfaceName === '' ? {} : { interface: interfaceName }),
    ...(initiator ? { initiator: formatAddress(initiator) } : {}),
    expiresAt,
  };
}

/** `watchFlood`: the entries now, and again after every change; one that comes too late is left out. */
export class FloodWatch implements AsyncIterableIterator<TaggedObjective[]> {
  readonly #cancel: () => void;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => {
    this.#cancel();
    this.#finish(this.#signal?.reason);
  };
  #latest: readonly FloodRecord[] | undefined;
  #waiting:
    | { resolve: (result: IteratorResult<TaggedObjective[]>) => void; reject: (error: unknown) => void }
    | undefined;
  #over = false;
  #error: unknown;

  constructor(client: Client, objective: string, signal: AbortSignal | undefined) {
    signal?.throwIfAborted();
    this.#signal = signal;
    // Before the call: on a closed engine that ends at once.
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#cancel = client.callCore(
      { t: 'flood.watch', objective },
      {
        lasting: true,
        floods: (entries) => {
          this.#latest = entries;
          this.#deliver();
        },
        done: (failure) => this.#finish(failure && toError(failure)),
      },
    );
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<TaggedObjective[]>> {
    if (this.#waiting) {
      return Promise.reject(new GraspError(ErrorCode.unspec, 'watchFlood: one next() at a time'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#deliver();
    });
  }

  return(): Promise<IteratorResult<TaggedObjective[]>> {
    if (!this.#over) this.#cancel();
    this.#latest = undefined;
    this.#finish(undefined);
    return Promise.resolve({ done: true, value: undefined });
  }

  #finish(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#deliver();
  }

  #deliver(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    const latest = this.#latest;
    if (latest) {
      this.#waiting = undefined;
      this.#latest = undefined;
      waiting.resolve({ done: false, value: latest.map(toTagged) });
    } else if (this.#over) {
      this.#waiting = undefined;
      const error = this.#error;
      this.#error = undefined;
      if (error !== undefined) waiting.reject(error);
      else waiting.resolve({ done: true, value: undefined });
    }
  }
}
