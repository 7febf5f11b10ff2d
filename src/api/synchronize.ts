/** synchronize: RFC 8991 §2.3.6, RFC 8990 §2.5.6; the order is the one of the older API (api.md §4.13). */
import {
  decodeScanned,
  ErrorCode,
  F_DISC,
  F_SYNCH,
  GraspError,
  GRASP_DEF_LOOPCT,
  isNullValue,
  NULL_VALUE,
  validateName,
  type CachedLocator,
} from '../protocol/index.js';
import type { Target } from '../substrate/types.js';
import type { Answer, ObjectiveHead } from '../workers/engine-control.js';
import { unlessAborted } from './answering.js';
import { checkedLoopCount, timeoutOf } from './checks.js';
import type { Client } from './client.js';
import { floodsOf } from './flooding.js';
import { locatorOf, toAsaLocator, type AsaLocator } from './locator.js';
import { CONNECT_TIMEOUT_MS } from './negotiate.js';
import type { Objective } from './objective.js';
import { toTarget, type PeerLike } from './peer.js';
import { discovered, known, usable, type Search } from './peers.js';
import { SessionError } from './sessions-line.js';

export interface SynchronizeOptions {
  /** Ask this one, whatever is flooded or cached; default: see {@link Asa.synchronize}. */
  readonly peer?: PeerLike | null | undefined;
  /** ms to wait for the answer to M_REQ_SYN; default and 0: 60000. */
  readonly timeoutMs?: number | null | undefined;
  /** 1 … 255; default the objective's, or 6. */
  readonly loopCount?: number | undefined;
  /**
   * The discovery asks for the value at once (RFC 8990 §2.5.6.3). Default false: some nodes do not understand it,
   * and those that do answer so only where it is switched on (`rapidAnswers`).
   */
  readonly rapid?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A value that was synchronized. */
export interface Synchronized {
  readonly name: string;
  /** Decoded; maps are `Map`, a tag-24 item is `RawCbor`. */
  readonly value: unknown;
  /** The same as the CBOR item that was received. */
  readonly encodedValue: Uint8Array;
  /** RFC 8990 §2.10.2, as received. */
  readonly flags: number;
  readonly loopCount: number;
  /** `flood`: from the flood cache. `rapid`: it came with the answer to a discovery. `request`: M_SYNCH. */
  readonly source: 'flood' | 'rapid' | 'request';
  /** Who it is from: the flood's tag (null: none), or the responder. */
  readonly locator: AsaLocator | null;
  /** ms since the epoch until which it is cached here, 0: for ever; undefined: a value asked for is not cached. */
  readonly expiresAt: number | undefined;
}

/** A call that has been checked. */
interface Request extends Search {
  readonly maxMessageBytes: number | undefined;
}

/** @param asa handle of the ASA that asks. What is wrong with the call itself is thrown. */
export function synchronize(
  client: Client,
  asa: number,
  what: string | Objective,
  options: SynchronizeOptions,
): Promise<Synchronized> {
  const own = typeof what === 'string' ? undefined : what;
  const name = own?.name ?? (what as string);
  const invalid = validateName(name);
  if (invalid) throw invalid;
  const { signal, rapid = false } = options;
  const timeoutMs = timeoutOf(options.timeoutMs);
  const loopCount = checkedLoopCount(options.loopCount ?? own?.loopCount ?? GRASP_DEF_LOOPCT);
  const peer = options.peer === undefined || options.peer === null ? undefined : toTarget(options.peer);
  if (own && !own.synchronize) throw new GraspError(ErrorCode.notSynch, JSON.stringify(name));
  signal?.throwIfAborted();
  const objective: ObjectiveHead = { name, flags: F_DISC | F_SYNCH, loopCount };
  const value = rapid ? NULL_VALUE : undefined;
  const { maxMessageBytes } = own ?? {};
  const request: Request = { client, asa, objective, timeoutMs, value, signal, maxMessageBytes };

  // A peer was named: no cache answers in its place.
  return peer ? ask(request, peer, undefined) : synchronizeWithWhomever(request);
}

async function synchronizeWithWhomever(request: Request): Promise<Synchronized> {
  const { client, signal } = request;
  const { name } = request.objective;
  // 1. The flood cache, newest first; an entry without value does not count (D-12, D-13).
  const [flooded] = (await floodsOf(client, name, signal)).filter((each) => !isNullValue(each.encodedValue));
  if (flooded) {
    const { encodedValue, flags, loopCount: received, locator, expiresAt } = flooded;
    const head = { name, flags, loopCount: received };
    return synchronized(head, encodedValue, { source: 'flood', locator, expiresAt });
  }

  // 2. A value that came with an earlier discovery's answer and has not expired.
  const cached = await known(request);
  for (const each of cached) if (each.rapid) return inAnswer(name, each);

  // 3. – 5. Those known already are asked; if there is none, or none takes the request, those a discovery finds,
  // unless their answer holds the value.
  let refused: SessionError | undefined;
  for await (const each of firstThose(cached, discovered(request, cached))) {
    if (each.rapid) return inAnswer(name, each);
    const locator = usable(each);
    if (!locator) continue;
    try {
      return await ask(request, toTarget(locator), locator);
    } catch (error) {
      // Nobody accepts connections there: the next one may.
      if (!(error instanceof SessionError) || error.code !== ErrorCode.sockErrSynRq) throw error;
      refused = error;
    }
  }
  throw refused ?? new GraspError(ErrorCode.notFloodDisc, JSON.stringify(name));
}

async function* firstThose<T>(list: readonly T[], rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield* list;
  yield* rest;
}

/** The value that a response to a discovery held (C-04); the core has checked that it is one. */
function inAnswer(name: string, found: CachedLocator): Synchronized {
  const { flags, loopCount, value } = found.rapid!;
  const { expiresAt } = found;
  return synchronized({ name, flags, loopCount }, value, {
    source: 'rapid',
    locator: toAsaLocator(found),
    expiresAt,
  });
}

/** M_REQ_SYN → M_SYNCH (RFC 8990 §2.8.6, §2.8.10). */
function ask(request: Request, target: Target, locator: AsaLocator | undefined): Promise<Synchronized> {
  const { client, asa, objective, timeoutMs, maxMessageBytes, signal } = request;
  const valueOf = (answer: Answer | undefined): Synchronized => {
    if (answer?.state !== 'synchronized') throw new GraspError(ErrorCode.unspec, 'no answer');
    return synchronized(answer.objective, answer.value, {
      source: 'request',
      locator: locator ?? locatorOf(target),
      expiresAt: undefined,
    });
  };
  return client.request((line) => {
    signal?.throwIfAborted();
    const session = client.nextNumber();
    const answer = line
      .call({
        call: line.nextCall(),
        t: 'synchronize',
        session,
        asa,
        objective,
        target,
        connectTimeoutMs: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
        timeoutMs,
        maxMessageBytes,
      })
      .then(valueOf);
    return unlessAborted(line, session, answer, signal);
  });
}

function synchronized(
  { name, flags, loopCount }: ObjectiveHead,
  encodedValue: Uint8Array,
  from: Pick<Synchronized, 'source' | 'locator' | 'expiresAt'>,
): Synchronized {
  return { name, value: decodeScanned(encodedValue), encodedValue, flags, loopCount, ...from };
}
