/** What the rows of RFC 8991 have in common: sessions begun by either side, and every call of the API once. */
import type { Answer, AsaHandle, Incoming, LocatorArgument, ObjectiveArgument } from '../adapter.js';
import type { T } from '../context.js';
import type { Conn, Listener, Peer } from '../peer.js';

export const EX1 = { name: 'EX1', negotiate: true } as const;
export const EX2 = { name: 'EX2', synchronize: true } as const;

/** Where a call must fail, and RFC 8991 does not say with which code. */
export const ANY_CODE: readonly number[] = Array.from({ length: 255 }, (_, i) => i + 1);

/** A negotiation E's ASA has begun: its call, and P's end with the request. */
export interface Asked {
  readonly call: Promise<Answer>;
  readonly conn: Conn;
  readonly sid: number;
  readonly request: readonly unknown[];
}

export interface Initiator {
  readonly asa: AsaHandle;
  readonly listener: Listener;
  readonly peer: LocatorArgument;
  /** One more request to P; one at a time. */
  readonly ask: (
    value?: unknown,
    more?: { objective?: Partial<ObjectiveArgument>; timeoutMs?: number },
  ) => Promise<Asked>;
}

/** An ASA of E that requests EX1 of P. */
export async function initiator(t: T): Promise<Initiator> {
  const asa = await t.registered(EX1);
  const listener = await t.p.listen();
  const peer = t.locatorOf(t.p, listener.port);
  let n = 0;
  const ask: Initiator['ask'] = async (value = 17, { objective, ...more } = {}) => {
    const call = t.engine.requestNegotiate(asa, { ...EX1, value, ...objective }, { peer, ...more });
    const conn = await listener.accept(2000, n++);
    const { message: request } = await conn.next();
    return { call, conn, sid: request[1] as number, request };
  };
  return { asa, listener, peer, ask };
}

/** A negotiation a peer has begun: what E's ASA got of it, and the peer's end. */
export interface Served extends Incoming {
  readonly conn: Conn;
  readonly sid: number;
}

export interface Responder {
  readonly asa: AsaHandle;
  /** One more request of a peer. */
  readonly serve: (
    value?: unknown,
    more?: { loopCount?: number; flags?: number; sid?: number; from?: Peer },
  ) => Promise<Served>;
}

/** An ASA of E that is asked for EX1. */
export async function responder(t: T): Promise<Responder> {
  const asa = await t.registered(EX1);
  const serve: Responder['serve'] = async (value = 1, { from = t.p, sid, ...objective } = {}) => {
    const { request } = await t.engine.listenNegotiate(asa, EX1);
    const { place } = await t.discovered(from, 'EX1');
    const options = sid === undefined ? { from } : { from, sid };
    const { conn, sid: used } = await t.request(place, { name: 'EX1', value, ...objective }, options);
    return { ...(await request), conn, sid: used };
  };
  return { asa, serve };
}

/** Discoveries that no node relays bring no answer. */
export async function undiscoverable(t: T, ...names: readonly string[]): Promise<void> {
  await t.silence(...(await Promise.all(names.map((name) => t.disc(name, { loopCount: 1 })))));
}

/** A connection to a place that nobody listens at: refused, or closed at once without a message. */
export async function closedAt(
  t: T,
  place: { address: string; port: number },
  first: unknown,
): Promise<void> {
  const { conn } = await t.p.tryConnect(place.address, place.port);
  if (!conn) return;
  await conn.send(first);
  await conn.closes();
  t.equal(conn.messages.length, 0, 'messages on a connection nobody serves');
}

/** Every call of RFC 8991 that takes an asa_handle, with arguments that make sense; `session` must be one of `asa`. */
export function everyCall(
  t: T,
  asa: AsaHandle,
  peer: LocatorArgument,
  session = 'no session',
): readonly (readonly [string, () => Promise<unknown>])[] {
  const { engine } = t;
  const [ex1, ex2] = [
    { ...EX1, value: 1 },
    { ...EX2, value: 1 },
  ];
  const one = { peer, timeoutMs: 1000 };
  return [
    ['registerObjective', () => engine.registerObjective(asa, { name: 'EX3', negotiate: true })],
    ['discover', () => engine.discover(asa, ex1, { timeoutMs: 200 })],
    ['requestNegotiate', () => engine.requestNegotiate(asa, ex1, one)],
    ['listenNegotiate', () => engine.listenNegotiate(asa, EX1)],
    ['stopListenNegotiate', () => engine.stopListenNegotiate(asa, EX1)],
    ['negotiateStep', () => engine.negotiateStep(asa, session, ex1)],
    ['negotiateWait', () => engine.negotiateWait(asa, session, 1000)],
    ['endNegotiate', () => engine.endNegotiate(asa, session, false)],
    ['sendInvalid', () => engine.sendInvalid(asa, session)],
    ['synchronize', () => engine.synchronize(asa, EX2, one)],
    ['listenSynchronize', () => engine.listenSynchronize(asa, ex2)],
    ['stopListenSynchronize', () => engine.stopListenSynchronize(asa, EX2)],
    ['flood', () => engine.flood(asa, 60_000, [{ objective: ex2 }])],
    ['getFlood', () => engine.getFlood(asa, EX2)],
    ['expireFlood', () => engine.expireFlood(asa, EX2, null)],
    ['deregisterObjective', () => engine.deregisterObjective(asa, EX1)],
    ['deregisterAsa', () => engine.deregisterAsa(asa)],
  ];
}
