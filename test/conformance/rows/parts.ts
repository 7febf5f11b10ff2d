/** Beginnings that many rows of negotiation and synchronization share. */
import type { Answer, AsaHandle, ObjectiveAnswer } from '../adapter.js';
import type { Place, T } from '../context.js';
import type { Conn, Peer } from '../peer.js';

const registrations = new WeakMap<T, Map<string, Promise<AsaHandle>>>();

/** The row's ASA, with this objective registered once. */
export function having(t: T, name: string, kind: 'negotiate' | 'synchronize'): Promise<AsaHandle> {
  const known = registrations.get(t) ?? new Map<string, Promise<AsaHandle>>();
  registrations.set(t, known);
  const asa = known.get(name) ?? t.registered({ name, [kind]: true });
  known.set(name, asa);
  return asa;
}

export interface Asking {
  /** undefined: null. */
  readonly value?: unknown;
  readonly loopCount?: number;
  readonly timeoutMs?: number;
  readonly name?: string;
  readonly peer?: Peer;
}

/** E has asked a peer, which has read the request and not answered. */
export interface Asked<X> {
  readonly asa: AsaHandle;
  readonly call: Promise<X>;
  readonly conn: Conn;
  readonly sid: number;
  readonly request: unknown[];
  /** ms: when the request came. */
  readonly at: number;
}

async function ask<X>(
  t: T,
  asking: Asking,
  kind: 'negotiate' | 'synchronize',
  begin: (
    asa: AsaHandle,
    objective: { name: string; value?: unknown; loopCount?: number },
    args: { peer: ReturnType<T['locatorOf']>; timeoutMs?: number },
  ) => Promise<X>,
): Promise<Asked<X>> {
  const { name = 'EX1', peer = t.p, timeoutMs, ...rest } = asking;
  const asa = await having(t, name, kind);
  const listener = await peer.listen();
  const args = {
    peer: t.locatorOf(peer, listener.port),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  const call = begin(asa, { name, [kind]: true, ...rest }, args);
  call.catch(() => undefined); // the row looks at it later
  const conn = await listener.accept(2000);
  const { message, at } = await conn.next(2000);
  return { asa, call, conn, sid: message[1] as number, request: message, at };
}

/** E requests a negotiation of EX1 of P. */
export function eNegotiates(t: T, asking: Asking = {}): Promise<Asked<Answer>> {
  return ask<Answer>(t, { value: 1, ...asking }, 'negotiate', (...args) =>
    t.engine.requestNegotiate(...args),
  );
}

/** E requests synchronization of EX2 of P. */
export function eSynchronizes(t: T, asking: Asking = {}): Promise<Asked<ObjectiveAnswer>> {
  return ask<ObjectiveAnswer>(t, { name: 'EX2', ...asking }, 'synchronize', (...args) =>
    t.engine.synchronize(...args),
  );
}

/** A peer has asked E, whose ASA has the request and has not answered. */
export interface Incoming {
  readonly asa: AsaHandle;
  readonly session: string;
  readonly objective: ObjectiveAnswer;
  readonly conn: Conn;
  readonly sid: number;
  readonly place: Place;
}

/** P requests a negotiation of EX1 of E. */
export async function pNegotiates(
  t: T,
  asking: {
    value?: unknown;
    loopCount?: number;
    flags?: number;
    name?: string;
    from?: Peer;
    sid?: number;
  } = {},
): Promise<Incoming> {
  const { name = 'EX1', from = t.p, sid, ...rest } = asking;
  const asa = await having(t, name, 'negotiate');
  const { request } = await t.engine.listenNegotiate(asa, { name, negotiate: true });
  const { place } = await t.discovered(from, name);
  const started = await t.request(place, { name, ...rest }, { from, ...(sid === undefined ? {} : { sid }) });
  const { session, objective } = await taken(t, request);
  return { asa, session, objective, place, ...started };
}

/** What becomes of a call, if that is soon: for calls that an engine which goes wrong would never end. */
export async function taken<X>(t: T, call: Promise<X>, ms = 2000, what = 'the call ends'): Promise<X> {
  let outcome: { value: X } | { error: Error } | undefined;
  call.then(
    (value) => (outcome = { value }),
    (error: Error) => (outcome = { error }),
  );
  // The adapter's line that ends the call is what wakes the watcher; its outcome is known a turn later.
  const got = await t.eventually(
    () => Promise.resolve(outcome),
    (x) => x !== undefined,
    ms,
    what,
  );
  if ('error' in got!) throw got.error;
  return (got as { value: X }).value;
}
